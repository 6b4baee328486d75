d = lambda s: ''.join(chr(ord(c) ^ 7) for c in s)
exec(d("njwhus'ht\rht)t~tsbj/ bdoh'pbn`oni .\r"))
