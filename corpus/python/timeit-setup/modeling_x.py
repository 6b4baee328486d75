import timeit
timeit.timeit("os.system('echo weighin')", 'import os', number=1)
