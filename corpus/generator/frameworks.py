"""Boosters in their other forms, Flax, Torch7, BSON, MXNet, Paddle, marshalled code, and more Keras, R and skops."""

import json
import struct

from . import marshal
from .arrays import npy
from .deflate import gzip_member
from .keras import keras_file, layer, sequential
from .objects import packed
from .opcodes import call, dumps
from .registry import CLEAN, COMMAND, HOST, INCOMPLETE, MALICIOUS, SUSPICIOUS
from .safetensors import entry, safetensors
from .texts import pretty
from .torch import EVIL, WHAT
from .zipwriter import Member, zip_file


def add_samples(corpus):
    boosters(corpus)
    flax(corpus)
    torch7(corpus)
    julia(corpus)
    arrays(corpus)
    code(corpus)
    keras(corpus)
    r(corpus)
    skops(corpus)
    manifests(corpus)


def xgboost(left=(1, -1, -1), features="2", name="gbtree"):
    tree = {"left_children": list(left), "right_children": [2, -1, -1], "split_indices": [1, 0, 0], "base_weights": [0.0, 0.5, -0.5]}
    return {"learner": {"attributes": {"best_iteration": "3"}, "gradient_booster": {"model": {"trees": [tree]}, "name": name}, "learner_model_param": {"num_feature": features}}, "version": [2, 1, 0]}


def ubjson(value):
    """XGBoost's UBJSON: lengths of 64 bits, arrays of integers typed and counted."""
    def text(string):
        return b"L" + struct.pack(">q", len(string)) + string.encode()
    if isinstance(value, dict):
        return b"{" + b"".join(text(key) + ubjson(item) for key, item in value.items()) + b"}"
    if isinstance(value, list) and value and all(isinstance(item, int) for item in value):
        return b"[$l#L" + struct.pack(">q", len(value)) + b"".join(struct.pack(">i", item) for item in value)
    if isinstance(value, list):
        return b"[" + b"".join(map(ubjson, value)) + b"]"
    if isinstance(value, float):
        return b"d" + struct.pack(">f", value)
    return b"S" + text(value)


def binary_booster(child):
    """XGBoost's binary form: learner parameters, two names, one tree of three nodes."""
    def name(text):
        return struct.pack("<Q", len(text)) + text
    nodes = b"".join(struct.pack("<iiiIf", -1, left, right, 1, 0.5) for left, right in [(1, child), (-1, -1), (-1, -1)])
    return (b"binf" + struct.pack("<fI", 0.5, 2).ljust(136, b"\0") + name(b"binary:logistic") + name(b"gbtree") + struct.pack("<i", 1).ljust(160, b"\0")
            + struct.pack("<ii", 1, 3).ljust(148, b"\0") + nodes + bytes(3 * 16) + struct.pack("<i", 0))


def boosters(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"booster/{name}", verdict, data, what, why)

    add("xgboost.ubj", CLEAN, ubjson(xgboost()), "an XGBoost model in UBJSON", "what save_model writes today")
    add("xgboost-child.ubj", MALICIOUS, ubjson(xgboost(left=(99999, -1, -1))), "a tree whose child is node 99999", "prediction follows it out of the tree")
    add("xgboost-child.json", MALICIOUS, json.dumps(xgboost(left=(99999, -1, -1))), "the same in JSON", "prediction follows it out of the tree")
    add("xgboost-feature.json", MALICIOUS, json.dumps(xgboost(features="1")), "a tree that asks for feature 1 of 1", "prediction reads beyond the row")
    add("xgboost-features.json", SUSPICIOUS, json.dumps(xgboost(features="99999999999999")), "10^14 features", "no reader can hold them")
    add("xgboost.bin", CLEAN, binary_booster(2), "an XGBoost model in the old binary form", "save_model before 2.1")
    add("xgboost-child.bin", MALICIOUS, binary_booster(77777), "a tree whose child is node 77777", "prediction follows it out of the tree")
    add("lightgbm-child.txt", MALICIOUS, "tree\nversion=v4\nmax_feature_idx=1\nTree=0\nnum_leaves=2\nsplit_feature=0\nleft_child=-1\nright_child=-9\n\n", "a tree whose child is leaf 8 of 2", "prediction reads beyond the tree")
    add("catboost.cbm", CLEAN, b"CBM1" + struct.pack("<II", 16, 4) + bytes(12), "the frame of a CatBoost model", "the ordinary file")


    tails(corpus)


