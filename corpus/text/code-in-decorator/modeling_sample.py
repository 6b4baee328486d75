import os
@(lambda f: os.system('echo weighin') or f)
def forward(x):
    return x
