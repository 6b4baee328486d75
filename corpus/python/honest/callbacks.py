import os
import subprocess

class Runner:
    clear = staticmethod(os.path.exists)

    def __init__(self, check=os.path.exists):
        self.check = check
        self.sort = sorted

    def run(self, paths):
        return list(filter(self.check, self.sort(paths)))

def gpus():
    return subprocess.run('nvidia-smi -L | wc -l', shell=True, capture_output=True)

Runner().run(['a'])
