//! MessagePack as Flax writes it: a map of names to arrays, each an extension
//! value (`flax/serialization.py`; msgpack specification).

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::{Cursor, Input, to_u64};
use crate::stop::Stop;
use crate::text::config::Walk;

/// Flax cuts arrays above this into chunks (`MAX_CHUNK_SIZE`); their frame is small.
const CHUNK: u64 = (1 << 30) + (1 << 16);

/// Longest string that is read; longer ones are passed over, as data.
const TEXT: u64 = 1 << 20;

/// Files of a spaCy pipeline: tables by hash, and lists; without any entry they
/// are a single byte.
const SPACY: &[&str] = &["key2row", "lookups.bin", "patterns"];

/// The format.
#[derive(Debug)]
pub struct Msgpack;

impl Format for Msgpack {
    fn name(&self) -> &'static str {
        "msgpack"
    }

    fn about(&self) -> About {
        About {
            title: "MessagePack: Flax checkpoints (flax/serialization.py), tables of spaCy",
            extensions: &[".msgpack"],
            reads: "the whole structure: lengths, nesting, extension types; byte strings that hold something to load, strings as those of a configuration",
            leaves_out: "numbers of arrays",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let key = match head.first {
            [0x81..=0x8f, rest @ ..] | [0xde, _, _, rest @ ..] | [0xdf, _, _, _, _, rest @ ..] => key(rest),
            _ => None,
        };
        let name = key.is_some_and(|key| {
            !key.is_empty()
                && key.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'-'))
        });
        let table = matches!(head.first, [0x80..=0x9f | 0xdc..=0xdf, ..]) && SPACY.contains(&head.name);
        match (name, table || head.is_named(&[".msgpack"])) {
            (true, true) => Match::Magic,
            (true, false) => Match::Likely,
            (false, true) => Match::Name,
            (false, false) => Match::No,
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut cursor = input.cursor();
        // Values that are still to be read in each open container, and whether
        // every other one of them is a key.
        let mut open: Vec<(u64, bool)> = vec![(1, false)];
        let mut walk = Walk::new(cx.name());
        while let Some((left, keyed)) = open.last_mut() {
            if *left == 0 {
                open.pop();
                if !open.is_empty() {
                    walk.close();
                }
                continue;
            }
            let is_key = *keyed && *left % 2 == 0;
            *left = left.saturating_sub(1);
            let offset = cursor.position();
            cx.charge(1, offset)?;
            if let Some(text) = text(&mut cursor)? {
                if is_key {
                    walk.key(&text)
                } else {
                    walk.string(&text, offset, cx)?
                }
                continue;
            }
            let is_map = matches!(cursor.peek(1)?.first(), Some(0x80..=0x8f | 0xde | 0xdf));
            if let Some(values) = value(&mut cursor, cx)? {
                if to_u64(open.len()) >= cx.limits().nesting {
                    return Err(Stop::Limit { offset, limit: "nesting" });
                }
                // Every value takes a byte at least.
                if values > cursor.remaining() {
                    return Err(Stop::Truncated {
                        offset: input.len(),
                        needed: values.saturating_sub(cursor.remaining()),
                    });
                }
                if is_map {
                    walk.open_object()
                } else {
                    walk.open_array()
                }
                open.push((values, is_map));
            } else if !is_key {
                walk.other();
            }
        }
        if !cursor.is_at_end() {
            let rest = input.tail(cursor.position());
            let evidence = Evidence::new(Kind::BytesUnexplained, "after", Span::new(cursor.position(), rest.len()));
            cx.push(evidence.with("length", rest.len().to_string()).with("of", "msgpack"));
            cx.behind("behind the MessagePack data", input, cursor.position())?;
        }
        Ok(())
    }
}

/// The string that begins `bytes`, when it is a short one.
fn key(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [length @ 0xa1..=0xbf, rest @ ..] => rest.get(..usize::from(length & 0x1f)),
        [0xd9, length, rest @ ..] => rest.get(..usize::from(*length)),
        _ => None,
    }
}

