import subprocess

class Model(subprocess.Popen): pass

Model(['echo', 'weighin'])
