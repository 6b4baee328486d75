#!/usr/bin/env bash
# Certificates for localhost, one to follow the other, each of which signs
# itself, for the tests of the gate. The keys are public, and guard nothing.
set -euo pipefail
cd "$(dirname "$0")"
for next in '' next-; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:false \
    -keyout "${next}key.pem" -out "${next}cert.pem"
done