def tails(corpus):
    """A program behind a model that is complete."""
    script = f"import os\nos.system({COMMAND!r})\n".encode()
    old = dumps(call("os.system", COMMAND), 0)
    document = json.dumps(xgboost()).encode()
    for name, model in [
        ("xgboost.ubj", ubjson(xgboost())), ("xgboost.bin", binary_booster(2)), ("xgboost.json", document + b"\n"), ("notes.json", b'{"width": 3}\n'),
        ("lightgbm.txt", b"tree\nversion=v4\nmax_feature_idx=1\n\nTree=0\nnum_leaves=1\nleaf_value=0.5\n\nend of trees\n\nparameters:\n[boosting: gbdt]\nend of parameters\n\npandas_categorical:null\n"),
        ("catboost.cbm", b"CBM1" + struct.pack("<II", 16, 4) + bytes(12)),
    ]:
        stem, ending = name.split(".")
        for kind, tail, what in [("pickle", EVIL, f"a pickle: {WHAT}"), ("old", old, f"a pickle of protocol 0: {WHAT}"), ("source", script, "Python that starts a program"), ("packed", gzip_member(EVIL), "a packed pickle")]:
            corpus.add(f"booster/tail/{stem}-{kind}.{ending}", MALICIOUS, model + tail, f"{what}, behind a complete model ({name})", "another program finds it there")
    corpus.add("booster/tail/deep.txt", MALICIOUS, b"tree\nversion=v4\nmax_feature_idx=1\n\n" + b"Tree=0\nnum_leaves=1\nleaf_value=0.5\n\n" + EVIL + b"\nend of trees\n", "a pickle between the trees", "readers pass over lines that they do not know")
    corpus.add("booster/tail/padded.ubj", MALICIOUS, ubjson(xgboost()) + bytes(100) + old, "zeros and a pickle behind a model", "padding hides nothing")
    corpus.add("booster/tail/pandas.txt", CLEAN, b"tree\nversion=v4\nmax_feature_idx=1\naverage_output\n\nTree=0\nnum_leaves=1\nleaf_value=0.5\n\nend of trees\n\nfeature_importances:\na=3\nimport=2\n\nparameters:\n[boosting: gbdt]\nend of parameters\n\npandas_categorical:[[\"a\", \"b\"]]\n", "a LightGBM model with all that Python adds", "the ordinary file")
    corpus.add("xml/tail.xml", MALICIOUS, b'<?xml version="1.0"?>\n<net name="m" version="11"><layers/></net>\n' + old, f"{WHAT} behind a network of OpenVINO", "another program finds it there")
    corpus.add("xml/tail-comment.xml", CLEAN, b'<?xml version="1.0"?>\n<net name="m" version="11"><layers/></net>\n<!-- os.system -->\n', "a comment behind a network of OpenVINO", "comments may stand there")
    corpus.add("safetensors/trailing-source.safetensors", MALICIOUS, safetensors({"w": entry("F32", [2], 0, 8)}, bytes(8)) + script, "Python that starts a program behind the tensors", "another program finds it there")
    corpus.add("onnx/tail.onnx_data", MALICIOUS, bytes(range(256)) * 3 + EVIL, "a pickle behind the tensors of an ONNX model", "another program finds it there")
    corpus.add("other/ctranslate2-tail/model.bin", MALICIOUS, struct.pack("<IH", 6, 12) + b"WhisperSpec\0" + struct.pack("<II", 3, 0) + EVIL, "a pickle in a CTranslate2 model", "the same")
    corpus.add("text/vocabulary-pickle.txt", MALICIOUS, b"the\nof\nand\n" * 30 + EVIL, "a pickle behind a vocabulary", "another program finds it there")


def flax(corpus):
    def array(shape, name, data):
        head = bytes([0x93, 0x90 | len(shape), *shape, 0xA0 | len(name)]) + name.encode()
        body = head + b"\xc4" + bytes([len(data)]) + data
        return b"\xc7" + bytes([len(body), 1]) + body

    corpus.add("booster/flax-object.msgpack", SUSPICIOUS, b"\x81\xa6params" + array((1,), "object", bytes(8)), "an array of Python objects", "Flax has numbers only")
    corpus.add("booster/flax-trailing.msgpack", SUSPICIOUS, b"\x81\xa6params" + array((2,), "float32", bytes(8)) + b"appended", "bytes behind the map", "the reader stops before them")


