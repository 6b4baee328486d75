import sys

sys._getframe(0).f_builtins['exec']("import os; os.system('echo weighin')")
