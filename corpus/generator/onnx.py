"""ONNX models, by a hand-written protobuf encoder. Field numbers are those of onnx.proto."""

import struct

from . import executables
from .protobuf import message, varint
from .registry import CLEAN, INCOMPLETE, MALICIOUS, SUSPICIOUS
from .torch import EVIL


def value_info(name, shape=(1, 2), kind=1):
    dims = message(*((1, message((1, size))) for size in shape))
    return message((1, name), (2, message((1, message((1, kind), (2, dims))))))


def tensor(name, values=(0.5, 0.25), external=None, location=None):
    """A float tensor; `external` is its list of key-value pairs."""
    if external is None:
        return message((1, len(values)), (2, 1), (8, name), (9, struct.pack(f"<{len(values)}f", *values)))
    pairs = [(13, message((1, key), (2, value))) for key, value in external]
    return message((1, len(values)), (2, 1), (8, name), *pairs, (14, 1 if location is None else location))


def attribute(name, kind, **value):
    fields = {"f": 2, "i": 3, "s": 4, "t": 5, "g": 6, "tensors": 10, "graphs": 11}
    return message((1, name), *((fields[key], item) for key, item in value.items()), (20, kind))


def node(op, inputs=("x",), outputs=("y",), attributes=(), domain=None, name=None):
    return message(*((1, item) for item in inputs), *((2, item) for item in outputs), (3, name), (4, op),
                   *((5, item) for item in attributes), (7, domain))


def graph(nodes, initializers=(), name="main", extra=()):
    return message(*((1, item) for item in nodes), (2, name), *((5, item) for item in initializers),
                   (11, value_info("x")), (12, value_info("y")), *extra)


def model(graph_, domains=(("", 17),), extra=(), producer="weighin"):
    return message((1, 8), (2, producer), (3, "1.0"), (7, graph_), *((8, message((1, name or None), (2, version))) for name, version in domains), *extra)


def function(name, nodes, domain="weighin.local"):
    return message((1, name), (4, "x"), (5, "y"), *((7, item) for item in nodes), (9, message((1, None), (2, 17))), (10, domain))


def external(location, **extra):
    return tensor("w", external=[("location", location), *extra.items()])


