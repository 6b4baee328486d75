//! Programs of PaddlePaddle 3: regions of blocks of operators in JSON, names
//! shortened by the dialect's number
//! (`paddle/fluid/pir/serialize_deserialize/include/schema.h`).

use crate::engine::Cx;
use crate::formats::json;
use crate::input::Input;
use crate::json::{Event, Events};
use crate::stop::Stop;

use super::{FILES, Uses, count, opens};

/// Bytes at the start in which the magic stands.
const START: usize = 1024;

/// Whether a document begins with `base_code`, which has the magic.
pub(super) fn begins(first: &[u8]) -> bool {
    let start = first.get(..first.len().min(START)).unwrap_or(first);
    let compact: Vec<u8> = start.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    compact.starts_with(b"{") && memchr::memmem::find(&compact, b"\"magic\":\"pir\"").is_some()
}

/// Whether a program is in JSON: a message of protobuf begins with a line end,
/// the length of a block and its number.
pub(super) fn is_json(first: &[u8]) -> bool {
    json::begins(first) || first.iter().all(u8::is_ascii_whitespace)
}

/// An object or array that is open.
#[derive(Debug, Default)]
struct Open {
    /// The key under which it stands, its array's when it stands in one.
    key: String,
    /// The operator that the object is, once its name has been read.
    operator: String,
    /// The text of an attribute, and where it stands.
    text: Option<(String, u64)>,
    /// The attribute is the path of a file.
    is_path: bool,
    /// The paths among what it holds. Keys stand in any order.
    paths: Vec<(String, u64)>,
}

/// The name of an operator with its dialect, where that is not one of
/// PaddlePaddle's own: `builtin`, `pd_op`, `cf` and `dist` are.
fn name(written: &str) -> String {
    match written.split_once('.') {
        None | Some(("0" | "1" | "2" | "4" | "builtin" | "pd_op" | "cf" | "dist" | "dist_op", _)) => {
            written.rsplit_once('.').map_or(written, |(_, name)| name).to_owned()
        }
        Some(("3", name)) => format!("paddle.custom_op::{name}"),
        Some((dialect, name)) => format!("paddle.{dialect}::{name}"),
    }
}

/// Reads all operators of the program.
pub(super) fn read(input: &Input, uses: &mut Uses, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let bytes = input.all(cx.limits().header_bytes)?;
    let mut events = Events::new(&bytes, cx.limits().nesting);
    let mut open: Vec<Open> = Vec::new();
    let mut key = String::new();
    while let Some((at, event)) = events.next()? {
        cx.charge(1, at)?;
        match event {
            Event::Key(name) => key = name.into_owned(),
            Event::BeginObject | Event::BeginArray => {
                let around = open.last().map(|around| around.key.clone()).unwrap_or_default();
                let key = if key.is_empty() { around } else { std::mem::take(&mut key) };
                open.push(Open { key, ..Open::default() });
            }
            Event::EndObject | Event::EndArray => {
                if let Some(closed) = open.pop() {
                    close(closed, open.last_mut(), cx);
                }
            }
            Event::String(text) => {
                if let Some(inner) = open.last_mut() {
                    string(inner, &std::mem::take(&mut key), &text, at, uses, cx);
                }
            }
            Event::Number(_) | Event::Bool(_) | Event::Null => key.clear(),
        }
    }
    Ok(())
}

/// Hands what an object or array holds to the operator around it.
fn close(closed: Open, around: Option<&mut Open>, cx: &mut Cx<'_, '_>) {
    let Open { operator, mut text, is_path, mut paths, .. } = closed;
    if is_path {
        paths.extend(text.take());
    }
    if FILES.contains(&operator.as_str()) {
        paths.into_iter().for_each(|(path, at)| opens(path, &operator, at, cx));
    } else if let Some(around) = around {
        around.paths.append(&mut paths);
        // What an attribute is called stands beside its value.
        if text.is_some() {
            around.text = text;
        }
    }
}

fn string(inner: &mut Open, key: &str, text: &str, at: u64, uses: &mut Uses, cx: &mut Cx<'_, '_>) {
    match key {
        "#" if inner.key == "ops" => {
            inner.operator = name(&cx.shorten(text));
            // Parameters have a letter for a name.
            if inner.operator != "p" {
                count(uses, &inner.operator, at);
            }
        }
        "D" => inner.text = Some((cx.shorten(text), at)),
        "N" if text == "file_path" => inner.is_path = true,
        _ => {}
    }
}
