//! TensorFlow Lite: a model as a FlatBuffer.
//!
//! Every index into another part is checked, since interpreters have trusted
//! them; operators are listed, and those of full TensorFlow (`Flex`) by the
//! names that they have there.

mod subgraph;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::flatbuffers::{Flat, Table, Vector};
use crate::formats::tensorflow::ops;
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::stop::Stop;

/// `BuiltinOperator` in `schema.fbs`, by number.
static BUILTINS: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("builtins.txt").lines().collect());

/// `BuiltinOperator_CUSTOM`
const CUSTOM: u32 = 32;

/// The TensorFlow Lite reader.
pub struct TfLite;

impl Format for TfLite {
    fn name(&self) -> &'static str {
        "tflite"
    }

    fn about(&self) -> About {
        About {
            title: "TensorFlow Lite models, as tensorflow/lite/schema/schema.fbs defines them",
            extensions: &[".tflite", ".lite"],
            reads: "operators, custom and Flex ones by name; subgraphs, tensors and buffers with every index; metadata",
            leaves_out: "the options of operators, the numbers in buffers",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if head.has_at(4, b"TFL3") {
            Match::Magic
        } else if head.is_named(&[".tflite"]) {
            Match::Name
        } else {
            Match::No
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        if input.len() < 8 || input.bytes(4, 4, 4)? != b"TFL3" {
            return Err(Stop::malformed(4, "the identifier TFL3 is missing"));
        }
        let mut reader = Reader {
            flat: Flat::new(input),
            cx,
            codes: Vec::new(),
            buffers: 0,
            uses: BTreeMap::new(),
            calls: BTreeMap::new(),
        };
        let outcome = reader.model();
        if let Err(Stop::Malformed { offset, what }) = &outcome {
            anomaly(reader.cx, "offset", *offset, what.to_string());
        }
        reader.finish();
        let reached = reader.flat.reached();
        outcome?;
        after(reached, input, cx)
    }
}

fn anomaly(cx: &mut Cx<'_, '_>, what: &'static str, at: u64, detail: String) {
    cx.push(Evidence::new(Kind::GraphAnomaly, what, Span::at(at)).with("detail", detail));
}

/// What stands behind everything that was looked at: labels in a zip as a
/// rule, which is recognised by itself.
fn after(reached: u64, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let left = input.len().saturating_sub(reached);
    let mut magic = [0; 4];
    input.tail(reached).read_at(0, &mut magic)?;
    if &magic == b"PK\x03\x04" {
        return Ok(());
    }
    if left > 64 {
        cx.push(
            Evidence::new(Kind::BytesUnexplained, "after", Span::new(reached, left))
                .with("length", left.to_string())
                .with("of", "tflite"),
        );
    }
    cx.behind("after the model", input, reached)
}

/// Walks one model.
struct Reader<'r, 'i, 'j, 'e> {
    flat: Flat<'i>,
    cx: &'r mut Cx<'j, 'e>,
    /// `operator_codes`: name of each.
    codes: Vec<String>,
    buffers: u64,
    /// Operators by name: how often, and where first.
    uses: BTreeMap<String, (u64, u64)>,
    /// Which subgraphs a subgraph calls.
    calls: BTreeMap<u64, Vec<u64>>,
}

impl Reader<'_, '_, '_, '_> {
    /// `Model`
    fn model(&mut self) -> Result<(), Stop> {
        let model = self.flat.root()?;
        if self.cx.describes() {
            let version = self.flat.number(model, 0, 0)?;
            self.cx.field("version", || version.into());
        }
        self.operator_codes(model)?;
        self.buffers(model)?;
        let subgraphs = self.flat.tables(model, 2)?;
        for index in 0..subgraphs.len {
            let subgraph = self.flat.item(subgraphs, index)?;
            self.subgraph(subgraph, index, subgraphs.len)?;
        }
        self.metadata(model)
    }

    /// `OperatorCode`
    fn operator_codes(&mut self, model: Table) -> Result<(), Stop> {
        let codes = self.flat.tables(model, 1)?;
        for index in 0..codes.len {
            let code = self.flat.item(codes, index)?;
            self.cx.charge(4, code.at)?;
            // The first 127 operators have their number in a byte of its own.
            let deprecated = match self.flat.field(code, 0)? {
                Some(at) => u32::from(self.flat.u8(at)?),
                None => 0,
            };
            let builtin = self.flat.number(code, 3, 0)?.max(if deprecated < 128 { deprecated } else { 0 });
            let custom = self.flat.text(code, 1, 1024)?;
            let name = match BUILTINS.get(crate::input::to_usize(u64::from(builtin))) {
                _ if builtin == CUSTOM => match custom.strip_prefix("Flex") {
                    Some(op) => format!("tensorflow::{op}"),
                    None => format!("tflite.custom::{custom}"),
                },
                Some(name) => format!("tflite::{name}"),
                None => format!("tflite::{builtin}"),
            };
            // One that is declared is loaded, even when no node uses it.
            self.uses.entry(name.clone()).or_insert((0, code.at));
            self.codes.push(name);
        }
        Ok(())
    }

    /// `Buffer`: in the FlatBuffer, or (above 2 GiB) behind it.
    fn buffers(&mut self, model: Table) -> Result<(), Stop> {
        let buffers = self.flat.tables(model, 4)?;
        self.buffers = buffers.len;
        let whole = self.flat.input().len();
        for index in 0..buffers.len {
            let buffer = self.flat.item(buffers, index)?;
            self.cx.charge(2, buffer.at)?;
            self.flat.vector(buffer, 0, 1)?;
            let (offset, size) = (self.flat.long(buffer, 1)?, self.flat.long(buffer, 2)?);
            if offset > 1 {
                let end = offset.saturating_add(size);
                if end > whole {
                    anomaly(self.cx, "buffer", buffer.at, format!("buffer {index} ends at byte {end} of {whole}"));
                } else {
                    self.flat.touch(end);
                }
            }
        }
        Ok(())
    }

    /// `Metadata`: names of buffers.
    fn metadata(&mut self, model: Table) -> Result<(), Stop> {
        let description = self.flat.text(model, 3, 4096)?;
        if !description.is_empty() {
            let evidence = Evidence::new(Kind::MetadataValue, "description", Span::at(model.at));
            self.cx.push(evidence.with("text", description));
        }
        let entries = self.flat.tables(model, 6)?;
        for index in 0..entries.len {
            let entry = self.flat.item(entries, index)?;
            self.cx.charge(2, entry.at)?;
            self.flat.text(entry, 0, 256)?;
            let buffer = self.flat.number(entry, 1, 0)?;
            self.check_buffer(buffer, entry.at);
        }
        // Names of inputs and outputs; walked so that their place is known.
        let signatures = self.flat.tables(model, 7)?;
        for index in 0..signatures.len {
            let signature = self.flat.item(signatures, index)?;
            self.cx.charge(2, signature.at)?;
            for id in [0, 1] {
                let maps: Vector = self.flat.tables(signature, id)?;
                for index in 0..maps.len {
                    let map = self.flat.item(maps, index)?;
                    self.cx.charge(1, map.at)?;
                    self.flat.text(map, 0, 256)?;
                }
            }
            self.flat.text(signature, 2, 256)?;
        }
        Ok(())
    }

    fn check_buffer(&mut self, buffer: u32, at: u64) {
        if u64::from(buffer) >= self.buffers {
            anomaly(self.cx, "index", at, format!("buffer {buffer} of {}", self.buffers));
        }
    }

    /// Tells which operators there are, and whether subgraphs recurse.
    fn finish(&mut self) {
        for (name, (count, at)) in &self.uses {
            let mut evidence =
                Evidence::new(Kind::OperatorUse, name.clone(), Span::at(*at)).with("count", count.to_string());
            if let Some(op) = name.strip_prefix("tensorflow::") {
                evidence = evidence.with("origin", ops::origin(op)).with("via", "flex");
            }
            self.cx.push(evidence);
        }
        if let Some(index) = self.recursion() {
            anomaly(self.cx, "subgraph-recursion", 0, format!("subgraph {index} leads back to itself"));
        }
    }

    /// A subgraph that leads back to itself, found by taking away, again and
    /// again, those that call none of the rest.
    fn recursion(&self) -> Option<u64> {
        let mut left: BTreeMap<u64, &Vec<u64>> = self.calls.iter().map(|(index, calls)| (*index, calls)).collect();
        loop {
            let done: Vec<u64> = left
                .iter()
                .filter(|(_, calls)| !calls.iter().any(|call| left.contains_key(call)))
                .map(|(index, _)| *index)
                .collect();
            if done.is_empty() {
                return left.into_keys().next();
            }
            for index in done {
                left.remove(&index);
            }
            if left.is_empty() {
                return None;
            }
        }
    }
}
