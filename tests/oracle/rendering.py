"""Reads back the pseudo-Python in which weighin writes values and calls."""

import re
from dataclasses import dataclass


class Shortened(Exception):
    """The rendering leaves something out, so there is nothing to compare."""


@dataclass
class Call:
    """A call of a name."""

    name: str
    args: list


@dataclass(frozen=True)
class Name:
    """A name that is not called."""

    dotted: str


@dataclass(frozen=True)
class Persistent:
    """What a persistent id stands for."""

    key: object


@dataclass(frozen=True)
class Extension:
    """A name of the extension registry."""

    code: int


buffer = object()

CONSTANTS = {"None": None, "True": True, "False": False, "NaN": float("nan")}
NUMBER = re.compile(r"-?(0x[0-9a-f]+|inf|[0-9]+(\.[0-9]+)?(e-?[0-9]+)?)")
DOTTED = re.compile(r"[A-Za-z_][\w.]*")
BYTE = re.compile(r"\\x([0-9a-f]{2})|\\(['\\])|(.)", re.S)
TEXT_ESCAPES = {"\\'": "'", "\\\\": "\\", "\\n": "\n"}


def parse(text):
    """The value that `text` renders."""
    value, at = Parser(text).value(0)
    if at != len(text):
        raise ValueError(f"{text[at:]!r} is left of {text!r}")
    return value


class Parser:
    """A recursive descent over one rendering."""

    def __init__(self, text):
        # Strings of the streams never hold the ellipsis.
        if "…" in text:
            raise Shortened
        self.text = text

    def value(self, at):
        text = self.text
        if text.startswith("b'", at):
            return self.bytes(at + 2)
        if text[at] == "'":
            return self.string(at + 1)
        if text[at] in "[(":
            close = {"[": "]", "(": ")"}[text[at]]
            items, end = self.items(at + 1, close)
            return (items if close == "]" else tuple(items)), end
        if text[at] == "{":
            return self.braces(at)
        if text.startswith("<buffer>", at):
            return buffer, at + len("<buffer>")
        if found := NUMBER.match(text, at):
            return self.number(found), found.end()
        if found := DOTTED.match(text, at):
            return self.dotted(found)
        raise ValueError(f"no value at {at} of {text!r}")

    def number(self, found):
        digits = found.group()
        if "0x" in digits:
            return int(digits, 16)
        return float(digits) if any(c in digits for c in ".ein") else int(digits)

    def dotted(self, found):
        name, at = found.group(), found.end()
        if name in CONSTANTS:
            return CONSTANTS[name], at
        if not self.text.startswith("(", at):
            return Name(name), at
        if name == "frozenset":
            items, end = self.braces(at + 1)
            return frozenset(items), end + 1
        args, end = self.items(at + 1, ")")
        if name == "persistent":
            return Persistent(args[0]), end
        if name == "extension":
            return Extension(args[0]), end
        return Call(name, args), end

    def items(self, at, close):
        found = []
        while self.text[at] != close:
            item, at = self.value(at)
            found.append(item)
            at = self.after_item(at, close)
        return found, at + 1

    def after_item(self, at, close):
        if self.text.startswith(", ", at):
            return at + 2
        if self.text.startswith(",", at):  # a tuple of one
            return at + 1
        if self.text[at] != close:
            raise ValueError(f"{close} is missing at {at} of {self.text!r}")
        return at

    def braces(self, at):
        at += 1
        pairs, singles = {}, []
        while self.text[at] != "}":
            item, at = self.value(at)
            if self.text.startswith(": ", at):
                value, at = self.value(at + 2)
                pairs[item] = value
            else:
                singles.append(item)
            at = self.after_item(at, "}")
        return (set(singles) if singles else pairs), at + 1

    def string(self, at):
        out = []
        while self.text[at] != "'":
            pair = self.text[at:at + 2]
            out.append(TEXT_ESCAPES.get(pair, pair[0]))
            at += 2 if pair in TEXT_ESCAPES else 1
        return "".join(out), at + 1

    def bytes(self, at):
        out = bytearray()
        while self.text[at] != "'":
            found = BYTE.match(self.text, at)
            code, escaped, char = found.groups()
            out.append(int(code, 16) if code else ord(escaped or char))
            at = found.end()
        return bytes(out), at + 1
