"""Values of the standard library in pickles: records, exceptions, iterators, and pickles held as data."""

import base64
import bz2

from .deflate import gzip_member, xz_stream, zlib_stream
from .joblibs import lzma_alone
from .objects import array, ordered_dict
from .opcodes import Global, NewObj, Reduce, asm, call, dumps, named
from .registry import CLEAN, COMMAND, MALICIOUS, SUSPICIOUS

SYSTEM = named("os.system")
EVIL = dumps(call("os.system", COMMAND), 4)
WHAT = f"os.system({COMMAND!r})"
GETATTR = named("builtins.getattr")


def add_samples(corpus):
    def add(name, verdict, value, what, why, protocol=4):
        data = value if isinstance(value, bytes) else dumps(value, protocol)
        corpus.add(f"pickle/{name}.pkl", verdict, data, what, why)

    records(add)
    look_alikes(add)
    iterators(add)
    held(add)
    held_honest(add)


def records(add):
    """As Python pickles them."""
    why = "making one stores what it is given"
    int_, list_ = named("builtins.int"), named("builtins.list")
    for name, value, what in [
        ("machine", [call("os.stat_result", (33188, 1, 2, 1, 0, 0, 5, 1, 1, 1), {"st_blksize": 4096}), call("os.terminal_size", (80, 24), {}),
                     Reduce(Global("posix", "uname_result"), (("Linux", "vm", "6.1", "#1", "x86_64"), {})),
                     NewObj(named("platform.uname_result"), ("Linux", "vm", "6.1", "#1", "x86_64"))], "a stat result, a terminal size and two unames"),
        ("outcomes", [NewObj(named("subprocess.CompletedProcess"), (), {"args": ["true"], "returncode": 0, "stdout": None, "stderr": None}),
                      Reduce(named("subprocess.CalledProcessError"), (1, ["false"]), {"returncode": 1, "cmd": ["false"], "output": None, "stderr": None})],
         "a CompletedProcess and a CalledProcessError"),
        ("exceptions", [Reduce(named("urllib.error.URLError"), ("timed out",), {"reason": "timed out"}), call("_queue.Empty"), call("json.decoder.JSONDecodeError", "x", "{", 1),
                        call("asyncio.exceptions.CancelledError"), call("sqlite3.OperationalError", "locked"), call("importlib.metadata.PackageNotFoundError", "x"),
                        Reduce(Global("imaplib", "IMAP4.error"), ("x",)), call("socket.gaierror", -2, "x")], "exceptions of clients, parsers and queues"),
        ("urls", [NewObj(named("urllib.parse.ParseResult"), ("https", "example.invalid", "/a", "", "b=c", "")),
                  NewObj(named("http.cookies.SimpleCookie"), (), pairs=(("a", NewObj(named("http.cookies.Morsel"), (), {"key": "a", "value": "b", "coded_value": "b"})),))],
         "a parsed URL and a cookie"),
        ("documents", [NewObj(named("xml.etree.ElementTree.Element"), (), {"tag": "a", "_children": [], "attrib": {"b": "c"}, "text": "x", "tail": None}),
                       call("plistlib.UID", 1), NewObj(named("ast.Module"), (), {"body": [], "type_ignores": []})], "an XML element, a UID and a syntax tree"),
        ("members", [NewObj(named("zipfile.ZipInfo"), (), (None, {"filename": "a", "file_size": 0})), NewObj(named("tarfile.TarInfo"), (), (None, {"name": "a", "size": 0}))],
         "a ZipInfo and a TarInfo"),
        ("hints", [call("types.GenericAlias", list_, (int_,)), call("types.GenericAlias", named("builtins.dict"), (named("builtins.str"), int_))], "list[int] and dict[str, int]"),
        ("logs", [NewObj(named("logging.LogRecord"), (), {"name": "train", "levelno": 20, "msg": "epoch %d", "args": (1,)}),
                  NewObj(named("traceback.FrameSummary"), (), (None, {"filename": "train.py", "lineno": 1, "name": "main", "_line": "", "locals": None}))],
         "a log record and a frame of a traceback"),
        ("settings", [NewObj(named("optparse.Values"), (), {"lr": 0.1}), call("functools.partial", named("operator.mul"), 2), named("posixpath.join"),
                      named("os.cpu_count"), NewObj(named("statistics.NormalDist"), (), (None, {"_mu": 0.0, "_sigma": 1.0}))], "options, a partial, functions of os and a distribution"),
    ]:
        add(f"value-{name}", CLEAN, value, what, why)


