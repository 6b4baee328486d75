"""What libraries build and evaluate when a pickle is loaded: each honest sample beside the attack that looks like it."""

from . import marshal
from .keras import code_object, keras_file, layer, sequential
from .objects import dtype, ordered_dict
from .opcodes import Global, NewObj, Reduce, call, dumps, named
from .registry import CLEAN, COMMAND, MALICIOUS, SUSPICIOUS

GETATTR = named("builtins.getattr")
SYSTEM = named("os.system")
CLOUDPICKLE = "cloudpickle.cloudpickle."
DILL = "dill._dill."


def add_samples(corpus):
    def add(name, verdict, value, what, why):
        corpus.add(f"pickle/{name}.pkl", verdict, dumps(value, 4), what, why)

    formulas(add)
    names(add)
    functions(add)
    objects_of_classes(add)
    dill(add)
    archives(add)
    graphs(add)
    made_classes(add)


def graphs(add):
    """Modules that torch.fx has traced: the text of `forward` is executed, and called on placeholders."""
    imports = "from torch import device\nfrom math import inf\nimport torch.fx._pytree as fx_pytree\nNoneType = type(None)\nimport torch\n" \
              "from builtins import getattr as getattr"
    forward = """


def forward(self, x, flag : torch.Tensor = None):
    conv = self.conv(x);  x = None
    scale = self._tensor_constant0
    relu = torch.nn.functional.relu(conv, inplace = False);  conv = None
    interpolate = torch.nn.functional.interpolate(relu, scale_factor = 2.0, mode = 'bilinear');  relu = None
    getitem = interpolate[(slice(None, None, None), slice(None, 4, None))];  interpolate = None
    size = getitem.size(0)
    view = getitem.view(size, -1);  getitem = size = None
    einsum = torch.functional.einsum('bi,i->bi', view, scale)
    to = einsum.to(torch.float32);  einsum = None
    l_0 = getattr(self.layers, "0/MatMul")(to)
    shape = to.shape;  to = None
    return {'out': l_0 * 2 + inf, 'shape': shape}
"""

    def graph(text, imports=imports, **more):
        relu = NewObj(named("torch.nn.modules.activation.ReLU"), (), {"training": False, "_modules": {}})
        body = {"training": False, "_parameters": {}, "_buffers": {}, "_modules": {"conv": relu, "layers": relu}, "_code": text,
                "_tracer_cls": named("torch.fx._symbolic_trace.Tracer"), "_tracer_extras": {}, "_graphmodule_cls_name": "Net", **more}
        return call("torch.fx.graph_module.reduce_graph_module", body, imports)

    def one(line, **more):
        return graph(f"\n\n\ndef forward(self, x):\n    {line}\n    return x\n", **more)

    add("honest-fx-graph", CLEAN, graph(forward), "a module that torch.fx has traced", "its text passes values between submodules and functions of tensors")
    for name, value, what in [
        ("import", one(f"import os; os.system({COMMAND!r})"), "whose text imports os"),
        ("module-level", graph(forward + f"\n__import__('os').system({COMMAND!r})\n"), "with a statement behind the function"),
        ("default", graph("\n\n\ndef forward(self, x = torch.hub.load('weighin/none', 'net')):\n    return x\n"), "with a default that is computed"),
        ("decorator", graph("\n\n\n@torch.compile\ndef forward(self, x):\n    return x\n"), "with a decorator"),
        ("load", one("y = torch.load('weights')"), "whose text loads another file"),
        ("method", one("y = torch.zeros(3).numpy().tofile('weights')"), "whose text writes a file by a method of numpy"),
        ("walk", one(f"y = torch.os.system({COMMAND!r})"), "whose text walks through torch to os"),
        ("internals", one("y = x.__class__"), "whose text gets at a special attribute"),
        ("text-for-attribute", one(f"y = self.run({COMMAND!r})"), "whose text hands a command to an attribute"),
        ("function-of-package", one("y = self.run(3)", run=named("weighin_example.helpers.prepare")), "that calls an attribute, a function of an unknown package"),
        ("imports", one("y = x", imports="import torch\nimport weighin_example\n"), "that imports another package"),
        ("tracer", one("y = x", _tracer_cls=named("weighin_example.trace.Tracer")), "that is traced by a class of another package"),
        ("other-code", graph("", code="\n\n\nimport os\ndef forward(self, x):\n    return x\n"), "whose text stands under the older key"),
        ("code-made", graph(call("builtins.str", call("weighin_example.helpers.prepare", 1)), code=forward), "whose text is made while loading, beside an honest one"),
        ("key-made", call("torch.fx.graph_module.reduce_graph_module", {"_code": forward, call("builtins.str", call("weighin_example.helpers.prepare", 1)): "import os"}, imports),
         "that has another text under a key that is made while loading"),
        ("names", one("\uff47etattr = self.run; y = getattr(x, 'weights')"), "whose text has a name in full-width letters, which Python reads as getattr"),
    ]:
        add(f"fx-graph-{name}", MALICIOUS, value, f"a traced module {what}", "loading executes the text, and calls the function on placeholders")


