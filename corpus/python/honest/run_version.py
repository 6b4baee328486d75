exec(open('weighin/version.py').read())
