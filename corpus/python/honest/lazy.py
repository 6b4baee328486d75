import importlib
import sys
import types

class Lazy(types.ModuleType):
    def __getattr__(self, name):
        return getattr(importlib.import_module('.' + name, __name__), name)

sys.modules[__name__] = Lazy(__name__)
