"""Native executables with complete headers, which do nothing but exit or return."""

import struct


def elf():
    """ELF64 for x86-64: one loadable segment that calls exit(0)."""
    code = bytes.fromhex("b83c000000 31ff 0f05".replace(" ", ""))  # mov eax, 60; xor edi, edi; syscall
    base, offset = 0x400000, 64 + 56
    header = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8) + struct.pack(
        "<2HI3QI6H", 2, 62, 1, base + offset, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    segment = struct.pack("<2I6Q", 1, 5, 0, base, base, offset + len(code), offset + len(code), 0x1000)
    return header + segment + code


def pe():
    """PE32+ for x86-64: one .text section with a return."""
    dos = b"MZ" + bytes(58) + struct.pack("<I", 64)
    coff = b"PE\0\0" + struct.pack("<2H3I2H", 0x8664, 1, 0, 0, 0, 240, 0x22)
    optional = struct.pack("<H2B5IQ2I6H4I2H4Q2I", 0x20B, 14, 0, 512, 0, 0, 0x1000, 0x1000, 0x140000000, 0x1000, 512,
                           6, 0, 0, 0, 6, 0, 0, 0x2000, 512, 0, 3, 0x8160, 0x100000, 0x1000, 0x100000, 0x1000, 0, 16)
    optional += bytes(16 * 8)
    section = struct.pack("<8s6I2HI", b".text", 1, 0x1000, 512, 512, 0, 0, 0, 0, 0x60000020)
    head = dos + coff + optional + section
    return head + bytes(512 - len(head)) + b"\xc3" + bytes(511)


def macho():
    """Mach-O for x86-64: one __TEXT segment."""
    segment = struct.pack("<2I16s4Q4I", 0x19, 72, b"__TEXT", 0x100000000, 0x1000, 0, 0x1000, 5, 5, 0, 0)
    return struct.pack("<8I", 0xFEEDFACF, 0x01000007, 3, 2, 1, len(segment), 0x85, 0) + segment


def wasm():
    """WebAssembly: one function type, one empty function."""
    return b"\0asm\1\0\0\0" + bytes.fromhex("010401600000 03020100 0a040102000b".replace(" ", ""))


def cubin():
    """ELF for NVIDIA devices (machine 190): code of a GPU kernel, not of the host."""
    return elf()[:18] + struct.pack("<H", 190) + elf()[20:]
