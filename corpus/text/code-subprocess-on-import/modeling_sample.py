import subprocess as sp
sp.Popen(["echo", "weighin"], shell=False)
