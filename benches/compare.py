#!/usr/bin/env python3
"""Whole-process comparison of weighin with tools that anyone can get.

    python3 benches/compare.py WEIGHIN FOLDER [--runs N] [--gib N] [--only CASE,...] [--no-peers]

Makes the files in FOLDER (about 2.5 GB and two files of N GiB), a virtual
environment for each peer, and measures them in turn: all tools once, then all
again, `--runs` times. Prints a table of medians, of ratios to weighin and of
peak memory. What is measured:

    objects, bytes, strings   pickle.load of CPython, collector off, the load
                              alone without start and exit of the interpreter;
                              weighin on one thread, the whole process
    safetensors, torch        openssl dgst -sha256; weighin on all cores
    sparse                    1 and 16 GiB of nothing: memory may not grow
    tree                      20,000 small files; the peers
    tiny                      one pickle of a few bytes

The peers (picklescan, modelscan, fickling and modelaudit from PyPI) run once on
each case that they read, and are stopped after ten minutes. The pickles hold
constants and containers only, so loading them is harmless. Python 3.9 or later;
the rest is installed by the script.
"""

import argparse
import json
import os
import random
import statistics
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pickle
import pickletools

MB = 1_000_000
PEERS = {
    "picklescan": ["picklescan", "--path"],
    "modelscan": ["modelscan", "--path"],
    "fickling": ["fickling", "--check-safety"],
    "modelaudit": ["modelaudit", "scan"],
}
# What they need and do not ask for.
BESIDE = {"fickling": ["typing_extensions"], "modelscan": ["numpy<2"]}
STOPPED_AFTER = 600
LOAD = """
import gc, os, pickle, sys, time
gc.disable()
began = time.perf_counter()
with open(sys.argv[1], "rb") as file:
    pickle.load(file)
print(time.perf_counter() - began, flush=True)
os._exit(0)
"""
GENOPS = """
import os, pickletools, sys, time
began = time.perf_counter()
with open(sys.argv[1], "rb") as file:
    for _ in pickletools.genops(file):
        pass
print(time.perf_counter() - began, flush=True)
os._exit(0)
"""

# --- the files ---------------------------------------------------------------


def frame(content):
    return b"\x95" + struct.pack("<Q", len(content)) + content


def opcodes_of(value):
    """The pickle of a value without what begins and ends it."""
    data = pickle.dumps(value, 4)
    ops = [(op.name, at) for op, _, at in pickletools.genops(data)] + [("", len(data))]
    pairs = zip(ops, ops[1:])
    return b"".join(data[at:end] for (name, at), (_, end) in pairs if name not in ("PROTO", "FRAME", "STOP"))


