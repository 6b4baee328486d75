"""Pickles as real programs write them: the look-alikes that must stay clean."""

import struct

from . import objects
from .objects import array, array5, dtype, estimator, ordered_dict, scalar
from .opcodes import Global, NewObj, Reduce, asm, call, dumps, named
from .registry import CLEAN, INCOMPLETE, SUSPICIOUS

GETATTR = named("builtins.getattr")


def add_samples(corpus):
    def add(name, value, what, why, protocol=4, verdict=CLEAN):
        data = value if isinstance(value, bytes) else dumps(value, protocol)
        corpus.add(f"pickle/honest-{name}.pkl", verdict, data, what, why)

    builtin_types(add)
    standard_library(add)
    bound_names(add)
    numpy_and_pandas(add)
    estimators(add)
    torch_pickles(add)
    code_by_value(add)


def builtin_types(add):
    value = {"name": "linear", "layers": [1, 2, 300, 70000, -5, 1 << 40], "rate": 1e-3, "bias": None,
             "flags": (True, False), "raw": b"\x00\x01\xff", "text": "Ärger\n", "nested": {"a": [[], {}, ()]}}
    for protocol in range(6):
        add(f"dict-p{protocol}", value, f"a dictionary of numbers, strings, lists and bytes, protocol {protocol}",
            "plain data in each protocol's own opcodes", protocol)
    add("sets", [{1, 2, 3}, frozenset(["a", "b"])], "a set and a frozenset", "EMPTY_SET, ADDITEMS and FROZENSET")
    add("sets-p2", [{1, 2, 3}, frozenset(["a", "b"])], "a set and a frozenset, protocol 2", "they are calls of __builtin__.set there", 2)
    add("bytearray", bytearray(b"weights"), "a bytearray, protocol 4", "a call of builtins.bytearray")
    add("bytearray-p5", bytearray(b"weights"), "a bytearray, protocol 5", "BYTEARRAY8", 5)
    add("range-slice-complex", [call("builtins.range", 0, 3, 1), call("builtins.slice", 1, 2, None), call("builtins.complex", 1.0, 2.0)],
        "a range, a slice and a complex number", "builtins that are called to be rebuilt")
    add("types-as-values", [named("builtins.int"), named("builtins.list"), Reduce(named("builtins.type"), (None,)), named("builtins.Ellipsis")],
        "int, list, type(None) and Ellipsis as values", "one-argument type() is how NoneType is pickled")
    add("builtin-functions", [named("builtins.len"), named("builtins.print"), named("math.sqrt"), named("builtins.sum")],
        "len, print, math.sqrt and sum as values", "harmless functions that nothing calls")
    add("long-strings", {"a" * 300: "b" * 7000}, "a string of 7000 characters", "BINUNICODE")
    add("many-memo-entries", [f"token{i}" for i in range(400)] + ["token3"], "401 strings of a vocabulary, protocol 2",
        "LONG_BINPUT and LONG_BINGET", 2)
    add("shared-and-recursive", shared(), "a dictionary that holds one list twice and itself", "shared values by memo")
    add("exception", Reduce(named("builtins.ValueError"), ("bad input",)), "a ValueError object", "exceptions are calls of their class")
    add("empty-tuple-p0", (), "an empty tuple, protocol 0", "the smallest of streams: no magic at all", 0)
    add("python2-strings", asm("MARK", "DICT", "PUT 0", r"STRING 'weights'", "PUT 1", r"STRING '\x00\x01'", "PUT 2", "SETITEM",
                               "BINSTRING name", "SHORT_BINSTRING net", "SETITEM", "STOP"),
        "a Python 2 dictionary with byte strings", "STRING, BINSTRING and SHORT_BINSTRING as data")
    add("crlf-p0", asm("MARK", "LIST", ("RAW", b"I1\r\n"), "APPEND", ("RAW", b"I-2\r\n"), "APPEND", "STOP"),
        "a protocol-0 list with carriage returns before the line ends", "a text-mode copy: the loader accepts it")


def shared():
    inner = [1, 2]
    outer = {"a": inner, "b": inner}
    outer["self"] = outer
    return outer


