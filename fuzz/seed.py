#!/usr/bin/env python3
"""Fill fuzz/corpus/ with seeds from corpus/ and rules/.

    python3 fuzz/seed.py

Every target gets the samples of at most 16 KiB. Where a target's first byte
chooses a name or a mode, it is the sample's own when the target has it.
"""

import hashlib
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LARGEST = 16 << 10


def names_of(target):
    """The names in a target's NAMES, in order."""
    text = (ROOT / "fuzz/fuzz_targets" / f"{target}.rs").read_text()
    listed = re.search(r"const NAMES.*?\];", text, re.S)
    return re.findall(r'"([^"]+)"', listed.group()) if listed else []


def chosen(names, path):
    """The number of the name that is most like the sample's."""
    same_suffix = [at for at, name in enumerate(names) if Path(name).suffix == path.suffix]
    same_name = [at for at, name in enumerate(names) if name == path.name]
    return (same_name + same_suffix + [0])[0]


def seed(target, samples, first):
    folder = ROOT / "fuzz/corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for path in samples:
        data = first(path) + path.read_bytes()
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    print(f"{target}: {len(samples)} seeds")


def main():
    def below(folder, *patterns):
        paths = {path for pattern in patterns for path in (ROOT / folder).glob(pattern)}
        return sorted(path for path in paths if path.is_file() and path.stat().st_size <= LARGEST)

    samples = [path for path in below("corpus", "*/**/*") if "generator" not in path.parts]
    pickles = below("corpus", "pickle/**/*", "joblib/**/*")
    seed("pickle_decoder", pickles, lambda _: b"")
    seed("pickle_machine", pickles, lambda _: b"\0")
    for target in ("scan_any", "containers", "graphs", "tensors", "texts"):
        names = names_of(target)
        seed(target, samples, lambda path: bytes([chosen(names, path)]))
    seed("rules_loader", below("rules", "**/*.toml", "**/*.yar"), lambda path: b"\0" if path.suffix == ".yar" else b"\1")


main()
