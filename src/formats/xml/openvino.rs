//! What a network of OpenVINO asks for beyond the operators that OpenVINO has
//! (docs.openvino.ai, "Operation Sets" and "OpenVINO Extensibility").

/// Sets of operators of OpenVINO itself that are not called `opset` and a number:
/// they stand in networks that a plug-in has transformed.
const INTERNAL: &[&str] =
    &["ie_internal_opset", "gpu_opset", "cpu_plugin_opset", "util", "experimental", "type_relaxed_opset", "preprocess"];

/// Operators of OpenVINO Tokenizers, which turns tokenizers into networks. They
/// are written as of an extension.
const TOKENIZERS: &[&str] = &[
    "BPETokenizer",
    "BytesToChars",
    "CaseFold",
    "CharsMapNormalization",
    "CharsToBytes",
    "CombineSegments",
    "EqualStr",
    "FuzeRagged",
    "NormalizeUnicode",
    "RaggedTensorPack",
    "RaggedToDense",
    "RaggedToRagged",
    "RaggedToSparse",
    "RegexNormalization",
    "RegexSplit",
    "SentencepieceDetokenizer",
    "SentencepieceStreamDetokenizer",
    "SentencepieceTokenizer",
    "SpecialTokensSplit",
    "StringTensorPack",
    "StringTensorUnpack",
    "StringToHashBucket",
    "TrieTokenizer",
    "Truncate",
    "UTF8Validate",
    "UnigramTokenizer",
    "VocabDecoder",
    "VocabEncoder",
    "WordpieceTokenizer",
];

/// Whether a layer of this type, of this set of operators, is one that only a
/// library of somebody else has.
pub(super) fn is_foreign(kind: &str, set: &str) -> bool {
    let numbered = set.strip_prefix("opset").is_some_and(|number| number.parse::<u8>().is_ok());
    !set.is_empty() && !numbered && !INTERNAL.contains(&set) && !TOKENIZERS.contains(&kind)
}

/// Whether a file is the source or the binary of a kernel.
pub(super) fn is_kernel(path: &str) -> bool {
    let lower = path.to_lowercase();
    [".cl", ".bin", ".spv", ".elf", ".so", ".dll"].iter().any(|ending| lower.ends_with(ending))
}
