import codeop

exec(codeop.compile_command("import os; os.system('echo weighin')"))
