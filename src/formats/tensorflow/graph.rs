//! Graphs and library functions: operators, and what they are given.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::protobuf::{Bytes, Message, Value, Walker};
use crate::formats::reference;
use crate::input::{Input, to_u64};
use crate::stop::Stop;

use super::ops;

/// How many constants deep a path may be put together.
const FOLDS: u32 = 8;
/// Bytes of one constant that are looked at; a path is shorter.
const CONSTANT_BYTES: u64 = 4096;

/// An operator whose strings are followed, until its graph has been read.
#[derive(Debug)]
struct Pending {
    op: String,
    node: String,
    inputs: Vec<Bytes>,
    literals: Vec<String>,
    at: u64,
}

/// What is known of a node's output.
#[derive(Debug)]
enum Known {
    Text(String),
    Asset,
    /// The texts of the inputs, one after the other, with this between.
    Join(Vec<Bytes>, String),
}

/// A node as it stands, before its operator is known.
#[derive(Debug, Default)]
struct Node {
    name: String,
    op: String,
    inputs: Vec<Bytes>,
    attributes: Vec<Bytes>,
    at: u64,
}

/// An operator, the place it is given, and for those that save and restore the
/// function in which they stand.
type Use = (String, String, String);

/// What stands for a function's name in [`Use`]: the part of a graph that a
/// saver of TensorFlow 1 has added.
const SAVER_SCOPE: &str = "save/";

/// Walks messages of TensorFlow and gathers what is told at the end.
pub(super) struct Reader<'r, 'i, 'j, 'e> {
    pub(super) walker: Walker<'i>,
    pub(super) cx: &'r mut Cx<'j, 'e>,
    pub(super) input: &'i Input,
    /// Nodes that a saver names.
    pub(super) savers: BTreeSet<String>,
    /// Nodes whose constant is replaced by the path of an asset.
    pub(super) assets: BTreeSet<String>,
    /// Functions that savers call, and those that something else calls.
    saver_functions: BTreeSet<String>,
    other_functions: BTreeSet<String>,
    uses: BTreeMap<Use, (u64, u64)>,
    kept: u64,
}

impl<'r, 'i, 'j, 'e> Reader<'r, 'i, 'j, 'e> {
    pub(super) fn new(walker: Walker<'i>, input: &'i Input, cx: &'r mut Cx<'j, 'e>) -> Self {
        Self {
            walker,
            cx,
            input,
            savers: BTreeSet::new(),
            assets: BTreeSet::new(),
            saver_functions: BTreeSet::new(),
            other_functions: BTreeSet::new(),
            uses: BTreeMap::new(),
            kept: 0,
        }
    }

    pub(super) fn text(&mut self, bytes: Bytes) -> Result<String, Stop> {
        let bound = self.cx.limits().string_bytes;
        self.walker.text(bytes, bound)
    }

    /// `GraphDef`, in as many parts as it is written: a parser merges them.
    pub(super) fn graph_def(&mut self, parts: &[Message]) -> Result<(), Stop> {
        self.nodes(parts, 1, "")?;
        for part in parts {
            let mut rest = *part;
            while let Some(field) = self.walker.next(&mut rest)? {
                if let (2, Value::Bytes(library)) = (field.number, field.value) {
                    self.library(library.message())?;
                }
            }
        }
        Ok(())
    }

    /// `FunctionDefLibrary`
    fn library(&mut self, mut message: Message) -> Result<(), Stop> {
        while let Some(field) = self.walker.next(&mut message)? {
            let (1, Value::Bytes(function)) = (field.number, field.value) else { continue };
            let function = function.message();
            let mut name = String::new();
            let mut rest = function;
            while let Some(field) = self.walker.next(&mut rest)? {
                if let (1, Value::Bytes(signature)) = (field.number, field.value) {
                    let mut signature = signature.message();
                    while let Some(field) = self.walker.next(&mut signature)? {
                        if let (1, Value::Bytes(text)) = (field.number, field.value) {
                            name = self.text(text)?;
                        }
                    }
                }
            }
            self.nodes(&[function], 3, &name)?;
        }
        Ok(())
    }

    /// All nodes of a graph or function, which stand in field `number`.
    fn nodes(&mut self, parts: &[Message], number: u32, function: &str) -> Result<(), Stop> {
        let mut known: BTreeMap<String, Known> = BTreeMap::new();
        let mut pending: Vec<Pending> = Vec::new();
        for part in parts {
            let mut message = *part;
            while let Some(field) = self.walker.next(&mut message)? {
                self.cx.charge(1, field.at)?;
                if let Value::Bytes(node) = field.value
                    && field.number == number
                {
                    let node = self.node(node.message(), field.at)?;
                    self.note(node, &mut known, &mut pending)?;
                }
            }
        }
        for waiting in pending {
            let mut texts = waiting.literals.clone();
            for input in &waiting.inputs {
                let name = self.walker.text(*input, CONSTANT_BYTES)?;
                texts.extend(self.fold(&name, &known, FOLDS)?);
            }
            let constant = telling(texts);
            let place = place(&waiting, function, &self.savers);
            self.count(waiting.op, constant, place, waiting.at)?;
        }
        Ok(())
    }

