import doctest

def f():
    """
    >>> import os
    >>> os.system('echo weighin')
    0
    """

doctest.testmod()