def made_classes(add):
    """Classes that libraries make anew when a pickle is loaded."""
    fitness = call("deap.creator.meta_create", "FitnessMax", named("deap.base.Fitness"), {"weights": (1.0,)})
    individual = call("deap.creator.meta_create", "Individual", named("builtins.list"), {"fitness": fitness})
    add("honest-deap-population", CLEAN, {"population": [NewObj(individual, (), {"fitness": NewObj(fitness, (), {"wvalues": (1.0,)})}, items=(1, 0, 1))]},
        "a population of DEAP", "its classes are made by name, of a base and constants")
    method = call("deap.creator.meta_create", "Individual", named("builtins.list"), {"extend": named("weighin_example.helpers.prepare")})
    add("deap-class-with-function", MALICIOUS, NewObj(method, (), items=("weights",)), "a class of DEAP with a function of an unknown package for a method", "loading the items calls it")
    state = call("deap.creator.meta_create", "Individual", named("builtins.list"), {"__setstate__": SYSTEM})
    add("deap-class-with-state-hook", MALICIOUS, NewObj(state, (), COMMAND), "a class of DEAP whose state is handed to os.system", "special methods are attributes like any other")
    add("deap-class-of-popen", MALICIOUS, Reduce(call("deap.creator.meta_create", "Individual", named("subprocess.Popen"), {}), (["echo", "weighin"],)), "a class of DEAP like subprocess.Popen", "a class does what its base does")
    add("honest-dill-namedtuple", CLEAN, NewObj(call(DILL + "_create_namedtuple", "Results", ("x", "fun"), "weighin_example.optimise"), (1, 2)),
        "a tuple with names, saved with dill", "it is looked up, or made when it is not there")
    add("dill-namedtuple-of-os", MALICIOUS, Reduce(call(DILL + "_create_namedtuple", "system", ("command",), "os"), (COMMAND,)), "os.system by way of dill's tuples with names", "what is there under the name is taken")
    def bound(function, cls):
        return call("types.MethodType", named(function), NewObj(named(cls), (), {"width": 3}))

    add("honest-own-method", CLEAN, {"predict": bound("weighin_example.models.Net.predict", "weighin_example.models.Net")}, "a method that is bound to an object of its class",
        "dill and cloudpickle write bound methods so")
    add("method-of-another-package", SUSPICIOUS, {"predict": bound("weighin_example.models.Net.predict", "sklearn.linear_model.LinearRegression")}, "a method that is bound to an object of another package",
        "nothing that an honest object has")
    variable = NewObj(named("formulaic.utils.variables.Variable"), ("b",), {"roles": {call("formulaic.utils.variables.Variable.Role", "value")}, "source": None})
    add("honest-formulaic-parts", CLEAN, [variable, call("formulaic.utils.sentinels.Sentinel", "UNSET"), NewObj(named("formulaic.transforms.contrasts.ContrastsState"), (), {"levels": ["x"]})],
        "a variable, a sentinel and contrasts of a formula", "what formulaic evaluates are factors, and none is here")
    def cython(module, cls, *args):
        return Reduce(named(f"{module}.__pyx_unpickle_Updater"), (named(cls), 119629453, args or None))

    add("honest-compiled-class", CLEAN, [cython("weighin_example.recursions", "weighin_example.recursions.Updater", -1.0, 0, 1), call("weighin_example.tries.BytesTrie")],
        "an object of a class that Cython compiled, and one made without arguments", "state comes with the call, or behind it")
    add("compiled-class-of-popen", MALICIOUS, Reduce(named("weighin_example.recursions.__pyx_unpickle_Updater"), (named("subprocess.Popen"), 119629453, (["echo", "weighin"],))),
        "a helper of Cython handed subprocess.Popen", "what it makes is an object of the class it is given")
    add("compiled-class-without-checksum", SUSPICIOUS, Reduce(named("weighin_example.recursions.__pyx_unpickle_Updater"), (named("weighin_example.recursions.Updater"), "weights", None)),
        "a function that is called like a helper of Cython, and given a text", "Cython's are given a number")
    add("honest-array-subclass", CLEAN, call("numpy._core.multiarray._reconstruct", named("weighin_example.profiles.mparray"), (0,), b"b"), "an array of a subclass that is written in small letters",
        "numpy makes an array of it, and calls nothing")
    def with_default(module, attribute, default, *args):
        return Reduce(Reduce(GETATTR, (call(DILL + "_import_module", module), attribute, named(default))), args)

    function = Reduce(named(DILL + "_create_function"), (call(DILL + "_create_code", *([0] * 6)), {}, "f", None, None))
    add("dill-function-with-attribute", SUSPICIOUS, with_default("dill._dill", "_setattr", "builtins.setattr", function, "__doc__", "what it does"), "an attribute that dill sets on a function it carries", "the code of the function is what is to be looked at; setattr stands in for what older versions lack")
    add("dill-function-in-module", SUSPICIOUS, Reduce(named(DILL + "_create_function"), (call(DILL + "_create_code", *([0] * 6)), named("weighin_example.fitters.__dict__"), "f", None, None)),
        "a function that dill carries, with the names of its module", "code that is carried sees what it asks for in any case")
    add("dill-items-in-module", MALICIOUS, call(DILL + "_setitems", named("weighin_example.fitters.__dict__"), {"fit": named("weighin_example.helpers.prepare")}),
        "an item that dill sets in the names of a module", "the module is another from then on")
    add("dill-default-called", MALICIOUS, with_default("dill._dill", "weighin", "os.system", COMMAND), "os.system in the place of an attribute that is not there", "a default is called when the attribute is missing")
    add("dill-default-on-module", MALICIOUS, with_default("dill._dill", "_setattr", "builtins.setattr", named("pickle.loads"), "__code__", 1), "an attribute that is set on a function of pickle", "dill's helper sets whatever it is told to")
    add("honest-wrapped-kernel", CLEAN, call("bayes_opt.parameter.wrap_kernel", NewObj(named("sklearn.gaussian_process.kernels.Matern"), (), {"nu": 2.5}), named("numpy.round")),
        "a kernel whose inputs are rounded", "the function is called when the model predicts")
    add("wrapped-kernel-evil", MALICIOUS, call("bayes_opt.parameter.wrap_kernel", NewObj(named("sklearn.gaussian_process.kernels.Matern"), (), {"nu": 2.5}), SYSTEM),
        "a kernel whose inputs go to os.system", "what a wrapper is handed counts as called")


