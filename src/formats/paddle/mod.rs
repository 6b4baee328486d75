//! PaddlePaddle programs: `ProgramDesc`, a protobuf message of blocks of
//! operators, and since version 3 JSON. Parameters beside it are raw or pickles,
//! read as such.

mod ops;
mod pir;

use std::collections::BTreeMap;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::protobuf::{self, Message, Shape, Value, Walker};
use crate::formats::{About, Format, Head, Match, reference};
use crate::input::Input;
use crate::stop::Stop;

/// Operators that open the file that they name.
const FILES: [&str; 4] = ["load", "load_combine", "save", "save_combine"];

/// First bytes that tell JSON from protobuf, blanks included.
const HEAD: u64 = 64 * 1024;

/// The PaddlePaddle reader.
pub struct Paddle;

impl Format for Paddle {
    fn name(&self) -> &'static str {
        "paddle"
    }

    fn about(&self) -> About {
        About {
            title: "PaddlePaddle programs, as paddle/fluid/framework/framework.proto defines them, and PIR in JSON",
            extensions: &[".pdmodel", "inference.json"],
            reads: "operators of all blocks, and the files that they open",
            leaves_out: "variables, and attributes other than paths",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if pir::begins(head.first) {
            return Match::Magic;
        }
        let named = head.is_named(&[".pdmodel", "__model__"]);
        let block = Shape::of(head.first, head.len).filter(|shape| shape.only(&[1, 4, 5])).and_then(|shape| {
            let Some(Value::Bytes(bytes)) = shape.first(1) else { return None };
            Shape::of(shape.bytes(1, head.first)?, bytes.len)
        });
        // `idx` and `parent_idx`, which is -1 for the first block.
        let fits = block.is_some_and(|block| {
            block.number(1) == Some(0) && block.number(2).is_some() && block.only(&[1, 2, 3, 4, 5])
        });
        match (fits, named) {
            (true, true) => Match::Magic,
            (true, false) => Match::Likely,
            (false, true) => Match::Name,
            (false, false) => Match::No,
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut uses = Uses::new();
        let json = pir::is_json(&input.prefix(HEAD).all(HEAD)?);
        let outcome = if json { pir::read(input, &mut uses, cx) } else { blocks(input, &mut uses, cx) };
        for (name, (count, at)) in uses {
            // Names of PIR say which dialect an operator is of.
            let origin = if json && !name.contains("::") { "core" } else { ops::origin(&name) };
            let name = if name.contains("::") { name } else { format!("paddle::{name}") };
            let evidence = Evidence::new(Kind::OperatorUse, name, Span::at(at));
            cx.push(evidence.with("count", count.to_string()).with("origin", origin));
        }
        if json { outcome } else { protobuf::behind(outcome, input, cx) }
    }
}

/// Operators by name: how often, and where first.
type Uses = BTreeMap<String, (u64, u64)>;

fn count(uses: &mut Uses, name: &str, at: u64) {
    let used = uses.entry(name.to_owned()).or_insert((0, at));
    used.0 = used.0.saturating_add(1);
}

/// Tells of a file that an operator opens.
fn opens(path: String, by: &str, at: u64, cx: &mut Cx<'_, '_>) {
    let evidence = Evidence::new(Kind::ReferencePath, reference::classify(&path), Span::at(at));
    cx.push(evidence.with("path", path).with("by", by.to_owned()));
}

/// `ProgramDesc.blocks`
fn blocks(input: &Input, uses: &mut Uses, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let mut walker = Walker::new(input);
    let mut program = walker.whole();
    while let Some(field) = walker.next(&mut program)? {
        if let (1, Value::Bytes(block)) = (field.number, field.value) {
            operators(&mut walker, block.message(), uses, cx)?;
        }
    }
    Ok(())
}

/// `OpDesc.Attr` with the name `file_path`: field 1 is the name, 5 the string.
fn file_path(walker: &mut Walker<'_>, mut attr: Message) -> Result<Option<String>, Stop> {
    let (mut named, mut path) = (false, None);
    while let Some(field) = walker.next(&mut attr)? {
        match (field.number, field.value) {
            (1, Value::Bytes(name)) => named = walker.text(name, 64)? == "file_path",
            (5, Value::Bytes(text)) => path = Some(walker.text(text, 4096)?),
            _ => {}
        }
    }
    Ok(path.filter(|_| named))
}

/// `BlockDesc.ops`
fn operators(walker: &mut Walker<'_>, mut block: Message, uses: &mut Uses, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    while let Some(field) = walker.next(&mut block)? {
        cx.charge(1, field.at)?;
        let (4, Value::Bytes(op)) = (field.number, field.value) else { continue };
        let mut op = op.message();
        let mut paths = Vec::new();
        let mut kind = String::new();
        while let Some(inner) = walker.next(&mut op)? {
            match (inner.number, inner.value) {
                (3, Value::Bytes(text)) => {
                    kind = walker.text(text, 256)?;
                    count(uses, &kind, field.at);
                }
                (4, Value::Bytes(attr)) => paths.extend(file_path(walker, attr.message())?),
                _ => {}
            }
        }
        if FILES.contains(&kind.as_str()) {
            for path in paths {
                opens(path, &kind, field.at, cx);
            }
        }
    }
    Ok(())
}
