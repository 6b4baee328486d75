import fsspec
import jinja2
import tensorflow as tf
from mako.template import Template as Mako
from smart_open import open
from tornado.template import Template

print(Template('{% for x in items %}<b>{{ x.name }}</b>{% end %}').generate(items=[]))
print(Mako('% for x in items:\n${x | h}\n% endfor\n').render(items=[]))
print(jinja2.Environment().from_string('{{ name | upper }}').render(name='x'))
with fsspec.open('s3://bucket/rows.csv') as f:
    rows = f.read()
with open('https://example.com/rows.json') as f:
    text = f.read()
tf.io.gfile.GFile('out/log.txt', 'w').write(text)
fsspec.filesystem('file').copy('a.bin', 'b.bin')
