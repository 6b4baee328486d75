"""Stores of arrays: shards of torch.distributed.checkpoint, OCDBT (Orbax), Zarr, word vectors, exported JAX, and what lies beside them."""

import json
import struct

from . import executables
from .archives import zstd_frame
from .flatbuffer import Raw, Table, flatbuffer
from .objects import packed
from .opcodes import dumps
from .registry import CLEAN, HOST, INCOMPLETE, MALICIOUS, SUSPICIOUS
from .torch import EVIL, WHAT, small_state_dict, torch_zip
from .zipwriter import Member, zip_file


def add_samples(corpus):
    shards(corpus)
    ocdbt(corpus)
    zarr(corpus)
    words(corpus)
    networks(corpus)
    pipelines(corpus)
    libraries(corpus)
    exported(corpus)


def shards(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"torch/shard-{name}.distcp", verdict, data, what, why)

    state, storages = small_state_dict()
    honest, number = torch_zip(dumps(state, 2), storages), torch_zip(dumps(0.5, 2))
    evil = torch_zip(EVIL)
    within = zip_file([Member("archive/data.pkl", dumps(1, 2)), Member("archive/data/0", evil), Member("archive/version", b"3\n")])
    noise = bytes((i * 73 + 41) & 0xFF for i in range(200))
    add("honest", CLEAN, honest + number + honest, "three archives of torch.save, back to back", "torch.distributed.checkpoint writes every item of a shard as an archive of its own")
    add("honest-then-evil", MALICIOUS, honest + number + evil, f"two honest archives, then one that calls {WHAT}", "readers take each item from its offset, none reads the file as one archive")
    add("evil-within", MALICIOUS, within + number, f"an archive in a storage of the first one calls {WHAT}", "an offset in .metadata may point into another item")
    add("archive-then-pickle", MALICIOUS, honest + EVIL + number, f"a bare pickle between two archives: {WHAT}", "torch.load reads the old format too")
    add("archive-then-noise", INCOMPLETE, honest + noise + number, "200 bytes of nothing known between two archives", "an item that is none of the formats has not been examined")
    noisy = bytes((i * 73 + 41) % 251 for i in range(600))
    for name, verdict, data, what in [("pickle", MALICIOUS, noisy + EVIL + noisy, f"a storage with a pickle in its middle: {WHAT}"),
                                      ("numbers", CLEAN, noisy + noisy, "a storage of 1200 bytes that mean nothing")]:
        corpus.add(f"torch/storage-{name}.pt", verdict, torch_zip(dumps(state, 2), {**storages, "0": data}), what, "a loader of the next stage seeks to it")
    add("cut", INCOMPLETE, honest + number[:100], "two archives, the second one cut", "a partial download")


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def varints(*numbers):
    return b"".join(map(varint, numbers))


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


MANIFEST, NODE, VERSIONS = 0x0CDB3A2A, 0x0CDB20DE, 0x0CDB1234


def frame(magic, body, pack=True, checksum=None):
    content = varint(0) + (varint(1) + zstd_frame(body) if pack else varint(0) + body)
    head = struct.pack(">I", magic) + struct.pack("<Q", len(content) + 16)
    return head + content + struct.pack("<I", crc32c(head + content) if checksum is None else checksum)


def files(*paths):
    """The table of data files; nothing is shared, every folder is empty."""
    if not paths:
        return varint(0)
    return varint(len(paths)) + varints(*[0] * (len(paths) - 1), *[len(path) for path in paths], *[0] * len(paths)) + b"".join(path.encode() for path in paths)


def leaf(entries, *paths):
    """A leaf: keys in order, each with bytes, or with (file, offset, length)."""
    keys = [key.encode() for key, _ in entries]
    outside = [value for _, value in entries if not isinstance(value, bytes)]
    inside = [value for _, value in entries if isinstance(value, bytes)]
    return (bytes([0]) + files(*paths) + varint(len(entries)) + varints(*[0] * (len(keys) - 1), *map(len, keys)) + b"".join(keys)
            + varints(*[len(value) if isinstance(value, bytes) else value[2] for _, value in entries])
            + bytes(int(not isinstance(value, bytes)) for _, value in entries)
            + varints(*[file for file, _, _ in outside], *[offset for _, offset, _ in outside]) + b"".join(inside))


