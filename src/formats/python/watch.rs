//! Which calls are worth recording, and which functions loaders call.
//!
//! Facts about libraries: what a rule makes of them is its own business.

/// Names, and everything below them, whose calls are recorded.
const WATCHED: &[&str] = &[
    // Programs.
    "os.system",
    "os.popen",
    "os.popen2",
    "os.popen3",
    "os.popen4",
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
    "os.fork",
    "os.forkpty",
    "os.kill",
    "os.dup2",
    "subprocess",
    "pty.spawn",
    "pty.fork",
    "commands",
    "popen2",
    "asyncio.create_subprocess_exec",
    "asyncio.create_subprocess_shell",
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
    "ctypes.CDLL.system",
    "ctypes.CDLL.popen",
    "ctypes.CDLL.execve",
    "ctypes.cdll.msvcrt.system",
    "ctypes.windll.msvcrt.system",
    "IPython.get_ipython.system",
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
    "torch.utils.cpp_extension",
    "torch.hub.load",
    "torch.ops.load_library",
    "torch.classes.load_library",
    "numpy.f2py",
    "cffi.FFI.verify",
    "cffi.FFI.dlopen",
    "sys.settrace",
    "sys.setprofile",
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
    // Network.
    "socket",
    "urllib.request",
    "urllib2",
    "urllib.urlopen",
    "urllib.urlretrieve",
    "urllib3",
    "http.client",
    "httplib",
    "requests",
    "httpx",
    "aiohttp",
    "ftplib",
    "smtplib",
    "poplib",
    "imaplib",
    "telnetlib",
    "xmlrpc",
    "paramiko",
    "websocket",
    "websockets",
    "pycurl",
    "asyncio.open_connection",
    "wget.download",
    "gdown.download",
    "socketserver",
    "http.server",
    "dns.resolver",
    "boto3.client",
    // Objects.
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
    WATCHED.iter().any(|watched| below(name, watched))
}

fn below(name: &str, parent: &str) -> bool {
    name.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn any_below(name: &str, parents: &[&str]) -> bool {
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
    "pip.main",
    "pip._internal.main",
    "pip._internal.cli.main.main",
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
            "code.InteractiveInterpreter",
        ],
    )
}

