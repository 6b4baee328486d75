import operator, os

operator.methodcaller('system', 'echo weighin')(os)
