"""Graphs and weights beyond the common ones: ORT, ExecuTorch, Core ML, Paddle, shard indices,
and the rarer operators of TensorFlow."""

import json
import struct

from . import executables, onnx
from .flatbuffer import Raw, Table, flatbuffer
from .protobuf import message
from .registry import CLEAN, COMMAND, HOST, MALICIOUS, SUSPICIOUS
from .safetensors import entry, safetensors
from .tensorflow import attr, function, node, saved_model, string_constant, tflite
from .zipwriter import Member, zip_file


def add_samples(corpus):
    tensorflow(corpus)
    lite(corpus)
    runtimes(corpus)
    coreml(corpus)
    paddle(corpus)
    shards(corpus)
    embedded(corpus)


def tensorflow(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"savedmodel/{name}/saved_model.pb", verdict, data, what, why)

    x = node("x", "Placeholder", dtype=attr(type=1))
    add("rpc-client", MALICIOUS, saved_model([x, string_constant("a", f"{HOST}:1"), node("r", "RpcClient", ["a"])]), "an RpcClient", "connects to a server when the model runs")
    add("data-service", MALICIOUS, saved_model([x, string_constant("a", f"grpc://{HOST}:1"), node("r", "DataServiceDatasetV4", ["a"])]), "a dataset from a tf.data service", "connects to a server when the model runs")
    add("record-dataset", SUSPICIOUS, saved_model([x, node("r", "TFRecordDatasetV2", ["x"])]), "TFRecordDatasetV2 of whatever the caller names", "an input pipeline saved with the model")
    add("summary-writer", SUSPICIOUS, saved_model([x, node("w", "CreateSummaryFileWriter", ["x"]), node("s", "WriteScalarSummary", ["w"])]), "a TensorBoard writer", "writes event files when the model runs")
    add("debug-numeric", SUSPICIOUS, saved_model([x, node("d", "DebugNumericSummaryV2", ["x"])]), "an operator of the debugger", "a model saved while debugging")
    add("text-ops", CLEAN, saved_model([x, node("t", "WordpieceTokenizeWithOffsets", ["x"])]), "an operator of TensorFlow Text", "a known package")
    joined = [string_constant("a", "/home"), string_constant("b", "user/.ssh/id_ed25519"), node("j", "StringJoin", ["a", "b"], separator=attr(s="/")), node("i", "Identity", ["j"]), node("r", "ReadFile", ["i"])]
    add("read-file-joined", MALICIOUS, saved_model([x, *joined]), "ReadFile of a path put together from two constants", "a constant in pieces is a constant")
    nested = [node("c", "StatefulPartitionedCall", ["x"], f=attr(func=message((1, "__inference__traced_save_9"))))]
    write = [string_constant("p", "/etc/cron.d/weighin"), node("s", "SaveV2", ["p"])]
    add("saver-name-borrowed", MALICIOUS, saved_model([x, *nested], [function("__inference__traced_save_9", write)]), "a function with a saver's name that the model itself calls", "a name proves nothing")
    corpus.add("savedmodel/graph.pb", CLEAN, message((1, x), (1, node("y", "Relu", ["x"])), (4, message((1, 1882)))), "a bare GraphDef", "frozen graphs are stored so")
    corpus.add("savedmodel/graph-write.pb", MALICIOUS, message((1, x), (1, string_constant("f", "/tmp/weighin")), (1, node("y", "WriteFile", ["f", "x"])), (4, message((1, 1882)))), "a bare GraphDef with WriteFile", "frozen graphs run the same operators")
    pickled = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c" + bytes([len(COMMAND)]) + COMMAND.encode() + b"\x85R."
    collection = message((1, "weighin"), (2, message((2, message((1, pickled))))))
    corpus.add("savedmodel/model.meta", MALICIOUS, message((1, message((5, "2.15.1"))), (2, message((1, x))), (4, collection)), f"a MetaGraphDef whose collection holds a pickle that runs {COMMAND}", "collections hold whatever their owner put there")


