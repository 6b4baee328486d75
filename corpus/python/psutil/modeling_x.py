import psutil

psutil.Popen(['echo', 'weighin'])
