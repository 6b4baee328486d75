//! ONNX: a model as a protobuf message.
//!
//! Every place that can hold a tensor, a graph or a name is visited: a path
//! to external data counts wherever it stands, and operators count in
//! subgraphs and functions too. Raw tensor bytes are passed over.

mod graph;
mod interface;
mod tensor;

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::protobuf::{self, Bytes, Message, Shape, Value, Walker, is_name};
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::stop::Stop;

/// The fields of `ModelProto` in `onnx.proto`.
const MODEL_FIELDS: [u32; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26];

/// The ONNX reader.
pub struct Onnx;

impl Format for Onnx {
    fn name(&self) -> &'static str {
        "onnx"
    }

    fn about(&self) -> About {
        About {
            title: "ONNX models and tensors, as onnx.proto defines them",
            extensions: &[".onnx", ".pb"],
            reads: "graphs, subgraphs, functions and training graphs; every tensor's type, shape and external data; \
                    operators and domains; metadata",
            leaves_out: "the numbers in tensors; whether a graph's types fit",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let named = if head.is_named(&[".onnx"]) { Match::Name } else { Match::No };
        let Some(shape) = Shape::of(head.first, head.len) else { return named };
        match message_of(&shape, head.first) {
            Some(Kindred::Model { sure: true }) => Match::Magic,
            Some(Kindred::Model { sure: false } | Kindred::Tensor) => Match::Likely,
            None => named,
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let head = input.bytes(0, input.len().min(1 << 16), 1 << 16)?;
        let shape = Shape::of(&head, input.len());
        let mut reader = Reader::new(input, cx);
        let whole = reader.walker.whole();
        if shape.and_then(|shape| message_of(&shape, &head)) == Some(Kindred::Tensor) {
            return reader.tensor(whole);
        }
        let outcome = reader.model(whole);
        reader.finish();
        protobuf::behind(outcome, input, cx)
    }
}

/// Which message of `onnx.proto` a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kindred {
    /// `ModelProto`
    Model { sure: bool },
    /// `TensorProto`, as test data are stored.
    Tensor,
}

fn message_of(shape: &Shape, head: &[u8]) -> Option<Kindred> {
    // `ir_version` is 3 to 13 today; a SavedModel's first number is 1.
    let version = shape.number(1).is_some_and(|version| (2..=64).contains(&version));
    let opset = matches!(shape.first(8), Some(Value::Bytes(_)));
    // Parsers skip fields that they do not know.
    let known = shape.only(&MODEL_FIELDS);
    if let Some(Value::Bytes(graph)) = shape.first(7)
        && graph.len > 0
        && (known || version && opset)
        && matches!(
            shape.bytes(7, head).and_then(|graph| graph.first()),
            None | Some(0x0a | 0x12 | 0x2a | 0x52 | 0x5a | 0x62 | 0x6a)
        )
        && (version || shape.first(1).is_none())
    {
        return Some(Kindred::Model { sure: known && (version || opset) });
    }
    // `dims`, `data_type`, then values; a name is usual.
    let dtype = shape.number(2).is_some_and(|dtype| (1..=32).contains(&dtype));
    let values = [4, 5, 6, 7, 9, 10, 11, 13].iter().any(|number| shape.first(*number).is_some());
    let tensor: Vec<u32> = (1..=14).chain([16]).collect();
    let name = shape.bytes(8, head).is_none_or(is_name);
    let dims = matches!(shape.first(1), None | Some(Value::Varint(_)));
    (dtype && values && dims && name && shape.only(&tensor)).then_some(Kindred::Tensor)
}

/// What a function of the model calls, and where it is defined.
#[derive(Debug, Default)]
struct Function {
    at: u64,
    calls: BTreeSet<(String, String)>,
}

/// Walks a model and gathers what is only known at its end.
struct Reader<'r, 'i, 'j, 'e> {
    walker: Walker<'i>,
    cx: &'r mut Cx<'j, 'e>,
    input: &'i Input,
    /// Operators by domain and name: how often, where first, a literal that
    /// one of another domain is given.
    operators: BTreeMap<(String, String), (u64, u64, String)>,
    functions: BTreeMap<(String, String), Function>,
    /// The function that is being walked.
    inside: Option<(String, String)>,
    domains: BTreeSet<String>,
}

impl<'r, 'i, 'j, 'e> Reader<'r, 'i, 'j, 'e> {
    fn new(input: &'i Input, cx: &'r mut Cx<'j, 'e>) -> Self {
        Self {
            walker: Walker::new(input),
            cx,
            input,
            operators: BTreeMap::new(),
            functions: BTreeMap::new(),
            inside: None,
            domains: BTreeSet::new(),
        }
    }

    fn text(&mut self, bytes: Bytes) -> Result<String, Stop> {
        let bound = self.cx.limits().string_bytes;
        self.walker.text(bytes, bound)
    }

