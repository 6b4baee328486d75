"""Raw numbers beside the description that accounts for them: TensorFlow.js, MLC-LLM, ncnn, compiled Core ML."""

import json
import struct

from .objects import packed
from .protobuf import message
from .registry import CLEAN, INCOMPLETE, MALICIOUS
from .torch import EVIL, WHAT

ALONE = "the same bytes are known beside the description"


def add_samples(corpus):
    tensorflow_js(corpus)
    parameter_cache(corpus)
    ncnn(corpus)
    espresso(corpus)
    signed(corpus)


def floats(count):
    return packed([0.5 - index / 64 for index in range(count)], "f4")


def tensorflow_js(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"tfjs/{name}", verdict, json.dumps(data) if isinstance(data, (dict, list)) else data, what, why)

    weights = [{"name": "dense/kernel", "shape": [4, 3], "dtype": "float32"},
               {"name": "dense/bias", "shape": [3], "dtype": "float32", "quantization": {"dtype": "uint8", "min": 0, "scale": 0.5}}]
    data = floats(12) + b"\x07\x81\xe2"
    for folder, document, what in [
        ("layers/model.json", {"format": "layers-model", "modelTopology": {}, "weightsManifest": [{"paths": ["weights-1of2.bin", "weights-2of2.bin"], "weights": weights}]}, "a model of TensorFlow.js whose weights lie in two files"),
        ("manifest/m-weights_manifest.json", [{"paths": ["weights-1of2.bin", "weights-2of2.bin"], "weights": weights}], "the weights manifest by itself, as older converters wrote it"),
    ]:
        place = folder.split("/")[0]
        add(folder, CLEAN, document, what, "shapes and types say how many bytes there are")
        add(f"{place}/weights-1of2.bin", INCOMPLETE, data[:32], "the first of them", ALONE)
        add(f"{place}/weights-2of2.bin", INCOMPLETE, data[32:], "the second", ALONE)
    one = [{"paths": ["weights.bin"], "weights": weights}]
    add("longer/model.json", CLEAN, {"weightsManifest": one}, "a model whose weights take 51 bytes", "what follows them in their file is no part of it")
    add("longer/weights.bin", INCOMPLETE, data + bytes(range(160, 200)), "51 bytes of weights and 40 others", "they stay unknown beside the model")
    add("pickle/model.json", CLEAN, {"weightsManifest": [{"paths": ["weights.bin"], "weights": [{"name": "w", "shape": [len(EVIL)], "dtype": "bool"}]}]}, "a model whose weights are as long as the file beside it", "a size vouches for no content")
    add("pickle/weights.bin", MALICIOUS, EVIL, f"a pickle: {WHAT}", "whatever is recognised is judged as what it is")
    strings = [{"paths": ["weights.bin"], "weights": [{"name": "w", "shape": [2], "dtype": "string"}]}]
    add("strings/model.json", CLEAN, {"weightsManifest": strings}, "a model whose weights are strings", "nothing says how long these are")
    add("strings/weights.bin", INCOMPLETE, bytes([3, 0, 0, 0]) + b"\xf1\xf2\xf3" + bytes([1, 0, 0, 0]) + b"\xf4", "two strings", "they stay unknown beside the model")


