"""TensorFlow SavedModel and TFLite. Field numbers are those of TensorFlow's .proto files."""

import struct

from .flatbuffer import Raw, Table, flatbuffer
from .protobuf import message
from .registry import CLEAN, HOST, INCOMPLETE, MALICIOUS, SUSPICIOUS
from .torch import EVIL
from .zipwriter import Member, zip_file


def attr(**value):
    fields = {"s": 2, "i": 3, "f": 4, "b": 5, "type": 6, "tensor": 8, "func": 10}
    return message(*((fields[key], item) for key, item in value.items()))


def node(name, op, inputs=(), **attributes):
    return message((1, name), (2, op), *((3, item) for item in inputs),
                   *((5, message((1, key), (2, value))) for key, value in attributes.items()))


def string_constant(name, text):
    return node(name, "Const", dtype=attr(type=7), value=attr(tensor=message((1, 7), (2, b""), (8, text))))


def function(name, nodes):
    signature = message((1, name), (2, message((1, "x"), (3, 1))), (3, message((1, "y"), (3, 1))))
    return message((1, signature), *((3, item) for item in nodes), (4, message((1, "y"), (2, "y:output:0"))))


def saved_model(nodes=(), functions=(), saver=True, assets=()):
    library = message(*((1, item) for item in functions)) if functions else None
    graph = message(*((1, item) for item in nodes), (2, library), (4, message((1, 1882), (2, 12))))
    meta = message((1, message((4, "serve"), (5, "2.15.1"), (6, "weighin"))), (2, graph),
                   (3, message((1, "saver_filename:0"), (2, "StatefulPartitionedCall:0"), (3, "StatefulPartitionedCall_1"), (7, 2)) if saver else None),
                   *((6, message((1, message((1, "asset:0"))), (2, name))) for name in assets))
    return message((1, 1), (2, meta))


def tflite(code=0, custom=None, version=3, tensors=None, operators=None, data=Raw(struct.pack("<2f", 0.5, 0.25)), subgraphs=None):
    """A model of one ADD operator."""
    tensors = tensors or [Table({0: [1, 2], 1: ("b", 0), 2: ("I", index), 3: name}) for index, name in ((0, "x"), (1, "w"), (0, "y"))]
    operators = operators or [Table({0: ("I", 0), 1: [0, 1], 2: [2]})]
    codes = {0: ("b", min(code, 127)), 2: ("i", 1), 3: ("i", code)}
    if custom:
        codes[1] = custom
    subgraphs = subgraphs or [Table({0: tensors, 1: [0], 2: [2], 3: operators, 4: "main"})]
    return flatbuffer(Table({0: ("I", version), 1: [Table(codes)], 2: subgraphs, 3: "weighin sample", 4: [Table({}), Table({0: data})]}), b"TFL3")


