import pickle, base64
pickle.loads(base64.b64decode('gAJjb3MKc3lzdGVtClgMAAAAZWNobyB3ZWlnaGluhVIu'))
