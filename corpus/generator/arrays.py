"""NumPy .npy and .npz files."""

import struct

from .objects import array, packed
from .opcodes import call, dumps
from .registry import CLEAN, COMMAND, INCOMPLETE, MALICIOUS, SUSPICIOUS
from .torch import EVIL, WHAT
from .zipwriter import DEFLATED, Member, zip_file


def npy(descr, shape, data, fortran=False, version=1, header=None, length=None):
    """A .npy file; `header` replaces the whole dictionary, `length` the claimed header length."""
    text = header if header is not None else \
        "{'descr': %s, 'fortran_order': %s, 'shape': %s, }" % (descr, fortran, shape)
    text = text.encode("utf-8" if version == 3 else "latin1")
    size = 2 if version == 1 else 4
    start = 8 + size
    text += b" " * (-(start + len(text) + 1) % 64) + b"\n"
    claimed = len(text) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", claimed) + text + data


def add_samples(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"numpy/{name}", verdict, data, what, why)

    floats = packed([0.0, 0.25, 0.5, 0.75], "f4")
    weights = npy("'<f4'", "(4,)", floats)
    add("float32.npy", CLEAN, weights, "four float32, version 1.0", "what np.save writes")
    add("float32-v2.npy", CLEAN, npy("'<f4'", "(4,)", floats, version=2), "the same, version 2.0", "headers over 64 KiB need it")
    add("float32-v3.npy", CLEAN, npy("[('größe', '<f4')]", "(4,)", floats, version=3), "a field with a non-ASCII name, version 3.0", "UTF-8 headers")
    add("fortran.npy", CLEAN, npy("'<i8'", "(2, 2)", packed([1, 2, 3, 4], "i8"), fortran=True), "a 2x2 array in Fortran order", "fortran_order True")
    add("big-endian.npy", CLEAN, npy("'>f4'", "(4,)", bytes(16)), "four big-endian float32", "byte order in the descr")
    add("scalar.npy", CLEAN, npy("'<f8'", "()", bytes(8)), "a zero-dimensional array", "shape ()")
    add("empty.npy", CLEAN, npy("'<f8'", "(0, 7)", b""), "an array of shape (0, 7)", "no data at all")
    add("strings.npy", CLEAN, npy("'<U3'", "(2,)", "catdog".encode("utf-32-le")), "two strings of fixed width", "a text dtype")
    add("bytes-and-times.npy", CLEAN, npy("[('when', '<M8[ns]'), ('tag', '|S4'), ('ok', '|b1'), ('z', '<c16')]", "(1,)", bytes(8 + 4 + 1 + 16)),
        "times, byte strings, booleans and complex numbers", "the other numeric kinds")
    add("structured.npy", CLEAN, npy("[('id', '<i4'), ('pos', '<f8', (3,)), ('tag', [('a', '<i2'), ('b', '<i2')])]", "(1,)", bytes(4 + 24 + 4)),
        "records with a subarray and a nested record", "structured dtypes without objects")
    add("trailing-newline.npy", CLEAN, npy("'<f4'", "(4,)", floats) + npy("'<f4'", "(4,)", floats), "two arrays in one file", "np.save twice into one file is documented use")
    add("object-strings.npy", CLEAN, npy("'|O'", "(3,)", dumps(array(["cat", "dog", None], "O8"), 3)), "an object array of strings", "object arrays are pickles; this one is honest")
    add("object-p4.npy", CLEAN, npy("'|O'", "(2,)", dumps(array([1, "x"], "O8"), 4)), "an object array as NumPy 2 pickles it", "protocol 4 inside")
    add("object-evil.npy", MALICIOUS, npy("'|O'", "(1,)", EVIL), f"an object array that is {WHAT}", "CVE-2019-6446: np.load with allow_pickle runs it")
    add("object-evil-in-array.npy", MALICIOUS, npy("'|O'", "(2,)", dumps(array(["cat", call("os.system", COMMAND)], "O8"), 3)), f"an object array with {WHAT} as an element", "the pickle around it is honest")
    add("structured-object-evil.npy", MALICIOUS, npy("[('a', '<i4'), ('b', '|O')]", "(1,)", EVIL), "an object field inside a structured dtype", "any O in the descr means a pickle")
    add("subarray-object-evil.npy", MALICIOUS, npy("[('a', [('b', 'O', (2,))])]", "(1,)", EVIL), "an object field two levels down, without byte-order mark", "the same")
    add("claims-floats-evil.npy", MALICIOUS, npy("'<f4'", "(4,)", floats) + EVIL, f"{WHAT} behind the declared data", "bytes after the array are read too")
    add("evil-v3.npy", MALICIOUS, npy("'|O'", "(1,)", EVIL, version=3), "an evil object array, version 3.0", "every version carries pickles")
    add("bytes-evil.npy", MALICIOUS, npy("'|u1'", f"({len(EVIL)},)", EVIL), f"an array of bytes that is a pickle: {WHAT}", "np.frombuffer(data) is an array of numbers to every reader")
    add("string-evil.npy", MALICIOUS, npy(f"'|S{len(EVIL)}'", "()", EVIL), "the same as one string of bytes", "np.array(data) is a string")
    add("picture.npy", CLEAN, npy("'|u1'", "(4, 8)", bytes([0x80, 4, 0x7F, 0x83]) + bytes(range(100, 128))), "a grey picture whose first values begin a pickle", "pixels may be any bytes")
    add("pickle-named.npy", MALICIOUS, EVIL, f"a bare pickle named .npy: {WHAT}", "np.load goes by the first bytes, not by the name")
    add("header-code.npy", SUSPICIOUS, npy("", "", bytes(16), header="{'descr': '<f4', 'fortran_order': False, 'shape': (__import__('os').getpid(),), }"),
        "a header with a call in it", "old readers evaluated the header")
    add("header-lambda.npy", SUSPICIOUS, npy("", "", bytes(16), header="{'descr': '<f4', 'fortran_order': False, 'shape': (4,), 'x': (lambda: 1)()}"),
        "a header with an extra key and a lambda", "keys are exactly three, values are literals")
    add("header-deep.npy", SUSPICIOUS, npy("", "", b"", header="{'descr': '<f4', 'fortran_order': False, 'shape': " + "(" * 3000 + ")" * 3000 + ", }"),
        "a header with 3000 nested brackets", "a recursive reader overflows its stack")
    add("header-huge.npy", SUSPICIOUS, npy("[" + ", ".join(f"('f{i:05}', '<f4')" for i in range(900)) + "]", "(1,)", bytes(3600)),
        "a header of over 10000 characters", "np.load refuses it unless pickles are allowed")
    add("shape-overflow.npy", SUSPICIOUS, npy("'<f4'", "(4294967296, 4294967296, 4)", bytes(16)), "a shape whose product overflows 64 bits", "a reader that wraps around allocates too little")
    add("shape-negative.npy", SUSPICIOUS, npy("'<f4'", "(-4,)", bytes(16)), "a negative dimension", "no writer makes this")
    add("header-length-beyond.npy", INCOMPLETE, npy("'<f4'", "(4,)", floats, length=60000), "a header length beyond the end of the file", "a cut or lying file")
    add("truncated.npy", INCOMPLETE, npy("'<f4'", "(400,)", bytes(100)), "an array with a sixteenth of its data", "a partial download")
    add("version-9.npy", INCOMPLETE, npy("'<f4'", "(4,)", floats, version=9), "version 9.0", "a version that nobody has defined")
    add("object-truncated.npy", INCOMPLETE, npy("'|O'", "(3,)", dumps(array(["cat", "dog", None], "O8"), 3)[:60]), "an object array cut short", "a partial download")
    add("honest.npz", CLEAN, zip_file([Member("arr_0.npy", weights), Member("arr_1.npy", npy("'<i8'", "()", bytes(8)))]), "an archive of two arrays", "what np.savez writes")
    add("compressed.npz", CLEAN, zip_file([Member("weights.npy", weights, DEFLATED), Member("labels.npy", npy("'|O'", "(2,)", dumps(array(["a", "b"], "O8"), 3)), DEFLATED)]), "a compressed archive with an honest object array", "what np.savez_compressed writes")
    add("evil.npz", MALICIOUS, zip_file([Member("arr_0.npy", weights), Member("arr_1.npy", npy("'|O'", "(1,)", EVIL), DEFLATED)]), "an archive whose second array is evil", "every member is read")
    add("evil-member-without-extension.npz", MALICIOUS, zip_file([Member("arr_0.npy", weights), Member("arr_1", EVIL)]), f"a member arr_1 that is a pickle: {WHAT}", "members are judged by their content")
    add("nested.npz", MALICIOUS, zip_file([Member("arr_0.npz", zip_file([Member("a.npy", npy("'|O'", "(1,)", EVIL))]))]), "an evil array in an archive in an archive", "nested archives are opened")
