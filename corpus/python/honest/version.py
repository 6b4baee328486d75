import subprocess

try:
    VERSION = subprocess.check_output(['git', 'describe'], text=True)
except OSError:
    VERSION = 'unknown'
