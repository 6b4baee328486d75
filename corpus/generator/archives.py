"""tar and the compressed wrappers: gzip, bzip2, xz, lzma, zstd, lz4, zlib."""

import bz2
import struct

from .archives_tar import Entry, gnu_long_name, header, pax, tar_file
from .deflate import gzip_member, stored, xz_stream, zlib_stream
from .joblibs import lzma_alone
from .opcodes import dumps
from .registry import CLEAN, INCOMPLETE, MALICIOUS, SUSPICIOUS
from .sevenzip import sevenz
from .texts import noise
from .torch import EVIL, WHAT

HONEST = dumps({"weights": [0.5, 0.25], "name": "linear"}, 4)
NOTES = b"notes about the model\n"


def xxhash32(data, seed=0):
    """The checksum of lz4 frames."""
    prime = (2654435761, 2246822519, 3266489917, 668265263, 374761393)
    mask = 0xFFFFFFFF

    def rotate(value, bits):
        return (value << bits | value >> (32 - bits)) & mask

    at = 0
    if len(data) >= 16:
        lanes = [(seed + prime[0] + prime[1]) & mask, (seed + prime[1]) & mask, seed, (seed - prime[0]) & mask]
        while at + 16 <= len(data):
            for lane, word in enumerate(struct.unpack_from("<4I", data, at)):
                lanes[lane] = rotate((lanes[lane] + word * prime[1]) & mask, 13) * prime[0] & mask
            at += 16
        total = (rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18)) & mask
    else:
        total = (seed + prime[4]) & mask
    total = (total + len(data)) & mask
    while at + 4 <= len(data):
        total = rotate((total + struct.unpack_from("<I", data, at)[0] * prime[2]) & mask, 17) * prime[3] & mask
        at += 4
    for byte in data[at:]:
        total = rotate((total + byte * prime[4]) & mask, 11) * prime[0] & mask
    for shift, factor in ((15, prime[1]), (13, prime[2]), (16, 1)):
        total = (total ^ total >> shift) * factor & mask
    return total


def lz4_frame(data):
    """An lz4 frame of one uncompressed block, with content checksum."""
    descriptor = bytes([0b01100100, 0x40])  # version 1, independent blocks, content checksum; 64 KiB blocks
    out = b"\x04\x22\x4d\x18" + descriptor + bytes([xxhash32(descriptor) >> 8 & 0xFF])
    if data:
        out += struct.pack("<I", len(data) | 0x80000000) + data
    return out + bytes(4) + struct.pack("<I", xxhash32(data))


def zstd_frame(data):
    """A zstd frame of one raw block, single segment, no checksum."""
    size = struct.pack("<H", len(data) - 256) if len(data) >= 256 else bytes([len(data)])
    flag = 0x60 if len(data) >= 256 else 0x20
    return b"\x28\xb5\x2f\xfd" + bytes([flag]) + size + struct.pack("<I", len(data) << 3 | 1)[:3] + data


def zstd_skippable(data):
    """A zstd frame that decoders skip."""
    return b"\x50\x2a\x4d\x18" + struct.pack("<I", len(data)) + data


def tar_with_size(field):
    """A tar of one member whose size field is `field`."""
    block = bytearray(header(Entry("notes.txt", b"text\n")))
    block[124:136], block[148:156] = field, b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + b"text\n" + bytes(507 + 1024)


