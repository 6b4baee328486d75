"""What a sample is, how a format module adds one, and how the manifest is written."""

import importlib
from dataclasses import dataclass

# The verdict that a sample must get. CLEAN allows findings of severity low.
MALICIOUS = "malicious"
SUSPICIOUS = "suspicious"
INCOMPLETE = "incomplete"
CLEAN = "clean"

# The command that every executing sample runs, and the host that every
# networking sample names.
COMMAND = "echo weighin"
HOST = "weighin.invalid"

MODULES = [
    "pickles", "pickles_hidden", "pickles_honest", "torch", "zips", "arrays", "joblibs", "safetensors",
    "gguf", "onnx", "texts", "archives", "keras", "tensorflow", "others", "templates", "sources", "graphs", "hdf5", "frameworks",
    "hub", "evasions", "pickles_code", "pickles_predict", "pickles_values", "stores", "raw_parts", "databases", "projects",
]


@dataclass(frozen=True)
class Sample:
    """One file of the corpus."""

    path: str
    what: str
    why: str
    verdict: str
    data: bytes


class Corpus:
    """Collects samples; a second one of the same path is a mistake."""

    def __init__(self):
        self.samples = {}

    def add(self, path, verdict, data, what, why):
        """Add a file: its path, the verdict it must get, its bytes, what it holds and why it is here."""
        if verdict not in (MALICIOUS, SUSPICIOUS, INCOMPLETE, CLEAN):
            raise ValueError(f"{path}: no verdict {verdict!r}")
        if path in self.samples or path.lower() in {name.lower() for name in self.samples}:
            raise ValueError(f"{path} is there twice")
        if isinstance(data, str):
            data = data.encode("utf-8")
        if not what or not why or "\n" in what + why:
            raise ValueError(f"{path}: `what` and `why` are one line each")
        self.samples[path] = Sample(path, what, why, verdict, bytes(data))


def collect():
    """The samples of every module, sorted by path."""
    corpus = Corpus()
    for name in MODULES:
        importlib.import_module(f"generator.{name}").add_samples(corpus)
    return [corpus.samples[path] for path in sorted(corpus.samples)]


def manifest(samples):
    """The text of manifest.toml."""
    lines = [
        "# Written by generate.py: what every sample is and the verdict it must get.",
        "# `clean` allows findings of severity low. `suspicious` is the least that must be said:",
        "# a rule that knows the callable better may say malicious. Load none of these files.",
        "",
    ]
    for sample in samples:
        lines += [
            "[[sample]]",
            f"path = {quoted(sample.path)}",
            f"what = {quoted(sample.what)}",
            f"why = {quoted(sample.why)}",
            f"verdict = {quoted(sample.verdict)}",
            "",
        ]
    return "\n".join(lines)


def quoted(text):
    """A TOML basic string."""
    out = []
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        elif ord(char) < 0x20 or ord(char) == 0x7F:
            out.append(f"\\u{ord(char):04x}")
        else:
            out.append(char)
    return '"' + "".join(out) + '"'
