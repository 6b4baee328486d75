"""HDF5 files, written by hand: superblock 0, object headers 1, links as messages."""

import base64
import json
import struct
import zlib

from . import marshal
from .registry import CLEAN, COMMAND, HOST, INCOMPLETE, MALICIOUS, SUSPICIOUS
from .keras import code_object
from .torch import EVIL, WHAT

UNDEFINED = b"\xff" * 8
FLOAT32 = struct.pack("<B3BIHHBBBBI", 0x11, 0x20, 0x1F, 0, 4, 0, 32, 23, 8, 0, 23, 127)
BYTE = struct.pack("<B3BIHH", 0x10, 0, 0, 0, 1, 0, 8)
INT64 = struct.pack("<B3BIHH", 0x10, 8, 0, 0, 8, 0, 64)


def text_type(size):
    return struct.pack("<B3BI", 0x13, 0, 0, 0, size)


def space(*shape):
    return struct.pack("<4B4x", 1, len(shape), 0, 0) + b"".join(struct.pack("<Q", n) for n in shape)


def padded(data):
    return data + bytes(-len(data) % 8)


def attribute(name, text):
    """Attribute message 1 with one string of fixed length."""
    data = text.encode()
    name, kind = name.encode() + b"\0", text_type(len(data))
    return (0x0C, struct.pack("<BxHHH", 1, len(name), len(kind), len(space())) + padded(name) + padded(kind) + padded(space()) + data)


def link(name, kind, rest):
    name = name.encode()
    flags = 8 if kind else 0
    return (0x06, struct.pack("<BB", 1, flags) + (bytes([kind]) if kind else b"") + bytes([len(name)]) + name + rest)


def external(name, file, path):
    value = b"\0" + file.encode() + b"\0" + path.encode() + b"\0"
    return link(name, 64, struct.pack("<H", len(value)) + value)


class File:
    """Collects blocks; the superblock is written at the end."""

    def __init__(self):
        self.data = bytearray(96)

    def block(self, data):
        at = len(self.data)
        self.data += padded(data)
        return at

    def header(self, *messages):
        body = b"".join(struct.pack("<HHB3x", kind, len(padded(data)), 0) + padded(data) for kind, data in messages)
        return self.block(struct.pack("<BxHII4x", 1, len(messages), 1, len(body)) + body)

    def group(self, *messages):
        """Link info without a heap, group info, and what is given."""
        info = (0x02, b"\0\0" + UNDEFINED * 2)
        return self.header(info, (0x0A, b"\0\0"), *messages)

    def dataset(self, kind, shape, layout, *more):
        return self.header((0x01, space(*shape)), (0x03, kind), (0x05, bytes([2, 2, 1, 0])), (0x08, layout), *more)

    def contiguous(self, kind, shape, data, *more):
        return self.dataset(kind, shape, struct.pack("<BBQQ", 3, 1, self.block(data), len(data)), *more)

    def chunked(self, kind, size, shape, chunk, packed, *more):
        """One chunk, or none, under a B-tree of one node."""
        entries = b""
        if packed is not None:
            keys = [struct.pack("<II", len(packed), 0) + bytes(8 * (len(shape) + 1)), struct.pack("<II", 0, 0) + b"".join(struct.pack("<Q", n) for n in chunk) + bytes(8)]
            entries = keys[0] + struct.pack("<Q", self.block(packed)) + keys[1]
        tree = self.block(b"TREE" + struct.pack("<BBH", 1, 0, int(packed is not None)) + UNDEFINED * 2 + entries)
        layout = struct.pack("<BBBQ", 3, 2, len(shape) + 1, tree) + b"".join(struct.pack("<I", n) for n in (*chunk, size))
        return self.dataset(kind, shape, layout, *more)

    def local_heap(self, text):
        data = padded(text.encode() + b"\0")
        segment = self.block(data)
        return self.block(b"HEAP" + bytes(4) + struct.pack("<QQQ", len(data), 1, segment))

    def global_heap(self, data):
        size = max(4096, 32 + len(padded(data)))
        objects = struct.pack("<HHIQ", 1, 1, 0, len(data)) + padded(data)
        free = size - 16 - len(objects)
        body = b"GCOL" + bytes([1, 0, 0, 0]) + struct.pack("<Q", size) + objects
        return self.block(body + (struct.pack("<HHIQ", 0, 0, 0, free) + bytes(free - 16) if free >= 16 else bytes(free)))

    def bytes(self, root, base=0):
        end = len(self.data)
        self.data[:96] = (
            b"\x89HDF\r\n\x1a\n" + bytes([0, 0, 0, 0, 0, 8, 8, 0]) + struct.pack("<HHI", 4, 16, 0)
            + struct.pack("<QQQQ", base, 2**64 - 1, end + base, 2**64 - 1)
            + struct.pack("<QQII16x", 0, root, 0, 0)
        )
        return bytes(self.data)