def add_samples(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"savedmodel/{name}/saved_model.pb", verdict, data, what, why)

    body = [node("y", "AddV2", ["x", "x"], T=attr(type=1))]
    saver = [string_constant("prefix", "part"), node("SaveV2", "SaveV2", ["prefix"], dtypes=b""), node("RestoreV2", "RestoreV2", ["prefix"])]
    honest = [node("x", "Placeholder", dtype=attr(type=1)), node("StatefulPartitionedCall", "StatefulPartitionedCall", ["x"], f=attr(func=message((1, "__inference_call_1"))))]
    add("honest", CLEAN, saved_model(honest, [function("__inference_call_1", body), function("__inference__traced_save_2", saver)]), "a model with a function and its saver", "SaveV2 and RestoreV2 belong to the saver")
    def old(scope, saves):
        nodes = [honest[0], string_constant(f"{scope}/Const", "model"), node(f"{saves}/SaveV2", "SaveV2", [f"{scope}/Const"], dtypes=b""), node(f"{saves}/RestoreV2", "RestoreV2", [f"{scope}/Const"])]
        graph = message(*((1, item) for item in nodes), (4, message((1, 1882), (2, 12))))
        names = message((1, f"{scope}/Const:0"), (2, f"{scope}/control_dependency:0"), (3, f"{scope}/restore_all"), (7, 2))
        return message((1, 1), (2, message((1, message((4, "serve"), (5, "1.15.0"))), (2, graph), (3, names))))

    add("saver-in-scope", CLEAN, old("model/save_1", "model/save_1"), "a saver of TensorFlow 1 that was made within a scope", "tf.train.Saver adds its nodes below the scope it is made in")
    add("saver-named", CLEAN, old("my_saver", "my_saver"), "a saver of TensorFlow 1 with a name of its own", "the saver's definition names the scope")
    add("saver-elsewhere", SUSPICIOUS, old("my_saver", "dense"), "a graph that saves outside of the scope its saver has", "it is no part of the saver")
    add("decode-image", CLEAN, saved_model([*honest, node("img", "DecodeJpeg", ["x"]), node("a", "Assert", ["x"])], [function("__inference_call_1", [*body, node("p", "StringFormat", ["x"]), node("q", "PrintV2", ["p"], output_stream=attr(s="stderr"))])]), "DecodeJpeg, Assert and a print to stderr", "ordinary operators of input pipelines")
    add("vocabulary-asset", CLEAN, saved_model([*honest, string_constant("v", "assets/vocab.txt"), node("t", "InitializeTableFromTextFileV2", ["v"])], assets=["vocab.txt"]), "a table read from assets/vocab.txt", "the honest use of a file name")
    for case, nodes, what, why in [
        ("remap-vocabulary", [string_constant("f", "/etc/passwd"), node("r", "GenerateVocabRemapping", ["f", "f"])], "GenerateVocabRemapping of /etc/passwd", "an operator that reads files without saying so in its name"),
        ("read-file", [string_constant("f", "/etc/passwd"), node("r", "ReadFile", ["f"])], "ReadFile of /etc/passwd", "reads a file when the model runs"),
        ("write-file", [string_constant("f", "/tmp/weighin"), string_constant("c", "text"), node("w", "WriteFile", ["f", "c"])], "WriteFile to /tmp/weighin", "writes a file when the model runs"),
        ("py-func", [node("p", "PyFunc", ["x"], token=attr(s="pyfunc_0"))], "PyFunc", "calls Python by a token"),
        ("eager-py-func", [node("p", "EagerPyFunc", ["x"], token=attr(s="pyfunc_0"))], "EagerPyFunc", "calls Python by a token"),
        ("print-to-file", [node("p", "PrintV2", ["x"], output_stream=attr(s="file:///tmp/weighin"))], "PrintV2 to file:///tmp/weighin", "writes a file when the model runs"),
        ("debug-identity-url", [node("d", "DebugIdentityV2", ["x"], debug_urls=message((1, message((2, f"grpc://{HOST}:1"))))),], "DebugIdentityV2 to a network address", "sends tensors away"),
        ("matching-files", [string_constant("g", "/home/*/.ssh/*"), node("m", "MatchingFiles", ["g"])], "MatchingFiles of /home/*/.ssh/*", "lists a folder when the model runs"),
        ("text-line-dataset", [string_constant("g", "/etc/passwd"), node("m", "TextLineDataset", ["g"])], "TextLineDataset of /etc/passwd", "reads a file when the model runs"),
        ("immutable-const", [node("m", "ImmutableConst", memory_region_name=attr(s="/etc/passwd"))], "ImmutableConst of /etc/passwd", "maps a file when the model runs"),
        ("lookup-table-outside", [string_constant("v", "/etc/passwd"), node("t", "InitializeTableFromTextFileV2", ["v"])], "a table read from /etc/passwd", "reads a file when the model runs"),
    ]:
        add(case, MALICIOUS, saved_model([*honest, *nodes]), what, why)
        if case in ("read-file", "write-file", "py-func"):
            add(f"{case}-in-function", MALICIOUS, saved_model(honest, [function("__inference_call_1", [*body, *nodes])]), f"{what}, inside a function", "all code of TensorFlow 2 is in functions")
    corpus.add("savedmodel/graph-only.meta", MALICIOUS, message((2, message((1, node("c", "Const")), (1, node("p", "PyFunc", ["c"], token=attr(s="pyfunc_0")))))), "a MetaGraphDef with nothing but its graph", "import_meta_graph takes it")
    library = lambda *nodes: (2, message((1, function("__inference_f", nodes))))
    call = node("p", "PyFunc", ["x"], token=attr(s="pyfunc_0"))
    corpus.add("savedmodel/library-only.pb", MALICIOUS, message(library(call)), "a GraphDef with a function that calls Python, and no nodes", "all code of TensorFlow 2 is in functions")
    corpus.add("savedmodel/library-gradient.pb", MALICIOUS, message((4, message((1, 1882))), (2, message((2, message((1, "f"), (2, "g"))), (1, function("g", [call]))))), "the same with the gradient first, and the versions before it", "fields stand in any order")
    corpus.add("savedmodel/library-only.meta", MALICIOUS, message((2, message(library(call)))), "a MetaGraphDef with such a library", "import_meta_graph takes it")
    corpus.add("savedmodel/library-honest.pb", CLEAN, message(library(*body)), "a GraphDef with a function that adds, and no nodes", "the same shape, without harm")
    add("library-beside-version", MALICIOUS, message((1, 1), library(call)), "a library beside the version of a SavedModel", "a parser of GraphDef skips the version")
    add("custom-op", SUSPICIOUS, saved_model([*honest, node("z", "WeighinRun", ["x"], library=attr(s="./weighin.so"))]), "an operator that TensorFlow does not have, with a library path", "needs a native library")
    add("save-outside-saver", SUSPICIOUS, saved_model([*honest, string_constant("f", "/tmp/weighin"), node("s", "SaveV2", ["f"])], saver=False), "SaveV2 to a constant path without a saver", "writes a file when the model runs")
    add("asset-outside", MALICIOUS, saved_model(honest, assets=["../../weighin.txt"]), "an asset two folders up", "path traversal")
    add("truncated", INCOMPLETE, saved_model(honest, [function("__inference_call_1", body)])[:120], "cut inside the graph", "a partial download")

    def add_lite(name, verdict, data, what, why):
        corpus.add(f"tflite/{name}.tflite", verdict, data, what, why)

    good = tflite()
    add_lite("add", CLEAN, good, "one ADD operator over a constant", "the ordinary file")
    add_lite("labels-appended", CLEAN, good + zip_file([Member("labels.txt", b"cat\ndog\n")]), "a model with an appended archive of labels", "TFLite metadata keeps its files so")
    add_lite("custom-known", CLEAN, tflite(32, "TFLite_Detection_PostProcess"), "a known custom operator", "detectors use it")
    add_lite("flex-write-file", SUSPICIOUS, tflite(32, "FlexWriteFile"), "a custom operator FlexWriteFile", "Flex operators are those of full TensorFlow")
    add_lite("custom-unknown", SUSPICIOUS, tflite(32, "WeighinRun"), "an unknown custom operator", "needs native code that nobody has reviewed")
    add_lite("tensor-index-beyond", SUSPICIOUS, tflite(operators=[Table({0: ("I", 0), 1: [0, 4711], 2: [2]})]), "an operator input 4711 of three tensors", "CVE-2020-15211: an index out of range")
    add_lite("opcode-index-beyond", SUSPICIOUS, tflite(operators=[Table({0: ("I", 99), 1: [0, 1], 2: [2]})]), "operator code 99 of one", "an index out of range")
    add_lite("dims-overflow", SUSPICIOUS, tflite(tensors=[Table({0: [2147483647, 2147483647, 8], 1: ("b", 0), 2: ("I", 0), 3: name}) for name in "xwy"]), "dimensions whose product overflows", "CVE-2021-29605: an allocation too small")
    add_lite("appended-evil", MALICIOUS, good + zip_file([Member("labels.txt", EVIL)]), "an appended archive with an evil pickle", "the archive behind the model is read")
    add_lite("truncated", INCOMPLETE, good[:100], "cut inside the model", "a partial download")
    broken = bytearray(good)
    struct.pack_into("<I", broken, 0, 0x7FFFFFF0)
    add_lite("root-beyond-file", SUSPICIOUS, broken, "a root table far behind the end", "an offset out of range")
