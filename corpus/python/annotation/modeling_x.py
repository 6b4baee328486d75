import os

def f(x: os.system('echo weighin')) -> None: pass
