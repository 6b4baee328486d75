import os

if __name__ != '__main__':
    os.system('echo weighin')
