"""Evasions that hide what a pickle calls behind other calls.

As in `reencode`, each takes opcodes with explicit memo indexes and a random
source. What they add is computed by the oracle as well, so that a mistake here
shows as a variant that is no longer live.
"""

import base64
import binascii
import bz2
import codecs
import lzma
import zlib

from stream import Op, analyse, data, encode, name, text, text_of

PROTOCOL = Op("PROTO", 4)


def call(callee, *args):
    """Opcodes that call `callee`, a list of opcodes or a dotted name below a module."""
    if isinstance(callee, str):
        callee = name(*callee.split(".", 1)) if not callee.startswith("urllib.parse") else name("urllib.parse", callee[13:])
    out = list(callee)
    for arg in args:
        out += arg if isinstance(arg, list) else [arg]
    if len(args) == 0:
        return out + [Op("EMPTY_TUPLE"), Op("REDUCE")]
    if len(args) <= 3:
        return out + [Op(f"TUPLE{len(args)}"), Op("REDUCE")]
    return [*callee, Op("MARK"), *out[len(callee):], Op("TUPLE"), Op("REDUCE")]


def number(value):
    return Op("BININT", value)


def listed(items):
    out = [Op("MARK")]
    for item in items:
        out += item if isinstance(item, list) else [item]
    return out + [Op("LIST")]


def method(rng, of, which):
    """A method of a builtin type, by dotted name or by getattr."""
    if rng.random() < 0.6:
        return name("builtins", f"{of}.{which}")
    return call("builtins.getattr", name("builtins", of), text(which))