def parameter_cache(corpus):
    def cache(path, length):
        tensor = {"name": "w", "shape": [length // 4], "dtype": "float32", "format": "f32-to-bf16", "nbytes": length, "byteOffset": 0}
        return json.dumps({"metadata": {"ParamSize": 1, "ParamBytes": length, "BitsPerParam": 32.0}, "records": [{"dataPath": path, "format": "raw-shard", "nbytes": length, "records": [tensor], "md5sum": "0" * 32}]})

    numbers = bytes((index * 73 + 41) & 0xFF for index in range(64))
    for name in ["ndarray-cache.json", "tensor-cache.json"]:
        place = f"mlc/{name.split('-')[0]}"
        corpus.add(f"{place}/{name}", CLEAN, cache("params_shard_0.bin", 64), "a parameter cache of MLC-LLM", "it lists every shard with its size")
        corpus.add(f"{place}/params_shard_0.bin", INCOMPLETE, numbers, "its shard", ALONE)
    corpus.add("mlc/outside/ndarray-cache.json", MALICIOUS, cache("../../params_shard_0.bin", 64), "a parameter cache whose shard lies two folders up", "loaders join the path to the folder")
    corpus.add("mlc/short/ndarray-cache.json", CLEAN, cache("params_shard_0.bin", 128), "a parameter cache whose shard has 128 bytes", "what is shorter is broken")
    corpus.add("mlc/short/params_shard_0.bin", INCOMPLETE, numbers, "64 bytes of it", "a partial download")


GRAPH = """7767517
7 7
Input            data     0 1 data 0=4 1=4 2=1
Convolution      conv     1 1 data conv 0=2 1=3 5=1 6=18
BatchNorm        norm     1 1 conv norm 0=2
PReLU            relu     1 1 norm relu 0=2
InnerProduct     fc       1 1 relu fc 0=3 1=1 2=24
LSTM             lstm     1 1 fc lstm 0=2 1=24 2=0
Softmax          prob     1 1 lstm prob 0=0
"""


def ncnn(corpus):
    def word(number):
        return struct.pack("<I", number)

    half = struct.pack("<18e", *[index / 32 for index in range(18)])
    lstm = word(0) + floats(24) + word(0) + floats(8) + word(0x0002C056) + floats(16)
    numbers = word(0x01306B47) + half + floats(2) + floats(8) + floats(2) + word(0x000D4B38) + bytes(range(120, 144)) + floats(3) + lstm
    corpus.add("ncnn/net.param", CLEAN, GRAPH, "an ncnn graph", "parameters of layers say how many numbers they read")
    corpus.add("ncnn/net.bin", INCOMPLETE, numbers, "its weights: of 16 bits, of 8 bits, and floats", ALONE)
    corpus.add("ncnn/longer/net.param", CLEAN, GRAPH, "an ncnn graph", "what follows its weights is no part of it")
    corpus.add("ncnn/longer/net.bin", INCOMPLETE, numbers + b"\xa7" * 8, "its weights, and eight bytes", "they stay unknown beside the graph")


def espresso(corpus):
    blobs = [floats(2), floats(5)]
    table = struct.pack("<Q", 2) + b"".join(struct.pack("<QQ", index, len(blob)) for index, blob in enumerate(blobs))
    corpus.add("coreml/model.espresso.weights", CLEAN, table + b"".join(blobs), "weights of a compiled Core ML network", "the table accounts for every byte")
    corpus.add("coreml/short/model.espresso.weights", INCOMPLETE, table + blobs[0], "the same without the second blob", "a partial download")


def signed(corpus):
    """Models that hold nothing but numbers, known by how they begin."""
    corpus.add("other/treelite.tl", CLEAN, struct.pack("<iiiBBQ", 4, 8, 0, 3, 3, 2) + floats(8), "a model of Treelite", "a version, two types, the number of trees")
    corpus.add("other/treelite-none.tl", INCOMPLETE, struct.pack("<iiiBBQ", 4, 8, 0, 9, 3, 2) + floats(8), "the same with a type that there is not", "numbers that could be anything")
    index = struct.pack("<4siqqqBi", b"IxPT", 8, 100, 1 << 20, 1 << 20, 1, 1) + floats(8)
    corpus.add("other/vectors.faiss", CLEAN, index, "an index of FAISS behind a transformation", "all kinds of indices have the same header")
    corpus.add("other/vectors.index", CLEAN, struct.pack("<4siiqBi", b"IBwF", 64, 8, 10, 1, 1) + floats(8), "an index of FAISS over bits", "the size of a code is that of its bits")
    corpus.add("other/vectors-cut.faiss", INCOMPLETE, index[:20], "the first bytes of an index", "letters alone say nothing")
    corpus.add("other/vectors.bin", CLEAN, struct.pack("<II", 2, 8) + floats(4) + b"usearch" + bytes(57), "an index of usearch", "vectors come first, then the magic")
    corpus.add("other/vectors.ark", CLEAN, b"utt1 \0BFV \x04" + struct.pack("<I", 2) + floats(2), "a vector in an archive of Kaldi", "a key, then a matrix in binary form")
    corpus.add("other/brain.nii", CLEAN, struct.pack("<I", 348) + bytes(340) + b"n+1\0" + bytes(4) + floats(4), "a volume of NIfTI", "the magic stands at the end of the header")
    corpus.add("other/words.marisa", CLEAN, b"We love Marisa.\0" + bytes(range(160, 200)), "a trie of marisa-trie", "a magic sentence")
    rows = struct.pack("<4BIHH20x", 3, 126, 11, 22, 1, 65, 4) + b"a".ljust(11, b"\0") + b"N" + bytes(4) + b"\3\0" + bytes(14) + b"\r" + b"   7" + b"\x1a"
    corpus.add("other/places.dbf", CLEAN, rows, "a table of dBASE", "lengths of a header and of rows make up the file")
    corpus.add("other/places-longer.dbf", INCOMPLETE, rows + bytes(range(160, 200)), "the same with 40 bytes behind it", "they belong to nothing")
    corpus.add("other/tagger.crfsuite", CLEAN, b"lCRF" + struct.pack("<I", 64) + b"FOMC" + struct.pack("<I", 100) + bytes(range(128, 176)), "a model of CRFsuite", "a magic number")
    blob = message((7, message((1, 2), (1, 1))), (5, floats(2)))
    corpus.add("other/net.caffemodel", CLEAN, message((1, "net"), (100, message((1, "fc"), (2, "InnerProduct"), (7, blob)))), "weights of Caffe", "layers with their blobs")
