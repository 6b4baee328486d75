"""A tar writer that can lie, and the records that GNU tar and pax add."""

import struct
from dataclasses import dataclass

BLOCK = 512


@dataclass
class Entry:
    """One tar member."""

    name: object
    data: bytes = b""
    kind: bytes = b"0"
    link: str = ""
    mode: int = 0o644
    size: object = None  # what the header claims, when that is not len(data)
    checksum: object = None
    magic: bytes = b"ustar\x0000"


def header(entry):
    name = entry.name if isinstance(entry.name, bytes) else entry.name.encode("utf-8")
    size = len(entry.data) if entry.size is None else entry.size
    size_field = b"%011o\0" % size if size < 8 ** 11 else b"\x80" + struct.pack(">3xQ", size)
    head = struct.pack("100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12x", name[:100], b"%07o\0" % entry.mode, b"%07o\0" % 0,
                       b"%07o\0" % 0, size_field, b"%011o\0" % 0, b" " * 8, entry.kind, entry.link.encode("utf-8"),
                       entry.magic, b"", b"", b"%07o\0" % 0, b"%07o\0" % 0, b"")
    checksum = sum(head) if entry.checksum is None else entry.checksum
    return head[:148] + b"%06o\0 " % checksum + head[156:]


def tar_file(entries, end=True):
    """The bytes of an archive; an entry may be a (name, data) pair."""
    out = bytearray()
    for entry in entries:
        if isinstance(entry, tuple):
            entry = Entry(*entry)
        out += header(entry) + entry.data + bytes(-len(entry.data) % BLOCK)
    return bytes(out) + (bytes(2 * BLOCK) if end else b"")


def pax(fields):
    """A pax header for the member that follows: a dictionary, or pairs where keys repeat."""
    body = b""
    for key, value in fields.items() if isinstance(fields, dict) else fields:
        tail = f" {key}={value}\n".encode("utf-8")
        size = len(tail)
        while size != len(str(size)) + len(tail):
            size = len(str(size)) + len(tail)
        body += str(size).encode() + tail
    return Entry("PaxHeaders/0", body, b"x")


def gnu_long_name(name):
    """A GNU long-name record for the member that follows."""
    return Entry("././@LongLink", name.encode("utf-8") + b"\0", b"L", magic=b"ustar  \0")
