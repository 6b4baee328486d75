(lambda m: m.system('echo weighin'))(__import__('os'))
