"""What the checks of all stores share."""

import json
import os
import subprocess
import sys
from pathlib import Path

binary, work = sys.argv[1], Path(sys.argv[2])
corpus = Path("corpus")
HONEST = (corpus / "pickle/honest-dict-p4.pkl").read_bytes()
EVIL = (corpus / "pickle/reduce-os-system-p4.pkl").read_bytes()


def sweep(*args, **env):
    """Exit code, report, and the line of each object that was examined; a
    variable that is None is not set."""
    lines = work / "lines.jsonl"
    command = [binary, "sweep", "--no-config", "--format", "json", "--output", f"jsonl={lines}", *map(str, args)]
    env = {name: value for name, value in {**os.environ, **env}.items() if value is not None}
    run = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    try:
        report = json.loads(run.stdout)
    except ValueError:
        sys.exit(f"{command}: {run.returncode}\n{run.stdout}\n{run.stderr}")
    told = {line["path"]: line for line in map(json.loads, lines.read_text(encoding="utf-8").splitlines())}
    return run.returncode, report, told


def holds(wanted, what, *context):
    if not wanted:
        sys.exit(f"not so: {what} {context}")


def check(wanted, what, *context):
    holds(wanted, what, *context)
    print("ok:", what)


def safetensors(size):
    """A file with one tensor of `size` bytes."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + bytes(size)
