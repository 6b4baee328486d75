import sys
sys.modules['os'].__dict__['system']('echo weighin')