def lite(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"tflite/{name}.tflite", verdict, data, what, why)

    tensors = [Table({0: [1, 2], 1: ("b", 0), 2: ("I", index), 3: name}) for index, name in ((0, "x"), (1, "w"), (0, "y"))]
    loop = Table({0: ("I", 0), 1: [0], 2: [2], 3: ("B", 93), 4: Table({0: ("i", 0), 1: ("i", 0)})})
    endless = Table({0: tensors, 1: [0], 2: [2], 3: [loop], 4: "main"})
    add("while-recursive", SUSPICIOUS, tflite(119, subgraphs=[endless]), "a WHILE whose body is its own subgraph", "CVE-2021-29591: never ends")
    body = Table({0: tensors, 1: [0], 2: [2], 3: [], 4: "body"})
    step = Table({0: ("I", 0), 1: [0], 2: [2], 3: ("B", 93), 4: Table({0: ("i", 1), 1: ("i", 1)})})
    add("while", CLEAN, tflite(119, subgraphs=[Table({0: tensors, 1: [0], 2: [2], 3: [step], 4: "main"}), body]), "a WHILE over another subgraph", "the ordinary loop")
    add("flex-erf", CLEAN, tflite(32, "FlexErf"), "a Flex operator that only computes", "models converted with SELECT_TF_OPS")
    add("appended-unknown", SUSPICIOUS, tflite() + bytes(range(256)) * 20, "5 KiB behind the model that nothing refers to", "content for another program")


def runtimes(corpus):
    def ort(op, domain="", context=None, embed=1):
        attributes = []
        if context is not None:
            attributes = [Table({0: "embed_mode", 2: ("i", 2), 4: ("q", embed)}), Table({0: "ep_cache_context", 2: ("i", 3), 5: context})]
        one = Table({0: "n", 2: domain, 5: op, 10: attributes})
        graph = Table({0: [Table({0: "w", 4: Raw(bytes(8))})], 2: [one]})
        return flatbuffer(Table({0: "1.20.0", 1: Table({0: ("q", 10), 2: "weighin", 7: graph})}), b"ORTM")

    corpus.add("onnx/relu.ort", CLEAN, ort("Relu"), "one Relu in ORT's format", "the ordinary file")
    corpus.add("onnx/context-embedded.ort", CLEAN, ort("EPContext", "com.microsoft", "compiled part"), "a compiled part in the model", "vendors' compilers write it")
    corpus.add("onnx/context-outside.ort", MALICIOUS, ort("EPContext", "com.microsoft", "../../weighin.bin", 0), "a compiled part two folders up", "path traversal")
    corpus.add("onnx/custom-domain.ort", SUSPICIOUS, ort("Run", "com.weighin"), "an operator of an unknown domain", "needs a native library that nobody has reviewed")
    context = onnx.node("EPContext", domain="com.microsoft", attributes=[onnx.attribute("embed_mode", 2, i=0), onnx.attribute("ep_cache_context", 3, s="/tmp/weighin.so")])
    corpus.add("onnx/context-outside.onnx", MALICIOUS, onnx.model(onnx.graph([context]), [("", 17), ("com.microsoft", 1)]), "a compiled part at an absolute path", "what is loaded from there is code for a device")
    short = onnx.graph([onnx.node("Add", ["x", "w"])], [message((1, 4711), (2, 1), (8, "w"), (9, bytes(8)))])
    corpus.add("onnx/tensor-too-short.onnx", SUSPICIOUS, onnx.model(short), "a tensor of 4711 elements with 8 bytes", "reads beyond the buffer")

    def pte(segment, data=b"segment!", magic=b"ET12"):
        plan = Table({0: "forward", 6: [Table({0: "aten::add", 1: "out"})], 7: [Table({0: "XnnpackBackend"})]})
        body = bytearray(flatbuffer(Table({0: ("I", 0), 1: [plan], 4: [Table({0: ("Q", 0), 1: ("Q", segment)})]}), magic))
        # The extended header stands between the identifier and the rest.
        body[8:8] = b"eh00" + struct.pack("<IQQ", 24, len(body) + 24, len(body) + 24)
        struct.pack_into("<I", body, 0, struct.unpack_from("<I", body, 0)[0] + 24)
        return bytes(body) + data

    corpus.add("onnx/add.pte", CLEAN, pte(8), "an ExecuTorch program with one operator, one delegate and one segment", "the ordinary file")
    corpus.add("onnx/segment-beyond.pte", SUSPICIOUS, pte(1 << 40), "an ExecuTorch segment of a terabyte", "reads beyond the file")


