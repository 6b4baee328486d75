#!/usr/bin/env python3
"""Try to get malicious samples past weighin, and honest ones into trouble.

    python3 tests/bypass/bypass.py WEIGHIN [--count N] [--seed N] [--cases FOLDER] [--keep FOLDER]
                                   [--honest] [--only EVASION]

Every variant starts from a malicious sample of corpus/ (and of a folder of
labelled cases) and has one to five evasions applied: other opcodes, computed
names, containers, damaged headers, broken tails, other names. An oracle says
whether CPython, or a tolerant reader of the container, would still get to what
the sample does (`oracle.py`); each that does must still be malicious. With
--honest, honest samples are re-encoded and wrapped instead, and none may get a
finding above low.

Prints a table: evasion, variants that use it, how many are still live, how many
of these are seen. Survivors are listed, and kept with --keep. The same seed
gives the same variants. Exit code: 0 no survivor, 1 survivors, 2 wrong usage.
Python 3.10 or later, standard library only. Nothing is ever really loaded.
"""

import argparse
import collections
import json
import pathlib
import random
import resource
import subprocess
import sys
import tempfile
import tomllib
import zipfile
import io
from dataclasses import dataclass, field

sys.dont_write_bytecode = True

import documents  # noqa: E402
import hide  # noqa: E402
import oracle  # noqa: E402
import reencode  # noqa: E402
import tail  # noqa: E402
import wrap  # noqa: E402
from stream import analyse, decode, encode, explicit  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BATCH = 200
# What no honest writer does to a document.
DISHONEST = ("json-twice", "json-encoded", "yaml-marked", "yaml-tagged", "protobuf-split-messages")
# Too large or too slow to run even with stand-ins.
HEAVY = ("laughs", "huge-memo", "deep", "two-gigabytes")
CALLS = ("REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD", "SETITEM", "SETITEMS", "APPEND", "APPENDS", "GLOBAL", "STACK_GLOBAL")


@dataclass
class Seed:
    """A sample that variants are made of."""

    path: str
    name: str
    data: bytes
    # For pickles that can be taken apart: opcodes, what loading them gets to, and what follows them.
    ops: list = None
    reached: object = None
    rest: bytes = b""


@dataclass
class Variant:
    """One attempt."""

    seed: Seed
    name: str
    data: bytes
    evasions: list = field(default_factory=list)
    live: bool = True
    verdict: str = ""
    findings: list = field(default_factory=list)


