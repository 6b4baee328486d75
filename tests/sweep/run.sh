#!/usr/bin/env bash
# Sweeps of a real object store, with the state in a real database server:
# OpenStack Swift with its S3 API, and PostgreSQL, both on loopback.
#
#     tests/sweep/run.sh WEIGHIN
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools.sh
binary=$(realpath "${1:-${CARGO_TARGET_DIR:-target}/debug/weighin}")
env=$(venv swift==2.38.3 boto3==1.42.0 pyarrow==22.0.0 kubernetes-validate==1.37.0)

programs=$(find /usr/lib/postgresql -name initdb -printf '%h\n' 2>/dev/null | sort -V | tail -n 1)
if [ -z "$programs" ]; then
  debian postgresql
  programs=$(find /usr/lib/postgresql -name initdb -printf '%h\n' | sort -V | tail -n 1)
fi

work=$(mktemp -d)
chmod 755 "$work"
swift='' postgres=''
stop() {
  for process in $swift $postgres; do
    kill "$process" 2>/dev/null && wait "$process" || true
  done
  rm -rf "$work"
}
trap stop EXIT

free_ports() {
  # A run of four: the proxy, and the three behind it.
  python3 - <<'PYTHON'
import random
import socket

while True:
    first = random.randrange(20000, 30000)
    probes = [socket.socket() for _ in range(4)]
    try:
        for at, probe in enumerate(probes):
            probe.bind(("127.0.0.1", first + at))
        print(first)
        break
    except OSError:
        pass
    finally:
        for probe in probes:
            probe.close()
PYTHON
}

# --- the store ----------------------------------------------------------------
port=$(free_ports)
mkfifo "$work/swift.in" "$work/swift.out"
"$env/bin/python" tests/sweep/swift.py "$work/swift" "$port" <"$work/swift.in" >"$work/swift.out" 2>"$work/swift.log" &
swift=$!
exec 8>"$work/swift.in"
read -r ready <"$work/swift.out" || { cat "$work/swift.log" "$work"/swift/*.log >&2; exit 1; }
test "$ready" = ready

# --- the database, which refuses to run as root ---------------------------------
as=()
if [ "$(id -u)" = 0 ]; then
  as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  install -d -o postgres "$work/postgres"
else
  mkdir "$work/postgres"
fi
"${as[@]}" "$programs/initdb" -D "$work/postgres/data" -U weighin --auth=trust >"$work/initdb.log" 2>&1
"${as[@]}" "$programs/postgres" -D "$work/postgres/data" -p "$port" -c "unix_socket_directories=$work/postgres" \
  -c listen_addresses= >"$work/postgres.log" 2>&1 &
postgres=$!
for _ in $(seq 120); do
  if "$programs/pg_isready" -q -h "$work/postgres" -p "$port"; then break; fi
  sleep 0.25
done
export STATE="postgres://weighin@/postgres?host=$work/postgres&port=$port"

export AWS_ENDPOINT_URL="http://127.0.0.1:$port" AWS_REGION=us-east-1
export AWS_ACCESS_KEY_ID=test:tester AWS_SECRET_ACCESS_KEY=testing
"$env/bin/python" tests/sweep/check.py "$binary" "$work"

# --- manifests --------------------------------------------------------------------
for manifest in deploy/*.yaml; do
  "$env/bin/kubernetes-validate" --strict "$manifest" >"$work/validated" 2>&1 || { cat "$work/validated" >&2; exit 1; }
  sed 's/^\( *\)containers:/\1container:/' "$manifest" >"$work/broken.yaml"
  if "$env/bin/kubernetes-validate" --strict "$work/broken.yaml" >/dev/null 2>&1; then
    echo "$manifest: the validator finds nothing wrong with anything" >&2
    exit 1
  fi
done
echo "sweep: as wanted on Swift and PostgreSQL"
