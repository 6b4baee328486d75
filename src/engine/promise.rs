//! What a file's name promises, compared with what its content is. A name
//! never decides how content is read; that the two disagree is a fact.

use crate::artifact::{Artifact, Gap, GapReason};
use crate::evidence::{Evidence, Kind, Span};

/// What files of a name are, for those who trust names.
struct Promise {
    format: &'static str,
    extensions: &'static [&'static str],
    /// Only binary content can be what is promised.
    binary: bool,
    /// Nothing of the kind is ever a pickle.
    data: bool,
}

const PROMISES: &[Promise] = &[
    Promise { format: "safetensors", extensions: &[".safetensors"], binary: true, data: true },
    Promise { format: "gguf", extensions: &[".gguf", ".ggml"], binary: true, data: true },
    Promise { format: "onnx", extensions: &[".onnx", ".ort"], binary: true, data: true },
    Promise { format: "tflite", extensions: &[".tflite"], binary: true, data: true },
    Promise { format: "numpy", extensions: &[".npy", ".npz"], binary: true, data: true },
    Promise {
        format: "picture",
        extensions: &[".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".ico"],
        binary: true,
        data: true,
    },
    Promise { format: "sound", extensions: &[".wav", ".mp3", ".flac", ".ogg"], binary: true, data: true },
    Promise { format: "hdf5", extensions: &[".h5", ".hdf5"], binary: true, data: false },
    Promise { format: "keras", extensions: &[".keras"], binary: true, data: false },
    Promise {
        format: "model",
        extensions: &[
            ".pt",
            ".ptl",
            ".pte",
            ".ckpt",
            ".pkl",
            ".pickle",
            ".joblib",
            ".skops",
            ".nemo",
            ".mar",
            ".t7",
            ".rds",
            ".ubj",
            ".msgpack",
            ".engine",
            ".plan",
            ".trt",
            ".rknn",
            ".cbm",
            ".pdmodel",
            ".pdiparams",
            ".zip",
            ".tar",
            ".7z",
            ".gz",
            ".bz2",
            ".xz",
            ".zst",
        ],
        binary: true,
        data: false,
    },
    Promise { format: "json", extensions: &[".json", ".jsonl"], binary: false, data: true },
    Promise {
        format: "text",
        extensions: &[".txt", ".md", ".csv", ".tsv", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".log"],
        binary: false,
        data: true,
    },
    Promise {
        format: "model",
        extensions: &[
            ".bin",
            ".pth",
            ".model",
            ".pb",
            ".weights",
            ".params",
            ".pdparams",
            ".mlmodel",
            ".dat",
            ".dill",
            ".npz",
            ".pmml",
        ],
        binary: false,
        data: false,
    },
];

/// Formats whose content runs.
const RUNS: &[&str] = &["executable", "script", "pyc", "java"];

/// Formats that are text and nothing else.
const TEXTS: &[&str] =
    &["text", "json", "yaml", "python", "script", "markup", "xml", "requirements", "jinja", "modelfile"];

/// Adds what there is to say about the name of `artifact`.
pub(super) fn compare(artifact: &mut Artifact) {
    let base = artifact.name.rsplit(['/', '\\']).next().unwrap_or(&artifact.name).to_lowercase();
    let Some(promise) = PROMISES.iter().find(|promise| promise.extensions.iter().any(|ending| base.ends_with(ending)))
    else {
        return;
    };
    let is_text = artifact.formats.contains(&"text");
    for found in &artifact.formats {
        let runs = RUNS.contains(found) && !(*found == "script" && !promise.binary && promise.format != "model");
        let pickle = *found == "pickle" && promise.data && (promise.binary || !is_text);
        if runs || pickle {
            let evidence = Evidence::new(Kind::NameMismatch, promise.format, Span::at(0)).with("found", *found);
            artifact.evidence.push(evidence);
        }
    }
    let only_text = is_text && artifact.formats.iter().all(|format| TEXTS.contains(format));
    // An error page is no model of any kind; other texts may be one.
    let page = promise.format == "model" && artifact.formats.contains(&"markup");
    if (promise.binary || page) && only_text {
        artifact.evidence.push(Evidence::new(Kind::NameMismatch, promise.format, Span::at(0)).with("found", "text"));
        let detail = format!("the name promises {}, the content is text", promise.format);
        artifact.gaps.push(Gap::new(GapReason::Malformed, detail));
    }
}
