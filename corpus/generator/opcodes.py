"""A pickle assembler, and a pickler for stand-in objects.

`asm` turns a listing into bytes, one opcode a line, by the names that Python's
pickletools gives them:

    asm("PROTO 4", "SHORT_BINUNICODE os", "SHORT_BINUNICODE system",
        "STACK_GLOBAL", "SHORT_BINUNICODE echo weighin", "TUPLE1", "REDUCE", "STOP")

What follows the first space is the operand. An operand that is not plain text
is given as a pair, ("BINBYTES", b"\\0\\1"), and bytes that are no opcode as
("RAW", b"..."). Nothing is checked: a listing may be as wrong as its sample needs.

`dumps` writes a value as the real pickler does (memo, frames, batches), for any
protocol and without importing anything: `Global`, `Reduce`, `NewObj`, `Persistent`
and the rest stand for what the real object would have asked for.
"""

import struct
from dataclasses import dataclass, field

# --- the assembler ---------------------------------------------------------


def _text_line(value):
    return value.encode("utf-8") + b"\n" if isinstance(value, str) else value + b"\n"


def _pair_line(value):
    """GLOBAL and INST: module and name, a line each."""
    if isinstance(value, str):
        module, name = value.split(" ")
        return f"{module}\n{name}\n".encode("utf-8")
    module, name = value
    return _text_line(module) + _text_line(name)


def _number(fmt):
    return lambda value: struct.pack(fmt, int(value))


def _sized(fmt):
    def encode(value):
        data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else bytes(value)
        return struct.pack(fmt, len(data)) + data
    return encode


def _little_endian_int(value):
    """Two's complement, as short as it goes, which is how LONG1 and LONG4 hold a number."""
    value = int(value)
    if value == 0:
        return b""
    size = (value.bit_length() >> 3) + 1
    data = value.to_bytes(size, "little", signed=True)
    if value < 0 and size > 1 and data[-1] == 0xFF and data[-2] & 0x80:
        data = data[:-1]
    return data


def _long1(value):
    data = value if isinstance(value, bytes) else _little_endian_int(value)
    return struct.pack("<B", len(data)) + data


def _long4(value):
    data = value if isinstance(value, bytes) else _little_endian_int(value)
    return struct.pack("<i", len(data)) + data


# name: (opcode, how its operand is written or None)
OPCODES = {
    "INT": (b"I", _text_line), "BININT": (b"J", _number("<i")), "BININT1": (b"K", _number("<B")),
    "BININT2": (b"M", _number("<H")), "LONG": (b"L", _text_line), "LONG1": (b"\x8a", _long1),
    "LONG4": (b"\x8b", _long4), "STRING": (b"S", _text_line), "BINSTRING": (b"T", _sized("<i")),
    "SHORT_BINSTRING": (b"U", _sized("<B")), "BINBYTES": (b"B", _sized("<I")),
    "SHORT_BINBYTES": (b"C", _sized("<B")), "BINBYTES8": (b"\x8e", _sized("<Q")),
    "BYTEARRAY8": (b"\x96", _sized("<Q")), "NEXT_BUFFER": (b"\x97", None),
    "READONLY_BUFFER": (b"\x98", None), "NONE": (b"N", None), "NEWTRUE": (b"\x88", None),
    "NEWFALSE": (b"\x89", None), "UNICODE": (b"V", _text_line),
    "SHORT_BINUNICODE": (b"\x8c", _sized("<B")), "BINUNICODE": (b"X", _sized("<I")),
    "BINUNICODE8": (b"\x8d", _sized("<Q")), "FLOAT": (b"F", _text_line),
    "BINFLOAT": (b"G", lambda value: struct.pack(">d", float(value))), "EMPTY_LIST": (b"]", None),
    "APPEND": (b"a", None), "APPENDS": (b"e", None), "LIST": (b"l", None),
    "EMPTY_TUPLE": (b")", None), "TUPLE": (b"t", None), "TUPLE1": (b"\x85", None),
    "TUPLE2": (b"\x86", None), "TUPLE3": (b"\x87", None), "EMPTY_DICT": (b"}", None),
    "DICT": (b"d", None), "SETITEM": (b"s", None), "SETITEMS": (b"u", None),
    "EMPTY_SET": (b"\x8f", None), "ADDITEMS": (b"\x90", None), "FROZENSET": (b"\x91", None),
    "POP": (b"0", None), "DUP": (b"2", None), "MARK": (b"(", None), "POP_MARK": (b"1", None),
    "GET": (b"g", _text_line), "BINGET": (b"h", _number("<B")), "LONG_BINGET": (b"j", _number("<I")),
    "PUT": (b"p", _text_line), "BINPUT": (b"q", _number("<B")), "LONG_BINPUT": (b"r", _number("<I")),
    "MEMOIZE": (b"\x94", None), "EXT1": (b"\x82", _number("<B")), "EXT2": (b"\x83", _number("<H")),
    "EXT4": (b"\x84", _number("<i")), "GLOBAL": (b"c", _pair_line), "STACK_GLOBAL": (b"\x93", None),
    "REDUCE": (b"R", None), "BUILD": (b"b", None), "INST": (b"i", _pair_line), "OBJ": (b"o", None),
    "NEWOBJ": (b"\x81", None), "NEWOBJ_EX": (b"\x92", None), "PROTO": (b"\x80", _number("<B")),
    "STOP": (b".", None), "FRAME": (b"\x95", _number("<Q")), "PERSID": (b"P", _text_line),
    "BINPERSID": (b"Q", None),
}


