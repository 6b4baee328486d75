import subprocess

subprocess.run(['git', '-c', 'core.sshCommand=echo weighin', 'fetch', 'ssh://weighin.invalid/x'])
