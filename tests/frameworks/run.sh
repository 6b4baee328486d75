#!/usr/bin/env bash
# Models made by real frameworks, toy sized and untouched: none may get a
# verdict that expected.toml gives no reason for, none may be incomplete.
#
#     tests/frameworks/run.sh [NAME ...]
#
# README.md says what it needs and what it leaves behind.
set -euo pipefail
cd "$(dirname "$0")"
binary="${WEIGHIN:-../../target/debug/weighin}"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/weighin-frameworks"
[ -x "$binary" ] || { echo "no program at $binary: build it, or name it in WEIGHIN" >&2; exit 2; }

# Which environment makes which models: a file of requirements/, or Debian's
# own Python for the PyTorch that Debian builds.
declare -A environments=(
  [arrays]=tabular [boosters]=tabular [code]=tabular [exchange]=tabular [sklearn]=tabular
  [engines]=engines [folders]=folders [jax]=jax [others]=others [tensorflow]=tensorflow [text]=text
  [hub]=torch [learners]=torch [torch]=torch [torch-debian]=debian
)
if [ $# -gt 0 ]; then
  names=("$@")
else
  mapfile -t names < <(printf '%s\n' "${!environments[@]}" | sort)
fi

# The Python of an environment, installed when its requirements are new.
python_of() {
  local list="requirements/$1.txt" place
  if [ "$1" = debian ]; then
    /usr/bin/python3 -c 'import torch' || { echo 'apt-get install python3-torch is needed' >&2; return 1; }
    echo /usr/bin/python3
    return
  fi
  place="$cache/$1-$(sha256sum "$list" | cut -c 1-16)"
  if [ ! -e "$place/ready" ]; then
    rm -rf "$cache/$1"-*
    python3.11 -m venv "$place" >&2
    nice -n 10 "$place/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --requirement "$list" >&2
    touch "$place/ready"
  fi
  echo "$place/bin/python"
}

models="$cache/models"
mkdir -p "$models"
for name in "${names[@]}"; do
  [ -n "${environments[$name]:-}" ] || { echo "$name is none of: ${!environments[*]}" >&2; exit 2; }
  python=$(python_of "${environments[$name]}")
  rm -rf "${models:?}/$name"
  log="$models/$name.log"
  if ! nice -n 10 "$python" "make_${name%-debian}.py" "$models/$name" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "the models of $name could not be made; $log tells why" >&2
    exit 1
  fi
  rm "$log"
done

report=$(mktemp)
trap 'rm -f "$report"' EXIT
"$binary" scan --quiet --exit-zero --output "json=$report" "${names[@]/#/$models/}"
python3.11 check.py "$report" "$models" "${names[@]}"