def seeds(wanted, cases):
    """Every sample with a wanted verdict that is one file."""
    manifest = tomllib.loads((ROOT / "corpus/manifest.toml").read_text(encoding="utf-8"))["sample"]
    paths = [(sample["path"], ROOT / "corpus" / sample["path"]) for sample in manifest if sample["verdict"] == wanted]
    if cases and (cases / "manifest.jsonl").exists():
        label = {"malicious": "malicious", "clean": "benign"}[wanted]
        for line in (cases / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            if case["label"] == label:
                paths.append((case["path"], cases / case["path"]))
    found = []
    for path, file in paths:
        if not file.is_file() or any(word in path for word in HEAVY):
            continue
        found.append(seed_of(path, file.name, file.read_bytes()))
    return found


def seed_of(path, name, data):
    seed = Seed(path, name, data)
    decoded = decode(data)
    # joblib's arrays stand between the opcodes: such a stream is none of opcodes alone.
    # A table that is a pickle by chance is none any more when it is written otherwise.
    if decoded is None or b"NumpyArrayWrapper" in data or name.endswith(".csv"):
        return seed
    ops, end = decoded
    ops = explicit(ops)
    if ops is None or not analyse(ops):
        return seed
    reached = oracle.reached(encode(ops))
    if reached and reached.covers(oracle.reached(data)):
        seed.ops, seed.reached, seed.rest = ops, reached, data[end:]
    return seed


def pickle_variant(seed, rng, honest):
    """The opcodes of a seed with some evasions, and the bytes of the stream."""
    ops, applied = seed.ops, []
    if honest:
        pool = [(name, reencode.EVASIONS[name]) for name in reencode.HONEST]
    else:
        pool = list(reencode.EVASIONS.items())
        # Half of the variants compute names or hide calls, one at the most.
        if rng.random() < 0.5:
            name, evade = rng.choice(list(hide.EVASIONS.items()))
            changed = evade(ops, rng)
            if changed is not None:
                ops, applied = explicit(changed) or changed, [name]
    for name, evade in rng.sample(pool, rng.randrange(0 if applied else 1, 4)):
        changed = evade(ops, rng)
        if changed is not None:
            analyse(changed)
            ops = changed
            applied.append(name)
            if name in ("memo-indexes", "memoized"):
                break  # its indexes are not explicit any more
    return ops, applied


def tail_variant(stream, ops, rng, honest):
    pool = {name: tail.EVASIONS[name] for name in tail.HONEST} if honest else tail.EVASIONS
    name, evade = rng.choice(list(pool.items()))
    last = max((index for index, op in enumerate(ops) if op.name in CALLS), default=len(ops) - 1)
    return name, evade(stream, rng, len(encode(ops[:last + 1])))


def variant_of(seed, rng, honest):
    variant = Variant(seed, seed.name, seed.data)
    pickled = seed.ops is not None
    if pickled and rng.random() < 0.85:
        ops, variant.evasions = pickle_variant(seed, rng, honest)
        stream = encode(ops)
        variant.live = oracle.reached(stream).covers(seed.reached)
        if rng.random() < 0.3 and variant.live:
            name, changed = tail_variant(stream, ops, rng, honest)
            variant.evasions.append(name)
            variant.live = name in tail.SEEKING or oracle.reached(changed).covers(seed.reached)
            stream = changed
        variant.data = stream + (seed.rest if not honest else b"")
    elif documents.for_name(seed.name, seed.data):
        pool = documents.for_name(seed.name, seed.data)
        if honest:
            pool = {name: evade for name, evade in pool.items() if name not in DISHONEST}
        for name in rng.sample(list(pool), min(len(pool), rng.randrange(1, 3))):
            changed = pool[name](variant.data, rng)
            if changed is not None and changed != variant.data:
                same = not name.startswith("json") or name == "json-padded" or documents.parsed(changed) == documents.parsed(variant.data)
                variant.live = variant.live and same
                variant.data = changed
                variant.evasions.append(name)
    elif not pickled and not seed.path.startswith("zip/") and (changed := inner_pickle(seed, rng, honest)):
        variant.data, names, variant.live = changed
        variant.evasions += names
    contain(variant, rng, honest, pickled)
    return variant


def inner_pickle(seed, rng, honest):
    """A zip with a pickle inside that is re-encoded: bytes, evasions, and whether it is live."""
    if seed.data[:2] != b"PK":
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(seed.data)) as archive:
            members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError, EOFError):
        return None
    if len({name for name, _ in members}) != len(members) or any("\0" in name for name, _ in members):
        return None
    names, live, changed = [], True, False
    for at, (name, data) in enumerate(members):
        inner = seed_of(name, name, data)
        if inner.ops is None or inner.rest:
            continue
        ops, applied = pickle_variant(inner, rng, honest)
        stream = encode(ops)
        live = live and oracle.reached(stream).covers(inner.reached)
        members[at], changed = (name, stream), True
        names += applied
    return (wrap.zipped(members), names + ["inside-zip"], live) if changed else None


def contain(variant, rng, honest, pickled):
    """Containers, damage and another name."""
    beside = needs_its_name(variant.seed.path)
    if beside and variant.evasions:
        return
    wrappers = dict(wrap.WRAPPERS)
    if pickled:
        wrappers |= wrap.FOR_PICKLES
    if honest:
        wrappers = {name: wrappers[name] for name in wrappers if name not in ("torch-other-member",)}
    if not beside and (rng.random() < 0.4 or not variant.evasions):
        name = rng.choice(list(wrappers))
        variant.name, variant.data = wrappers[name](variant.name, variant.data, rng)
        variant.evasions.append(name)
    before = wrap.tolerant(variant.data) if variant.data[:4] == b"PK\3\4" else []
    if not honest and before and not variant.seed.path.startswith("zip/") and rng.random() < 0.5:
        changed, kinds = wrap.damage(variant.data, rng)
        if kinds:
            lost = [content for content in before if content not in wrap.tolerant(changed)]
            variant.live = variant.live and not lost
            variant.data = changed
            variant.evasions += [f"zip-{kind}" for kind in kinds]
    if not honest and not beside and rng.random() < 0.25:
        variant.name, variant.data = wrap.renamed(variant.name, variant.data, rng)
        variant.evasions.append("renamed")


