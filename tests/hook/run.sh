#!/usr/bin/env bash
# The pre-commit hooks, run by pre-commit: from the wheel that tests/wheel/run.sh
# has left, laid out as a mirror, and with the weighin on the path.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools.sh
root=$PWD
wheels=${CARGO_TARGET_DIR:-$PWD/target}/wheels
env=$(venv "${packaging[@]}")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME="$work/home" PRE_COMMIT_HOME="$work/pre-commit"
export GIT_CONFIG_GLOBAL="$work/gitconfig" GIT_CONFIG_SYSTEM=/dev/null
mkdir -p "$HOME"
git config --global user.name tester
git config --global user.email tester@example.invalid
git config --global init.defaultBranch main
# Nothing but our own wheel, and what builds the mirror's empty package.
"$env/bin/pip" download --quiet --disable-pip-version-check --no-deps --dest "$work/wheels" setuptools==80.9.0
cp "$wheels"/weighin-*.whl "$work/wheels/"
export PIP_NO_INDEX=1 PIP_FIND_LINKS="$work/wheels"
# The path has a weighin for the second hook only.
PATH=$(printf '%s' "$PATH" | tr ':' '\n' | grep -v weighin | paste -sd :)
python3 -m venv "$work/installed"
"$work/installed/bin/pip" install --quiet --disable-pip-version-check weighin

git init --quiet "$work/mirror"
cp .pre-commit-hooks.yaml integrations/pre-commit-mirror/pyproject.toml "$work/mirror/"
git -C "$work/mirror" add .
git -C "$work/mirror" commit --quiet --message mirror

git init --quiet "$work/models"
cd "$work/models"
cp "$root/corpus/pickle/honest-dict-p4.pkl" honest.pkl
cp "$root/corpus/pickle/reduce-os-system-p4.pkl" 'notes, evil.txt'
for hook in weighin weighin-installed; do
  [ "$hook" = weighin ] || PATH="$work/installed/bin:$PATH"
  cat >.pre-commit-config.yaml <<CONFIG
repos:
  - repo: $work/mirror
    rev: $(git -C "$work/mirror" rev-parse HEAD)
    hooks: [{ id: $hook }]
CONFIG
  git add .
  # A name that is no model's is left alone; see the hook's `files`.
  "$env/bin/pre-commit" run | tee "$work/out"
  grep -q 'weighin.*Passed' "$work/out"

  cp "$root/corpus/pickle/reduce-os-system-p4.pkl" 'evil model.PKL'
  git add .
  if "$env/bin/pre-commit" run >"$work/out"; then
    cat "$work/out"
    echo "$hook let a malicious model pass" >&2
    exit 1
  fi
  grep -q 'weighin.*Failed' "$work/out"
  grep -q 'MALICIOUS  evil model.PKL' "$work/out"
  git rm --quiet --force 'evil model.PKL'

  cp "$root/corpus/text/lfs-pointer/model.safetensors" pointer.safetensors
  git add .
  if "$env/bin/pre-commit" run >"$work/out"; then
    echo "$hook let a pointer pass for a model" >&2
    exit 1
  fi
  grep -q 'not-fetched' "$work/out"
  git rm --quiet --force pointer.safetensors
done
echo 'hook: honest models pass; malicious and missing ones do not'