def add_samples(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"archive/{name}", verdict, data, what, why)

    wrappers = [("gz", gzip_member), ("bz2", bz2.compress), ("xz", xz_stream), ("lzma", lzma_alone), ("zst", zstd_frame), ("lz4", lz4_frame), ("zlib", zlib_stream)]
    for extension, pack in wrappers:
        add(f"honest.pkl.{extension}", CLEAN, pack(HONEST), f"an honest pickle in {extension}", "wrappers are opened")
        add(f"evil.pkl.{extension}", MALICIOUS, pack(EVIL), f"{WHAT} in {extension}", "the wrapper must not hide the pickle")
        add(f"truncated.pkl.{extension}", INCOMPLETE, pack(HONEST * 3)[:70 if extension != "xz" else 60], f"honest pickles in {extension}, cut", "a partial download")
    tar = tar_file([("config.json", b'{"hidden_size": 4}'), ("model.pkl", HONEST), Entry("folder/", kind=b"5"), Entry("latest.pkl", kind=b"2", link="model.pkl")])
    evil_tar = tar_file([("config.json", b"{}"), ("model.pkl", EVIL)])
    add("honest.tar", CLEAN, tar, "a config, an honest pickle, a folder and a link inside", "an ordinary archive")
    add("evil.tar", MALICIOUS, evil_tar, f"a pickle: {WHAT}", "members are read")
    for extension, pack in wrappers[:6]:
        add(f"honest.tar.{extension}", CLEAN, pack(tar), f"an honest tar in {extension}", "two layers")
        add(f"evil.tar.{extension}", MALICIOUS, pack(evil_tar), f"{WHAT} in a tar in {extension}", "two layers")
    add("gz-two-members.pkl.gz", MALICIOUS, gzip_member(HONEST) + gzip_member(EVIL), "two gzip members, the second evil", "readers join all members")
    add("gz-two-halves.pkl.gz", MALICIOUS, gzip_member(EVIL[:20]) + gzip_member(EVIL[20:]), "an evil pickle over two gzip members", "readers join all members")
    add("gz-trailing.pkl.gz", MALICIOUS, gzip_member(HONEST) + EVIL, f"{WHAT} behind a gzip member, not packed", "bytes behind the stream are read")
    add("gz-trailing-zeros.pkl.gz", CLEAN, gzip_member(HONEST) + bytes(512), "a gzip member and zeros behind it", "padding, as tape tools leave it")
    add("gz-crc-wrong.pkl.gz", MALICIOUS, gzip_member(EVIL)[:-8] + bytes(8), f"{WHAT} in gzip with a wrong checksum", "a checksum error comes after the bytes")
    add("gz-name-in-header.gz", CLEAN, gzip_member(HONEST, "model.pkl"), "a gzip member that names its file", "the header's name")
    add("gz-in-gz-in-gz.gz", MALICIOUS, gzip_member(gzip_member(gzip_member(EVIL))), f"{WHAT} in three layers of gzip", "layers are opened to a depth")
    deep = HONEST
    for _ in range(60):
        deep = gzip_member(deep, pack=stored)
    add("gz-60-deep.gz", INCOMPLETE, deep, "an honest pickle in sixty layers of gzip", "beyond any sensible depth: said so, not followed")
    add("torch-as-gz.pt", MALICIOUS, gzip_member(EVIL), f"a gzip file named .pt: {WHAT}", "the name is only a hint")
    add("zst-skippable.pkl.zst", MALICIOUS, zstd_skippable(b"weighin") + zstd_frame(EVIL), f"a skippable zstd frame, then {WHAT}", "frames to skip come first")
    add("zst-two-frames.pkl.zst", MALICIOUS, zstd_frame(HONEST) + zstd_frame(EVIL), "two zstd frames, the second evil", "all frames are read")
    add("zst-payload-in-skippable.zst", MALICIOUS, zstd_frame(HONEST) + zstd_skippable(EVIL), f"a skippable frame that holds {WHAT}", "bytes that decoders skip are read too")
    add("lz4-two-frames.pkl.lz4", MALICIOUS, lz4_frame(HONEST) + lz4_frame(EVIL), "two lz4 frames, the second evil", "all frames are read")
    add("xz-two-streams.pkl.xz", MALICIOUS, xz_stream(HONEST) + bytes(4) + xz_stream(EVIL), "two xz streams with padding between, the second evil", "all streams are read")
    add("bz2-two-streams.pkl.bz2", MALICIOUS, bz2.compress(HONEST) + bz2.compress(EVIL), "two bzip2 streams, the second evil", "all streams are read")
    lz4, zstd, ppmd, arm64, riscv = b"\x04\xf7\x11\x04", b"\x04\xf7\x11\x01", b"\x03\x04\x01", b"\x0a", b"\x0b"
    add("7z-lz4.7z", MALICIOUS, sevenz("model.pkl", lz4_frame(EVIL), len(EVIL), lz4), f"{WHAT} in LZ4 in 7z", "a method that 7-Zip's relatives write")
    add("7z-lz4-honest.7z", CLEAN, sevenz("notes.txt", lz4_frame(NOTES), len(NOTES), lz4), "a text in LZ4 in 7z", "the honest use")
    add("7z-arm64.7z", MALICIOUS, sevenz("model.pkl", EVIL, len(EVIL), arm64), f"{WHAT} behind the filter for ARM64 code", "filters are undone")
    add("7z-riscv.7z", MALICIOUS, sevenz("model.pkl", EVIL, len(EVIL), riscv), f"{WHAT} behind the filter for RISC-V code", "filters are undone")
    add("7z-zstd.7z", MALICIOUS, sevenz("model.pkl", zstd_frame(EVIL), len(EVIL), zstd), f"{WHAT} in Zstandard in 7z", "a method that 7-Zip's relatives write")
    add("7z-zstd-honest.7z", CLEAN, sevenz("notes.txt", zstd_frame(NOTES[:8]) + zstd_frame(NOTES[8:]), len(NOTES), zstd), "a text in two frames of Zstandard in 7z", "the honest use")
    add("7z-zstd-short.7z", INCOMPLETE, sevenz("notes.txt", zstd_frame(NOTES), len(NOTES) + 9, zstd), "a text in Zstandard in 7z that is shorter than announced", "the rest is missing")
    add("7z-ppmd.7z", INCOMPLETE, sevenz("notes.txt", noise(40), 60, ppmd, b"\x06" + struct.pack("<I", 1 << 24)), "a member packed by PPMd in 7z", "not read, and said so")
    add("7z-header-only.7z", INCOMPLETE, b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(4) + struct.pack("<2QI", 0, 4000, 0) + noise(40), "the start of a 7z archive", "recognised, not examined")

    for case, entry, what in [
        ("dotdot", Entry("../../weighin.sh", b"echo\n"), "a member two folders up"), ("absolute", Entry("/tmp/weighin.sh", b"echo\n"), "an absolute member name"),
        ("symlink-absolute", Entry("latest", kind=b"2", link="/etc/passwd"), "a symlink to /etc/passwd"), ("symlink-dotdot", Entry("a/latest", kind=b"2", link="../../weighin"), "a symlink two folders up"),
        ("hardlink-dotdot", Entry("latest", kind=b"1", link="../../weighin"), "a hard link two folders up"), ("device", Entry("disk", kind=b"4", mode=0o666), "a block device"),
        ("pax-path", None, "a pax header that renames the member to /tmp/weighin.sh"), ("gnu-long-name", None, "a GNU long name two folders up"),
    ]:
        entries = [entry] if entry else [pax({"path": "/tmp/weighin.sh"}), ("notes.txt", b"echo\n")] if case == "pax-path" else [gnu_long_name("a/" * 60 + "../" * 62 + "weighin.sh"), ("notes.txt", b"echo\n")]
        add(f"tar-{case}.tar", MALICIOUS, tar_file(entries), what, "unpacking writes or reads outside the folder")
    add("tar-symlink-then-file.tar", MALICIOUS, tar_file([Entry("out", kind=b"2", link="/tmp"), ("out/weighin.sh", b"echo\n")]), "a symlink and a member below it", "writes through the link")
    add("tar-fifo.tar", SUSPICIOUS, tar_file([Entry("pipe", kind=b"6")]), "a FIFO", "no model has one")
    add("tar-setuid.tar", SUSPICIOUS, tar_file([Entry("tool", b"echo\n", mode=0o4755)]), "a set-user-id file", "no model has one")
    add("tar-pax-honest.tar", CLEAN, tar_file([pax({"path": "größe/" + "x" * 120 + ".txt", "mtime": "1700000000.5"}), ("short.txt", b"text\n")]), "a pax header with a long name", "long names need one")
    add("tar-gnu-honest.tar", CLEAN, tar_file([gnu_long_name("folder/" + "x" * 120 + ".txt"), ("short.txt", b"text\n")]), "a GNU long name", "long names need one")
    # An array of zeros but for its header and its last number: without the map it is cut short.
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (256,), }".ljust(117) + b"\n"
    head, last, size = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head, b"\0\0\x80\x3f", 128 + 1024
    pairs = [(0, 128), (size - 4, 4)]
    both = [field for offset, length in pairs for field in (("GNU.sparse.offset", offset), ("GNU.sparse.numbytes", length))]
    one = {"GNU.sparse.size": size, "GNU.sparse.numblocks": 2, "GNU.sparse.map": "0,128,1148,4", "GNU.sparse.name": "w.npy"}
    new = {"GNU.sparse.major": 1, "GNU.sparse.minor": 0, "GNU.sparse.name": "w.npy", "GNU.sparse.realsize": size}
    lines = b"2\n0\n128\n1148\n4\n"
    add("tar-sparse-00.tar", CLEAN, tar_file([pax([("GNU.sparse.size", size), ("GNU.sparse.numblocks", 2), *both]), ("w.npy", head + last)]), "a sparse member of GNU format 0.0", "its map is in records that repeat")
    add("tar-sparse-01.tar", CLEAN, tar_file([pax(one), ("GNUSparseFile.0/w.npy", head + last)]), "a sparse member of GNU format 0.1", "its map is one record")
    add("tar-sparse-10.tar", CLEAN, tar_file([pax(new), ("GNUSparseFile.0/w.npy", lines + bytes(512 - len(lines)) + head + last)]), "a sparse member of GNU format 1.0", "its map is before the data")
    evil_pairs = [("GNU.sparse.offset", 0), ("GNU.sparse.numbytes", 9), ("GNU.sparse.offset", 9), ("GNU.sparse.numbytes", len(EVIL) - 9)]
    add("tar-sparse-00-evil.tar", MALICIOUS, tar_file([pax([("GNU.sparse.size", len(EVIL)), ("GNU.sparse.numblocks", 2), *evil_pairs]), ("model.pkl", EVIL)]), f"a sparse member of GNU format 0.0: {WHAT}", "what unpacking writes is read")
    add("tar-concatenated.tar", MALICIOUS, tar + evil_tar, "two archives behind each other, the second evil", "readers that ignore zero blocks go on")
    add("tar-after-end.tar", MALICIOUS, tar + EVIL, f"{WHAT} behind the end blocks", "bytes behind the end are read")
    add("tar-blocking.tar", CLEAN, tar + bytes(10240 - len(tar) % 10240), "an archive padded to 10 KiB", "the usual blocking factor")
    add("tar-duplicate.tar", MALICIOUS, tar_file([("model.pkl", HONEST), ("model.pkl", EVIL)]), "one name twice, the second evil", "unpacking keeps the last")
    add("tar-checksum-wrong.tar", INCOMPLETE, tar_file([("notes.txt", b"text\n"), Entry("b.txt", b"text\n", checksum=1)]), "a member whose header checksum is wrong", "a reader stops there")
    add("tar-size-beyond.tar", INCOMPLETE, tar_file([("notes.txt", b"text\n"), Entry("b.bin", b"text\n", size=1 << 40)]), "a member of 2**40 bytes", "a size that the file does not hold")
    add("tar-size-not-a-number.tar", SUSPICIOUS, tar_with_size(b"0000000zz\0\0\0"), "a member whose size is no number", "readers take it for nothing, or refuse it")
    add("tar-truncated.tar", INCOMPLETE, tar_file([("model.bin", bytes(4096))])[:2000], "an archive cut inside a member", "a partial download")
    nemo = [("./model_config.yaml", b"target: nemo.collections.asr.models.EncDecCTCModel\nencoder:\n  _target_: nemo.collections.asr.modules.ConvASREncoder\n  feat_in: 64\n")]
    add("honest.nemo", CLEAN, tar_file([*nemo, ("./model_weights.ckpt", HONEST)]), "a NeMo archive with nemo targets", "hydra targets of the framework itself")
    add("target-evil.nemo", MALICIOUS, gzip_member(tar_file([("model_config.yaml", b"encoder:\n  _target_: os.system\n  command: echo weighin\n"), ("model_weights.ckpt", HONEST)])), "a NeMo archive with _target_ os.system", "CVE-2025-23304: hydra instantiates it")
    add("weights-evil.nemo", MALICIOUS, tar_file([*nemo, ("./model_weights.ckpt", EVIL)]), f"a NeMo archive whose weights are {WHAT}", "the checkpoint is a pickle")
