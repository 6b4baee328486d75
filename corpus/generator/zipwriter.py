"""A zip writer that can lie: every field of both headers can be set on its own."""

import bz2
import struct
import zlib
from dataclasses import dataclass, field

from .deflate import deflate

STORED, DEFLATED, BZIP2 = 0, 8, 12
DOS_DATE = 0x21  # 1980-01-01


@dataclass
class Member:
    """One member. `local` and `central` override fields of that header only:
    version, flags, method, time, date, crc, packed, size, name, extra,
    and in the directory also made_by, external, offset."""

    name: object
    data: bytes
    method: int = STORED
    flags: int = 0
    descriptor: bool = False  # sizes follow the data, as torch writes them
    align: int = 0  # pad the local header so that the data starts at a multiple
    raw: bytes = None  # the packed bytes, when they are not what the method would give
    external: int = 0o100644 << 16
    local: dict = field(default_factory=dict)
    central: dict = field(default_factory=dict)
    in_directory: bool = True
    in_body: bool = True
    before: bytes = b""  # bytes between the last member and this one


def as_bytes(name):
    return name if isinstance(name, bytes) else name.encode("utf-8")


def pack(member):
    if member.raw is not None:
        return member.raw
    if member.method == DEFLATED:
        return deflate(member.data)
    if member.method == BZIP2:
        return bz2.compress(member.data, 9)
    return member.data


def zip_file(members, prefix=b"", suffix=b"", comment=b"", zip64=False, eocd=True, end=None, offset_base=None):
    """The bytes of an archive. `end` overrides fields of the end record:
    entries, size, offset, comment_size. Offsets count from the start of the
    archive unless `offset_base` says where they start (a prefix that the
    directory does not know about is `offset_base=0` with a prefix)."""
    base = len(prefix) if offset_base is None else offset_base
    body, directory, entries, offset = bytearray(), bytearray(), 0, 0
    for member in members:
        packed = pack(member)
        flags = member.flags | (0x8 if member.descriptor else 0)
        fields = {
            "version": 20 if member.method else 10, "flags": flags, "method": member.method, "time": 0,
            "date": DOS_DATE, "crc": zlib.crc32(member.data), "packed": len(packed), "size": len(member.data),
            "name": as_bytes(member.name), "extra": b"",
        }
        if member.in_body:
            body += member.before
            offset = base + len(body)
            local = dict(fields)
            if member.descriptor:
                local.update(crc=0, packed=0, size=0)
            local.update(member.local)
            if member.align:
                start = len(body) + 30 + len(as_bytes(local["name"])) + 4
                padding = -start % member.align
                local["extra"] = struct.pack("<2sH", b"FB", padding) + b"Z" * padding
            name = as_bytes(local["name"])
            body += struct.pack("<4s5H3I2H", b"PK\3\4", local["version"], local["flags"], local["method"],
                                local["time"], local["date"], local["crc"], local["packed"], local["size"],
                                len(name), len(local["extra"])) + name + local["extra"] + packed
            if member.descriptor:
                body += struct.pack("<4s3I", b"PK\7\10", fields["crc"], len(packed), len(member.data))
        if member.in_directory:
            entries += 1
            central = dict(fields, made_by=0x314, external=member.external, offset=offset)
            central.update(member.central)
            name = as_bytes(central["name"])
            directory += struct.pack("<4s6H3I5H2I", b"PK\1\2", central["made_by"], central["version"], central["flags"],
                                     central["method"], central["time"], central["date"], central["crc"],
                                     central["packed"], central["size"], len(name), len(central["extra"]), 0, 0, 0,
                                     central["external"], central["offset"]) + name + central["extra"]
    out = prefix + bytes(body) + bytes(directory)
    if not eocd:
        return out + suffix
    start = base + len(body)
    record = {"entries": entries, "size": len(directory), "offset": start, "comment_size": len(comment)}
    record.update(end or {})
    if zip64:
        at = start + len(directory)
        out += struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 0x31E, 45, 0, 0, entries, entries, len(directory), start)
        out += struct.pack("<4sIQI", b"PK\6\7", 0, at, 1)
    out += struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, record["entries"], record["entries"], record["size"],
                       record["offset"], record["comment_size"]) + comment
    return out + suffix
