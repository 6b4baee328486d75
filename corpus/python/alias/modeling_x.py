import os as o
from os import system as s
s('echo weighin')
