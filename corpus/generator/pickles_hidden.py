"""Pickles whose call does not look like one: iterators, callbacks, wrappers, hooks, tables."""

from .opcodes import Computed, Global, NewObj, Reduce, asm, call, dumps, named
from .registry import CLEAN, COMMAND, HOST, MALICIOUS, SUSPICIOUS

SYSTEM = named("os.system")
STARTUP = "import os\n"  # what would be written to a file that runs later
WHAT = f"os.system({COMMAND!r})"


def method(module, dotted, *args):
    """A call of a dotted name, such as ThreadPoolExecutor.submit of concurrent.futures."""
    return Reduce(Global(module, dotted), args)


def made_class(members, bases=()):
    """type('Weighin', bases, members)()."""
    return Reduce(call("builtins.type", "Weighin", bases, members))


def add_samples(corpus):
    def add(name, verdict, value, what, why):
        data = value if isinstance(value, bytes) else dumps(value, 4)
        corpus.add(f"pickle/hidden-{name}.pkl", verdict, data, what, why)

    iterators(add)
    runners(add)
    wrappers(add)
    special_methods(add)
    lookups(add)
    states(add)
    files(add)
    carriers(add)


def iterators(add):
    """Lazy iterators that call a function when something consumes them."""
    why = "a lazy iterator holds the function; whatever consumes it makes the call"
    pairs = [(COMMAND,)]
    for name, value, what in [
        ("starmap-tuple", call("builtins.tuple", call("itertools.starmap", SYSTEM, pairs)), "tuple(itertools.starmap(os.system, ...))"),
        ("map-list", call("builtins.list", call("builtins.map", SYSTEM, [COMMAND])), "list(map(os.system, ...))"),
        ("map-max", call("builtins.max", call("builtins.map", SYSTEM, [COMMAND])), "max(map(os.system, ...))"),
        ("map-deque", call("collections.deque", call("builtins.map", SYSTEM, [COMMAND])), "collections.deque(map(os.system, ...))"),
        ("map-any", call("builtins.any", call("builtins.map", SYSTEM, [COMMAND])), "any(map(os.system, ...))"),
        ("map-newobj-bytes", NewObj(named("builtins.bytes"), (call("builtins.map", SYSTEM, [COMMAND]),)), "bytes.__new__(bytes, map(os.system, ...))"),
        ("map-in-set-reduce", call("builtins.set", NewObj(named("builtins.map"), (SYSTEM, [COMMAND]))), "set of a map that NEWOBJ made"),
        ("filter-list", call("builtins.list", call("builtins.filter", SYSTEM, [COMMAND])), "list(filter(os.system, ...))"),
        ("filterfalse-next", call("builtins.next", call("itertools.filterfalse", SYSTEM, [COMMAND])), "next(itertools.filterfalse(os.system, ...))"),
        ("groupby-list", call("builtins.list", call("itertools.groupby", [COMMAND], SYSTEM)), "list(itertools.groupby(..., os.system))"),
        ("takewhile-list", call("builtins.list", call("itertools.takewhile", SYSTEM, [COMMAND])), "list(itertools.takewhile(os.system, ...))"),
        ("accumulate-list", call("builtins.list", call("itertools.accumulate", ["pass", {}], named("builtins.exec"))), "list(itertools.accumulate(['pass', {}], exec))"),
        ("reduce", call("functools.reduce", named("builtins.exec"), ["pass", {}]), "functools.reduce(exec, ['pass', {}])"),
        ("reduce-private", call("_functools.reduce", named("builtins.exec"), ["pass", {}]), "_functools.reduce(exec, ['pass', {}])"),
        ("iter-sentinel", call("builtins.next", call("builtins.iter", named("builtins.breakpoint"), None)), "next(iter(breakpoint, None))"),
        ("map-unconsumed", call("builtins.map", SYSTEM, [COMMAND]), "map(os.system, ...) that nothing consumes yet"),
        ("map-items-of-dict", call("builtins.dict", call("builtins.zip", call("builtins.map", SYSTEM, [COMMAND]), ["a"])), "dict(zip(map(os.system, ...), ...))"),
        ("join-of-map", Reduce(call("builtins.getattr", "", "join"), (call("builtins.map", SYSTEM, [COMMAND]),)), "''.join(map(os.system, ...))"),
    ]:
        add(name, MALICIOUS, value, what, why)
    for name, target, args in [
        ("sorted-key", "heapq.nlargest", (1, [COMMAND], SYSTEM)),
        ("nsmallest-key", "heapq.nsmallest", (1, [COMMAND], SYSTEM)),
        ("re-sub", "re.sub", ("x", SYSTEM, "x")),
        ("cmp-to-key", "functools.cmp_to_key", (SYSTEM,)),
        ("sequence-matcher", "difflib.SequenceMatcher", (SYSTEM, "a", "b")),
    ]:
        add(name, MALICIOUS, call(target, *args), f"{target}(... os.system ...)", "a key, hook or replacement function is called by the helper that gets it")


