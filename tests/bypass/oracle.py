"""What loading would do, without doing it.

`reached` runs a stream in CPython's unpicklers, whose `find_class` never looks
anything up: names become stand-ins that note what is done to them. The pure
functions that evasions use to hide names are the real ones, and the functions
that look names up are imitated, so that a name which is computed is seen too.
Nothing is imported and nothing that a stream names runs.
"""

import _compat_pickle
import base64
import binascii
import bz2
import codecs
import io
import lzma
import operator
import pickle
import zlib

ALIASES = {"posix": "os", "nt": "os", "__builtin__": "builtins", "_operator": "operator", "_functools": "functools",
           "_pickle": "pickle", "cPickle": "pickle", "_codecs": "codecs"}


def canonical(module, name, python2):
    """The name as Python 3 on Linux knows it."""
    if python2:
        if (module, name) in _compat_pickle.NAME_MAPPING:
            module, name = _compat_pickle.NAME_MAPPING[module, name]
        elif module in _compat_pickle.IMPORT_MAPPING:
            module = _compat_pickle.IMPORT_MAPPING[module]
    return f"{ALIASES.get(module, module)}.{name}" if name else ALIASES.get(module, module)


def shown(value, depth=0):
    """A value as it was when a call got it, without its identity."""
    if depth > 3:
        return "..."
    if isinstance(value, Stand):
        return value.dotted
    if isinstance(value, (list, tuple)):
        return "(" + ", ".join(shown(item, depth + 1) for item in value[:16]) + ")"
    if isinstance(value, dict):
        items = list(value.items())[:16]
        return "{" + ", ".join(f"{shown(k, depth + 1)}: {shown(v, depth + 1)}" for k, v in items) + "}"
    if isinstance(value, (bytes, bytearray)):
        return repr(bytes(value[:200]))
    if isinstance(value, (str, int, float, bool, type(None))):
        return repr(value)[:200]
    return type(value).__name__


class Log:
    """What a stream has reached."""

    def __init__(self):
        self.calls = set()
        self.imports = set()

    def covers(self, other):
        """Everything that `other` reached is reached here too."""
        return other.calls <= self.calls and (bool(other.calls) or other.imports <= self.imports)

    def __bool__(self):
        return bool(self.calls or self.imports)


class Stand:
    """What stands for a name, and for what a call returned: it notes what is done to it."""

    def __call__(self, *args, **kwargs):
        result = imitate(self, args)
        if result is not NotImplemented:
            return result
        return note_call(self, args)

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return look_up(self.log, f"{self.dotted}.{name}")

    def __setattr__(self, name, value):
        self.log.calls.add(f"set {self.dotted}.{name}")

    def __setstate__(self, state):
        self.log.calls.add(f"state of {self.dotted}: {shown(state)}")

    def __setitem__(self, key, value):
        self.log.calls.add(f"item of {self.dotted}: {shown(key)}")

    def append(self, value):
        self.log.calls.add(f"append to {self.dotted}")

    def extend(self, values):
        self.log.calls.add(f"extend {self.dotted}")

    def add(self, value):
        self.log.calls.add(f"add to {self.dotted}")


class Name(Stand, type):
    """A name is a class, because NEWOBJ takes nothing else."""

    def __init__(cls, *args):
        pass


class Result(Stand):
    """What a call returned."""

    def __init__(self, log, dotted):
        self.__dict__["log"] = log
        self.__dict__["dotted"] = dotted


def note_call(stand, args):
    given = ", ".join(shown(arg) for arg in args)
    stand.log.calls.add(f"{stand.dotted}({given})")
    return Result(stand.log, f"{stand.dotted}(...)")


def name_of(log, dotted):
    new = staticmethod(lambda cls, *args, **kwargs: note_call(cls, args))
    return Name("Name", (), {"__new__": new, "log": log, "dotted": dotted})