# What is only dangerous under its own name, or beside other files.
NAMED = (".json", ".yaml", ".yml", ".py", ".jinja", ".tmpl", ".txt", ".cfg", ".toml", ".md", ".sh", ".pb", ".onnx", "MLmodel", ".meta",
         ".ipynb", ".xml", ".pmml", ".prototxt", ".ini", ".pdmodel", ".t7")


def needs_its_name(path):
    return path.endswith(NAMED) or path.count("/") > 1 or path.startswith(("name/", "text/", "marshal/", "script/"))


def scan(weighin, variants, folder):
    """Writes the variants and fills in what weighin says of each."""
    for at, variant in enumerate(variants):
        place = folder / f"{at:05d}"
        place.mkdir()
        (place / variant.name.rsplit("/", 1)[-1]).write_bytes(variant.data)
    command = [weighin, "scan", "--no-config", "--format", "json", "--exit-zero", folder]
    run = subprocess.run(command, capture_output=True, preexec_fn=lambda: limit_memory(resource.RLIM_INFINITY))
    if run.returncode != 0:
        sys.exit(f"weighin failed: {run.stderr.decode(errors='replace')}")
    for file in json.loads(run.stdout)["files"]:
        at = int(pathlib.Path(file["path"]).relative_to(folder).parts[0])
        variants[at].verdict = file["verdict"]
        variants[at].findings = [f"{finding['rule']} {finding['severity']}" for finding in file["findings"]]


def limit_memory(most):
    """A bound on this process: some samples make a loader ask for all there is."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def is_right(variant, honest):
    if not honest:
        return variant.verdict == "malicious"
    return all(finding.endswith(" low") for finding in variant.findings)


def main():
    parser = argparse.ArgumentParser(description="Try to get malicious samples past weighin.")
    parser.add_argument("weighin", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=pathlib.Path)
    parser.add_argument("--keep", type=pathlib.Path)
    parser.add_argument("--honest", action="store_true")
    parser.add_argument("--only")
    options = parser.parse_args()
    limit_memory(2 << 30)
    wrap.ODD_NAMES = not options.honest
    found = seeds("clean" if options.honest else "malicious", options.cases)
    rng = random.Random(options.seed)
    table = collections.defaultdict(collections.Counter)
    survivors, total = [], 0
    while total < options.count:
        batch = []
        tries = 0
        while len(batch) < min(BATCH, options.count - total) and tries < 400 * BATCH:
            tries += 1
            seed = rng.choice(found)
            variant = variant_of(seed, random.Random(rng.getrandbits(64)), options.honest)
            if variant.evasions and (not options.only or options.only in variant.evasions):
                batch.append(variant)
        total += len(batch)
        with tempfile.TemporaryDirectory() as folder:
            scan(options.weighin, batch, pathlib.Path(folder))
        for variant in batch:
            right = is_right(variant, options.honest)
            for name in {*variant.evasions, "all together"}:
                table[name].update(variants=1, live=variant.live, seen=variant.live and right)
            if variant.live and not right:
                survivors.append(variant)
            else:
                variant.data = b""
        if not batch:
            break
    report(table, survivors, options)
    return 1 if survivors else 0


def report(table, survivors, options):
    word = "quiet" if options.honest else "seen"
    print(f"{'evasion':<28} {'variants':>8} {'live':>8} {word:>8} {'survivors' if not options.honest else 'alarms':>9}")
    for name in sorted(table, key=lambda name: (name == "all together", name)):
        row = table[name]
        print(f"{name:<28} {row['variants']:>8} {row['live']:>8} {row['seen']:>8} {row['live'] - row['seen']:>9}")
    for at, variant in enumerate(survivors):
        kept = ""
        if options.keep:
            place = options.keep / f"{at:04d}"
            place.mkdir(parents=True, exist_ok=True)
            file = place / variant.name.rsplit("/", 1)[-1]
            file.write_bytes(variant.data)
            kept = f" [{file}]"
        print(f"{variant.verdict}: {variant.seed.path} by {' + '.join(variant.evasions)} {sorted(set(variant.findings))}{kept}")


if __name__ == "__main__":
    sys.exit(main())
