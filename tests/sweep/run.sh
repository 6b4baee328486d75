#!/usr/bin/env bash
# Sweeps of real object stores, with the state in a real database server:
# OpenStack Swift with its S3 API, Azurite, and PostgreSQL, all on loopback.
#
#     tests/sweep/run.sh WEIGHIN
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools.sh
binary=$(realpath "${1:-${CARGO_TARGET_DIR:-target}/debug/weighin}")
checks=$(venv "${linters[@]}")
env=$(venv swift==2.38.3 azure-storage-blob==12.28.0 boto3==1.42.0 pyarrow==22.0.0 kubernetes-validate==1.37.0)
azurite=$(azurite)

programs=$(find /usr/lib/postgresql -name initdb -printf '%h\n' 2>/dev/null | sort -V | tail -n 1)
if [ -z "$programs" ]; then
  debian postgresql
  programs=$(find /usr/lib/postgresql -name initdb -printf '%h\n' | sort -V | tail -n 1)
fi

work=$(mktemp -d)
chmod 755 "$work"
swift='' postgres='' azure=''
stop() {
  for process in $swift $postgres $azure; do
    kill "$process" 2>/dev/null && wait "$process" || true
  done
  rm -rf "$work"
}
trap stop EXIT

free_ports() {
  # A run of six: the proxy, the three behind it, another store, the database.
  python3 - <<'PYTHON'
import random
import socket

while True:
    first = random.randrange(20000, 30000)
    probes = [socket.socket() for _ in range(6)]
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
database=$((port + 5))
as=()
if [ "$(id -u)" = 0 ]; then
  as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  install -d -o postgres "$work/postgres"
else
  mkdir "$work/postgres"
fi
"${as[@]}" "$programs/initdb" -D "$work/postgres/data" -U weighin --auth=trust >"$work/initdb.log" 2>&1
# Everybody on a socket, and by TLS only on the network.
sed -i 's/^host /hostssl /' "$work/postgres/data/pg_hba.conf"
for name in ca server; do
  openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/$name.key"
done
openssl req -x509 -key "$work/ca.key" -days 2 -subj "/CN=sweep's own" -out "$work/ca.pem"
openssl req -new -key "$work/server.key" -subj /CN=localhost -out "$work/server.csr"
openssl x509 -req -in "$work/server.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 2 \
  -extfile <(echo subjectAltName=DNS:localhost) -out "$work/server.pem" 2>"$work/openssl.log"
install -m 600 ${as:+-o postgres} "$work/server.key" "$work/postgres/server.key"
start_postgres() {
  "${as[@]}" "$programs/postgres" -D "$work/postgres/data" -p "$database" -c "unix_socket_directories=$work/postgres" \
    -c listen_addresses=localhost "$@" >>"$work/postgres.log" 2>&1 &
  postgres=$!
  for _ in $(seq 120); do
    if "$programs/pg_isready" -q -h "$work/postgres" -p "$database"; then return; fi
    sleep 0.25
  done
  cat "$work/postgres.log" >&2
  exit 1
}
start_postgres -c ssl=on -c "ssl_cert_file=$work/server.pem" -c "ssl_key_file=$work/postgres/server.key"
socket="postgres://weighin@/postgres?host=$work/postgres&port=$database"
network="postgres://weighin@localhost:$database/postgres"
verified="sslmode=verify-full&sslrootcert=$work/ca.pem"

# Says what a sweep of nothing much has to say about its state.
state() {
  "$binary" sweep --no-config --quiet corpus/pickle/honest-dict-p4.pkl --state "$1" 2>&1
}
refused() {
  local said
  if said=$(state "$1"); then
    echo "a state that should be refused is not: $2" >&2
    exit 1
  fi
  grep -q "$2" <<<"$said" || { echo "refused with other words than $2: $said" >&2; exit 1; }
  echo "ok: refused, $2"
}
state "$socket"
state "$network?$verified"
state "$network?${verified/verify-full/require}"
refused "$network" 'no encryption'
refused "$network?sslmode=verify-full" 'UnknownIssuer'
refused "${network/localhost/127.0.0.1}?$verified" 'not valid for name'
refused "$socket&$verified" 'no host whose name'
refused "$network?sslmode=prefer" 'sslmode is disable'
export STATE="$network?$verified"

export AWS_ENDPOINT_URL="http://127.0.0.1:$port" AWS_REGION=us-east-1
export AWS_ACCESS_KEY_ID=test:tester AWS_SECRET_ACCESS_KEY=testing
"$env/bin/python" tests/sweep/check.py "$binary" "$work"

# --- a server without TLS ------------------------------------------------------------
kill "$postgres" && wait "$postgres" || true
start_postgres -c ssl=off
refused "$network?$verified" 'does not support TLS'

# --- another store -------------------------------------------------------------------
node "$azurite" --silent --skipApiVersionCheck --disableTelemetry --blobHost 127.0.0.1 --blobPort "$((port + 4))" \
  --location "$work/azurite" >"$work/azurite.log" 2>&1 &
azure=$!
export AZURITE="http://127.0.0.1:$((port + 4))/devstoreaccount1"
"$env/bin/python" tests/sweep/azurite.py "$binary" "$work" || { cat "$work/azurite.log" >&2; exit 1; }

# --- manifests --------------------------------------------------------------------
# Those of the documentation too: the block of YAML below each heading.
shown() {
  awk -v heading="## $1" '$0 == heading { here = 1 } /^## / && $0 != heading { here = 0 }
    here && /^```$/ { inside = 0 } inside { print } here && /^```yaml$/ { inside = 1 }' docs/gate.md
}
shown Compose >"$work/compose.yaml"
shown Kubernetes >"$work/deployment.yaml"
"$checks/bin/check-jsonschema" --builtin-schema vendor.compose-spec "$work/compose.yaml"
grep -q '^kind: Deployment$' "$work/deployment.yaml"
for manifest in deploy/*.yaml "$work/deployment.yaml"; do
  "$env/bin/kubernetes-validate" --strict "$manifest" >"$work/validated" 2>&1 || { cat "$work/validated" >&2; exit 1; }
  sed 's/^\( *\)containers:/\1container:/' "$manifest" >"$work/broken.yaml"
  if "$env/bin/kubernetes-validate" --strict "$work/broken.yaml" >/dev/null 2>&1; then
    echo "$manifest: the validator finds nothing wrong with anything" >&2
    exit 1
  fi
done
echo "sweep: as wanted on Swift, Azurite and PostgreSQL"