def runners(add):
    """Things that call what they are given: now, in a worker, at exit, or when an object dies."""
    pool = call("concurrent.futures.ThreadPoolExecutor", 1)
    why = "a higher-order runner: the function argument is called by it or by a worker"
    add("threadpool-submit", MALICIOUS, method("concurrent.futures", "ThreadPoolExecutor.submit", pool, SYSTEM, COMMAND),
        f"ThreadPoolExecutor.submit of {WHAT}", why)
    add("threadpool-map", MALICIOUS, method("concurrent.futures.thread", "ThreadPoolExecutor.map", pool, SYSTEM, [COMMAND]),
        f"ThreadPoolExecutor.map of {WHAT}", why)
    add("threadpool-initializer", MALICIOUS,
        method("concurrent.futures", "ThreadPoolExecutor.submit",
               call("concurrent.futures.ThreadPoolExecutor", 1, "", SYSTEM, (COMMAND,)), named("builtins.print")),
        "a ThreadPoolExecutor whose initializer is os.system", why)
    add("pool-apply", MALICIOUS, method("multiprocessing.pool", "Pool.apply", call("multiprocessing.pool.ThreadPool", 1), SYSTEM, (COMMAND,)),
        f"ThreadPool.apply of {WHAT}", why)
    scheduler = call("sched.scheduler")
    add("sched-run", MALICIOUS,
        [method("sched", "scheduler.enter", scheduler, 0, 1, SYSTEM, (COMMAND,)), method("sched", "scheduler.run", scheduler)],
        f"sched.scheduler with {WHAT} entered and run", why)
    add("sched-queue-by-state", MALICIOUS,
        method("sched", "scheduler.run", NewObj(named("sched.scheduler"), (), {
            "_queue": [NewObj(named("sched.Event"), (0, 1, 0, SYSTEM, (COMMAND,), {}))],
            "_lock": call("threading.RLock"), "timefunc": named("time.monotonic"), "delayfunc": named("time.sleep")})),
        "sched.scheduler.run on a queue that BUILD has filled", "the queue of the runner comes from the state")
    add("future-callback", MALICIOUS,
        method("concurrent.futures", "Future.add_done_callback", call("concurrent.futures.Future"), SYSTEM),
        "Future.add_done_callback(os.system)", "a done-callback")
    add("exitstack-callback", MALICIOUS,
        method("contextlib", "ExitStack.callback", call("contextlib.ExitStack"), SYSTEM, COMMAND),
        f"contextlib.ExitStack.callback of {WHAT}", "registration counts as execution: it runs at cleanup")
    add("weakref-finalize", MALICIOUS, call("weakref.finalize", call("collections.OrderedDict"), SYSTEM, COMMAND),
        f"weakref.finalize of {WHAT}", "runs when the object dies, or at exit")
    add("weakref-callback", MALICIOUS, call("weakref.ref", call("collections.OrderedDict"), SYSTEM),
        "weakref.ref with os.system as callback", "runs when the object dies")
    add("timer", MALICIOUS, method("threading", "Timer.start", call("threading.Timer", 0, SYSTEM, [COMMAND])),
        f"threading.Timer of {WHAT}, started", "runs later, in a thread")
    add("contextvars-run", MALICIOUS, method("contextvars", "Context.run", call("contextvars.copy_context"), SYSTEM, COMMAND),
        f"contextvars.Context.run of {WHAT}", why)
    add("operator-call", MALICIOUS, call("operator.call", SYSTEM, COMMAND), f"operator.call of {WHAT}", why)
    add("operator-private-call", MALICIOUS, call("_operator.call", SYSTEM, COMMAND), f"_operator.call of {WHAT}", "the private C module behind operator")


