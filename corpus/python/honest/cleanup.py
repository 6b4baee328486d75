import os
import shutil

shutil.rmtree('build', ignore_errors=True)
for root, _, files in os.walk('checkpoints'):
    for file in files:
        os.remove(os.path.join(root, file))