def look_alikes(add):
    path = named("pathlib.Path")
    for name, value, what, why in [
        ("alias-called", Reduce(call("types.GenericAlias", SYSTEM, (named("builtins.int"),)), (COMMAND,)), f"types.GenericAlias(os.system, int) called: {WHAT}", "a hint calls what it is about"),
        ("alias-attribute", Reduce(Reduce(GETATTR, (call("types.GenericAlias", path, (named("builtins.int"),)), "touch")), (call("pathlib.PosixPath", "x"),)),
         "the touch of types.GenericAlias(Path, int)", "a hint has the attributes of what it is about"),
        ("values-read-file", Reduce(Global("optparse", "Values.read_file"), (call("optparse.Values"), "options.py")), "optparse.Values.read_file", "it runs the file that it is told of"),
        ("values-read-module", Reduce(Global("optparse", "Values.read_module"), (call("optparse.Values"), "antigravity")), "optparse.Values.read_module", "it imports the module that it is told of"),
        ("zipinfo-from-file", Reduce(Global("zipfile", "ZipInfo.from_file"), ("/etc/hostname",)), "zipfile.ZipInfo.from_file", "it looks at the file that it is told of"),
        ("frame-summary-called", call("traceback.FrameSummary", "/etc/hostname", 1, "x"), "traceback.FrameSummary of a file", "its constructor reads the line from that file"),
        ("header-of-path", call("email.headerregistry._reconstruct_header", "Header", (path,), "x"), "a header whose class is made of a path's", "its bases may be any classes"),
        ("http-error", call("urllib.error.HTTPError", "x", 404, "x", None, call("builtins.open", "x", "w")), "an HTTPError around an open file", "it wraps and closes a file"),
    ]:
        add(f"hidden-{name}", MALICIOUS, value, what, why)


def iterators(add):
    items = call("builtins.iter", [1, 2])
    add("value-iterators", CLEAN, [
        Reduce(named("builtins.iter"), ([1, 2],), 1), call("builtins.iter", call("builtins.range", 3)), call("builtins.iter", ["key"]), call("builtins.iter", ()),
        call("builtins.enumerate", items, 1), call("builtins.zip", items, call("builtins.iter", "ab")), Reduce(named("builtins.reversed"), ([1, 2],), 1),
        call("builtins.map", named("builtins.str"), items), call("builtins.filter", None, items), call("builtins.sorted", [2, 1]),
        call("itertools.accumulate", [1, 2], None), call("itertools.accumulate", items),
        Reduce(named("itertools.chain"), (), (call("builtins.iter", ([1], [2])),)), Reduce(named("itertools.cycle"), (items,), ([], 0)),
    ], "iterators as Python pickles them", "a call of iter, enumerate, zip, map or filter over plain values")
    why = "what goes through an iterator, or is called for each item, counts as called"
    own = NewObj(named("weighin_example.data.Stream"), (), {"source": "x"})
    for name, value, what in [
        ("iter-own-class", call("builtins.list", call("builtins.iter", own)), "list(iter(...)) of an object of an unknown class"),
        ("map-own-function", call("builtins.list", call("builtins.map", named("weighin_example.tools.prepare"), [1])), "list(map(...)) of an unknown function"),
        ("map-appended", asm("PROTO 2", "EMPTY_LIST", "BINPUT 0", "POP", "GLOBAL builtins list", "GLOBAL builtins map", "GLOBAL weighin_example.tools prepare",
                             "BINGET 0", "TUPLE2", "REDUCE", "BINGET 0", "BINUNICODE x", "APPEND", "POP", "TUPLE1", "REDUCE", "STOP"),
         "a map of an unknown function over a list that is filled later"),
        ("map-newobj", NewObj(named("builtins.list"), (NewObj(named("builtins.map"), (named("weighin_example.tools.prepare"), [1])),)), "list and map of an unknown function by NEWOBJ"),
        ("reversed-text", Reduce(Reduce(GETATTR, ("", "join")), (call("builtins.reversed", "metsys"),)), "''.join(reversed('metsys'))"),
    ]:
        add(f"hidden-{name}", SUSPICIOUS, value, what, why)
    why = "a key that leads out of whatever object the getter meets is no key of a data set"
    for name, value, what in [
        ("getter-command", call("operator.methodcaller", "system", COMMAND), "methodcaller('system', ...), which nothing calls"),
        ("getter-walk", call("operator.attrgetter", "__class__.__subclasses__"), "attrgetter('__class__.__subclasses__')"),
        ("getter-module", call("operator.attrgetter", "os.system"), "attrgetter('os.system')"),
        ("getter-builtins", call("operator.itemgetter", "__builtins__"), "itemgetter('__builtins__')"),
    ]:
        add(f"hidden-{name}", MALICIOUS, value, what, why)
    add("hidden-zip-of-map", MALICIOUS, call("builtins.dict", call("builtins.zip", call("builtins.map", SYSTEM, [COMMAND]), call("builtins.iter", ["a"]))), f"dict(zip(map(os.system, ...), iter(...)))", why)