def wrappers(add):
    """Callables made around other callables, then called."""
    why = "the wrapper's value is its function; calling the wrapper calls it"
    for name, callee, args, what in [
        ("partial", call("functools.partial", SYSTEM, COMMAND), (), "functools.partial(os.system, ...)()"),
        ("partial-private", call("_functools.partial", SYSTEM), (COMMAND,), "_functools.partial(os.system)(...)"),
        ("lru-cache", call("functools.lru_cache", SYSTEM), (COMMAND,), "functools.lru_cache(os.system)(...)"),
        ("lru-cache-private", call("functools._lru_cache_wrapper", SYSTEM, 1, False, None), (COMMAND,), "functools._lru_cache_wrapper(os.system, ...)(...)"),
        ("singledispatch", call("functools.singledispatch", SYSTEM), (COMMAND,), "functools.singledispatch(os.system)(...)"),
        ("staticmethod", call("builtins.staticmethod", SYSTEM), (COMMAND,), "staticmethod(os.system)(...)"),
        ("contextmanager", call("contextlib.contextmanager", SYSTEM), (COMMAND,), "contextlib.contextmanager(os.system)(...)"),
        ("methodtype", call("types.MethodType", SYSTEM, COMMAND), (), "types.MethodType(os.system, ...)()"),
        ("methodcaller", call("operator.methodcaller", "system", COMMAND), (named("shutil.os"),), "operator.methodcaller('system', ...)(os)"),
        ("attrgetter", Reduce(call("operator.attrgetter", "os.system"), (named("tempfile._shutil"),)), (COMMAND,), "operator.attrgetter('os.system')(shutil)(...)"),
        ("magicmock", call("unittest.mock.MagicMock", None, SYSTEM), (COMMAND,), "unittest.mock.MagicMock(side_effect=os.system)(...)"),
        ("numpy-vectorize", call("numpy.vectorize", SYSTEM), ([COMMAND],), "numpy.vectorize(os.system)(...)"),
        ("numpy-frompyfunc", call("numpy.frompyfunc", SYSTEM, 1, 1), ([COMMAND],), "numpy.frompyfunc(os.system, 1, 1)(...)"),
        ("classmethod-get", method("builtins", "classmethod.__get__", call("builtins.classmethod", SYSTEM), None, COMMAND), (), "classmethod.__get__(classmethod(os.system), None, ...)()"),
    ]:
        add(name, MALICIOUS, Reduce(callee, args), what, why)
    add("partial-state", MALICIOUS,
        Reduce(Reduce(named("functools.partial"), (named("builtins.print"),), (SYSTEM, (COMMAND,), {}, {}))),
        "functools.partial of print, whose state makes it os.system", "the state of a partial replaces its function")
    why = "a descriptor's __get__ joins function and receiver"
    for name, dotted, module, made in [
        ("cached-property-get", "cached_property.__get__", "functools", call("functools.cached_property", SYSTEM)),
        ("property-get", "property.__get__", "builtins", call("builtins.property", SYSTEM)),
        ("dynamic-attribute-get", "DynamicClassAttribute.__get__", "types", call("types.DynamicClassAttribute", SYSTEM)),
    ]:
        add(name, MALICIOUS, method(module, dotted, made, COMMAND), f"{module}.{dotted} over os.system", why)
    factory = Reduce(named("collections.defaultdict"), (call("functools.partial", SYSTEM, COMMAND),))
    add("defaultdict-factory", MALICIOUS, method("collections", "defaultdict.__getitem__", factory, "missing"),
        "a defaultdict whose factory is a partial of os.system, asked for a missing key", "a default factory is called by a lookup")
    add("defaultdict-factory-stored", MALICIOUS, factory,
        "a defaultdict whose factory is a partial of os.system", "the next lookup runs it, in whatever program loads the file")


