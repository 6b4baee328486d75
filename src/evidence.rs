//! Evidence: the facts that parsers find, without opinion.
//!
//! The set of kinds is closed and listed here once; rules name a kind and match
//! its value and attributes. No kind says how bad anything is.

use std::borrow::Cow;

use serde::Serialize;

/// A range of bytes in the artifact that the evidence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, schemars::JsonSchema)]
pub struct Span {
    /// First byte, from the start of the artifact.
    pub offset: u64,
    /// Number of bytes; 0 when only the place is known.
    pub length: u64,
}

impl Span {
    /// `length` bytes at `offset`.
    pub fn new(offset: u64, length: u64) -> Self {
        Self { offset, length }
    }

    /// The place `offset`, with no extent.
    pub fn at(offset: u64) -> Self {
        Self { offset, length: 0 }
    }
}

macro_rules! kinds {
    ($( $variant:ident = $name:literal, $about:literal; )+) => {
        /// What a piece of evidence is a fact about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Kind {
            $( #[doc = $about] $variant, )+
        }

        impl Kind {
            /// All kinds, in the order of declaration.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The name that rules use, such as `pickle.call`.
            pub fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )+ }
            }

            /// What the value and the attributes of this kind are.
            pub fn about(self) -> &'static str {
                match self { $( Self::$variant => $about, )+ }
            }

            /// The kind called `name`.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $( $name => Some(Self::$variant), )+ _ => None }
            }
        }
    };
}

