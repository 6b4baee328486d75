//! Attributes of groups and datasets (specification IV.A.2.m), and the parts of
//! dataspaces and datatypes (IV.A.2.b, IV.A.2.d) that they need.

use std::collections::BTreeMap;

use crate::engine::Cx;
use crate::input::{Input, to_u64, to_usize};
use crate::stop::Stop;
use crate::text::encoded;

use super::groups::heap_objects;
use super::heaps::global_objects;
use super::wire::{Fields, File, Message, message};

/// Names under which Keras, tf.keras and Hub tools store JSON configurations.
const CONFIGS: &[&str] = &["model_config", "training_config", "layer_config", "config", "metadata", "optimizer_config"];

/// A datatype message, as far as it decides how bytes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Datatype {
    pub class: u8,
    pub size: u64,
    /// Integers and floats: the most significant byte comes first.
    pub big_endian: bool,
}

impl Datatype {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Stop> {
        let class = fields.u8()? & 0xf;
        let bits = fields.u8()?;
        fields.skip(2)?;
        let size = u64::from(fields.u32()?);
        Ok(Self { class, size, big_endian: class < 2 && bits & 1 == 1 })
    }

    /// The class and size, the way NumPy writes them where it can.
    pub(super) fn name(self) -> String {
        let order = if self.big_endian { ">" } else { "<" };
        match self.class {
            0 => format!("{order}i{}", self.size),
            1 => format!("{order}f{}", self.size),
            3 => format!("S{}", self.size),
            4 => format!("bits{}", self.size),
            5 => format!("V{}", self.size),
            6 => format!("compound{}", self.size),
            7 => "reference".to_owned(),
            8 => format!("enum{}", self.size),
            9 => "variable".to_owned(),
            10 => format!("array{}", self.size),
            class => format!("class {class}, {} bytes", self.size),
        }
    }

    /// Whether elements are bytes or text rather than numbers: one-byte
    /// integers and bit fields, strings, opaque values.
    pub(super) fn is_bytes(self) -> bool {
        matches!(self.class, 3 | 5) || (matches!(self.class, 0 | 4 | 8) && self.size == 1)
    }

    /// The value of one wider number, when it is a byte's.
    pub(super) fn narrow(self, element: &[u8]) -> Option<u8> {
        let mut bytes = element.to_vec();
        if self.big_endian {
            bytes.reverse();
        }
        match (self.class, self.size) {
            (0, 2 | 4 | 8) => {
                let (low, rest) = bytes.split_first()?;
                rest.iter().all(|byte| *byte == 0).then_some(*low)
            }
            (1, 4) => byte_of(f64::from(f32::from_le_bytes(bytes.try_into().ok()?))),
            (1, 8) => byte_of(f64::from_le_bytes(bytes.try_into().ok()?)),
            _ => None,
        }
    }

    /// Whether the elements stand in the global heap.
    pub(super) fn is_variable(self) -> bool {
        self.class == 9
    }
}

fn byte_of(number: f64) -> Option<u8> {
    (0..=u8::MAX).find(|byte| f64::from(*byte).to_bits() == number.to_bits())
}

/// The extent of a dataspace in each dimension.
pub(super) fn dataspace(fields: &mut Fields<'_>) -> Result<Vec<u64>, Stop> {
    let version = fields.u8()?;
    let rank = fields.u8()?;
    fields.skip(1)?;
    let kind = fields.u8()?;
    if version == 1 {
        fields.skip(4)?;
    } else if kind == 2 {
        return Ok(vec![0]);
    }
    (0..rank).map(|_| fields.length()).collect()
}

/// An attribute: its name and its bytes, element by element where they are of
/// variable length.
#[derive(Debug)]
struct Attribute {
    name: String,
    datatype: Datatype,
    elements: u64,
    data: Vec<u8>,
}

/// Examines every attribute of an object.
pub(super) fn attributes(file: &File, owner: &str, messages: &[Message], cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    for message in messages {
        let outcome = match message.kind {
            message::ATTRIBUTE => one(file, owner, message, cx),
            message::ATTRIBUTE_INFO => dense(file, owner, message, cx),
            _ => Ok(()),
        };
        if let Err(stop) = outcome {
            cx.gap(&stop);
        }
    }
    Ok(())
}

fn dense(file: &File, owner: &str, info: &Message, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let mut fields = Fields::new(&info.data, info.offset, file.sizes);
    fields.skip(1)?;
    let flags = fields.u8()?;
    fields.skip(if flags & 1 != 0 { 2 } else { 0 })?;
    let (heap, index) = (fields.address()?, fields.address()?);
    let (Some(heap), Some(index)) = (heap, index) else { return Ok(()) };
    for (offset, data) in heap_objects(file, heap, index, cx)? {
        let message = Message { kind: message::ATTRIBUTE, shared: false, offset, data };
        if let Err(stop) = one(file, owner, &message, cx) {
            cx.gap(&stop);
        }
    }
    Ok(())
}