def standard_library(add):
    date = call("datetime.datetime", b"\x07\xe8\x01\x02\x03\x04\x05\x00\x00\x00")
    zone = call("datetime.timezone", call("datetime.timedelta", 0, 0, 0))
    add("datetime", [date, call("datetime.date", b"\x07\xe8\x01\x01"), call("datetime.timedelta", 1, 0, 0),
                     call("datetime.datetime", b"\x07\xe8\x01\x02\x00\x00\x00\x00\x00\x00", zone)],
        "datetime, date, timedelta and a time zone", "calls of standard-library classes with bytes")
    add("datetime-p2", [date], "a datetime, protocol 2", "_codecs.encode(..., 'latin1') is how bytes are written", 2)
    add("collections", [ordered_dict([("a", 1), ("b", 2)]), call("collections.Counter", {"a": 2}),
                        Reduce(named("collections.deque"), ((), 5), items=(1, 2)),
                        Reduce(named("collections.defaultdict"), (named("builtins.list"),), pairs=(("a", [1]),)),
                        Reduce(named("collections.defaultdict"), (named("builtins.int"),), pairs=(("a", 1),)),
                        Reduce(named("collections.defaultdict"), (None,)),
                        Reduce(named("collections.OrderedDict"), (), {"_metadata": ordered_dict([])})],
        "OrderedDict, Counter, deque and defaultdicts of list, int and None", "look-alikes of poisoned factories and odd targets")
    add("enum", [call("re.RegexFlag", 2), call("signal.Signals", 15), call("uuid.SafeUUID", 0)], "enum members", "an enum member is a call of its class with a value")
    add("uuid", NewObj(named("uuid.UUID"), (), {"int": 5}), "a UUID", "the uuid module also has a command runner")
    add("decimal-fraction", [call("decimal.Decimal", "1.5"), call("fractions.Fraction", 1, 2)], "a Decimal and a Fraction", "calls with text")
    add("paths", [call("pathlib.PosixPath", "/", "data", "train.csv"), call("pathlib.PurePosixPath", "a", "b"), call("pathlib.WindowsPath", "C:\\", "x")],
        "stored paths", "a path that nothing opens is data")
    add("namespaces", [Reduce(named("types.SimpleNamespace"), (), {"lr": 0.1}), NewObj(named("argparse.Namespace"), (), {"epochs": 3})],
        "a SimpleNamespace and an argparse.Namespace", "state by BUILD on fresh objects")
    add("getters", [call("operator.itemgetter", 1), call("operator.attrgetter", "name"), call("operator.methodcaller", "lower")],
        "itemgetter, attrgetter and methodcaller with constants", "stored key functions that nothing calls")
    add("getters-slices", [call("operator.itemgetter", call("builtins.slice", 1, 2, None)), call("operator.itemgetter", "a", ("b", 0)),
                           call("operator.attrgetter", "shape", "dtype.name"), call("operator.methodcaller", "split", ",")],
        "itemgetter of a slice, getters of several keys", "keys of every kind that nothing calls")
    flag = lambda name: Reduce(GETATTR, (named("re.RegexFlag"), name))
    add("flags", [call("operator.or_", flag("IGNORECASE"), flag("MULTILINE")), call("operator.or_", call("operator.or_", flag("ASCII"), flag("VERBOSE")), flag("DOTALL")),
                  call("operator.or_", call("re.RegexFlag", 8), 1024)],
        "re.I | re.M and the like, as Python 3.11 pickles them", "members of a flag joined by operator.or_")
    add("kept-methods", [named("builtins.memoryview"), named("builtins.super"), *(Reduce(GETATTR, (named("builtins.dict"), name)) for name in ("get", "items", "update")),
                         named("operator.setitem"), *(Reduce(named("functools.partial"), (function,), (function, (), {}, None)) for function in
                         (named("builtins.sorted"), Reduce(GETATTR, (named("builtins.str"), "replace")), named("json.dumps")))],
        "methods of dictionaries, and partials over sorted, str.replace and json.dumps", "stored functions that act on what they will be called with")
    add("stored-settings", [NewObj(named(name), (), state) for name, state in (
        ("json.encoder.JSONEncoder", {"skipkeys": False, "indent": None}), ("contextlib.nullcontext", {"enter_result": None}),
        ("logging.LoggerAdapter", {"logger": call("logging.getLogger", "train"), "extra": None}), ("textwrap.TextWrapper", {"width": 70}),
        ("calendar.Calendar", {"firstweekday": 0}), ("reprlib.Repr", {"maxlevel": 6}))],
        "an encoder, a wrapper of text, a context that does nothing and a logger", "objects of standard classes with plain state")
    add("regex", call("re._compile", "[a-z]+", 32), "a compiled regular expression", "re._compile is how patterns are pickled")
    add("logger-by-name", call("logging.getLogger", "train"), "a logger", "loggers are pickled by name")
    add("partial-ufunc", Reduce(named("functools.partial"), (named("numpy.add"),), (named("numpy.add"), (1,), {}, None)),
        "functools.partial(numpy.add, 1)", "a partial over a harmless function")
    add("partial-loss", {"criterion": Reduce(named("functools.partial"), (named("torch.nn.functional.cross_entropy"),),
                                             (named("torch.nn.functional.cross_entropy"), (), {"label_smoothing": 0.1}, None))},
        "functools.partial over a torch loss", "training code stores its loss so")
    add("random-state", Reduce(named("random.Random"), (), (3, (*range(624), 624), None)), "a random.Random with its state", "state by BUILD")
    add("ordered-dict-p2", ordered_dict([("weight", [0.5])]), "an OrderedDict, protocol 2", "the top of every state_dict", 2)
    add("ordered-dict-python2", Reduce(named("collections.OrderedDict"), ([["a", 1], ["b", 2]],)), "an OrderedDict as Python 2 wrote it",
        "pairs as argument, not as items", 2)
    add("copyreg-p0", NewObj(named("weighin_example.models.Net"), (), {"width": 3}), "an ordinary object, protocol 0",
        "copy_reg._reconstructor of a class", 0)
    add("newobj-ex", asm("PROTO 4", "SHORT_BINUNICODE weighin_example.models", "SHORT_BINUNICODE Point", "STACK_GLOBAL", "EMPTY_TUPLE",
                         "EMPTY_DICT", "SHORT_BINUNICODE x", "BININT1 1", "SETITEM", "NEWOBJ_EX", "STOP"),
        "an object by NEWOBJ_EX with a keyword", "the honest use of NEWOBJ_EX")


    ctypes_number = lambda kind, data: Reduce(named("_ctypes._unpickle"), (named(f"ctypes.{kind}"), ({}, data)))  # noqa: E731
    add("ctypes-numbers", [ctypes_number("c_int", b"\5\0\0\0"), ctypes_number("c_double", bytes(8)), ctypes_number("c_bool", b"\1")],
        "an int, a double and a bool of C", "the bytes of a number are copied into it")
    parser = "configparser.ConfigParser"
    section = NewObj(named("configparser.SectionProxy"), state={"_name": "train", "_parser": None, "get": call("functools.partial", named("configparser.SectionProxy.get"))})
    add("config-parser", NewObj(named(parser), state={"_sections": {"train": {"lr": "0.1"}}, "_proxies": {"train": section},
        "_converters": NewObj(named("configparser.ConverterMapping"), state={"_data": {}}), "_interpolation": NewObj(named("configparser.BasicInterpolation"))}),
        "settings of a run, as configparser keeps them", "reading a file is a method, which nothing calls here")
    add("enum-members", [call("weighin_example.options.LossKind", "mse"), call("weighin_example.options.Phase", 1), call("weighin_example.options.Corner", (0, 1)),
        call("weighin_example.options.ReductionType", "sum")], "members of enumerations of a package that nobody reviewed", "Enum.__reduce_ex__ gives the class and the value")


