"""Containers around a file, and what a tolerant loader finds in a damaged one.

A wrapper takes the name and bytes of a file and a random source, and returns
another name and other bytes.
"""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib

from stream import honest_pickle

METHODS = {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED, "bz2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}
# Members may have names that say something else than they are.
ODD_NAMES = True
MOMENT = (2020, 1, 1, 0, 0, 0)


def zipped(members, method="stored", comment=b"", prefix=b""):
    """A zip of (name, bytes) pairs."""
    out = io.BytesIO(prefix)
    out.seek(len(prefix))
    with zipfile.ZipFile(out, "w", METHODS[method]) as archive:
        archive.comment = comment
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, MOMENT), data, METHODS[method])
    return out.getvalue()


def leaf(name):
    return name.rsplit("/", 1)[-1]


def any_zip(name, data, rng):
    method = rng.choice(list(METHODS))
    names = [leaf(name), "a/b/c/weights.bin", "data"] + (["README.md", "data.pkl.txt"] if ODD_NAMES else [])
    # A loader that asks for this member wants a pickle.
    inner = rng.choice([*names, "model/data.pkl", "DATA.PKL"] if data[:1] == b"\x80" else names)
    return rng.choice(["m.zip", "m.pt", "m.ckpt", "m.bin"]), zipped([("notes.txt", b"notes\n"), (inner, data)], method)


def zip_in_zip(name, data, rng):
    for _ in range(rng.randrange(2, 5)):
        name, data = any_zip(name, data, rng)
    return name, data


def torch_zip(name, data, rng):
    """PyTorch's own layout; only for pickles."""
    root = rng.choice(["archive", "model", "x/y", "weird name"])
    members = [(f"{root}/data.pkl", data), (f"{root}/data/0", bytes(64)), (f"{root}/byteorder", b"little"), (f"{root}/version", b"3\n")]
    drop = rng.randrange(4)
    if drop == 0:
        members = [member for member in members if not member[0].endswith("version")]
    elif drop == 1:
        members = members[:1]
    if rng.random() < 0.3:
        members.reverse()
    return rng.choice(["m.pt", "m.pth", "m.bin", "m"]), zipped(members)


def torch_other_member(name, data, rng):
    """An honest data.pkl, and this one as another member."""
    where = rng.choice(["data/0", "constants.pkl", "extra/hook.pkl", ".data/serialization_id", "data/1", "attributes.pkl", "version"])
    members = [("archive/data.pkl", honest_pickle()), (f"archive/{where}", data)]
    if where != "version":
        members.append(("archive/version", b"3\n"))
    return "m.pt", zipped(members)


def npz(name, data, rng):
    """An object array in an npz; only for pickles."""
    return rng.choice(["m.npz", "m.bin"]), zipped([("arr_0.npy", npy_bytes(data, rng))], rng.choice(["stored", "deflated"]))


def npy_bytes(data, rng):
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    if rng.random() < 0.3:
        header = b"{'descr': [('a', '<f4'), ('b', '|O')], 'fortran_order': False, 'shape': (1,), }"
    version = rng.choice([1, 2, 3])
    width = 2 if version == 1 else 4
    header = header.ljust(rng.choice([118, 246]) - width) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if width == 2 else "<I", len(header)) + header + data


def npy(name, data, rng):
    """An object array; only for pickles."""
    return rng.choice(["m.npy", "m.bin", "m.dat"]), npy_bytes(data, rng)


def compressed(name, data, rng):
    how = rng.choice(["gzip", "gzip-named", "bz2", "xz", "lzma", "zlib", "zlib-9", "gzip-members", "bz2-members", "xz-members"])
    half = rng.randrange(0, len(data) + 1)
    packed = {
        "gzip": lambda: gzip.compress(data, mtime=0),
        "gzip-named": lambda: gzip_with_fields(data, rng),
        "bz2": lambda: bz2.compress(data), "xz": lambda: lzma.compress(data),
        "lzma": lambda: lzma.compress(data, format=lzma.FORMAT_ALONE),
        "zlib": lambda: zlib.compress(data), "zlib-9": lambda: zlib.compress(data, 9),
        "gzip-members": lambda: gzip.compress(data[:half], mtime=0) + gzip.compress(data[half:], mtime=0),
        "bz2-members": lambda: bz2.compress(data[:half]) + bz2.compress(data[half:]),
        "xz-members": lambda: lzma.compress(data[:half]) + lzma.compress(data[half:]),
    }[how]()
    ending = {"gz": ".gz", "bz": ".bz2", "xz": ".xz", "lz": ".lzma", "zl": ".z"}[how[:2]]
    return leaf(name) + rng.choice([ending, "", ".bin"]), packed


