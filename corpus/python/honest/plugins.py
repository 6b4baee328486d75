import importlib
import os

TOKEN = os.environ.get('HF_TOKEN')

def load(name):
    return getattr(importlib.import_module('plugins.' + name), 'Plugin')