def bound_names(add):
    add("bound-method", Reduce(GETATTR, ([], "append")), "a bound method of a list", "getattr(object, constant) is how Python pickles bound methods")
    add("classmethods", [Reduce(GETATTR, (named("datetime.datetime"), "fromisoformat")), Reduce(GETATTR, (named("collections.OrderedDict"), "fromkeys"))],
        "bound classmethods", "the same on classes")
    add("nested-class", [Global("weighin_example.models", "Net.Config"), Global("sklearn.metrics._dist_metrics", "DistanceMetric64.get_metric")],
        "nested names, protocol 4", "dots in a name are also Outer.Inner and classmethods")
    add("nested-class-p2", Reduce(GETATTR, (named("weighin_example.models.Net"), "Config")), "a nested class, protocol 2",
        "before protocol 4, Python pickles nested names by getattr", 2)
    add("scipy-method", {"kind": "linear", "_call": Reduce(GETATTR, (NewObj(named("scipy.interpolate._interpolate.interp1d"), (), {
        "x": array([0.0, 1.0]), "y": array([1.0, 2.0]), "bounds_error": True}), "_call_linear"))},
        "a bound method of scipy's interp1d", "fitted interpolators hold their own methods")
    frozen = NewObj(named("scipy.stats._distn_infrastructure.rv_continuous_frozen"), (), {
        "args": (0, 1), "kwds": {}, "a": scalar(0.0), "b": scalar(1.0),
        "dist": NewObj(named("scipy.stats._continuous_distns.uniform_gen"), (), {"name": "uniform", "badvalue": float("nan"), "shapes": None})})
    add("scipy-frozen", {"param_distributions": {"C": frozen}}, "a frozen scipy distribution", "as RandomizedSearchCV keeps it")


