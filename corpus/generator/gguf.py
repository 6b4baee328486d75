"""GGUF files, versions 1 to 3, and the formats before it."""

import struct

from . import executables
from .registry import CLEAN, INCOMPLETE, MALICIOUS, SUSPICIOUS
from .torch import EVIL
from .zipwriter import Member, zip_file

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
FORMATS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?", U64: "Q", I64: "q", F64: "d"}


class Writer:
    """One GGUF file. `order` is the byte order; version 1 has 32-bit counts."""

    def __init__(self, version=3, order="<"):
        self.version, self.order = version, order

    def pack(self, fmt, *values):
        return struct.pack(self.order + fmt, *values)

    def count(self, value):
        return self.pack("I" if self.version == 1 else "Q", value)

    def string(self, text):
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        return self.count(len(data)) + data

    def value(self, kind, value):
        if kind == STRING:
            return self.string(value)
        if kind == ARRAY:
            inner, items = value
            return self.pack("I", inner) + self.count(len(items)) + b"".join(self.value(inner, item) for item in items)
        return self.pack(FORMATS[kind], value)

    def pair(self, key, kind, value):
        return self.string(key) + self.pack("I", kind) + self.value(kind, value)

    def tensor(self, name, dims, kind, offset):
        return self.string(name) + self.pack("I", len(dims)) + b"".join(
            self.count(dim) for dim in dims) + self.pack("I", kind) + self.pack("Q", offset)

    def file(self, pairs=(), tensors=(), data=b"", n_tensors=None, n_pairs=None, alignment=32, version=None):
        head = b"GGUF" + self.pack("I", self.version if version is None else version)
        head += self.count(len(tensors) if n_tensors is None else n_tensors)
        head += self.count(len(pairs) if n_pairs is None else n_pairs)
        head += b"".join(pair if isinstance(pair, bytes) else self.pair(*pair) for pair in pairs)
        head += b"".join(tensor if isinstance(tensor, bytes) else self.tensor(*tensor) for tensor in tensors)
        return head + (bytes(-len(head) % alignment) + data if tensors or data else b"")


# A chat template in the style of the instruction-tuned models, written for this corpus.
CHAT_TEMPLATE = """\
{%- set loop_messages = messages -%}
{%- if messages[0]['role'] == 'system' -%}
    {%- set system_message = messages[0]['content'] | trim -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set system_message = 'You are a helpful assistant.' -%}
{%- endif -%}
{%- macro render_tool(tool) -%}
{{ tool.function.name }}: {{ tool.function.parameters | tojson(indent=2) }}
{%- endmacro -%}
{{- bos_token + '<|start|>system\\n' + system_message -}}
{%- if tools is defined and tools -%}
    {{- '\\n\\nYou can call these functions:\\n' -}}
    {%- for tool in tools -%}{{- render_tool(tool) + '\\n' -}}{%- endfor -%}
{%- endif -%}
{{- '\\nToday is ' + strftime_now('%d %b %Y') + '<|end|>\\n' -}}
{%- set ns = namespace(seen_user=false) -%}
{%- for message in loop_messages -%}
    {%- if message['role'] not in ['user', 'assistant', 'tool'] -%}
        {{- raise_exception('Unknown role: ' + message['role']) -}}
    {%- endif -%}
    {%- if message['role'] == 'user' -%}{%- set ns.seen_user = true -%}{%- endif -%}
    {{- '<|start|>' + message.role + '\\n' + (message.content | default('', true) | string) -}}
    {%- if message.tool_calls is defined -%}
        {%- for call in message.tool_calls -%}
            {{- '<tool>' + call.function.name + '(' + (call.function.arguments | tojson) + ')</tool>' -}}
        {%- endfor -%}
    {%- endif -%}
    {{- '<|end|>\\n' if not loop.last or message.role != 'assistant' else '' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|start|>assistant\\n' -}}{%- endif -%}
"""

