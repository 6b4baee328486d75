"""Compare the report over the real tree with what is expected of it.

Every file must be clean, but for those in expected.toml, which says which rule
or gap is right there and why. An expectation that is not met is an error too:
it would hide the next one.
"""

import json
import pathlib
import sys
import tomllib


def main() -> int:
    report = json.loads(pathlib.Path(sys.argv[1]).read_text())
    root = pathlib.Path(sys.argv[2])
    expected = tomllib.loads((pathlib.Path(__file__).parent / "expected.toml").read_text()).get("file", [])
    by_path = {entry["path"]: entry for entry in expected}
    wrong, seen = [], set()
    for file in report["files"]:
        path = pathlib.Path(file["path"]).relative_to(root).as_posix()
        if file["verdict"] == "clean":
            continue
        rules = sorted({finding["rule"] for finding in file["findings"] if finding["severity"] != "low"})
        gaps = sorted({gap["reason"] for gap in file["gaps"]})
        entry = by_path.get(path)
        if entry and entry["verdict"] == file["verdict"] and sorted(entry.get("rules", [])) == rules:
            seen.add(path)
            continue
        detail = [finding["message"] for finding in file["findings"] if finding["severity"] != "low"]
        detail += [gap["detail"] for gap in file["gaps"]]
        wrong.append(f"{file['verdict']}: {path}: {rules} {gaps} {detail[:3]}")
    wrong += [f"expected, but clean or gone: {path}" for path in by_path if path not in seen]
    print(f"{len(report['files'])} files, {len(seen)} with an expected verdict, {len(wrong)} wrong")
    for line in wrong:
        print(line)
    return 1 if wrong or len(report["files"]) < 1000 else 0


if __name__ == "__main__":
    sys.exit(main())
