import os
def forward(x, y=os.system('echo weighin')):
    return x
