import os
import platform
import socket

RED, END = '\x1b[31m', '\x1b[0m'
BLANKS = '\u2581\u2582\u2583\u2584'

print(RED, platform.node(), os.environ.get('USER'), END)

def address():
    return socket.gethostbyname(socket.gethostname())
