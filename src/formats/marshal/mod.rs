//! CPython's marshalled code objects: what stands behind the header of a `.pyc`
//! file, `marshal.loads` payloads of pickles, and the functions that Keras
//! Lambda layers carry.
//!
//! Nothing is unmarshalled or run: the bytes are read into constants and names,
//! and the instructions are walked for what they import and call.

mod opcodes;
mod walk;
mod wire;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::{Input, to_u64};
use crate::stop::Stop;

use opcodes::Version;
use wire::{Code, LAYOUTS, Object, Reading};

/// Strings and names shown of one code object.
const SHOWN: usize = 24;

/// Bytes of one name or string that are kept.
const KEPT: usize = 1024;

/// Constants that are looked at for strings to show.
const LOOKED_AT: usize = 4096;

/// Bytes of one string that are shown.
const SHOWN_BYTES: usize = 160;

/// The format.
#[derive(Debug)]
pub struct Marshal;

impl Format for Marshal {
    fn name(&self) -> &'static str {
        "marshal"
    }

    fn about(&self) -> About {
        About {
            title: "Marshalled Python code (CPython Python/marshal.c, 2.7 to 3.14)",
            extensions: &[],
            reads: "code objects with their names, constants and nested functions; imports and calls from the instructions of 2.7 and 3.6 to 3.14",
            leaves_out: "the instructions of other versions, of which only names and constants are read; calls whose callee is computed",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if looks_like_code(head.first) { Match::Likely } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let data = input.all(cx.limits().header_bytes)?;
        let (magic, start) = pyc_header(&data).map_or((None, 0), |(magic, start)| (Some(magic), start));
        let (layout, reading) = best(&data, start, cx);
        let version = magic.and_then(Version::of_magic).or_else(|| Version::guess(layout, &reading));
        let shown = version.map_or(layout, Version::name);
        emit(&reading, shown, version, cx)?;
        if let Some(stop) = reading.stop {
            return Err(stop);
        }
        if reading.end < data.len() {
            let rest = to_u64(data.len().saturating_sub(reading.end));
            let span = Span::new(to_u64(reading.end), rest);
            let length = rest.to_string();
            cx.push(Evidence::new(Kind::BytesUnexplained, "after", span).with("length", length).with("of", "marshal"));
            cx.behind("behind the code object", input, to_u64(reading.end))?;
        }
        Ok(())
    }
}

/// Whether `bytes` begin like a marshalled code object of a known layout: the
/// type code, small counts, and the bytes object of the instructions.
pub(crate) fn looks_like_code(bytes: &[u8]) -> bool {
    if bytes.first().is_none_or(|tag| tag & 0x7f != b'c') {
        return false;
    }
    // Argument counts are at most 255 in every version that has a limit, and
    // never reach 65,536 in any.
    let small = |at: usize| bytes.get(at..at.saturating_add(4)).is_some_and(|long| long.ends_with(&[0, 0]));
    let instructions = |at: usize| bytes.get(at).is_some_and(|tag| matches!(tag & 0x7f, b's' | b't' | b'r' | b'R'));
    small(1) && small(5) && [17, 21, 25].into_iter().any(instructions)
}

/// The magic number of a `.pyc` file and where its code begins (PEP 552, PEP 3147).
fn pyc_header(bytes: &[u8]) -> Option<(u16, usize)> {
    let (low, rest) = bytes.split_first_chunk::<2>()?;
    if !rest.starts_with(b"\r\n") {
        return None;
    }
    header(u16::from_le_bytes(*low))
}

/// The same of the magic number alone.
pub(crate) fn header(magic: u16) -> Option<(u16, usize)> {
    match magic {
        60_202 | 62_000..=62_300 | 3_000..=3_189 => Some((magic, 8)),
        3_190..=3_389 => Some((magic, 12)),
        3_390..=3_999 => Some((magic, 16)),
        _ => None,
    }
}

/// The layout that reads the data whole, or else the one that came furthest.
fn best<'a>(data: &'a [u8], start: usize, cx: &mut Cx<'_, '_>) -> (&'static str, Reading<'a>) {
    let mut furthest: Option<(&'static str, Reading<'a>)> = None;
    for layout in LAYOUTS {
        let reading = wire::read(data, start, layout, cx);
        if reading.stop.is_none() {
            return (layout.version, reading);
        }
        if furthest.as_ref().is_none_or(|(_, best)| reading.end > best.end) {
            furthest = Some((layout.version, reading));
        }
    }
    let nothing = Reading { objects: Vec::new(), root: None, end: start, stop: None };
    furthest.unwrap_or(("", nothing))
}

fn emit(reading: &Reading<'_>, shown: &str, version: Option<Version>, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let codes = reading.objects.iter().enumerate().filter_map(|(id, object)| match object {
        Object::Code(code) => Some((id, code.as_ref())),
        _ => None,
    });
    let mut globals = walk::Names::new();
    for (id, code) in codes {
        let names = strings_of(reading, code.names);
        let strings = strings_of(reading, code.consts);
        let name = text_of(reading, code.qualname.or(code.name)).unwrap_or_default();
        let file = text_of(reading, code.filename).unwrap_or_default();
        cx.push(
            Evidence::new(Kind::CodeObject, name.clone(), Span::at(to_u64(code.offset)))
                .with("names", names.join(", "))
                .with("strings", strings.join(", "))
                .with("file", file)
                .with("version", shown),
        );
        if let Some(version) = version {
            let root = reading.root == Some(id) || reading.root.is_none();
            walk::walk(reading, code, version, root, &mut globals, cx)?;
        }
    }
    Ok(())
}

/// The text of a string object, for showing and for looking up names.
fn text_of(reading: &Reading<'_>, id: Option<wire::Id>) -> Option<String> {
    match reading.objects.get(id?)? {
        Object::Text(bytes) | Object::Bytes(bytes) => {
            let kept = bytes.get(..KEPT).unwrap_or(bytes);
            Some(String::from_utf8_lossy(kept).into_owned())
        }
        _ => None,
    }
}

/// The items of a tuple.
fn items_of<'r>(reading: &'r Reading<'_>, id: Option<wire::Id>) -> &'r [wire::Id] {
    match id.and_then(|id| reading.objects.get(id)) {
        Some(Object::Items(items)) => items,
        _ => &[],
    }
}

/// The first strings in a tuple and in the tuples in it, shortened.
fn strings_of(reading: &Reading<'_>, id: Option<wire::Id>) -> Vec<String> {
    let mut shown = Vec::new();
    let items = items_of(reading, id);
    let all = items.iter().flat_map(|item| std::iter::once(item).chain(items_of(reading, Some(*item))));
    for item in all.take(LOOKED_AT) {
        if let Some(text) = text_of(reading, Some(*item)).filter(|text| !text.is_empty()) {
            shown.push(text.chars().take(SHOWN_BYTES).collect());
            if shown.len() == SHOWN {
                break;
            }
        }
    }
    shown
}

/// The code object of a reading, for the walk.
fn code_bytes<'r>(reading: &'r Reading<'_>, code: &Code) -> &'r [u8] {
    match code.code.and_then(|id| reading.objects.get(id)) {
        Some(Object::Bytes(bytes)) => bytes,
        _ => &[],
    }
}
