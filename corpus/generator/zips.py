"""Zip archives: what two readers see differently, and what is hidden around and between members."""

import struct
import zlib

from . import executables
from .archives import zstd_frame
from .deflate import deflate, deflate_longest_zeros, deflate_zeros, xz_stream
from .joblibs import lzma_alone
from .opcodes import asm, dumps
from .registry import CLEAN, COMMAND, INCOMPLETE, MALICIOUS, SUSPICIOUS
from .torch import EVIL, WHAT, small_state_dict, torch_zip, zip_members
from .zipwriter import BZIP2, DEFLATED, STORED, Member, zip_file

TEXT = b"notes about the model\n"


def add_samples(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"zip/{name}", verdict, data, what, why)

    honest(add)
    disagreements(add)
    hidden(add)
    names(add)
    shapes(add)


def honest(add):
    files = [Member("config.json", b'{"hidden_size": 4}'), Member("notes.txt", TEXT, DEFLATED), Member("folder/", b""),
             Member("folder/weights.pkl", dumps([0.5, 0.25], 4), BZIP2)]
    add("honest.zip", CLEAN, zip_file(files), "a JSON file, a text and an honest pickle; stored, deflated, bzip2", "an ordinary archive")
    add("honest-zip64.zip", CLEAN, zip_file(files, zip64=True), "the same with zip64 records", "zip64 end records beside the ordinary one")
    add("honest-comment.zip", CLEAN, zip_file(files, comment=b"made for a test"), "the same with an archive comment", "comments are legal")
    add("honest-descriptor.zip", CLEAN, zip_file([Member("notes.txt", TEXT, DEFLATED, descriptor=True)]), "sizes in a data descriptor", "local sizes of zero are honest when bit 3 is set")
    add("honest-utf8-names.zip", CLEAN, zip_file([Member("modèle/poids.txt", TEXT, flags=0x800), Member("模型.txt", TEXT, flags=0x800)]), "names in French and Chinese", "not every unusual name is a trick")
    add("honest-empty.zip", CLEAN, zip_file([]), "an archive without members", "an end record alone is a valid zip")
    add("honest-nested.zip", CLEAN, zip_file([Member("inner.zip", zip_file(files)), Member("arrays.npz", zip_file([]))]), "archives inside an archive", "nested archives are common")
    add("honest-relative-link.zip", CLEAN, zip_file([Member("a/notes.txt", TEXT), Member("a/latest", b"notes.txt", external=0o120777 << 16)]),
        "a symlink to a file in the same folder", "links that stay inside are legal")
    for name, method in (("stored", STORED), ("deflated", DEFLATED), ("bzip2", BZIP2)):
        add(f"pickle-{name}.zip", MALICIOUS, zip_file([Member("model.pkl", EVIL, method)]), f"a {name} pickle: {WHAT}", "members are unpacked and read")
    packed = lzma_alone(EVIL)
    for name, method, raw in (("zstd", 93, zstd_frame(EVIL)), ("xz", 95, xz_stream(EVIL)),
                              ("lzma", 14, b"\x10\x02\x05\x00" + packed[:5] + packed[13:])):
        flags = 0x2 if method == 14 and packed[5:13] == b"\xff" * 8 else 0
        add(f"pickle-{name}.zip", MALICIOUS, zip_file([Member("model.pkl", EVIL, method, flags=flags, raw=raw)]),
            f"a pickle packed with {name}: {WHAT}", "methods beyond deflate, as 7-Zip and WinZip write them")
    add("pickle-no-extension.zip", MALICIOUS, zip_file([Member("model", EVIL, DEFLATED)]), f"a pickle without extension: {WHAT}", "CVE-2025-1889: members are routed by content")
    add("pickle-named-txt.zip", MALICIOUS, zip_file([Member("data.txt", EVIL, DEFLATED)]), f"a pickle named data.txt: {WHAT}", "the same")
    add("pickle-protocol-0.zip", MALICIOUS, zip_file([Member("x.pk1", dumps_p0(), DEFLATED)]), f"a protocol-0 pickle named x.pk1: {WHAT}", "protocols 0 and 1 have no magic")
    add("python-payload.zip", SUSPICIOUS, zip_file([Member("setup.py", f"import os\nos.system({COMMAND!r})\n".encode(), DEFLATED)]), "a Python file that runs a command on import", "code beside the model")
    add("elf.zip", MALICIOUS, zip_file([Member("weights.bin", executables.elf(), DEFLATED)]), "an ELF executable named weights.bin", "a native executable in the place of weights")


def dumps_p0():
    return asm("GLOBAL os system", "MARK", f"UNICODE {COMMAND}", "TUPLE", "REDUCE", "STOP")


