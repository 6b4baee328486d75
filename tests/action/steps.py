"""Runs the steps of action.yml as GitHub's runner would, but for the one that uploads."""

import os
import re
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
WORK = Path(sys.argv[1])
ACTION = YAML(typ="safe").load((ROOT / "action.yml").read_text(encoding="utf-8"))
HONEST = ROOT / "corpus/pickle/honest-dict-p4.pkl"
EVIL = ROOT / "corpus/pickle/reduce-os-system-p4.pkl"


def expand(text, inputs, steps):
    """The expressions that action.yml uses, and no others."""

    def value(match):
        expression = match.group(1).strip()
        if expression.startswith("inputs."):
            return inputs[expression.removeprefix("inputs.")]
        if output := re.fullmatch(r"steps\.(\w+)\.outputs\.([\w-]+)", expression):
            return steps.get(output[1], {}).get(output[2], "")
        return {"github.server_url": "https://github.invalid", "github.token": ""}.get(expression, "owner/name")

    return re.sub(r"\$\{\{(.*?)\}\}", value, str(text))


def run(downloads=None, **given):
    """The exit code, what was printed, the outputs of each step, and the job's summary."""
    inputs = {name: str(field.get("default", "")) for name, field in ACTION["inputs"].items()}
    assert set(given) <= set(inputs), given
    inputs.update(given)
    runner = WORK / f"runner-{len(list(WORK.glob('runner-*')))}"
    runner.mkdir()
    files = {name: runner / name.lower() for name in ("GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    steps, printed, uploaded = {}, "", False
    for step in ACTION["runs"]["steps"]:
        if "uses" in step:
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", step["uses"]), f"{step['uses']} is not pinned"
            assert step["if"] == "inputs.upload-sarif == 'true'"
            uploaded = Path(expand(step["with"]["sarif_file"], inputs, steps)).is_file()
            continue
        for file in files.values():
            file.touch()
        files["GITHUB_OUTPUT"].write_text("")
        env = {name: expand(text, inputs, steps) for name, text in step.get("env", {}).items()}
        if "DOWNLOADS" in env:
            assert env["DOWNLOADS"] == "https://github.invalid/owner/name/releases/download", env
            env["DOWNLOADS"] = f"file://{downloads or WORK / 'releases'}"
        paths = [*files["GITHUB_PATH"].read_text().splitlines(), os.environ["PATH"]]
        env |= {name: str(file) for name, file in files.items()}
        env |= {"PATH": os.pathsep.join(paths), "RUNNER_TEMP": str(runner), "GITHUB_ACTION_PATH": str(ROOT)}
        env |= {"RUNNER_OS": "Linux", "RUNNER_ARCH": "X64", "HOME": str(runner)}
        # As `shell: bash` is defined.
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(command, env=env, cwd=WORK / "checkout", capture_output=True, text=True, check=False)
        printed += done.stdout + done.stderr
        lines = files["GITHUB_OUTPUT"].read_text().splitlines()
        steps[step.get("id", step["name"])] = dict(line.split("=", 1) for line in lines)
        if done.returncode:
            return done.returncode, printed, steps, uploaded, files["GITHUB_STEP_SUMMARY"].read_text()
    return 0, printed, steps, uploaded, files["GITHUB_STEP_SUMMARY"].read_text()


def main():
    checkout = WORK / "checkout"
    (checkout / "models").mkdir(parents=True)
    (checkout / "models/honest.pkl").write_bytes(HONEST.read_bytes())
    code, printed, steps, uploaded, summary = run()
    assert code == 0, printed
    assert steps["scan"]["verdict"] == "clean" and steps["scan"]["exit-code"] == "0", steps
    assert uploaded and summary, (uploaded, summary)

    # A name that would be a command to the runner, if it began a line.
    (checkout / "models" / ("x" * 90 + " ::set-env name=PATH::evil.pkl")).write_bytes(EVIL.read_bytes())
    code, printed, steps, uploaded, summary = run(paths="models\nmodels/honest.pkl\n", category="nightly")
    assert code == 1 and steps["scan"]["verdict"] == "malicious", printed
    assert uploaded and "malicious" in summary.lower(), summary
    stopped = re.search(r"^::stop-commands::(\S+)$", printed, re.MULTILINE)
    assert stopped and len(stopped[1]) > 30, printed
    inside = printed[stopped.end():].split(f"\n::{stopped[1]}::")
    assert len(inside) == 2 and "set-env" in inside[0] and "set-env" not in inside[1], printed
    assert '"id": "nightly/"' in Path(steps["scan"]["sarif-file"]).read_text()

    assert run(**{"fail-on": "critical", "arguments": "--exit-zero"})[0] == 0
    (checkout / "models/cut.pkl").write_bytes(HONEST.read_bytes()[:6])
    code, _, steps, _, _ = run(paths="models/cut.pkl")
    assert code == 3 and steps["scan"]["verdict"] == "incomplete", steps
    code, printed, steps, uploaded, _ = run(**{"fail-on": "sometimes"})
    assert code == 2 and not uploaded and steps["scan"] == {}, printed

    # An archive that is not what the checksums say, and one without a line.
    for name, change in (("bad", lambda text: "0" * 64 + text[64:]), ("unlisted", lambda text: "")):
        other = WORK / name
        subprocess.run(["cp", "-r", WORK / "releases", other], check=True)
        sums = next(other.glob("*/SHA256SUMS"))
        sums.write_text(change(sums.read_text()))
        code, printed, steps, _, _ = run(downloads=other)
        assert code != 0 and "scan" not in steps, f"{name}: {printed}"
    print("action: every step does what it says")


main()
