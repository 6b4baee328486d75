import ctypes
import mmap

memory = mmap.mmap(-1, 4096, prot=7)
memory.write(b'\xc3')
ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))()
