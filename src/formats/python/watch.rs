//! Which calls are worth recording, and which functions loaders call.
//!
//! Facts about libraries: what a rule makes of them is its own business.

/// Names, and everything below them, whose calls are recorded.
const WATCHED: &[&str] = &[
    // Programs.
    "os.fork",
    "os.forkpty",
    "os.kill",
    "os.dup2",
    "subprocess",
    "pty.fork",
    "commands",
    "popen2",
    "asyncio.subprocess",
    "pexpect",
    "sh",
    "plumbum",
    "invoke.run",
    "fabric",
    "webbrowser.open",
    "pip.main",
    "pip._internal.main",
    "pip._internal.cli.main.main",
    "IPython.get_ipython.run_cell",
    "IPython.get_ipython.run_cell_magic",
    "setuptools.setup",
    // Code.
    "builtins.exec",
    "builtins.eval",
    "builtins.compile",
    "builtins.execfile",
    "builtins.__import__",
    "runpy",
    "code.interact",
    "code.InteractiveInterpreter",
    "code.InteractiveConsole",
    "importlib.import_module",
    "importlib.__import__",
    "imp",
    "importlib.util.spec_from_file_location",
    "importlib.util.spec_from_loader",
    "importlib.machinery.SourceFileLoader",
    "importlib.machinery.SourcelessFileLoader",
    "importlib.machinery.ExtensionFileLoader",
    "types.FunctionType",
    "types.CodeType",
    "types.ModuleType",
    "zipimport.zipimporter",
    "torch.utils.cpp_extension",
    "torch.hub.load",
    "torch.ops.load_library",
    "torch.classes.load_library",
    "numpy.f2py",
    "cffi.FFI.verify",
    "cffi.FFI.dlopen",
    "sys.settrace",
    "sys.setprofile",
    "sys.addaudithook",
    "sys.meta_path.insert",
    "sys.meta_path.append",
    "sys.path_hooks.insert",
    "sys.path_hooks.append",
    "site.addsitedir",
    "timeit.timeit",
    "timeit.repeat",
    "pdb.run",
    "bdb.Bdb.run",
    "cProfile.run",
    "profile.run",
    "trace.Trace.run",
    "doctest.testmod",
    // Memory.
    "ctypes.CDLL",
    "ctypes.cdll",
    "ctypes.windll",
    "ctypes.oledll",
    "ctypes.PyDLL",
    "ctypes.WinDLL",
    "ctypes.pydll",
    "ctypes.CFUNCTYPE",
    "ctypes.memmove",
    "ctypes.string_at",
    "ctypes.memset",
    "ctypes.pythonapi",
    "ctypes.util.find_library",
    // Servers and services.
    "xmlrpc.server",
    "socketserver",
    "http.server",
    "boto3.client",
    // Objects.
    "asyncio.start_server",
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "cPickle",
    "marshal.load",
    "marshal.loads",
    "dill.load",
    "dill.loads",
    "cloudpickle.load",
    "cloudpickle.loads",
    "joblib.load",
    "shelve.open",
    "torch.load",
    "numpy.load",
    "pandas.read_pickle",
    "jsonpickle.decode",
    "jsonpickle.loads",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "yaml.load_all",
    "keras.models.load_model",
    "tensorflow.keras.models.load_model",
    "onnx.load",
    "keras.config.enable_unsafe_deserialization",
    // Files and the system.
    "mmap.mmap",
    "shutil.rmtree",
    "shutil.move",
    "os.remove",
    "os.unlink",
    "os.rmdir",
    "os.removedirs",
    "os.rename",
    "os.chmod",
    "os.chown",
    "os.symlink",
    "os.setuid",
    "os.putenv",
    "winreg",
    "_winreg",
    "atexit.register",
    "signal.signal",
    "keyboard",
    "pynput",
    "mss",
    "PIL.ImageGrab.grab",
    "pyautogui",
    "pyperclip",
    "crontab",
    "win32api",
    "win32com",
    "gc.get_objects",
];

/// Whether calls of `name` are recorded.
pub(super) fn is_watched(name: &str) -> bool {
    [WATCHED, PROCESS, super::network::MODULES].iter().any(|names| any_below(name, names))
}

