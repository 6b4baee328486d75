import os

globals()['run'] = os.system
run('echo weighin')
