from os import system as prepare
prepare('echo weighin')
