import fsspec

fsspec.filesystem('file').pipe('/etc/cron.d/weighin', b'* * * * * root echo weighin')