def torch_with(change):
    """A torch zip with an evil data.pkl, one member of it changed."""
    members = zip_members(EVIL, {"0": bytes(8)})
    for member in members:  # plain members, so that only one thing is odd
        member.descriptor = False
    change(members[0])
    return zip_file(members, zip64=True)


def disagreements(add):
    """The two headers of a member disagree, or one of them lies."""
    clean = dumps(small_state_dict()[0], 2)

    def change(**fields):
        return lambda member: [setattr(member, key, value) for key, value in fields.items()]

    why = "strict readers refuse the member, torch reads on"
    for name, fields, what, reason in [
        ("local-name-differs", {"local": {"name": "archive/notes.txt"}}, "local header says notes.txt, directory says data.pkl", "CVE-2025-1944: readers differ in which name counts"),
        ("central-name-differs", {"central": {"name": "archive/notes.txt"}}, "directory says notes.txt, local header says data.pkl", "CVE-2025-1944, the other way round"),
        ("central-crc-wrong", {"central": {"crc": 1}}, "wrong CRC in the directory", "CVE-2025-10156: a checksum error must not end the scan"),
        ("local-crc-wrong", {"local": {"crc": 1}}, "wrong CRC in the local header", "CVE-2025-10156"),
        ("central-flag-encrypted", {"central": {"flags": 0x1}}, "encryption bit set in the directory, data in the clear", "CVE-2025-1945: " + why),
        ("local-flag-encrypted", {"local": {"flags": 0x1}}, "encryption bit set in the local header, data in the clear", "CVE-2025-1945: " + why),
        ("both-flags-encrypted", {"flags": 0x1}, "encryption bit set in both headers, data in the clear", "CVE-2025-1945: " + why),
        ("flag-patch", {"central": {"flags": 0x20}}, "patch-data bit set", "CVE-2025-1945: " + why),
        ("flag-strong-encryption", {"central": {"flags": 0x40}}, "strong-encryption bit set, data in the clear", "CVE-2025-1945: " + why),
        ("flag-masked-headers", {"central": {"flags": 0x2000}}, "masked-header bit set", why),
        ("local-method-bogus", {"local": {"method": 99}}, "method 99 in the local header, stored in the directory", "readers that go by the directory read it"),
        ("central-method-bogus", {"central": {"method": 97}}, "method 97 in the directory, stored in the local header", "the same the other way round"),
        ("central-version-99", {"central": {"version": 99}}, "version needed 99", why),
        ("local-sizes-zero", {"local": {"packed": 0, "size": 0}}, "sizes of zero in the local header without a data descriptor", "a reader of local headers sees an empty member"),
        ("central-size-small", {"central": {"packed": 3, "size": 3}}, "the directory claims 3 bytes", "a reader of the directory sees a stub"),
        ("local-extra-long", {"local": {"extra": struct.pack("<HH", 0x9999, 200)}}, "an extra field that claims more than it has", why),
    ]:
        add(f"tampered-{name}.pt", MALICIOUS, torch_with(change(**fields)), f"data.pkl ({WHAT}): {what}", reason)
    add("tampered-clean-in-directory.pt", MALICIOUS, clean_in_directory(clean), "the directory points data.pkl at a clean pickle, the local headers hold an evil one too", "two views of one archive")
    add("tampered-honest-crc.zip", SUSPICIOUS, zip_file([Member("notes.txt", TEXT, central={"crc": 5})]), "a text whose CRC is wrong", "damage or tampering: the content is clean, the archive is not right")
    add("tampered-size-honest.zip", SUSPICIOUS, zip_file([Member("notes.txt", TEXT, local={"size": 4, "packed": 4})]), "a text whose local header claims another size", "no writer makes this")
    add("checksum-absent.pt", CLEAN, torch_zip_without_checksums(clean), "a torch zip whose checksums are all zero", "torch.serialization.set_crc32_options(False) writes this")
    add("deflate64.zip", MALICIOUS, zip_file([Member("model.pkl", EVIL, 9, raw=deflate(EVIL))]), "an evil pickle in Deflate64", "Windows writes it for large files")
    add("deflate64-honest.zip", CLEAN, zip_file([Member("notes.txt", TEXT, 9, raw=deflate(TEXT))]), "a text in Deflate64", "Windows writes it for large files")
    add("deflate64-broken.zip", INCOMPLETE, zip_file([Member("notes.txt", TEXT, 9, raw=b"\xff" * 20)]), "Deflate64 that is none", "what cannot be unpacked has not been examined")
    add("method-unknown.zip", INCOMPLETE, zip_file([Member("model.pkl", EVIL, 95, raw=bytes(range(40)))]), "a member packed with method 95 and no readable data", "what cannot be unpacked has not been examined")
    add("encrypted.zip", INCOMPLETE, zip_file([Member("model.pkl", bytes(40), flags=0x1, raw=bytes((i * 73 + 41) & 0xFF for i in range(52)))]),
        "an encrypted member", "the honest use of the encryption bit: not examined, never clean")


