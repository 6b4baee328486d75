import os

def helper():
    os.system('echo weighin')

helper()
