"""Evasions that write the same pickle with other opcodes.

Each takes a list of opcodes whose memo indexes are explicit (`stream.explicit`)
and a random source, and returns another list, or None where it does not apply.
"""

from stream import Op, analyse, data, name, text, text_of


def escaped(value, rng, one):
    return "".join(one(char) if rng.random() < 0.4 or char in "\\\n\r\0\x1a" else char for char in value)


def unicode_line(value, rng):
    """raw-unicode-escape, with letters written as escapes at random."""
    def one(char):
        return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
    line = escaped(value, rng, one)
    return "".join(char if ord(char) < 0x100 else one(char) for char in line).encode("latin1")


def string_line(value, rng):
    """A Python string literal in either quotes, with the escapes that `STRING` knows."""
    quote = rng.choice("'\"")
    def one(char):
        return rng.choice([f"\\x{ord(char):02x}", f"\\{ord(char):03o}"])
    line = escaped(value, rng, one)
    return (quote + line.replace(quote, f"\\x{ord(quote):02x}") + quote).encode("ascii")


def strings(ops, rng):
    """Strings by any of the seven opcodes."""
    out = []
    for op in ops:
        value = text_of(op)
        if value is None:
            out.append(op)
            continue
        raw = value.encode("utf-8", "surrogatepass")
        choices = [Op("BINUNICODE", raw), Op("BINUNICODE8", raw), Op("UNICODE", unicode_line(value, rng))]
        if len(raw) < 256:
            choices.append(Op("SHORT_BINUNICODE", raw))
        if value.isascii():
            choices += [Op("BINSTRING", raw), Op("STRING", string_line(value, rng))]
            if len(raw) < 256:
                choices.append(Op("SHORT_BINSTRING", raw))
        out.append(rng.choice(choices))
    return out


def byte_strings(ops, rng):
    """Bytes by another opcode, or the way protocol 2 writes them."""
    out, changed = [], False
    for op in ops:
        if op.name not in ("SHORT_BINBYTES", "BINBYTES", "BINBYTES8"):
            out.append(op)
            continue
        changed = True
        way = rng.randrange(3)
        if way == 0:
            out += [Op("GLOBAL", (b"_codecs", b"encode")), text(op.arg.decode("latin1")), text("latin1"),
                    Op("TUPLE2"), Op("REDUCE")]
        else:
            out.append(Op("BINBYTES" if way == 1 else "BINBYTES8", op.arg))
    return out if changed else None


def numbers(ops, rng):
    """Integers and booleans by another opcode, in other dialects."""
    out, changed = [], False
    for op in ops:
        if op.name in ("BININT", "BININT1", "BININT2"):
            number, changed = op.arg, True
            raw = number.to_bytes(rng.choice([5, 8, 12]), "little", signed=True)
            choices = [Op("LONG", str(number).encode()), Op("LONG", str(number).encode() + b"L"),
                       Op("LONG1", raw), Op("LONG4", raw), Op("BININT", number), Op("INT", str(number).encode())]
            out.append(rng.choice(choices))
        elif op.name in ("NEWTRUE", "NEWFALSE") and rng.random() < 0.5:
            changed = True
            out.append(Op("INT", b"01" if op.name == "NEWTRUE" else b"00"))
        else:
            out.append(op)
    return out if changed else None


def odd_numbers(ops, rng):
    """Integers as only `strtol` reads them."""
    out, changed = [], False
    for op in ops:
        if op.name in ("BININT", "BININT1", "BININT2") and op.arg >= 0:
            changed = True
            out.append(Op("INT", rng.choice([f"{op.arg:#x}", f"0{op.arg:o}", f" {op.arg}", f"+{op.arg}"]).encode()))
        else:
            out.append(op)
    if not changed:
        at = places(ops, rng, 1)[0]
        out[at:at] = [Op("INT", rng.choice([b"0x10", b"010"])), Op("POP")]
    return out


