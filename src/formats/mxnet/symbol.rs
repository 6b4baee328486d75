//! Graphs of MXNet: `*-symbol.json`, nodes with an operator and attributes that
//! are texts (`nnvm::pass::SaveJSON`).

use std::collections::BTreeMap;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::Head;
use crate::input::Input;
use crate::json::{Event, Events};
use crate::stop::Stop;

/// Attributes that say which callback an operator is.
const TOLD: [&str; 2] = ["op_type", "info"];

/// Whether a document is a graph: it has nodes, arguments and heads.
pub(super) fn begins(head: &Head<'_>) -> bool {
    let has = |key: &[u8]| [head.first, head.last].iter().any(|part| memchr::memmem::find(part, key).is_some());
    head.first.trim_ascii_start().starts_with(b"{") && has(b"\"nodes\"") && has(b"\"arg_nodes\"") && has(b"\"heads\"")
}

/// Reads the operators of all nodes, subgraphs included.
pub(super) fn read(input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let bytes = input.all(cx.limits().header_bytes)?;
    let mut events = Events::new(&bytes, cx.limits().nesting);
    // By operator and what it is told: how often, and where first.
    let mut uses: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
    // The operator and the attribute of each open object.
    let mut open: Vec<(String, String, u64)> = Vec::new();
    let mut key = String::new();
    while let Some((at, event)) = events.next()? {
        cx.charge(1, at)?;
        match event {
            Event::Key(name) => key = name.into_owned(),
            Event::BeginObject => open.push((String::new(), String::new(), at)),
            Event::EndObject => {
                let Some((operator, told, at)) = open.pop() else { continue };
                if operator.is_empty() {
                    // Attributes stand in an object of their own.
                    if let Some((_, around, _)) = open.last_mut().filter(|_| !told.is_empty()) {
                        *around = told;
                    }
                    continue;
                }
                let used = uses.entry((operator, told)).or_insert((0, at));
                used.0 = used.0.saturating_add(1);
            }
            Event::String(text) => {
                let Some((operator, told, _)) = open.last_mut() else { continue };
                if key == "op" && text != "null" {
                    *operator = cx.shorten(&text);
                } else if TOLD.contains(&key.as_str()) {
                    *told = cx.shorten(&text);
                }
            }
            _ => {}
        }
    }
    for ((operator, told), (count, at)) in uses {
        let evidence = Evidence::new(Kind::OperatorUse, format!("mxnet::{operator}"), Span::at(at));
        let evidence = evidence.with("count", count.to_string());
        cx.push(if told.is_empty() { evidence } else { evidence.with("constant", told) });
    }
    Ok(())
}
