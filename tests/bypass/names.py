#!/usr/bin/env python3
"""Call every name of a list in every way that a pickle can, and see what weighin says.

    python3 tests/bypass/names.py WEIGHIN --dangerous TSV [--harmless TSV ...] [--verbose]

A list has a header and columns `module` and `name` (`*` for all of a module).
Names that are dangerous are called by each opcode that calls, and through
functions that call what they are handed; every such file must be malicious.
Names that are harmless are used the way picklers use them; no such file may get
a finding above low. Rows tagged `conditional` are harmless only with the right
arguments, and are left out. Exit code: 0 as it should be, 1 not, 2 wrong usage.
Python 3.10 or later, standard library only. Nothing is ever loaded.
"""

import argparse
import collections
import csv
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True

from bypass import Seed, Variant, scan  # noqa: E402
from hide import call, listed  # noqa: E402
from stream import Op, encode, name, text  # noqa: E402

ARGUMENT = "echo weighin"


def stream(*parts, protocol=4):
    out = [Op("PROTO", protocol)]
    for part in parts:
        out += part if isinstance(part, list) else [part]
    return encode(out + [Op("STOP")])


def ways(module, attribute):
    """Every way of calling, by its name."""
    this, argument = name(module, attribute), text(ARGUMENT)
    lines = (module.encode(), attribute.encode())
    return {
        "reduce": stream(call(this, argument)),
        "reduce-none": stream(call(this)),
        "reduce-popped": stream(call(this, argument), Op("POP"), Op("EMPTY_DICT")),
        "inst": stream(Op("MARK"), argument, Op("INST", lines), protocol=2),
        "obj": stream(Op("MARK"), this, argument, Op("OBJ")),
        "newobj": stream(this, argument, Op("TUPLE1"), Op("NEWOBJ")),
        "newobj-ex": stream(this, argument, Op("TUPLE1"), Op("EMPTY_DICT"), Op("NEWOBJ_EX")),
        "map": stream(call("builtins.list", call("builtins.map", this, [argument, Op("TUPLE1")]))),
        "partial": stream(call(call("functools.partial", this, argument))),
        "callback": stream(call("weakref.finalize", [Op("EMPTY_SET")], this, argument)),
        "getattr": stream(call(call("builtins.getattr", call("importlib.import_module", text(module)), text(attribute)), argument)),
        "starmap": stream(call("collections.deque", call("itertools.starmap", this, listed([[argument, Op("TUPLE1")]])))),
    }


def honest_ways(module, attribute):
    """How picklers use a class or function."""
    this = name(module, attribute)
    lines = (module.encode(), attribute.encode())
    found = {
        "stored": stream(this),
        "stored-2": stream(Op("GLOBAL", lines), protocol=2),
    }
    if attribute[:1].isupper():
        state = [Op("EMPTY_DICT"), text("alpha"), Op("BINFLOAT", 0.5), Op("SETITEM"), Op("BUILD")]
        found["newobj"] = stream(this, Op("EMPTY_TUPLE"), Op("NEWOBJ"), state)
        found["reconstructor"] = stream(
            Op("GLOBAL", (b"copy_reg", b"_reconstructor")), Op("GLOBAL", lines), Op("GLOBAL", (b"__builtin__", b"object")),
            Op("NONE"), Op("TUPLE3"), Op("REDUCE"), state, protocol=0)
    return found


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if "conditional" in (row.get("source") or ""):
                continue
            yield row["module"], row["name"] if row["name"] != "*" else "anything", row


def main():
    parser = argparse.ArgumentParser(description="Call every name of a list in every way that a pickle can.")
    parser.add_argument("weighin", type=pathlib.Path)
    parser.add_argument("--dangerous", type=pathlib.Path, action="append", default=[])
    parser.add_argument("--harmless", type=pathlib.Path, action="append", default=[])
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    wrong = 0
    for paths, make, is_right in (
        (options.dangerous, ways, lambda variant: variant.verdict == "malicious"),
        (options.harmless, honest_ways, lambda variant: all(finding.endswith(" low") for finding in variant.findings)),
    ):
        for path in paths:
            wrong += check(options, path, make, is_right)
    return 1 if wrong else 0


def check(options, path, make, is_right):
    variants = []
    for module, attribute, row in rows(path):
        if not module or not attribute:
            continue
        seed = Seed(f"{module}.{attribute}", "m.pkl", b"")
        for way, data in make(module, attribute).items():
            variants.append(Variant(seed, "m.pkl", data, [way, row.get("class") or ""]))
    for start in range(0, len(variants), 2_000):
        with tempfile.TemporaryDirectory() as folder:
            scan(options.weighin, variants[start:start + 2_000], pathlib.Path(folder))
    bad = collections.defaultdict(list)
    by_way = collections.Counter(variant.evasions[0] for variant in variants)
    wrong_by_way = collections.Counter()
    for variant in variants:
        if not is_right(variant):
            wrong_by_way[variant.evasions[0]] += 1
            bad[variant.seed.path, variant.evasions[1]].append(f"{variant.evasions[0]}: {variant.verdict} {sorted(set(variant.findings))}")
    print(f"{path}: {len(variants)} files")
    for way, count in by_way.items():
        print(f"  {way:<16} {count:>6}, {wrong_by_way[way]} wrong")
    for (dotted, kind), reasons in sorted(bad.items()):
        print(f"  {dotted} ({kind}): " + ("; ".join(reasons) if options.verbose else f"{len(reasons)} ways, {reasons[0]}"))
    return len(bad)


if __name__ == "__main__":
    sys.exit(main())