def numpy_and_pandas(add):
    weights = [0.25, 0.5, -1.0]
    for protocol in (0, 2, 3, 4):
        add(f"numpy-array-p{protocol}", array(weights, "f4", numpy1=protocol == 2), f"a float32 array, protocol {protocol}",
            "_reconstruct and BUILD; before protocol 3 the bytes go through _codecs.encode", protocol)
    add("numpy-array-p5", array5(weights, "f4"), "a float32 array, protocol 5", "_frombuffer over a BYTEARRAY8", 5)
    add("numpy-array-fortran", array([1, 2, 3, 4], "i8", (2, 2), fortran=True), "a 2x2 array in Fortran order", "another layout")
    add("numpy-array-objects", array(["cat", None, 3], "O8"), "an object array of a string, None and a number", "object arrays are lists in the state")
    add("numpy-array-empty", array([], "f8", (0, 4)), "an array of shape (0, 4)", "no data at all")
    add("numpy-array-structured", Reduce(named("numpy._core.multiarray._reconstruct"), (named("numpy.ndarray"), (0,), b"b"),
        (1, (2,), Reduce(named("numpy.dtype"), ("V12", False, True), (3, "|", None, ("id", "score"), {
            "id": (dtype("i4"), 0), "score": (dtype("f8"), 4)}, 12, 1, 16)), False, struct.pack("<idid", 1, 0.5, 2, 0.25))),
        "a structured array", "a dtype with fields")
    add("numpy-scalars", {"best_score": scalar(0.97), "n_iter": scalar(12, "i8")}, "numpy scalars", "numpy._core.multiarray.scalar")
    add("numpy-dtypes", [dtype("f4"), named("numpy.float32"), named("numpy.dtypes.Float32DType")], "dtypes as values", "types and dtype objects")
    add("numpy-masked", Reduce(named("numpy.ma.core._mareconstruct"), (named("numpy.ma.MaskedArray"), named("numpy.ndarray"), (0,), "b"),
                               (1, (2,), dtype("f8"), False, struct.pack("<2d", 1, 2), b"\x00\x01", None)),
        "a masked array", "numpy.ma's own constructor")
    add("numpy-generator", Reduce(named("numpy.random._pickle.__generator_ctor"), (Reduce(
        named("numpy.random._pickle.__bit_generator_ctor"), (named("numpy.random._pcg64.PCG64"),),
        ({"bit_generator": "PCG64", "state": {"state": 35399562948360463058890781895381311971, "inc": 87136372517582989555478159403783844777},
          "has_uint32": 0, "uinteger": 0}, None)),)), "a numpy random Generator", "rng_state files hold these")
    add("numpy-randomstate", Reduce(named("numpy.random._pickle.__randomstate_ctor"), ("MT19937",),
                                    {"bit_generator": "MT19937", "state": {"key": array(list(range(624)), "u4"), "pos": 624},
                                     "has_gauss": 0, "gauss": 0.0}), "a numpy RandomState", "estimators keep their random state")
    for protocol in (2, 4, 5):
        add(f"dataframe-p{protocol}", objects.dataframe(), f"a pandas DataFrame, protocol {protocol}", "blocks, indexes and manager", protocol)
    column = Reduce(named("pandas.core.indexes.base._new_Index"),
                    (named("pandas.core.indexes.range.RangeIndex"), {"name": None, "start": 0, "stop": 2, "step": 1}))
    add("series", NewObj(named("pandas.core.series.Series"), (), {
        "_mgr": NewObj(named("pandas.core.internals.managers.SingleBlockManager"), (), ([column], [array([1.5, 2.5])], [column], {
            "0.14.1": {"axes": [column], "blocks": [{"values": array([1.5, 2.5]), "mgr_locs": call("builtins.slice", 0, 2, 1)}]}})),
        "_typ": "series", "_metadata": ["_name"], "attrs": {}, "_flags": {"allows_duplicate_labels": True}, "_name": "s"}),
        "a pandas Series", "the single-block manager's state")