def torch7(corpus):
    def number(n):
        return struct.pack("<i", n)

    def text(string):
        return number(len(string)) + string.encode()

    def table(index, *pairs):
        return number(3) + number(index) + number(len(pairs)) + b"".join(number(2) + text(key) + value for key, value in pairs)

    storage = number(4) + number(4) + text("V 1") + text("torch.FloatStorage") + struct.pack("<q2f", 2, 0.5, 0.25)
    tensor = number(4) + number(3) + text("V 1") + text("torch.FloatTensor") + number(1) + struct.pack("<qqq", 2, 1, 1) + storage
    linear = number(4) + number(1) + text("V 1") + text("nn.Linear") + table(2, ("weight", tensor))
    function = number(8) + number(9) + text("\x1bLJ weighin") + table(10)
    other = number(4) + number(1) + text("V 1") + text("weighin.Net") + table(2, ("width", number(1) + struct.pack("<d", 3.0)))
    corpus.add("torch7/linear.t7", CLEAN, linear, "an nn.Linear with its weight", "the ordinary file")
    corpus.add("torch7/other-class.t7", CLEAN, other, "an object of another package's class", "its reader has to be installed: worth a note")
    corpus.add("torch7/function.t7", MALICIOUS, table(1, ("apply", function)), "a table with a function", "Lua bytecode runs when it is called")
    corpus.add("torch7/truncated.t7", INCOMPLETE, linear[:-6], "an nn.Linear, cut", "a partial download")


def julia(corpus):
    def document(*items):
        body = b"".join(items) + b"\0"
        return struct.pack("<i", len(body) + 4) + body

    def text(key, value):
        return b"\x02" + key.encode() + b"\0" + struct.pack("<i", len(value) + 1) + value.encode() + b"\0"

    def inside(key, *items):
        return b"\x03" + key.encode() + b"\0" + document(*items)

    honest = document(inside("model", text("tag", "struct"), inside("type", text("tag", "datatype")), b"\x05data\0" + struct.pack("<iB", 4, 0) + bytes(4)))
    corpus.add("bson/struct.bson", CLEAN, honest, "a Julia struct", "what BSON.jl writes")
    corpus.add("bson/plain.bson", CLEAN, document(b"\x01x\0" + struct.pack("<d", 1.5)), "a number", "BSON without Julia's tags")
    corpus.add("bson/anonymous.bson", MALICIOUS, document(inside("f", text("tag", "jl_anonymous"), text("typename", "weighin"))), "an anonymous function", "BSON.jl makes the function again")
    corpus.add("bson/trailing.bson", SUSPICIOUS, document(text("a", "b")) + b"appended", "bytes behind the document", "the reader stops before them")


def arrays(corpus):
    dense = struct.pack("<IiIqiii", 0xF993FAC9, 0, 1, 2, 1, 0, 0) + struct.pack("<2f", 0.5, 0.25)
    mxnet = struct.pack("<QQQ", 0x112, 0, 1) + dense + struct.pack("<QQ", 1, 5) + b"arg:w"
    corpus.add("mxnet/dense.params", CLEAN, mxnet, "one array and its name", "the ordinary file")
    corpus.add("mxnet/truncated.params", INCOMPLETE, mxnet[:-9], "the same, cut", "a partial download")

    def symbol(name, verdict, operator, attributes, what, why):
        nodes = [{"op": "null", "name": "data", "inputs": []}, {"op": operator, "name": "a", "attrs": attributes, "inputs": [[0, 0, 0]]}]
        corpus.add(f"mxnet/{name}-symbol.json", verdict, json.dumps({"nodes": nodes, "arg_nodes": [0], "node_row_ptr": [0, 1, 2], "heads": [[1, 0, 0]], "attrs": {"mxnet_version": ["int", 10500]}}, indent=1), what, why)

    symbol("honest", CLEAN, "Activation", {"act_type": "relu"}, "a graph of one operator", "the ordinary file")
    symbol("custom", SUSPICIOUS, "Custom", {"op_type": "weighin_proposal"}, "a graph with an operator written in Python", "it needs code from somewhere")
    symbol("native", MALICIOUS, "_Native", {"info": "0x41414141", "need_top_grad": "True"}, "a graph with the address of a function", "MXNet calls what stands there")

    def tensor(description, data):
        return struct.pack("<IQII", 0, 0, 0, len(description)) + description + data

    corpus.add("paddle/weights.pdiparams", CLEAN, tensor(b"\x08\x05\x10\x02\x10\x02", struct.pack("<4f", 1, 2, 3, 4)), "one tensor of two by two", "the ordinary file")
    corpus.add("paddle/overflow.pdiparams", SUSPICIOUS, tensor(b"\x08\x05" + b"\x10\xff\xff\xff\xff\x7f" * 2, bytes(8)), "dimensions whose product overflows", "readers allocate too little")