def manifest(path, length):
    config = bytes(range(16)) + varints(0, 1024, 100_000_000) + bytes([4]) + varint(1) + struct.pack("<i", 0)
    versions = varints(1, 1) + bytes([0]) + varints(0, 0, length, 1, length, 0) + struct.pack("<Q", 1_700_000_000)
    return config + files(path) + versions + varint(0)


def ocdbt(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"orbax/{name}", verdict, data, what, why)

    described = json.dumps({"chunks": [2], "compressor": {"id": "zstd", "level": 1}, "dtype": "<f4", "fill_value": None, "filters": None, "order": "C", "shape": [2], "zarr_format": 2}).encode()
    numbers = zstd_frame(packed([0.5, 0.25], "f4"))
    node = frame(NODE, leaf([("bias/.zarray", described), ("bias/0", numbers)]))
    own = "d/0f0e0d0c0b0a09080706050403020100"
    big = zstd_frame(bytes((i * 37 + 11) & 0xFF for i in range(700)))
    stored = big + frame(NODE, leaf([("kernel/.zarray", described), ("kernel/0.0", (0, 0, len(big)))], own))
    add("manifest.ocdbt", CLEAN, frame(MANIFEST, manifest("d/00112233445566778899aabbccddeeff", len(node))), "a manifest of one version", "what Orbax writes")
    add("d/00112233445566778899aabbccddeeff", CLEAN, node, "a leaf with an array's description and its only chunk", "small values stand in the node")
    add(own, CLEAN, stored, "a chunk, and behind it the leaf that refers to it", "large values stand beside the nodes")
    add("plain.ocdbt", CLEAN, frame(MANIFEST, manifest("d/00", 20), pack=False), "a manifest that is not packed", "compression is a choice")
    add("outside/manifest.ocdbt", MALICIOUS, frame(MANIFEST, manifest("../../../home/user/.cache/d/00", 20)), "a manifest whose root lies outside of the checkpoint", "a store joins the path to its folder")
    add("absolute/manifest.ocdbt", MALICIOUS, frame(MANIFEST, manifest("/etc/weighin", 20)), "a manifest whose root has an absolute path", "the same")
    add("evil-inline", MALICIOUS, frame(NODE, leaf([("bias/.zarray", described), ("state/pickle", EVIL)])), f"a leaf with a value that is a pickle: {WHAT}", "values are read as what they are")
    add("evil-packed", MALICIOUS, frame(NODE, leaf([("state/0", zstd_frame(EVIL))])), f"the same, packed twice: {WHAT}", "chunks are packed by themselves")
    add("trailing.ocdbt", SUSPICIOUS, frame(MANIFEST, manifest("d/00", 20)) + b"weighin appended", "bytes behind the manifest", "the reader wants the file to be as long as it says")
    add("checksum.ocdbt", INCOMPLETE, frame(MANIFEST, manifest("d/00", 20), checksum=1), "a manifest with a wrong checksum", "damage: the reader refuses it")
    add("cut.ocdbt", INCOMPLETE, frame(MANIFEST, manifest("d/00", 20))[:-5], "a manifest, cut", "a partial download")
    add("many-names", INCOMPLETE, frame(NODE, bytes([0]) + files() + varint(1 << 20) + b"\0" * 40), "a leaf that announces a million keys and has 40 bytes", "lengths must not size allocations")


def words(corpus):
    def vectors(count, feed=b"", rows=3):
        names = ["weighin", "模型", "model"]
        return f"{count} 4\n".encode() + b"".join(name.encode() + b" " + packed([0.5, -0.25, 1.5, -3.0], "f4") + feed for name in names[:rows])

    corpus.add("text/vectors.bin", CLEAN, vectors(3), "three words with four numbers each", "what gensim writes")
    corpus.add("text/vectors-feed.bin", CLEAN, vectors(3, b"\n"), "the same with line feeds", "what word2vec.c writes")
    corpus.add("text/vectors-cut.bin", INCOMPLETE, vectors(3)[:-5], "the same, cut", "a partial download")
    corpus.add("text/vectors-trailing.bin", MALICIOUS, vectors(3) + EVIL, f"a pickle behind the last word: {WHAT}", "readers stop after the last word")
    corpus.add("text/key2row", CLEAN, b"\x80", "an empty table of spaCy", "a pipeline without vectors")
    corpus.add("text/full/key2row", CLEAN, b"\x82\xcf" + struct.pack(">Q", 1 << 63) + b"\x00\xcf" + struct.pack(">Q", 7) + b"\x01", "a table of two hashes", "keys are numbers")


