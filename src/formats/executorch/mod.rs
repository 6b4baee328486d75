//! ExecuTorch programs: a FlatBuffer, then segments of raw data.

use std::collections::BTreeMap;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::flatbuffers::{Flat, Table};
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::stop::Stop;

/// The ExecuTorch reader.
pub struct ExecuTorch;

impl Format for ExecuTorch {
    fn name(&self) -> &'static str {
        "executorch"
    }

    fn about(&self) -> About {
        About {
            title: "ExecuTorch programs, as executorch/schema/program.fbs defines them",
            extensions: &[".pte"],
            reads: "the extended header, segments' places, operators and delegates of every plan",
            leaves_out: "values, instructions, and what is compiled for a delegate",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if head.has_at(4, b"ET12") || head.has_at(4, b"ET11") || head.has_at(4, b"ET13") {
            Match::Magic
        } else if head.is_named(&[".pte"]) {
            Match::Name
        } else {
            Match::No
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        if input.len() < 8 || !input.bytes(4, 4, 4)?.starts_with(b"ET1") {
            return Err(Stop::malformed(4, "the identifier ET12 is missing"));
        }
        let mut flat = Flat::new(input);
        let outcome = program(&mut flat, input, cx);
        if let Err(Stop::Malformed { offset, what }) = &outcome {
            anomaly(cx, "offset", *offset, what.to_string());
        }
        outcome?;
        cx.behind("after the program", input, flat.reached())
    }
}

fn anomaly(cx: &mut Cx<'_, '_>, what: &'static str, at: u64, detail: String) {
    cx.push(Evidence::new(Kind::GraphAnomaly, what, Span::at(at)).with("detail", detail));
}

/// `Program`, with the header that says where segments begin.
fn program(flat: &mut Flat<'_>, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let mut segment_base = 0;
    if input.len() >= 32 && input.bytes(8, 4, 4)? == b"eh00" {
        let size = flat.u64(16)?;
        segment_base = flat.u64(24)?;
        if size > input.len() || segment_base > input.len() {
            let detail = format!("the program has {size} bytes, its segments begin at {segment_base}");
            anomaly(cx, "header", 8, detail);
        }
    }
    let root = flat.root()?;
    let mut uses: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let plans = flat.tables(root, 1)?;
    for index in 0..plans.len {
        let plan = flat.item(plans, index)?;
        names(flat, plan, 6, "executorch", &mut uses, cx)?;
        names(flat, plan, 7, "executorch.delegate", &mut uses, cx)?;
    }
    for (name, (count, at)) in uses {
        cx.push(Evidence::new(Kind::OperatorUse, name, Span::at(at)).with("count", count.to_string()));
    }
    let segments = flat.tables(root, 4)?;
    for index in 0..segments.len {
        let segment = flat.item(segments, index)?;
        cx.charge(2, segment.at)?;
        let (offset, size) = (flat.long(segment, 0)?, flat.long(segment, 1)?);
        let begin = segment_base.checked_add(offset);
        let end = begin.and_then(|begin| begin.checked_add(size));
        match (begin, end.filter(|end| *end <= input.len())) {
            (Some(begin), Some(end)) => {
                flat.touch(end);
                cx.data(&format!("segment {index}"), input.window(begin, size)?)?;
            }
            _ => {
                anomaly(cx, "segment", segment.at, format!("segment {index}: {size} bytes at {offset}"));
            }
        }
    }
    Ok(())
}

/// Names in the first field of a plan's operators or delegates, with the
/// overload that an operator has in its second.
fn names(
    flat: &mut Flat<'_>,
    plan: Table,
    id: u16,
    domain: &str,
    uses: &mut BTreeMap<String, (u64, u64)>,
    cx: &mut Cx<'_, '_>,
) -> Result<(), Stop> {
    let items = flat.tables(plan, id)?;
    for index in 0..items.len {
        let item = flat.item(items, index)?;
        cx.charge(2, item.at)?;
        let name = flat.text(item, 0, 1024)?;
        let used = uses.entry(format!("{domain}::{name}")).or_insert((0, item.at));
        used.0 = used.0.saturating_add(1);
    }
    Ok(())
}
