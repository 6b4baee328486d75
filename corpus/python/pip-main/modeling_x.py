import pip

pip.main(['install', 'weighin'])
