//! Graphs, nodes, attributes, functions and training graphs.

use crate::evidence::{Evidence, Kind, Span};
use crate::formats::protobuf::{Message, Value};
use crate::formats::reference;
use crate::stop::Stop;

use super::{Reader, standard};

/// What of a node's attributes decides what it does.
#[derive(Debug, Default)]
struct Attributes {
    /// The first string.
    literal: String,
    /// `EPContext`: the compiled part or its path, and which of the two.
    ep_cache_context: Option<(u64, u64)>,
    embed_mode: Option<u64>,
}

impl Reader<'_, '_, '_, '_> {
    /// `GraphProto`
    pub(super) fn graph(&mut self, mut message: Message) -> Result<(), Stop> {
        while let Some(field) = self.walker.next(&mut message)? {
            self.cx.charge(1, field.at)?;
            match (field.number, field.value) {
                (1, Value::Bytes(node)) => self.node(node.message(), field.at)?,
                (5, Value::Bytes(tensor)) => self.tensor(tensor.message())?,
                (10, Value::Bytes(text)) => self.metadata_text("doc_string", text)?,
                (15, Value::Bytes(sparse)) => self.sparse_tensor(sparse.message())?,
                (16, Value::Bytes(entry)) => self.metadata(entry.message())?,
                (2 | 11..=14, _) => {}
                (number, value) => self.unknown(number, value, field.at)?,
            }
        }
        Ok(())
    }

    /// `NodeProto`
    fn node(&mut self, mut message: Message, at: u64) -> Result<(), Stop> {
        let (mut domain, mut op_type) = (String::new(), String::new());
        let mut attributes = Attributes::default();
        while let Some(field) = self.walker.next(&mut message)? {
            self.cx.charge(1, field.at)?;
            match (field.number, field.value) {
                (4, Value::Bytes(text)) => op_type = self.text(text)?,
                (5, Value::Bytes(attribute)) => self.attribute(attribute.message(), &mut attributes)?,
                (7, Value::Bytes(text)) => domain = self.text(text)?,
                _ => {}
            }
        }
        let domain = standard(domain);
        if op_type == "EPContext" {
            self.compiled_part(&attributes)?;
        }
        let key = (domain, op_type);
        if let Some(inside) = &self.inside
            && let Some(function) = self.functions.get_mut(inside)
        {
            function.calls.insert(key.clone());
        }
        let foreign = !key.0.starts_with("ai.onnx");
        let used = self.operators.entry(key).or_insert_with(|| (0, at, String::new()));
        used.0 = used.0.saturating_add(1);
        if foreign && used.2.is_empty() {
            used.2 = attributes.literal;
        }
        Ok(())
    }

    /// `AttributeProto`
    fn attribute(&mut self, mut message: Message, attributes: &mut Attributes) -> Result<(), Stop> {
        let mut name = String::new();
        let (mut number, mut bytes) = (None, None);
        while let Some(field) = self.walker.next(&mut message)? {
            match (field.number, field.value) {
                (1, Value::Bytes(text)) => name = self.text(text)?,
                (3, Value::Varint(value)) => number = Some(value),
                (4, Value::Bytes(value)) => bytes = Some(value),
                (5 | 10, Value::Bytes(tensor)) => self.tensor(tensor.message())?,
                (6 | 11, Value::Bytes(graph)) => self.graph(graph.message())?,
                (22 | 23, Value::Bytes(sparse)) => self.sparse_tensor(sparse.message())?,
                _ => {}
            }
        }
        match name.as_str() {
            "embed_mode" => attributes.embed_mode = number,
            "ep_cache_context" => attributes.ep_cache_context = bytes.map(|bytes| (bytes.at, bytes.len)),
            _ => {}
        }
        if let Some(bytes) = bytes
            && attributes.literal.is_empty()
        {
            attributes.literal = self.walker.text(bytes, 200)?;
        }
        Ok(())
    }

    /// `com.microsoft::EPContext`: a part of the graph that was compiled for
    /// one device, in the file or beside it.
    fn compiled_part(&mut self, attributes: &Attributes) -> Result<(), Stop> {
        let Some((at, len)) = attributes.ep_cache_context else { return Ok(()) };
        // The default of `embed_mode` is 1: embedded.
        if attributes.embed_mode == Some(0) {
            let bound = self.cx.limits().string_bytes;
            let path = self.input.bytes(at, len.min(bound), bound)?;
            let path = String::from_utf8_lossy(&path).into_owned();
            self.cx.push(
                Evidence::new(Kind::ReferencePath, reference::classify(&path), Span::new(at, len))
                    .with("path", path)
                    .with("by", "EPContext"),
            );
            return Ok(());
        }
        self.cx.data("ep_cache_context", self.input.window(at, len)?)
    }

    /// `FunctionProto`. Its name may come after its nodes, so that is looked
    /// for first.
    pub(super) fn function(&mut self, message: Message, at: u64) -> Result<(), Stop> {
        let (mut domain, mut name) = (String::new(), String::new());
        let mut rest = message;
        while let Some(field) = self.walker.next(&mut rest)? {
            match (field.number, field.value) {
                (1, Value::Bytes(text)) => name = self.text(text)?,
                (10, Value::Bytes(text)) => domain = self.text(text)?,
                _ => {}
            }
        }
        let key = (standard(domain), name);
        self.functions.entry(key.clone()).or_default().at = at;
        self.inside = Some(key);
        let mut rest = message;
        while let Some(field) = self.walker.next(&mut rest)? {
            self.cx.charge(1, field.at)?;
            match (field.number, field.value) {
                (7, Value::Bytes(node)) => self.node(node.message(), field.at)?,
                (8, Value::Bytes(text)) => self.metadata_text("doc_string", text)?,
                (9, Value::Bytes(opset)) => self.opset(opset.message())?,
                (11, Value::Bytes(attribute)) => {
                    self.attribute(attribute.message(), &mut Attributes::default())?;
                }
                (14, Value::Bytes(entry)) => self.metadata(entry.message())?,
                _ => {}
            }
        }
        self.inside = None;
        Ok(())
    }

    /// `TrainingInfoProto`
    pub(super) fn training(&mut self, mut message: Message) -> Result<(), Stop> {
        while let Some(field) = self.walker.next(&mut message)? {
            if let (1 | 2, Value::Bytes(graph)) = (field.number, field.value) {
                self.graph(graph.message())?;
            }
        }
        Ok(())
    }

    /// `SparseTensorProto`
    fn sparse_tensor(&mut self, mut message: Message) -> Result<(), Stop> {
        while let Some(field) = self.walker.next(&mut message)? {
            if let (1 | 2, Value::Bytes(tensor)) = (field.number, field.value) {
                self.tensor(tensor.message())?;
            }
        }
        Ok(())
    }
}
