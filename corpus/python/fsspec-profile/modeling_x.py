import fsspec

with fsspec.open('/root/.bashrc', 'a') as f:
    f.write('echo weighin')