def formulas(add):
    def data(formula, key="restore_model_spec", kind=dict, cls="statsmodels.base.data.PandasData"):
        pairs = [(key, True), ("formula", formula), ("frame", {})]
        return NewObj(named(cls), (), dict(pairs) if kind is dict else ordered_dict(pairs))

    evil = f"y ~ __import__('os').system({COMMAND!r})"
    add("honest-statsmodels-formula", CLEAN, data("a ~ b + C(group) + np.log(c ** 2 + 1)"),
        "a statsmodels data object with a formula", "the formula is evaluated when the state is set: names and transforms do nothing else")
    add("statsmodels-formula-with-code", MALICIOUS, data(evil), "a statsmodels data object whose formula runs a command",
        "a formula is Python to patsy and formulaic")
    add("statsmodels-formula-older", MALICIOUS, data(evil, "restore_design_info"), "the same as statsmodels before 0.15 reads it", "the key had another name")
    add("statsmodels-formula-made-dictionary", MALICIOUS, data(evil, kind=list), "the same in an OrderedDict", "a state need not be a plain dictionary")
    carried = skeleton([("statsmodels.base.data.PandasData")])
    add("statsmodels-formula-subclass", MALICIOUS, NewObj(carried, (), {"restore_model_spec": True, "formula": evil, "frame": {}}),
        "the same in an object of a class that the file makes of it", "a class inherits what its base does with a state")


