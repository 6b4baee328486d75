"""Pickle streams as lists of opcodes that can be taken apart and put together.

`decode` reads what `pickletools` refuses, and returns nothing for a stream that
it can't follow to its end; such a sample is wrapped, but not re-encoded.
"""

import pickle
import struct
from dataclasses import dataclass, field

# code: (name, what follows it)
LAYOUTS = {
    "(": ("MARK", ""), ".": ("STOP", ""), "0": ("POP", ""), "1": ("POP_MARK", ""), "2": ("DUP", ""),
    "F": ("FLOAT", "line"), "I": ("INT", "line"), "J": ("BININT", "<i"), "K": ("BININT1", "<B"),
    "L": ("LONG", "line"), "M": ("BININT2", "<H"), "N": ("NONE", ""), "P": ("PERSID", "line"),
    "Q": ("BINPERSID", ""), "R": ("REDUCE", ""), "S": ("STRING", "line"), "T": ("BINSTRING", "4"),
    "U": ("SHORT_BINSTRING", "1"), "V": ("UNICODE", "line"), "X": ("BINUNICODE", "4"), "a": ("APPEND", ""),
    "b": ("BUILD", ""), "c": ("GLOBAL", "pair"), "d": ("DICT", ""), "}": ("EMPTY_DICT", ""),
    "e": ("APPENDS", ""), "g": ("GET", "line"), "h": ("BINGET", "<B"), "i": ("INST", "pair"),
    "j": ("LONG_BINGET", "<I"), "l": ("LIST", ""), "]": ("EMPTY_LIST", ""), "o": ("OBJ", ""),
    "p": ("PUT", "line"), "q": ("BINPUT", "<B"), "r": ("LONG_BINPUT", "<I"), "s": ("SETITEM", ""),
    "t": ("TUPLE", ""), ")": ("EMPTY_TUPLE", ""), "u": ("SETITEMS", ""), "G": ("BINFLOAT", ">d"),
    "\x80": ("PROTO", "<B"), "\x81": ("NEWOBJ", ""), "\x82": ("EXT1", "<B"), "\x83": ("EXT2", "<H"),
    "\x84": ("EXT4", "<i"), "\x85": ("TUPLE1", ""), "\x86": ("TUPLE2", ""), "\x87": ("TUPLE3", ""),
    "\x88": ("NEWTRUE", ""), "\x89": ("NEWFALSE", ""), "\x8a": ("LONG1", "1"), "\x8b": ("LONG4", "4"),
    "B": ("BINBYTES", "4"), "C": ("SHORT_BINBYTES", "1"), "\x8c": ("SHORT_BINUNICODE", "1"),
    "\x8d": ("BINUNICODE8", "8"), "\x8e": ("BINBYTES8", "8"), "\x8f": ("EMPTY_SET", ""),
    "\x90": ("ADDITEMS", ""), "\x91": ("FROZENSET", ""), "\x92": ("NEWOBJ_EX", ""),
    "\x93": ("STACK_GLOBAL", ""), "\x94": ("MEMOIZE", ""), "\x95": ("FRAME", "<Q"),
    "\x96": ("BYTEARRAY8", "8"), "\x97": ("NEXT_BUFFER", ""), "\x98": ("READONLY_BUFFER", ""),
}
CODES = {name: (code.encode("latin1"), layout) for code, (name, layout) in LAYOUTS.items()}
COUNTED = {"1": "<B", "4": "<I", "8": "<Q"}


@dataclass
class Op:
    """One opcode: `arg` is a number, the bytes that follow, or a pair of lines."""

    name: str
    arg: object = None
    # For the analysis below: where the values that it takes begin.
    takes: list = field(default_factory=list, compare=False, repr=False)


def decode(data, start=0):
    """The opcodes of the stream at `start` and where it ends; None when it can't be read to its STOP."""
    ops, at = [], start
    try:
        while True:
            name, layout = LAYOUTS[chr(data[at])]
            at += 1
            if layout == "":
                arg = None
            elif layout == "line":
                end = data.index(b"\n", at)
                arg, at = data[at:end], end + 1
            elif layout == "pair":
                middle = data.index(b"\n", at)
                end = data.index(b"\n", middle + 1)
                arg, at = (data[at:middle], data[middle + 1:end]), end + 1
            elif layout in COUNTED:
                size = struct.calcsize(COUNTED[layout])
                (length,) = struct.unpack_from(COUNTED[layout], data, at)
                arg, at = data[at + size:at + size + length], at + size + length
                if len(arg) != length:
                    return None
            else:
                (arg,) = struct.unpack_from(layout, data, at)
                at += struct.calcsize(layout)
            ops.append(Op(name, arg))
            if name == "STOP":
                return ops, at
    except (KeyError, IndexError, ValueError, struct.error):
        return None


