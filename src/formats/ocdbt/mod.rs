//! OCDBT, TensorStore's key-value store in files, which Orbax keeps checkpoints
//! in: a manifest, and data files of values and B-tree nodes in any order.

mod wire;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::stream::Feed;
use crate::formats::{About, Format, Head, Match, codec, reference};
use crate::input::{Cursor, Input, to_u64, to_usize};
use crate::stop::Stop;

use wire::{Body, FRAME_BYTES, Reader, Value};

/// How a Zstandard frame begins (RFC 8878 3.1.1).
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Reads OCDBT: see [`Format`].
#[derive(Debug)]
pub struct Ocdbt;

impl Format for Ocdbt {
    fn name(&self) -> &'static str {
        "ocdbt"
    }

    fn about(&self) -> About {
        About {
            title: "OCDBT, TensorStore's store in files (tensorstore/kvstore/ocdbt/format); Orbax checkpoints",
            extensions: &[".ocdbt"],
            reads: "the manifest, every node and its checksum, the paths of data files, every value that lies inline or \
                    in the same file",
            leaves_out: "the numbers; whether nodes of other files fit together",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if wire::Kind::of(head.first).is_some() || ends_in_node(head) {
            Match::Magic
        } else if head.is_named(&[".ocdbt"]) {
            Match::Name
        } else {
            Match::No
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        if input.len() < FRAME_BYTES {
            return Err(Stop::Truncated { offset: input.len(), needed: FRAME_BYTES.saturating_sub(input.len()) });
        }
        let manifest = matches!(wire::frame(input, 0)?, Some((wire::Kind::Manifest, _)));
        let mut frames = 0_u64;
        let mut values = BTreeSet::new();
        let mut covered = Vec::new();
        let mut at = 0;
        while let Some((start, kind, length)) = next_frame(input, at, cx)? {
            frames = frames.saturating_add(1);
            match frame(input, start, kind, length, cx) {
                Ok(body) => tell(&body, start, &mut values, cx)?,
                Err(limit @ Stop::Limit { .. }) => return Err(limit),
                // Values may hold anything, whatever is wrong with a node.
                Err(stop) => cx.gap(&stop),
            }
            at = start.saturating_add(length);
            covered.push((start, at));
        }
        if frames == 0 {
            return Err(Stop::malformed(0, "this is no OCDBT manifest and has no node"));
        }
        for (offset, length, key) in &values {
            match input.window(*offset, *length) {
                Ok(held) => value(key, held, cx)?,
                Err(stop) => cx.gap(&stop),
            }
            covered.push((*offset, offset.saturating_add(*length)));
        }
        if manifest && at < input.len() {
            // The reader wants the file to be as long as the manifest.
            let length = input.len().saturating_sub(at);
            let evidence = Evidence::new(Kind::BytesUnexplained, "after", Span::new(at, length));
            cx.push(evidence.with("length", length.to_string()).with("of", "ocdbt"));
        }
        rest(covered, input, cx)
    }
}

/// Whether a node ends where the file does: what a data file of values and
/// their nodes is known by.
pub(super) fn ends_in_node(head: &Head<'_>) -> bool {
    memchr::memmem::rfind_iter(head.last, &[0x0c, 0xdb]).any(|at| {
        let from = head.last.get(at..).unwrap_or_default();
        let length = from.get(4..12).and_then(|length| length.try_into().ok()).map(u64::from_le_bytes);
        wire::Kind::of(from).is_some() && length == Some(to_u64(from.len()))
    })
}

/// The next frame from `at` on: the one right there, whatever its checksum, or
/// the next whose checksum is right.
fn next_frame(input: &Input, at: u64, cx: &mut Cx<'_, '_>) -> Result<Option<(u64, wire::Kind, u64)>, Stop> {
    if let Some((kind, length)) = wire::frame(input, at)? {
        if length < FRAME_BYTES || length > input.len().saturating_sub(at) {
            let needed = length.saturating_sub(input.len().saturating_sub(at)).max(1);
            return Err(Stop::Truncated { offset: input.len(), needed });
        }
        return Ok(Some((at, kind, length)));
    }
    let mut cursor = Cursor::at(input, at);
    while cursor.remaining() >= FRAME_BYTES {
        cursor.fill(4)?;
        let (base, held) = (cursor.position(), cursor.buffered());
        let places: Vec<u64> =
            memchr::memmem::find_iter(held, &[0x0c, 0xdb]).map(|at| base.saturating_add(to_u64(at))).collect();
        let length = to_u64(held.len());
        cx.charge(1_u64.saturating_add(length / 4096), base)?;
        for place in places {
            if let Some((kind, length)) = wire::frame(input, place)?
                && (FRAME_BYTES..=input.len().saturating_sub(place).min(cx.limits().memory_bytes)).contains(&length)
                && is_sound(&input.window(place, length)?, cx)?
            {
                return Ok(Some((place, kind, length)));
            }
        }
        let step = if length >= cursor.remaining() { length } else { length.saturating_sub(3).max(1) };
        cursor.skip(step)?;
    }
    Ok(None)
}

/// Whether the last four bytes are the CRC-32C of what is before them.
fn is_sound(frame: &Input, cx: &mut Cx<'_, '_>) -> Result<bool, Stop> {
    let bytes = frame.all(cx.limits().header_bytes)?;
    cx.charge(to_u64(bytes.len()) / 16, 0)?;
    let Some((content, sum)) = bytes.split_last_chunk::<4>() else { return Ok(false) };
    Ok(wire::crc32c(content) == u32::from_le_bytes(*sum))
}

/// Unpacks and reads the frame of `length` bytes at `start`.
fn frame(input: &Input, start: u64, kind: wire::Kind, length: u64, cx: &mut Cx<'_, '_>) -> Result<Body, Stop> {
    let whole = input.window(start, length)?;
    if !is_sound(&whole, cx)? {
        cx.gap(&Stop::malformed(start, "the checksum of an OCDBT node is wrong"));
    }
    let mut cursor = Cursor::at(&whole, 12);
    let version = cursor.varint()?;
    let compression = cursor.varint()?;
    if version > 0 || compression > 1 {
        let what = format!("version {version} of OCDBT with compression {compression}");
        return Err(Stop::unsupported(start, what));
    }
    let at = cursor.position();
    let packed = whole.window(at, length.saturating_sub(4).saturating_sub(at))?;
    let content = if compression == 1 { inflated(&packed, start, cx)?.0 } else { packed };
    let room = cx.limits().header_bytes;
    let mut reader = Reader { cursor: content.cursor(), cx, room };
    let body = reader.body(kind).map_err(|stop| match stop {
        limit @ Stop::Limit { .. } => limit,
        other => Stop::malformed(start, format!("in this node: {other}")),
    })?;
    let left = reader.cursor.remaining();
    if left > 0 {
        return Err(Stop::malformed(start, format!("{left} bytes of this node belong to nothing")));
    }
    Ok(body)
}

/// The content of the Zstandard frame that `packed` begins with, and its length.
fn inflated(packed: &Input, offset: u64, cx: &mut Cx<'_, '_>) -> Result<(Input, u64), Stop> {
    let position = Rc::new(Cell::new(0));
    let feed = Feed::new(packed, Rc::clone(&position));
    let mut reader = codec::zstd(feed, cx.limits()).map_err(|error| Stop::of_decoder(&error, offset))?;
    match cx.inflate(&mut *reader, packed.len(), offset) {
        (content, None) => Ok((content, position.get())),
        (_, Some(stop)) => Err(stop),
    }
}

/// Evidence of the files that a node names, its inline values, and where the
/// values of this file are.
fn tell(body: &Body, at: u64, values: &mut BTreeSet<(u64, u64, String)>, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    for path in &body.files {
        let (way, shown) = (reference::classify(path), cx.shorten(path));
        cx.push(Evidence::new(Kind::ReferencePath, way, Span::at(at)).with("path", shown).with("by", "ocdbt"));
    }
    let own = cx.name().rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    let is_own = |file: u64| {
        let path = body.files.get(to_usize(file)).map(String::as_str).unwrap_or_default();
        !own.is_empty() && path.rsplit('/').next() == Some(own.as_str())
    };
    for (key, held) in &body.values {
        let key = cx.shorten(&String::from_utf8_lossy(key));
        let (place, length) = match held {
            Value::Inline(bytes) => (None, to_u64(bytes.len())),
            Value::Indirect(reference) => (Some(reference), reference.length),
        };
        cx.row("values", &["key", "file", "offset", "bytes"], || {
            let file = place.and_then(|place| body.files.get(to_usize(place.file)).cloned()).unwrap_or_default();
            vec![key.clone().into(), file.into(), place.map(|place| place.offset).into(), length.into()]
        });
        match held {
            Value::Inline(bytes) if bytes.is_empty() => {}
            Value::Inline(bytes) => value(&key, bytes.as_slice().into(), cx)?,
            Value::Indirect(reference) if is_own(reference.file) => {
                values.insert((reference.offset, reference.length, key));
            }
            Value::Indirect(_) => {}
        }
    }
    Ok(())
}

/// A value, or several: descriptions in JSON, and pieces of arrays, packed or
/// not.
fn value(key: &str, mut held: Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    while held.prefix(4).all(4)? == ZSTD
        && let Ok((content, length)) = inflated(&held, 0, cx)
    {
        cx.data(key, content)?;
        held = held.tail(length);
        if held.is_empty() {
            return Ok(());
        }
    }
    cx.data(key, held)
}

/// What no node of this file leads to: values that nodes elsewhere know.
fn rest(mut covered: Vec<(u64, u64)>, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    covered.sort_unstable();
    covered.push((input.len(), input.len()));
    let mut at = 0;
    for (start, end) in covered {
        if start > at {
            value(&format!("values @ {at:#x}"), input.window(at, start.saturating_sub(at))?, cx)?;
        }
        at = at.max(end);
    }
    Ok(())
}
