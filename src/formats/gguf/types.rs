//! What ggml's tensor types take up; `type_traits` in `ggml/src/ggml.c`.

/// Elements of one block and its bytes, by type number. Types that ggml has
/// dropped (31 to 33, 36 to 38: repacked `Q4_0` and `IQ4_NL`) keep the size
/// that files of their time have.
pub(super) fn block(kind: u32) -> Option<(u64, u64)> {
    Some(match kind {
        0 | 26 => (1, 4),
        1 | 25 | 30 => (1, 2),
        24 => (1, 1),
        27 | 28 => (1, 8),
        2 | 20 | 31..=33 | 36..=38 => (32, 18),
        3 => (32, 20),
        6 => (32, 22),
        7 => (32, 24),
        8 => (32, 34),
        9 => (32, 36),
        10 => (256, 84),
        11 | 21 => (256, 110),
        12 => (256, 144),
        13 => (256, 176),
        14 => (256, 210),
        15 => (256, 292),
        16 | 35 => (256, 66),
        17 => (256, 74),
        18 => (256, 98),
        19 => (256, 50),
        22 => (256, 82),
        23 => (256, 136),
        29 => (256, 56),
        34 => (256, 54),
        39 => (32, 17),
        40 => (64, 36),
        41 => (128, 18),
        _ => return None,
    })
}

/// What ggml calls a tensor type; `type_name` in `ggml/src/ggml.c`.
pub(super) fn name(kind: u32) -> String {
    const NAMES: &[&str] = &[
        "F32",
        "F16",
        "Q4_0",
        "Q4_1",
        "",
        "",
        "Q5_0",
        "Q5_1",
        "Q8_0",
        "Q8_1",
        "Q2_K",
        "Q3_K",
        "Q4_K",
        "Q5_K",
        "Q6_K",
        "Q8_K",
        "IQ2_XXS",
        "IQ2_XS",
        "IQ3_XXS",
        "IQ1_S",
        "IQ4_NL",
        "IQ3_S",
        "IQ2_S",
        "IQ4_XS",
        "I8",
        "I16",
        "I32",
        "I64",
        "F64",
        "IQ1_M",
        "BF16",
        "Q4_0_4_4",
        "Q4_0_4_8",
        "Q4_0_8_8",
        "TQ1_0",
        "TQ2_0",
        "IQ4_NL_4_4",
        "IQ4_NL_4_8",
        "IQ4_NL_8_8",
        "MXFP4",
    ];
    named(NAMES, kind)
}

/// What a type of metadata values is called.
pub(super) fn value_name(kind: u32) -> String {
    const NAMES: &[&str] = &[
        "uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "bool", "string", "array", "uint64", "int64",
        "float64",
    ];
    named(NAMES, kind)
}

fn named(names: &[&str], kind: u32) -> String {
    let name = usize::try_from(kind).ok().and_then(|kind| names.get(kind)).filter(|name| !name.is_empty());
    name.map_or_else(|| format!("type {kind}"), |name| (*name).to_owned())
}

/// The types of metadata values; `gguf_type` in `ggml/include/gguf.h`.
pub(super) const STRING: u32 = 8;
/// See [`STRING`].
pub(super) const ARRAY: u32 = 9;

/// Bytes of a value that has a fixed size.
pub(super) fn width(kind: u32) -> Option<u64> {
    Some(match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        _ => return None,
    })
}