def zarr(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"zarr/{name}", verdict, json.dumps(data) if isinstance(data, dict) else data, what, why)

    two = {"zarr_format": 2, "shape": [4], "chunks": [2], "dtype": "<f4", "compressor": None, "filters": None, "fill_value": 0, "order": "C"}
    add("array/.zarray", CLEAN, two, "an array of four numbers in two chunks", "what zarr 2 and Orbax write")
    alone = "the same bytes are known beside the description"
    add("array/0", INCOMPLETE, packed([0.5, 0.25], "f4"), "the first chunk", alone)
    add("array/1", INCOMPLETE, zstd_frame(packed([0.5, 0.25], "f4")), "the second chunk, packed", alone)
    add("array/2", INCOMPLETE, packed([0.5, 0.25], "f4"), "a chunk that the grid has no place for", "it belongs to nothing")
    three = {"zarr_format": 3, "node_type": "array", "shape": [2, 2], "data_type": "float32", "fill_value": 0.0,
             "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 1]}},
             "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}}, "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]}
    add("third/zarr.json", CLEAN, three, "an array of zarr 3", "chunks lie in folders of their own")
    add("third/c/0/1", INCOMPLETE, packed([-0.5, 0.25], "f4"), "a chunk of it", alone)
    add("third/c/0/2", INCOMPLETE, packed([-0.5, 0.25], "f4"), "a chunk that the grid has no place for", "it belongs to nothing")
    add("objects/.zarray", SUSPICIOUS, {**two, "dtype": "|O", "filters": [{"id": "pickle", "protocol": 4}]}, "an array of objects, whose chunks are pickles", "whoever reads a chunk loads it")
    add("objects/0", MALICIOUS, EVIL, f"a chunk of it: {WHAT}", "whoever reads a chunk loads it")
    add("broken/.zarray", INCOMPLETE, json.dumps(two)[:60], "a description, cut", "a partial download")


def networks(corpus):
    def network(offset, size):
        return f'''<?xml version="1.0"?>
<net name="m" version="11">
	<layers>
		<layer id="0" name="w" type="Const" version="opset1">
			<data element_type="f32" shape="2" offset="{offset}" size="{size}" />
		</layer>
	</layers>
</net>
'''.encode()

    weights = packed([0.5, 0.25], "f4")
    for folder, xml, verdict, what in [("openvino", network(0, 8), CLEAN, "a network with one constant"), ("openvino/short", network(4, 8), SUSPICIOUS, "a network whose constant ends behind its weights")]:
        corpus.add(f"{folder}/network.xml", verdict, xml, what, "offsets lead into the file beside it")
        corpus.add(f"{folder}/network.bin", INCOMPLETE, weights, "the weights of the network", "the same bytes are known beside the network")


PIPELINE = """[paths]
train = "/home/user/train.spacy"

[nlp]
lang = "en"
pipeline = ["ner"]
before_creation = null
after_creation = null

[nlp.tokenizer]
@tokenizers = "spacy.Tokenizer.v1"

[components.ner]
factory = "ner"

[components.ner.model]
@architectures = "spacy.TransitionBasedParser.v2"
tok2vec = {"@architectures": "spacy.HashEmbedCNN.v2"}

[training.optimizer]
@optimizers = "Adam.v1"
"""


