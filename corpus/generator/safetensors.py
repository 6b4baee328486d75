"""safetensors files."""

import json
import struct

from . import executables
from .registry import CLEAN, INCOMPLETE, MALICIOUS, SUSPICIOUS
from .torch import EVIL, WHAT
from .zipwriter import Member, zip_file


def safetensors(header, data=b"", length=None):
    """8 bytes of length, the header, the data. A header that is no string is made into JSON."""
    if not isinstance(header, (str, bytes)):
        header = json.dumps(header, separators=(",", ":"))
    if isinstance(header, str):
        header = header.encode("utf-8")
        header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def entry(dtype, shape, start, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def add_samples(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"safetensors/{name}", verdict, data, what, why)

    two = {"weight": entry("F32", [2, 3], 0, 24), "bias": entry("F32", [2], 24, 32)}
    add("two-tensors.safetensors", CLEAN, safetensors(two, bytes(32)), "two float32 tensors", "the ordinary file")
    add("metadata.safetensors", CLEAN, safetensors({"__metadata__": {"format": "pt", "license": "https://license.invalid/mit", "ss_network_args": '{"conv_dim": 4}'}, **two}, bytes(32)),
        "string metadata with a URL and JSON in a string", "training tools store such things")
    add("no-tensors.safetensors", CLEAN, safetensors({}), "an empty header", "legal and empty")
    add("only-metadata.safetensors", CLEAN, safetensors({"__metadata__": {"format": "pt"}}), "metadata and no tensors", "legal")
    add("empty-tensor.safetensors", CLEAN, safetensors({"a": entry("F32", [0, 4], 0, 0), "b": entry("F32", [], 0, 4)}, bytes(4)), "a tensor without elements and a scalar", "begin equals end is legal")
    kinds, at = {}, 0
    for kind, bits in [("F64", 64), ("I64", 64), ("U64", 64), ("C64", 64), ("F32", 32), ("I32", 32), ("U32", 32), ("F16", 16), ("BF16", 16), ("I16", 16), ("U16", 16),
                       ("I8", 8), ("U8", 8), ("BOOL", 8), ("F8_E4M3", 8), ("F8_E5M2", 8), ("F8_E8M0", 8), ("F4", 4), ("F6_E2M3", 6), ("F6_E3M2", 6)]:
        size = bits * 4 // 8
        kinds[kind.lower()] = entry(kind, [4], at, at + size)
        at += size
    add("every-dtype.safetensors", CLEAN, safetensors(kinds, bytes(at)), "a tensor of each dtype, sub-byte kinds included", "dtype sizes in bits")
    add("unsorted-keys.safetensors", CLEAN, safetensors({"z": entry("U8", [4], 4, 8), "a": entry("U8", [4], 0, 4)}, bytes(8)), "keys in another order than the data", "order of keys is free")
    add("unicode-names.safetensors", CLEAN, safetensors({"größe.重み": entry("U8", [1], 0, 1)}, bytes(1)), "a tensor name in German and Japanese", "names are UTF-8")
    add("header-padding.safetensors", CLEAN, safetensors(json.dumps(two).encode() + b" " * 100, bytes(32)), "a header with 100 spaces behind it", "trailing spaces are legal")
    why = "the reference reader refuses it, another may not"
    add("overlap.safetensors", SUSPICIOUS, safetensors({"a": entry("U8", [8], 0, 8), "b": entry("U8", [8], 4, 12)}, bytes(12)), "two tensors that overlap", why)
    add("hole.safetensors", SUSPICIOUS, safetensors({"a": entry("U8", [4], 0, 4), "b": entry("U8", [4], 8, 12)}, bytes(12)), "four bytes that no tensor covers", "holes hide data")
    add("hole-at-start.safetensors", SUSPICIOUS, safetensors({"a": entry("U8", [4], 64, 68)}, bytes(68)), "64 bytes before the first tensor", "holes hide data")
    add("trailing.safetensors", SUSPICIOUS, safetensors(two, bytes(32) + b"weighin was here"), "16 bytes behind the last tensor", "the data must end where the file ends")
    add("duplicate-keys.safetensors", SUSPICIOUS, safetensors('{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}', bytes(8)), "one tensor name twice", "readers differ in which one counts")
    add("duplicate-inner-keys.safetensors", SUSPICIOUS, safetensors('{"a":{"dtype":"U8","shape":[4],"shape":[2],"data_offsets":[0,4]}}', bytes(4)), "shape twice in one entry", "readers differ in which one counts")
    add("header-beyond-file.safetensors", INCOMPLETE, safetensors(two, bytes(32), length=100000), "a header length beyond the end of the file", "a cut or lying file")
    add("header-over-limit.safetensors", SUSPICIOUS, safetensors(two, bytes(32), length=200_000_000), "a header length over 100 MB", "the loader's own limit: a header bomb")
    add("header-length-huge.safetensors", SUSPICIOUS, safetensors(two, bytes(32), length=(1 << 64) - 1), "a header length of 2**64-1", "8 + n overflows")
    add("shape-overflow.safetensors", SUSPICIOUS, safetensors({"a": entry("F32", [1 << 62, 1 << 62], 0, 16)}, bytes(16)), "a shape whose product overflows", "a reader that wraps around allocates too little")
    add("size-mismatch.safetensors", SUSPICIOUS, safetensors({"a": entry("F32", [100], 0, 16)}, bytes(16)), "a shape larger than its range", "reads beyond the buffer")
    add("offset-beyond-file.safetensors", INCOMPLETE, safetensors({"a": entry("U8", [400], 0, 400)}, bytes(16)), "a tensor whose data is not there", "a partial download")
    add("offset-negative.safetensors", SUSPICIOUS, safetensors('{"a":{"dtype":"U8","shape":[4],"data_offsets":[-4,0]}}', bytes(4)), "a negative offset", why)
    add("offset-reversed.safetensors", SUSPICIOUS, safetensors({"a": entry("U8", [4], 4, 0)}, bytes(4)), "an end before its begin", why)
    add("dtype-unknown.safetensors", SUSPICIOUS, safetensors({"a": entry("F128", [1], 0, 16)}, bytes(16)), "a dtype that does not exist", why)
    add("sub-byte-misaligned.safetensors", SUSPICIOUS, safetensors({"a": entry("F4", [3], 0, 2)}, bytes(2)), "three 4-bit values in two bytes", "bits must be a multiple of eight")
    add("metadata-not-strings.safetensors", SUSPICIOUS, safetensors({"__metadata__": {"step": 3, "nested": {"a": 1}}, **two}, bytes(32)), "metadata that is not strings", why)
    add("extra-entry-key.safetensors", SUSPICIOUS, safetensors({"a": {**entry("U8", [4], 0, 4), "location": "../other.bin"}}, bytes(4)), "an unknown key in a tensor entry", why)
    add("not-utf8.safetensors", SUSPICIOUS, safetensors(b'{"a\xff\xfe":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}', bytes(4)), "a header that is not UTF-8", why)
    add("bom.safetensors", SUSPICIOUS, safetensors(b"\xef\xbb\xbf" + json.dumps(two).encode(), bytes(32)), "a byte-order mark before the header", "the header starts with {")
    add("nan-in-header.safetensors", SUSPICIOUS, safetensors('{"a":{"dtype":"U8","shape":[NaN],"data_offsets":[0,4]}}', bytes(4)), "NaN in the header", "no JSON")
    add("header-cut.safetensors", SUSPICIOUS, safetensors(b'{"a":{"dtype":"U8","shape":[4],"data_off', bytes(8)), "a header that is no JSON", why)
    add("header-deep.safetensors", SUSPICIOUS, safetensors('{"a":' + "[" * 5000 + "]" * 5000 + "}"), "5000 nested brackets in the header", "a recursive reader overflows its stack")
    add("target-in-metadata.safetensors", SUSPICIOUS, safetensors({"__metadata__": {"config": '{"_target_": "weighin_payload.build", "dim": 4}'}, **two}, bytes(32)),
        "JSON in the metadata with _target_", "hydra-style loaders import and call what it names")
    add("target-evil-in-metadata.safetensors", MALICIOUS, safetensors({"__metadata__": {"config": '{"_target_": "os.system", "command": "echo weighin"}'}, **two}, bytes(32)),
        "JSON in the metadata with _target_ os.system", "the same, with a payload")
    add("tensor-elf.safetensors", MALICIOUS, safetensors({"a": entry("U8", [len(executables.elf())], 0, len(executables.elf()))}, executables.elf()), "a tensor that is an ELF executable", "a native executable in the place of weights")
    add("tensor-macho.safetensors", MALICIOUS, safetensors({"a": entry("U8", [len(executables.macho())], 0, len(executables.macho()))}, executables.macho()), "a tensor that is a Mach-O executable", "the same")
    body = executables.pe()
    add("tensor-pe-aligned.safetensors", MALICIOUS, safetensors({"a": entry("U8", [4096 + len(body)], 0, 4096 + len(body))}, bytes(4096) + body), "a PE executable 4096 bytes into a tensor", "every byte is read once, tensors too")
    add("tensor-pickle.safetensors", MALICIOUS, safetensors({"a": entry("U8", [len(EVIL)], 0, len(EVIL))}, EVIL), f"a tensor that is a pickle: {WHAT}", "a pickle where none belongs")
    add("trailing-zip.safetensors", MALICIOUS, safetensors(two, bytes(32) + zip_file([Member("data.pkl", EVIL)])), "an archive with an evil pickle behind the last tensor", "a polyglot: zip readers open it")
    add("pickle-named.safetensors", MALICIOUS, EVIL, f"a bare pickle named .safetensors: {WHAT}", "a name promises nothing")
    add("truncated.safetensors", INCOMPLETE, safetensors(two, bytes(32))[:-12], "two tensors, the last one cut", "a partial download")
    add("tiny.safetensors", INCOMPLETE, b"\x10\0\0\0", "four bytes", "not even a length")
