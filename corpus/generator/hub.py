"""Blobs of a Hugging Face cache: named by the digest of their content, or wrongly so."""

import hashlib
import json

from generator.opcodes import dumps
from generator.registry import CLEAN, INCOMPLETE, MALICIOUS
from generator.safetensors import entry, safetensors

FOLDER = "hub/models--weighin--demo/blobs"


def git_blob(data):
    """The id that Git gives a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def add_samples(corpus):
    """All of them."""
    weights = dumps({"weights": [1, 2, 3]})
    other = dumps({"weights": [1, 2, 4]})
    config = b'{"model_type": "bert"}\n'
    edited = b'{"model_type": "bart"}\n'
    corpus.add(f"{FOLDER}/{hashlib.sha256(weights).hexdigest()}", CLEAN, weights, "a large file of a cache", "its name is its SHA-256")
    corpus.add(f"{FOLDER}/{git_blob(config)}", CLEAN, config, "a small file of a cache", "its name is the id that Git gives it")
    corpus.add(f"{FOLDER}/{hashlib.sha256(other).hexdigest()}", MALICIOUS, weights, "a large file of a cache, exchanged", "its name is another's SHA-256")
    corpus.add(f"{FOLDER}/{git_blob(edited)}", MALICIOUS, config, "a small file of a cache, edited", "its name is another's id")
    beside(corpus)


def beside(corpus):
    """Folders of models: what lies beside a file, and what does not."""
    weights = dumps({"weights": [1, 2, 3]})
    corpus.add("hub/twin/pytorch_model.bin", CLEAN, weights, "weights that can run code", "the same weights lie beside them as safetensors: a note")
    corpus.add("hub/twin/model.safetensors", CLEAN, safetensors({"w": entry("F32", [1], 0, 4)}, bytes(4)), "the same weights as safetensors", "it is what loaders should read")
    corpus.add("hub/alone/pytorch_model.bin", CLEAN, weights, "weights without a safe twin", "nothing to compare with")
    for folder, shards in (("whole", 2), ("missing", 1)):
        index = json.dumps({"metadata": {}, "weight_map": {f"w{n}": f"model-{n:05}-of-00002.safetensors" for n in (1, 2)}})
        corpus.add(f"hub/{folder}/model.safetensors.index.json", CLEAN if shards == 2 else INCOMPLETE, index, f"an index of two shards, of which {shards} lie beside it", "a part that is not there was not examined")
        for number in range(1, shards + 1):
            corpus.add(f"hub/{folder}/model-{number:05}-of-00002.safetensors", CLEAN, safetensors({f"w{number}": entry("F32", [1], 0, 4)}, bytes(4)), "a shard", "as its index says")
