class Model:
    def __init__(self, config):
        self.activation = eval(config.activation)
