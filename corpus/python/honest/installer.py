import subprocess
import sys

def install(name):
    subprocess.check_call([sys.executable, '-m', 'pip', 'install', name])

if __name__ == '__main__':
    install('einops')
