//! PyTorch's legacy file: five pickles, then raw storages
//! (`torch/serialization.py`, `_legacy_load`).

use std::collections::BTreeMap;

use super::machine::Machine;
use super::value::{Node, Value};
use crate::engine::Cx;
use crate::evidence::{Evidence, Kind as Fact};
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

/// Dimensions of one tensor that are looked at; PyTorch stops at 64.
const DIMENSIONS: usize = 64;

/// Reports a tensor that ends behind its storage: `_rebuild_tensor_v2(storage,
/// offset, size, stride, ...)` counts in elements.
pub(super) fn report_view(machine: &Machine<'_>, name: &str, args: &[Value], cx: &mut Cx<'_, '_>) {
    if !name.starts_with("torch._utils._rebuild_tensor") {
        return;
    }
    let [storage, offset, size, stride, ..] = args else { return };
    let Some(Node::Persistent(id)) = machine.arena.get(*storage) else { return };
    cx.row("tensors", &["at", "storage", "type", "elements", "storage_offset", "size", "stride"], || {
        let id = machine.arena.items(*id, 5);
        let shown = |at: usize| id.get(at).map(|value| machine.render(*value));
        let numbers = |tuple: Value| -> Vec<Option<i64>> {
            machine.arena.items(tuple, DIMENSIONS).into_iter().map(|item| machine.int_of(item)).collect()
        };
        let key = id.get(2).and_then(|key| machine.text_of(*key));
        let count = id.get(4).and_then(|count| machine.int_of(*count));
        let at = format!("{:#x}", machine.at);
        vec![
            at.into(),
            key.into(),
            shown(1).into(),
            count.into(),
            machine.int_of(*offset).into(),
            numbers(*size).into(),
            numbers(*stride).into(),
        ]
    });
    let elements = machine.arena.items(*id, 5).get(4).and_then(|count| machine.int_of(*count));
    let end = view_end(machine, *offset, *size, *stride);
    if let (Some(elements), Some(end)) = (elements, end)
        && i128::from(elements) < end
    {
        let detail = format!("element {end} of a storage of {elements}");
        cx.push(Evidence::new(Fact::TensorLayout, "beyond-storage", machine.span_here()).with("detail", detail));
    }
}

/// One more than the highest element that a view reaches; 0 when it is empty.
fn view_end(machine: &Machine<'_>, offset: Value, size: Value, stride: Value) -> Option<i128> {
    let numbers = |tuple: Value| -> Option<Vec<i64>> {
        machine.arena.items(tuple, DIMENSIONS).into_iter().map(|item| machine.int_of(item)).collect()
    };
    let (sizes, strides) = (numbers(size)?, numbers(stride)?);
    if sizes.contains(&0) {
        return Some(0);
    }
    let mut last = i128::from(machine.int_of(offset)?);
    for (size, stride) in sizes.iter().zip(&strides) {
        let steps = i128::from(*size).checked_sub(1)?;
        last = last.checked_add(steps.checked_mul(i128::from(*stride))?)?;
    }
    last.checked_add(1)
}