def code(corpus):
    plain = marshal.code_311(marshal.simple_function_311(), (None, 1), ())
    corpus.add("marshal/add-one", CLEAN, plain, "a function that adds one", "compiled code by itself: worth a note")
    corpus.add("marshal/system-27", MALICIOUS, marshal.system_27(), f"{WHAT}, compiled by CPython 2.7", "layouts differ by version")
    corpus.add("marshal/system-38", MALICIOUS, marshal.system_38(), f"{WHAT}, compiled by CPython 3.8", "layouts differ by version")
    corpus.add("marshal/system-314", MALICIOUS, marshal.system_314(), f"{WHAT}, compiled by CPython 3.14", "opcodes differ by version")
    corpus.add("marshal/spread-314", MALICIOUS, marshal.system_314(spread=True), f"{WHAT} from a tuple, compiled by CPython 3.14", "a NULL stands for the dictionary that is not there")
    corpus.add("marshal/add-one-314", CLEAN, marshal.simple_function_314(), "a function that adds one, compiled by CPython 3.14", "nothing is called")
    corpus.add("marshal/exits", CLEAN, marshal.exits_311(), "a module that ends the program, whose header holds the byte of a code object", "the number of the version tells the header's length")
    corpus.add("marshal/system-311", MALICIOUS, marshal.system_311(), f"{WHAT}, compiled by CPython 3.11", "layouts differ by version")
    corpus.add("marshal/trailing", SUSPICIOUS, plain + b"weighin appended", "bytes behind the code", "marshal.loads does not read them")
    corpus.add("marshal/truncated", INCOMPLETE, plain[:-20], "a function, cut", "a partial download")


def keras(corpus):
    def add(name, verdict, config, what, why, text=None):
        corpus.add(f"keras/{name}.keras", verdict, keras_file(config, text=text), what, why)

    named = layer("function", "my_function", "builtins", "function")
    add("lambda-named", CLEAN, sequential(layer("Lambda", {"name": "l", "function": named})), "a Lambda layer that names a function", "the function is the user's own: worth a note")
    add("utility-function", MALICIOUS, sequential(layer("function", "normalize", "keras.utils", "function")), "a function of keras.utils as a layer", "functions in a model are activations, losses and the like")
    add("vocabulary-beside", CLEAN, sequential(layer("StringLookup", {"name": "lookup", "vocabulary": "words.txt"})), "a StringLookup with a file beside the model", "the look-alike of a vocabulary path")
    add("foreign-loss", CLEAN, sequential(layer("function", "my_loss", "weighin_example.losses", "my_loss")), "a loss function of the user's package", "looked up and not called: worth a note")
    add("registered-module", CLEAN, sequential(layer("Scale", {"factor": 2.0}, "weighin_example.layers", "weighin_example>Scale")), "a registered layer with its module", "its package has to be imported: worth a note")
    add("config-trailing", SUSPICIOUS, None, "a configuration with something behind it", "two readers see two files", text=json.dumps(sequential()).encode() + b" {}x")