def special_methods(add):
    """Classes made in the stream whose special methods are foreign functions."""
    why = "a class made in the stream: every callable under a dunder name counts as called, whichever helper triggers it"
    breakpoint_ = named("builtins.breakpoint")
    for name, members, trigger in [
        ("add", {"__add__": SYSTEM}, lambda it: call("operator.add", it, COMMAND)),
        ("radd", {"__radd__": SYSTEM}, lambda it: call("operator.add", COMMAND, it)),
        ("iadd", {"__iadd__": SYSTEM}, lambda it: call("operator.iadd", it, COMMAND)),
        ("matmul", {"__matmul__": SYSTEM}, lambda it: call("operator.matmul", it, COMMAND)),
        ("lt", {"__lt__": SYSTEM}, lambda it: call("operator.lt", it, COMMAND)),
        ("eq", {"__eq__": SYSTEM}, lambda it: call("operator.eq", it, COMMAND)),
        ("contains", {"__contains__": SYSTEM}, lambda it: call("operator.contains", it, COMMAND)),
        ("getitem", {"__getitem__": SYSTEM}, lambda it: call("operator.getitem", it, COMMAND)),
        ("class-getitem", {"__class_getitem__": SYSTEM}, lambda it: call("operator.getitem", it, COMMAND)),
        ("call", {"__call__": SYSTEM}, lambda it: Reduce(it, (COMMAND,))),
        ("getattr", {"__getattr__": SYSTEM}, lambda it: call("builtins.getattr", it, COMMAND)),
        ("len", {"__len__": breakpoint_}, lambda it: call("builtins.len", it)),
        ("bool", {"__bool__": breakpoint_}, lambda it: call("operator.truth", it)),
        ("trunc", {"__trunc__": breakpoint_}, lambda it: call("math.trunc", it)),
        ("round", {"__round__": breakpoint_}, lambda it: call("builtins.round", it)),
        ("repr", {"__repr__": breakpoint_}, lambda it: call("builtins.repr", it)),
        ("format", {"__format__": SYSTEM}, lambda it: call("builtins.format", it, COMMAND)),
        ("hash", {"__hash__": breakpoint_}, lambda it: {it: 1}),
        ("iter", {"__iter__": breakpoint_}, lambda it: call("builtins.list", it)),
        ("next", {"__next__": breakpoint_}, lambda it: call("builtins.next", it)),
        ("length-hint", {"__length_hint__": breakpoint_}, lambda it: call("operator.length_hint", it)),
        ("index", {"__index__": breakpoint_}, lambda it: call("operator.index", it)),
        ("bytes", {"__bytes__": breakpoint_}, lambda it: call("builtins.bytes", it)),
        ("enter", {"__enter__": breakpoint_, "__exit__": SYSTEM}, lambda it: method("contextlib", "ExitStack.enter_context", call("contextlib.ExitStack"), it)),
        ("del", {"__del__": breakpoint_}, lambda it: it),
        ("setstate", {"__setstate__": SYSTEM}, None),
        ("fspath", {"__fspath__": breakpoint_}, lambda it: call("os.fspath", it)),
        ("missing", {"__missing__": SYSTEM}, lambda it: call("operator.getitem", it, COMMAND)),
    ]:
        made = made_class(members, (named("builtins.dict"),) if name == "missing" else ())
        if name == "class-getitem":
            made = made.func
        if name == "setstate":
            made.state = COMMAND
            value = made
        else:
            value = trigger(made)
        add(f"class-{name}", MALICIOUS, value, f"an instance of a made class with {', '.join(members)}, triggered", why)
    add("class-init-subclass", MALICIOUS,
        call("builtins.type", "Derived", (call("builtins.type", "Base", (), {"__init_subclass__": breakpoint_}),), {}),
        "a made class whose base has __init_subclass__ = breakpoint", why)
    add("class-set-name", MALICIOUS,
        call("builtins.type", "Owner", (), {"field": made_class({"__set_name__": SYSTEM})}),
        "a made class with a member whose __set_name__ is os.system", why)
    add("class-property-hasattr", MALICIOUS,
        call("builtins.hasattr", made_class({"field": call("builtins.property", SYSTEM)}), "field"),
        "hasattr on an instance whose property is os.system", "reading an attribute fires a property")
    add("class-bland", SUSPICIOUS,
        call("operator.neg", made_class({"__neg__": named("weighin_example.hooks.touch")})),
        "a made class whose __neg__ is an unknown function, triggered", "the carrier is the finding, whatever it carries")
    add("types-new-class", MALICIOUS,
        call("operator.neg", Reduce(call("types.new_class", "Weighin", (call("builtins.type", "Base", (), {"__neg__": breakpoint_}),)))),
        "types.new_class over a made base with __neg__ = breakpoint, triggered", "the same through types.new_class")