def objects(path, size=200 * MB):
    """Small objects in nested dictionaries and lists."""
    choose = random.Random(1)

    def node(depth):
        if depth == 0:
            return choose.choice((None, True, choose.randrange(1 << 30), choose.random(), f"leaf {choose.randrange(999)}"))
        if choose.random() < 0.5:
            return [node(depth - 1) for _ in range(4)]
        return {name: node(depth - 1) for name in ("name", "weights", "bias", "config")}

    chunk = frame(opcodes_of([node(5) for _ in range(12)]))
    with open(path, "wb") as file:
        file.write(b"\x80\x04](")
        for _ in range(size // len(chunk)):
            file.write(chunk)
        file.write(b"e.")


def many_bytes(path, size=1000 * MB):
    """A dictionary of 4 MB byte strings."""
    with open(path, "wb") as file:
        file.write(b"\x80\x04}(")
        for number in range(size // (4 * MB)):
            key = f"layer{number}".encode()
            content = random.Random(number).randbytes(4 * MB)
            file.write(b"\x8c" + bytes([len(key)]) + key + b"\x94B" + struct.pack("<I", len(content)) + content + b"\x94")
        file.write(b"u.")


def strings(path, size=200 * MB):
    """Memoised strings, each fetched from the memo again and again."""
    choose = random.Random(2)
    written, memoised = 0, 1  # the list itself is in slot 0
    with open(path, "wb") as file:
        file.write(b"\x80\x04]\x94(")
        while written < size:
            part = bytearray()
            while len(part) < 60_000:
                text = f"token {memoised} {choose.randrange(1 << 20):x}".encode()
                part += b"\x8c" + bytes([len(text)]) + text + b"\x94"
                memoised += 1
                for _ in range(3):
                    part += b"j" + struct.pack("<I", choose.randrange(1, memoised))
            file.write(frame(bytes(part)))
            written += len(part)
        file.write(b"e.")


def floats(file, size):
    """Random finite 32-bit floats, as weights have them."""
    block = bytearray(random.Random(3).randbytes(64 << 20))
    block[3::4] = bytes(0x3D + (byte & 0x80) for byte in block[3::4])
    for number in range(size // len(block)):
        block[:8] = struct.pack("<Q", number)
        file.write(block)


def safetensors(path, size):
    header = json.dumps({"weights": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        floats(file, size)


def sparse(path, size):
    """A safetensors file of zeros that takes no room on a disk."""
    header = json.dumps({"weights": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(file.tell() + size)


def torch_zip(path, size):
    """What torch.save writes for one tensor."""
    stream = (
        b"\x80\x02ccollections\nOrderedDict\nq\0)Rq\1X\1\0\0\0wq\2ctorch._utils\n_rebuild_tensor_v2\nq\3"
        b"((X\7\0\0\0storageq\4ctorch\nFloatStorage\nq\5X\1\0\0\x000q\6X\3\0\0\0cpuq\7\x8a\5"
        + struct.pack("<q", size // 4)[:5] + b"tq\x08QK\0\x8a\5" + struct.pack("<q", size // 4)[:5]
        + b"\x85q\x09K\1\x85q\x0a\x89h\0)Rq\x0btq\x0cRq\x0ds."
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("weights/data.pkl"), stream)
        with archive.open(zipfile.ZipInfo("weights/data/0"), "w", force_zip64=True) as file:
            floats(file, size)
        archive.writestr(zipfile.ZipInfo("weights/version"), b"3\n")


def tree(path, count=20_000):
    """Small pickles, JSON, arrays and safetensors in folders of a hundred."""
    for number in range(count):
        folder = path / f"{number // 100:03}"
        folder.mkdir(parents=True, exist_ok=True)
        values = [number + at for at in range(20)]
        if number % 4 == 0:
            data, suffix = pickle.dumps({"values": values, "name": f"model {number}"}, 4), "pkl"
        elif number % 4 == 1:
            data, suffix = json.dumps({"values": values, "model_type": "sample"}).encode(), "json"
        elif number % 4 == 2:
            header = b"{'descr': '<i8', 'fortran_order': False, 'shape': (20,), }"
            header += b" " * (-(10 + len(header) + 1) % 64) + b"\n"
            data = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + struct.pack("<20q", *values)
            suffix = "npy"
        else:
            header = json.dumps({"w": {"dtype": "I64", "shape": [20], "data_offsets": [0, 160]}}).encode()
            header += b" " * (-len(header) % 8)
            data = struct.pack("<Q", len(header)) + header + struct.pack("<20q", *values)
            suffix = "safetensors"
        (folder / f"file{number}.{suffix}").write_bytes(data)


def tiny(path):
    path.write_bytes(pickle.dumps({"a": 1}, 4))


# --- measuring ---------------------------------------------------------------


def run(command):
    """Seconds of wall time, peak memory in MiB, and what it printed. None when it was stopped."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            printed, _ = process.communicate(timeout=STOPPED_AFTER)
        except subprocess.TimeoutExpired:
            process.kill()
            return None
    return time.perf_counter() - began, printed.decode(errors="replace")


def peak_mib(command):
    """Peak resident memory of a command, measured in a run of its own."""
    script = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, check=True, text=True)
    return int(done.stdout) / 1024


def install(folder):
    """A virtual environment for each peer; returns their commands and versions."""
    commands, versions = {}, {}
    for name, command in PEERS.items():
        environment = folder / "peers" / name
        if not environment.exists():
            subprocess.run([sys.executable, "-m", "venv", environment], check=True)
            pip = [environment / "bin/pip", "install", "--quiet", "--disable-pip-version-check", name, *BESIDE.get(name, [])]
            if subprocess.run(pip, check=False).returncode != 0:
                print(f"{name} can't be installed", file=sys.stderr)
                continue
        shown = subprocess.run([environment / "bin/pip", "show", name], capture_output=True, text=True, check=False)
        versions[name] = next((line.split()[1] for line in shown.stdout.splitlines() if line.startswith("Version")), "?")
        commands[name] = [str(environment / "bin" / command[0]), *command[1:]]
    return commands, versions


def measure(tools, runs):
    """Medians of `runs` alternating runs. A tool whose first run takes a minute is run once."""
    seconds = {name: [] for name in tools}
    stopped = set()
    for turn in range(runs):
        for name, (command, reads_own_clock) in tools.items():
            if name in stopped or (turn > 0 and min(seconds[name]) > 60):
                continue
            done = run(command)
            if done is None:
                stopped.add(name)
                continue
            took, printed = done
            seconds[name].append(float(printed.split()[0]) if reads_own_clock else took)
    return {name: statistics.median(values) if values else None for name, values in seconds.items()}


def case(name, size, path, weighin, peers, options):
    tools = {"weighin": ([options.weighin, "scan", "--quiet", *weighin, str(path)], False)}
    if name not in ("tree", "tiny") and not name.startswith("sparse"):
        tools["weighin --depth header"] = ([*tools["weighin"][0], "--depth", "header"], False)
    if name in ("objects", "bytes", "strings"):
        tools["CPython pickle.load"] = ([sys.executable, "-c", LOAD, str(path)], True)
    if name == "objects":
        tools["pickletools.genops"] = ([sys.executable, "-c", GENOPS, str(path)], True)
    if name in ("safetensors", "torch"):
        tools["openssl dgst -sha256"] = (["openssl", "dgst", "-sha256", str(path)], False)
    for peer, command in peers.items():
        tools[peer] = ([*command, str(path)], False)
    medians = measure(tools, 20 if name == "tiny" else options.runs)
    own = medians["weighin"]
    for tool, median in medians.items():
        if median is None:
            print(f"| {name} | {tool} | stopped after {STOPPED_AFTER} s | | > {STOPPED_AFTER / own:.0f} | |", flush=True)
            continue
        speed = f"{20_000 / median:,.0f} files/s" if name == "tree" else f"{size / MB / median:,.0f} MB/s"
        peak = f"{peak_mib(tools[tool][0]):,.0f} MiB" if median < 60 else ""
        print(f"| {name} | {tool} | {median:.3f} s | {'' if name == 'tiny' else speed} | {median / own:.2f} | {peak} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weighin")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--gib", type=int, default=4)
    parser.add_argument("--only", default="")
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    large = options.gib << 30
    cases = {
        "objects": ("objects.pkl", objects, ["-j", "1"]),
        "bytes": ("bytes.pkl", many_bytes, ["-j", "1"]),
        "strings": ("strings.pkl", strings, ["-j", "1"]),
        "safetensors": (f"weights{options.gib}.safetensors", lambda path: safetensors(path, large), []),
        "torch": (f"weights{options.gib}.pt", lambda path: torch_zip(path, large), []),
        "sparse1": ("sparse1.safetensors", lambda path: sparse(path, 1 << 30), []),
        "sparse16": ("sparse16.safetensors", lambda path: sparse(path, 16 << 30), []),
        "tree": ("tree", tree, []),
        "tiny": ("tiny.pkl", tiny, []),
    }
    options.folder.mkdir(parents=True, exist_ok=True)
    peers, versions = ({}, {}) if options.no_peers else install(options.folder)
    wanted = options.only.split(",") if options.only else list(cases)
    print(f"{os.cpu_count()} cores, CPython {sys.version.split()[0]}, " + ", ".join(f"{n} {v}" for n, v in versions.items()))
    print("\n| case | tool | median | speed | time / weighin | peak memory |\n| --- | --- | --: | --: | --: | --: |")
    for name in wanted:
        file, make, flags = cases[name]
        path = options.folder / file
        if not path.exists():
            make(path)
        if path.is_file() and not name.startswith("sparse"):
            with open(path, "rb") as warm:  # in the page cache before anyone is measured
                while warm.read(1 << 24):
                    pass
        case(name, path.stat().st_size, path, flags, peers, options)


if __name__ == "__main__":
    sys.exit(main())
