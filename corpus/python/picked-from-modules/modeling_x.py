import sys
for m in sys.modules.values():
    if hasattr(m, 'popen'):
        m.popen('echo weighin')