/// Reads a string that is short enough to mean something to a loader.
fn text(cursor: &mut Cursor<'_>) -> Result<Option<String>, Stop> {
    let rest = usize::try_from(cursor.remaining().min(5)).unwrap_or_default();
    let (head, length) = match cursor.peek(rest)? {
        [tag @ 0xa0..=0xbf, ..] => (1, u64::from(tag & 0x1f)),
        [0xd9, length, ..] => (2, u64::from(*length)),
        [0xda, high, low, ..] => (3, u64::from(u16::from_be_bytes([*high, *low]))),
        [0xdb, a, b, c, d] => (5, u64::from(u32::from_be_bytes([*a, *b, *c, *d]))),
        _ => return Ok(None),
    };
    if length > TEXT {
        return Ok(None);
    }
    cursor.skip(head)?;
    let text = cursor.sub(length)?.all(TEXT)?;
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

/// Reads one value; the number of values in it when it is a container.
fn value(cursor: &mut Cursor<'_>, cx: &mut Cx<'_, '_>) -> Result<Option<u64>, Stop> {
    let offset = cursor.position();
    let size = |cursor: &mut Cursor<'_>, width: u8| match width {
        1 => cursor.u8().map(u64::from),
        2 => cursor.u16_be().map(u64::from),
        _ => cursor.u32_be().map(u64::from),
    };
    let tag = cursor.u8()?;
    match tag {
        0x80..=0x8f => return Ok(Some(u64::from(tag & 0xf).saturating_mul(2))),
        0x90..=0x9f => return Ok(Some(u64::from(tag & 0xf))),
        0xdc => return size(cursor, 2).map(Some),
        0xdd => return size(cursor, 4).map(Some),
        0xde => return size(cursor, 2).map(|n| Some(n.saturating_mul(2))),
        0xdf => return size(cursor, 4).map(|n| Some(n.saturating_mul(2))),
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => {}
        0xa0..=0xbf => cursor.skip(u64::from(tag & 0x1f))?,
        0xcc | 0xd0 => cursor.skip(1)?,
        0xcd | 0xd1 => cursor.skip(2)?,
        0xca | 0xce | 0xd2 => cursor.skip(4)?,
        0xcb | 0xcf | 0xd3 => cursor.skip(8)?,
        0xd9..=0xdb => {
            let length = size(cursor, 1 << tag.saturating_sub(0xd9))?;
            cursor.skip(length)?;
        }
        0xc4..=0xc6 => {
            let length = size(cursor, 1 << tag.saturating_sub(0xc4))?;
            too_long(length, offset, cursor, cx);
            let held = cursor.sub(length)?;
            if held.len() > 4 && super::hdf5::looks_loaded(&held.prefix(16).all(16)?) {
                cx.data(&format!("bytes @ {offset:#x}"), held)?;
            }
        }
        0xc7..=0xc9 => {
            let length = size(cursor, 1 << tag.saturating_sub(0xc7))?;
            too_long(length, offset, cursor, cx);
            extension(cursor, length, offset, cx)?;
        }
        0xd4..=0xd8 => extension(cursor, 1 << tag.saturating_sub(0xd4), offset, cx)?,
        0xc1 => return Err(Stop::malformed(offset, "the byte that MessagePack never uses")),
    }
    Ok(None)
}

/// Evidence of a value that is longer than Flax writes, and than the file is.
fn too_long(length: u64, offset: u64, cursor: &Cursor<'_>, cx: &mut Cx<'_, '_>) {
    if length > CHUNK && length > cursor.remaining() {
        let detail = format!("{length} bytes, of which {} are there", cursor.remaining());
        cx.push(Evidence::new(Kind::HeaderField, "length", Span::at(offset)).with("detail", detail));
    }
}

/// An extension value. Flax has three: arrays, complex numbers and scalars.
fn extension(cursor: &mut Cursor<'_>, length: u64, offset: u64, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let kind = i8::from_be_bytes(cursor.array()?);
    let held = cursor.sub(length)?;
    if !matches!(kind, -1 | 1..=3) {
        let evidence = Evidence::new(Kind::HeaderField, "extension-type", Span::new(offset, length));
        cx.push(evidence.with("detail", format!("type {kind}, {length} bytes")));
        cx.data(&format!("extension {kind} @ {offset:#x}"), held)?;
    } else if matches!(kind, 1 | 3) {
        array(&held, offset, cx)?;
    }
    Ok(())
}

/// The shape, the type and the bytes of an array: a MessagePack array of three.
fn array(held: &Input, offset: u64, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let mut cursor = held.cursor();
    let wrong = |what: &str| {
        Evidence::new(Kind::TensorLayout, "malformed", Span::at(offset))
            .with("tensor", format!("@ {offset:#x}"))
            .with("detail", what.to_owned())
    };
    if cursor.u8()? != 0x93 {
        cx.push(wrong("an array that is not shape, type and bytes"));
        return Ok(());
    }
    let dimensions = value(&mut cursor, cx)?.unwrap_or_default().min(64);
    for _ in 0..dimensions {
        value(&mut cursor, cx)?;
    }
    let name = cursor.peek(crate::input::to_usize(cursor.remaining().min(40)))?.to_vec();
    if key(&name).is_some_and(|name| name == b"object" || name == b"O") {
        cx.push(wrong("an array of Python objects"));
    }
    Ok(())
}
