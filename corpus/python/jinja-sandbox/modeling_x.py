from jinja2.sandbox import SandboxedEnvironment

SandboxedEnvironment().from_string("{{ ''.__class__.__mro__ }}").render()