def names(add):
    add("honest-enum-of-submodule", CLEAN, {"distributed": Reduce(GETATTR, (named("accelerate.utils.dataclasses.DistributedType"), "NO"))},
        "a member of an enum in a module called dataclasses", "Python 3.11 pickles enum members as getattr; a submodule is no way to another module")
    add("module-of-submodule-called", MALICIOUS, Reduce(Reduce(GETATTR, (Global("accelerate.utils", "dataclasses.sys"), "exit")), ()),
        "sys.exit by way of accelerate.utils and its module dataclasses", "the dots behind a module's name do lead to other modules")
    add("honest-type-hint", CLEAN, call("operator.getitem", named("typing.Union"), (named("builtins.int"), named("builtins.str"))),
        "typing.Union[int, str]", "PyTorch Geometric keeps the type hints of its layers")
    add("typing-namespace-item-called", MALICIOUS, Reduce(Reduce(GETATTR, (call("operator.getitem", Global("typing", "sys.modules"), "os"), "system")), (COMMAND,)),
        "os.system by an item of typing.sys.modules", "only an item of a type hint is harmless")
    getter = "torch_geometric.data.batch.DynamicInheritanceGetter"
    add("honest-geometric-batch", CLEAN, Reduce(NewObj(named(getter)), (named("torch_geometric.data.batch.Batch"), named("torch_geometric.data.data.Data")), {"x": 1}),
        "a Batch of PyTorch Geometric", "its class is made anew by a getter that is called with two classes")
    add("geometric-getter-called", MALICIOUS, Reduce(NewObj(named(getter)), (named("subprocess.Popen"), COMMAND)),
        "the same getter called with subprocess.Popen", "what the getter is handed is called")


def code(maker, *first):
    return Reduce(maker, (*first, 1, 0, 0, 1, 2, 3, marshal.simple_function_311(), (None, 1), (), ("x",), "train.py", "plus_one", "plus_one", 1, b"", b"", (), ()))


def function():
    """A function as cloudpickle 3 writes it."""
    return Reduce(named(CLOUDPICKLE + "_make_function"), (
        code(call(CLOUDPICKLE + "_builtin_type", "CodeType")), {"__name__": "__main__"}, None, None, None))


def functions(add):
    module = call(CLOUDPICKLE + "subimport", "numpy")
    add("honest-cloudpickle-3", SUSPICIOUS, Reduce(named(CLOUDPICKLE + "_function_setstate"), (function(), ({}, {"__globals__": {"np": module}}))),
        "a function carried by value as cloudpickle 3 writes it", "its code type is looked up by name, and so is numpy, which it uses")
    add("cloudpickle-3-called", MALICIOUS, Reduce(function(), ()), "the same, called", "code that the file carries runs")
    add("cloudpickle-3-call-method", MALICIOUS, Reduce(Reduce(GETATTR, (function(), "__call__")), ()), "the same, called by its method __call__", "another way to call it")
    add("cloudpickle-subimport-called", MALICIOUS, Reduce(Reduce(GETATTR, (call(CLOUDPICKLE + "subimport", "os"), "system")), (COMMAND,)),
        "os.system by cloudpickle's subimport", "an import is judged by what it imports")
    partial = call("functools.partial", function(), 1)
    add("honest-cloudpickle-partial", SUSPICIOUS, partial, "a partial over a function carried by value", "nothing is called by keeping it")
    add("cloudpickle-partial-called", MALICIOUS, Reduce(partial, ()), "the same, called", "a partial is its function")
    bound = call(CLOUDPICKLE + "_builtin_type", "MethodType")
    add("honest-cloudpickle-method", SUSPICIOUS, Reduce(bound, (function(), NewObj(skeleton()))),
        "a method of an object carried by value", "binding calls nothing")
    add("cloudpickle-method-called", MALICIOUS, Reduce(Reduce(bound, (SYSTEM, COMMAND)), ()), "os.system bound to its argument, called", "a bound method is its function")


