//! Zarr, versions 2 and 3: the description of an array, whose chunks are files
//! beside it (Zarr storage specification, `.zarray` and `zarr.json`).

use serde_json::Value;

use crate::artifact::Companion;
use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match, json};
use crate::input::Input;
use crate::stop::Stop;

/// Dimensions of an array; NumPy stops at 64.
const DIMENSIONS: usize = 64;

/// Reads descriptions of Zarr arrays: see [`Format`].
#[derive(Debug)]
pub struct Zarr;

impl Format for Zarr {
    fn name(&self) -> &'static str {
        "zarr"
    }

    fn about(&self) -> About {
        About {
            title: "Zarr arrays, versions 2 and 3 (Zarr storage specification): .zarray and zarr.json",
            extensions: &[".zarray", "zarr.json", ".zmetadata"],
            reads: "shape, type, filters and codecs; which files beside it are chunks",
            leaves_out: "the numbers; chunks that are packed with Blosc",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let is = json::begins(head.first) && memchr::memmem::find(head.first, b"\"zarr_format\"").is_some();
        if is && head.is_named(self.about().extensions) { Match::Likely } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let bytes = input.all(cx.limits().source_bytes)?;
        let document: Value = match serde_json::from_slice(&bytes) {
            Ok(document) => document,
            Err(error) => {
                // Text that is cut is text all the same.
                cx.gap(&Stop::malformed(0, format!("not JSON: {error}")));
                return Ok(());
            }
        };
        codecs(&document, cx)?;
        if let Some(chunks) = chunks(&document) {
            cx.companion(chunks);
        }
        Ok(())
    }
}

/// Filters and codecs that make objects out of bytes: numcodecs' `pickle`, by
/// either version's way to name it, in consolidated metadata too.
fn codecs(document: &Value, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let mut open = vec![document];
    while let Some(value) = open.pop() {
        cx.charge(1, 0)?;
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => {
                let name = fields.get("id").or_else(|| fields.get("name")).and_then(Value::as_str);
                if let Some(name @ ("pickle" | "numcodecs.pickle")) = name {
                    let evidence = Evidence::new(Kind::ReferenceCode, name, Span::at(0));
                    cx.push(evidence.with("key", "codec"));
                }
                open.extend(fields.values());
            }
            _ => {}
        }
    }
    Ok(())
}

/// The chunks of an array of numbers.
fn chunks(document: &Value) -> Option<Companion> {
    let version = document.get("zarr_format")?.as_u64()?;
    let sizes = |value: &Value| -> Option<Vec<u64>> {
        let sizes: Option<Vec<u64>> = value.as_array()?.iter().map(Value::as_u64).collect();
        sizes.filter(|sizes| sizes.len() <= DIMENSIONS)
    };
    let shape = sizes(document.get("shape")?)?;
    let (chunk, element, prefix, separator) = if version == 2 {
        let separator = document.get("dimension_separator").and_then(Value::as_str).unwrap_or(".");
        (sizes(document.get("chunks")?)?, element_2(document.get("dtype")?.as_str()?)?, "", separator)
    } else {
        let grid = document.get("chunk_grid")?.get("configuration")?.get("chunk_shape")?;
        let keys = document.get("chunk_key_encoding")?;
        let of_2 = keys.get("name")?.as_str()? == "v2";
        let separator = keys.get("configuration").and_then(|keys| keys.get("separator")).and_then(Value::as_str);
        let separator = separator.unwrap_or(if of_2 { "." } else { "/" });
        let prefix = match (of_2, separator, shape.is_empty()) {
            (true, ..) => "",
            (_, _, true) => "c",
            (_, ".", _) => "c.",
            _ => "c/",
        };
        (sizes(grid)?, element_3(document.get("data_type")?.as_str()?)?, prefix, separator)
    };
    let separator = separator.chars().next().filter(|separator| matches!(separator, '.' | '/'))?;
    if chunk.len() != shape.len() || chunk.contains(&0) {
        return None;
    }
    let grid = shape.iter().zip(&chunk).map(|(size, chunk)| size.div_ceil(*chunk)).collect();
    let bytes = chunk.iter().try_fold(element, |bytes, size| bytes.checked_mul(*size))?;
    Some(Companion::Chunks { prefix: prefix.to_owned(), separator, grid, bytes })
}

/// Bytes of a number by its NumPy type: order, kind and size.
fn element_2(dtype: &str) -> Option<u64> {
    if dtype == "bfloat16" {
        return Some(2);
    }
    let kind = dtype.strip_prefix(['<', '>', '|'])?;
    kind.strip_prefix(['b', 'i', 'u', 'f', 'c'])?.parse().ok().filter(|size| (1..=32).contains(size))
}

fn element_3(data_type: &str) -> Option<u64> {
    if data_type == "bool" {
        return Some(1);
    }
    let digits = ["uint", "int", "bfloat", "float", "complex"].iter().find_map(|kind| data_type.strip_prefix(kind))?;
    let bits: u64 = digits.parse().ok()?;
    matches!(bits, 8 | 16 | 32 | 64 | 128).then_some(bits / 8)
}
