class Model:
    out = __import__('os').popen('echo weighin')
