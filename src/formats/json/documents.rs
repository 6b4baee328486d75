//! Documents that mean something to a loader by their keys, whose formats
//! recognise them by the bytes of their beginning and end. A key that is written
//! with escapes, that stands in the middle of a long file or in another
//! encoding is seen only when the whole is read, which is here.

use std::borrow::Cow;

use crate::engine::Cx;
use crate::formats::{self, Head, Match};
use crate::input::Input;
use crate::limits::{HEAD_BYTES, TAIL_BYTES};
use crate::stop::Stop;

/// Formats, and the keys of which each group has one.
const KINDS: [(&str, [&[&str]; 2]); 11] = [
    ("keras-config", [&["class_name"], &["config"]]),
    ("notebook", [&["cells"], &["nbformat", "cell_type"]]),
    ("xgboost", [&["learner"], &["gradient_booster", "learner_model_param"]]),
    ("skops", [&["__loader__"], &["__module__", "__class__"]]),
    ("mxnet", [&["nodes"], &["arg_nodes"]]),
    ("paddle", [&["base_code"], &["magic"]]),
    ("torchserve", [&["model"], &["handler"]]),
    ("shards", [&["weight_map"], &["weight_map"]]),
    ("shards", [&["itemInfoEntries"], &["itemInfoEntries"]]),
    ("shards", [&["weightsManifest"], &["weightsManifest"]]),
    ("shards", [&["dataPath"], &["byteOffset"]]),
];

/// Keys among these that stand for numbers.
const NUMBERS: &[&str] = &["nbformat", "byteOffset"];

/// Which groups of keys a document has.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    seen: [[bool; 2]; KINDS.len()],
}

impl Kinds {
    /// Notes a key of any object. The words of a vocabulary are keys of numbers,
    /// which only the second of these are otherwise.
    pub(super) fn key(&mut self, key: &str, number: bool) {
        if number && !NUMBERS.contains(&key) {
            return;
        }
        for ((_, groups), seen) in KINDS.iter().zip(&mut self.seen) {
            for (group, seen) in groups.iter().zip(seen) {
                *seen |= group.contains(&key);
            }
        }
    }

    /// Has the document examined as what it is, where its format has not
    /// recognised it. `text` is the document in UTF-8 where `input` is not.
    ///
    /// # Errors
    /// [`Stop::Limit`] when no more artifacts may be examined.
    pub(super) fn examine(&self, input: &Input, text: Option<&[u8]>, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let found: Vec<&'static str> = KINDS
            .iter()
            .zip(self.seen)
            .filter(|(_, seen)| seen.iter().all(|group| *group))
            .map(|((format, _), _)| *format)
            .collect();
        if found.is_empty() {
            return Ok(());
        }
        let head_len = input.len().min(crate::input::to_u64(HEAD_BYTES));
        let tail_len = input.len().min(crate::input::to_u64(TAIL_BYTES));
        let first = input.bytes(0, head_len, head_len)?;
        let last = input.bytes(input.len().saturating_sub(tail_len), tail_len, tail_len)?;
        let name = cx.name().rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
        let head = Head { first: &first, last: &last, len: input.len(), name: &name };
        for format in found {
            let known = formats::by_name(format).is_none_or(|format| format.recognise(&head) > Match::Name);
            if !known || text.is_some() {
                let content = text.map_or_else(|| input.clone(), Input::from);
                // Some formats are judged by their name, too.
                let name = cx.name().rsplit(['/', '\\']).next().unwrap_or(format).to_owned();
                cx.child_as(format, &name, content)?;
            }
        }
        Ok(())
    }
}

/// The document in UTF-8: Python's `json.loads` takes bytes in any Unicode
/// encoding, with or without a mark (`json.detect_encoding`).
pub(in crate::formats) fn decoded(bytes: &[u8]) -> Cow<'_, [u8]> {
    let wide = |width: usize, big_endian: bool, skip: usize| -> Cow<'_, [u8]> {
        let units = bytes.get(skip..).unwrap_or_default().chunks_exact(width).map(|unit| {
            let fold = |value: u32, byte: &u8| value << 8 | u32::from(*byte);
            if big_endian { unit.iter().fold(0, fold) } else { unit.iter().rev().fold(0, fold) }
        });
        let text: String = if width == 4 {
            units.map(|unit| char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        } else {
            let units = units.map(|unit| u16::try_from(unit).unwrap_or_default());
            char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        };
        Cow::Owned(text.into_bytes())
    };
    match bytes {
        [0, 0, 0xfe, 0xff, ..] => wide(4, true, 4),
        [0xff, 0xfe, 0, 0, ..] => wide(4, false, 4),
        [0xfe, 0xff, ..] => wide(2, true, 2),
        [0xff, 0xfe, ..] => wide(2, false, 2),
        [0, 0, 0, 1..=255, ..] => wide(4, true, 0),
        [1..=255, 0, 0, 0, ..] => wide(4, false, 0),
        [0, 1..=255, ..] => wide(2, true, 0),
        [1..=255, 0, ..] => wide(2, false, 0),
        _ => Cow::Borrowed(bytes),
    }
}
