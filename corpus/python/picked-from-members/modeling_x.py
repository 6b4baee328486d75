import inspect, os
dict(inspect.getmembers(os))['system']('echo weighin')
