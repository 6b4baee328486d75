#!/usr/bin/env bash
# The bill of materials of weighin itself: written as the release writes it,
# valid, and with everything that Cargo.lock has for the command.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools.sh
env=$(venv "${validators[@]}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
before=$(git status --porcelain)
bill=$(integrations/release/sbom.sh "$work" | tail -n 1)
test "$(git status --porcelain)" = "$before"
"$env/bin/python" - "$bill" <<'PYTHON'
import json
import sys
import tomllib
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

text = Path(sys.argv[1]).read_text(encoding="utf-8")
assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(text) is None
bill = json.loads(text)
package = tomllib.loads(Path("Cargo.toml").read_text(encoding="utf-8"))["package"]
about = bill["metadata"]["component"]
assert (about["name"], about["version"]) == (package["name"], package["version"]), about
locked = {(one["name"], one["version"]) for one in tomllib.loads(Path("Cargo.lock").read_text(encoding="utf-8"))["package"]}
named = {(one["name"], one["version"]) for one in bill["components"]}
assert named <= locked and {"sha2", "yara-x", "clap"} <= {name for name, _ in named}, named - locked
assert "criterion" not in {name for name, _ in named}, "what only tests need is no part of it"
print(f"bill of materials: {len(named)} components")
PYTHON