def coreml(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"coreml/{name}", verdict, data, what, why)

    description = (2, message((1, message((1, "x"))), (100, message((1, "weighin sample")))))
    network = message((1, message((1, "l"), (2, "x"), (3, "y"), (130, message((10, b""))))))
    add("network.mlmodel", CLEAN, message((1, 4), description, (500, network)), "a neural network of one layer", "the ordinary file")
    add("custom-model.mlmodel", CLEAN, message((1, 4), description, (555, message((10, "WeighinModel")))), "a custom model", "the application must bring the class")
    custom = message((1, message((1, "l"), (500, message((10, "WeighinLayer"))))))
    add("custom-layer.mlmodel", CLEAN, message((1, 4), description, (500, custom)), "a custom layer", "the same")
    linked = message((1, message((1, message((1, "../../weighin.mlmodelc"))))))
    add("linked-outside.mlmodel", MALICIOUS, message((1, 4), description, (556, linked)), "a linked model two folders up", "path traversal")

    def program(path):
        value = message((2, message((1, b""))), (5, message((1, path), (2, 64))))
        operation = message((1, "const"), (5, message((1, "val"), (2, value))))
        block = message((3, operation))
        return message((1, 1), (2, message((1, "main"), (2, message((3, message((1, "CoreML7"), (2, block))))))))

    add("program.mlmodel", CLEAN, message((1, 8), description, (502, program("@model_path/weights/weight.bin"))), "an ML program with weights in its package", "the ordinary file")
    add("program-outside.mlmodel", MALICIOUS, message((1, 8), description, (502, program("@model_path/../../../weighin.bin"))), "an ML program with weights three folders up", "path traversal")
    blob = struct.pack("<2I56x", 1, 2) + struct.pack("<2I2Q40x", 0xDEADBEEF, 1, 8, 128) + bytes(8)
    add("weight.bin", CLEAN, blob, "one blob of an ML program", "the ordinary file")
    manifest = {"fileFormatVersion": "1.0.0", "itemInfoEntries": {"A": {"author": "com.apple.CoreML", "path": "com.apple.CoreML/model.mlmodel"}}, "rootModelIdentifier": "A"}
    add("package/Manifest.json", CLEAN, json.dumps(manifest, indent=1) + "\n", "the manifest of a package", "the ordinary file")
    manifest["itemInfoEntries"]["A"]["path"] = "../../weighin.mlmodel"
    add("package-outside/Manifest.json", MALICIOUS, json.dumps(manifest, indent=1) + "\n", "the manifest of a package with a model two folders up", "path traversal")