def pipeline(number, name=b""):
    """Filter pipeline message 1 with one filter."""
    name = padded(name + b"\0") if name else b""
    return (0x0B, struct.pack("<BB6x", 1, 1) + struct.pack("<HHHH", number, len(name), 1, 0) + name)


def weights(*root):
    """A model's file with one group of weights, and messages of the root group."""
    file = File()
    kernel = file.contiguous(FLOAT32, (2, 2), struct.pack("<4f", 0.5, 0.25, 0.125, 1.0))
    dense = file.group(link("kernel:0", 0, struct.pack("<Q", kernel)), attribute("weight_names", "kernel:0"))
    return file, [link("model_weights", 0, struct.pack("<Q", dense)), attribute("keras_version", "2.15.0"), *root]


def plain(*root):
    file, messages = weights(*root)
    return file.bytes(file.group(*messages))


def with_dataset(make):
    file, messages = weights()
    data = make(file)
    return file.bytes(file.group(link("extra", 0, struct.pack("<Q", data)), *messages))


def config(*layers):
    return attribute("model_config", json.dumps({"class_name": "Sequential", "config": {"name": "net", "layers": list(layers)}}))


def add_samples(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"hdf5/{name}.h5", verdict, data, what, why)

    dense = {"class_name": "Dense", "config": {"name": "dense", "units": 2}}
    honest = plain(config(dense))
    add("weights", CLEAN, honest, "a Sequential of one Dense layer", "the ordinary file of Keras 2")
    add("truncated", INCOMPLETE, honest[:-16], "the same, cut", "a partial download")
    add("placeholder", CLEAN, honest[:8] + bytes(64), "the signature and zeros", "a file that was never written holds nothing")
    add("lambda-evil", MALICIOUS, plain(config({"class_name": "Lambda", "config": {"name": "l", "function": code_object(marshal.system_38())}})), f"a Lambda layer whose bytecode is {WHAT}", "CVE-2025-9905: safe mode is not applied to .h5")
    add("class-os-system", MALICIOUS, plain(config({"module": "os", "class_name": "os>system", "config": {"command": COMMAND}})), "a layer of module os", "CVE-2025-1550 in the legacy format")
    add("external-link", MALICIOUS, plain(config(dense), external("x", "/etc/passwd", "/x")), "an external link to /etc/passwd", "CVE-2026-1669: the library opens the file")
    add("external-link-beside", SUSPICIOUS, plain(config(dense), external("x", "other.h5", "/x")), "an external link to a file beside it", "what is there was not examined")
    add("user-defined-link", SUSPICIOUS, plain(link("x", 65, struct.pack("<H", 4) + b"abcd")), "a link of a user-defined type", "only other code resolves it")

    def stored_outside(file):
        heap = file.local_heap("../../etc/passwd")
        slots = struct.pack("<B3xHHQ", 1, 1, 1, heap) + struct.pack("<QQQ", 0, 0, 16)
        return file.dataset(BYTE, (16,), struct.pack("<BBQQ", 3, 1, 2**64 - 1, 16), (0x07, slots))

    add("external-storage", MALICIOUS, with_dataset(stored_outside), "a dataset stored in ../../etc/passwd", "CVE-2026-1669: reading it reads the file")

    def virtual(file):
        everything = struct.pack("<IIII", 3, 1, 0, 0)
        entry = f"http://{HOST}/x.h5".encode() + b"\0/x\0" + everything * 2
        heap = file.global_heap(b"\0" + struct.pack("<Q", 1) + entry + bytes(4))
        return file.dataset(FLOAT32, (4,), struct.pack("<BBQI", 4, 3, heap, 1))

    add("virtual-outside", MALICIOUS, with_dataset(virtual), "a virtual dataset whose source is an address", "the library opens its sources")

    def virtual_1(*entries):
        """The second layout of the sources (HDF5 2.0): flags, then what they leave of the names."""
        everything = struct.pack("<IIII", 3, 1, 0, 0) * 2
        block = b"\1" + struct.pack("<Q", len(entries)) + b"".join(entry + everything for entry in entries) + bytes(4)
        return with_dataset(lambda file: file.dataset(FLOAT32, (4,), struct.pack("<BBQI", 4, 3, file.global_heap(block), 1)))

    same = b"\4/x\0"
    shared = b"\3" + struct.pack("<QQ", 0, 0)
    add("virtual-same-file", CLEAN, virtual_1(same, same), "a virtual dataset of parts of the same file, as HDF5 2.0 writes it", "nothing else is read")
    add("virtual-outside-2", MALICIOUS, virtual_1(b"\0../../x.h5\0/x\0", shared, same), "a virtual dataset of HDF5 2.0 whose source lies elsewhere", "names may be shared between sources")
    add("virtual-flags", INCOMPLETE, virtual_1(b"\x40x.h5\0/x\0"), "a source with a flag that nobody knows", "what follows it can't be told")
    add("bomb", SUSPICIOUS, with_dataset(lambda file: file.chunked(FLOAT32, 4, (1 << 20, 1 << 14), (1024, 1024), None)), "64 GiB declared, nothing stored", "CVE-2026-0897: reading allocates it")
    add("beyond-storage", SUSPICIOUS, with_dataset(lambda file: file.contiguous(FLOAT32, (64,), bytes(16))), "64 numbers declared, four stored", "a reader that trusts the shape reads on")
    add("pickle-bytes", MALICIOUS, with_dataset(lambda file: file.contiguous(BYTE, (len(EVIL),), EVIL)), f"a byte dataset that is a pickle: {WHAT}", "data sets carry anything")
    add("pickle-numbers", MALICIOUS, with_dataset(lambda file: file.contiguous(INT64, (len(EVIL),), b"".join(struct.pack("<q", byte) for byte in EVIL))), "the same, each byte a 64-bit number", "np.array(list(data))")
    add("pickle-deflated", MALICIOUS, with_dataset(lambda file: file.chunked(BYTE, 1, (len(EVIL),), (len(EVIL),), zlib.compress(EVIL, 9), pipeline(1))), "the same, chunked and deflated", "compression must not hide it")
    def words(text):
        """A dataset of one text of variable length, which stands in a global heap."""
        kind = struct.pack("<B3BI", 0x19, 1, 0, 0, 16) + text_type(1)
        return with_dataset(lambda file: file.contiguous(kind, (1,), struct.pack("<IQI", len(text), file.global_heap(text), 1)))

    add("pickle-base64", MALICIOUS, words(base64.b64encode(EVIL)), "a text of variable length that is a pickle in base64", "h5py stores every str so")
    add("words", CLEAN, words(b"a sentence that is no code of anything, and longer than a name"), "a text of variable length", "labels and descriptions are stored so")
    add("filter-blosc", CLEAN, with_dataset(lambda file: file.chunked(FLOAT32, 4, (4,), (4,), b"packed", pipeline(32001, b"blosc"))), "a dataset behind blosc", "registered filters are compressors")
    add("filter-private", SUSPICIOUS, with_dataset(lambda file: file.chunked(FLOAT32, 4, (4,), (4,), b"packed", pipeline(65001, b"mine"))), "a dataset behind a filter without a number of its own", "the library loads a plug-in for it")
    add("user-block", CLEAN, b"MATLAB 7.3 MAT-file, weighin".ljust(512) + honest, "a text in the user block", "MATLAB writes such files")
    add("user-block-evil", MALICIOUS, EVIL.ljust(512, b"\0") + honest, f"a pickle in the user block: {WHAT}", "pickle.load reads the head of the file")
    add("trailing-lines", CLEAN, honest + b"\n\n", "two line ends behind the end", "they hold nothing")
    add("trailing", SUSPICIOUS, honest + b"weighin appended", "bytes behind the end", "the library does not read them")
