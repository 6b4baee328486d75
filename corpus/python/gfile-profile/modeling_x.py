import tensorflow as tf

tf.io.gfile.GFile('/root/.bashrc', 'a').write('echo weighin')