    /// `ModelProto`
    fn model(&mut self, mut message: Message) -> Result<(), Stop> {
        let mut graphs = 0_u32;
        while let Some(field) = self.walker.next(&mut message)? {
            self.cx.charge(1, field.at)?;
            match (field.number, field.value) {
                (1, Value::Varint(version)) => self.cx.field("ir_version", || version.into()),
                (2, Value::Bytes(text)) => self.header("producer_name", text)?,
                (3, Value::Bytes(text)) => self.header("producer_version", text)?,
                (4, Value::Bytes(text)) => self.header("domain", text)?,
                (5, Value::Varint(version)) => self.cx.field("model_version", || version.into()),
                (6, Value::Bytes(text)) => self.metadata_text("doc_string", text)?,
                (7, Value::Bytes(graph)) => {
                    graphs = graphs.saturating_add(1);
                    if graphs == 2 {
                        self.anomaly("second-graph", field.at, "readers disagree about which graph counts");
                    }
                    self.interface(graph.message())?;
                    self.graph(graph.message())?;
                }
                (8, Value::Bytes(opset)) => self.opset(opset.message())?,
                (14, Value::Bytes(entry)) => self.metadata(entry.message())?,
                (20, Value::Bytes(training)) => self.training(training.message())?,
                (25, Value::Bytes(function)) => self.function(function.message(), field.at)?,
                (number, value) if !MODEL_FIELDS.contains(&number) => self.unknown(number, value, field.at)?,
                _ => {}
            }
        }
        if graphs == 0 {
            return Err(Stop::malformed(0, "the model has no graph"));
        }
        Ok(())
    }

    /// A field that the schema does not have can hold anything.
    fn unknown(&mut self, number: u32, value: Value, at: u64) -> Result<(), Stop> {
        let (Value::Bytes(bytes) | Value::Group(bytes)) = value else { return Ok(()) };
        let detail = format!("field {number} with {} bytes", bytes.len);
        self.anomaly("unknown-field", at, &detail);
        self.cx.data(&format!("field {number}"), self.input.window(bytes.at, bytes.len)?)
    }

    fn anomaly(&mut self, what: &'static str, at: u64, detail: &str) {
        self.cx.push(Evidence::new(Kind::GraphAnomaly, what, Span::at(at)).with("detail", detail.to_owned()));
    }

    fn metadata_text(&mut self, key: &str, text: Bytes) -> Result<(), Stop> {
        if text.len == 0 {
            return Ok(());
        }
        let span = Span::new(text.at, text.len);
        let text = self.text(text)?;
        self.cx.push(Evidence::new(Kind::MetadataValue, key, span).with("text", text));
        Ok(())
    }

    /// `StringStringEntryProto`
    fn entry(&mut self, mut message: Message) -> Result<(String, String), Stop> {
        let (mut key, mut value) = (String::new(), String::new());
        while let Some(field) = self.walker.next(&mut message)? {
            match (field.number, field.value) {
                (1, Value::Bytes(text)) => key = self.text(text)?,
                (2, Value::Bytes(text)) => value = self.text(text)?,
                _ => {}
            }
        }
        Ok((key, value))
    }

    fn metadata(&mut self, message: Message) -> Result<(), Stop> {
        let (key, value) = self.entry(message)?;
        self.cx.push(Evidence::new(Kind::MetadataValue, key.clone(), Span::default()).with("text", value.clone()));
        if value.trim_start().starts_with(['{', '[']) {
            self.cx.data(&key, Input::from(value.as_bytes()))?;
        }
        Ok(())
    }

    /// `OperatorSetIdProto`
    fn opset(&mut self, mut message: Message) -> Result<(), Stop> {
        let (mut domain, mut version) = (String::new(), 0);
        while let Some(field) = self.walker.next(&mut message)? {
            match (field.number, field.value) {
                (1, Value::Bytes(text)) => domain = self.text(text)?,
                (2, Value::Varint(number)) => version = number,
                _ => {}
            }
        }
        let domain = standard(domain);
        self.cx.field("opset", || format!("{domain} {version}").into());
        self.domains.insert(domain);
        Ok(())
    }

    /// Tells what the whole model uses.
    fn finish(&mut self) {
        let nodes = self.operators.values().map(|(count, ..)| *count).fold(0, u64::saturating_add);
        self.cx.field("nodes", || nodes.into());
        for ((domain, name), (count, at, constant)) in &self.operators {
            let value = format!("{domain}::{name}");
            let mut evidence = Evidence::new(Kind::OperatorUse, value, Span::at(*at)).with("count", count.to_string());
            if self.functions.contains_key(&(domain.clone(), name.clone())) {
                evidence = evidence.with("defined", "model");
            }
            if !constant.is_empty() {
                evidence = evidence.with("constant", constant.clone());
            }
            self.cx.push(evidence);
        }
        for ((domain, name), function) in &self.functions {
            if matches!(domain.as_str(), "ai.onnx" | "ai.onnx.ml") {
                let detail = format!("`{domain}::{name}` is defined by the model");
                let evidence = Evidence::new(Kind::GraphAnomaly, "function-shadows-standard", Span::at(function.at));
                self.cx.push(evidence.with("detail", detail));
            }
        }
        if let Some(((domain, name), at)) = self.recursion() {
            let evidence = Evidence::new(Kind::GraphAnomaly, "function-recursion", Span::at(at));
            self.cx.push(evidence.with("detail", format!("`{domain}::{name}` calls itself")));
        }
    }

    /// A function that leads back to itself, found by taking away, again and
    /// again, the functions that call none of the rest.
    fn recursion(&self) -> Option<((String, String), u64)> {
        let mut left: BTreeMap<&(String, String), &Function> = self.functions.iter().collect();
        loop {
            let done: Vec<&(String, String)> = left
                .iter()
                .filter(|(_, function)| !function.calls.iter().any(|call| left.contains_key(call)))
                .map(|(key, _)| *key)
                .collect();
            if done.is_empty() {
                return left.into_iter().next().map(|(key, function)| (key.clone(), function.at));
            }
            for key in done {
                left.remove(key);
            }
            if left.is_empty() {
                return None;
            }
        }
    }
}

/// The empty domain is `ai.onnx`.
fn standard(domain: String) -> String {
    if domain.is_empty() { "ai.onnx".to_owned() } else { domain }
}
