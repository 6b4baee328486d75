"""LMDB databases, page by page as mdb.c of OpenLDAP lays them out."""

import base64
import struct

from .deflate import gzip_member
from .objects import array
from .opcodes import asm, dumps
from .registry import CLEAN, COMMAND, INCOMPLETE, MALICIOUS, SUSPICIOUS
from .torch import EVIL, WHAT

PAGE = 1024
NONE = 2**64 - 1
BRANCH, LEAF, OVERFLOW, SUBPAGE = 1, 2, 4, 0x40


def node(key, value, flags=0, length=None):
    length = len(value) if length is None else length
    raw = struct.pack("<HHHH", length & 0xFFFF, length >> 16, flags, len(key)) + key + value
    return raw + bytes(len(raw) % 2)


def page(number, flags, nodes, size=PAGE):
    """A page whose nodes grow from its end."""
    offsets, upper, body = [], size, b""
    for item in nodes:
        upper -= len(item)
        offsets.append(upper)
        body = item + body
    lower = 16 + 2 * len(offsets)
    head = struct.pack("<QHHHH", number, 0, flags, lower, upper) + struct.pack(f"<{len(offsets)}H", *offsets)
    return head + bytes(upper - lower) + body


def overflow(number, value):
    pages = (16 + len(value) + PAGE - 1) // PAGE
    return (struct.pack("<QHHI", number, 0, OVERFLOW, pages) + value).ljust(pages * PAGE, b"\0")


def database(*pages, root=2, size=PAGE):
    last = 1 + sum(len(item) for item in pages) // size
    metas = b""
    for number, (top, end) in enumerate([(NONE, 1), (root, last)]):
        free = struct.pack("<IHHQQQQQ", size, 0, 0, 0, 0, 0, 0, NONE)
        main = struct.pack("<IHHQQQQQ", 0, 0, 1, 0, 1, 0, 1, top)
        metas += (struct.pack("<QHHHH", number, 0, 8, 0, 0) + struct.pack("<IIQQ", 0xBEEFC0DE, 1, 0, 1 << 20) + free + main + struct.pack("<QQ", end, number)).ljust(size, b"\0")
    return metas + b"".join(pages)


def add_samples(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"lmdb/{name}", verdict, data, what, why)

    row = dumps({"label": 3, "image": array([0.5, 0.25], "f4")}, 4)
    plain = asm("GLOBAL os system", "MARK", f"UNICODE {COMMAND}", "TUPLE", "REDUCE", "STOP")
    rows = [node(f"{at:08}".encode(), row) for at in range(3)]
    add("rows.lmdb", CLEAN, database(page(2, LEAF, rows)), "rows that are pickles of arrays", "as data sets keep them")
    add("evil-row", MALICIOUS, database(page(2, LEAF, [*rows, node(b"00000003", EVIL)])), f"rows of which the last calls {WHAT}, in a file without an ending", "a loader unpickles every row")
    add("evil-text.mdb", MALICIOUS, database(page(2, LEAF, [node(b"a", plain)])), f"a row of protocol 0: {WHAT}", "the same")
    add("evil-packed.mdb", MALICIOUS, database(page(2, LEAF, [node(b"a", gzip_member(EVIL))])), f"a packed row: {WHAT}", "the same")
    add("evil-overflow.mdb", MALICIOUS, database(page(2, LEAF, [node(b"a", struct.pack("<Q", 3), 1, len(EVIL))]), overflow(3, EVIL)), f"a row with pages of its own: {WHAT}", "the same")
    branch = page(2, BRANCH, [struct.pack("<HHHH", 3, 0, 0, 0), struct.pack("<HHHH", 4, 0, 0, 8) + b"00000003"])
    add("evil-deep.mdb", MALICIOUS, database(branch, page(3, LEAF, rows), page(4, LEAF, [node(b"00000003", EVIL)])), f"a branch with two leaves, of which the second calls {WHAT}", "the same")
    named = struct.pack("<IHHQQQQQ", 0, 0, 1, 0, 1, 0, 1, 3)
    add("evil-named.mdb", MALICIOUS, database(page(2, LEAF, [node(b"sub", named, 2)]), page(3, LEAF, [node(b"a", EVIL)])), f"a named database with a row that calls {WHAT}", "the same")
    inner = page(0, LEAF | SUBPAGE, [node(b"cat", b""), node(plain, b"")], 16 + 4 + 12 + len(node(plain, b"")))
    add("evil-duplicates.mdb", MALICIOUS, database(page(2, LEAF, [node(b"a", inner, 4)])), f"a key with two values, of which one calls {WHAT}", "the same")
    add("behind.mdb", MALICIOUS, database(page(2, LEAF, rows)) + plain, f"{WHAT} behind the last page", "another program finds it there")
    add("circle.mdb", CLEAN, database(page(2, BRANCH, [struct.pack("<HHHH", 2, 0, 0, 0)])), "a branch that leads to itself", "each page is read once")
    add("truncated.mdb", INCOMPLETE, database(page(2, LEAF, rows))[:-900], "the same, cut", "a partial download")

    def text(value):
        data = value.encode()
        return (bytes([0xA0 | len(data)]) if len(data) < 32 else b"\xda" + struct.pack(">H", len(data))) + data

    def pack(value):
        if isinstance(value, dict):
            return bytes([0x80 | len(value)]) + b"".join(text(key) + pack(item) for key, item in value.items())
        return bytes([0x90 | len(value)]) + b"".join(map(pack, value)) if isinstance(value, list) else text(value)

    for name, verdict, value, what in [
        ("target", MALICIOUS, {"model": {"_target_": "os.system", "_args_": [COMMAND]}}, "a hydra target that runs a command"),
        ("reduce", MALICIOUS, {"py/reduce": [{"py/function": "os.system"}, {"py/tuple": [COMMAND]}]}, "what jsonpickle calls"),
        ("encoded", MALICIOUS, {"state": base64.b64encode(EVIL * 2).decode()}, f"a pickle in base64: {WHAT}"),
        ("expression", SUSPICIOUS, {"hook": f"__import__('os').system('{COMMAND}')"}, "an expression that imports and calls"),
        ("strings", CLEAN, {"model": {"name": "net", "labels": ["cat", "os.system", "eval"], "prompt": "{{ name }}"}}, "names, labels and a prompt"),
    ]:
        corpus.add(f"booster/strings-{name}.msgpack", verdict, pack(value), f"{what}, in MessagePack", "whoever unpacks it treats the strings as those of a configuration")
    corpus.add("booster/lightgbm-expression.txt", SUSPICIOUS, f"tree\nversion=v4\nmax_feature_idx=1\nfeature_names=a __import__('os').system('{COMMAND}')\n\nTree=0\nnum_leaves=1\nleaf_value=0.5\n\nend of trees\n", "a feature whose name is an expression that imports and calls", "a payload for whatever evaluates names")
    document = struct.pack("<i", 0) + b"\x02hook\0"
    value = f"__import__('os').system('{COMMAND}')".encode() + b"\0"
    body = document[4:] + struct.pack("<i", len(value)) + value + b"\0"
    corpus.add("bson/expression.bson", SUSPICIOUS, struct.pack("<i", len(body) + 4) + body, "an expression that imports and calls, in BSON", "the same")
