//! PyTorch's legacy file: five pickles, then raw storages
//! (`torch/serialization.py`, `_legacy_load`).

use std::collections::BTreeMap;

use crate::input::{Cursor, Input};
use crate::stop::Stop;

/// The first pickle of a legacy file is this number.
pub(super) const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// Pickles before the raw storages: magic number, protocol version, system
/// information, the object, and the keys of the storages.
pub(super) const PICKLES: u32 = 5;

/// Bytes of one element of a storage class.
pub(super) fn element_size(class: &str) -> Option<u64> {
    let class = class.rsplit('.').next()?;
    Some(match class {
        "ComplexDoubleStorage" => 16,
        "DoubleStorage" | "LongStorage" | "ComplexFloatStorage" => 8,
        "FloatStorage" | "IntStorage" | "QInt32Storage" => 4,
        "HalfStorage" | "BFloat16Storage" | "ShortStorage" => 2,
        "CharStorage" | "ByteStorage" | "BoolStorage" | "QInt8Storage" | "QUInt8Storage" | "QUInt4x2Storage"
        | "QUInt2x4Storage" | "UntypedStorage" => 1,
        _ => return None,
    })
}

/// Where the raw storages that follow at `offset` end: each is its element
/// count in eight bytes, then the elements.
///
/// # Errors
/// When a storage is longer than the rest of the file.
pub(super) fn storages_end(input: &Input, offset: u64, storages: &BTreeMap<String, u64>) -> Result<u64, Stop> {
    let mut cursor = Cursor::at(input, offset);
    // The file has them in the order of the key list, and the lengths say the
    // same in any order; only their sum matters here.
    for length in storages.values() {
        cursor.skip(8)?;
        cursor.skip(*length)?;
    }
    Ok(cursor.position())
}
