"""Evasions that write the same document with other bytes: JSON, YAML, protobuf and GGUF.

Each takes the bytes and a random source, and returns other bytes or None where
it does not apply. JSON is read back with Python's reader, which is the loader
of most configurations; what it no longer reads the same way is not live.
"""

import codecs
import json
import re
import struct


# --- JSON -------------------------------------------------------------------


def parsed(data):
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def json_text(value, rng, escape=0.0, space=False, shuffle=False, twice=False):
    """`value` as JSON, written in an unusual way."""
    def gap():
        return rng.choice(["", " ", "\n", "\t", "\r\n", "  \n  "]) if space else ""

    def string(value):
        out = []
        for char in value:
            if rng.random() < escape:
                if ord(char) > 0xFFFF:
                    out.append(json.dumps(char)[1:-1])
                else:
                    code = f"{ord(char):04x}"
                    out.append("\\u" + (code.upper() if rng.random() < 0.5 else code))
            elif char == "/" and rng.random() < escape:
                out.append("\\/")
            else:
                out.append(json.dumps(char)[1:-1])
        return '"' + "".join(out) + '"'

    def write(value):
        if isinstance(value, dict):
            items = list(value.items())
            if shuffle:
                rng.shuffle(items)
            pairs = [f"{gap()}{string(key)}{gap()}:{gap()}{write(item)}{gap()}" for key, item in items]
            if twice and items:
                # The last of two equal keys counts.
                pairs.insert(0, f"{string(rng.choice(items)[0])}:{rng.choice(['null', '1', '{}', '[]'])}")
            return "{" + ",".join(pairs) + "}"
        if isinstance(value, list):
            return "[" + ",".join(gap() + write(item) + gap() for item in value) + "]"
        if isinstance(value, str):
            return string(value)
        return json.dumps(value)

    return gap() + write(value) + gap()


def json_spaced(data, rng):
    value = parsed(data)
    return None if value is None else json_text(value, rng, space=True).encode()


def json_escaped(data, rng):
    value = parsed(data)
    return None if value is None else json_text(value, rng, escape=0.6).encode()


def json_shuffled(data, rng):
    value = parsed(data)
    return None if value is None else json_text(value, rng, shuffle=True).encode()


def json_twice(data, rng):
    value = parsed(data)
    return None if value is None else json_text(value, rng, twice=True).encode()