kinds! {
    PickleImport = "pickle.import", "A Python name that a pickle imports. Value: canonical dotted name. Attributes: `how` (opcode, or `getattr` and the like when folded), `written` (as the stream spells it, when that differs), `called` (`true` when a call of it is evidence too).";
    PickleCall = "pickle.call", "A call that a pickle makes. Value: canonical name of the callable. Attributes: `function` (the last part of the name), `opcode`, `runs` (`init` when the callable's own code runs, `new` when only `__new__` does), `call` (rendered), `count`, `arg.N` (rendered argument N), `given` (`command`, `source`, `address` or `path`, when a text among the arguments is one), `bland` (`true` when a class is called without arguments, or as the member of an enumeration is pickled), `chain` (the lookups and decoders that lead to it), `steps` (their offsets).";
    PickleCallback = "pickle.callback", "A callable handed to a call, which may call it. Value: its name. Attributes: `to` (the callable that receives it), `method` (`own` when it is a method of an object in the stream, and stays within its package), `call`.";
    PickleUnknownCall = "pickle.unknown-call", "A call of a value that can't be resolved to a name. Value: the rendered callable. Attributes: `opcode`, `call`.";
    PickleComputed = "pickle.computed-import", "An import whose module or name is not a literal of the stream. Value: what could be resolved of it. Attributes: `how`.";
    PickleWrite = "pickle.write-to-global", "State set on something that the stream did not create: a module, class or function. Value: its name. Attributes: `how` (BUILD, SETITEM, APPEND ...), `keys`.";
    PickleClass = "pickle.class-made", "A class made inside the stream. Value: its name. Attributes: `special` (special methods and properties that it defines), `holds` (callables in its dictionary).";
    PickleState = "pickle.state-hook", "State given to an object whose class is known to act on it. Value: class name. Attributes: `state`.";
    PickleNested = "pickle.nested", "Bytes handed to a loader inside the stream. Value: the loader. Attributes: `length`.";
    PickleExtension = "pickle.extension", "A callable from the copyreg extension registry. Value: its code.";
    PicklePersistent = "pickle.persistent-id", "A persistent id whose shape is not that of a framework's storage. Value: rendered id.";
    PickleAnomaly = "pickle.anomaly", "Something that no real pickler writes. Value: which (see the pickle format's page). Attributes: `detail`.";
    PythonImport = "python.import", "A module that Python code imports. Value: dotted name. Attributes: `scope` (`module` when it runs at import, else `function`).";
    PythonCall = "python.call", "A call in Python code. Value: canonical callable. Attributes: `scope`, `call`, `arg.N`, `constant` (`true` when every argument is a literal).";
    PythonAnomaly = "python.anomaly", "A construct in Python code that hides what it does. Value: which. Attributes: `scope`, `detail`.";
    ShellCommand = "shell.command", "A shell command that does something out of the ordinary. Value: `fetch-run`, `reverse-shell`, `decode-run`, `destroy`, `startup`. Attributes: `command`, `source` (an address), `transport` (`https`, `open` or `none`), `where` (`script`, `cell` or `config`).";
    NativeCode = "native.code", "The whole file is compiled code. Value: `elf`, `pe`, `ape`, `mach-o`, `wasm`, `java-class`, `dex`, `tensorrt`. Attributes: `machine`.";
    CompiledPython = "python.compiled", "The whole file is compiled Python. Value: `module`.";
    CodeObject = "code.object", "A compiled Python code object. Value: its name. Attributes: `names`, `version`.";
    ContainerMember = "container.member-name", "A member whose name is unusual. Value: which way (`absolute`, `parent`, `inner-parent`, `drive`, `control`, `bidi`, `duplicate`, `duplicate-equal`, `case-collision`, `nul`, `backslash`, `empty`, `long`). Attributes: `name`.";
    ContainerLink = "container.link", "A symbolic or hard link in an archive. Value: `inside`, `outside`, `absolute`, or `through` (a member would be written through an earlier link). Attributes: `name`, `target`.";
    ContainerSpecial = "container.special-file", "A device, FIFO or set-uid member. Value: which. Attributes: `name`.";
    ContainerMismatch = "container.mismatch", "Two records of an archive disagree about one member. Value: which field. Attributes: `name`, `central`, `local`.";
    ContainerLayout = "container.layout", "What an archive's members make it. Value: `torch`, `torchscript`, `torch-package`, `torch-export`. Attributes: `root` (the folder).";
    ContainerAnomaly = "container.anomaly", "A structure that archive writers do not produce. Value: which. Attributes: `detail`, `name`.";
    BytesUnexplained = "bytes.unexplained", "Bytes that belong to no part of the format. Value: `before`, `between` or `after`. Attributes: `length`, `of` (format).";
    EmbeddedExecutable = "embedded.executable", "An executable in the content. Value: `elf`, `pe`, `ape` (runs on every system), `mach-o`, `wasm`, `java-class`, `dex`, `cubin` (GPU code in an ELF). Attributes: `machine`, `whole` (`true` when the content begins with it), `extension` (of the name of such content), `member` (`true` inside a container), `count`.";
    EmbeddedArchive = "embedded.archive", "An archive where none belongs. Value: format.";
    EmbeddedPickle = "embedded.pickle", "A pickle that imports and calls, in content that has none of its own; what it does is the evidence of the member `pickle at <offset>`. Value: `pickle`. Attributes: `count`.";
    EmbeddedScript = "embedded.script", "An executable script. Value: interpreter.";
    SecretFound = "secret.found", "A private key or live credential. Value: kind of secret.";
    NameMismatch = "name.mismatch", "The file's name promises another format. Value: promised format. Attributes: `found`.";
    HeaderField = "header.field", "A header field that breaks the loader's limit. Value: which. Attributes: `detail`.";
    TensorLayout = "tensor.layout", "Tensors that overlap, leave holes or exceed the data. Value: which. Attributes: `tensor`, `detail`.";
    MetadataValue = "metadata.value", "A metadata entry. Value: its key. Attributes: `text`.";
    TemplateAccess = "template.access", "A name, attribute or filter that a chat template uses in a way that reaches outside its data. Value: which. Attributes: `expression`.";
    TemplateAnomaly = "template.anomaly", "A construct in a chat template that hides or never ends. Value: which. Attributes: `detail`.";
    PatternAnomaly = "pattern.anomaly", "A regular expression of a tokenizer that takes time or memory beyond measure. Value: `nested` or `repeats`. Attributes: `detail` (the part), `pattern`.";
    WeightsTwin = "weights.twin", "The same weights lie in the same folder as safetensors. Value: the name there.";
    ReferencePath = "reference.path", "A path to other content. Value: `inside`, `parent`, `absolute`, `url`, `drive`. Attributes: `path`, `by` (what refers to it).";
    ReferenceCode = "reference.code", "Code that a loader fetches or imports because a configuration names it. Value: the name. Attributes: `key`, `where` (`local` or `remote`).";
    ReferenceUnpinned = "reference.package", "A package taken from somewhere other than the default index. Value: which way. Attributes: `line`.";
    OperatorUse = "operator.use", "An operator of a computation graph. Value: `domain::name`. Attributes: `count`, `constant` (a path or address it is given).";
    LayerUse = "layer.use", "A layer or object of a Keras configuration. Value: `module.class`. Attributes: `key`, `registered`, `detail`.";
    GraphAnomaly = "graph.anomaly", "A graph that breaks its format's rules. Value: which. Attributes: `detail`.";
    ObjectType = "object.type", "A type that a structured file tells the loader to construct. Value: dotted name. Attributes: `loader`, `how`.";
    XmlConstruct = "xml.construct", "A construct of XML that reaches outside the document. Value: `doctype`, `entity`, `xinclude`, `external`, or what it makes its reader load: `library`, `extension-layer`, `kernel`. Attributes: `detail`.";
    LanguageObject = "language.object", "Code of a language other than Python that a loader may evaluate. Value: which. Attributes: `detail`.";
    HuggingFaceFile = "repository.file", "A fact about a file in its repository. Value: which. Attributes: `detail`.";
    DigestMatch = "digest.match", "The content's sha256 is on a list. Value: `known-bad` or `known-good`. Attributes: `list`.";
    DigestMismatch = "digest.mismatch", "The content is not what the place where it is stored says. Value: `sha256` or `git-sha1`. Attributes: `expected`, `found`, `by` (`blob-name` or `file-list`).";
    YaraMatch = "yara.match", "A YARA rule matched. Value: rule identifier. Attributes: `namespace`.";
}

/// The attribute of every fact about what is only carried as data: nothing
/// loads it when the file is loaded, so that rules say less of it.
pub(crate) const CARRIED: &str = "carried";

/// One fact about one artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What it is a fact about.
    pub kind: Kind,
    /// The fact itself, as the kind describes. Hostile: sanitise it for where
    /// it goes.
    pub value: String,
    /// Further facts by name, in the order given. Hostile like `value`.
    pub attributes: Vec<(Cow<'static, str>, String)>,
    /// Where in the artifact.
    pub span: Span,
}

impl Evidence {
    /// A fact without attributes.
    pub fn new(kind: Kind, value: impl Into<String>, span: Span) -> Self {
        Self { kind, value: value.into(), attributes: Vec::new(), span }
    }

    /// The same with one more attribute.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// The attribute called `name`.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