def gzip_with_fields(data, rng):
    """A gzip header with every optional field."""
    body = zlib.compressobj(9, zlib.DEFLATED, -15)
    raw = body.compress(data) + body.flush()
    flags = rng.choice([0x04, 0x08, 0x10, 0x1e, 0x02, 0x01])
    head = bytearray(b"\x1f\x8b\x08" + bytes([flags]) + b"\0\0\0\0\0\x03")
    if flags & 0x04:
        head += struct.pack("<H", 12) + b"ab" + struct.pack("<H", 8) + rng.randbytes(8)
    if flags & 0x08:
        head += b"weights.txt\0"
    if flags & 0x10:
        head += b"a comment\0"
    if flags & 0x02:
        head += struct.pack("<H", zlib.crc32(bytes(head)) & 0xFFFF)
    return bytes(head) + raw + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)


def tarred(name, data, rng):
    out = io.BytesIO()
    mode = rng.choice(["w", "w:gz", "w:bz2", "w:xz"])
    form = rng.choice([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    with tarfile.open(fileobj=out, mode=mode, format=form) as archive:
        inner = rng.choice([leaf(name), "pickle", "a/" * 60 + "model.bin" if form != tarfile.USTAR_FORMAT else "m", "model_weights.ckpt"])
        for member, content in (("readme.md", b"# model\n"), (inner, data)):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return rng.choice(["m.tar", "m.nemo", "m.tgz", "m.bin"]), out.getvalue()


def twice_compressed(name, data, rng):
    for _ in range(2):
        name, data = compressed(name, data, rng)
    return name, data


def tar_in_zip(name, data, rng):
    return any_zip(*tarred(name, data, rng), rng)


WRAPPERS = {function.__name__.replace("_", "-"): function for function in (
    any_zip, zip_in_zip, compressed, tarred, twice_compressed, tar_in_zip)}
# Layouts whose member only makes sense as a pickle.
FOR_PICKLES = {function.__name__.replace("_", "-"): function for function in (torch_zip, torch_other_member, npz, npy)}

NAMES = ["m.txt", "m.json", "m.png", "m.safetensors", "m.gguf", "m.onnx", "m.h5", "m.md", "m.py", "m", "m.csv", "m.yaml", "m.npy",
         "m.npz", "m.exe", "m.pb", "m.PKL", "m.pk1", "m.jpg", "m.dat", "m.keras", "m.tflite", "m.zip", "m.tar", "m.gz", "m.7z",
         ".metadata", "m.html", "m.ipynb", "m.xml", "m.log", "m.msgpack", "m.joblib", "m.ubj", "m.rds", "m.mar", "m.model"]


def renamed(name, data, rng):
    """The same bytes under a name of another format."""
    return rng.choice(NAMES), data


# --- zips that are damaged, and what still reads them ----------------------


def records(data):
    """Offsets of the local headers, central entries and end record of a plain zip."""
    end = data.rfind(b"PK\5\6")
    count, _, at = struct.unpack_from("<HII", data, end + 10)
    central, local = [], []
    for _ in range(count):
        central.append(at)
        name, extra, comment = struct.unpack_from("<HHH", data, at + 28)
        local.append(struct.unpack_from("<I", data, at + 42)[0])
        at += 46 + name + extra + comment
    return local, central, end


def put(data, at, fmt, value):
    struct.pack_into(fmt, data, at, value)


def damage(data, rng):
    """One or more damages; None when the zip is not one that `records` can read."""
    try:
        local, central, end = records(data)
        struct.unpack_from("<H", data, end + 20)
    except struct.error:
        return None, []
    out, done = bytearray(data), []
    if not central or any(data[at:at + 4] != b"PK\1\2" for at in central):
        return None, []
    for kind in rng.sample(DAMAGES, rng.randrange(1, 4)):
        which = rng.randrange(len(central))
        at, to = local[which], central[which]
        if kind == "crc":
            put(out, at + 14, "<I", rng.getrandbits(32))
            put(out, to + 16, "<I", rng.getrandbits(32))
        elif kind == "flags":
            flag = rng.choice([0x1, 0x20, 0x40, 0x2000, 0x800, 0x10, 0x1000])
            where = rng.randrange(3)
            if where != 1:
                put(out, at + 6, "<H", flag | struct.unpack_from("<H", out, at + 6)[0])
            if where != 0:
                put(out, to + 8, "<H", flag | struct.unpack_from("<H", out, to + 8)[0])
        elif kind == "local-sizes":
            put(out, at + 18, "<I", rng.choice([0, 1, 0xFFFFFFFF, 7]))
            put(out, at + 22, "<I", rng.choice([0, 1, 0xFFFFFFFF, 9]))
        elif kind == "local-method":
            put(out, at + 8, "<H", rng.choice([0, 8, 9, 12, 14, 93, 99, 97]))
        elif kind == "local-name":
            length = struct.unpack_from("<H", data, at + 26)[0]
            out[at + 30:at + 30 + length] = b"x" * length
        elif kind == "central-name":
            length = struct.unpack_from("<H", data, to + 28)[0]
            out[to + 46:to + 46 + length] = rng.choice([b"x" * length, b"a\0" + b"b" * (length - 2) if length > 2 else b"x" * length])
        elif kind == "version-needed":
            put(out, at + 4, "<H", rng.choice([63, 255, 65535]))
            put(out, to + 6, "<H", rng.choice([63, 255, 65535]))
        elif kind == "count":
            put(out, end + 8, "<H", rng.choice([0, 1, 0xFFFF]))
        elif kind == "disk":
            put(out, end + 4, "<H", rng.choice([1, 9]))
        elif kind == "external" and out[to + 41] & 0xF0 != 0xA0:  # a link would be none any more
            put(out, to + 38, "<I", rng.choice([0x10, 0xA1FF0000, 0x41ED0010]))
        elif kind == "local-signature":
            out[at:at + 4] = rng.choice([b"PK\0\0", b"XXXX", b"PK\3\3"])
        elif kind == "time":
            put(out, at + 10, "<I", 0xFFFFFFFF)
            put(out, to + 12, "<I", 0)
        done.append(kind)
    for kind in rng.sample(OUTER, rng.randrange(0, 2)):
        if kind == "prefix":
            out = bytearray(rng.choice([b"junk" * 5, rng.randbytes(333), b"#!/bin/sh\nexit\n", b"\x89PNG\r\n\x1a\n", honest_pickle()])) + out
        elif kind == "suffix":
            out += rng.choice([b"\0" * 30, rng.randbytes(60), b"PK\5\6" + bytes(18), b"trailing"])
        elif kind == "comment":
            put(out, len(out) - 2, "<H", 40) if out[-22:-18] == b"PK\5\6" else None
            out += b"c" * 40
        elif kind == "long-comment":
            put(out, len(out) - 2, "<H", 60000) if out[-22:-18] == b"PK\5\6" else None
            out += b"c" * 60000
        elif kind == "cut-end":
            out = out[:-rng.choice([1, 8, 22])]
        elif kind == "cut-central":
            out = out[:central[0]]
        elif kind == "zip-behind":
            out += zipped([("data.pkl", honest_pickle())])
        elif kind == "zip-before":
            out = bytearray(zipped([("data.pkl", honest_pickle())])) + out
        done.append(kind)
    return bytes(out), done


DAMAGES = ["crc", "flags", "local-sizes", "local-method", "local-name", "central-name", "version-needed", "count", "disk",
           "external", "local-signature", "time"]
OUTER = ["prefix", "suffix", "comment", "long-comment", "cut-end", "cut-central", "zip-behind", "zip-before"]


def inflate(method, raw):
    try:
        if method == 0:
            return raw
        if method == 8:
            return zlib.decompressobj(-15).decompress(raw)
        if method == 12:
            return bz2.BZ2Decompressor().decompress(raw)
        if method == 14:
            size = struct.unpack_from("<H", raw, 2)[0]
            filters = [lzma._decode_filter_properties(lzma.FILTER_LZMA1, raw[4:4 + size])]
            return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters).decompress(raw[4 + size:])
    except (zlib.error, OSError, lzma.LZMAError, struct.error, EOFError):
        pass
    return None


def tolerant(data):
    """The members that a tolerant reader gets out of a zip: it believes the central directory about methods and sizes,
    finds the data behind the local header whatever that says, and minds neither checksums nor flags nor counts."""
    found = []
    end = data.rfind(b"PK\5\6")
    if end >= 0 and end + 22 <= len(data):
        size, at = struct.unpack_from("<II", data, end + 12)
        shift = end - size - at  # bytes before the zip, as Python's zipfile reckons
        at = end - size
        while 0 <= at and data[at:at + 4] == b"PK\1\2" and at + 46 <= len(data):
            (method,) = struct.unpack_from("<H", data, at + 10)
            (packed,) = struct.unpack_from("<I", data, at + 20)
            name, extra, comment = struct.unpack_from("<HHH", data, at + 28)
            (local,) = struct.unpack_from("<I", data, at + 42)
            local += shift
            # Both PyTorch's reader and Python's refuse a local header without its signature.
            if 0 <= local <= len(data) - 30 and data[local:local + 4] == b"PK\3\4":
                name_length, extra_length = struct.unpack_from("<HH", data, local + 26)
                start = local + 30 + name_length + extra_length
                content = inflate(method, data[start:start + packed])
                if content is not None:
                    found.append(content)
            at += 46 + name + extra + comment
    return found
