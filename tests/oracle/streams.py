"""Draws streams that CPython loads, out of every opcode, as no pickler would write them."""

import math
import struct

CHARACTERS = "abcxyz019 _-.,:'\"\\\n\r\t\0\x7fé\u00ff\u202e語\U0001f600"
MODULES = ("alpha_pkg", "alpha_pkg.tools", "beta_lib._inner")
DEPTH = 3


class Stream:
    """One stream, of choices that `random` makes."""

    def __init__(self, random):
        self.random = random
        self.out = bytearray()
        self.used = set()
        self.memo = set()
        # Numbers written as only `strtol` and CPython's own int() read them.
        self.dialects = random.random() < 0.4

    def assemble(self):
        """The bytes: a call of `oracle_pkg.probe` with one drawn value, and STOP."""
        protocol = self.random.randrange(7)
        if protocol < 6:
            self.op("PROTO", b"\x80", bytes([protocol]))
        self.framed(self.body, self.random.random() < 0.3)
        return bytes(self.out)

    def body(self):
        self.op("GLOBAL", b"c", b"oracle_pkg\nprobe\n")
        self.value(DEPTH)
        self.op("TUPLE1", b"\x85")
        self.op("REDUCE", b"R")
        self.op("STOP", b".")

    def op(self, name, code, argument=b""):
        self.used.add(name)
        self.out += code + argument

    def one_of(self, *choices):
        self.random.choice(choices)()

    def framed(self, inner, really=True):
        if not really:
            return inner()
        self.op("FRAME", b"\x95", bytes(8))
        start = len(self.out)
        inner()
        self.out[start - 8:start] = struct.pack("<Q", len(self.out) - start)

    # Values.

    def value(self, depth):
        """One value on the stack, with opcodes around it that change nothing."""
        game = self.random.randrange(14)
        if game == 0:
            self.op("MARK", b"(")
            self.op("POP", b"0")
        elif game == 1:
            self.op("MARK", b"(")
            for _ in range(self.random.randrange(3)):
                self.atom()
            self.op("POP_MARK", b"1")
        elif game == 2:
            self.op("PROTO", b"\x80", bytes([self.random.randrange(6)]))
        if game == 3:
            self.framed(lambda: self.plain_value(depth))
        else:
            self.plain_value(depth)
        if game == 4:
            self.op("DUP", b"2")
            self.op("POP", b"0")
        elif game == 5:
            self.atom()
            self.op("POP", b"0")
        elif game in (6, 7, 8):
            slot = self.store()
            if self.random.random() < 0.7:
                self.op("POP", b"0")
                self.fetch(slot)

    def plain_value(self, depth):
        if depth == 0 or self.random.random() < 0.4:
            return self.atom()
        inside = depth - 1
        return self.one_of(
            lambda: self.tuple(inside), lambda: self.list(inside), lambda: self.dict(inside), self.set,
            self.global_name, lambda: self.call(inside), self.persistent, self.extension, self.buffer,
        )

    def atom(self):
        self.one_of(
            lambda: self.op("NONE", b"N"), self.boolean, self.integer, self.integer, self.float,
            self.bytes, lambda: self.text(self.characters()), lambda: self.text(self.characters()),
        )

    def characters(self):
        return "".join(self.random.choice(CHARACTERS) for _ in range(self.random.randrange(9)))

    def boolean(self):
        self.one_of(
            lambda: self.op("NEWTRUE", b"\x88"), lambda: self.op("NEWFALSE", b"\x89"),
            lambda: self.op("INT", b"I", b"00\n"), lambda: self.op("INT", b"I", b"01\n"),
        )

    def integer(self):
        bits = self.random.choice((3, 8, 16, 31, 64, 70, 120))
        number = self.random.getrandbits(bits)
        signed = self.random.choice((number, -number))
        digits = str(signed).encode()
        choices = [
            lambda: self.op("BININT1", b"K", bytes([number & 0xFF])),
            lambda: self.op("BININT2", b"M", struct.pack("<H", number & 0xFFFF)),
            lambda: self.op("BININT", b"J", struct.pack("<i", signed % (1 << 32) - (1 << 31))),
            lambda: self.op("INT", b"I", digits + b"\n"),
            lambda: self.op("LONG", b"L", digits + self.random.choice((b"", b"L")) + b"\n"),
            lambda: self.counted("LONG1", b"\x8a", "<B", two_complement(signed, self.random.randrange(3))),
            lambda: self.counted("LONG4", b"\x8b", "<i", two_complement(signed, self.random.randrange(3))),
        ]
        if self.dialects:
            sign = b"-" if signed < 0 else b""
            small = number & 0x7FFFFFFF
            written = self.random.choice((
                b"0x%x" % small, b"0X%X" % small, b"0%o" % small, b"+%d" % small, b" %d " % small,
                b"\t%d" % small, b"%d\r" % small, b"0o%o" % small, b"%d\0junk" % small, b"0", b"-0", b"00",
            ))
            digits = sign + written if written[:1].isdigit() and written != b"00" else written
            choices = [lambda: self.op("INT", b"I", digits + b"\n")]
            written = self.random.choice((b"0x%x" % small, b"0b%s" % bin(small)[2:].encode(), b"1_0%d" % small))
            choices.append(lambda: self.op("LONG", b"L", sign + written + b"\n"))
        self.random.choice(choices)()

    def float(self):
        number = self.random.choice((0.0, -0.0, 1.0, -2.5, 1e300, 5e-324, 0.1, math.inf, -math.inf, math.nan, 1e22))
        written = self.random.choice((repr(number), f"{number:.20e}", f"{number:+}"))
        self.one_of(
            lambda: self.op("BINFLOAT", b"G", struct.pack(">d", number)),
            lambda: self.op("FLOAT", b"F", written.encode() + b"\n"),
        )

    def counted(self, name, code, length, content):
        self.op(name, code, struct.pack(length, len(content)) + content)

    def bytes(self):
        content = self.random.randbytes(self.random.randrange(9))
        self.counted(*self.random.choice((
            ("SHORT_BINBYTES", b"C", "<B"), ("BINBYTES", b"B", "<I"), ("BINBYTES8", b"\x8e", "<Q"),
        )), content)

    def text(self, text):
        """`text` by one of the opcodes that can hold it."""
        content = text.encode()
        choices = [
            lambda: self.counted("SHORT_BINUNICODE", b"\x8c", "<B", content),
            lambda: self.counted("BINUNICODE", b"X", "<I", content),
            lambda: self.counted("BINUNICODE8", b"\x8d", "<Q", content),
            lambda: self.op("UNICODE", b"V", self.raw_escaped(text) + b"\n"),
        ]
        if text.isascii():
            quote = self.random.choice((b"'", b'"'))
            choices += [
                lambda: self.counted("BINSTRING", b"T", "<i", content),
                lambda: self.counted("SHORT_BINSTRING", b"U", "<B", content),
                lambda: self.op("STRING", b"S", quote + self.escaped(text) + quote + b"\n"),
            ]
        self.random.choice(choices)()

    def raw_escaped(self, text):
        out = b""
        for c in text:
            code = ord(c)
            if code > 0xFFFF:
                out += b"\\U%08x" % code
            elif code > 0xFF or c in "\\\n\r\0" or self.random.random() < 0.3:
                out += b"\\u%04X" % code
            else:
                out += bytes([code])
        return out

    def escaped(self, text):
        named = {"\n": b"\\n", "\r": b"\\r", "\t": b"\\t", "\\": b"\\\\", "'": b"\\'", '"': b'\\"'}
        out = b""
        for c in text:
            how = self.random.randrange(4)
            if c in named and how:
                out += named[c]
            elif c in named or how == 0:
                out += b"\\x%02x" % ord(c)
            elif how == 1:
                out += b"\\%03o" % ord(c)
            else:
                out += c.encode()
        return out

    # Containers.

    def marked(self, name, code, count, item):
        self.op("MARK", b"(")
        for _ in range(count):
            item()
        self.op(name, code)

    def tuple(self, depth):
        count = self.random.randrange(5)
        if count > 3 or self.random.random() < 0.3:
            return self.marked("TUPLE", b"t", count, lambda: self.value(depth))
        if count == 0:
            return self.op("EMPTY_TUPLE", b")")
        for _ in range(count):
            self.value(depth)
        return self.op(f"TUPLE{count}", bytes([0x84 + count]))

    def list(self, depth):
        count = self.random.randrange(4)
        if self.random.random() < 0.2:
            return self.counted("BYTEARRAY8", b"\x96", "<Q", b"weighin")
        if self.random.random() < 0.3:
            return self.marked("LIST", b"l", count, lambda: self.value(depth))
        self.op("EMPTY_LIST", b"]")
        if self.random.random() < 0.3:
            self.fetch_again()
        for _ in range(self.random.randrange(3)):
            self.value(depth)
            self.op("APPEND", b"a")
        return self.marked("APPENDS", b"e", count, lambda: self.value(depth))

    def dict(self, depth):
        count = self.random.randrange(4)

        def pair():
            self.atom()
            self.value(depth)

        if self.random.random() < 0.3:
            return self.marked("DICT", b"d", count, pair)
        self.op("EMPTY_DICT", b"}")
        if self.random.random() < 0.3:
            self.fetch_again()
        for _ in range(self.random.randrange(3)):
            pair()
            self.op("SETITEM", b"s")
        return self.marked("SETITEMS", b"u", count, pair)

    def set(self):
        count = self.random.randrange(4)
        if self.random.random() < 0.5:
            return self.marked("FROZENSET", b"\x91", count, self.atom)
        self.op("EMPTY_SET", b"\x8f")
        return self.marked("ADDITEMS", b"\x90", count, self.atom)

    # The memo.

    def store(self):
        """Keep the top of the stack; returns where."""
        slot = self.random.choice((0, 1, 2, 8, 10, 255))
        form = self.random.randrange(4)
        if form == 0:
            slot = len(self.memo)
            self.op("MEMOIZE", b"\x94")
        elif form == 1:
            self.op("BINPUT", b"q", bytes([slot]))
        elif form == 2:
            slot = slot << self.random.choice((0, 4, 14))
            self.op("LONG_BINPUT", b"r", struct.pack("<I", slot))
        else:
            self.op("PUT", b"p", self.index_line(slot))
        self.memo.add(slot)
        return slot

    def index_line(self, slot):
        # Always decimal, whatever it begins with.
        return self.random.choice((b"%d\n", b"0%d\n", b"00%d\n", b" %d \n", b"+%d\n")) % slot

    def fetch(self, slot):
        form = self.random.randrange(3)
        if form == 0 and slot < 256:
            self.op("BINGET", b"h", bytes([slot]))
        elif form == 1:
            self.op("GET", b"g", self.index_line(slot))
        else:
            self.op("LONG_BINGET", b"j", struct.pack("<I", slot))

    def fetch_again(self):
        slot = self.store()
        self.op("POP", b"0")
        self.fetch(slot)

    # Names and calls.

    def name(self):
        return self.random.choice(MODULES), f"Thing{self.random.randrange(6)}"

    def global_name(self):
        module, name = self.name()
        if self.random.random() < 0.5:
            return self.op("GLOBAL", b"c", f"{module}\n{name}\n".encode())
        for part in (module, name):
            self.text(part)
            if self.random.random() < 0.3:
                self.fetch_again()
        return self.op("STACK_GLOBAL", b"\x93")

    def call(self, depth):
        count = self.random.randrange(3)

        def item():
            self.value(depth)

        form = self.random.randrange(5)
        if form == 0:
            self.op("MARK", b"(")
            for _ in range(count):
                item()
            module, name = self.name()
            self.op("INST", b"i", f"{module}\n{name}\n".encode())
        elif form == 1:
            self.op("MARK", b"(")
            self.global_name()
            for _ in range(count):
                item()
            self.op("OBJ", b"o")
        else:
            self.global_name()
            self.marked("TUPLE", b"t", count, item)
            if form == 2:
                self.op("REDUCE", b"R")
            elif form == 3:
                self.op("NEWOBJ", b"\x81")
            else:
                self.op("EMPTY_DICT", b"}")
                self.text("key")
                self.atom()
                self.op("SETITEM", b"s")
                self.op("NEWOBJ_EX", b"\x92")
        if self.random.random() < 0.3:
            self.dict(depth)
            self.op("BUILD", b"b")

    def persistent(self):
        if self.random.random() < 0.5:
            return self.op("PERSID", b"P", b"key-%d\n" % self.random.randrange(9))
        self.atom()
        return self.op("BINPERSID", b"Q")

    def extension(self):
        code = self.random.randrange(240, 250)
        self.one_of(
            lambda: self.op("EXT1", b"\x82", bytes([code])),
            lambda: self.op("EXT2", b"\x83", struct.pack("<H", code)),
            lambda: self.op("EXT4", b"\x84", struct.pack("<i", code)),
        )

    def buffer(self):
        self.op("NEXT_BUFFER", b"\x97")
        if self.random.random() < 0.5:
            self.op("READONLY_BUFFER", b"\x98")


def two_complement(number, more):
    """Little-endian, with `more` bytes than it needs."""
    return number.to_bytes(number.bit_length() // 8 + 1 + more, "little", signed=True)
