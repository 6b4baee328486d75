import os
next(v for k, v in vars(os).items() if k.endswith('stem'))('echo weighin')