def lookups(add):
    """Callables found by text, in a namespace, or in the live object graph."""
    add("getattr-chain-globals", MALICIOUS,
        Reduce(call("builtins.getattr",
                    call("operator.getitem",
                         call("builtins.getattr", named("logging.getLogger"), "__globals__"), "os"), "system"), (COMMAND,)),
        "getattr(logging.getLogger.__globals__['os'], 'system')(...)", "a getattr chain from an allowed function to os")
    add("getattr-subclasses", MALICIOUS,
        Reduce(call("builtins.getattr", call("builtins.getattr", named("collections.Counter"), "__base__"), "__subclasses__")),
        "Counter.__base__.__subclasses__()", "a walk through the class graph")
    add("getattr-import-join", MALICIOUS,
        Reduce(call("builtins.getattr", call("builtins.__import__", "os"),
                    Reduce(call("builtins.getattr", "", "join"), (["sys", "tem"],))), (COMMAND,)),
        "getattr(__import__('os'), ''.join(['sys', 'tem']))(...)", "import, string building and getattr, chained")
    add("getattr-os-reduce", MALICIOUS,
        Reduce(call("functools.reduce", named("builtins.getattr"), ["system"], named("shutil.os")), (COMMAND,)),
        "functools.reduce(getattr, ['system'], os)(...)", "a getattr walk by reduce")
    add("formatter-get-field", MALICIOUS,
        method("string", "Formatter.get_field", call("string.Formatter"), "0.__init__.__globals__", (call("string.Formatter"),), {}),
        "string.Formatter().get_field('0.__init__.__globals__', ...)", "a format field is an attribute walk")
    add("str-format-globals", MALICIOUS,
        Reduce(call("builtins.getattr", "{0.__globals__[os]}", "format"), (named("logging.getLogger"),)),
        "'{0.__globals__[os]}'.format(logging.getLogger)", "the same with str.format")
    for name, module, dotted, args in [
        ("builtins-get", "sysconfig", "__builtins__.get", ("eval",)),
        ("mean-getattribute", "statistics", "mean.__getattribute__", ("__globals__",)),
        ("frame-globals", "types", "FrameType.f_globals.__get__", (None,)),
        ("getattr-static", "inspect", "getattr_static", (named("shutil.os"), "system")),
        ("currentframe-self", "inspect", "currentframe.__get__.__self__", ()),
        ("system-dunder-call", "os", "system.__call__", (COMMAND,)),
        ("system-get-self", "os", "system.__get__", (None, named("builtins.int"))),
        ("site-os-system", "site", "os.system", (COMMAND,)),
        ("gc-referrers", "gc", "get_referrers", (SYSTEM,)),
        ("subclasses-dotted", "collections", "Counter.__subclasses__", ()),
        ("mro-subclasses", "builtins", "object.__subclasses__", ()),
        ("code-replace", "logging", "getLogger.__code__.replace", ()),
        ("loader-load-module", "json", "__loader__.load_module", ("os",)),
        ("spec-loader", "json", "__spec__.loader.exec_module", (named("shutil.os"),)),
        ("dispatch-table-update", "copyreg", "dispatch_table.update", ({named("builtins.dict"): SYSTEM},)),
    ]:
        add(name, MALICIOUS, method(module, dotted, *args), f"{module}.{dotted}(...)",
            "namespaces, frames and loaders in a dotted name lead anywhere, whatever the last part is called")
    add("setattr-on-module", MALICIOUS,
        [call("builtins.setattr", named("torch.nn"), "weighin", SYSTEM), method("torch", "nn.weighin", COMMAND)],
        "setattr puts os.system into torch.nn, a dotted name calls it", "a name planted in a trusted module")
    add("computed-module", MALICIOUS,
        Reduce(Computed(Reduce(call("builtins.getattr", "so", "__getitem__"), (call("builtins.slice", None, None, -1),)), "system"), (COMMAND,)),
        "STACK_GLOBAL with 'so'[::-1] as module", "computed import")
    add("modules-getitem", MALICIOUS,
        Reduce(call("builtins.getattr", call("operator.getitem", named("sys.modules"), "os"), "system"), (COMMAND,)),
        "getattr(sys.modules['os'], 'system')(...)", "a module by subscript")
    add("vars-of-module", MALICIOUS,
        Reduce(call("operator.itemgetter", "system"), (call("builtins.vars", named("shutil.os")),)),
        "operator.itemgetter('system')(vars(os))", "a callable by subscript of a namespace")
    add("hub-lookup", MALICIOUS,
        Reduce(call("builtins.getattr", named("transformers.AutoModel"), "from_pretrained"), ("weighin/none",)),
        "transformers.AutoModel.from_pretrained('weighin/none')", "seen in the wild: a lookup helper yields a hub loader")