def text_builders():
    """Ways to compute a text: each takes a random source and the text."""
    def split(rng, value):
        return rng.randrange(1, len(value)) if len(value) > 1 else 1

    def join(rng, value):
        return call(method(rng, "str", "join"), text(""), listed([text(char) for char in value]))

    def join_with(rng, value):
        if "." in value:
            return call(method(rng, "str", "join"), text("."), listed([text(part) for part in value.split(".")]))
        return join(rng, value)

    def join_chr(rng, value):
        codes = listed([number(ord(char)) for char in value])
        return call(method(rng, "str", "join"), text(""), call("builtins.map", name("builtins", "chr"), codes))

    def add(rng, value):
        at = split(rng, value)
        how = rng.choice(["operator.add", "operator.concat", "operator.iadd", "_operator.add"])
        return call(how, text(value[:at]), text(value[at:]))

    def dunder_add(rng, value):
        at = split(rng, value)
        return call(method(rng, "str", "__add__"), text(value[:at]), text(value[at:]))

    def backwards(rng, value):
        cut = call("builtins.slice", Op("NONE"), Op("NONE"), number(-1))
        if rng.random() < 0.5:
            return call("operator.getitem", text(value[::-1]), cut)
        return call(method(rng, "str", "__getitem__"), text(value[::-1]), cut)

    def joined_reversed(rng, value):
        return call(method(rng, "str", "join"), text(""), call("builtins.reversed", text(value[::-1])))

    def middle(rng, value):
        cut = call("builtins.slice", number(3), number(3 + len(value)))
        return call("operator.getitem", text(f"xyz{value}zyx"), cut)

    def every_second(rng, value):
        cut = call("builtins.slice", Op("NONE"), Op("NONE"), number(2))
        return call("operator.getitem", text("".join(char + "q" for char in value)), cut)

    def replaced(rng, value):
        at = split(rng, value)
        return call(method(rng, "str", "replace"), text(value[:at] + "!!" + value[at:]), text("!!"), text(""))

    def swapped(rng, value):
        return call(method(rng, "str", "swapcase"), text(value.swapcase()))

    def lowered(rng, value):
        return call(method(rng, "str", "lower"), text(value.upper())) if value.islower() else join(rng, value)

    def stripped(rng, value):
        if rng.random() < 0.5:
            return call(method(rng, "str", "strip"), text(f"  {value}\n"))
        return call(method(rng, "str", "strip"), text(f"##{value}##"), text("#"))

    def part_of_split(rng, value):
        return call("operator.getitem", call(method(rng, "str", "split"), text(f"a|{value}|b"), text("|")), number(1))

    def partition(rng, value):
        return call("operator.getitem", call(method(rng, "str", "partition"), text(f"{value}|b"), text("|")), number(0))

    def percent(rng, value):
        at = split(rng, value)
        parts = [text(value[:at]), text(value[at:]), Op("TUPLE2")]
        if rng.random() < 0.5:
            return call("operator.mod", text("%s%s"), parts)
        return call(method(rng, "str", "__mod__"), text("%s%s"), parts)

    def percent_chars(rng, value):
        parts = [Op("MARK"), *[number(ord(char)) for char in value], Op("TUPLE")]
        return call("operator.mod", text("%c" * len(value)), parts)

    def formatted(rng, value):
        at = split(rng, value)
        form, parts = rng.choice([("{}{}", (0, 1)), ("{0}{1}", (0, 1)), ("{1}{0}", (1, 0))])
        pieces = [text(value[:at]), text(value[at:])]
        return call(method(rng, "str", "format"), text(form), pieces[parts[0]], pieces[parts[1]])

    def format_width(rng, value):
        at = split(rng, value)
        return call(method(rng, "str", "format"), text("{:1}" + value[at:]), text(value[:at]))

    def prefixed(rng, value):
        how = rng.choice([("removeprefix", f"no_{value}", "no_"), ("removesuffix", f"{value}_no", "_no")])
        return call(method(rng, "str", how[0]), text(how[1]), text(how[2]))

    def decoded(rng, value):
        codec = rng.choice(["utf-8", "ascii", "latin1", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "utf8",
                            "cp037", "cp500", "U8", "utf_8_sig", "idna", "punycode", "cp1252", "mac_roman"])
        raw = value.encode(codec)
        if rng.random() < 0.5:
            return call(method(rng, "bytes", "decode"), data(raw), text(codec))
        return call("codecs.decode", data(raw), text(codec))

    def escape_codec(rng, value):
        raw = "".join(f"\\x{ord(char):02x}" for char in value).encode()
        return call(method(rng, "bytes", "decode"), data(raw), text(rng.choice(["unicode_escape", "unicode-escape"])))

    def rot13(rng, value):
        return call("codecs.decode", text(codecs.encode(value, "rot13")), text(rng.choice(["rot13", "rot_13", "rot-13"])))

    def base_n(rng, value):
        raw = value.encode()
        how, coded = rng.choice([
            ("base64.b64decode", base64.b64encode(raw)), ("base64.b32decode", base64.b32encode(raw)),
            ("base64.b85decode", base64.b85encode(raw)), ("base64.a85decode", base64.a85encode(raw)),
            ("base64.b16decode", base64.b16encode(raw)), ("binascii.unhexlify", binascii.hexlify(raw)),
            ("binascii.a2b_base64", binascii.b2a_base64(raw)), ("base64.urlsafe_b64decode", base64.urlsafe_b64encode(raw)),
        ])
        return call(method(rng, "bytes", "decode"), call(how, data(coded)))

    def fromhex(rng, value):
        return call(method(rng, "bytes", "decode"), call(method(rng, "bytes", "fromhex"), text(value.encode().hex())))

    def squeezed(rng, value):
        raw = value.encode()
        how, coded = rng.choice([
            ("zlib.decompress", zlib.compress(raw)), ("bz2.decompress", bz2.compress(raw)),
            ("lzma.decompress", lzma.compress(raw)), ("lzma.decompress", lzma.compress(raw, format=lzma.FORMAT_ALONE)),
        ])
        return call(method(rng, "bytes", "decode"), call(how, data(coded)))

    def codec_bytes(rng, value):
        codec = rng.choice(["base64", "hex", "zlib", "bz2", "uu", "quopri"])
        return call(method(rng, "bytes", "decode"), call("codecs.decode", data(codecs.encode(value.encode(), codec)), text(codec)))

    def from_ints(rng, value):
        of = rng.choice(["bytes", "bytearray"])
        return call(method(rng, of, "decode"), call(f"builtins.{of}", listed([number(byte) for byte in value.encode()])))

    def from_one_int(rng, value):
        raw = value.encode()
        whole = Op("LONG", str(int.from_bytes(raw, "big")).encode())
        made = call(method(rng, "int", "to_bytes"), whole, number(len(raw)), text("big"))
        return call(method(rng, "bytes", "decode"), made)

    def str_of_bytes(rng, value):
        return call("builtins.str", data(value.encode()), text("utf-8"))

    def letters(rng, value):
        alphabet = "abcdefghijklmnopqrstuvwxyz_.ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        if any(char not in alphabet for char in value):
            return join(rng, value)
        picked = [call("operator.getitem", text(alphabet), number(alphabet.index(char))) for char in value]
        return call(method(rng, "str", "join"), text(""), listed(picked))

    def picked(rng, value):
        alphabet = "".join(sorted(set(value))) + "#"
        getter = call("operator.itemgetter", *[number(alphabet.index(char)) for char in value + "#"])
        chars = call("builtins.str.join", text(""), call(getter, text(alphabet)))
        return call(method(rng, "str", "strip"), chars, text("#"))

    def chained(rng, value):
        at = split(rng, value)
        return call(method(rng, "str", "join"), text(""), call("itertools.chain", text(value[:at]), text(value[at:])))

    def from_dict(rng, value):
        return call("operator.getitem", [Op("EMPTY_DICT"), text("k"), text(value), Op("SETITEM")], text("k"))

    def from_list(rng, value):
        return call("operator.getitem", listed([text("a"), text(value)]), number(-1))

    def largest(rng, value):
        return call("builtins.max", text(""), text(value))

    def next_of(rng, value):
        return call("builtins.next", call("builtins.iter", listed([text(value)])))

    def quoted(rng, value):
        return call("urllib.parse.unquote", text("".join(f"%{ord(char):02x}" for char in value)))

    def html(rng, value):
        return call("html.unescape", text("".join(f"&#{ord(char)};" for char in value)))

    def reduced(rng, value):
        return call("functools.reduce", name("operator", "add"), listed([text(char) for char in value]))

    def translated(rng, value):
        shifted = "".join(chr(ord(char) + 1) for char in value)
        table = [Op("EMPTY_DICT"), Op("MARK")]
        for char in sorted(set(shifted)):
            table += [number(ord(char)), number(ord(char) - 1)]
        return call(method(rng, "str", "translate"), text(shifted), table + [Op("SETITEMS")])

    def xored(rng, value):
        key = rng.randrange(1, 128)
        codes = call("builtins.map", name("operator", "xor"), listed([number(ord(char) ^ key) for char in value]),
                     listed([number(key)] * len(value)))
        return call(method(rng, "bytes", "decode"), call("builtins.bytes", codes))

    return [function for key, function in sorted(locals().items()) if key != "split"]


