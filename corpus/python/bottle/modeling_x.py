import bottle

bottle.template('% import os\n% os.system("echo weighin")\n')