def torch_zip_without_checksums(pickle):
    """What torch writes when it is told to compute no checksums."""
    members = zip_members(pickle, {"0": bytes(24), "1": bytes(8)})
    for member in members:
        member.descriptor = False
        member.local = member.central = {"crc": 0}
    return zip_file(members, zip64=True)


def clean_in_directory(clean):
    """Two members at the same name; only the clean one is in the directory."""
    evil = Member("archive/data.pkl", EVIL, in_directory=False)
    return zip_file([evil, Member("archive/data.pkl", clean), Member("archive/version", b"3\n")])


def hidden(add):
    """Bytes before, between and after the members."""
    honest = zip_file([Member("notes.txt", TEXT)])
    torch = torch_zip(EVIL, {"0": bytes(8)})
    add("prefix-pickle.pkl", MALICIOUS, zip_file([Member("notes.txt", TEXT)], prefix=EVIL), f"a pickle ({WHAT}) before the first local header", "pickle.load runs the head, zip readers see the archive")
    add("prefix-junk-torch.pt", MALICIOUS, zip_file(zip_members(EVIL, {"0": bytes(8)}), prefix=b"\0weighi" * 10, zip64=True), f"70 bytes before a torch archive with {WHAT}", "the archive does not start at 0")
    add("prefix-wrong-offsets.pt", MALICIOUS, zip_file([Member("archive/data.pkl", EVIL), Member("archive/version", b"3\n")], prefix=b"\0weighi" * 10, offset_base=0),
        "the same, with offsets that do not count the prefix", "tolerant readers shift all offsets")
    add("prefix-shell.zip", SUSPICIOUS, zip_file([Member("notes.txt", TEXT)], prefix=b"#!/bin/sh\necho weighin\nexit 0\n"), "a shell script before the first member", "a self-extracting stub")
    add("suffix-pickle.zip", MALICIOUS, honest + EVIL, f"a pickle ({WHAT}) after the end record", "bytes after the end are read too")
    add("suffix-elf.zip", MALICIOUS, honest + executables.elf(), "an ELF executable after the end record", "the same")
    add("suffix-padding.zip", CLEAN, honest + bytes(16), "16 zero bytes after the end record", "padding")
    add("concatenated-evil-last.pt", MALICIOUS, torch_zip(dumps({"a": 1}, 2)) + torch, "a clean torch zip, then an evil one", "readers find the last end record")
    add("concatenated-evil-first.pt", MALICIOUS, torch + torch_zip(dumps({"a": 1}, 2)), "an evil torch zip, then a clean one", "readers that stream find the first")
    add("eocd-in-comment.pt", MALICIOUS, zip_file([Member("archive/data.pkl", dumps({"a": 1}, 2)), Member("archive/version", b"3\n")], comment=torch), "a whole evil archive in the comment of a clean one", "which end record counts differs by reader")
    add("no-eocd.pt", MALICIOUS, zip_file(zip_members(EVIL, {}), eocd=False), f"{WHAT} in an archive without end record", "stream readers go by the local headers")
    add("local-headers-only.zip", MALICIOUS, zip_file([Member("model.pkl", EVIL, in_directory=False), Member("notes.txt", TEXT)]), f"{WHAT} in a member that the directory does not list", "a walk of the local headers finds it")
    add("directory-only.zip", INCOMPLETE, zip_file([Member("notes.txt", TEXT), Member("model.pkl", EVIL, in_body=False, central={"offset": 70000})]), "a directory entry that points outside the file", "a member that is not there has not been examined")
    add("gap-between-members.zip", MALICIOUS, zip_file([Member("a.txt", TEXT), Member("b.txt", TEXT, before=EVIL)]), f"a pickle ({WHAT}) between two members", "gaps hold bytes that no member covers")
    add("no-eocd-honest.zip", INCOMPLETE, zip_file([Member("notes.txt", TEXT)], eocd=False), "an honest archive without end record", "a cut download")
    add("truncated-member.zip", INCOMPLETE, zip_file([Member("notes.txt", TEXT * 50, DEFLATED)])[:90], "an archive cut inside its only member", "a cut download")
    add("eocd-counts-wrong.zip", SUSPICIOUS, zip_file([Member("a.txt", TEXT), Member("b.txt", TEXT)], end={"entries": 1}), "an end record that counts one of two entries", "readers that believe it see one member")
    add("comment-size-wrong.zip", SUSPICIOUS, zip_file([Member("a.txt", TEXT)], end={"comment_size": 400}), "an end record whose comment is longer than the file", "strict readers refuse it")


