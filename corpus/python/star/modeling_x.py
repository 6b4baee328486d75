from os import *
system('echo weighin')