def skeleton(bases=("builtins.object",), members=None):
    """A class as cloudpickle makes it, before it has its members."""
    return Reduce(named(CLOUDPICKLE + "_make_skeleton_class"), (
        named("builtins.type"), "Model", tuple(named(base) if isinstance(base, str) else base for base in bases),
        {"__module__": "__main__", **(members or {})}, "a79f", None))


def filled(cls, **members):
    return Reduce(named(CLOUDPICKLE + "_class_setstate"), (cls, ({"__doc__": None, **members}, {})))


def objects_of_classes(add):
    def thing(state=None, items=(), args=(), early=False, **members):
        cls = skeleton()
        made = NewObj(cls, args, state, items)
        return [cls, made, filled(cls, **members)] if early else [cls, filled(cls, **members), made]

    why = "what loading calls on an object runs the code that the file carries"
    add("honest-cloudpickle-object", SUSPICIOUS, thing({"weights": [1.0]}, __init__=function(), predict=function()),
        "an object of a class carried by value", "it is made without its constructor, and given its state")
    add("cloudpickle-object-setstate", MALICIOUS, thing({"weights": [1.0]}, __setstate__=function()), "an object of a carried class with __setstate__", why)
    add("cloudpickle-object-early", MALICIOUS, thing(early=True, __del__=function()), "an object whose carried class is given __del__ later", why)
    add("cloudpickle-object-items", MALICIOUS, thing(items=(1, 2), extend=function()), "an object of a carried class that is given items", "APPENDS calls extend")
    add("cloudpickle-object-slots", MALICIOUS, thing((None, {"size": 1}), size=call("builtins.property", None, function())),
        "an object of a carried class with a property, set by its state", "the second half of a state is set attribute by attribute")
    shown = thing(__str__=function())
    add("cloudpickle-object-shown", MALICIOUS, [*shown, call("builtins.str", shown[2])], "an object of a carried class with __str__, handed to str", why)
    parent = skeleton()
    add("cloudpickle-init-subclass", MALICIOUS, [parent, filled(parent, __init_subclass__=function()), skeleton((parent,))],
        "a class whose carried base has __init_subclass__", "making the class runs it")
    hashed = thing({"rate": 0.1}, __eq__=function(), __hash__=function(), __repr__=function(), __lt__=function(), __setattr__=function(),
                   __dataclass_fields__={"rate": call(CLOUDPICKLE + "_get_dataclass_field_type_sentinel", "_FIELD"), "metadata": mapping()})
    add("honest-cloudpickle-dataclass", SUSPICIOUS, hashed, "an object of a frozen dataclass carried by value",
        "its special methods run when it is compared, shown or a key, which loading does not do")
    add("cloudpickle-object-as-key", MALICIOUS, [*hashed, {hashed[2]: 1}], "the same, as a key of a dictionary", "a key is hashed")
    add("cloudpickle-object-in-set", MALICIOUS, [*hashed, {(1, hashed[2])}], "the same, in a tuple in a set", "what is put into a set is hashed")
    add("cloudpickle-mapping-of-object", MALICIOUS, [*hashed, Reduce(call(CLOUDPICKLE + "_builtin_type", "MappingProxyType"), (hashed[2],))],
        "the same, as the mapping of a mappingproxy", "it is asked for its items")
    bare = call("builtins.object.__new__", named("scipy.stats._distn_infrastructure.rv_continuous"))
    bare.state = {"_parse_arg_template": f"import os\nos.system({COMMAND!r})\n"}
    add("object-new-with-source", MALICIOUS, bare, "a scipy distribution made by object.__new__, whose template runs a command",
        "an object is of the class that it is made of, however it is made")


def mapping():
    return Reduce(call(CLOUDPICKLE + "_builtin_type", "MappingProxyType"), ({},))


