//! Bytes that are scanned.

use std::sync::LazyLock;

use weighin::artifact::{Artifact, GapReason};
use weighin::formats::{Format, pickle};
use weighin::input::Input;
use weighin::{Limits, RuleSet, Scanner};

use crate::assembler;

/// Small enough that whatever takes long has escaped its bounds.
pub fn limits() -> Limits {
    let mut limits = Limits::default();
    for (name, value) in [
        ("inflated-bytes", 4 << 20),
        ("inflate-floor", 1 << 20),
        ("work", 1 << 22),
        ("artifacts", 500),
        ("nodes", 20_000),
    ] {
        limits.set(name, value).expect("the limit exists");
    }
    limits
}

pub static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::embedded().expect("the embedded rules load"));

static SCANNER: LazyLock<Scanner<'static>> =
    LazyLock::new(|| Scanner::new(&RULES).with_limits(limits()).with_threads(1).keeping_evidence());

/// Names that promise something, for bytes that may be anything.
const NAMES: &[&str] = &[
    "model",
    "model.pkl",
    "pytorch_model.bin",
    "model.pt",
    "model.safetensors",
    "model.gguf",
    "model.onnx",
    "model.h5",
    "model.keras",
    "model.npz",
    "saved_model.pb",
    "model.tflite",
    "model.joblib",
    "model.skops",
    "config.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "modeling.py",
    "requirements.txt",
    "model.7z",
    "model.rds",
    "model.tar.gz",
    "notebook.ipynb",
    "model.index.json",
    "config.yaml",
    "m.index",
    "m.ubj",
    "m.params",
];

/// Any bytes, under a name that their length chooses.
pub fn any(data: &[u8]) {
    scan(NAMES[data.len() % NAMES.len()], data);
}

/// Any bytes, read by one format whatever they look like.
pub fn format(format: &'static dyn Format, data: &[u8]) {
    let name = format!("model{}", format.about().extensions.first().unwrap_or(&""));
    refuse_panics(&SCANNER.examine_as(&name, Input::from(data), format));
}

/// The opcodes are listed to where they end or make no sense.
pub fn decoder(data: &[u8]) {
    for json in [false, true] {
        pickle::disassemble(&Input::from(data), &limits(), json);
    }
}

/// A pickle as it is; after a byte that begins none, one that is assembled from
/// the bytes that follow, so that valid streams come up, with the rest written
/// over it.
pub fn machine(data: &[u8]) {
    let Some((0xff, rest)) = data.split_first() else { return scan("model.pkl", data) };
    let (choices, changes) = rest.split_at(rest.len() * 3 / 4);
    let mut bytes = assembler::assemble(choices, true).bytes;
    overwrite(&mut bytes, changes);
    scan("model.pkl", &bytes);
}

/// Writes over single bytes: two of `changes` say where, one says what.
pub fn overwrite(bytes: &mut [u8], changes: &[u8]) {
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(at) {
            *byte = change[2];
        }
    }
}

/// Scans `bytes` as a file called `name`. Fails when a reader failed.
pub fn scan(name: &str, bytes: &[u8]) {
    refuse_panics(&SCANNER.examine(name, Input::from(bytes)));
}

fn refuse_panics(artifact: &Artifact) {
    for gap in &artifact.gaps {
        assert!(gap.reason != GapReason::Panic, "{}: {}", artifact.name, gap.detail);
    }
    artifact.members.iter().for_each(refuse_panics);
}
