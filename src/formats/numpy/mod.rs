//! NumPy's `.npy` files, several arrays in one file included; `.npz` is a zip
//! of them.

mod dtype;
mod literal;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::hdf5;
use crate::formats::stream;
use crate::formats::{About, Format, Head, Match};
use crate::input::{Cursor, Input, to_u64};
use crate::stop::Stop;

use literal::Literal;

/// Reads `.npy` files: see [`Format`].
#[derive(Debug)]
pub struct Numpy;

const MAGIC: &[u8] = b"\x93NUMPY";

/// NumPy refuses longer headers unless told that the file is trusted
/// (`_MAX_HEADER_SIZE`).
const MAX_HEADER: u64 = 10_000;

/// `NPY_MAXDIMS` of NumPy 2.
const MAX_DIMENSIONS: usize = 64;

impl Format for Numpy {
    fn name(&self) -> &'static str {
        "numpy"
    }

    fn about(&self) -> About {
        About {
            title: "NumPy .npy, versions 1.0 to 3.0 (numpy/lib/format.py)",
            extensions: &[".npy"],
            reads: "the header, by a parser that evaluates nothing; arrays of objects as the pickles that they are; \
                    sizes against the file; every array of a file that has several",
            leaves_out: "the values of numbers",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if head.starts_with(MAGIC) { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut offset = 0;
        loop {
            cx.charge(1, offset)?;
            let Some(end) = array(input, offset, cx)? else { return Ok(()) };
            let mut next = [0; MAGIC.len()];
            let n = input.read_at(end, &mut next)?;
            if n < next.len() || next != MAGIC {
                return stream::trailing("numpy", input, end, cx);
            }
            offset = end;
        }
    }
}

/// Reads the array at `offset`. Returns where it ends, or nothing when all
/// that is left of the file has been dealt with.
fn array(input: &Input, offset: u64, cx: &mut Cx<'_, '_>) -> Result<Option<u64>, Stop> {
    let mut cursor = Cursor::at(input, offset.saturating_add(to_u64(MAGIC.len())));
    let (major, minor) = (cursor.u8()?, cursor.u8()?);
    if !matches!((major, minor), (1..=3, 0)) {
        rest(input, cursor.position(), cx)?;
        return Err(Stop::unsupported(offset, format!("version {major}.{minor} of the .npy format")));
    }
    let length = if major == 1 { u64::from(cursor.u16_le()?) } else { u64::from(cursor.u32_le()?) };
    let start = cursor.position();
    let span = Span::new(start, length);
    let text = input.bytes(start, length, cx.limits().header_bytes)?;
    if length > MAX_HEADER {
        field(cx, "npy-header-length", span, length.to_string());
    }
    // Versions 1 and 2 are Latin-1; what matters of it is ASCII.
    let text = String::from_utf8_lossy(&text);
    let data = start.saturating_add(length);
    let header = match literal::parse(&text, cx.limits().depth) {
        Ok(header) => header,
        Err(stop) => {
            let shown: String = text.trim().chars().take(200).collect();
            cx.push(
                Evidence::new(Kind::HeaderField, "npy-header-not-literal", span)
                    .with("detail", shown)
                    .with("problem", stop.to_string()),
            );
            // Whatever the header means, what follows it may be a pickle.
            rest(input, data, cx)?;
            return Err(stop.shifted(start));
        }
    };
    let (descr, shape) = fields(&header, span, cx);
    let kind = descr.map(dtype::read).unwrap_or_default();
    cx.row("arrays", &["version", "descr", "fortran_order", "shape", "offset"], || {
        let order = header.get("fortran_order").map(cell);
        vec![
            format!("{major}.{minor}").into(),
            descr.map(cell).into(),
            order.into(),
            shape.map(cell).into(),
            data.into(),
        ]
    });
    if kind.object {
        let rest = input.tail(data);
        if rest.is_empty() {
            return Err(Stop::Truncated { offset: data, needed: 1 });
        }
        cx.child_as("pickle", "objects", rest)?;
        return Ok(None);
    }
    let count = shape.and_then(dtype::count);
    let size = kind.size.zip(count).and_then(|(size, count)| size.checked_mul(count));
    let Some(size) = size else {
        let what = if kind.size.is_none() { "npy-descr" } else { "npy-shape" };
        let detail = if kind.size.is_none() { descr } else { shape };
        field(cx, what, span, detail.map(render).unwrap_or_default());
        rest(input, data, cx)?;
        return Ok(None);
    };
    let held = input.window(data, size)?;
    if descr.zip(count).is_some_and(|(descr, count)| is_bytes(descr, count)) {
        let head = held.prefix(16).all(16)?;
        if hdf5::looks_loaded(&head) {
            cx.data("data", held)?;
        }
    }
    Ok(Some(data.saturating_add(size)))
}

/// Whether an array is bytes rather than numbers: of a byte each, of no type,
/// or one string of them.
fn is_bytes(descr: &Literal, count: u64) -> bool {
    let Literal::Text(code) = descr else { return false };
    let code = code.trim_start_matches(['|', '<', '>', '=']);
    matches!(code, "u1" | "i1") || code.starts_with('V') || code.starts_with('S') && count == 1
}

/// Examines what follows a header that says nothing about it.
fn rest(input: &Input, data: u64, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let rest = input.tail(data);
    if rest.is_empty() { Ok(()) } else { cx.data("data", rest) }
}

/// The description of the type and the shape; what else the header has, or
/// lacks, is said.
fn fields<'h>(header: &'h Literal, span: Span, cx: &mut Cx<'_, '_>) -> (Option<&'h Literal>, Option<&'h Literal>) {
    let Literal::Dict(items) = header else {
        field(cx, "npy-header-keys", span, "the header is no dict".to_owned());
        return (None, None);
    };
    let (mut descr, mut shape, mut order) = (None, None, None);
    for (key, value) in items {
        let slot = match key {
            Literal::Text(key) if key == "descr" => &mut descr,
            Literal::Text(key) if key == "shape" => &mut shape,
            Literal::Text(key) if key == "fortran_order" => &mut order,
            other => {
                field(cx, "npy-header-keys", span, format!("unknown key {}", render(other)));
                continue;
            }
        };
        if slot.replace(value).is_some() {
            field(cx, "npy-header-keys", span, format!("key {} twice", render(key)));
        }
    }
    for (key, found) in [("descr", descr), ("shape", shape), ("fortran_order", order)] {
        if found.is_none() {
            field(cx, "npy-header-keys", span, format!("no key {key}"));
        }
    }
    if order.is_some_and(|order| !matches!(order, Literal::Bool(_))) {
        field(cx, "npy-header-keys", span, "fortran_order is neither True nor False".to_owned());
    }
    if let Some(Literal::Sequence(dimensions)) = shape
        && dimensions.len() > MAX_DIMENSIONS
    {
        field(cx, "npy-shape", span, format!("{} dimensions", dimensions.len()));
    }
    (descr, shape)
}

fn field(cx: &mut Cx<'_, '_>, what: &'static str, span: Span, detail: String) {
    cx.push(Evidence::new(Kind::HeaderField, what, span).with("detail", detail));
}

/// A literal, as a table shows it.
fn cell(literal: &Literal) -> serde_json::Value {
    match literal {
        Literal::Number(Some(number)) => i64::try_from(*number).ok().into(),
        Literal::Bool(flag) => (*flag).into(),
        Literal::Sequence(items) if items.len() <= MAX_DIMENSIONS => items.iter().map(cell).collect(),
        other => render(other).into(),
    }
}

/// A literal, shortened, for a report.
fn render(literal: &Literal) -> String {
    let text: String = match literal {
        Literal::Text(text) => text.clone(),
        Literal::Number(Some(number)) => number.to_string(),
        Literal::Number(None) => "a number that is too large".to_owned(),
        Literal::Bool(flag) => flag.to_string(),
        Literal::None => "None".to_owned(),
        Literal::Sequence(items) => {
            let items: Vec<String> = items.iter().take(8).map(render).collect();
            format!("({})", items.join(", "))
        }
        Literal::Dict(items) => format!("a dict of {} items", items.len()),
    };
    text.chars().take(200).collect()
}
