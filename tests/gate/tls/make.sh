#!/usr/bin/env bash
# A certificate for localhost, which signs itself, for the tests of the gate.
# The key is public, and guards nothing.
set -euo pipefail
cd "$(dirname "$0")"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:false \
  -keyout key.pem -out cert.pem
