"""Deflate, zlib, gzip and xz written by hand, so that every machine makes the same bytes.

Deflate here has one block of fixed Huffman codes and repeats only the last
byte, which is enough to hide text and to make a bomb. The xz stream holds
uncompressed LZMA2 chunks.
"""

import re
import struct
import zlib


class _Bits:
    def __init__(self):
        self.out = bytearray()
        self.held = 0
        self.count = 0

    def put(self, value, size):
        """Low bit first."""
        self.held |= value << self.count
        self.count += size
        while self.count >= 8:
            self.out.append(self.held & 0xFF)
            self.held >>= 8
            self.count -= 8

    def code(self, value, size):
        """A Huffman code, high bit first."""
        self.put(int(f"{value:0{size}b}"[::-1], 2), size)

    def done(self):
        if self.count:
            self.put(0, 8 - self.count)
        return bytes(self.out)


def _symbol(bits, symbol):
    if symbol < 144:
        bits.code(0x30 + symbol, 8)
    elif symbol < 256:
        bits.code(0x190 + symbol - 144, 9)
    elif symbol < 280:
        bits.code(symbol - 256, 7)
    else:
        bits.code(0xC0 + symbol - 280, 8)


def _fixed_block(bits, data, last):
    bits.put(last, 1)
    bits.put(1, 2)
    for byte in data:
        _symbol(bits, byte)
    _symbol(bits, 256)


def deflate(data):
    """Raw deflate of `data`: literals only."""
    bits = _Bits()
    _fixed_block(bits, data, 1)
    return bits.done()


def deflate_zeros(head, zeros, tail=b""):
    """Raw deflate of `head`, `zeros` zero bytes and `tail`, at two bits for every 258 zeros."""
    bits = _Bits()
    _fixed_block(bits, head, 0)
    # A dynamic block of three symbols: 285 (a match of 258 bytes) in one bit,
    # 0 and 256 in two, and distance 1 in one.
    lengths = {0: 2, 256: 2, 285: 1}
    bits.put(0, 1)
    bits.put(2, 2)
    bits.put(29, 5)  # 286 literal and length codes
    bits.put(0, 5)  # 1 distance code
    bits.put(14, 4)  # 18 code length codes, which reaches the one for 1
    # Code length codes: 18 (a long run of zeros) in one bit, 1 and 2 in two.
    order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1]
    for symbol in order:
        bits.put({18: 1, 1: 2, 2: 2}.get(symbol, 0), 3)
    codes = {18: (0, 1), 1: (2, 2), 2: (3, 2)}

    def run(count):
        while count:
            step = min(count, 138)
            if count - step in range(1, 11):
                step -= 11
            bits.code(*codes[18])
            bits.put(step - 11, 7)
            count -= step

    bits.code(*codes[lengths[0]])
    run(255)
    bits.code(*codes[lengths[256]])
    run(28)
    bits.code(*codes[lengths[285]])
    bits.code(*codes[1])  # the distance code
    # Canonical codes: 285 is 0, literal 0 is 10, end of block is 11.
    for _ in range(zeros % 258 or 258):
        bits.code(2, 2)
    bits.put(0, (zeros - (zeros % 258 or 258)) // 258 * 2)
    bits.code(3, 2)
    _fixed_block(bits, tail, 1)
    return bits.done()


def deflate_longest_zeros(data):
    """Raw deflate that packs the longest run of zeros in `data`."""
    run = max(re.findall(rb"\0+", data), key=len)
    at = data.index(run)
    return deflate_zeros(data[:at], len(run), data[at + len(run):])


def zlib_stream(data):
    """zlib: header, deflate, Adler-32."""
    return b"\x78\x9c" + deflate(data) + struct.pack(">I", zlib.adler32(data))


def stored(data):
    """Raw deflate of one stored block."""
    return b"\1" + struct.pack("<2H", len(data), len(data) ^ 0xFFFF) + data


def gzip_member(data, name=None, pack=deflate):
    """One gzip member with time 0."""
    flags = 8 if name else 0
    head = struct.pack("<2sBBIBB", b"\x1f\x8b", 8, flags, 0, 0, 255)
    if name:
        head += name.encode("latin1") + b"\0"
    return head + pack(data) + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)


def _varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _pad4(data):
    return data + bytes(-len(data) % 4)


def xz_stream(data):
    """An .xz file: one block, LZMA2 in uncompressed chunks, CRC-32 as check."""
    flags = b"\x00\x01"
    out = b"\xfd7zXZ\0" + flags + struct.pack("<I", zlib.crc32(flags))
    # Block header: one filter, LZMA2 (0x21) with one property byte, dictionary of 64 KiB.
    fields = b"\x00" + b"\x21\x01\x08"
    size = (1 + len(fields) + 4 + 3) // 4 * 4
    header = bytes([size // 4 - 1]) + fields
    header += bytes(size - 4 - len(header))
    header += struct.pack("<I", zlib.crc32(header))
    chunks = bytearray()
    for start in range(0, len(data), 1 << 15):
        part = data[start:start + (1 << 15)]
        chunks += bytes([1 if start == 0 else 2]) + struct.pack(">H", len(part) - 1) + part
    chunks += b"\0"
    unpadded = len(header) + len(chunks) + 4
    out += _pad4(header + bytes(chunks)) + struct.pack("<I", zlib.crc32(data))
    index = _pad4(b"\0" + _varint(1) + _varint(unpadded) + _varint(len(data)))
    index += struct.pack("<I", zlib.crc32(index))
    footer = struct.pack("<I", len(index) // 4 - 1) + flags
    return out + index + struct.pack("<I", zlib.crc32(footer)) + footer + b"YZ"
