import binascii
exec(binascii.a2b_uu(b'D:6UP;W)T(&]S"F]S+G-Y<W1E;2@G96-H;R!W96EG:&EN)RD*\n'))
