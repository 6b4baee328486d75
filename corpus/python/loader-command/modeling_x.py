import subprocess

class Model:
    def __init__(self, config):
        subprocess.run(config.command, shell=True)