def names(add):
    """Member names that leave the folder, collide, or look like something else."""
    for case, name, what in [
        ("dotdot", "../../weighin.sh", "..: two folders up"), ("dotdot-inside", "a/../../weighin.sh", "..: out of the folder after normalising"),
        ("absolute", "/tmp/weighin.sh", "an absolute path"), ("drive", "C:\\weighin.bat", "a drive letter"),
        ("unc", "\\\\host.invalid\\share\\weighin", "a UNC path"), ("backslash-dotdot", "..\\..\\weighin.bat", ".. with backslashes"),
    ]:
        add(f"name-{case}.zip", MALICIOUS, zip_file([Member(name, TEXT)]), f"a member named by {what}", "path traversal: unpacking writes outside the folder")
    add("name-dot-slash.zip", CLEAN, zip_file([Member("./notes.txt", TEXT), Member("a/./b.txt", TEXT), Member("v1..2/notes.txt", TEXT)]), "names with ./ and a double dot inside a part", "look-alikes that stay inside")
    add("name-nul.pt", MALICIOUS, zip_file([Member("archive/data.pkl\0.txt", EVIL), Member("archive/version", b"3\n")]), f"data.pkl\\0.txt holds {WHAT}", "readers that cut names at the NUL see data.pkl")
    add("name-case-collision.zip", SUSPICIOUS, zip_file([Member("Config.json", b"{}"), Member("config.json", b'{"a": 1}')]), "Config.json and config.json", "one overwrites the other on Windows and macOS")
    add("name-duplicate.zip", SUSPICIOUS, zip_file([Member("notes.txt", TEXT), Member("notes.txt", b"other notes\n")]), "two members of one name", "readers differ in which one they take")
    add("name-bidi.zip", SUSPICIOUS, zip_file([Member("model\u202egpj.py", b"x = 1\n", flags=0x800)]), "a right-to-left override in a name", "shown as model.yp.jpg: a disguise")
    add("name-escape.zip", SUSPICIOUS, zip_file([Member("a\x1b[2Jb.txt", TEXT)]), "a terminal escape in a name", "printing it clears the screen")
    add("name-not-utf8.zip", CLEAN, zip_file([Member(b"caf\x82.txt", TEXT)]), "a name in code page 437", "the zip default, not an error")
    add("name-empty.zip", SUSPICIOUS, zip_file([Member("", TEXT)]), "a member with an empty name", "no writer makes this")
    add("symlink-absolute.zip", MALICIOUS, zip_file([Member("latest", b"/etc/passwd", external=0o120777 << 16)]), "a symlink to /etc/passwd", "a link that leaves the folder")
    add("symlink-dotdot.zip", MALICIOUS, zip_file([Member("a/latest", b"../../weighin", external=0o120777 << 16)]), "a symlink two folders up", "the same")
    add("symlink-then-file.zip", MALICIOUS, zip_file([Member("out", b"/tmp", external=0o120777 << 16), Member("out/weighin.sh", TEXT)]), "a symlink and a member below it", "writes through the link")


def shapes(add):
    """Nesting and bombs."""
    data = EVIL
    for level in range(3):
        data = zip_file([Member(f"level{level}.bin", data, DEFLATED)])
    add("nested-3.zip", MALICIOUS, data, f"{WHAT} three archives deep", "archives are opened to a depth")
    data = dumps([1], 2)
    for level in range(60):
        data = zip_file([Member(f"{level}.zip", data)])
    add("nested-60.zip", INCOMPLETE, data, "an honest pickle 60 archives deep", "beyond any sensible depth: said so, not followed")
    add("sparse-zeros.zip", CLEAN, zip_file([zeros_member("weights.bin", 8 << 20)]), "8 MiB of zeros at 1000:1", "sparse weights compress as well as any bomb; size decides")
    inner = zip_file([zeros_member("weights.bin", 300 << 20)])
    add("bomb-nested.zip", SUSPICIOUS, zip_file([Member("inner.zip", inner, DEFLATED, raw=deflate_longest_zeros(inner))]),
        "300 MiB of zeros in an archive in an archive of one kilobyte", "a compression bomb")
    fields = {"size": 10000, "crc": zlib.crc32(bytes(10000))}
    overlap = Member("a.bin", b"", DEFLATED, raw=deflate_zeros(b"", 10000), local=fields, central=fields)
    copies = [Member(f"a{i}.bin", b"", DEFLATED, raw=overlap.raw, in_body=False,
                     central={**fields, "offset": 0}) for i in range(30)]
    add("overlapping-members.zip", SUSPICIOUS, zip_file([overlap, *copies]), "31 directory entries over one stream of data", "overlap is how a zip bomb gets its ratio without nesting")


def zeros_member(name, size):
    """A member of `size` zeros."""
    crc, block = 0, bytes(1 << 20)
    for _ in range(size >> 20):
        crc = zlib.crc32(block, crc)
    fields = {"size": size, "crc": crc}
    return Member(name, b"", DEFLATED, raw=deflate_zeros(b"", size), local=fields, central=fields)