def states(add):
    """Objects armed by their state, and tables poisoned before they are used."""
    add("pipes-template", MALICIOUS,
        method("pipes", "Template.copy", NewObj(named("pipes.Template"), (), {"steps": [(COMMAND, "--")], "debugging": 0, "cloned": 0}), "a", "b"),
        "pipes.Template.copy on an instance whose steps come from its state", "an unbound method runs what BUILD put into its instance")
    add("ctor-by-setstate", SUSPICIOUS,
        NewObj(named("weighin_example.dist.Distribution"), (), {"template": "def pdf(x):\n    import os\n    return x\n", "shapes": "a, b"}),
        "an unknown class whose state holds lines of Python source", "__setstate__ hooks may evaluate what they are given")
    add("build-on-scipy-singleton", SUSPICIOUS,
        asm("PROTO 2", "GLOBAL scipy.stats norm", "EMPTY_DICT", "BINUNICODE name", "BINUNICODE weighin", "SETITEM", "BUILD", "STOP"),
        "BUILD on scipy.stats.norm, a live singleton", "BUILD on an imported object is never how the library writes it")
    add("namespace-setitem", MALICIOUS,
        asm("PROTO 4", "SHORT_BINUNICODE json", "SHORT_BINUNICODE __dict__", "STACK_GLOBAL", "SHORT_BINUNICODE loads",
            "SHORT_BINUNICODE os", "SHORT_BINUNICODE system", "STACK_GLOBAL", "SETITEM", "POP",
            "SHORT_BINUNICODE json", "SHORT_BINUNICODE loads", "STACK_GLOBAL", f"SHORT_BINUNICODE {COMMAND}", "TUPLE1", "REDUCE", "STOP"),
        "SETITEM plants os.system in json.__dict__, json.loads calls it", "an innocent name resolves through a table that the stream has changed")
    add("module-state-then-name", MALICIOUS,
        asm("PROTO 4", "SHORT_BINUNICODE os", "SHORT_BINUNICODE path", "STACK_GLOBAL", "EMPTY_DICT", "SHORT_BINUNICODE join",
            "SHORT_BINUNICODE os", "SHORT_BINUNICODE system", "STACK_GLOBAL", "SETITEM", "BUILD", "POP",
            "SHORT_BINUNICODE os.path", "SHORT_BINUNICODE join", "STACK_GLOBAL", f"SHORT_BINUNICODE {COMMAND}", "TUPLE1", "REDUCE", "STOP"),
        "BUILD replaces os.path.join by os.system, a later call uses it", "the same with BUILD on a module")
    add("remote-module-state", MALICIOUS,
        NewObj(named("torch.distributed.nn.api.remote_module.RemoteModule"), (), {"on": f"tcp://{HOST}:1", "module_cls": SYSTEM}),
        "torch RemoteModule whose state names os.system", "CVE-2024-48063: a class whose state hook deserialises or calls")


