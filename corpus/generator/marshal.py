"""Marshalled code objects of several CPython versions, written by hand.

Python's own marshal module writes only its own version's layout. The bytecode
here is assembled from numbers that each version gives its opcodes; it imports
os and calls os.system("echo weighin"), or adds one to a number.
"""

import struct

from .registry import COMMAND


def _long(value):
    return struct.pack("<i", value)


def _object(value):
    """Constants and names: None, int, str, bytes, tuple."""
    if value is None:
        return b"N"
    if isinstance(value, int):
        return b"i" + _long(value)
    if isinstance(value, str):
        data = value.encode("ascii")
        return b"z" + bytes([len(data)]) + data  # short ASCII
    if isinstance(value, bytes):
        return b"s" + _long(len(value)) + value
    return b")" + bytes([len(value)]) + b"".join(_object(item) for item in value)


def _object_27(value):
    """The same for Python 2: byte strings, tuples with a long count."""
    if isinstance(value, str):
        return b"s" + _long(len(value)) + value.encode("latin1")
    if isinstance(value, tuple):
        return b"(" + _long(len(value)) + b"".join(_object_27(item) for item in value)
    return _object(value)


def code_27(code, consts, names):
    """TYPE_CODE as CPython 2.7 lays it out."""
    return b"c" + _long(0) * 2 + _long(3) + _long(64) + _object_27(code.decode("latin1")) + b"".join(map(_object_27, (
        consts, names, (), (), (), "weighin.py", "<module>"))) + _long(1) + _object_27("")


def code_38(code, consts, names):
    """TYPE_CODE as CPython 3.8 to 3.10 lay it out."""
    return b"\xe3" + _long(0) * 4 + _long(3) + _long(64) + b"".join(map(_object, (
        code, consts, names, (), (), (), "weighin.py", "<module>"))) + _long(1) + _object(b"")


def code_311(code, consts, names):
    """TYPE_CODE as CPython 3.11 and later lay it out."""
    return b"\xe3" + _long(0) * 3 + _long(3) + _long(0) + b"".join(map(_object, (
        code, consts, names, (), b"", "weighin.py", "<module>", "<module>"))) + _long(1) + _object(b"") * 2


CONSTS = (0, None, COMMAND)
NAMES = ("os", "system")


def system_27():
    """import os; os.system("echo weighin"), for CPython 2.7 (three-byte instructions)."""
    def op(number, argument):
        return struct.pack("<BH", number, argument)
    return code_27(op(100, 0) + op(100, 1) + op(108, 0) + op(90, 0)  # LOAD_CONST 0, None; IMPORT_NAME; STORE_NAME
                   + op(101, 0) + op(106, 1) + op(100, 2) + op(131, 1)  # LOAD_NAME; LOAD_ATTR; LOAD_CONST; CALL_FUNCTION
                   + b"\x01" + op(100, 1) + b"\x53", CONSTS, NAMES)  # POP_TOP; LOAD_CONST None; RETURN_VALUE


def system_38():
    """The same for CPython 3.8 (two-byte instructions)."""
    return code_38(bytes([100, 0, 100, 1, 108, 0, 90, 0, 101, 0, 160, 1, 100, 2, 161, 1, 1, 0, 100, 1, 83, 0]), CONSTS, NAMES)


def bytecode_311():
    """The instructions of the same for CPython 3.11 (with inline cache entries)."""
    return bytes([151, 0, 100, 0, 100, 1, 108, 0, 90, 0, 101, 0, 160, 1]) + bytes(20) \
        + bytes([100, 2, 166, 1]) + bytes(2) + bytes([171, 1]) + bytes(8) + bytes([1, 0, 100, 1, 83, 0])


def system_311():
    """The same for CPython 3.11."""
    return code_311(bytecode_311(), CONSTS, NAMES)


def simple_function_311():
    """The bytecode of `lambda x: x + 1` for CPython 3.11."""
    return bytes([151, 0, 124, 0, 100, 1, 122, 0]) + bytes(2) + bytes([83, 0])


def system_314(spread=False):
    """import os; os.system("echo weighin"), or with spread os.system(*("echo weighin",)), for CPython 3.14."""
    call = bytes([82, 2, 33, 0, 4, 0]) if spread else bytes([82, 2, 52, 1]) + bytes(6)  # LOAD_CONST; CALL_FUNCTION_EX or CALL
    attribute = bytes([80, 2] if spread else [80, 3]) + bytes(18) + (bytes([33, 0]) if spread else b"")
    code = bytes([128, 0, 94, 0, 82, 1, 73, 0, 116, 0, 93, 0]) + attribute + call + bytes([31, 0, 82, 1, 35, 0])
    return code_311(code, (0, None, (COMMAND,) if spread else COMMAND), NAMES)


def simple_function_314():
    """`lambda x: x + 1`, for CPython 3.14."""
    return code_311(bytes([128, 0, 86, 0, 94, 1, 44, 0]) + bytes(10) + bytes([35, 0]), (None,), ())


def exits_311():
    """A .pyc file of CPython 3.11: import sys; sys.exit(0). Its size field begins like a code object."""
    code = bytes([151, 0, 100, 0, 100, 1, 108, 0, 90, 0, 101, 0, 160, 1]) + bytes(20) \
        + bytes([100, 0, 166, 1]) + bytes(2) + bytes([171, 1]) + bytes(8) + bytes([1, 0, 100, 1, 83, 0])
    return struct.pack("<H", 3495) + b"\r\n" + _long(0) * 2 + b"\xe3\x00\x00\x00" + code_311(code, (0, None), ("sys", "exit"))