def tuples(ops, rng):
    """Tuples by MARK and TUPLE instead of by their length, and the reverse."""
    if not analyse(ops):
        return None
    before, out, changed = {}, list(ops), False
    for index, op in enumerate(ops):
        if op.name in ("TUPLE1", "TUPLE2", "TUPLE3") and rng.random() < 0.7:
            changed = True
            out[index] = Op("TUPLE")
            before.setdefault(op.takes[0], []).append(Op("MARK"))
        elif op.name == "EMPTY_TUPLE" and rng.random() < 0.7:
            changed = True
            out[index] = [Op("MARK"), Op("TUPLE")]
        elif op.name == "EMPTY_LIST" and rng.random() < 0.5:
            changed = True
            out[index] = [Op("MARK"), Op("LIST")]
        elif op.name == "EMPTY_DICT" and rng.random() < 0.5:
            changed = True
            out[index] = [Op("MARK"), Op("DICT")]
    return joined(out, before) if changed else None


def joined(ops, before):
    """`ops`, of which some are lists of opcodes, with what is to stand before each."""
    out = []
    for index, op in enumerate(ops):
        out += before.get(index, [])
        out += op if isinstance(op, list) else [op]
    return out


def calls(ops, rng):
    """REDUCE as OBJ, or as INST where what is called is named right there."""
    if not analyse(ops):
        return None
    before, out, changed = {}, list(ops), False
    for index, op in enumerate(ops):
        if op.name != "REDUCE" or rng.random() < 0.2:
            continue
        callee, args = op.takes
        made = index - 1
        if ops[made].name not in ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3") or ops[made].takes[:1] == []:
            continue
        if ops[made].name == "TUPLE":
            if ops[args].name != "MARK" or out[args] is not ops[args]:
                continue
            out[args] = []
        is_global = ops[callee].name == "GLOBAL" and callee == args - 1 and out[callee] is ops[callee]
        if is_global and rng.random() < 0.5:
            out[callee], out[made] = Op("MARK"), []
            out[index] = Op("INST", ops[callee].arg)
        else:
            before.setdefault(callee, []).append(Op("MARK"))
            out[made], out[index] = [], Op("OBJ")
        changed = True
    return joined(out, before) if changed else None


def names(ops, rng):
    """GLOBAL as STACK_GLOBAL and the reverse."""
    if not analyse(ops):
        return None
    out, changed = list(ops), False
    for index, op in enumerate(ops):
        if op.name == "GLOBAL" and rng.random() < 0.7:
            changed = True
            out[index] = name(op.arg[0].decode("utf-8", "replace"), op.arg[1].decode("utf-8", "replace"))
        elif op.name == "STACK_GLOBAL" and rng.random() < 0.5:
            first, second = op.takes
            plain = [text_of(ops[at]) for at in (first, second)]
            between = [ops[at].name for at in range(first, index) if at not in (first, second)]
            if None in plain or any(kind != "LONG_BINPUT" for kind in between) or "." in plain[1]:
                continue
            changed = True
            # The strings stay, for the memo, and are dropped.
            out[index] = [Op("POP"), Op("POP"), Op("GLOBAL", tuple(part.encode() for part in plain))]
    return joined(out, {}) if changed else None


def places(ops, rng, count):
    """Opcodes before which something may be put that leaves the stack as it was."""
    first = 1 if ops and ops[0].name == "PROTO" else 0
    return sorted((rng.randrange(first, len(ops)) for _ in range(count)), reverse=True)


def inserted(ops, rng, count, make):
    out = list(ops)
    for at in places(ops, rng, count):
        out[at:at] = make()
    return out