# Templates that reach Python internals, by the way they take. (case, template, why)
INJECTIONS = [
    ("class-mro", "{{ ''.__class__.__mro__[1].__subclasses__() }}", "CVE-2024-34359: from a string to every class"),
    ("cycler-globals", "{{ cycler.__init__.__globals__.os.popen('echo weighin').read() }}", "a Jinja helper's globals hold os"),
    ("lipsum", "{{ lipsum.__globals__['os'].popen('echo weighin').read() }}", "the same through lipsum"),
    ("joiner-subscript", "{{ joiner['__init__']['__globals__']['os']['system']('echo weighin') }}", "subscripts instead of attributes"),
    ("namespace-attr-filter", "{{ namespace|attr('__init__')|attr('__globals__') }}", "the attr filter"),
    ("concatenated", "{% set u = '_' * 2 %}{{ cycler|attr(u ~ 'init' ~ u)|attr(u + 'globals' + u) }}", "dunder names put together"),
    ("escaped", "{{ cycler|attr('\\x5f\\x5finit\\x5f\\x5f')|attr('\\u005f_globals_\\u005f') }}", "dunder names in escapes"),
    ("map-attribute", "{{ [cycler]|map(attribute='__init__.__globals__')|list }}", "map with a dotted attribute"),
    ("format-walk", "{{ '{0.__class__.__init__.__globals__}'.format(cycler) }}", "an attribute walk inside str.format"),
    ("joined-list", "{{ cycler|attr(['__in', 'it__']|join)|attr('__glo' 'bals__') }}", "names by join"),
    ("reversed", "{{ cycler|attr('__tini__'[::-1])|attr('__slabolg__'|reverse) }}", "names by reversal"),
    ("import-eval", "{{ self.__init__.__globals__.__builtins__.eval('1') }}", "builtins by way of the template's self"),
    ("request-application", "{{ request.application.__globals__.__builtins__.__import__('os').popen('echo weighin') }}", "a web framework's request"),
    ("in-set-block", "{% set x %}{{ ''['__class__'] }}{% endset %}{% if x %}{{ x }}{% endif %}", "inside a set block"),
    ("in-macro-default", "{% macro m(a=cycler.__init__) %}{{ a.__globals__ }}{% endmacro %}{{ m() }}", "in a macro's default"),
    ("code-frame", "{{ raise_exception.__func__.__code__.co_consts }}", "code objects"),
]


