dependencies = ['torch']
import os
os.system('echo weighin')
def net():
    pass
