"""What runs once a model predicts, and functions that are compiled then: formulas of formulaic, functions of numba."""

from . import marshal
from .opcodes import Global, NewObj, Raw, Reduce, asm, call, dumps, named
from .pickles_code import CLOUDPICKLE, GETATTR, code, function, skeleton
from .registry import CLEAN, COMMAND, MALICIOUS, SUSPICIOUS

NUMBA = "numba.core.serialize."


def add_samples(corpus):
    def add(name, verdict, value, what, why):
        corpus.add(f"pickle/{name}.pkl", verdict, dumps(value, 4), what, why)

    factors(add)
    made(add)
    dispatchers(add)


def made(add):
    """Objects whose class opens or calls something as soon as they are there."""
    add("memmap-opens-file", MALICIOUS, NewObj(named("numpy.memmap"), ("weighin.txt", "u1", "w+", 0, (1,))),
        "a memory map made without its constructor", "its __new__ opens the file, and w+ empties it")
    add("honest-memmap", CLEAN, call("numpy._core.multiarray._reconstruct", named("numpy.memmap"), (0,), b"b"),
        "an array that was mapped when it was saved", "numpy makes an array in memory of it")
    state = {"_ezpickle_args": ("import os; os.system('echo weighin')",), "_ezpickle_kwargs": {}}
    add("ezpickle-with-source", MALICIOUS, NewObj(named("weighin_example.envs.Env"), (), state),
        "an environment of gym whose constructor is handed source", "its __setstate__ calls the constructor")
    add("ezpickle", SUSPICIOUS, NewObj(named("weighin_example.envs.Env"), (), {"_ezpickle_args": (1,), "_ezpickle_kwargs": {}}),
        "the same with a number", "a constructor that nobody has reviewed runs")


def factors(add):
    def method(name):
        return Reduce(GETATTR, (Global("formulaic.parser.types.factor", "Factor.EvalMethod"), name))

    def factor(expr, how="PYTHON"):
        return NewObj(named("formulaic.parser.types.factor.Factor"), (), (None, {"expr": expr, "_eval_method": method(how), "metadata": {}, "token": None}))

    def model(part):
        term = NewObj(named("formulaic.parser.types.term.Term"), (), {"factors": (part,), "origin": None})
        formula = NewObj(named("formulaic.formula.SimpleFormula"), (), {"_SimpleFormula__terms": [term]})
        return NewObj(named("formulaic.model_spec.ModelSpec"), (), {"formula": formula, "materializer": "pandas", "transform_state": {}})

    evil = f"__import__('os').system({COMMAND!r})"
    why = "the text of a factor is handed to eval when the model predicts"
    add("honest-formulaic-factor", CLEAN, [model(factor("np.log(age + 1)")), model(factor("price ($)", "LOOKUP")), model(factor("1", "LITERAL"))],
        "formulas of formulaic", "names, constants and transforms do nothing else")
    add("formulaic-factor-with-code", MALICIOUS, model(factor(evil)), "a formula of formulaic that runs a command", why)
    add("formulaic-factor-called", MALICIOUS, model(call("formulaic.parser.types.factor.Factor", evil)), "the same by the constructor", why)
    second = asm("NONE", "EMPTY_DICT", "SHORT_BINUNICODE _eval_method", "SHORT_BINUNICODE formulaic.parser.types.factor",
                 "SHORT_BINUNICODE Factor.EvalMethod.PYTHON", "STACK_GLOBAL", "SETITEM", "TUPLE2", "BUILD")
    add("formulaic-factor-evaluated-later", MALICIOUS, model(Raw(factor(evil, "LOOKUP"), second)),
        "a factor that names a column, and is given another method then", why)
    other = NewObj(named("types.SimpleNamespace"), (), {"expr": evil, "_eval_method": method("LOOKUP"), "eval_method": method("PYTHON"), "metadata": {}})
    add("formulaic-factor-stand-in", MALICIOUS, model(other), "an object of another class in the place of a factor", "formulaic asks no object for its class")
    add("formulaic-model-of-text", MALICIOUS, NewObj(named("formulaic.model_spec.ModelSpec"), (), {"formula": evil}),
        "a formula that is still text", "it is parsed into factors")


def dispatchers(add):
    cls = named("numba.core.registry.CPUDispatcher")
    options = {"uuid": "7ae3ddc5", "locals": {}, "targetoptions": {"nopython": True}, "can_compile": True, "sigs": []}

    def rebuilt(kind, states):
        inner = dumps((kind, states), 4)
        return call(NUMBA + "custom_rebuild", call(NUMBA + "_unpickle__CustomPickled", inner))

    def with_function(func=None, **changed):
        return {**options, "py_func": func or function(), **changed}

    why = "numba calls _rebuild of the class, with the options"
    add("honest-numba-function", SUSPICIOUS, rebuilt(cls, with_function()), "a function that numba compiles when it is called", "its Python function is in a pickle within the pickle")
    nested = call(NUMBA + "custom_rebuild", call(NUMBA + "_CustomPickled._rebuild", cls, with_function()))
    outer = Reduce(named(CLOUDPICKLE + "_make_function"), (
        code(call(CLOUDPICKLE + "_builtin_type", "CodeType")), {"__name__": "__main__", "other": nested}, None, None, None))
    add("honest-numba-nested", SUSPICIOUS, rebuilt(cls, with_function(outer)), "the same with another such function among its globals", "within a pickle of numba's it is wrapped without a pickle of its own")
    old = (cls, "7ae3ddc5", ((4, b"\xa7\r\r\n", marshal.simple_function_311()), {"__name__": "__main__"}, "plus_one", None, None), {}, {"nopython": True}, "direct", True, [])
    add("honest-numba-older", SUSPICIOUS, call(NUMBA + "_rebuild_reduction", *old), "the same before numba 0.50", "the code of the function is among the arguments")
    evil = skeleton(members={"_rebuild": call("builtins.classmethod", function())})
    add("numba-rebuilds-carried-class", MALICIOUS, rebuilt(evil, {"x": 1}), "the same with a class that the file carries", why)
    add("numba-rebuilds-by-path", MALICIOUS, Reduce(rebuilt(named(NUMBA + "PickleCallableByPath"), {"modname": "os", "fn_path": "system"}), (COMMAND,)),
        "os.system by numba's PickleCallableByPath", why)
    add("numba-function-of-system", MALICIOUS, rebuilt(cls, with_function(named("os.system"))), "the same over os.system", why)
    add("numba-compiles-at-once", MALICIOUS, rebuilt(cls, with_function(sigs=[(1,)])), "the same with a signature to compile for at once", "compiling evaluates annotations")
    add("numba-older-rebuilds-carried-class", MALICIOUS, call(NUMBA + "_rebuild_reduction", evil, b"options"), "a class that the file carries, before numba 0.50", why)
    signed = function()
    signed.state = {"__signature__": function()}
    add("numba-function-with-signature", MALICIOUS, rebuilt(cls, with_function(signed)), "a function whose signature is another function", "reading a signature calls it")