def held(add):
    why = "whoever unpacks the value loads it next; it is told of, one degree milder"
    old = asm("GLOBAL posix system", "MARK", f"STRING '{COMMAND}'", "TUPLE", "REDUCE", "STOP")
    digits = base64.b64encode(EVIL).decode()
    for name, value, what, protocol in [
        ("bytes", EVIL, "bytes", 4), ("bytes-p2", EVIL, "bytes, protocol 2", 2), ("bytearray", bytearray(EVIL), "a bytearray", 5), ("old", old, "a protocol-0 pickle as bytes", 4),
        ("old-text", old.decode(), "a protocol-0 pickle as text", 4), ("base64", digits, "base64", 4), ("base64-bytes", digits.encode(), "base64 in bytes", 4),
        ("base64-p0", digits, "base64, protocol 0", 0), ("urlsafe", base64.urlsafe_b64encode(EVIL).decode(), "URL-safe base64", 4), ("hex", EVIL.hex(), "hexadecimal digits", 4),
        ("escapes", "".join(f"\\x{byte:02x}" for byte in EVIL), "escapes", 4), ("twice", base64.b64encode(digits.encode()).decode(), "base64 of base64", 4),
        ("zlib", zlib_stream(EVIL), "a zlib stream", 4), ("gzip-base64", base64.b64encode(gzip_member(EVIL)).decode(), "base64 of a gzip stream", 4),
        ("two-deep", dumps({"stage": EVIL}, 4), "a pickle in a pickle", 4), ("two-deep-base64", base64.b64encode(dumps({"stage": digits}, 4)).decode(), "base64 in a pickle in base64", 4),
        ("base32", base64.b32encode(EVIL).decode(), "base32", 4), ("base32-small", base64.b32encode(EVIL).lower(), "base32 in small letters, as bytes", 4),
        ("base85", base64.b85encode(EVIL).decode(), "base85", 4), ("base85-old", base64.b85encode(old), "base85 of protocol 0, as bytes", 4),
        ("ascii85", base64.a85encode(EVIL).decode(), "Ascii85", 4), ("ascii85-adobe", base64.a85encode(EVIL, adobe=True, wrapcol=40), "Ascii85 with Adobe's marks, in lines", 4),
        ("bz2", bz2.compress(EVIL), "a bzip2 stream", 4), ("bz2-text", bz2.compress(EVIL).decode("latin-1"), "a bzip2 stream as text", 4),
        ("xz", xz_stream(EVIL), "an xz stream", 4), ("lzma", lzma_alone(EVIL), "an LZMA stream", 4), ("base85-bz2", base64.b85encode(bz2.compress(EVIL)).decode(), "base85 of a bzip2 stream", 4),
        ("base64-lzma", base64.b64encode(lzma_alone(EVIL)).decode(), "base64 of an LZMA stream", 4), ("zlib-bz2", zlib_stream(bz2.compress(EVIL)), "a bzip2 stream in a zlib stream", 4),
        ("base32-base64-zlib", base64.b32encode(base64.b64encode(zlib_stream(EVIL))), "base32 of base64 of a zlib stream", 4), ("zlib-base85", zlib_stream(base64.b85encode(EVIL)), "base85 in a zlib stream", 4),
    ]:
        add(f"held-{name}", MALICIOUS, {"name": "net", "payload": value}, f"{WHAT} held as {what}", why, protocol)
    add("held-and-loaded", MALICIOUS, call("pickle.loads", EVIL), f"{WHAT} in bytes that the stream loads", "what is loaded is judged in full")
    add("held-after-fault", MALICIOUS, asm("PROTO 4", ("BINBYTES", EVIL), "REDUCE"), f"{WHAT} held as bytes in a stream that breaks off", "what was read until then is looked at")


def held_honest(add):
    why = "stores of tasks, results and rows are made so"
    tree = dumps(ordered_dict([("weight", array([0.5, 0.25], "f4"))]), 5)
    task = dumps(call("weighin_example.tools.prepare", 1), 4)
    for name, value, what in [
        ("arrays", [tree, tree], "pickled arrays"), ("task", {"function": task, "args": dumps((1, 2), 4)}, "a call of an own function"),
        ("packed", {"a": zlib_stream(tree), "b": base64.b64encode(tree).decode()}, "pickled arrays, packed and in base64"),
        ("encoded", {"a": base64.b85encode(tree).decode(), "b": base64.b32encode(tree), "c": bz2.compress(tree), "d": base64.a85encode(zlib_stream(tree)).decode()}, "pickled arrays in base85, base32, bzip2 and Ascii85"),
        ("digests", ["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "MZXW6YTBOJTGS3DFNZXW6YTBOJTGS3DF", "Vaccinations_against_measles", "c29tZXRoaW5nIHRoYXQgaXMgbm8gcGlja2xl", "fLYhSrcXtL<{IQ9^~!abcd<>#p" * 3], "digests, tokens and names"),
        ("rows", [dumps({"row": at, "name": f"row-{at}"}, 4) for at in range(50)], "fifty rows of plain values"),
    ]:
        add(f"held-honest-{name}", CLEAN, value, f"{what}, held as data", why)
    starts = [bytes([0x80, 4, 0x95]) + bytes(8) + bytes(range(64)), b"\x80\x02}q\0(" * 20, b"x\x9c" + bytes(range(100)), b"cat\nmat\n" * 8, b"(ab" * 40]
    add("held-starts", CLEAN, {"bytes": starts, "text": ["gASVaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "encoder_layer_0_attention_weights", "8004950000000000000000000000000000", "cats\nand dogs\nare not pickles at all"]},
        "constants that begin like pickles", "what does not fit its opcodes is none")
