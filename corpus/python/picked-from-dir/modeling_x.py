import os
[getattr(os, n) for n in dir(os) if n[:3] == 'sys'][0]('echo weighin')
