#!/usr/bin/env python3
"""Write the sample corpus: small inert model files, and the manifest that says what each is.

    python3 corpus/generate.py           write every sample and corpus/manifest.toml
    python3 corpus/generate.py --check   write nothing, exit 1 if anything on disk differs

Every run writes the same bytes: nothing here reads a clock or a random source.
Nothing is ever loaded either. The samples name real callables, because that is
what a scanner has to see, but their arguments are harmless (`echo weighin`,
hosts under `.invalid`); still, treat them as what they are and load none.

Python 3.11 or later, standard library only. `generator/` has a module for each
family of formats; `generator/opcodes.py` is the pickle assembler.
"""

import sys

sys.dont_write_bytecode = True  # no __pycache__ beside the samples

import tomllib  # noqa: E402
from pathlib import Path  # noqa: E402

from generator import registry  # noqa: E402

ROOT = Path(__file__).resolve().parent
MAX_SAMPLE = 64 << 10
MAX_TOTAL = 3 << 20


def wanted_files():
    """Every file of the corpus, by its path below this folder."""
    samples = registry.collect()
    for sample in samples:
        if len(sample.data) > MAX_SAMPLE:
            sys.exit(f"{sample.path} has {len(sample.data)} bytes, more than {MAX_SAMPLE}")
    total = sum(len(sample.data) for sample in samples)
    if total > MAX_TOTAL:
        sys.exit(f"the corpus has {total} bytes, more than {MAX_TOTAL}")
    files = {sample.path: sample.data for sample in samples}
    files["manifest.toml"] = registry.manifest(samples).encode("utf-8")
    return samples, files


def files_on_disk():
    """Every file in the folders of samples. The generator and this folder's own files are not among them."""
    found = set()
    for path in ROOT.glob("*/**/*"):
        name = path.relative_to(ROOT).as_posix()
        if not path.is_dir() and not name.startswith("generator/"):
            found.add(name)
    return found


def made_before():
    """The samples of the manifest that is on disk: what an earlier run has made."""
    manifest = ROOT / "manifest.toml"
    if not manifest.is_file():
        return set()
    return {sample["path"] for sample in tomllib.loads(manifest.read_text(encoding="utf-8"))["sample"]}


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        print(__doc__, file=sys.stderr)
        return 2
    samples, files = wanted_files()
    unknown = sorted(files_on_disk() - files.keys())
    changed = [
        name for name, data in sorted(files.items())
        if not (ROOT / name).is_file() or (ROOT / name).read_bytes() != data
    ]
    if check:
        for name in unknown:
            print(f"not made by the generator: {name}")
        for name in changed:
            print(f"differs: {name}")
        return 1 if unknown or changed else 0
    # Only what an earlier run has made is ever removed.
    stale = sorted(made_before() & set(unknown))
    for name in stale:
        (ROOT / name).unlink()
        folder = (ROOT / name).parent
        while folder != ROOT and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent
    for name in changed:
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[name])
    total = sum(len(sample.data) for sample in samples)
    print(f"{len(samples)} samples, {total} bytes; {len(changed)} files written, {len(stale)} removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
