import ctypes
ctypes.CDLL('./weighin.so').start()