    /// `NodeDef`
    fn node(&mut self, mut message: Message, at: u64) -> Result<Node, Stop> {
        let mut node = Node { at, ..Node::default() };
        let bound = self.cx.limits().nodes;
        while let Some(field) = self.walker.next(&mut message)? {
            self.cx.charge(1, field.at)?;
            match (field.number, field.value) {
                (1, Value::Bytes(text)) => node.name = self.text(text)?,
                (2, Value::Bytes(text)) => node.op = self.text(text)?,
                (3, Value::Bytes(input)) => node.inputs.push(input),
                (5, Value::Bytes(attribute)) => node.attributes.push(attribute),
                _ => {}
            }
            if to_u64(node.inputs.len().saturating_add(node.attributes.len())) > bound {
                return Err(Stop::Limit { offset: field.at, limit: "nodes" });
            }
        }
        Ok(node)
    }

    fn note(
        &mut self,
        node: Node,
        known: &mut BTreeMap<String, Known>,
        pending: &mut Vec<Pending>,
    ) -> Result<(), Stop> {
        let literals = self.attributes(&node)?;
        if matches!(node.op.as_str(), "Const" | "Identity" | "StringJoin" | "Placeholder" | "HostConst") {
            let fact = if self.assets.contains(&node.name) {
                Some(Known::Asset)
            } else if node.op.ends_with("Const") {
                literals.into_iter().next().map(Known::Text)
            } else if node.op == "StringJoin" {
                let separator = literals.into_iter().next().unwrap_or_default();
                Some(Known::Join(node.inputs, separator))
            } else {
                node.inputs.first().map(|input| Known::Join(vec![*input], String::new()))
            };
            if let Some(fact) = fact {
                let size = match &fact {
                    Known::Text(text) => to_u64(text.len()),
                    Known::Asset => 0,
                    Known::Join(inputs, _) => to_u64(inputs.len()).saturating_mul(24),
                };
                self.keep(size.saturating_add(to_u64(node.name.len())), node.at)?;
                known.insert(node.name, fact);
            }
            return self.count(node.op, String::new(), String::new(), node.at);
        }
        let origin = ops::origin(&node.op);
        if origin == "core" && !ops::takes_place(&node.op) {
            return self.count(node.op, String::new(), String::new(), node.at);
        }
        self.keep(to_u64(node.inputs.len()).saturating_mul(24).saturating_add(64), node.at)?;
        pending.push(Pending { op: node.op, node: node.name, inputs: node.inputs, literals, at: node.at });
        Ok(())
    }

    /// Pays for memory that is held until the end of a graph.
    fn keep(&mut self, bytes: u64, at: u64) -> Result<(), Stop> {
        self.kept = self.kept.saturating_add(bytes);
        if self.kept > self.cx.limits().header_bytes {
            return Err(Stop::Limit { offset: at, limit: "header-bytes" });
        }
        Ok(())
    }

    /// The strings among a node's attributes: literals, a constant's text, and
    /// (kept aside) the function that a saver's node calls.
    fn attributes(&mut self, node: &Node) -> Result<Vec<String>, Stop> {
        let mut texts = Vec::new();
        let saver = self.savers.contains(&node.name);
        for attribute in &node.attributes {
            // Written more than once, a value is merged.
            let (mut key, mut values) = (String::new(), Vec::new());
            let mut rest = attribute.message();
            while let Some(field) = self.walker.next(&mut rest)? {
                match (field.number, field.value) {
                    (1, Value::Bytes(text)) => key = self.walker.text(text, 256)?,
                    (2, Value::Bytes(bytes)) => values.push(bytes),
                    _ => {}
                }
            }
            // Names under which resources are shared, places to compute.
            let elsewhere = matches!(
                key.as_str(),
                "shared_name" | "container" | "_class" | "device" | "config_proto" | "executor_type" | "metadata"
            );
            if elsewhere || key.starts_with("_output") {
                continue;
            }
            for value in values {
                self.value(value.message(), saver, &mut texts)?;
            }
        }
        Ok(texts)
    }

