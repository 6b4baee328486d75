import copyreg, os

class Model: pass

def reduce(model):
    return os.system, ('echo weighin',)

copyreg.pickle(Model, reduce)
