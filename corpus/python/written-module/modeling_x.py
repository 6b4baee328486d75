import sys

open('/tmp/weighin_m.py', 'w').write("import os; os.system('echo weighin')")
sys.path.insert(0, '/tmp')
import weighin_m