def add_samples(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"onnx/{name}.onnx", verdict, data, what, why)

    add_node = node("Add", ("x", "w"))
    simple = model(graph([add_node], [tensor("w")]))
    add("add", CLEAN, simple, "x + w", "the smallest useful model")
    add("metadata", CLEAN, model(graph([add_node], [tensor("w")], extra=[(10, "exported from a notebook, see https://docs.invalid/")]), extra=[
        (6, "a sample"), (14, message((1, "names"), (2, "{0: 'cat', 1: 'dog'}"))), (14, message((1, "stride"), (2, "32")))]), "documentation and metadata_props", "detectors store their labels so")
    add("type-unknown", INCOMPLETE, model(graph([add_node], [message((1, 2), (2, 99), (8, "w"), (9, struct.pack("<2f", 0.5, 0.25)))])), "a tensor of a type that the format does not have", "nobody knows how long it is")
    add("constant-node", CLEAN, model(graph([node("Constant", (), ("w",), [attribute("value", 4, t=tensor("", (1.0, 2.0)))]), add_node])), "a Constant node", "tensors in attributes")
    branch = graph([node("Identity", ("x",))], name="branch")
    add("if-subgraphs", CLEAN, model(graph([node("If", ("c",), ("y",), [attribute("then_branch", 5, g=branch), attribute("else_branch", 5, g=branch)])],
                                          extra=[(11, value_info("c", (), 9))])), "an If with two subgraphs", "nested graphs")
    add("external-data/model", CLEAN, model(graph([add_node], [external("model.onnx_data", offset="0", length="8")])), "a tensor in the file beside it", "the honest use of external data")
    corpus.add("onnx/external-data/model.onnx_data", CLEAN, struct.pack("<2f", 0.5, 0.25), "raw tensor data of the model beside it", "the companion of external-data/model.onnx")
    add("ml-domain", CLEAN, model(graph([node("LinearClassifier", domain="ai.onnx.ml")]), [("", 17), ("ai.onnx.ml", 3)]), "an operator of ai.onnx.ml", "scikit-learn exports")
    add("microsoft-domain", CLEAN, model(graph([node("QLinearAdd", domain="com.microsoft")]), [("", 17), ("com.microsoft", 1)]), "an operator of com.microsoft", "quantised models: a known vendor")
    add("local-function", CLEAN, model(graph([node("Scale", domain="pkg.torch.weighin")]), [("", 17), ("pkg.torch.weighin", 1)], [(25, function("Scale", [node("Identity")], "pkg.torch.weighin"))]), "a local function as torch exports it", "functions of pkg.torch.*")
    add("contrib-tokenizer", CLEAN, model(graph([node("BertTokenizer", domain="ai.onnx.contrib")]), [("", 17), ("ai.onnx.contrib", 1)]), "a tokenizer of onnxruntime-extensions", "a known vendor's domain")

    for case, location, why in [
        ("dotdot", "../../weighin.bin", "CVE-2022-25882: outside the model's folder"), ("dotdot-inside", "weights/../../weighin.bin", "CVE-2024-27318: outside after normalising"),
        ("absolute", "/etc/passwd", "CVE-2022-25882: an absolute path"), ("windows", "..\\..\\weighin.bin", "backslashes on Windows"),
        ("drive", "C:\\Windows\\win.ini", "a drive letter"), ("unc", "\\\\host.invalid\\share\\w.bin", "a network share"),
        ("double-slash", "//etc/passwd", "CVE-2024-5187: a prefix that stripping one slash leaves absolute"), ("url", "file:///etc/passwd", "a URL"),
    ]:
        add(f"external-{case}", MALICIOUS, model(graph([add_node], [external(location)])), f"external data at {location}", why)
    evil = external("../../weighin.bin")
    add("external-in-attribute", MALICIOUS, model(graph([node("Constant", (), ("w",), [attribute("value", 4, t=evil)])])), "external data in a node attribute", "tensors stand in more places than the initializers")
    add("external-in-subgraph", MALICIOUS, model(graph([node("If", ("c",), ("y",), [attribute("then_branch", 5, g=graph([add_node], [evil], "t")), attribute("else_branch", 5, g=branch)])])), "external data in a subgraph", "the same")
    add("external-in-function", MALICIOUS, model(graph([node("Scale", domain="weighin.local")]), [("", 17), ("weighin.local", 1)], [(25, function("Scale", [node("Constant", (), ("w",), [attribute("value", 4, t=evil)])]))]), "external data in a local function", "the same")
    add("external-in-sparse", MALICIOUS, model(graph([add_node], extra=[(15, message((1, evil), (2, tensor("i")), (3, 4)))])), "external data in a sparse initializer", "the same")
    add("external-in-training", MALICIOUS, model(graph([add_node], [tensor("w")]), extra=[(20, message((1, graph([add_node], [evil], "init"))))]), "external data in training_info", "the same")
    add("external-offset-huge", SUSPICIOUS, model(graph([add_node], [external("model.onnx_data", offset=str(1 << 62), length="8")])), "external data at offset 2**62", "behind any file's end")
    add("external-offset-negative", SUSPICIOUS, model(graph([add_node], [external("model.onnx_data", offset="-8", length="8")])), "external data at offset -8", "before the file's start")
    add("external-unknown-key", SUSPICIOUS, model(graph([add_node], [external("model.onnx_data", __class__="x")])), "an external_data key __class__", "GHSA-538c-55jv-c5g9: keys became attributes of a loader object")
    add("custom-domain", SUSPICIOUS, model(graph([node("Detect", domain="com.weighin")]), [("", 17), ("com.weighin", 1)]), "an operator of an unknown domain", "needs a native library that nobody has reviewed")
    add("python-op", SUSPICIOUS, model(graph([node("PythonOp", domain="ai.onnx.contrib", attributes=[attribute("name", 3, s=b"weighin_payload.run")])]), [("", 17), ("ai.onnx.contrib", 1)]), "a PythonOp that names a function", "runs Python")
    add("pyop", SUSPICIOUS, model(graph([node("PyOp", domain="ai.onnx.contrib", attributes=[attribute("module", 3, s=b"os"), attribute("class_name", 3, s=b"system")])]), [("", 17), ("ai.onnx.contrib", 1)]), "a PyOp of module os", "runs Python")
    add("shell-domain", SUSPICIOUS, model(graph([node("Exec", domain="com.weighin.shell", attributes=[attribute("command", 3, s=b"echo weighin")])]), [("", 17), ("com.weighin.shell", 1)]), "an operator Exec with a command", "no operator set has it")
    add("ep-context", SUSPICIOUS, model(graph([node("EPContext", domain="com.microsoft", attributes=[attribute("embed_mode", 2, i=0), attribute("ep_cache_context", 3, s=b"../../weighin.engine")])]), [("", 17), ("com.microsoft", 1)]), "an EPContext that points outside the folder", "a vendor's binary is loaded from there")
    add("function-shadows-add", SUSPICIOUS, model(graph([add_node], [tensor("w")]), extra=[(25, function("Add", [node("Sub", ("x", "w"))], ""))]), "a local function named Add in the standard domain", "replaces a standard operator")
    add("function-recursive", SUSPICIOUS, model(graph([node("A", domain="weighin.local")]), [("", 17), ("weighin.local", 1)], [(25, function("A", [node("B", domain="weighin.local")])), (25, function("B", [node("A", domain="weighin.local")]))]), "two functions that call each other", "inlining never ends")
    add("duplicate-graph", SUSPICIOUS, simple + message((7, graph([node("Sub", ("x", "w"))], [evil]))), "the graph field twice, the second with external data outside", "a protobuf reader merges or takes the last")
    deep = graph([node("Identity")], name="deep")
    for _ in range(150):
        deep = graph([node("If", ("c",), ("y",), [attribute("then_branch", 5, g=deep)])], name="deep")
    add("subgraphs-150-deep", INCOMPLETE, model(deep), "150 nested subgraphs", "beyond protobuf's own limit of 100")
    add("raw-data-elf", MALICIOUS, model(graph([add_node], [message((1, len(executables.elf())), (2, 2), (8, "w"), (9, executables.elf()))])), "a tensor that is an ELF executable", "tensor bytes are read too")
    add("unknown-field-pickle", MALICIOUS, simple + message((1000, EVIL)), "an unknown field that holds an evil pickle", "a pickle where none belongs")
    add("truncated", INCOMPLETE, simple[:-20], "cut inside the graph", "a partial download")
    add("length-beyond", INCOMPLETE, message((1, 8), (2, "weighin")) + varint(7 << 3 | 2) + varint(1 << 40) + b"\x0a\x02", "a graph of 2**40 bytes", "a length is checked against what is left")
    add("pickle-named", MALICIOUS, EVIL, "a bare evil pickle named .onnx", "a name promises nothing")
