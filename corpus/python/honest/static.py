import os

def clear():
    os.system('clear')

class Screen:
    clear = staticmethod(clear)
