class Model:
    def __init__(self, config):
        exec(config.code)