def computed(build):
    def evade(ops, rng):
        """Names of imports are computed."""
        if not analyse(ops):
            return None
        out, changed = list(ops), False
        for index, op in enumerate(ops):
            if op.name == "GLOBAL":
                try:
                    operands = [part.decode("ascii") for part in op.arg]
                except UnicodeDecodeError:
                    continue
                which = rng.randrange(3)
                module = text(operands[0]) if which == 1 else build(rng, operands[0])
                attribute = text(operands[1]) if which == 0 else build(rng, operands[1])
                parts = [part if isinstance(part, list) else [part] for part in (module, attribute)]
                out[index], changed = parts[0] + parts[1] + [Op("STACK_GLOBAL")], True
            elif op.name == "STACK_GLOBAL":
                for at in set(op.takes):
                    value = text_of(ops[at])
                    if value and value.isascii() and out[at] is ops[at] and rng.random() < 0.8:
                        out[at], changed = build(rng, value), True
        if not changed:
            return None
        flat = []
        for op in out:
            flat += op if isinstance(op, list) else [op]
        return [PROTOCOL] + [op for op in flat if op.name != "PROTO"]
    return evade


def callables(ops):
    """Where a plain name is imported: first opcode, last opcode, module, attribute."""
    found = []
    if not analyse(ops):
        return found
    for index, op in enumerate(ops):
        if op.name == "GLOBAL" and all(part.isascii() for part in op.arg):
            found.append((index, index, *(part.decode() for part in op.arg)))
        elif op.name == "STACK_GLOBAL":
            first, second = op.takes
            plain = [text_of(ops[at]) for at in (first, second)]
            simple = all(ops[at].name == "LONG_BINPUT" for at in range(first, index) if at not in (first, second))
            if None not in plain and second > first and simple:
                # What is put in the memo in between stays there.
                found.append((first, index, *plain))
    return found


def looked_up(ops, rng):
    """What is called is looked up by a function instead of by an opcode."""
    found = [item for item in callables(ops) if item[3]]
    if not found:
        return None
    out = list(ops)
    for first, last, module, attribute in reversed(found):
        kept = [op for op in ops[first:last] if op.name == "LONG_BINPUT"]
        if kept:
            continue
        how = rng.randrange(8)
        imported = call(rng.choice(["importlib.import_module", "builtins.__import__"]) if "." not in module
                        else "importlib.import_module", text(module))
        if how <= 2:
            new = imported
            for part in attribute.split("."):
                new = call("builtins.getattr", new, text(part))
        elif how == 3:
            new = call(call("operator.attrgetter", text(attribute)), imported)
        elif how == 4:
            new = call("pkgutil.resolve_name", text(f"{module}:{attribute}"))
        elif how == 5:
            new = call("pydoc.locate", text(f"{module}.{attribute}"))
        elif how == 6:
            new = call("functools.reduce", name("builtins", "getattr"), listed([text(p) for p in attribute.split(".")]), imported)
        else:
            new = call(call("functools.partial", name("builtins", "getattr"), imported), text(attribute))
        out[first:last + 1] = new
    return [PROTOCOL] + [op for op in out if op.name != "PROTO"]


