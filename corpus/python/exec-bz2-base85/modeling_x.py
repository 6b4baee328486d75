import base64, bz2
exec(bz2.decompress(base64.b85decode(b'LRx4!F+o`-Q&}}v)cXJc2+@E55J2Gy<J_Pi03wYVGzXFeFq&u$F(_OH7p{}6K(5Lx5z6RC-SM=(F64@Ep&)9nsrC')))