def json_encoded(data, rng):
    value = parsed(data)
    if value is None:
        return None
    text = json_text(value, rng)
    way = rng.choice(["bom", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
    return codecs.BOM_UTF8 + text.encode() if way == "bom" else text.encode(way)


def json_padded(data, rng):
    value = parsed(data)
    if not isinstance(value, dict):
        return None
    filling = {f"key_{index}": ["x" * 100] * 10 for index in range(rng.choice([10, 1_000]))}
    return json.dumps(filling | value if rng.random() < 0.5 else value | filling).encode()


JSON = {function.__name__.replace("_", "-"): function
        for function in (json_spaced, json_escaped, json_shuffled, json_twice, json_encoded, json_padded)}


# --- YAML -------------------------------------------------------------------


def yaml_lines(data):
    try:
        return data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return None


def yaml_from_json(data, rng):
    """The same configuration, as JSON is YAML."""
    value = parsed(data)
    return None if value is None else json.dumps(value, indent=rng.choice([None, 1, 4])).encode()


def yaml_commented(data, rng):
    lines = yaml_lines(data)
    if lines is None or any(line.rstrip().endswith(("|", ">")) for line in lines):
        return None
    out = ["# configuration", ""]
    for line in lines:
        out.append(line)
        if rng.random() < 0.4:
            out.append(rng.choice(["", "# note", "   # note: x", "#"]))
    return "\n".join(out).encode() + b"\n"


def yaml_marked(data, rng):
    """A document marker, a byte-order mark or other line ends."""
    # Loaders refuse a document that directives follow without an end.
    if yaml_lines(data) is None or b"\r" in data or data.startswith(b"%"):
        return None
    return rng.choice([
        lambda: codecs.BOM_UTF8 + data, lambda: b"---\n" + data, lambda: data.replace(b"\n", b"\r\n"),
        lambda: b"%YAML 1.1\n---\n" + data, lambda: data + b"\n...\n", lambda: data.decode().encode("utf-16"),
        lambda: b"first: 1\n---\n" + data,
    ])()


def yaml_indented(data, rng):
    """Deeper indentation of every level."""
    lines = yaml_lines(data)
    if lines is None or any(line.rstrip().endswith(("|", ">")) or line.lstrip().startswith(("\t", "- ")) for line in lines):
        return None
    times = rng.choice([2, 3])
    return "\n".join(" " * (len(line) - len(line.lstrip(" "))) * times + line.lstrip(" ") for line in lines).encode() + b"\n"


def yaml_aliased(data, rng):
    """Scalars behind aliases: `key: value` becomes an anchor somewhere above, and `key: *anchor`."""
    lines = yaml_lines(data)
    if lines is None or any(line.rstrip().endswith(("|", ">")) or line.startswith(("---", "%")) for line in lines):
        return None
    anchors, out = [], []
    for line in lines:
        match = re.fullmatch(r"(\s*(?:- )?)([A-Za-z_][\w.]*)(: )([A-Za-z_][\w.]*)\s*", line)
        if match and rng.random() < 0.8:
            start, key, colon, value = match.groups()
            anchors.append(f"value_{len(anchors)}: &v{len(anchors)} {value}")
            value = f"*v{len(anchors) - 1}"
            if rng.random() < 0.5:
                anchors.append(f"key_{len(anchors)}: &v{len(anchors)} {key}")
                key, colon = f"*v{len(anchors) - 1}", " : "
            line = start + key + colon + value
        out.append(line)
    if not anchors or lines[0].startswith(("- ", "[", "{", "!")):
        return None
    return "\n".join(anchors + out).encode() + b"\n"


def yaml_tagged(data, rng):
    """Python's tags in other spellings."""
    start = b"!!python/"
    if start not in data:
        return None
    way = rng.randrange(3)
    if way == 0:
        return b"%TAG !e! tag:yaml.org,2002:py\n---\n" + data.replace(start, b"!e!thon/") if b"%" not in data else None
    if way == 1:
        return data.replace(start, b"!!p%79thon/")
    return re.sub(rb"!!(python/[\w./:]+)", rb"!<tag:yaml.org,2002:\1>", data)


def yaml_quoted(data, rng):
    """Keys and values in double quotes, letters of them as escapes."""
    lines = yaml_lines(data)
    if lines is None or any(line.rstrip().endswith(("|", ">")) for line in lines):
        return None

    def quoted(value):
        return '"' + "".join(f"\\x{ord(char):02x}" if rng.random() < 0.5 else char for char in value) + '"'

    out = []
    for line in lines:
        match = re.fullmatch(r"(\s*(?:- )?)([A-Za-z_][\w.]*)(: )([A-Za-z_][\w.]*)\s*", line)
        if match:
            start, key, colon, value = match.groups()
            line = start + (quoted(key) if rng.random() < 0.5 else key) + colon + (quoted(value) if rng.random() < 0.5 else value)
        out.append(line)
    return "\n".join(out).encode() + b"\n"


YAML = {function.__name__.replace("_", "-"): function for function in (
    yaml_commented, yaml_marked, yaml_indented, yaml_aliased, yaml_tagged, yaml_quoted)}


# --- protobuf ----------------------------------------------------------------


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError


def to_varint(value, rng=None):
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        if value:
            out.append(byte | 0x80)
            continue
        out.append(byte)
        break
    if rng is not None and rng.random() < 0.3 and len(out) < 9:
        # More bytes than needed say the same.
        for _ in range(rng.randrange(1, 10 - len(out))):
            out[-1] |= 0x80
            out.append(0)
    return bytes(out)


def fields(data):
    """The fields of one message: (number, wire type, content). Raises ValueError or IndexError when it is none."""
    at, out = 0, []
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise ValueError
        if wire == 0:
            value, at = varint(data, at)
        elif wire == 1:
            value, at = data[at:at + 8], at + 8
        elif wire == 5:
            value, at = data[at:at + 4], at + 4
        elif wire == 2:
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
        else:
            raise ValueError
        if at > len(data):
            raise ValueError
        out.append((number, wire, value))
    return out


def write_fields(items, rng=None):
    out = []
    for number, wire, value in items:
        out.append(to_varint(number << 3 | wire, rng))
        if wire == 0:
            out.append(to_varint(value, rng))
        elif wire == 2:
            out.append(to_varint(len(value), rng) + value)
        else:
            out.append(value)
    return b"".join(out)


def is_message(path, kind):
    nested = {
        "onnx": {(7,), (7, 1), (7, 5), (7, 1, 5), (7, 1, 5, 5), (7, 1, 5, 6), (7, 5, 13), (8,), (25,), (7, 1, 5, 5, 13), (7, 1, 5, 6, 1)},
        "savedmodel": {(2,), (2, 2), (2, 2, 1), (2, 2, 1, 5), (2, 2, 1, 5, 2), (2, 2, 1, 5, 2, 8), (2, 2, 2), (2, 2, 2, 1),
                       (2, 2, 2, 1, 3), (2, 2, 2, 1, 3, 5)},
    }[kind]
    return path in nested


def rewrite(data, rng, kind, change, path=()):
    """The message with `change` made at every level."""
    try:
        items = fields(data)
    except (ValueError, IndexError):
        return data
    out = []
    for number, wire, value in items:
        if wire == 2 and is_message((*path, number), kind):
            value = rewrite(value, rng, kind, change, (*path, number))
        out.append((number, wire, value))
    return change(out, rng, path)


def padded_varints(items, rng, path):
    return write_fields(items, rng)


def reordered(items, rng, path):
    """Fields of different numbers in another order; those of one number keep theirs."""
    numbers = sorted({number for number, _, _ in items}, key=lambda _: rng.random())
    return write_fields([item for number in numbers for item in items if item[0] == number])


def unknown_fields(items, rng, path):
    out = list(items)
    for _ in range(rng.randrange(1, 4)):
        number = rng.randrange(500, 5000)
        out.insert(rng.randrange(len(out) + 1), rng.choice([
            (number, 0, rng.getrandbits(30)), (number, 2, b"note" * 5), (number, 5, b"abcd"), (number, 1, b"abcdefgh")]))
    return write_fields(out)


def split_messages(kind):
    def change(items, rng, path):
        """A singular message in two parts, which a parser merges."""
        singular = {"onnx": {(7,), (7, 1, 5, 5), (7, 1, 5, 6)}, "savedmodel": {(2, 2), (2, 2, 2), (2, 2, 1, 5, 2), (2, 2, 1, 5, 2, 8)}}[kind]
        out = []
        for number, wire, value in items:
            if wire == 2 and (*path, number) in singular:
                try:
                    inner = fields(value)
                except (ValueError, IndexError):
                    inner = []
                if len(inner) > 1:
                    at = rng.randrange(1, len(inner))
                    out += [(number, 2, write_fields(inner[:at])), (number, 2, write_fields(inner[at:]))]
                    continue
            out.append((number, wire, value))
        return write_fields(out)
    return change


def protobuf(kind):
    made = {}
    for key, change in (("padded-varints", padded_varints), ("reordered", reordered), ("unknown-fields", unknown_fields),
                        ("split-messages", split_messages(kind))):
        made[f"protobuf-{key}"] = lambda data, rng, change=change: rewrite(data, rng, kind, change)
    return made


# --- GGUF --------------------------------------------------------------------

SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


def gguf_value(data, at, kind):
    if kind == 8:
        return at + 8 + struct.unpack_from("<Q", data, at)[0]
    if kind == 9:
        inner, count = struct.unpack_from("<IQ", data, at)
        at += 12
        if inner in SIZES:
            return at + SIZES[inner] * count
        for _ in range(count):
            at = gguf_value(data, at, inner)
        return at
    return at + SIZES[kind]


def gguf_pairs(data):
    """Version, tensor count, the raw key-value pairs, and where they end. Raises struct.error or KeyError."""
    if data[:4] != b"GGUF":
        raise KeyError("magic")
    version, tensors, count = struct.unpack_from("<IQQ", data, 4)
    if version not in (2, 3) or count > 10_000:
        raise KeyError("version")
    at, pairs = 24, []
    for _ in range(count):
        start = at
        at += 8 + struct.unpack_from("<Q", data, at)[0]
        (kind,) = struct.unpack_from("<I", data, at)
        at = gguf_value(data, at + 4, kind)
        if at > len(data):
            raise KeyError("end")
        pairs.append(data[start:at])
    return version, tensors, pairs, at


def gguf_string(value):
    return struct.pack("<Q", len(value)) + value


def gguf_changed(data, rng, change):
    try:
        version, tensors, pairs, end = gguf_pairs(data)
    except (struct.error, KeyError):
        return None
    if tensors:
        return None  # the tensors' alignment would move
    pairs = change(pairs)
    return b"GGUF" + struct.pack("<IQQ", version, tensors, len(pairs)) + b"".join(pairs) + data[end:]


def gguf_shuffled(data, rng):
    return gguf_changed(data, rng, lambda pairs: rng.sample(pairs, len(pairs)))


def gguf_filled(data, rng):
    def change(pairs):
        out = list(pairs)
        for index in range(rng.choice([3, 300])):
            out.insert(rng.randrange(len(out) + 1), gguf_string(b"general.note.%d" % index) + struct.pack("<I", 8) + gguf_string(b"x" * 50))
        return out
    return gguf_changed(data, rng, change)


def gguf_version(data, rng):
    return data[:4] + struct.pack("<I", 2) + data[8:] if data[:4] == b"GGUF" and data[4:8] == b"\3\0\0\0" else None


GGUF = {function.__name__.replace("_", "-"): function for function in (gguf_shuffled, gguf_filled, gguf_version)}


def for_name(name, data):
    """The evasions that apply to a file, by its name and content."""
    if name.endswith((".json", ".ipynb")):
        return JSON
    if name.endswith((".yaml", ".yml")):
        return YAML
    if name.endswith(".onnx"):
        return protobuf("onnx")
    if name.endswith("saved_model.pb"):
        return protobuf("savedmodel")
    if name.endswith(".gguf"):
        return GGUF
    return {}
