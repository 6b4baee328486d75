"""A 7z writer for one member and one coder (7zFormat.txt of the LZMA SDK)."""

import struct
import zlib


def number(value):
    """A number below 2^14 as 7z writes it."""
    return bytes([value]) if value < 0x80 else bytes([0x80 | value >> 8, value & 0xFF])


def sevenz(name, packed, size, method, properties=b""):
    """An archive of one member that the coder `method` unpacks to `size` bytes."""
    coder = bytes([len(method) | (0x20 if properties else 0)]) + method + (number(len(properties)) + properties if properties else b"")
    streams = b"\x06" + number(0) + number(1) + b"\x09" + number(len(packed)) + b"\x00"
    streams += b"\x07\x0b" + number(1) + b"\x00" + number(1) + coder + b"\x0c" + number(size) + b"\x00\x08\x00\x00"
    names = b"\x00" + name.encode("utf-16-le") + b"\x00\x00"
    header = b"\x01\x04" + streams + b"\x05" + number(1) + b"\x11" + number(len(names)) + names + b"\x00\x00"
    start = struct.pack("<QQL", len(packed), len(header), zlib.crc32(header))
    return b"7z\xbc\xaf\x27\x1c\x00\x04" + struct.pack("<L", zlib.crc32(start)) + start + packed + header
