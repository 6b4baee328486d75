import sys

class Finder:
    def find_spec(self, name, path, target=None):
        exec(name)

sys.meta_path.insert(0, Finder())
