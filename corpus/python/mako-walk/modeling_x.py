from mako.template import Template

Template('${self.module.cache.util.os.system("echo weighin")}').render()
