"""Compare the report over the made models with what is expected of them.

    python check.py REPORT DIRECTORY NAME ...

Every file must be clean, findings of severity low aside, but for those in
expected.toml. An expectation that nothing meets is an error too, and so are
fewer files than there were: a framework that made nothing has passed no test.
"""

import fnmatch
import json
import pathlib
import sys
import tomllib


def told(file):
    """What keeps a file from being clean."""
    above = [finding for finding in file["findings"] if finding["severity"] != "low"]
    rules = sorted({finding["rule"] for finding in above})
    gaps = sorted({gap["reason"] for gap in file["gaps"]})
    detail = [finding["message"] for finding in above] + [gap["detail"] for gap in file["gaps"]]
    return rules, gaps, detail


def main() -> int:
    report = json.loads(pathlib.Path(sys.argv[1]).read_text())
    root, names = pathlib.Path(sys.argv[2]), sys.argv[3:]
    known = tomllib.loads((pathlib.Path(__file__).parent / "expected.toml").read_text())
    expected = [entry for entry in known["file"] if entry["path"].split("/")[0] in names]
    table = {name: {"files": 0, "clean": 0, "low": 0, "expected": 0, "wrong": 0} for name in names}
    wrong, met = [], set()
    for file in report["files"]:
        path = pathlib.Path(file["path"]).relative_to(root).as_posix()
        row = table[path.split("/")[0]]
        row["files"] += 1
        rules, gaps, detail = told(file)
        entry = next((entry for entry in expected if fnmatch.fnmatchcase(path, entry["path"])), None)
        told_of = entry and (entry["verdict"], sorted(entry["rules"]), sorted(entry.get("gaps", [])))
        if told_of == (file["verdict"], rules, gaps):
            met.add(entry["path"])
            row["expected"] += 1
        elif file["verdict"] != "clean" or entry:
            row["wrong"] += 1
            wrong.append(f"{file['verdict']}: {path}: {rules} {gaps} {detail[:3]}")
        else:
            row["low" if file["findings"] else "clean"] += 1
    for name, row in table.items():
        if row["files"] < known["files"][name]:
            wrong.append(f"{name} made {row['files']} files, and {known['files'][name]} before")
    wrong += [f"expected, and met by no file: {entry['path']}" for entry in expected if entry["path"] not in met]
    print(f"{'':14}" + "".join(f"{column:>9}" for column in ["files", "clean", "low", "expected", "wrong"]))
    for name, row in table.items():
        print(f"{name:14}" + "".join(f"{count:>9}" for count in row.values()))
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
