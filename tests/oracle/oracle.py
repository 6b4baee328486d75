#!/usr/bin/env python3
"""Compare weighin with CPython on generated pickles.

    python3 tests/oracle/oracle.py WEIGHIN [COUNT] [SEED]

Every stream is drawn from a seed, so a failure can be repeated. Each is given
to CPython in two harmless ways and to `weighin inspect` in two:

  pickletools.genops             against   inspect --opcodes --format json
      every opcode: name, offset, and argument
  _pickle.Unpickler that records against   inspect --format json
      the names it looks up, the calls it makes with their arguments, and the
      value of the stream, which is the argument of a last call

The unpickler's `find_class` never looks anything up: it hands out classes that
only record. So a stream may name and call anything, and nothing happens.

Not compared: a bytes object with a bytearray of the same content, an empty set
with an empty dictionary, the order of calls, anything that the rendering of
weighin shortens (the streams stay below its bounds; one that does not is
counted, and too many fail the run), objects that hold themselves, strings with
surrogates and 8-bit strings of protocol 0 that are not ASCII, and streams that
CPython refuses. genops refuses some streams that CPython loads (the number
dialects of `strtol`); those are compared by what the unpickler does only.

Exit code: 0 all agree, 1 a difference, 2 wrong usage. Python 3.9 or later,
standard library only.
"""

import copyreg
import io
import json
import os
import pickle
import pickletools
import random
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

from streams import Stream  # noqa: E402
from rendering import Call, Extension, Name, Persistent, Shortened, buffer, parse  # noqa: E402

EXTENSIONS = range(240, 250)


def recorder(names, calls):
    """An unpickler class whose names are stand-ins that note what is done to them."""

    class Recording:
        def __new__(cls, *args, **kwargs):
            made = object.__new__(cls)
            # As it is now: a list among the arguments may grow later.
            made.call = plain(Call(cls.dotted, list(args) + ([kwargs] if kwargs else [])))
            calls.add(made.call)
            return made

        def __init__(self, *args, **kwargs):
            pass

        def __setstate__(self, state):
            pass

    class Recorder(pickle.Unpickler):
        def find_class(self, module, name):
            if module == "extension":
                return Extension(int(name))
            names.add(f"{module}.{name}")
            return type("Recorded", (Recording,), {"dotted": f"{module}.{name}"})

        def persistent_load(self, key):
            return Persistent(key)

    return Recorder


def plain(value):
    """A value in a form that compares by content: what holds nothing by identity."""
    if isinstance(value, type):
        return ("name", value.dotted)
    if isinstance(value, Name):
        return ("name", value.dotted)
    if hasattr(value, "call"):
        return value.call
    if isinstance(value, Call):
        return ("call", value.name, tuple(plain(arg) for arg in value.args))
    if isinstance(value, Persistent):
        return ("persistent", plain(value.key))
    if isinstance(value, Extension):
        return ("extension", value.code)
    if isinstance(value, memoryview) or value is buffer:
        return ("buffer",)
    if isinstance(value, (bytes, bytearray)):
        return ("bytes", bytes(value))
    if isinstance(value, float):
        return ("float", struct.pack(">d", value))
    if isinstance(value, bool) or value is None:
        return ("constant", value)
    if isinstance(value, (int, str)):
        return (type(value).__name__, value)
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, tuple(plain(item) for item in value))
    if isinstance(value, dict):
        pairs = {plain(key): plain(item) for key, item in value.items()}
        return ("empty",) if not pairs else ("dict", frozenset(pairs.items()))
    if isinstance(value, set):
        return ("empty",) if not value else ("set", frozenset(plain(item) for item in value))
    if isinstance(value, frozenset):
        return ("frozenset", frozenset(plain(item) for item in value))
    raise TypeError(f"a value of {type(value)}")


def as_cpython(data):
    """What CPython does with a stream: names, calls."""
    names, calls = set(), set()
    recorded = recorder(names, calls)
    buffers = (memoryview(b"buffer") for _ in iter(int, 1))
    recorded(io.BytesIO(data), buffers=buffers).load()
    return names, calls


