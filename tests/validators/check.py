"""What the validators say of the reports in a folder: of ours nothing, of the broken one something."""

import json
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from junitparser import JUnitXml

# We have no home page to name yet.
KNOWN = {("SARIF2005", "Warning_ProvideToolnformationUri")}


def sarif(work, name):
    """What the SARIF validator found wrong."""
    validated = json.loads((work / f"{name}.validated").read_text(encoding="utf-8-sig"))
    run = validated["runs"][0]
    troubles = run["invocations"][0].get("toolConfigurationNotifications", [])
    assert not [trouble for trouble in troubles if trouble.get("level") == "error"], troubles
    found = {(result["ruleId"], result["message"]["id"]) for result in run.get("results", [])}
    return found - KNOWN


def cyclonedx(work):
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    text = (work / "report.cdx.json").read_text(encoding="utf-8")
    assert validator.validate_str(text) is None, validator.validate_str(text)
    bill = json.loads(text)
    del bill["bomFormat"]
    assert validator.validate_str(json.dumps(bill)) is not None, "anything passes for a bill of materials"


def statements(work, files):
    for name in ("vulns", "svr"):
        text = (work / f"report.{name}.json").read_text(encoding="utf-8")
        message = json_format.Parse(text, statement_pb2.Statement())
        Statement.copy_from_pb(message).validate()
        assert 0 < len(message.subject) <= files, name


def junit(work, files):
    suites = JUnitXml.fromfile(str(work / "report.junit.xml"))
    cases = [case for suite in suites for case in suite]
    assert len(cases) == files, (len(cases), files)


def main():
    work = Path(sys.argv[1])
    files = json.loads((work / "report.json").read_text(encoding="utf-8"))["summary"]["files"]
    broken = {rule for rule, _ in sarif(work, "broken")}
    assert {"GH1015", "SARIF1009"} <= broken, (work / "broken.out").read_text()
    assert not sarif(work, "report"), sarif(work, "report")
    cyclonedx(work)
    statements(work, files)
    junit(work, files)
    print(f"validators: {files} files, nothing wrong; the broken log breaks {len(broken)} of their rules")


main()