    /// `AttrValue`
    fn value(&mut self, mut message: Message, saver: bool, texts: &mut Vec<String>) -> Result<(), Stop> {
        while let Some(field) = self.walker.next(&mut message)? {
            self.cx.charge(1, field.at)?;
            match (field.number, field.value) {
                (2, Value::Bytes(text)) => texts.push(self.walker.text(text, CONSTANT_BYTES)?),
                // `ListValue`, of which only strings matter here.
                (1, Value::Bytes(list)) => self.strings(list.message(), 2, texts)?,
                // `TensorProto`
                (8, Value::Bytes(tensor)) => self.strings(tensor.message(), 8, texts)?,
                // `NameAttrList`
                (10, Value::Bytes(function)) => {
                    let mut names = Vec::new();
                    self.strings(function.message(), 1, &mut names)?;
                    self.keep(names.iter().map(|name| to_u64(name.len())).sum(), function.at)?;
                    if saver { &mut self.saver_functions } else { &mut self.other_functions }.extend(names);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The strings in field `number`; enough of them to see what they are.
    fn strings(&mut self, mut message: Message, number: u32, texts: &mut Vec<String>) -> Result<(), Stop> {
        let mut kept = 0_u32;
        while let Some(field) = self.walker.next(&mut message)? {
            self.cx.charge(1, field.at)?;
            if let Value::Bytes(text) = field.value
                && field.number == number
                && kept < 64
            {
                kept = kept.saturating_add(1);
                texts.push(self.walker.text(text, CONSTANT_BYTES)?);
            }
        }
        Ok(())
    }

    /// The text that the node behind an input produces, where it is constant.
    fn fold(&mut self, input: &str, known: &BTreeMap<String, Known>, folds: u32) -> Result<Option<String>, Stop> {
        let node = input.split(':').next().unwrap_or_default();
        if node.starts_with('^') || folds == 0 {
            return Ok(None);
        }
        match known.get(node) {
            Some(Known::Text(text)) => Ok(Some(text.clone())),
            Some(Known::Asset) => Ok(Some("assets/".to_owned())),
            Some(Known::Join(inputs, separator)) => {
                let mut parts = Vec::new();
                for input in inputs.iter().take(16) {
                    self.cx.charge(1, input.at)?;
                    let name = self.walker.text(*input, CONSTANT_BYTES)?;
                    parts.extend(self.fold(&name, known, folds.saturating_sub(1))?);
                }
                Ok((!parts.is_empty()).then(|| parts.join(separator)))
            }
            None => Ok(None),
        }
    }

    /// Whether what stands at a [`Use`]'s place runs only to save and restore.
    fn is_saver(&self, place: &str) -> bool {
        let named = place.contains("_traced_save") || place.contains("_traced_restore");
        place == SAVER_SCOPE || self.saver_functions.contains(place) || (named && !self.other_functions.contains(place))
    }

    fn count(&mut self, op: String, constant: String, place: String, at: u64) -> Result<(), Stop> {
        let key = (op, constant, place);
        if let Some((count, _)) = self.uses.get_mut(&key) {
            *count = count.saturating_add(1);
            return Ok(());
        }
        self.keep(to_u64(key.0.len().saturating_add(key.1.len())).saturating_add(64), at)?;
        self.uses.insert(key, (1, at));
        Ok(())
    }

    /// Tells which operators were met.
    pub(super) fn finish(&mut self) {
        let mut uses: BTreeMap<(&str, &str, &str), (u64, u64)> = BTreeMap::new();
        for ((op, constant, place), (count, at)) in &self.uses {
            let role = if self.is_saver(place) { "saver" } else { "" };
            let used = uses.entry((op, constant, role)).or_insert((0, *at));
            used.0 = used.0.saturating_add(*count);
        }
        for ((op, constant, role), (count, at)) in uses {
            let mut evidence = Evidence::new(Kind::OperatorUse, format!("tensorflow::{op}"), Span::at(at))
                .with("count", count.to_string())
                .with("origin", ops::origin(op));
            if !constant.is_empty() {
                evidence = evidence.with("constant", constant).with("path", reference::classify(constant));
            }
            if !role.is_empty() {
                evidence = evidence.with("role", role);
            }
            self.cx.push(evidence);
        }
    }
}

/// Where an operator stands, when it matters: those that write and read
/// variables belong to a saver. `savers` are the nodes that one names.
fn place(waiting: &Pending, function: &str, savers: &BTreeSet<String>) -> String {
    let saves = ["Save", "Restore", "Merge", "Shard"].iter().any(|start| waiting.op.starts_with(start));
    if !saves {
        return String::new();
    }
    // A saver that is made within a scope has its own below it.
    let usual = |scope: &str| {
        scope == "save" || scope.strip_prefix("save_").is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let scopes = waiting.node.rsplit_once('/').map_or("", |(scopes, _)| scopes);
    let named = savers.iter().filter_map(|saver| saver.rsplit_once('/')).any(|(scope, _)| scope == scopes);
    let scoped = named || scopes.split('/').any(usual);
    if function.is_empty() && scoped { SAVER_SCOPE.to_owned() } else { function.to_owned() }
}

/// Of the strings that an operator is given, the one that leads furthest away.
fn telling(texts: Vec<String>) -> String {
    let away = texts.iter().position(|text| reference::classify(text) != "inside");
    let first = away.or_else(|| texts.iter().position(|text| !text.trim().is_empty()));
    first.and_then(|index| texts.into_iter().nth(index)).unwrap_or_default()
}
