from tornado.template import Template

Template('{% import os %}<b>{{ os.system("echo weighin") }}</b>').generate()