def estimators(add):
    scaler = estimator("sklearn.preprocessing._data.StandardScaler", {
        "with_mean": True, "with_std": True, "copy": True, "n_features_in_": 2, "n_samples_seen_": scalar(4, "i8"),
        "mean_": array([3.0, 4.0]), "var_": array([5.0, 5.0]), "scale_": array([2.25, 2.25])})
    regression = estimator("sklearn.linear_model._logistic.LogisticRegression", {
        "penalty": "l2", "C": 1.0, "tol": 1e-4, "solver": "lbfgs", "max_iter": 100, "random_state": None,
        "classes_": array([0, 1], "i8"), "coef_": array([0.5, -0.25], "f8", (1, 2)), "intercept_": array([0.1]), "n_iter_": array([7], "i4")})
    for protocol in (2, 3, 4, 5):
        add(f"sklearn-pipeline-p{protocol}", estimator("sklearn.pipeline.Pipeline", {
            "steps": [("scale", scaler), ("model", regression)], "memory": None, "verbose": False, "transform_input": None}),
            f"a fitted scikit-learn pipeline, protocol {protocol}", "estimators are NEWOBJ and BUILD with arrays in the state", protocol)
    tree = Reduce(named("sklearn.tree._tree.Tree"), (2, array([2], "i8"), 1),
                  {"max_depth": 1, "node_count": 1, "nodes": array([0.0]), "values": array([1.0, 1.0], "f8", (1, 1, 2))})
    add("sklearn-tree", estimator("sklearn.tree._classes.DecisionTreeClassifier", {
        "criterion": "gini", "splitter": "best", "max_depth": 3, "n_features_in_": 2, "n_outputs_": 1,
        "classes_": array([0, 1], "i8"), "n_classes_": scalar(2, "i8"), "max_features_": 2, "tree_": tree}),
        "a fitted decision tree", "a Cython class that is called with sizes and given a state")
    add("sklearn-vectorizer", estimator("sklearn.feature_extraction.text.TfidfVectorizer", {
        "input": "content", "encoding": "utf-8", "analyzer": "word", "token_pattern": r"(?u)\b\w\w+\b", "dtype": named("numpy.float64"),
        "vocabulary_": {"os": scalar(0, "i8"), "system": scalar(1, "i8"), "eval": scalar(2, "i8"), "import": scalar(3, "i8")}, "ngram_range": (1, 1)}),
        "a fitted TfidfVectorizer whose vocabulary holds alarming words", "vocabularies hold any word")
    add("sklearn-cython-loss", estimator("sklearn.ensemble._gb.GradientBoostingClassifier", {
        "_loss": estimator("sklearn._loss.loss.HalfBinomialLoss", {
            "closs": Reduce(named("sklearn._loss._loss.__pyx_unpickle_CyHalfBinomialLoss"),
                            (named("sklearn._loss._loss.CyHalfBinomialLoss"), 238750788, None)), "n_classes": 2}),
        "n_estimators": 1, "learning_rate": 0.1}),
        "a gradient boosting classifier with its Cython loss", "__pyx_unpickle_* functions")
    add("sklearn-function-transformer", estimator("sklearn.preprocessing._function_transformer.FunctionTransformer", {
        "func": named("numpy.log1p"), "inverse_func": named("numpy.expm1"), "validate": False, "kw_args": None}),
        "a FunctionTransformer over numpy.log1p", "a harmless function as a parameter")
    add("xgboost", NewObj(named("xgboost.sklearn.XGBClassifier"), (), {"n_estimators": 2, "objective": "binary:logistic", "_Booster": NewObj(
        named("xgboost.core.Booster"), (), {"feature_names": None, "handle": bytearray(b'{L\x00\x00\x00\x00\x00\x00\x00\x06Config{}L\x00\x00\x00\x00\x00\x00\x00\x05Model{}}')})}),
        "an XGBClassifier with its booster as raw bytes", "the model is a bytearray of another format", 5)
    add("training-args", NewObj(named("transformers.training_args.TrainingArguments"), (), {
        "output_dir": "out", "learning_rate": 5e-5, "evaluation_strategy": call("transformers.trainer_utils.IntervalStrategy", "no"),
        "lr_scheduler_type": call("transformers.trainer_utils.SchedulerType", "linear"), "hub_token": None,
        "_n_gpu": 1, "__cached__setup_devices": call("torch.device", "cuda", 0),
        "distributed_state": NewObj(named("accelerate.state.PartialState"), (), {"_cpu": False, "backend": None})}),
        "transformers training_args.bin", "enums, a device and an accelerate state")
    add("lightgbm", NewObj(named("lightgbm.basic.Booster"), (), {"handle": "tree\nversion=v4\nnum_class=1\n", "params": {}, "best_iteration": 0}),
        "a LightGBM booster with its model as text", "the model is a string of another format")


