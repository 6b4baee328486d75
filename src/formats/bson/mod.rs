//! BSON (bsonspec.org 1.1), as Julia's BSON.jl writes models: documents with a
//! `tag` that says what to construct.

use std::collections::BTreeSet;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::{Cursor, Input, to_usize};
use crate::stop::Stop;
use crate::text::config::Walk;

/// Longest string that is read; longer ones are passed over, as data.
const TEXT: u64 = 1 << 20;

/// The format.
#[derive(Debug)]
pub struct Bson;

impl Format for Bson {
    fn name(&self) -> &'static str {
        "bson"
    }

    fn about(&self) -> About {
        About {
            title: "BSON, Julia models (BSON.jl)",
            extensions: &[".bson"],
            reads: "every document, and the tags that BSON.jl constructs objects from",
            leaves_out: "what a constructor does with its fields",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let length = head.first.first_chunk::<4>().map(|bytes| u64::from(u32::from_le_bytes(*bytes)));
        let kind = head.first.get(4).is_some_and(|kind| matches!(kind, 0x01..=0x13));
        let name = head.first.get(5..).and_then(|rest| rest.split(|byte| *byte == 0).next());
        let name = name.is_some_and(|name| name.len() < 128 && name.iter().all(|byte| byte.is_ascii_graphic()));
        if length == Some(head.len) && kind && name && head.last.last() == Some(&0) {
            return Match::Magic;
        }
        if head.is_named(&[".bson"]) { Match::Name } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut cursor = input.cursor();
        let bound = to_usize(cx.limits().string_bytes);
        cursor.skip(4)?;
        let mut depth = 1_u64;
        let mut seen = BTreeSet::new();
        while depth > 0 {
            let offset = cursor.position();
            cx.charge(1, offset)?;
            let kind = cursor.u8()?;
            if kind == 0 {
                depth = depth.saturating_sub(1);
                continue;
            }
            let key = String::from_utf8_lossy(cursor.until(0, bound)?).into_owned();
            match kind {
                0x02 | 0x0d | 0x0e => {
                    let length = u64::from(cursor.u32_le()?);
                    let held = cursor.sub(length)?;
                    if length <= TEXT {
                        let text = held.all(TEXT)?;
                        let text = String::from_utf8_lossy(text.strip_suffix(b"\0").unwrap_or(&text)).into_owned();
                        let mut walk = Walk::new(cx.name());
                        walk.open_object();
                        walk.key(&key);
                        walk.string(&text, offset, cx)?;
                    }
                    if key == "tag" {
                        let text = held.prefix(64).all(64)?;
                        let text = String::from_utf8_lossy(text.split(|byte| *byte == 0).next().unwrap_or_default())
                            .into_owned();
                        if seen.insert(text.clone()) {
                            let evidence = Evidence::new(Kind::LanguageObject, "julia-tag", Span::at(offset));
                            cx.push(evidence.with("detail", text.clone()).with("name", text));
                        }
                    }
                }
                0x03 | 0x04 => {
                    cursor.skip(4)?;
                    depth = depth.saturating_add(1);
                    if depth > cx.limits().nesting {
                        return Err(Stop::Limit { offset, limit: "nesting" });
                    }
                }
                _ => skip(&mut cursor, kind, offset, bound)?,
            }
        }
        if !cursor.is_at_end() {
            let rest = input.tail(cursor.position());
            let evidence = Evidence::new(Kind::BytesUnexplained, "after", Span::new(cursor.position(), rest.len()));
            cx.push(evidence.with("length", rest.len().to_string()).with("of", "bson"));
            cx.behind("behind the BSON document", input, cursor.position())?;
        }
        Ok(())
    }
}

/// Passes over an element that holds no others.
fn skip(cursor: &mut Cursor<'_>, kind: u8, offset: u64, bound: usize) -> Result<(), Stop> {
    match kind {
        0x06 | 0x0a | 0x7f | 0xff => Ok(()),
        0x08 => cursor.skip(1),
        0x10 => cursor.skip(4),
        0x01 | 0x09 | 0x11 | 0x12 => cursor.skip(8),
        0x07 => cursor.skip(12),
        0x13 => cursor.skip(16),
        0x05 => {
            let length = u64::from(cursor.u32_le()?);
            cursor.skip(length.saturating_add(1))
        }
        0x0b => {
            cursor.until(0, bound)?;
            cursor.until(0, bound).map(|_| ())
        }
        0x0c => {
            let length = u64::from(cursor.u32_le()?);
            cursor.skip(length.saturating_add(12))
        }
        0x0f => {
            let length = u64::from(cursor.u32_le()?);
            cursor.skip(length.saturating_sub(4))
        }
        _ => Err(Stop::malformed(offset, format!("{kind:#x} is no element of BSON"))),
    }
}
