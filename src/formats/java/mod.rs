//! Java's object serialisation: a stream that, like pickle, constructs what it
//! names (Java Object Serialization Specification, section 6).

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::{Input, to_u64, to_usize};
use crate::stop::Stop;
use crate::text;

/// Reads Java object streams: see [`Format`].
#[derive(Debug)]
pub struct Java;

const STREAM_MAGIC: &[u8] = b"\xac\xed\x00\x05";
const TC_CLASSDESC: u8 = 0x72;

/// Longest class name that is believed.
const LONGEST: usize = 512;

impl Format for Java {
    fn name(&self) -> &'static str {
        "java"
    }

    fn about(&self) -> About {
        About {
            title: "Java object stream (Java Object Serialization Specification)",
            extensions: &[".ser", ".model"],
            reads: "the classes that reading it constructs",
            leaves_out: "the fields of the objects",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let contents = matches!(head.first.get(4), Some(0x70..=0x7e));
        if head.starts_with(STREAM_MAGIC) && contents { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let bound = cx.limits().header_bytes;
        let bytes = input.prefix(bound).all(bound)?;
        let mut seen: Vec<String> = Vec::new();
        for at in memchr::memchr_iter(TC_CLASSDESC, &bytes) {
            cx.charge(1, to_u64(at))?;
            let Some(name) = class_name(&bytes, at.saturating_add(1)) else { continue };
            if seen.contains(&name) {
                continue;
            }
            let span = Span::new(to_u64(at), to_u64(name.len()));
            cx.push(
                Evidence::new(Kind::ObjectType, name.clone(), span).with("loader", "java").with("how", "construct"),
            );
            seen.push(name);
        }
        if input.len() > bound {
            return Err(Stop::Limit { offset: bound, limit: "header-bytes" });
        }
        Ok(())
    }
}

/// A class descriptor's name: a length and that many characters, with the
/// eight bytes of its version behind.
fn class_name(bytes: &[u8], at: usize) -> Option<String> {
    let [high, low] = *bytes.get(at..at.saturating_add(2))? else { return None };
    let len = to_usize(u64::from(u16::from_be_bytes([high, low])));
    let from = at.saturating_add(2);
    let name = bytes.get(from..from.saturating_add(len))?;
    let plausible = (4..=LONGEST).contains(&len)
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$' | b'[' | b';' | b'/'))
        && (name.contains(&b'.') || name.starts_with(b"["));
    bytes.get(from.saturating_add(len)..from.saturating_add(len).saturating_add(8))?;
    plausible.then(|| text::excerpt(&String::from_utf8_lossy(name), 160))
}
