#!/usr/bin/env python3
"""False alarms of the signature search over random weights.

    python3 benches/false_alarms.py WEIGHIN [--gb N] [--seed N] [--folder FOLDER]

Writes safetensors files of random numbers one after another, has each scanned,
and counts what is found in them: nothing belongs there, so everything found is
a false alarm. Each of these has an equal share of the N gigabytes (10):

    float32, float16, bfloat16   normal, with the deviation of a layer's weights
    int8                         normal, quantised to the range
    bits                         every pattern equally likely, NaN and infinity
                                 too: any type, and whatever is packed or coded

Prints a line per kind and the sum; exits with 1 when that is not zero. Needs
numpy, and 256 MiB in FOLDER at a time.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy

PIECE = 256 << 20
KINDS = {"float32": ("F32", 4), "float16": ("F16", 2), "bfloat16": ("BF16", 2), "int8": ("I8", 1), "bits": ("U8", 1)}


def numbers(kind, count, random):
    """`count` numbers of a kind as bytes."""
    if kind == "bits":
        return random.bytes(count)
    normal = random.standard_normal(count, numpy.float32)
    if kind == "int8":
        return numpy.clip(numpy.rint(normal * 40), -128, 127).astype(numpy.int8).tobytes()
    # Layers differ in scale: between 0.5 and 0.0005 is usual.
    normal *= numpy.float32(10 ** random.uniform(-3.3, -0.3))
    if kind == "float32":
        return normal.tobytes()
    if kind == "float16":
        return normal.astype(numpy.float16).tobytes()
    return (normal.view(numpy.uint32) >> 16).astype(numpy.uint16).tobytes()


def piece(path, kind, size, random):
    dtype, width = KINDS[kind]
    header = {"weights": {"dtype": dtype, "shape": [size // width], "data_offsets": [0, size]}}
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        left = size
        while left:
            part = min(left, 16 << 20)
            file.write(numbers(kind, part // width, random))
            left -= part


def alarms(weighin, path):
    """What is found in a file, as text; an alarm each."""
    run = subprocess.run([weighin, "scan", "--no-config", "--format", "json", path], stdout=subprocess.PIPE)
    file = json.loads(run.stdout)["files"][0]
    found = []
    for finding in file["findings"]:
        place = f"{finding['location']['offset']:#x}"
        found += [f"{finding['rule']} {finding['evidence']['value']} at {place}"] * finding["occurrences"]
    return found + [f"{gap['reason']}: {gap['detail']}" for gap in file["gaps"]]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("weighin", type=Path)
    arguments.add_argument("--gb", type=float, default=10)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--folder", type=Path)
    given = arguments.parse_args()
    os.nice(10)
    share = int(given.gb * 1e9 / len(KINDS)) // 8 * 8
    sums = {"bytes": 0, "alarms": 0}
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path = Path(folder) / "weights.safetensors"
        for kind in KINDS:
            random = numpy.random.default_rng([given.seed, *kind.encode()])
            left, found, seconds = share, [], 0.0
            while left:
                size = min(left, PIECE)
                piece(path, kind, size, random)
                began = time.perf_counter()
                found += alarms(given.weighin.resolve(), path)
                seconds += time.perf_counter() - began
                left -= size
            print(f"{kind:<9} {share:>14,} bytes  {len(found):>3} alarms  {share / seconds / 1e6:>6,.0f} MB/s", flush=True)
            for one in found:
                print(f"    {one}", flush=True)
            sums["bytes"] += share
            sums["alarms"] += len(found)
    print(f"{'sum':<9} {sums['bytes']:>14,} bytes  {sums['alarms']:>3} alarms  (seed {given.seed})")
    return 1 if sums["alarms"] else 0


if __name__ == "__main__":
    sys.exit(main())
