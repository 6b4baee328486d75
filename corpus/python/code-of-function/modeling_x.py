def f(): pass

f.__code__ = compile(open('weights.txt').read(), 'f', 'exec')
f()
