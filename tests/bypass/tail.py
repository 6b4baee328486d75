"""Evasions on the bytes of a pickle: its tail, padding, and other streams beside it."""

import struct

from stream import honest_pickle


def broken_after(data, rng, ends):
    """Cut somewhere behind the last call, or STOP taken away."""
    at = rng.randrange(ends, len(data)) if ends < len(data) else len(data) - 1
    return data[:at]


def garbage_after(data, rng, ends):
    """Behind the last call, bytes that no loader can read."""
    junk = rng.choice([b"\xff", b"\xff" * 8, b"X\xff\xff\xff\xff", b"\x8c\xffab", b"h\xfa", b"R", b"u", b"(", b"\x93", b"I12x\n",
                       b"\x80\x63", b"S'\n", b"Vx", b"\x8e" + b"\xff" * 8, b"T\xff\xff\xff\xff", rng.randbytes(40)])
    return data[:ends] + junk + rng.choice([b"", data[ends:], rng.randbytes(200)])


def trailing(data, rng, ends):
    """Bytes behind STOP."""
    return data + rng.choice([b"\0" * 512, rng.randbytes(512), b"PK\5\6" + bytes(18), b"hello\n" * 20, b"\xff" * 64,
                              b"# text\n", honest_pickle(), struct.pack("<Q", 1 << 40)])


def zeros_after(data, rng, ends):
    """A quarter of a megabyte of nothing behind STOP."""
    return data + bytes(1 << 18)


def random_after(data, rng, ends):
    """A quarter of a megabyte of noise behind STOP."""
    return data + rng.randbytes(1 << 18)


def big_string_before(data, rng, ends):
    """Much in a string that is dropped, before anything else."""
    size = rng.choice([70_000, 300_000])
    filling = rng.choice([b"a" * size, rng.randbytes(size), bytes(size)])
    head, body = (data[:2], data[2:]) if data[:1] == b"\x80" else (b"", data)
    start = rng.choice([b"B" + struct.pack("<I", size) + filling, b"\x8e" + struct.pack("<Q", size) + filling,
                        b"X" + struct.pack("<I", size) + b"a" * size, b"T" + struct.pack("<I", size) + b"b" * size,
                        b"V" + b"c" * size + b"\n"])
    return head + start + b"0" + body


def opcodes_before(data, rng, ends):
    """Tens of thousands of opcodes that do nothing, before anything else."""
    head, body = (data[:2], data[2:]) if data[:1] == b"\x80" else (b"", data)
    nothing = rng.choice([b"N0", b"(1", b"(0", b"K\x010", b"I1\n0", b"]0", b"}0", b")0"])
    return head + nothing * rng.choice([3_000, 40_000]) + body


def no_protocol_long_start(data, rng, ends):
    """No PROTO, and a beginning that looks like text."""
    body = data[2:] if data[:1] == b"\x80" else data
    line = rng.choice([b"V# model card\n0", b"S'hello world'\n0", b"I1\n0I2\n0", b"F1.5\n0", b"(lp0\n0", b"L5L\n0", b"Vname: x\n0" * 40])
    return line + body


def stream_before(data, rng, ends):
    """Honest pickles before this one."""
    return honest_pickle() * rng.randrange(1, 5) + data


def stream_after(data, rng, ends):
    """Honest pickles behind this one."""
    return data + honest_pickle() * rng.randrange(1, 5)


def stream_after_padding(data, rng, ends):
    """An honest pickle, padding, and then this one."""
    return honest_pickle() + rng.choice([bytes(rng.randrange(1, 3000)), b"\n" * 40, b"\xff" * 16, b" " * 9]) + data


def stream_after_noise(data, rng, ends):
    """An honest pickle, noise, and then this one.

    With a PROTO: what begins with the call that computes its first name looks like noise, too.
    """
    if data[:1] != b"\x80":
        data = b"\x80\x00" + data
    return honest_pickle() + rng.randbytes(rng.choice([16, 700, 40_000])) + data


EVASIONS = {function.__name__.replace("_", "-"): function for function in (
    broken_after, garbage_after, trailing, zeros_after, random_after, big_string_before, opcodes_before,
    no_protocol_long_start, stream_before, stream_after, stream_after_padding, stream_after_noise)}
# CPython's `pickle.load` does not get to the payload; a program that reads several pickles, or seeks, does.
SEEKING = ["stream-before", "stream-after-padding", "stream-after-noise"]
HONEST = ["stream-before", "stream-after"]
