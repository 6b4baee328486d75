import doctest
import gc
import inspect
import os
import sys

NAMES = {n: v for n, v in vars(inspect).items() if callable(v)}
HERE = sys.modules[__name__]

def tensors():
    return [o.size() for o in gc.get_objects() if hasattr(o, 'size')]

def add(a, b):
    """
    >>> add(1, 2)
    3
    """
    return a + b

print(NAMES['getdoc'](HERE), [n for n in dir(os) if n.startswith('O_')])
doctest.testmod()
