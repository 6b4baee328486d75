import os
import site

open(os.path.join(site.getsitepackages()[0], 'x.pth'), 'w').write('import os')