PURE = {
    "builtins.str.join": str.join, "builtins.str.replace": str.replace, "builtins.str.lower": str.lower,
    "builtins.str.upper": str.upper, "builtins.str.swapcase": str.swapcase, "builtins.str.strip": str.strip,
    "builtins.str.__add__": str.__add__, "builtins.str.__getitem__": str.__getitem__, "builtins.slice": slice,
    "builtins.str.__mod__": str.__mod__, "builtins.str.format": str.format, "builtins.str.split": str.split,
    "builtins.str.partition": str.partition, "builtins.str.rpartition": str.rpartition,
    "builtins.str.translate": str.translate, "builtins.str.removeprefix": str.removeprefix,
    "builtins.str.removesuffix": str.removesuffix, "builtins.str.zfill": str.zfill, "builtins.str.title": str.title,
    "builtins.str.capitalize": str.capitalize, "builtins.str.encode": str.encode, "builtins.str.rsplit": str.rsplit,
    "builtins.str.__mul__": str.__mul__, "builtins.str.expandtabs": str.expandtabs, "builtins.str.center": str.center,
    "builtins.str.splitlines": str.splitlines, "builtins.str.format_map": str.format_map, "builtins.min": min,
    "builtins.max": max, "builtins.sum": sum, "builtins.format": format, "builtins.dict": dict,
    "builtins.zip": zip, "builtins.enumerate": enumerate, "builtins.dict.fromkeys": dict.fromkeys,
    "builtins.bytes.decode": bytes.decode, "builtins.bytes": bytes, "builtins.bytearray": bytearray,
    "builtins.bytes.fromhex": bytes.fromhex, "builtins.bytes.join": bytes.join, "builtins.bytes.replace": bytes.replace,
    "builtins.bytes.__add__": bytes.__add__, "builtins.bytes.__getitem__": bytes.__getitem__,
    "builtins.bytes.translate": bytes.translate, "builtins.bytearray.decode": bytearray.decode,
    "builtins.int.to_bytes": int.to_bytes, "builtins.int.from_bytes": int.from_bytes,
    "builtins.chr": chr, "builtins.ord": ord, "builtins.str": str, "builtins.int": int, "builtins.reversed": reversed,
    "builtins.sorted": sorted, "builtins.list": list, "builtins.tuple": tuple, "builtins.iter": iter,
    "builtins.next": next, "builtins.repr": repr, "builtins.ascii": ascii, "builtins.hex": hex,
    "operator.add": operator.add, "operator.concat": operator.concat, "operator.iadd": operator.iadd,
    "operator.mul": operator.mul, "operator.mod": operator.mod, "operator.getitem": operator.getitem,
    "operator.xor": operator.xor, "operator.sub": operator.sub,
    "codecs.decode": codecs.decode, "codecs.encode": codecs.encode, "base64.b64decode": base64.b64decode,
    "base64.b32decode": base64.b32decode, "base64.b85decode": base64.b85decode, "base64.a85decode": base64.a85decode,
    "base64.b16decode": base64.b16decode, "binascii.unhexlify": binascii.unhexlify,
    "binascii.a2b_base64": binascii.a2b_base64, "binascii.a2b_hex": binascii.a2b_hex,
    "zlib.decompress": zlib.decompress, "bz2.decompress": bz2.decompress, "lzma.decompress": lzma.decompress,
    "itertools.chain": lambda *parts: [item for part in parts for item in part],
    "urllib.parse.unquote": lambda text: __import__("urllib.parse").parse.unquote(text),
    "html.unescape": lambda text: __import__("html").unescape(text),
    "operator.itemgetter": operator.itemgetter,
}


def look_up(log, dotted):
    log.imports.add(dotted)
    return PURE.get(dotted) or name_of(log, dotted)


def attribute(value, path):
    for part in path.split("."):
        if isinstance(value, Stand):
            if value.dotted == "builtins.str" or value.dotted == "builtins.bytes":
                value = PURE[f"{value.dotted}.{part}"]
            else:
                value = look_up(value.log, f"{ALIASES.get(value.dotted, value.dotted)}.{part}")
        elif value in (str, bytes, int):
            value = PURE[f"builtins.{value.__name__}.{part}"]
        elif isinstance(value, (str, bytes)) and not part.startswith("__"):
            value = getattr(value, part)
        else:
            raise AttributeError(part)
    return value


def imitate(stand, args):
    """What the call gives, for functions that look names up or call what they are handed."""
    log, name = stand.log, stand.dotted
    try:
        if name in ("builtins.getattr", "inspect.getattr_static"):
            return attribute(args[0], args[1])
        if name in ("builtins.__import__", "importlib.import_module", "importlib.__import__"):
            return name_of(log, ALIASES.get(args[0], args[0]))
        if name in ("pkgutil.resolve_name", "pydoc.locate"):
            module, _, rest = args[0].replace(":", ".").rpartition(".")
            return look_up(log, f"{ALIASES.get(module, module)}.{rest}")
        if name == "operator.attrgetter":
            return lambda value: attribute(value, args[0])
        if name == "operator.methodcaller":
            return lambda value: attribute(value, args[0])(*args[1:])
        if name in ("functools.partial", "functools.lru_cache", "functools.cache", "builtins.staticmethod"):
            return (lambda *more: args[0](*args[1:], *more)) if name == "functools.partial" else args[0]
        if name in ("operator.call", "builtins.apply"):
            return args[0](*args[1]) if name == "builtins.apply" else args[0](*args[1:])
        if name in ("builtins.map", "builtins.filter"):
            return [args[0](*items) for items in zip(*args[1:])]
        if name == "itertools.starmap":
            return [args[0](*items) for items in args[1]]
        if name == "functools.reduce":
            total = args[2] if len(args) > 2 else args[1][0]
            for item in args[1] if len(args) > 2 else args[1][1:]:
                total = args[0](total, item)
            return total
        if name in ("pickle.loads", "pickle._loads", "dill.loads", "torch.storage._load_from_bytes"):
            log.calls |= reached(bytes(args[0])).calls
            return Result(log, f"{name}(...)")
    except (IndexError, KeyError, TypeError, AttributeError, ValueError):
        return NotImplemented
    return NotImplemented


def reached(stream, again=False):
    """What loading `stream` gets to before it ends or fails, with either of CPython's unpicklers."""
    best = Log()
    for base in (pickle.Unpickler, pickle._Unpickler):
        log = Log()

        class Recording(base):
            def find_class(self, module, name):
                python2 = getattr(self, "proto", 2) < 3
                return look_up(log, canonical(module, name, python2))

            def persistent_load(self, identity):
                return Result(log, f"persistent {shown(identity)}")

        source = io.BytesIO(stream)
        try:
            # One unpickler, as programs that load several times have it, is not imitated: each stream is its own.
            while True:
                Recording(source).load()
                if not again or source.tell() >= len(stream):
                    break
        except RecursionError:
            pass
        except Exception:  # noqa: BLE001 - loaders fail in every way there is
            pass
        if not best or log.covers(best):
            best = log
    return best
