import subprocess


def version():
    return subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()