def paddle(corpus):
    def program(*types):
        block = message((1, 0), (2, -1), *((4, message((1, message((1, "X"), (2, "x"))), (3, name))) for name in types))
        return message((1, block), (4, message((1, 2005000))))

    corpus.add("paddle/relu.pdmodel", CLEAN, program("feed", "relu", "fetch"), "a program of one operator", "the ordinary file")
    corpus.add("paddle/custom.pdmodel", SUSPICIOUS, program("feed", "weighin_run", "fetch"), "a program with an operator that PaddlePaddle does not have", "the application must load a native library")
    corpus.add("paddle/send.pdmodel", MALICIOUS, program("feed", "send", "fetch"), "a program that sends a tensor", "parameter servers do, models don't")

    def pir(*types, attributes=()):
        operators = [{"#": "p", "A": [0, 1, 1, "fc_0.w_0"], "O": {"%": 1}}, *({"#": name, "A": list(attributes), "I": [], "O": [{"%": 3, "TT": {"#": "0.t_dtensor"}}]} for name in types)]
        return json.dumps({"base_code": {"magic": "pir", "trainable": False, "version": 1}, "program": {"regions": [{"#": "region_0", "blocks": [{"#": "block_0", "args": [], "ops": operators}]}]}})

    path = [{"AT": {"#": "0.a_str", "D": "/etc/cron.d/weighin"}, "N": "file_path"}]
    corpus.add("paddle/relu.json", CLEAN, pir("1.data", "1.relu", "1.add_", "1.fetch"), "a program of PaddlePaddle 3", "the ordinary file")
    corpus.add("paddle/custom.json", SUSPICIOUS, pir("1.data", "3.weighin_run", "1.fetch"), "a program of PaddlePaddle 3 with an operator of its own", "the application must load a native library")
    corpus.add("paddle/py-func.json", MALICIOUS, pir("1.data", "1.py_func", "1.fetch"), "a program of PaddlePaddle 3 with py_func", "calls Python by a number")
    corpus.add("paddle/save-outside.json", MALICIOUS, pir("1.save_combine", attributes=path), "a program of PaddlePaddle 3 that saves to /etc/cron.d", "running it writes the file")
    shuffled = dict(reversed(json.loads(pir("1.save_combine", attributes=path)).items()))
    corpus.add("paddle/save-outside-shuffled.json", MALICIOUS, "\n" * 3000 + json.dumps(shuffled).replace('"pir"', r'"\u0070ir"'), "the same with its magic escaped, at the end", "the reader of JSON does not mind")
    corpus.add("paddle/py-func.pdmodel", MALICIOUS, program("feed", "py_func", "fetch"), "a program with py_func", "calls Python by a number")


def shards(corpus):
    def add(name, verdict, files, what, why):
        document = {"metadata": {"total_size": 8}, "weight_map": dict(zip("abc", files))}
        corpus.add(f"shards/{name}", verdict, json.dumps(document, indent=1) + "\n", what, why)

    add("model.safetensors.index.json", CLEAN, ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"], "an index of two shards", "the ordinary file")
    add("pytorch_model.bin.index.json", CLEAN, ["pytorch_model-00001-of-00001.bin"], "an index of pickled shards that says so", "the ordinary file of its time")
    add("parent/model.safetensors.index.json", MALICIOUS, ["../../other/model.safetensors"], "a shard two folders up", "path traversal")
    add("absolute/model.safetensors.index.json", MALICIOUS, ["/tmp/weighin.safetensors"], "a shard at an absolute path", "path traversal")
    add("pickle/model.safetensors.index.json", MALICIOUS, ["model-00001-of-00002.safetensors", "model-00002-of-00002.bin"], "a safetensors index with a pickled shard", "the name promises what the shard is not")


def embedded(corpus):
    two = {"weight": entry("F32", [2], 0, 8)}
    corpus.add("safetensors/metadata-command.safetensors", SUSPICIOUS, safetensors({"__metadata__": {"note": f"__import__('os').system('{COMMAND}')"}, **two}, bytes(8)), "Python code in the metadata", "a payload for whatever evaluates metadata")
    corpus.add("safetensors/metadata-control.safetensors", CLEAN, safetensors('{"__metadata__":{"note":"a\tb"},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}', bytes(4)), "a tab in a metadata string", "JSON forbids it, and some tools write it")
    corpus.add("text/elf/weights.dat", MALICIOUS, executables.elf(), "an ELF executable named .dat", "a name that promises data")
    corpus.add("text/elf/weights", SUSPICIOUS, executables.elf(), "an ELF executable without an ending", "a name that promises nothing")
    corpus.add("zip/member-elf.zip", MALICIOUS, zip_file([Member("data/0", executables.elf())]), "a member data/0 that is an ELF executable", "a native executable in the place of weights")
    corpus.add("zip/member-cubin.zip", CLEAN, zip_file([Member("data/0", executables.cubin())]), "a member that is GPU code", "compiled kernels are data to the processor")