def encode(ops):
    """The bytes of a list of opcodes."""
    out = []
    for op in ops:
        if op.name == "RAW":
            out.append(op.arg)
            continue
        code, layout = CODES[op.name]
        out.append(code)
        if layout == "line":
            out.append(op.arg + b"\n")
        elif layout == "pair":
            out.append(op.arg[0] + b"\n" + op.arg[1] + b"\n")
        elif layout in COUNTED:
            out.append(struct.pack(COUNTED[layout], len(op.arg)) + op.arg)
        elif layout:
            out.append(struct.pack(layout, op.arg))
    return b"".join(out)


def explicit(ops):
    """The same stream with every memo index written out, without frames, so that opcodes may be added anywhere."""
    out, slots = [], set()
    for op in ops:
        if op.name == "MEMOIZE":
            out.append(Op("LONG_BINPUT", len(slots)))
            slots.add(len(slots))
        elif op.name in ("PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET"):
            try:
                index = int(op.arg)
            except ValueError:
                return None
            if index > 1 << 20:
                return None
            if "PUT" in op.name:
                slots.add(index)
            out.append(Op("LONG_BINPUT" if "PUT" in op.name else "LONG_BINGET", index))
        elif op.name != "FRAME":
            out.append(Op(op.name, op.arg))
    return out


POPS = {
    "STOP": (1, 0), "POP": (1, 0), "DUP": (1, 2), "REDUCE": (2, 1), "BUILD": (2, 1), "APPEND": (2, 1),
    "NEWOBJ": (2, 1), "TUPLE2": (2, 1), "STACK_GLOBAL": (2, 1), "SETITEM": (3, 1), "NEWOBJ_EX": (3, 1),
    "TUPLE3": (3, 1), "TUPLE1": (1, 1), "BINPERSID": (1, 1), "READONLY_BUFFER": (1, 1),
    "PUT": (1, 1), "BINPUT": (1, 1), "LONG_BINPUT": (1, 1), "MEMOIZE": (1, 1), "PROTO": (0, 0), "FRAME": (0, 0),
    "RAW": (0, 0),
}
TO_MARK = {"POP_MARK": 0, "TUPLE": 1, "LIST": 1, "DICT": 1, "FROZENSET": 1, "INST": 1, "OBJ": 1,
           "APPENDS": -1, "SETITEMS": -1, "ADDITEMS": -1}


def analyse(ops):
    """Notes for every opcode at which opcode each value that it takes begins. False when the stack does not fit."""
    stack, marks = [], []  # a value is the index of the opcode that it begins with
    for index, op in enumerate(ops):
        op.takes = []
        if op.name == "MARK":
            marks.append((len(stack), index))
            continue
        if op.name in TO_MARK:
            if not marks:
                return False
            depth, mark = marks.pop()
            op.takes = stack[depth:]
            del stack[depth:]
            if TO_MARK[op.name] == 1:
                stack.append(mark)
            elif TO_MARK[op.name] == -1 and len(stack) <= (marks[-1][0] if marks else 0):
                return False
            continue
        pops, pushes = POPS.get(op.name, (0, 1))
        floor = marks[-1][0] if marks else 0
        if op.name == "POP" and marks and len(stack) == floor:
            marks.pop()
            continue
        if len(stack) - pops < floor:
            return False
        op.takes = stack[len(stack) - pops:] if pops else []
        if op.name == "DUP":
            stack.append(index)
        else:
            if pops:
                del stack[len(stack) - pops:]
            stack += [op.takes[0] if pops else index] * pushes
    return True


def text_of(op):
    """The text of a string opcode, or None."""
    if op.name in ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"):
        try:
            return op.arg.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return None
    if op.name == "UNICODE":
        return op.arg.decode("raw-unicode-escape")
    if op.name in ("SHORT_BINSTRING", "BINSTRING"):
        return op.arg.decode("ascii") if op.arg.isascii() else None
    return None


def text(value):
    """The opcode of a string, in the shortest form of protocol 4."""
    data = value.encode("utf-8", "surrogatepass")
    return Op("SHORT_BINUNICODE", data) if len(data) < 256 else Op("BINUNICODE", data)


def data(value):
    """The opcode of bytes."""
    return Op("SHORT_BINBYTES", value) if len(value) < 256 else Op("BINBYTES", value)


def name(module, attribute):
    """The opcodes that import a name, in a way that works at any protocol for names without a dot."""
    return [text(module), text(attribute), Op("STACK_GLOBAL")]


def honest_pickle():
    """A small pickle that anything may stand beside."""
    return pickle.dumps({"epoch": 3, "loss": [0.5, 0.25], "name": "weights"}, protocol=2)
