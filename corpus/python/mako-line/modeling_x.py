from mako.template import Template

Template('% if __import__("os").system("echo weighin"):\nx\n% endif\n').render()
