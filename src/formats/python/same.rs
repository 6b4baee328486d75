//! Functions that do what a better known one does: what is said of the one
//! holds for the other.

/// A function, the one whose work it does, and which of its arguments is that
/// one's first.
const SAME: &[(&str, &str, usize)] = &[
    ("psutil.Popen", "subprocess.Popen", 0),
    ("distutils.spawn.spawn", "subprocess.call", 0),
    ("setuptools._distutils.spawn.spawn", "subprocess.call", 0),
    ("numpy.distutils.exec_command.exec_command", "subprocess.getoutput", 0),
    ("numpy.distutils.exec_command", "subprocess.getoutput", 0),
    ("torch.utils.collect_env.run", "subprocess.getoutput", 0),
    ("torch.utils.collect_env.run_and_read_all", "subprocess.getoutput", 1),
    ("platform.popen", "os.popen", 0),
    ("invoke.run", "subprocess.run", 0),
    ("invoke.Context.run", "subprocess.run", 0),
    ("fabric.Connection.local", "subprocess.run", 0),
    ("_posixsubprocess.fork_exec", "subprocess.Popen", 0),
    ("gdb.execute", "os.system", 0),
    ("win32com.client.Dispatch.Run", "os.system", 0),
    ("win32com.client.Dispatch.Exec", "os.system", 0),
    ("win32com.client.Dispatch.ShellExecute", "os.system", 0),
    ("win32api.WinExec", "os.system", 0),
    ("win32api.ShellExecute", "os.system", 2),
    ("ctypes.windll.shell32.ShellExecuteW", "os.system", 2),
    ("ctypes.windll.shell32.ShellExecuteA", "os.system", 2),
    ("ctypes.windll.kernel32.WinExec", "os.system", 0),
    ("ctypes.pythonapi.PyRun_SimpleString", "builtins.exec", 0),
    ("ctypes.pythonapi.PyRun_SimpleStringFlags", "builtins.exec", 0),
    ("bdb.Bdb.run", "builtins.exec", 0),
    ("bdb.Bdb.runeval", "builtins.eval", 0),
    ("pdb.run", "builtins.exec", 0),
    ("pdb.runeval", "builtins.eval", 0),
    ("pdb.Pdb.run", "builtins.exec", 0),
    ("trace.Trace.run", "builtins.exec", 0),
    ("cProfile.run", "builtins.exec", 0),
    ("cProfile.Profile.run", "builtins.exec", 0),
    ("profile.run", "builtins.exec", 0),
    ("profile.Profile.run", "builtins.exec", 0),
    ("timeit.timeit", "builtins.exec", 0),
    ("timeit.repeat", "builtins.exec", 0),
    ("timeit.Timer", "builtins.exec", 0),
    ("code.InteractiveInterpreter.runsource", "builtins.exec", 0),
    ("code.InteractiveInterpreter.runcode", "builtins.exec", 0),
    ("code.InteractiveConsole.runsource", "builtins.exec", 0),
    ("code.InteractiveConsole.runcode", "builtins.exec", 0),
    ("code.InteractiveConsole.push", "builtins.exec", 0),
    ("IPython.get_ipython.run_cell", "builtins.exec", 0),
    ("IPython.get_ipython.ex", "builtins.exec", 0),
    ("IPython.get_ipython.ev", "builtins.eval", 0),
    ("numexpr.evaluate", "builtins.eval", 0),
    ("pandas.eval", "builtins.eval", 0),
    ("sympy.lambdify", "builtins.eval", 1),
    ("sympy.sympify", "builtins.eval", 0),
    ("sympy.utilities.lambdify.lambdify", "builtins.eval", 1),
    ("sympy.parsing.sympy_parser.parse_expr", "builtins.eval", 0),
    ("tkinter.Tcl.eval", "os.system", 0),
    ("tkinter.Tk.eval", "os.system", 0),
    ("tkinter.Tk.tk.eval", "os.system", 0),
    ("pydoc.pipepager", "os.popen", 1),
    ("pydoc.tempfilepager", "os.system", 1),
    ("docker.from_env.containers.run", "subprocess.run", 1),
    ("fabric.Connection.run", "subprocess.run", 0),
    ("sqlite3.connect.load_extension", "ctypes.CDLL", 0),
    ("builtins.object.__getattribute__", "builtins.getattr", 0),
    ("builtins.type.__getattribute__", "builtins.getattr", 0),
    ("inspect.getattr_static", "builtins.getattr", 0),
    ("webbrowser.get.open", "webbrowser.open", 0),
    ("webbrowser.open_new", "webbrowser.open", 0),
    ("webbrowser.open_new_tab", "webbrowser.open", 0),
    ("webbrowser.BackgroundBrowser", "subprocess.Popen", 0),
    ("webbrowser.GenericBrowser", "subprocess.Popen", 0),
    ("pip._internal.main", "pip.main", 0),
    ("pip._internal.cli.main.main", "pip.main", 0),
    ("pip._internal.main.main", "pip.main", 0),
    ("setuptools.command.easy_install.main", "pip.main", 0),
    ("ensurepip.bootstrap", "pip.main", 0),
];

/// Endings of methods of whatever library or event loop they belong to.
const METHODS: &[(&str, &str, &str, usize)] = &[
    ("asyncio.", ".subprocess_shell", "asyncio.create_subprocess_shell", 1),
    ("asyncio.", ".subprocess_exec", "asyncio.create_subprocess_exec", 1),
    ("ctypes.", ".system", "ctypes.CDLL.system", 0),
    ("ctypes.", "._wsystem", "ctypes.CDLL.system", 0),
    ("ctypes.", ".popen", "ctypes.CDLL.popen", 0),
    ("ctypes.", ".execve", "ctypes.CDLL.execve", 0),
    ("ctypes.", ".execv", "ctypes.CDLL.execve", 0),
    ("ctypes.", ".execl", "ctypes.CDLL.execve", 0),
    ("ctypes.", ".posix_spawn", "ctypes.CDLL.execve", 1),
    ("cffi.FFI.", ".system", "ctypes.CDLL.system", 0),
    ("cffi.FFI.", ".popen", "ctypes.CDLL.popen", 0),
    // Each attribute of that package is a program.
    ("sh.", "", "subprocess.run", 0),
    ("plumbum.local.", "", "subprocess.run", 0),
    ("pandas.", ".query", "builtins.eval", 0),
    ("pandas.", ".eval", "builtins.eval", 0),
    ("multiprocess.", ".Process", "multiprocessing.Process", 0),
];

/// The better known function for `name`, and how many arguments come before
/// its first.
pub(super) fn same(name: &str) -> Option<(&'static str, usize)> {
    if let Some((_, known, skipped)) = SAME.iter().find(|(other, _, _)| *other == name) {
        return Some((known, *skipped));
    }
    let method = METHODS.iter().find(|(start, end, _, _)| name.starts_with(start) && name.ends_with(end));
    method.filter(|(_, _, known, _)| *known != name).map(|(_, _, known, skipped)| (*known, *skipped))
}