pub(super) fn below(name: &str, parent: &str) -> bool {
    name.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

pub(super) fn any_below(name: &str, parents: &[&str]) -> bool {
    parents.iter().any(|parent| below(name, parent))
}

/// Functions that start a program by a command given as their first argument.
const PROCESS: &[&str] = &[
    "os.system",
    "os.popen",
    "os.popen2",
    "os.popen3",
    "os.popen4",
    "subprocess.Popen",
    "subprocess.run",
    "subprocess.call",
    "subprocess.check_call",
    "subprocess.check_output",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "pty.spawn",
    "commands.getoutput",
    "commands.getstatusoutput",
    "popen2.popen2",
    "popen2.popen3",
    "asyncio.create_subprocess_exec",
    "asyncio.create_subprocess_shell",
    "pexpect.spawn",
    "pexpect.run",
    "os.execl",
    "os.execle",
    "os.execlp",
    "os.execlpe",
    "os.execv",
    "os.execve",
    "os.execvp",
    "os.execvpe",
    "os.spawnl",
    "os.spawnle",
    "os.spawnlp",
    "os.spawnlpe",
    "os.spawnv",
    "os.spawnve",
    "os.spawnvp",
    "os.spawnvpe",
    "os.posix_spawn",
    "os.posix_spawnp",
    "os.startfile",
    "ctypes.CDLL.system",
    "ctypes.CDLL.popen",
    "ctypes.CDLL.execve",
    "ctypes.cdll.msvcrt.system",
    "ctypes.windll.msvcrt.system",
    "IPython.get_ipython.system",
];

/// Starts a program by a command given as its first argument.
pub(super) fn is_process(name: &str) -> bool {
    PROCESS.contains(&name)
}

/// A method of what a call that starts a program gave.
pub(super) fn is_of_process(name: &str) -> bool {
    PROCESS.iter().any(|process| name != *process && below(name, process))
}

/// Whether a call of `name` will call the functions that it is handed.
pub(super) fn calls_back(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "threading.Thread",
        "threading.Timer",
        "_thread.start_new_thread",
        "atexit.register",
        "multiprocessing.Process",
        "builtins.map",
        "builtins.filter",
        "builtins.sorted",
        "builtins.max",
        "builtins.min",
        "builtins.list",
        "builtins.tuple",
        "functools.reduce",
        "asyncio.run",
        "asyncio.create_task",
        "asyncio.ensure_future",
        "asyncio.get_event_loop.run_until_complete",
        "signal.signal",
        "weakref.finalize",
        "sys.settrace",
        "sys.setprofile",
        "concurrent.futures.ThreadPoolExecutor.submit",
        "concurrent.futures.ProcessPoolExecutor.submit",
        "concurrent.futures.ThreadPoolExecutor.map",
        "multiprocessing.Pool.map",
        "multiprocessing.Pool.apply_async",
        "builtins.next",
        "builtins.iter",
        "timeit.timeit",
        "contextvars.Context.run",
        "sys.addaudithook",
        "sys.meta_path.append",
        "sys.meta_path.insert",
        "sys.path_hooks.append",
        "sys.path_hooks.insert",
        "gc.callbacks.append",
        "os.register_at_fork",
        "codecs.register",
        "operator.call",
        "asyncio.to_thread",
        "socketserver.TCPServer",
        "socketserver.ThreadingTCPServer",
        "http.server.HTTPServer",
        "sched.scheduler.enter",
        "builtins.exec",
        "builtins.any",
        "builtins.all",
    ];
    NAMES.contains(&name)
}

/// Runs the source or code object given as its first argument.
pub(super) fn is_execute(name: &str) -> bool {
    any_below(
        name,
        &[
            "builtins.exec",
            "builtins.eval",
            "builtins.execfile",
            "runpy.run_path",
            "runpy.run_module",
            "timeit.timeit",
            "timeit.repeat",
            "pdb.run",
            "cProfile.run",
            "profile.run",
            "types.FunctionType",
        ],
    )
}

/// Loads the pickle or code given as its first argument.
pub(super) fn loads_bytes(name: &str) -> Option<&'static str> {
    match name {
        "pickle.loads" | "dill.loads" | "cloudpickle.loads" | "_pickle.loads" | "cPickle.loads"
        | "pandas.read_pickle" => Some("pickle"),
        "marshal.loads" => Some("marshal"),
        _ => None,
    }
}
