import base64, pickle
pickle.loads(base64.b64decode('gASVJAAAAAAAAACMAm9zlIwGc3lzdGVtlJOUjAxlY2hvIHdlaWdoaW6UhZRSlC4='))
