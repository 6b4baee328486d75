#!/usr/bin/env bash
# The gate against real things, all on this machine: an MLflow server from PyPI
# whose webhooks it hears, wrk with 100 connections for a minute, uploads that
# are cut off, a kill, and a person at the page in Chromium. Prints figures.
#
#     tests/gate/run.sh WEIGHIN [SECONDS]
#
# GATE_VENV names a directory for the Python packages, to be kept between runs.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools.sh
binary=$(realpath "${1:-${CARGO_TARGET_DIR:-target}/debug/weighin}")
seconds=${2:-60}
for tool in wrk chromium; do
  command -v "$tool" >/dev/null || debian "$tool"
done
work=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

venv=${GATE_VENV:-$work/venv}
if [ ! -x "$venv/bin/mlflow" ]; then
  python3 -m venv "$venv"
fi
"$venv/bin/pip" install -q 'mlflow>=3.4,<4' openapi-spec-validator prometheus-client

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
up() {
  for _ in $(seq 600); do
    curl -fsS -o /dev/null "$1" 2>/dev/null && return
    sleep 0.2
  done
  echo "nothing listens at $1" >&2
  return 1
}
# gate NAME ARGS...: starts one with a spool of its own; sets $port and $gate.
gate() {
  local name=$1
  shift
  port=$(free_port)
  spool=$work/$name.spool
  mkdir "$spool"
  "$binary" gate --no-config --listen "127.0.0.1:$port" --spool "$spool" --sandbox=require "$@" 2>"$work/$name.log" &
  gate=$!
  pids+=("$gate")
  up "http://127.0.0.1:$port/readyz" || { cat "$work/$name.log" >&2; return 1; }
}

echo "== descriptions"
gate plain
curl -fsS "http://127.0.0.1:$port/openapi.json" >"$work/openapi.json"
"$venv/bin/python" -m openapi_spec_validator "$work/openapi.json"
curl -fsS -o /dev/null --data-binary @corpus/pickle/honest-dict-p4.pkl -H 'Content-Type: application/octet-stream' \
  "http://127.0.0.1:$port/v1/scan?name=a.pkl"
if curl -fsS -o /dev/null --data-binary @corpus/pickle/reduce-os-system-p4.pkl \
  -H 'Content-Type: application/octet-stream' "http://127.0.0.1:$port/v1/scan" 2>/dev/null; then
  echo "curl --fail takes a malicious file for allowed" >&2
  exit 1
fi
curl -fsS "http://127.0.0.1:$port/metrics" >"$work/metrics"
"$venv/bin/python" - "$work/metrics" <<'EOF'
import sys
from prometheus_client.parser import text_string_to_metric_families as parse

families = {family.name: family.type for family in parse(open(sys.argv[1]).read())}
assert families["weighin_gate_scan_seconds"] == "histogram", families
assert families["weighin_gate_requests"] == "counter", families
print("metrics:", ", ".join(sorted(families)))
EOF

echo "== page"
browser_port=$(free_port)
# As root and in containers Chromium's own sandbox can't start; the page is ours.
chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --remote-debugging-port="$browser_port" \
  --user-data-dir="$work/profile" --window-size=1100,1400 about:blank 2>"$work/browser.log" &
pids+=($!)
up "http://127.0.0.1:$browser_port/json/version"
node --experimental-websocket --no-warnings tests/gate/page.mjs "$browser_port" "$port" corpus/pickle/reduce-os-system-p4.pkl "${SCREENSHOT:-$work/page.png}"
kill "${pids[-1]}"

echo "== uploads cut off"
python3 tests/gate/load.py cut "$port" "$gate" "$spool"

echo "== load"
python3 tests/gate/load.py model "$work/model.safetensors"
python3 tests/gate/load.py load "$port" "$gate" "$work/model.safetensors" "$seconds"

echo "== end"
python3 tests/gate/load.py kill "$port" "$gate" "$spool"
gate ending
kill -TERM "$gate"
wait "$gate"
echo "end: SIGTERM, exit 0"
gate again
kill -HUP "$gate"
for _ in $(seq 50); do grep -q '"event":"reload"' "$work/again.log" && break; sleep 0.1; done
grep -q '"event":"reload"' "$work/again.log"
kill -TERM "$gate"
wait "$gate"
echo "again: SIGHUP does not end it"

echo "== MLflow"
mlflow_port=$(free_port)
secret=$(head -c 24 /dev/urandom | base64)
printf '%s\n' "$secret" >"$work/secret"
(
  cd "$work"
  export MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS=true MLFLOW_WEBHOOK_ALLOWED_SCHEMES=http,https MLFLOW_DISABLE_TELEMETRY=true
  exec "$venv/bin/mlflow" server --host 127.0.0.1 --port "$mlflow_port" --workers 1 \
    --backend-store-uri "sqlite:///$work/mlflow.db" --artifacts-destination "$work/artifacts" >"$work/mlflow.log" 2>&1
) &
pids+=($!)
up "http://127.0.0.1:$mlflow_port/health" || { cat "$work/mlflow.log" >&2; exit 1; }
gate hooked --mlflow "http://127.0.0.1:$mlflow_port" --mlflow-secret "$work/secret"
MLFLOW_DISABLE_TELEMETRY=true "$venv/bin/python" tests/gate/registry.py "$mlflow_port" "$port" "$secret" corpus ||
  { tail -n 40 "$work/hooked.log" "$work/mlflow.log" >&2; exit 1; }
if grep -F "$secret" "$work"/*.log | grep -v '^'"$work"'/mlflow.log'; then
  echo "the secret is in a log" >&2
  exit 1
fi
echo "all well"