def junk(ops, rng):
    """Values that are made and dropped."""
    def make():
        return rng.choice([
            [Op("NONE"), Op("POP")], [Op("MARK"), Op("POP_MARK")], [Op("MARK"), Op("POP")],
            [Op("MARK"), Op("NONE"), Op("EMPTY_DICT"), Op("POP_MARK")], [Op("EMPTY_LIST"), Op("NONE"), Op("APPEND"), Op("POP")],
            [text("torch._utils"), Op("POP")], [data(b"\x80\x04."), Op("POP")],
            [text("collections"), text("OrderedDict"), Op("STACK_GLOBAL"), Op("POP")],
            [Op("GLOBAL", (b"collections", b"OrderedDict")), Op("EMPTY_TUPLE"), Op("REDUCE"), Op("POP")],
            [Op("EMPTY_DICT"), text("a"), Op("EMPTY_LIST"), Op("SETITEM"), Op("POP")],
            [Op("FLOAT", b"1.5"), Op("POP")], [Op("BINFLOAT", 0.5), Op("POP")], [Op("LONG", b"5L"), Op("POP")],
            [Op("EMPTY_SET"), Op("MARK"), Op("NONE"), Op("ADDITEMS"), Op("POP")],
            [Op("BYTEARRAY8", b"abc"), Op("READONLY_BUFFER"), Op("POP")],
        ])
    return inserted(ops, rng, rng.randrange(1, 6), make)


def duplicates(ops, rng):
    """Values that are doubled and dropped."""
    if not analyse(ops):
        return None
    after = [index for index, op in enumerate(ops)
             if op.name not in ("MARK", "PROTO", "STOP", "POP", "POP_MARK", "APPENDS", "SETITEMS", "ADDITEMS")]
    if not after:
        return None
    out = list(ops)
    for at in sorted(rng.sample(after, min(len(after), rng.randrange(1, 4))), reverse=True):
        out[at + 1:at + 1] = [Op("DUP"), Op("POP")]
    return out


def protocols(ops, rng):
    """Another protocol in front, none, or a second one later."""
    out = [op for op in ops if op.name != "PROTO"]
    way = rng.randrange(4)
    if way == 0:
        return out
    out.insert(0, Op("PROTO", rng.choice([0, 1, 2, 3, 4, 5])))
    if way == 1:
        at = rng.randrange(1, len(out))
        out.insert(at, Op("PROTO", rng.choice([2, 3, 4, 5])))
    return out


def frames(ops, rng):
    """FRAME where it is right, too short, or one within the other."""
    body = [op for op in ops if op.name != "FRAME"]
    return inserted(body, rng, rng.randrange(1, 4),
                    lambda: [Op("FRAME", rng.choice([0, 1, 2, 3, 5, 8, 13, 40]))])


def memo_indexes(ops, rng):
    """Other memo indexes, and other opcodes for them."""
    used = sorted({op.arg for op in ops if op.name in ("LONG_BINPUT", "LONG_BINGET")})
    if not used:
        return None
    far = rng.choice([len(used), 250, 70_000])
    to = dict(zip(used, rng.sample(range(max(far, len(used))), len(used))))
    out = []
    for op in ops:
        if op.name not in ("LONG_BINPUT", "LONG_BINGET"):
            out.append(op)
            continue
        index, put = to[op.arg], op.name == "LONG_BINPUT"
        choices = [Op("PUT" if put else "GET", str(index).encode()), Op("LONG_BINPUT" if put else "LONG_BINGET", index)]
        if index < 256:
            choices.append(Op("BINPUT" if put else "BINGET", index))
        out.append(rng.choice(choices))
    return out


def memoized(ops, rng):
    """MEMOIZE wherever it would write the same slot."""
    slots, out, changed = set(), [], False
    for op in ops:
        if op.name == "LONG_BINPUT":
            if op.arg == len(slots) and rng.random() < 0.8:
                op, changed = Op("MEMOIZE"), True
                slots.add(len(slots))
            else:
                slots.add(op.arg)
        out.append(op)
    return out if changed else None


