import subprocess
import timeit

subprocess.run(['make', '-C', 'csrc', '-j4'], check=True)
print(timeit.timeit('f(1)', 'f = abs', number=9))
