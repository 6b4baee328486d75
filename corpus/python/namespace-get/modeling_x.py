import os

vars(os).get('system')('echo weighin')
