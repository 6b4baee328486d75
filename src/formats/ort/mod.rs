//! ONNX Runtime's own model format: ONNX's graph as a FlatBuffer.

use std::collections::BTreeMap;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::flatbuffers::{Flat, Table};
use crate::formats::{About, Format, Head, Match, reference};
use crate::input::Input;
use crate::stop::Stop;

/// How deep graphs may lie in one another, as in ONNX.
const MAX_DEPTH: u32 = 100;

/// The ORT reader.
pub struct Ort;

impl Format for Ort {
    fn name(&self) -> &'static str {
        "ort"
    }

    fn about(&self) -> About {
        About {
            title: "ONNX Runtime's ORT format, as onnxruntime/core/flatbuffers/schema/ort.fbs defines it",
            extensions: &[".ort"],
            reads: "operators of all graphs, tensors' places, metadata, compiled parts (EPContext)",
            leaves_out: "kernels and saved optimisations, the numbers in tensors",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if head.has_at(4, b"ORTM") {
            Match::Magic
        } else if head.is_named(&[".ort"]) {
            Match::Name
        } else {
            Match::No
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        if input.len() < 8 || input.bytes(4, 4, 4)? != b"ORTM" {
            return Err(Stop::malformed(4, "the identifier ORTM is missing"));
        }
        let mut reader = Reader { flat: Flat::new(input), cx, uses: BTreeMap::new() };
        let outcome = reader.session();
        if let Err(Stop::Malformed { offset, what }) = &outcome {
            let evidence = Evidence::new(Kind::GraphAnomaly, "offset", Span::at(*offset));
            reader.cx.push(evidence.with("detail", what.to_string()));
        }
        for (name, (count, at)) in std::mem::take(&mut reader.uses) {
            let evidence = Evidence::new(Kind::OperatorUse, name, Span::at(at));
            reader.cx.push(evidence.with("count", count.to_string()));
        }
        let reached = reader.flat.reached();
        outcome?;
        cx.behind("after the session", input, reached)
    }
}

struct Reader<'r, 'i, 'j, 'e> {
    flat: Flat<'i>,
    cx: &'r mut Cx<'j, 'e>,
    uses: BTreeMap<String, (u64, u64)>,
}

impl Reader<'_, '_, '_, '_> {
    /// `InferenceSession`
    fn session(&mut self) -> Result<(), Stop> {
        let session = self.flat.root()?;
        let Some(model) = self.flat.child(session, 1)? else {
            return Err(Stop::malformed(session.at, "the session has no model"));
        };
        let properties = self.flat.tables(model, 9)?;
        for index in 0..properties.len {
            let entry = self.flat.item(properties, index)?;
            self.cx.charge(2, entry.at)?;
            let key = self.flat.text(entry, 0, 4096)?;
            let bound = self.cx.limits().string_bytes;
            let text = self.flat.text(entry, 1, bound)?;
            self.cx.push(Evidence::new(Kind::MetadataValue, key, Span::at(entry.at)).with("text", text));
        }
        match self.flat.child(model, 7)? {
            Some(graph) => self.graph(graph, 0),
            None => Ok(()),
        }
    }

    /// `Graph`
    fn graph(&mut self, graph: Table, depth: u32) -> Result<(), Stop> {
        if depth > MAX_DEPTH {
            return Err(Stop::Limit { offset: graph.at, limit: "nesting" });
        }
        let initializers = self.flat.tables(graph, 0)?;
        for index in 0..initializers.len {
            let tensor = self.flat.item(initializers, index)?;
            self.tensor(tensor)?;
        }
        let nodes = self.flat.tables(graph, 2)?;
        for index in 0..nodes.len {
            let node = self.flat.item(nodes, index)?;
            self.node(node, depth)?;
        }
        Ok(())
    }

    /// `Tensor`: its data are here, or in a file beside the model.
    fn tensor(&mut self, tensor: Table) -> Result<(), Stop> {
        self.cx.charge(4, tensor.at)?;
        self.flat.vector(tensor, 4, 1)?;
        Ok(())
    }

    /// `Node`
    fn node(&mut self, node: Table, depth: u32) -> Result<(), Stop> {
        self.cx.charge(8, node.at)?;
        let domain = self.flat.text(node, 2, 1024)?;
        let op_type = self.flat.text(node, 5, 1024)?;
        let (mut context, mut embedded) = (None, true);
        let attributes = self.flat.tables(node, 10)?;
        for index in 0..attributes.len {
            let attribute = self.flat.item(attributes, index)?;
            self.cx.charge(4, attribute.at)?;
            let name = self.flat.text(attribute, 0, 256)?;
            if name == "ep_cache_context" {
                context = Some(self.flat.vector(attribute, 5, 1)?);
            } else if name == "embed_mode" {
                embedded = self.flat.long(attribute, 4)? != 0;
            }
            if let Some(tensor) = self.flat.child(attribute, 6)? {
                self.tensor(tensor)?;
            }
            if let Some(graph) = self.flat.child(attribute, 7)? {
                self.graph(graph, depth.saturating_add(1))?;
            }
            let tensors = self.flat.tables(attribute, 11)?;
            for index in 0..tensors.len {
                let tensor = self.flat.item(tensors, index)?;
                self.tensor(tensor)?;
            }
            let graphs = self.flat.tables(attribute, 12)?;
            for index in 0..graphs.len {
                let graph = self.flat.item(graphs, index)?;
                self.graph(graph, depth.saturating_add(1))?;
            }
        }
        if let Some(bytes) = context.filter(|_| op_type == "EPContext") {
            if embedded {
                self.cx.data("ep_cache_context", self.flat.input().window(bytes.at, bytes.len)?)?;
            } else {
                let path = self.flat.string(bytes, 4096)?;
                let evidence =
                    Evidence::new(Kind::ReferencePath, reference::classify(&path), Span::new(bytes.at, bytes.len));
                self.cx.push(evidence.with("path", path).with("by", "EPContext"));
            }
        }
        let domain = if domain.is_empty() { "ai.onnx".to_owned() } else { domain };
        let used = self.uses.entry(format!("{domain}::{op_type}")).or_insert((0, node.at));
        used.0 = used.0.saturating_add(1);
        Ok(())
    }
}