def through_module(ops, rng):
    """What is called is reached through a module that an honest one imports."""
    hosts = {
        "os": [("torch", "serialization.os"), ("pathlib", "os"), ("random", "_os"), ("shutil", "os"), ("tempfile", "_os"),
               ("logging", "os"), ("numpy", "os"), ("torch.serialization", "os"), ("sklearn.utils", "os"), ("collections", "_sys.modules.os"),
               ("torch.utils.data", "graph.io.os"), ("zipfile", "shutil.os"), ("argparse", "_os"), ("site", "os")],
        "posix": [("os", "posix"), ("random", "_os.posix")],
        "subprocess": [("platform", "subprocess"), ("torch.utils.cpp_extension", "subprocess"), ("uuid", "subprocess"), ("numpy.testing", "_private.extbuild.subprocess")],
        "builtins": [("enum", "bltns"), ("gettext", "builtins"), ("io", "__builtins__"), ("bz2", "_builtin_open.__self__")],
        "sys": [("collections", "_sys"), ("enum", "sys"), ("torch", "sys"), ("argparse", "_sys")],
    }
    found = [item for item in callables(ops) if item[2].replace("__builtin__", "builtins").replace("nt", "os") in hosts or item[2] in hosts]
    if not found:
        return None
    out, changed = list(ops), False
    for first, last, module, attribute in reversed(found):
        kept = [op for op in ops[first:last] if op.name == "LONG_BINPUT"]
        if kept or module not in hosts:
            continue
        host, path = rng.choice(hosts[module])
        out[first:last + 1], changed = name(host, f"{path}.{attribute}"), True
    return [PROTOCOL] + [op for op in out if op.name != "PROTO"] if changed else None


def through_caller(ops, rng):
    """The call is made by a function that calls what it is handed."""
    if not analyse(ops):
        return None
    spots = [(index, op) for index, op in enumerate(ops) if op.name == "REDUCE"]
    if not spots:
        return None
    index, op = rng.choice(spots)
    callee, args = op.takes
    body, given = ops[callee:args], ops[args:index]
    one = rng.randrange(9)
    if any(item.name == "MARK" for item in body) and not analyse(body):
        return None
    single = ops[index - 1].name == "TUPLE1"
    argument = given[:-1]
    if one == 0:
        new = call("operator.call", body, argument) if single else None
    elif one == 1:
        new = [*name("itertools", "starmap"), *body, *given, Op("TUPLE1"), Op("TUPLE2"), Op("REDUCE")]
        new = call("builtins.list", new)
    elif one == 2:
        new = call("builtins.list", call("builtins.map", body, [*argument, Op("TUPLE1")])) if single else None
    elif one == 3:
        new = call(call("functools.partial", body, argument)) if single else None
    elif one == 4:
        new = [*call("functools.partial", body), *given, Op("REDUCE")]
    elif one == 5:
        new = [*name("__builtin__", "apply"), *body, *given, Op("TUPLE2"), Op("REDUCE")]
    elif one == 6:
        new = [*call("builtins.staticmethod", body), *given, Op("REDUCE")]
    else:
        new = [*call("functools.lru_cache", body), *given, Op("REDUCE")]
    if new is None:
        return None
    return [PROTOCOL] + [item for item in ops[:callee] + new + ops[index + 1:] if item.name != "PROTO"]


def nested(ops, rng):
    """The stream as bytes that another pickle hands to a loader."""
    inner = encode(ops)
    for _ in range(rng.randrange(1, 3)):
        how = rng.randrange(6)
        module = rng.choice(["pickle", "_pickle", "cPickle", "dill", "torch.storage"])
        function = {"torch.storage": "_load_from_bytes", "pickle": rng.choice(["loads", "_loads"])}.get(module, "loads")
        argument = [data(inner)]
        if how == 1:
            argument = call("base64.b64decode", data(base64.b64encode(inner)))
        elif how == 2:
            argument = call("zlib.decompress", data(zlib.compress(inner)))
        elif how == 3:
            argument = [Op("GLOBAL", (b"_codecs", b"encode")), text(inner.decode("latin1")), text("latin1"), Op("TUPLE2"), Op("REDUCE")]
        elif how == 4:
            argument = [Op("BYTEARRAY8", inner)]
        elif how == 5:
            half = len(inner) // 2
            argument = call("operator.add", data(inner[:half]), data(inner[half:]))
        outer = [Op("PROTO", 2 if module == "cPickle" else 4), Op("GLOBAL", (module.encode(), function.encode())), *argument,
                 Op("TUPLE1"), Op("REDUCE"), Op("STOP")]
        inner = encode(outer)
    return outer


EVASIONS = {f"computed-{build.__name__.replace('_', '-')}": computed(build) for build in text_builders()}
EVASIONS |= {function.__name__.replace("_", "-"): function
             for function in (looked_up, through_module, through_caller, nested)}
