import subprocess

@subprocess.getoutput
@(lambda f: 'echo weighin')
def f(): pass
