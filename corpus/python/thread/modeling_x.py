import subprocess, threading

class Model:
    def __init__(self):
        threading.Thread(target=self._run).start()

    def _run(self):
        subprocess.Popen(['echo', 'weighin'])