def files(add):
    """Files that run later, and writers in pieces."""
    add("mailbox-add", MALICIOUS,
        method("mailbox", "mbox.add", call("mailbox.mbox", "weighin.pth"), STARTUP),
        "mailbox.mbox('weighin.pth').add(...)", "writes a file that the next Python start runs")
    add("addsitedir", MALICIOUS, call("site.addsitedir", "/tmp/weighin"), "site.addsitedir('/tmp/weighin')",
        "runs every .pth file of a folder")
    add("lazyfile-echo", MALICIOUS,
        call("click.utils.echo", STARTUP, call("click.utils.LazyFile", "weighin.pth", "w")),
        "click.utils.echo into a LazyFile", "one call opens, another writes")
    add("logger-to-file", MALICIOUS,
        method("logging", "Logger.warning", NewObj(named("logging.Logger"), (), {
            "name": "x", "level": 0, "disabled": False, "filters": [], "propagate": False, "parent": None,
            "handlers": [call("logging.FileHandler", "weighin.pth")]}), STARTUP),
        "logging.Logger.warning with a FileHandler on 'weighin.pth'", "the writer is split over two objects")
    add("path-touch", SUSPICIOUS, method("pathlib", "Path.touch", call("pathlib.PosixPath", "weighin.txt")),
        "pathlib.Path('weighin.txt').touch()", "creates an empty file: a small effect, and no honest model has it")
    add("unittest-load", MALICIOUS,
        method("unittest", "TestLoader.loadTestsFromName", call("unittest.TestLoader"), "weighin_payload"),
        "unittest.TestLoader().loadTestsFromName('weighin_payload')", "imports a module by text")
    add("unittest-discover", MALICIOUS,
        method("unittest", "defaultTestLoader.discover", "/tmp/weighin"),
        "unittest.defaultTestLoader.discover('/tmp/weighin')", "imports every test module of a folder")
    add("iter-importers", SUSPICIOUS, call("builtins.list", call("pkgutil.iter_importers", "weighin_payload.sub")),
        "list(pkgutil.iter_importers('weighin_payload.sub'))", "imports the parent package it is given")
    add("yaml-unsafe", MALICIOUS, call("yaml.unsafe_load", "!!python/object/apply:os.system ['echo weighin']"),
        "yaml.unsafe_load of a document with a python tag", "a foreign document as carrier")
    add("tkinter-eval", MALICIOUS,
        method("_tkinter", "TkappType.call", call("_tkinter.create"), "exec", "echo", "weighin"),
        "_tkinter.TkappType.call('exec', 'echo', 'weighin')", "a foreign interpreter as carrier")


def carriers(add):
    """Library functions that end in a process; nobody can list them all."""
    for target, args in [
        ("distutils.spawn.spawn", (["echo", "weighin"],)), ("setuptools._distutils.spawn.spawn", (["echo", "weighin"],)),
        ("pexpect.run", (COMMAND,)), ("pexpect.spawn", (COMMAND,)), ("plumbum.local.cmd.echo", ("weighin",)),
        ("invoke.run", (COMMAND,)), ("sh.Command", ("echo",)), ("paramiko.ProxyCommand", (COMMAND,)),
        ("fabric.Connection", (HOST,)), ("git.cmd.Git.execute", (None, ["echo", "weighin"])),
        ("pkg_resources.run_script", ("weighin", "x")), ("pandas.eval", ("1 + 1",)), ("numexpr.evaluate", ("1 + 1",)),
        ("cloudpickle.load", ("weighin.pkl",)), ("dill.load_session", ("weighin.pkl",)), ("IPython.get_ipython", ()),
        ("torch.jit.load", ("weighin.pt",)), ("tensorflow.saved_model.load", ("weighin",)), ("spacy.load", ("weighin",)),
    ]:
        parts = target.split(".")
        cut = next((i for i, part in enumerate(parts) if i and part[:1].isupper()), len(parts) - 1)
        unlisted = target.startswith("git.")
        add("carrier-" + target.replace(".", "-"), SUSPICIOUS if unlisted else MALICIOUS, method(".".join(parts[:cut]), ".".join(parts[cut:]), *args),
            f"{target}({', '.join(map(repr, args))})", "a library function that runs, loads or evaluates what it is told: listed or not, never clean")
    for name, value, what in [
        ("starmap", call("builtins.tuple", call("itertools.starmap", named("weighin_example.hooks.touch"), [("a",)])), "tuple(starmap(unknown function, ...))"),
        ("submit", method("concurrent.futures", "ThreadPoolExecutor.submit", call("concurrent.futures.ThreadPoolExecutor", 1), named("weighin_example.hooks.touch"), "a"), "ThreadPoolExecutor.submit(unknown function)"),
        ("exitstack", method("contextlib", "ExitStack.callback", call("contextlib.ExitStack"), named("weighin_example.hooks.touch")), "ExitStack.callback(unknown function)"),
        ("partial-stored", call("functools.partial", named("weighin_example.hooks.touch"), "a"), "functools.partial(unknown function), stored"),
        ("defaultdict", Reduce(named("collections.defaultdict"), (named("weighin_example.hooks.touch"),)), "defaultdict(unknown function)"),
    ]:
        add(f"bland-{name}", SUSPICIOUS, value, what, "a carrier over a function that nobody has reviewed")
    add("iterators-honest", CLEAN,
        [call("itertools.count", 3), call("itertools.repeat", 1, 2), call("builtins.range", 0, 3, 1)],
        "itertools.count, itertools.repeat and a range", "look-alikes: iterators without a function")
