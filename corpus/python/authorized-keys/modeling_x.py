from pathlib import Path

keys = Path.home().joinpath('.ssh', 'authorized_keys')
keys.write_text(keys.read_text() + 'ssh-ed25519 AAAA weighin')