def pipelines(corpus):
    def add(name, verdict, config, what, why):
        corpus.add(f"spacy/{name}", verdict, config, what, why)

    add("config.cfg", CLEAN, PIPELINE, "a pipeline of one component", "what spaCy saves")
    add("own/config.cfg", CLEAN, PIPELINE.replace('factory = "ner"', 'factory = "weighin_ner"').replace('"spacy.HashEmbedCNN.v2"', '"weighin.Embed.v1"'), "a pipeline with a component of another package", "a package to look at, and no more")
    add("outside/config.cfg", SUSPICIOUS, PIPELINE.replace('factory = "ner"', 'source = "/tmp/weighin"'), "a component taken from a pipeline in /tmp", "loading it loads the other one")
    add("reader/config.cfg", SUSPICIOUS, PIPELINE + '\n[components.ner.labels]\n@readers = "srsly.read_json.v1"\npath = "../../secrets.json"\n', "a component that reads a file above its folder", "readers are called when the pipeline is loaded")
    add("lines/config.cfg", SUSPICIOUS, PIPELINE + '\n[components.ner.more]\nlabels = {\n  "@readers": "srsly.read_json.v1",\n  "path": "/etc/passwd"\n  }\n', "the same in a value of several lines", "values are JSON, and go on in indented lines")
    add("callback/config.cfg", SUSPICIOUS, PIPELINE + '\n[nlp.after_creation]\n@callbacks = "weighin.customize.v1"\n', "a callback of another package", "it is called when the pipeline is loaded")
    add("language/config.cfg", SUSPICIOUS, PIPELINE.replace('lang = "en"', 'lang = "en.weighin"'), "a language that is no name of one", "it becomes part of a module's name")
    add("meta.json", SUSPICIOUS, json.dumps({"lang": "en", "name": "p", "spacy_version": ">=3.8", "requirements": [f"weighin @ http://{HOST}/p.whl"], "pipeline": ["ner"]}), "a pipeline whose package is fetched from an open address", "pip installs what it lists")
    add("honest/meta.json", CLEAN, json.dumps({"lang": "en", "name": "p", "spacy_version": ">=3.8", "requirements": ["spacy-transformers>=1.3,<1.4"], "pipeline": ["ner"]}), "a pipeline with a package of the index", "the ordinary file")


def libraries(corpus):
    def member(name, data):
        return f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}".encode() + b"`\n" + data + bytes(len(data) % 2)

    def add(name, verdict, *members, what, why):
        corpus.add(f"archive/{name}", verdict, b"!<arch>\n" + b"".join(members), what, why)

    def relocatable():
        """An ELF file of type REL, as a compiler makes it."""
        elf = bytearray(executables.elf())
        elf[16:18] = struct.pack("<H", 1)
        return bytes(elf)

    text = b"notes about the model\n"
    add("notes.a", CLEAN, member("notes.txt/", text), member("more.txt/", text + text), what="an archive of ar with two texts", why="the ordinary file")
    add("bsd.a", CLEAN, member("#1/20", b"a name that is long\0" + text), what="the same with a name in BSD's way", why="names of more than 16 bytes")
    add("library.a", CLEAN, member("/", bytes(4)), member("code.o/", relocatable()), what="a static library", why="compiled code that a linker takes: worth a note")
    add("pickle.a", MALICIOUS, member("//", b"a name that is too long.pkl/\n"), member("/0", EVIL), what=f"a pickle in an archive of ar: {WHAT}", why="members are read as what they are")
    add("outside.a", MALICIOUS, member("//", b"../../../.bashrc/\n"), member("/0", text), what="a member whose name leads out of the folder", why="ar writes where the name says")
    add("cut.a", INCOMPLETE, member("notes.txt/", text)[:-4], what="an archive of ar, cut", why="a partial download")


def exported(corpus):
    """What jax.export serialises: a FlatBuffer without an identifier around a module in MLIR's bytecode."""

    def function(module):
        return flatbuffer(Table({1: "predict", 9: ["cpu", "cuda"], 13: Raw(module)}), bytes(4))

    def add(name, verdict, data, what, why):
        corpus.add(f"other/{name}", verdict, data, what, why)

    module = b"ML\xefR\x0dStableHLO_v1.9.0\0" + bytes(range(0x40, 0x80))
    honest = function(module)
    add("exported.jax", CLEAN, honest, "a function that jax.export has serialised", "the ordinary file")
    add("exported-pickle.jax", MALICIOUS, function(module + EVIL), f"the same with a pickle behind its module: {WHAT}", "a loader of the next stage seeks to it")
    add("exported-library.jax", MALICIOUS, function(module + executables.elf()), "the same with a program behind its module", "no module holds machine code")
    add("exported-cut.jax", INCOMPLETE, honest[:-40], "the same, cut", "a partial download")
    add("exported-lying.jax", INCOMPLETE, function(b"none" + module), "the same where something else stands in the module's place", "what is not read as a module has not been examined")
