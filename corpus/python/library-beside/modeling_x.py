import ctypes
ctypes.CDLL('./model.so')
