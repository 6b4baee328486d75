//! The entries of a checkpoint's index, for `weighin inspect`: a LevelDB table
//! (`tensorflow/core/lib/io/table_format.txt`) whose values are
//! `BundleEntryProto` (`tensor_bundle.proto`).

use serde_json::Value as Cell;

use crate::engine::Cx;
use crate::formats::protobuf::{Message, Value, Walker};
use crate::input::{Cursor, Input, to_u64, to_usize};
use crate::stop::Stop;

/// Length of a table's footer: two block handles, padded, and the magic number.
const FOOTER: u64 = 48;

/// What follows each block: how it is compressed, and a checksum.
const TRAILER: u64 = 5;

const COLUMNS: &[&str] = &["name", "dtype", "shape", "shard", "offset", "bytes"];

/// Names of `DataType`, `types.proto`.
const TYPES: &[&str] = &[
    "INVALID",
    "FLOAT",
    "DOUBLE",
    "INT32",
    "UINT8",
    "INT16",
    "INT8",
    "STRING",
    "COMPLEX64",
    "INT64",
    "BOOL",
    "QINT8",
    "QUINT8",
    "QINT32",
    "BFLOAT16",
    "QINT16",
    "QUINT16",
    "UINT16",
    "COMPLEX128",
    "HALF",
    "RESOURCE",
    "VARIANT",
    "UINT32",
    "UINT64",
    "FLOAT8_E5M2",
    "FLOAT8_E4M3FN",
];

/// Shows every entry of the table.
pub(super) fn entries(input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let footer = input.len().saturating_sub(FOOTER);
    let mut cursor = Cursor::at(input, footer);
    for _ in 0..2 {
        cursor.varint()?; // metaindex_handle
    }
    let index = Handle::read(&mut cursor)?;
    for (_, value, at) in index.entries(input, cx)? {
        let value = Input::from(value);
        let block = Handle::read(&mut value.cursor()).map_err(|stop| stop.shifted(at))?;
        for (key, value, at) in block.entries(input, cx)? {
            // The empty key has the BundleHeaderProto.
            if !key.is_empty() {
                tensor(&key, value, cx).map_err(|stop| stop.shifted(at))?;
            }
        }
    }
    Ok(())
}

/// Where a block is.
struct Handle {
    offset: u64,
    size: u64,
}

/// A key, its value, and where in the table that stands.
type Entry = (Vec<u8>, Vec<u8>, u64);

impl Handle {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        Ok(Self { offset: cursor.varint()?, size: cursor.varint()? })
    }

    /// The entries of the block. A key says how much of the one before it
    /// begins with, and the rest.
    fn entries(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<Vec<Entry>, Stop> {
        let bound = cx.limits().header_bytes;
        let whole = input.bytes(self.offset, self.size.saturating_add(TRAILER), bound)?;
        let size = to_usize(self.size);
        if whole.get(size).is_some_and(|compression| *compression != 0) {
            return Err(Stop::unsupported(self.offset, "a table that is compressed"));
        }
        let block = Input::from(whole.get(..size).unwrap_or_default());
        let restarts = Cursor::at(&block, self.size.saturating_sub(4)).u32_le()?;
        let end = self.size.saturating_sub(4).saturating_sub(u64::from(restarts).saturating_mul(4));
        let mut cursor = block.cursor();
        let mut key: Vec<u8> = Vec::new();
        let mut entries: Vec<Entry> = Vec::new();
        let mut held = 0_u64;
        while cursor.position() < end {
            let shared = to_usize(cursor.varint()?);
            let own = cursor.varint()?;
            let length = cursor.varint()?;
            let at = self.offset.saturating_add(cursor.position()).saturating_add(own);
            // Keys that repeat each other grow with every entry.
            held = held.saturating_add(to_u64(shared)).saturating_add(own).saturating_add(length);
            cx.charge(1, at)?;
            if held > bound {
                return Err(Stop::Limit { offset: at, limit: "header-bytes" });
            }
            key.truncate(shared);
            key.extend(block.bytes(cursor.position(), own, bound)?);
            cursor.skip(own)?;
            let value = block.bytes(cursor.position(), length, bound)?;
            cursor.skip(length)?;
            entries.push((key.clone(), value, at));
        }
        Ok(entries)
    }
}

/// Shows one `BundleEntryProto`.
fn tensor(name: &[u8], value: Vec<u8>, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let value = Input::from(value);
    let mut walker = Walker::new(&value);
    let mut entry = walker.whole();
    let (mut dtype, mut shard, mut offset, mut size) = (0, 0, 0, 0);
    let mut shape: Vec<i64> = Vec::new();
    while let Some(field) = walker.next(&mut entry)? {
        match (field.number, field.value) {
            (1, Value::Varint(number)) => dtype = number,
            (2, Value::Bytes(bytes)) => {
                let mut message = bytes.message();
                while let Some(dim) = walker.next(&mut message)? {
                    if let (2, Value::Bytes(bytes)) = (dim.number, dim.value) {
                        shape.push(dimension(&mut walker, bytes.message())?);
                    }
                }
            }
            (3, Value::Varint(number)) => shard = number,
            (4, Value::Varint(number)) => offset = number,
            (5, Value::Varint(number)) => size = number,
            _ => {}
        }
    }
    let dtype = TYPES.get(to_usize(dtype)).map_or_else(|| dtype.to_string(), |name| (*name).to_owned());
    let name = String::from_utf8_lossy(name).into_owned();
    cx.row("tensors", COLUMNS, || {
        vec![name.into(), dtype.into(), Cell::from(shape), shard.into(), offset.into(), size.into()]
    });
    Ok(())
}

/// The size in a `TensorShapeProto.Dim`; one that is 0 is not written.
fn dimension(walker: &mut Walker<'_>, mut message: Message) -> Result<i64, Stop> {
    let mut size = 0;
    while let Some(field) = walker.next(&mut message)? {
        if let (1, Value::Varint(number)) = (field.number, field.value) {
            size = number.cast_signed();
        }
    }
    Ok(size)
}
