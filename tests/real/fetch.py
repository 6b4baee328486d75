#!/usr/bin/env python3
"""Download and unpack the wheels of wheels.toml, without importing anything.

    python3 tests/real/fetch.py DIRECTORY

Each wheel becomes DIRECTORY/NAME-VERSION/. The download goes through pip with
hashes required, the wheel's SHA-256 is checked once more here, and members are
written one by one after their names have been checked. A folder that is
already there is verified against the wheel's own RECORD and then left alone.

Exit code: 0 everything is there and verified, 1 a hash differs, a download
fails or a wheel is not safe to unpack, 2 wrong usage. Needs Python 3.11 (for
tomllib) with pip.
"""

import base64
import csv
import hashlib
import io
import shutil
import stat
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

LIST = Path(__file__).with_name("wheels.toml")
DOWNLOAD_SECONDS = 900
MAX_UNPACKED = 1 << 30  # bytes of one wheel; the largest here unpacks to under 100 MB
CHUNK = 1 << 20


class Problem(Exception):
    """Something about one wheel that must not pass silently."""


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest


def download(wheel, folder):
    """Let pip fetch exactly this wheel, and return its path once the hash is right."""
    # The compatibility tags come from the file name, so that the same file is
    # fetched whatever machine this runs on.
    python, abi, platform = wheel["file"].removesuffix(".whl").split("-")[-3:]
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wheel['name']}=={wheel['version']} --hash=sha256:{wheel['sha256']}\n")
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--only-binary", ":all:", "--require-hashes",
        "--dest", str(folder), "--requirement", str(requirements),
    ]
    if platform != "any":
        command += ["--implementation", python[:2], "--python-version", python[2:], "--abi", abi]
        for tag in platform.split("."):
            command += ["--platform", tag]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS)
    except subprocess.TimeoutExpired:
        raise Problem(f"pip did not finish in {DOWNLOAD_SECONDS} s") from None
    if done.returncode != 0:
        raise Problem("pip download failed: " + (done.stderr or done.stdout).strip())
    path = folder / wheel["file"]
    if not path.is_file():
        raise Problem(f"pip fetched another file than {wheel['file']}")
    got = sha256(path).hexdigest()
    if got != wheel["sha256"]:
        raise Problem(f"{wheel['file']} has sha256 {got}, expected {wheel['sha256']}")
    return path


def safe_target(root, info):
    """Where a member goes, or a Problem if its name or kind is not harmless."""
    name = info.filename
    parts = PurePosixPath(name).parts
    if name.startswith("/") or "\\" in name or ":" in name or "\0" in name or ".." in parts or not parts:
        raise Problem(f"member name {name!r} is not safe")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Problem(f"member {name!r} is neither file nor folder")
    return root.joinpath(*parts)


def unpack(path, target):
    """Write every member of the wheel below `target`, which must not exist."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if sum(info.file_size for info in members) > MAX_UNPACKED:
            raise Problem(f"{path.name} unpacks to more than {MAX_UNPACKED} bytes")
        targets = [(info, safe_target(target, info)) for info in members]
        target.mkdir(parents=True)
        for info, place in targets:
            if info.is_dir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            # "x": two members of one name are an error, not an overwrite.
            with archive.open(info) as source, open(place, "xb") as file:
                shutil.copyfileobj(source, file, CHUNK)


def verify(wheel, target):
    """Compare the unpacked tree with the wheel's RECORD; the number of files, or a Problem."""
    records = list(target.glob("*.dist-info/RECORD"))
    if len(records) != 1:
        raise Problem(f"{target} has {len(records)} RECORD files, expected 1")
    text = records[0].read_bytes()
    if hashlib.sha256(text).hexdigest() != wheel["record_sha256"]:
        raise Problem(f"{records[0]} is not the one that was listed")
    left = {place.relative_to(target).as_posix() for place in target.rglob("*") if not place.is_dir()}
    for name, wanted, _size in csv.reader(io.StringIO(text.decode("utf-8"))):
        if name not in left:
            raise Problem(f"{target / name} is missing")
        left.discard(name)
        if not wanted:  # RECORD cannot hold its own hash
            continue
        place = target / name
        if place.is_symlink():
            raise Problem(f"{place} is a symlink")
        got = base64.urlsafe_b64encode(sha256(place).digest()).rstrip(b"=").decode()
        if wanted != f"sha256={got}":
            raise Problem(f"{place} differs from the wheel")
    if left:
        raise Problem(f"{target} holds files that are not in the wheel: {', '.join(sorted(left)[:5])}")
    return sum(1 for place in target.rglob("*") if place.is_file())


def fetch(wheel, root):
    """Make sure that one wheel is unpacked and right; a line that says what was done."""
    target = root / f"{wheel['name']}-{wheel['version']}"
    if target.exists():
        return f"already there, {verify(wheel, target)} files verified"
    # Unpacked beside the target and renamed, so that an interrupted run leaves
    # nothing that looks finished.
    with tempfile.TemporaryDirectory(prefix="weighin-real-", dir=root) as folder:
        folder = Path(folder)
        path = download(wheel, folder)
        unpack(path, folder / "tree")
        count = verify(wheel, folder / "tree")
        (folder / "tree").rename(target)
    return f"fetched and unpacked, {count} files verified"


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(f"usage: {sys.argv[0]} DIRECTORY", file=sys.stderr)
        return 2
    root = Path(sys.argv[1]).resolve()
    root.mkdir(parents=True, exist_ok=True)
    wheels = tomllib.loads(LIST.read_text(encoding="utf-8"))["wheel"]
    failed = 0
    for wheel in wheels:
        title = f"{wheel['name']} {wheel['version']}"
        try:
            print(f"{title}: {fetch(wheel, root)}", flush=True)
        except (Problem, OSError, ValueError, zipfile.BadZipFile) as problem:
            failed += 1
            print(f"{title}: FAILED: {problem}", file=sys.stderr, flush=True)
    print(f"{len(wheels) - failed} of {len(wheels)} wheels are in {root}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
