import os

class Base:
    def __init_subclass__(cls):
        os.system('echo weighin')

class Model(Base): pass