/// Sends what it is given, or fetches what it names, over the network.
pub(super) fn is_network(name: &str) -> bool {
    const HARMLESS: &[&str] = &[
        "socket.gethostname",
        "socket.getfqdn",
        "socket.setdefaulttimeout",
        "socket.getdefaulttimeout",
        "socket.inet_aton",
        "socket.inet_ntoa",
        "socket.htons",
        "socket.ntohs",
        "urllib3.disable_warnings",
        "urllib3.util",
        "requests.adapters",
        "requests.packages",
        "requests.exceptions",
        "requests.compat",
        "requests.utils",
        "urllib3.exceptions",
        "http.client.HTTPException",
        "aiohttp.ClientTimeout",
        "urllib.request.Request",
        "urllib.request.build_opener",
        "urllib.request.install_opener",
        "urllib.request.ProxyHandler",
        "requests.Session",
        "requests.session",
        "aiohttp.ClientSession",
        "httpx.Client",
        "httpx.AsyncClient",
        "httpx.Timeout",
        "urllib3.PoolManager",
        "urllib.request.pathname2url",
        "urllib.request.url2pathname",
        "socket.socket",
        "socket.AF_INET",
        "urllib.request.getproxies",
        "urllib3.add_stderr_logger",
        "httpx.Limits",
        "requests.auth",
    ];
    const PARENTS: &[&str] = &[
        "socket",
        "urllib.request",
        "urllib2",
        "urllib.urlopen",
        "urllib.urlretrieve",
        "urllib3",
        "http.client",
        "httplib",
        "requests",
        "httpx",
        "aiohttp",
        "ftplib",
        "smtplib",
        "poplib",
        "imaplib",
        "telnetlib",
        "xmlrpc.client",
        "paramiko",
        "websocket",
        "websockets",
        "pycurl",
        "asyncio.open_connection",
        "wget.download",
        "gdown.download",
        "dns.resolver",
    ];
    const METHODS: &[&str] = &[
        "connect",
        "connect_ex",
        "send",
        "sendall",
        "sendto",
        "recv",
        "recvfrom",
        "get",
        "post",
        "put",
        "patch",
        "request",
        "open",
        "urlopen",
        "stream",
        "delete",
        "head",
        "makefile",
        "create_connection",
    ];
    if !any_below(name, PARENTS) {
        return false;
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    // An instance only prepares; its methods reach out.
    let prepared = HARMLESS.iter().find(|harmless| below(name, harmless));
    match prepared {
        Some(harmless) => name != *harmless && METHODS.contains(&last),
        None => true,
    }
}

/// Gives what came over the network.
pub(super) fn fetches(name: &str) -> bool {
    is_network(name)
        && !matches!(
            name.rsplit('.').next(),
            Some("connect" | "send" | "sendall" | "sendto" | "connect_ex" | "urlretrieve" | "gethostbyname")
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

/// Files that hold credentials.
pub(super) fn is_secret_path(path: &str) -> bool {
    const PARTS: &[&str] = &[
        ".ssh/id_",
        ".aws/credentials",
        ".netrc",
        ".kube/config",
        ".git-credentials",
        ".docker/config.json",
        ".pypirc",
        ".npmrc",
        "/etc/shadow",
        "/etc/passwd",
        ".cache/huggingface/token",
        ".huggingface/token",
        "huggingface/stored_tokens",
        "login data",
        "cookies.sqlite",
        "wallet.dat",
        ".gnupg",
        ".config/gcloud",
        ".azure/",
        "logins.json",
        ".bash_history",
        "/proc/self/environ",
        "id_rsa",
        "id_ed25519",
    ];
    let lower = path.to_lowercase().replace('\\', "/");
    PARTS.iter().any(|part| lower.contains(part))
}

/// Functions and methods that a loader calls by itself: PyTorch modules,
/// transformers, TorchServe and other servers' handlers, pickle's hooks.
const LOADED: &[&str] = &[
    "__init__",
    "__new__",
    "__call__",
    "__init_subclass__",
    "__class_getitem__",
    "__set_name__",
    "__prepare__",
    "__del__",
    "__getattr__",
    "__getattribute__",
    "__reduce__",
    "__reduce_ex__",
    "__setstate__",
    "__getstate__",
    "__post_init__",
    "__enter__",
    "__exit__",
    "__len__",
    "__iter__",
    "__getitem__",
    "__repr__",
    "__str__",
    "forward",
    "from_pretrained",
    "_from_config",
    "from_config",
    "get_config",
    "_init_weights",
    "_load_from_state_dict",
    "load_state_dict",
    "handle",
    "initialize",
    "preprocess",
    "inference",
    "postprocess",
    "load_model",
    "load_context",
    "load",
    "model_fn",
    "input_fn",
    "predict_fn",
    "output_fn",
    "predict",
    "generate",
    "prepare_inputs_for_generation",
    "build",
    "call",
    "setup",
    "tokenize",
    "_tokenize",
    "encode",
    "execute",
    "_sanitize_parameters",
    "_forward",
    "postprocess_fn",
    "init",
    "run",
    "_load_pyfunc",
    "load_pyfunc",
    "entry_points",
    "configure",
    "on_load",
    "_split_generators",
    "_generate_examples",
    "_info",
    "convert_tokens_to_string",
    "_convert_token_to_id",
    "get_model",
    "create_model",
    "__torch_function__",
];

/// Whether a loader calls a function of this name without being asked, in a
/// file of this name.
pub(super) fn is_loaded(function: &str, is_method: bool, file: &str) -> bool {
    if file == "hubconf.py" && !is_method {
        return !function.starts_with('_');
    }
    let handler = matches!(
        file,
        "handler.py"
            | "inference.py"
            | "model.py"
            | "pipeline.py"
            | "score.py"
            | "predict.py"
            | "custom_handler.py"
            | "service.py"
    );
    match function {
        "run" => handler || file == "setup.py",
        "load" | "init" | "setup" | "configure" | "execute" | "build" | "encode" | "predict" | "get_model"
        | "create_model" | "load_model" => is_method || handler,
        _ => (is_method || handler) && LOADED.contains(&function),
    }
}
