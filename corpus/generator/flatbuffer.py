"""A small flatbuffer writer: tables, vectors, strings and scalars."""

import struct
from dataclasses import dataclass


@dataclass
class Table:
    """Fields by slot: ("i", 3) for a scalar of that struct code, or a str, bytes, list or Table."""

    fields: dict


class Raw(bytes):
    """A vector of bytes."""


def _pad(out, size):
    out += bytes(-len(out) % size)


def _write(out, value):
    """Write a value and return its position."""
    if isinstance(value, Table):
        return _table(out, value)
    _pad(out, 4)
    at = len(out)
    if isinstance(value, str):
        data = value.encode("utf-8")
        out += struct.pack("<I", len(data)) + data + b"\0"
    elif isinstance(value, bytes):
        out += struct.pack("<I", len(value)) + value
    elif value and isinstance(value[0], int):
        out += struct.pack(f"<I{len(value)}i", len(value), *value)
    else:
        out += struct.pack("<I", len(value)) + bytes(4 * len(value))
        for index, item in enumerate(value):
            place = at + 4 + 4 * index
            struct.pack_into("<I", out, place, _write(out, item) - place)
    return at


def _table(out, table):
    slots = max(table.fields, default=-1) + 1
    layout, offset = {}, 4
    for slot, value in sorted(table.fields.items()):
        size = struct.calcsize("<" + value[0]) if isinstance(value, tuple) else 4
        offset += -offset % size
        layout[slot] = offset
        offset += size
    _pad(out, 4)
    vtable = len(out)
    out += struct.pack("<2H", 4 + 2 * slots, offset) + b"".join(struct.pack("<H", layout.get(slot, 0)) for slot in range(slots))
    _pad(out, 8)
    at = len(out)
    out += struct.pack("<i", at - vtable) + bytes(offset - 4)
    for slot, value in sorted(table.fields.items()):
        place = at + layout[slot]
        if isinstance(value, tuple):
            struct.pack_into("<" + value[0], out, place, value[1])
        else:
            struct.pack_into("<I", out, place, _write(out, value) - place)
    return at


def flatbuffer(root, identifier):
    """The bytes of a buffer with a file identifier at 4."""
    out = bytearray(bytes(4) + identifier)
    struct.pack_into("<I", out, 0, _table(out, root))
    return bytes(out)
