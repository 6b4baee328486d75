"""Blobs of a Hugging Face cache: named by the digest of their content, or wrongly so."""

import hashlib

from generator.opcodes import dumps
from generator.registry import CLEAN, MALICIOUS

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
