import code

code.InteractiveConsole().push("import os; os.system('echo weighin')")
