import os

getattr(os, '\x73\x79\x73\x74em')('echo weighin')