def asm(*lines):
    """The bytes of a listing."""
    out = bytearray()
    for line in lines:
        if isinstance(line, str):
            name, _, operand = line.partition(" ")
        else:
            name, operand = line
        if name == "RAW":
            out += operand
            continue
        opcode, write = OPCODES[name]
        out += opcode
        if write is not None:
            out += write(operand)
    return bytes(out)


def framed(*lines):
    """A protocol-4 pickle of one frame: PROTO, FRAME, then the listing."""
    body = asm(*lines)
    return asm("PROTO 4", f"FRAME {len(body)}") + body


# --- stand-ins -------------------------------------------------------------


@dataclass(frozen=True)
class Global:
    """A class or function, pickled by its name."""

    module: str
    name: str


@dataclass(eq=False)
class Computed:
    """A callable whose module and name are expressions, not literals (STACK_GLOBAL)."""

    module: object
    name: object


@dataclass(eq=False)
class Reduce:
    """An object made by calling `func(*args)`, then filled and given its state."""

    func: object
    args: tuple = ()
    state: object = None
    items: tuple = ()  # list items, by APPENDS
    pairs: tuple = ()  # dictionary items, by SETITEMS


@dataclass(eq=False)
class NewObj:
    """An object made by `cls.__new__(cls, *args)`, then filled and given its state."""

    cls: object
    args: tuple = ()
    state: object = None
    items: tuple = ()
    pairs: tuple = ()


@dataclass(eq=False)
class Persistent:
    """An object that lives outside the stream, named by its persistent id."""

    pid: object


@dataclass(eq=False)
class Raw:
    """A value followed by raw bytes in the stream, as joblib writes its arrays.

    `tail` may be a function of the position at which the bytes will stand.
    """

    value: object
    tail: object


@dataclass(eq=False)
class OldInstance:
    """A Python 2 instance, written with INST (protocol 0) or OBJ."""

    cls: Global
    state: dict = field(default_factory=dict)


PYTHON_2_MODULES = {"builtins": "__builtin__", "copyreg": "copy_reg"}
MIN_FRAME = 4
BATCH = 1000


