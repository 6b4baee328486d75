import os
os.system('echo weighin')