def weighin(binary, path, *flags):
    done = subprocess.run([binary, "inspect", "--format", "json", *flags, path], capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"weighin inspect {flags} ended with {done.returncode}: {done.stderr.decode()}")
    return done.stdout.decode("utf-8")


def difference_in_opcodes(data, listing):
    """The first opcode that differs from pickletools.genops; None when genops refuses the stream."""
    try:
        wanted = [(op.name, arg, at) for op, arg, at in pickletools.genops(data)]
    except ValueError:
        return None
    rows = [json.loads(line) for line in listing.splitlines()]
    if len(rows) != len(wanted):
        return f"{len(rows)} opcodes instead of {len(wanted)}; the last is {rows[-1]}"
    for row, (name, arg, at) in zip(rows, wanted):
        if (row.get("opcode"), row["offset"]) != (name, at):
            return f"{row} instead of {name} at {at}"
        if not same_argument(name, arg, row["argument"]):
            return f"{row} instead of the argument {arg!r}"
    return ""


def same_argument(name, wanted, shown):
    if wanted is None:
        return shown == ""
    if name in ("STRING", "UNICODE"):  # weighin shows the line, genops the string
        return True
    if isinstance(wanted, bool):
        return shown in ("00", "01") and (shown == "01") == wanted
    if isinstance(wanted, int):
        return int(shown.rstrip("L"), 16 if "0x" in shown else 10) == wanted
    if isinstance(wanted, float):
        return struct.pack(">d", float(shown)) == struct.pack(">d", wanted)
    if isinstance(wanted, (bytes, bytearray)):
        wanted = bytes(wanted).decode("utf-8", "replace")
    return "…" in shown or shown == wanted


def difference_in_meaning(data, facts):
    """What weighin's facts lack or have more than CPython does."""
    names, calls = as_cpython(data)
    if facts["gaps"]:
        return f"gaps {facts['gaps']}"
    if "pickle" not in facts["formats"]:
        return f"read as {facts['formats']}"
    evidence = facts["evidence"]
    seen = {fact["value"] for fact in evidence if fact["kind"] == "pickle.import"}
    if seen != names:
        return f"imports: only CPython {sorted(names - seen)}, only weighin {sorted(seen - names)}"
    told = {plain(parse(fact["attributes"]["call"])) for fact in evidence if fact["kind"] == "pickle.call"}
    if told != calls:
        return f"calls: only CPython {calls - told}, only weighin {told - calls}"
    return ""


def main(arguments):
    if not 1 <= len(arguments) <= 3:
        print(__doc__, file=sys.stderr)
        return 2
    binary = arguments[0]
    count = int(arguments[1]) if len(arguments) > 1 else 400
    seed = int(arguments[2]) if len(arguments) > 2 else 1
    for code in EXTENSIONS:
        copyreg.add_extension("extension", str(code), code)
    opcodes, dialects, shortened, used = 0, 0, 0, set()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.pkl")
        for number in range(seed, seed + count):
            stream = Stream(random.Random(number))
            data = stream.assemble()
            used |= stream.used
            with open(path, "wb") as file:
                file.write(data)
            difference = difference_in_opcodes(data, weighin(binary, path, "--opcodes"))
            opcodes += difference is not None
            dialects += difference is None
            try:
                difference = difference or difference_in_meaning(data, json.loads(weighin(binary, path)))
            except Shortened:
                shortened += 1
            if difference:
                print(f"stream {number}: {difference}\n{data!r}")
                return 1
    missing = {op.name for op in pickletools.opcodes} - used
    if missing and count >= 400:
        print(f"never drawn: {sorted(missing)}")
        return 1
    if shortened * 10 > count:
        print(f"{shortened} of {count} streams are too large to compare")
        return 1
    print(
        f"{count} streams agree with CPython {sys.version.split()[0]}: {opcodes} opcode by opcode, "
        f"{dialects} that genops refuses by meaning only; {shortened} too large to compare their arguments"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