class _Pickler:
    def __init__(self, protocol, python2_names):
        self.protocol = protocol
        self.python2_names = python2_names
        self.memo = {}
        self.keep = []  # so that no id() in the memo is ever reused
        self.out = bytearray()
        self.frame = bytearray()

    def op(self, name, operand=None):
        self.frame += asm(name if operand is None else (name, operand))

    def end_frame(self):
        if self.protocol >= 4 and len(self.frame) >= MIN_FRAME:
            self.out += asm(f"FRAME {len(self.frame)}")
        self.out += self.frame
        self.frame.clear()

    def dump(self, value):
        if self.protocol >= 2:
            self.out += asm(f"PROTO {self.protocol}")
        self.save(value)
        self.op("STOP")
        self.end_frame()
        return bytes(self.out)

    def key(self, value):
        """Strings and globals are memoised by what they say, all else by identity."""
        if isinstance(value, (str, Global)):
            return (type(value), value)
        self.keep.append(value)
        return id(value)

    def memoize(self, value):
        index = len(self.memo)
        self.memo[self.key(value)] = index
        if self.protocol >= 4:
            self.op("MEMOIZE")
        elif self.protocol == 0:
            self.op("PUT", str(index))
        elif index < 256:
            self.op("BINPUT", index)
        else:
            self.op("LONG_BINPUT", index)

    def get(self, index):
        if self.protocol == 0:
            self.op("GET", str(index))
        elif index < 256:
            self.op("BINGET", index)
        else:
            self.op("LONG_BINGET", index)

    def save(self, value):
        if isinstance(value, Persistent):
            if self.protocol == 0:
                self.op("PERSID", str(value.pid))
            else:
                self.save(value.pid)
                self.op("BINPERSID")
            return
        if isinstance(value, Raw):
            self.save(value.value)
            self.end_frame()
            self.out += value.tail(len(self.out)) if callable(value.tail) else value.tail
            return
        if value is None:
            return self.op("NONE")
        if value is True or value is False:
            if self.protocol >= 2:
                return self.op("NEWTRUE" if value else "NEWFALSE")
            return self.op("INT", "01" if value else "00")
        if isinstance(value, int):
            return self.save_int(value)
        if isinstance(value, float):
            return self.op("BINFLOAT", value) if self.protocol else self.op("FLOAT", repr(value))
        if value == () and isinstance(value, tuple):
            return self.op("EMPTY_TUPLE") if self.protocol else (self.op("MARK"), self.op("TUPLE"))
        index = self.memo.get(self.key(value))
        if index is not None:
            return self.get(index)
        getattr(self, "save_" + type(value).__name__)(value)

    def save_int(self, value):
        if self.protocol:
            for name, low, high in (("BININT1", 0, 0xFF), ("BININT2", 0, 0xFFFF),
                                    ("BININT", -0x80000000, 0x7FFFFFFF)):
                if low <= value <= high:
                    return self.op(name, value)
            if self.protocol >= 2:
                return self.op("LONG1", value)
        if -0x80000000 <= value <= 0x7FFFFFFF:
            return self.op("INT", str(value))
        return self.op("LONG", f"{value}L")

    def save_str(self, value):
        if self.protocol == 0:
            escaped = value.replace("\\", "\\u005c").replace("\0", "\\u0000").replace("\n", "\\u000a")
            escaped = escaped.replace("\r", "\\u000d").replace("\x1a", "\\u001a")
            self.op("UNICODE", escaped.encode("raw-unicode-escape"))
        elif self.protocol >= 4 and len(value.encode("utf-8")) < 256:
            self.op("SHORT_BINUNICODE", value)
        else:
            self.op("BINUNICODE", value)
        self.memoize(value)

    def save_bytes(self, value):
        if self.protocol < 3:
            # Not memoised under its own key: the pickler memoises the call.
            text = value.decode("latin1")
            made = Reduce(Global("_codecs", "encode"), (text, "latin1")) if value else \
                Reduce(Global("builtins", "bytes"))
            self.save(made)
            self.memo[self.key(value)] = self.memo[id(made)]
            return
        self.op("SHORT_BINBYTES" if len(value) < 256 else "BINBYTES", value)
        self.memoize(value)

    def save_bytearray(self, value):
        if self.protocol >= 5:
            self.op("BYTEARRAY8", value)
            return self.memoize(value)
        self.save(Reduce(Global("builtins", "bytearray"), (bytes(value),)))

    def save_tuple(self, value):
        if len(value) <= 3 and self.protocol >= 2:
            for item in value:
                self.save(item)
            self.op(f"TUPLE{len(value)}")
        else:
            self.op("MARK")
            for item in value:
                self.save(item)
            self.op("TUPLE")
        self.memoize(value)

    def save_list(self, value):
        if self.protocol:
            self.op("EMPTY_LIST")
        else:
            self.op("MARK")
            self.op("LIST")
        self.memoize(value)
        self.append(value)

    def append(self, items):
        items = list(items)
        for start in range(0, len(items), BATCH):
            batch = items[start:start + BATCH]
            if self.protocol == 0 or len(batch) == 1:
                for item in batch:
                    self.save(item)
                    self.op("APPEND")
                continue
            self.op("MARK")
            for item in batch:
                self.save(item)
            self.op("APPENDS")

    def save_dict(self, value):
        if self.protocol:
            self.op("EMPTY_DICT")
        else:
            self.op("MARK")
            self.op("DICT")
        self.memoize(value)
        self.set(value.items())

    def set(self, pairs):
        pairs = list(pairs)
        for start in range(0, len(pairs), BATCH):
            batch = pairs[start:start + BATCH]
            if self.protocol == 0 or len(batch) == 1:
                for key, item in batch:
                    self.save(key)
                    self.save(item)
                    self.op("SETITEM")
                continue
            self.op("MARK")
            for key, item in batch:
                self.save(key)
                self.save(item)
            self.op("SETITEMS")

    def save_set(self, value):
        items = sorted(value, key=repr)
        if self.protocol < 4:
            return self.save(Reduce(Global("builtins", "set"), (items,)))
        self.op("EMPTY_SET")
        self.memoize(value)
        if items:
            self.op("MARK")
            for item in items:
                self.save(item)
            self.op("ADDITEMS")

    def save_frozenset(self, value):
        items = sorted(value, key=repr)
        if self.protocol < 4:
            return self.save(Reduce(Global("builtins", "frozenset"), (items,)))
        self.op("MARK")
        for item in items:
            self.save(item)
        self.op("FROZENSET")
        self.memoize(value)

    def save_Global(self, value):
        if self.protocol >= 4:
            self.save(value.module)
            self.save(value.name)
            self.op("STACK_GLOBAL")
        else:
            module = value.module
            if self.protocol < 3 and self.python2_names:
                module = PYTHON_2_MODULES.get(module, module)
            self.op("GLOBAL", (module, value.name))
        self.memoize(value)

    def save_Computed(self, value):
        self.save(value.module)
        self.save(value.name)
        self.op("STACK_GLOBAL")
        self.memoize(value)

    def save_Reduce(self, value):
        self.save(value.func)
        self.save(value.args)
        self.op("REDUCE")
        self.fill(value)

    def save_NewObj(self, value):
        if self.protocol < 2:
            # What copyreg.__reduce_ex__ asks for before NEWOBJ existed.
            made = (value.cls, Global("builtins", "object"), None)
            self.save(Global("copyreg", "_reconstructor"))
            self.save(made)
            self.op("REDUCE")
        else:
            self.save(value.cls)
            self.save(value.args)
            self.op("NEWOBJ")
        self.fill(value)

    def fill(self, value):
        self.memoize(value)
        self.append(value.items)
        self.set(value.pairs)
        if value.state is not None:
            self.save(value.state)
            self.op("BUILD")

    def save_OldInstance(self, value):
        self.op("MARK")
        if self.protocol == 0:
            self.op("INST", (value.cls.module, value.cls.name))
        else:
            self.save(value.cls)
            self.op("OBJ")
        self.memoize(value)
        self.save(value.state)
        self.op("BUILD")


def dumps(value, protocol=4, python2_names=True):
    """The pickle of a value, stand-ins included."""
    return _Pickler(protocol, python2_names).dump(value)


def call(target, *args):
    """`call("os.system", "echo weighin")`: the last dot parts module and name."""
    module, _, name = target.rpartition(".")
    return Reduce(Global(module, name), args)


def named(target):
    """`named("collections.OrderedDict")`: the last dot parts module and name."""
    module, _, name = target.rpartition(".")
    return Global(module, name)