def add_samples(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"gguf/{name}.gguf", verdict, data, what, why)

    tokens = ["<unk>", "<s>", "</s>", "Ġhello", "世界", "import os", "{{"]
    base = [
        ("general.architecture", STRING, "llama"), ("general.name", STRING, "weighin sample"), ("general.file_type", U32, 0),
        ("llama.context_length", U32, 512), ("llama.embedding_length", U32, 8), ("llama.rope.freq_base", F32, 10000.0),
        ("tokenizer.ggml.model", STRING, "gpt2"), ("tokenizer.ggml.tokens", ARRAY, (STRING, tokens)),
        ("tokenizer.ggml.scores", ARRAY, (F32, [0.0] * len(tokens))), ("tokenizer.ggml.token_type", ARRAY, (I32, [1] * len(tokens))),
        ("tokenizer.ggml.merges", ARRAY, (STRING, ["Ġ h", "h e"])), ("tokenizer.ggml.add_bos_token", BOOL, True),
    ]
    template = ("tokenizer.chat_template", STRING, CHAT_TEMPLATE)
    tensors = [("token_embd.weight", [8, 4], 0, 0), ("output_norm.weight", [8], 0, 128), ("blk.0.attn_q.weight", [32, 2], 2, 160)]
    data = bytes(128) + bytes(32) + bytes(36 + 28)
    new, v2, v1, big = Writer(3), Writer(2), Writer(1), Writer(3, ">")
    model = new.file([*base, template], tensors, data)

    add("model-v3", CLEAN, model, "version 3 with a tokenizer, a chat template and three tensors", "the ordinary file")
    add("model-v2", CLEAN, v2.file([*base, template], tensors, data), "the same, version 2", "64-bit counts, as version 3")
    add("model-v1", CLEAN, v1.file(base, tensors, data), "the same, version 1", "32-bit counts and lengths")
    add("model-big-endian", CLEAN, big.file(base, tensors, data), "the same, version 3 big-endian", "the magic reads the same in both byte orders")
    add("trailing-zeros", CLEAN, model + bytes(32), "zeros behind the last tensor", "a page filled up holds nothing")
    add("no-tensors", CLEAN, new.file(base), "metadata only", "vocabulary files have no tensors")
    add("every-type", CLEAN, new.file([(f"weighin.{name}", kind, value) for name, kind, value in [
        ("u8", U8, 255), ("i8", I8, -1), ("u16", U16, 65535), ("i16", I16, -1), ("u32", U32, 1), ("i32", I32, -1), ("f32", F32, 0.5), ("bool", BOOL, False),
        ("string", STRING, ""), ("u64", U64, 1 << 63), ("i64", I64, -1), ("f64", F64, 0.5), ("empty", ARRAY, (U8, [])), ("bools", ARRAY, (BOOL, [True, False]))]]),
        "a value of every type", "all thirteen types")
    add("alignment-64", CLEAN, new.file([*base, ("general.alignment", U32, 64)], [("a", [8], 0, 0), ("b", [8], 0, 64)], bytes(96), alignment=64), "general.alignment 64", "the alignment is a key of the file")
    add("split-1-of-2", CLEAN, new.file([*base, ("split.no", U16, 0), ("split.count", U16, 2), ("split.tensors.count", I32, 3)], tensors[:1], bytes(128)), "the first of two split files", "a split file has a subset of the tensors")
    add("split-00001-of-00002", INCOMPLETE, new.file([*base, ("split.no", U16, 0), ("split.count", U16, 2), ("split.tensors.count", I32, 3)], tensors[:1], bytes(128)), "the first of two split files, by the name that llama.cpp looks for", "the second is not there")
    add("template-odd-but-honest", CLEAN, new.file([*base, ("tokenizer.chat_template", STRING, "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{{ messages|map(attribute='content')|join('\\n') }}{{ '%s' % bos_token }}{{ \"{:>4}\".format(loop_index or 0) }}{% generation %}{% endgeneration %}")]),
        "a template with map, join, format and a generation block", "look-alikes of injections")
    add("template-in-array", MALICIOUS, new.file([*base, template, ("tokenizer.chat_templates", ARRAY, (STRING, [CHAT_TEMPLATE, INJECTIONS[1][1]]))]), "a list of templates, one of which runs a command", "any key may hold what a program renders")
    add("template-named", CLEAN, new.file([*base, template, ("tokenizer.chat_template.tool_use", STRING, CHAT_TEMPLATE), ("tokenizer.chat_templates", ARRAY, (STRING, ["tool_use"]))]), "an extra template of another name", "tool_use and rag templates are common")

    for case, text, why in INJECTIONS:
        add(f"template-{case}", MALICIOUS, new.file([*base, ("tokenizer.chat_template", STRING, text + CHAT_TEMPLATE[:200].split("\n")[0])]), f"a chat template with {text}", why)
    add("template-evil-second-name", MALICIOUS, new.file([*base, template, ("tokenizer.chat_template.rag", STRING, INJECTIONS[1][1])]), "an injection in tokenizer.chat_template.rag", "every key with the prefix is a template")
    add("template-hidden-in-long", MALICIOUS, new.file([*base, ("tokenizer.chat_template", STRING, CHAT_TEMPLATE.replace("{{ tool.function.name }}", "{{ tool.function.name }}" + INJECTIONS[4][1]))]), "an injection inside the macro of an honest template", "a template is parsed, not searched")
    add("template-endless", SUSPICIOUS, new.file([*base, ("tokenizer.chat_template", STRING, "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}x{% endfor %}{% endfor %}{% endfor %}")]), "three nested loops of 99999", "a template that never ends")
    add("template-broken", INCOMPLETE, new.file([*base, ("tokenizer.chat_template", STRING, "{% if messages %}{{ messages[0] }")]), "a template that does not parse", "what cannot be parsed cannot be judged")
    add("template-not-utf8", CLEAN, new.file([*base, ("tokenizer.chat_template", STRING, b"\xff\xfe{{ messages }}")]), "a template that is not UTF-8", "a string that a loader may refuse")

    add("tensor-count-huge", SUSPICIOUS, new.file(base, n_tensors=(1 << 64) - 1), "2**64-1 tensors", "CVE-2024-23605: counts are checked against what is left")
    add("pair-count-huge", SUSPICIOUS, new.file(base, n_pairs=1 << 60), "2**60 key-value pairs", "CVE-2024-21836")
    add("string-length-huge", SUSPICIOUS, new.file([*base, new.string("weighin.a") + new.pack("I", STRING) + new.count((1 << 64) - 1)]), "a string of 2**64-1 bytes", "CVE-2024-23496: the length plus one overflows")
    add("key-length-huge", SUSPICIOUS, new.file([new.count(1 << 62) + b"key"]), "a key of 2**62 bytes", "the same for keys")
    add("array-length-huge", SUSPICIOUS, new.file([*base, new.string("weighin.a") + new.pack("I", ARRAY) + new.pack("I", U64) + new.count(1 << 61)]), "an array of 2**61 64-bit numbers", "CVE-2024-21825: count times size overflows")
    add("array-of-arrays", SUSPICIOUS, new.file([*base, new.string("weighin.a") + new.pack("I", ARRAY) + new.pack("I", ARRAY) + new.count(1) + new.pack("I", U8) + new.count(0)]), "an array of arrays", "the reference reader refuses it")
    add("value-type-unknown", SUSPICIOUS, new.file([*base, new.string("weighin.a") + new.pack("I", 99)]), "a value of type 99", "the reader cannot go on")
    add("tensor-type-unknown", SUSPICIOUS, new.file(base, [("a", [32], 4711, 0)], bytes(32)), "a tensor of type 4711", "its size is unknown")
    add("dims-overflow", SUSPICIOUS, new.file(base, [("a", [1 << 40, 1 << 40], 0, 0)], bytes(32)), "dimensions whose product overflows", "CVE-2024-21802, CVE-2026-27940: an allocation too small")
    add("dims-nine", SUSPICIOUS, new.file(base, [("a", [1] * 9, 0, 0)], bytes(32)), "nine dimensions", "the reader has room for four")
    add("dims-count-huge", SUSPICIOUS, new.file(base, [new.string("a") + new.pack("I", 0xFFFFFFFF)]), "2**32-1 dimensions", "the same")
    add("dims-not-block", SUSPICIOUS, new.file(base, [("a", [33], 2, 0)], bytes(64)), "a quantised row of 33 values", "rows are whole blocks")
    add("offset-beyond", SUSPICIOUS, new.file(base, [("a", [8], 0, 1 << 40)], bytes(32)), "a tensor offset far behind the end", "CVE-2026-7482: reads beyond the buffer")
    add("offset-overlap", SUSPICIOUS, new.file(base, [("a", [8], 0, 0), ("b", [8], 0, 0)], bytes(32)), "two tensors at one offset", "offsets are a running sum")
    add("offset-unaligned", SUSPICIOUS, new.file(base, [("a", [8], 0, 0), ("b", [8], 0, 33)], bytes(96)), "a tensor offset that is not aligned", "the reference reader refuses it")
    add("alignment-zero", SUSPICIOUS, new.file([*base, ("general.alignment", U32, 0)], [("a", [8], 0, 0)], bytes(32)), "general.alignment 0", "a division by zero")
    add("alignment-odd", SUSPICIOUS, new.file([*base, ("general.alignment", U32, 33)], [("a", [8], 0, 0)], bytes(64)), "general.alignment 33", "not a power of two")
    add("duplicate-keys", SUSPICIOUS, new.file([*base, ("general.name", STRING, "another")]), "general.name twice", "readers differ in which one counts")
    add("duplicate-template", MALICIOUS, new.file([*base, template, ("tokenizer.chat_template", STRING, INJECTIONS[0][1])]), "two chat templates, the second an injection", "readers differ in which one counts")
    add("duplicate-tensors", SUSPICIOUS, new.file(base, [("a", [8], 0, 0), ("a", [8], 0, 32)], bytes(64)), "two tensors of one name", "the reference reader refuses it")
    add("token-lengths-differ", SUSPICIOUS, new.file([pair for pair in base if "scores" not in pair[0]] + [("tokenizer.ggml.scores", ARRAY, (F32, [0.0]))]), "seven tokens and one score", "CVE-2025-49847: arrays of one length are indexed together")
    add("version-0", SUSPICIOUS, new.file(base, version=0), "version 0", "refused by the reference reader")
    add("version-77", INCOMPLETE, new.file(base, version=77), "version 77", "a version that nobody has defined")
    add("truncated-header", INCOMPLETE, model[:300], "cut inside the metadata", "a partial download")
    add("truncated-data", INCOMPLETE, model[:-60], "cut inside the tensor data", "a partial download")
    add("truncated-after-injection", MALICIOUS, new.file([("tokenizer.chat_template", STRING, INJECTIONS[0][1]), *base])[:200], "an injection, then cut", "what was read stays reported")
    add("trailing-elf", MALICIOUS, model + executables.elf(), "an ELF executable behind the tensors", "a native executable where none belongs")
    add("trailing-zip", MALICIOUS, model + zip_file([Member("data.pkl", EVIL)]), "an archive with an evil pickle behind the tensors", "a polyglot")
    add("trailing-bytes", SUSPICIOUS, model + b"weighin was here, twice.", "24 bytes behind the tensors", "nothing belongs there")
    add("tensor-elf", MALICIOUS, new.file(base, [("a", [len(executables.elf())], 24, 0)], executables.elf()), "a tensor of bytes that is an ELF executable", "tensor data is read too")
    add("pickle-named", MALICIOUS, EVIL, "a bare evil pickle named .gguf", "a name promises nothing")
    hparams = struct.pack("<7i", 2, 8, 16, 1, 1, 4, 0)
    vocabulary = struct.pack("<I", 1) + b"a" + struct.pack("<f", 0.0) + struct.pack("<I", 1) + b"b" + struct.pack("<f", 0.0)
    tensor = struct.pack("<3i", 1, 1, 0) + struct.pack("<i", 8) + b"n"
    words = b"".join(struct.pack("<I", len(word)) + word for word in (b"a", b"bc"))
    small = struct.pack("<3I", 1, 1, 0) + struct.pack("<I", 2) + b"w" + struct.pack("<2f", 0.5, 0.25)
    for program, head in [
        ("whisper", struct.pack("<11I", 2, *range(1, 10), 0) + struct.pack("<2I", 1, 2) + bytes(8) + struct.pack("<I", 2)),
        ("gpt-2", struct.pack("<6I", 2, *range(1, 5), 0) + struct.pack("<I", 2)),
        ("llama", struct.pack("<7I", 2, *range(1, 6), 0)),
    ]:
        corpus.add(f"gguf/legacy-{program}.bin", CLEAN, b"lmgg" + head + words + small, f"an unversioned file as {program} programs wrote it", "every program had a layout of its own")
    corpus.add("gguf/legacy-cut.bin", INCOMPLETE, b"lmgg" + struct.pack("<7I", 2, *range(1, 6), 0) + words + small[:-3], "the same, cut short", "no layout fits to the end")
    corpus.add("gguf/legacy-ggjt-v1.bin", CLEAN, (lambda head: head + bytes(-len(head) % 32) + bytes(32))(b"tjgg" + struct.pack("<I", 1) + hparams + vocabulary + tensor),
               "a GGJT file from before GGUF", "the older magics are recognised")
