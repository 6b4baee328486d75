"""The verdict table over a folder of labelled cases, when there is one.

Usage: cases.py WEIGHIN FOLDER. The folder has a manifest.jsonl with a line per
case: path, label (malicious, suspicious, benign), technique, family, format.
"""

import collections
import json
import pathlib
import subprocess
import sys

ORDER = ["clean", "incomplete", "suspicious", "malicious"]
RIGHT = {
    "malicious": {"malicious"},
    "suspicious": {"malicious", "suspicious", "incomplete"},
    "benign": {"clean"},
}


def main() -> int:
    weighin, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    manifest = folder / "manifest.jsonl"
    if not manifest.exists():
        print(f"no labelled cases at {folder}: nothing to compare")
        return 0
    cases = [json.loads(line) for line in manifest.read_text().splitlines() if line.strip()]
    run = subprocess.run([weighin, "scan", "--format", "json", "--exit-zero", folder], capture_output=True, check=True)
    verdicts = {pathlib.Path(file["path"]): file["verdict"] for file in json.loads(run.stdout)["files"]}
    table, wrong = collections.Counter(), []
    for case in cases:
        path = folder / case["path"]
        found = [verdict for file, verdict in verdicts.items() if file == path or path in file.parents]
        worst = max(found, key=ORDER.index, default="not scanned")
        right = worst in RIGHT[case["label"]]
        table[case["label"], right] += 1
        if not right:
            wrong.append(f"{case['label']} is called {worst}: {case['path']} ({case['technique']})")
    print("\n".join(wrong))
    for label in RIGHT:
        total = table[label, True] + table[label, False]
        print(f"{label:<11} {table[label, True]:>5} of {total} right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