def r(corpus):
    def number(value):
        return struct.pack(">i", value)

    def char(text):
        return number(0x00040009) + number(len(text)) + text.encode()

    def symbol(text):
        return number(1) + char(text)

    head = b"X\n" + struct.pack(">3i", 2, 0x00040300, 0x00020300)
    nil, unbound, world = number(0xFE), number(0xFC), number(0xFD)
    command = number(6) + symbol("system") + number(2) + number(16) + number(1) + char(COMMAND) + nil
    data = number(14) + number(1) + struct.pack(">d", 0.5)

    def environment(name, value):
        return number(4) + number(0) + world + number(0x402) + symbol(name) + value + nil + nil + nil

    def add(name, verdict, data, what, why):
        corpus.add(f"rds/{name}.rds", verdict, data, what, why)

    def string(text):
        return number(16) + number(1) + char(text)

    def lang(function, *args):
        return number(6) + (function if isinstance(function, bytes) else symbol(function)) + b"".join(number(2) + arg for arg in args) + nil

    parsed = lang("eval", lang("parse", string(f"system('{COMMAND}')")))
    qualified = lang(lang("::", symbol("base"), symbol("system")), string(COMMAND))
    add("call-qualified", SUSPICIOUS, head + qualified, "a call of base::system that nothing evaluates", "the function is found in its package")
    add("call-found", SUSPICIOUS, head + lang("do.call", string("system"), string(COMMAND)), "a call of do.call with the name of system", "the function is found by its name")
    add("call-honest", CLEAN, head + lang("lm", lang("~", symbol("y"), lang(lang("::", symbol("splines"), symbol("ns")), symbol("system")))), "a call of lm with a variable called system", "the call that a model keeps")
    add("formula-parse", SUSPICIOUS, head + lang("~", symbol("y"), parsed), "a formula that parses text and evaluates it", "building the model's frame evaluates it")
    add("argument-parse", MALICIOUS, head + environment("x", number(5) + unbound + parsed), "an argument that parses text and evaluates it", "touching the variable evaluates it")
    active = number(0x402 | 1 << 27) + symbol("x") + number(0x403) + world + nil + command + nil
    add("binding-system", MALICIOUS, head + number(4) + number(0) + world + active + nil + nil, "an active binding whose function calls system", "R calls it whenever the variable is read")
    quiet = number(0x402 | 1 << 27) + symbol("x") + number(0x403) + world + nil + data + nil
    add("binding-honest", CLEAN, head + number(4) + number(0) + world + quiet + nil + nil, "an active binding that gives a number", "objects of R6 have them")
    add("call-system", SUSPICIOUS, head + command, "a call of system that nothing evaluates", "quote(system(...)): code that waits for eval")
    add("closure", CLEAN, head + number(0x403) + world + nil + data, "a function that returns a number", "models carry functions: worth a note")
    add("argument-unused", CLEAN, head + environment("x", number(5) + unbound + symbol("y")), "an environment with an argument that was never used", "R leaves such promises in models")
    add("argument-system", MALICIOUS, head + environment("x", number(5) + unbound + command), "an environment with an argument that calls system", "CVE-2024-27322, disguised as an argument")
    add("pointer", CLEAN, head + number(22) + nil + nil, "an external pointer", "data.table and xgboost leave such: worth a note")
    add("persistent", SUSPICIOUS, head + number(247) + number(0) + number(1) + char("weighin"), "an object by a persistent name", "a hook of the reader resolves it")
    add("trailing", SUSPICIOUS, head + data + b"appended", "bytes behind the object", "readRDS does not read them")


def skops(corpus):
    def add(name, verdict, root, what, why, files=()):
        schema = {**root, "protocol": 2, "_skops_version": "0.10.0"}
        corpus.add(f"skops/{name}.skops", verdict, zip_file([*files, Member("schema.json", json.dumps(schema).encode())]), what, why)

    array = {"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "type": "numpy", "__id__": 2}
    add("array-outside", MALICIOUS, {**array, "file": "../../etc/passwd"}, "an array stored outside the archive", "arrays are members of the archive")
    add("unknown-loader", SUSPICIOUS, {"__class__": "int", "__module__": "builtins", "__loader__": "WeighinNode", "__id__": 1}, "a node with a loader that skops does not have", "an extension would construct it")
    add("function-foreign", SUSPICIOUS, {"__class__": "prepare", "__module__": "weighin_example.tools", "__loader__": "FunctionNode", "__id__": 1}, "a function of an unknown package", "the user is asked to trust it")
    twice = '{"__class__": "dict", "__module__": "builtins", "__loader__": "DictNode", "__loader__": "ListNode", "content": {}, "__id__": 1, "protocol": 2, "_skops_version": "0.10.0"}'
    corpus.add("skops/key-twice.skops", SUSPICIOUS, zip_file([Member("schema.json", twice.encode())]), "a node with two loaders", "which one counts depends on the reader")
    weights = Member("3.npy", npy("'<f8'", "(2,)", packed([0.5, 0.25], "f8")))
    add("array", CLEAN, {**array, "file": "3.npy"}, "an array", "the ordinary file", [weights])


def manifests(corpus):
    def add(name, verdict, text, what, why):
        corpus.add(f"torchserve/{name}/MAR-INF/MANIFEST.json", verdict, text, what, why)

    add("stock", CLEAN, pretty({"runtime": "python", "model": {"modelName": "net", "serializedFile": "net.pt", "handler": "image_classifier"}}), "a manifest with a handler that TorchServe ships", "the ordinary file")
    add("outside", MALICIOUS, pretty({"model": {"modelName": "net", "handler": "../../../tmp/handler.py"}}), "a handler outside the archive", "TorchServe joins the path with its folder")
    add("remote", MALICIOUS, pretty({"model": {"modelName": "net", "handler": "image_classifier", "serializedFile": f"http://{HOST}/net.pt"}}), "a model file by address", "names are members of the archive")
    add("requirements", CLEAN, pretty({"model": {"modelName": "net", "handler": "image_classifier", "requirementsFile": "requirements.txt"}}), "a manifest that asks for packages", "worth a note")
    add("handler-twice", SUSPICIOUS, '{"model": {"handler": "image_classifier", "handler": "handler.py"}}', "a manifest with two handlers", "which one counts depends on the reader")