def memo_detours(ops, rng):
    """Values that go to the memo and come back, with others in between."""
    if not analyse(ops):
        return None
    free = 1 + max([op.arg for op in ops if op.name in ("LONG_BINPUT", "LONG_BINGET")], default=-1)
    out = []
    for op in ops:
        out.append(op)
        constant = text_of(op) is not None or op.name in ("GLOBAL", "STACK_GLOBAL", "TUPLE1", "TUPLE2", "TUPLE")
        if constant and rng.random() < 0.5:
            put = rng.choice([Op("LONG_BINPUT", free), Op("PUT", str(free).encode())])
            get = rng.choice([Op("LONG_BINGET", free), Op("GET", str(free).encode()), Op("GET", b"0" + str(free).encode())])
            decoy = [text("decoy"), Op("LONG_BINPUT", free + 1), Op("POP")] if rng.random() < 0.5 else []
            out += [put, Op("POP")] + decoy + [get]
            free += 2
    return out


def overwritten_memo(ops, rng):
    """Slots that hold something harmless first, and are written again."""
    used = [op.arg for op in ops if op.name == "LONG_BINPUT"]
    if not used:
        return None
    first = 1 if ops[0].name == "PROTO" else 0
    decoys = []
    for slot in used:
        decoys += [rng.choice([text("collections"), Op("NONE"), Op("EMPTY_DICT")]), Op("LONG_BINPUT", slot), Op("POP")]
    return ops[:first] + decoys + ops[first:]


def before_everything(ops, rng):
    """The whole stream as one value in a container that honest data begins."""
    first = 1 if ops[0].name == "PROTO" else 0
    body = ops[first:-1]
    if not analyse(ops) or ops[-1].name != "STOP" or [op for op in body if op.name == "STOP"]:
        return None
    weights = [text("weight"), Op("BINFLOAT", 0.25)]
    start, end = rng.choice([
        ([Op("EMPTY_LIST")], [Op("APPEND")]),
        ([Op("EMPTY_DICT"), *weights, Op("SETITEM"), text("extra")], [Op("SETITEM")]),
        ([Op("EMPTY_DICT"), Op("MARK"), *weights, text("extra")], [Op("SETITEMS")]),
        ([Op("MARK"), *weights], [Op("TUPLE")]),
        ([Op("MARK"), *weights], [Op("LIST")]),
        ([Op("GLOBAL", (b"collections", b"OrderedDict")), Op("EMPTY_TUPLE"), Op("REDUCE"), text("extra")], [Op("SETITEM")]),
        ([], [Op("POP"), Op("EMPTY_DICT"), *weights, Op("SETITEM")]),
        ([], [Op("TUPLE1"), Op("NONE"), Op("TUPLE2")]),
        ([Op("NONE"), Op("MARK")], [Op("POP_MARK")]),
    ])
    return ops[:first] + start + body + end + ops[-1:]


def long_lengths(ops, rng):
    """Every counted argument by the opcode with the longest length."""
    to = {"SHORT_BINUNICODE": "BINUNICODE8", "BINUNICODE": "BINUNICODE8", "SHORT_BINBYTES": "BINBYTES8",
          "BINBYTES": "BINBYTES8", "LONG1": "LONG4", "SHORT_BINSTRING": "BINSTRING", "BININT1": "BININT",
          "BININT2": "BININT"}
    return [Op(to.get(op.name, op.name), op.arg) for op in ops]


EVASIONS = {
    function.__name__.replace("_", "-"): function
    for function in (strings, byte_strings, numbers, odd_numbers, tuples, calls, names, junk, duplicates, protocols,
                     frames, memo_indexes, memoized, memo_detours, overwritten_memo, before_everything, long_lengths)
}
# What an honest program other than CPython's pickler might write.
HONEST = ["strings", "byte-strings", "numbers", "tuples", "names", "memo-indexes", "memoized", "long-lengths", "calls",
          "before-everything"]