def torch_pickles(add):
    from .torch import legacy_file, small_state_dict
    inner = legacy_file(*small_state_dict(legacy=True))
    add("torch-load-from-bytes", {"weights": call("torch.storage._load_from_bytes", inner)},
        "torch.storage._load_from_bytes of an honest tensor file", "torch tensors inside other pickles; the bytes are examined and found clean")
    add("torch-rng-state", {"python": (3, tuple(range(6)), None), "numpy": ("MT19937", array([1, 2, 3], "u4"), 624, 0, 0.0),
                            "cpu": call("torch._utils._rebuild_tensor_v2", call("torch.storage._load_from_bytes", inner), 0, (4,), (1,), False, ordered_dict([]))},
        "a trainer's rng_state", "random states of three libraries")
    add("torch-size-dtype", {"shape": call("torch.Size", [2, 3]), "device": call("torch.device", "cpu"), "dtype": named("torch.float16")},
        "torch.Size, torch.device and a dtype", "small torch values")
    add("fastai-partial", {"opt_func": Reduce(named("functools.partial"), (named("fastai.optimizer.Adam"),), (named("fastai.optimizer.Adam"), (), {"lr": 1e-3}, None))},
        "functools.partial over a fastai optimizer", "fastai exports its learner with partials")


def code_by_value(add):
    """Functions carried as code: not called, but code from nobody knows where."""
    from .marshal import simple_function_311
    code = simple_function_311()
    add("cloudpickle-function", Reduce(named("cloudpickle.cloudpickle._make_function"), (
        call("types.CodeType", 1, 0, 0, 1, 2, 3, code, (None, 1), (), ("x",), "train.py", "plus_one", "plus_one", 1, b"\x80\x00", b"", (), ()),
        {"__name__": "train", "__package__": None, "__file__": "train.py"}, None, None, None)),
        "a function carried by value as cloudpickle writes it", "its code comes with the file, and nothing in the stream calls it", verdict=SUSPICIOUS)
    add("dill-function", Reduce(named("dill._dill._create_function"), (
        call("dill._dill._create_code", 1, 0, 0, 1, 2, 3, code, (None, 1), (), ("x",), "train.py", "plus_one", 1, b"", (), ()),
        {"__name__": "__main__"}, "plus_one", None, None)),
        "a function carried by value as dill writes it", "the same with dill", verdict=SUSPICIOUS)
    add("cloudpickle-class", Reduce(named("cloudpickle.cloudpickle._make_skeleton_class"), (
        named("builtins.type"), "Scale", (named("builtins.object"),), {"__module__": "__main__", "__doc__": None}, "f3b1", None)),
        "a class carried by value as cloudpickle writes it", "a class made by the stream, with no borrowed functions in it", verdict=SUSPICIOUS)
    add("dill-types", [call("dill._dill._load_type", name) for name in ("dict", "NoneType", "property")],
        "dill._dill._load_type of three built-in types", "dill writes every type so: a lookup in a fixed table")
    add("text-not-pickle", b"I love this model.\n", "a line of text in a .pkl file", "not a pickle, whatever its name says", verdict=INCOMPLETE)
