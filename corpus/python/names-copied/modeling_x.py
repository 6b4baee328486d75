import os

names = dict(vars(os))
names['system']('echo weighin')
