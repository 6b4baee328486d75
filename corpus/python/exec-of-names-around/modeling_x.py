import os as o
exec("o.system('echo weighin')")