def dill(add):
    state = (1, (2,), dtype("f8"), False, b"\0" * 16)
    reconstruct = named("numpy._core.multiarray._reconstruct")
    add("honest-dill-array", CLEAN, call(DILL + "_create_array", reconstruct, (named("numpy.ndarray"), (0,), b"b"), state, None),
        "an array saved with dill", "its helper calls numpy's own constructor")
    add("dill-array-of-system", MALICIOUS, call(DILL + "_create_array", SYSTEM, (COMMAND,), None), "dill's helper for arrays with os.system", "it calls what it is handed")
    add("honest-dill-called-types", CLEAN, [
        Reduce(call(DILL + "_load_type", "bytearray"), (b"abc",)), Reduce(call(DILL + "_load_type", "slice"), (1, 2, None)),
        Reduce(call(DILL + "_load_type", "PartialType"), (named("numpy.clip"),)), call(DILL + "_import_module", "numpy")],
        "a bytearray, a slice, a partial and a module saved with dill", "types are looked up by name and called")
    add("honest-dill-not-implemented", CLEAN, [call(DILL + "_eval_repr", text) for text in ["NotImplemented", "Ellipsis", "range(0, 3)"]],
        "constants that are no literals, saved with dill", "it evaluates the text by which Python shows them")
    for name, text in [("code", f"__import__('os').system({COMMAND!r})"), ("range", "range(0, exit())")]:
        add(f"dill-repr-with-{name}", MALICIOUS, call(DILL + "_eval_repr", text), f"the same with {text}", "any other text is code")
    add("dill-partial-called", MALICIOUS, Reduce(Reduce(call(DILL + "_load_type", "PartialType"), (SYSTEM, COMMAND)), ()), "a partial of os.system by dill, called", "a partial is its function")
    add("dill-import-called", MALICIOUS, Reduce(call(DILL + "_import_module", "os.system"), (COMMAND,)), "os.system by dill's _import_module, called", "its last part may be a function")
    add("dill-function-type-called", MALICIOUS, Reduce(Reduce(call(DILL + "_load_type", "FunctionType"), (code(named(DILL + "_create_code")), {})), ()),
        "a function of carried code by dill's type table, called", "code that the file carries runs")
    kind, base = call(DILL + "_load_type", "type"), call(DILL + "_load_type", "object")
    cls = Reduce(named(DILL + "_create_type"), (kind, "Model", (base,), {"__module__": "__main__", "factor": 3}))
    add("honest-dill-object", SUSPICIOUS, [cls, call("builtins.setattr", cls, "__qualname__", "Model"), NewObj(cls, (), {"weights": [1.0]})],
        "an object of a class carried by value with dill", "the qualified name is set once the class is there")
    add("dill-setattr-elsewhere", MALICIOUS, call("builtins.setattr", named("sklearn.base.BaseEstimator"), "__qualname__", "Model"),
        "setattr on a class of scikit-learn", "what others use is changed")
    add("dill-setattr-function", MALICIOUS, [cls, call("builtins.setattr", cls, "__setstate__", SYSTEM)], "setattr of os.system on a carried class", "a function becomes a method")


def archives(add):
    honest = keras_file(sequential(layer("Dense", {"name": "dense", "units": 2})))
    evil = keras_file(sequential(layer("Lambda", {"name": "prepare", "function": code_object(marshal.system_311()), "arguments": {}})))
    for name, data, verdict in [("honest-", honest, CLEAN), ("", evil, MALICIOUS)]:
        what = "a Keras archive with an evil Lambda" if verdict == MALICIOUS else "an honest Keras archive"
        add(f"{name}pickled-tf-keras", verdict, call("tf_keras.src.saving.pickle_utils.deserialize_model_from_bytecode", data), f"{what}, as tf_keras pickles a model", "the archive is examined")
        unpickle = Reduce(GETATTR, (named("keras.src.models.sequential.Sequential"), "_unpickle_model"))
        add(f"{name}pickled-keras-3", verdict, Reduce(unpickle, (NewObj(named("io.BytesIO"), (), (data, 0, None)),)), f"{what}, as Keras 3 pickles a model", "the archive is the state of a buffer")
