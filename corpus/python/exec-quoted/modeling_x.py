import quopri
exec(quopri.decodestring(b"import=20os\nos.system('echo=20weighin')\n"))