fn one(file: &File, owner: &str, message: &Message, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let message = file.resolve(message, cx)?;
    let attribute = parse(file, &message, cx)?;
    cx.charge(1, message.offset)?;
    if attribute.datatype.is_variable() {
        return variable(file, owner, &attribute, message.offset, cx);
    }
    if attribute.datatype.is_bytes() {
        let size = to_usize(attribute.datatype.size).max(1);
        // One string, or the bytes of an array taken together; an array of names holds no payload.
        let whole = if attribute.datatype.class == 3 && attribute.elements != 1 {
            for (index, element) in attribute.data.chunks(size).enumerate() {
                value(&format!("{owner}@{}[{index}]", attribute.name), "", element, cx)?;
            }
            return Ok(());
        } else {
            attribute.data.as_slice()
        };
        value(&format!("{owner}@{}", attribute.name), &attribute.name, whole, cx)?;
    }
    Ok(())
}

fn parse(file: &File, message: &Message, cx: &mut Cx<'_, '_>) -> Result<Attribute, Stop> {
    let mut fields = Fields::new(&message.data, message.offset, file.sizes);
    let version = fields.u8()?;
    let flags = fields.u8()?;
    let (name, kind, space) = (usize::from(fields.u16()?), usize::from(fields.u16()?), usize::from(fields.u16()?));
    if version >= 3 {
        fields.skip(1)?;
    }
    // Version 1 pads each of the three parts to eight bytes, counted from here.
    let rest_at = fields.offset();
    let mut fields = Fields::new(fields.rest(), rest_at, file.sizes);
    let pad = |fields: &mut Fields<'_>| {
        if version == 1 {
            fields.align();
        }
    };
    let name = fields.take(name)?;
    pad(&mut fields);
    let datatype_at = fields.offset();
    let datatype = fields.take(kind)?.to_vec();
    pad(&mut fields);
    let space_at = fields.offset();
    let space = fields.take(space)?.to_vec();
    pad(&mut fields);
    let shared =
        |kind: u16, bit: u8, offset: u64, data: Vec<u8>| Message { kind, shared: flags & bit != 0, offset, data };
    let datatype = file.resolve(&shared(message::DATATYPE, 1, datatype_at, datatype), cx)?;
    let space = file.resolve(&shared(message::DATASPACE, 2, space_at, space), cx)?;
    let datatype = Datatype::read(&mut Fields::new(&datatype.data, datatype.offset, file.sizes))?;
    let extent = dataspace(&mut Fields::new(&space.data, space.offset, file.sizes))?;
    let elements = extent.into_iter().fold(1, u64::saturating_mul);
    let name = String::from_utf8_lossy(name.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned();
    let held = to_u64(fields.rest().len());
    let data = fields.take(to_usize(elements.saturating_mul(datatype.size).min(held)))?.to_vec();
    Ok(Attribute { name, datatype, elements, data })
}

/// Elements of variable length: a length and a global heap id each.
fn variable(file: &File, owner: &str, attribute: &Attribute, offset: u64, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let mut fields = Fields::new(&attribute.data, offset, file.sizes);
    // Neighbours mostly stand in one heap, which is read once for them.
    let mut held: Option<(u64, BTreeMap<u32, Vec<u8>>)> = None;
    for index in 0..attribute.elements {
        cx.charge(1, offset)?;
        let length = to_usize(u64::from(fields.u32()?));
        let heap = fields.address()?;
        let object = fields.u32()?;
        let Some(heap) = heap.filter(|heap| *heap != 0 && length > 0) else { continue };
        if held.as_ref().is_none_or(|(known, _)| *known != heap) {
            held = Some((heap, global_objects(file, heap, cx)?.into_iter().collect()));
        }
        if let Some(bytes) = held.as_ref().and_then(|(_, objects)| objects.get(&object)) {
            let bytes = bytes.get(..length).unwrap_or(bytes);
            let one = attribute.elements == 1;
            let place = if one { String::new() } else { format!("[{index}]") };
            let known = if one { attribute.name.as_str() } else { "" };
            value(&format!("{owner}@{}{place}", attribute.name), known, bytes, cx)?;
        }
    }
    Ok(())
}

/// Hands a value on when it holds something that a loader would read in turn:
/// a Keras configuration, a pickle (PyTables unpickles attributes), an archive.
fn value(name: &str, known: &str, bytes: &[u8], cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
    let text = bytes.get(..end).unwrap_or_default();
    let first = text.iter().copied().find(|byte| !byte.is_ascii_whitespace());
    let json = matches!(first, Some(b'{' | b'['));
    if json && CONFIGS.contains(&known) {
        return cx.child_as("keras-config", name, Input::from(text));
    }
    if json || super::looks_loaded(text) {
        return cx.data(name, Input::from(text));
    }
    if let Some((bytes, _)) = encoded::payload(text.trim_ascii()) {
        return cx.data(&format!("{name} (decoded)"), Input::from(bytes));
    }
    Ok(())
}
