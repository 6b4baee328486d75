//! TensorFlow: SavedModel, GraphDef and MetaGraphDef.
//!
//! All are protobuf messages around a graph of operators, of which some read
//! and write files, open connections or call back into Python when the graph
//! runs. Operators are listed wherever they stand, and the paths and addresses
//! that they are given are followed to their constants.

mod bundle;
mod checkpoint;
mod graph;
mod metagraph;
pub(super) mod ops;

use crate::engine::Cx;
use crate::formats::protobuf::{self, Shape, Value, Walker, is_name};
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::stop::Stop;

pub use checkpoint::Checkpoint;

/// The TensorFlow graph reader.
pub struct TensorFlow;

/// Which message a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kindred {
    SavedModel,
    MetaGraph,
    Graph,
    /// `SavedMetadata`: Keras's part of a SavedModel, `keras_metadata.pb`.
    KerasMetadata,
    /// `FingerprintDef`, `fingerprint.pb`.
    Fingerprint,
}

impl Format for TensorFlow {
    fn name(&self) -> &'static str {
        "tensorflow"
    }

    fn about(&self) -> About {
        About {
            title: "TensorFlow SavedModel, GraphDef, MetaGraphDef and their companions, as tensorflow/core/protobuf \
                    defines them",
            extensions: &[".pb", ".meta"],
            reads: "operators of graphs and library functions, with the paths and addresses they are given; \
                    collections, assets, Keras metadata",
            leaves_out: "whether a graph computes what it should; text protobuf",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        match kindred(head) {
            Some((_, true)) => Match::Magic,
            Some((_, false)) => Match::Likely,
            None if matches!(head.name, "saved_model.pb" | "keras_metadata.pb" | "fingerprint.pb") => Match::Name,
            None => Match::No,
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let first = input.bytes(0, input.len().min(1 << 16), 1 << 16)?;
        let name = cx.name().rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
        let head = Head { first: &first, last: &[], len: input.len(), name: &name };
        let Some((kindred, _)) = kindred(&head) else {
            return Err(Stop::malformed(0, "not a message of TensorFlow"));
        };
        let library = Shape::of(&first, input.len()).is_some_and(|shape| is_library(&shape, &first));
        cx.field("message", || format!("{kindred:?}").into());
        let mut reader = graph::Reader::new(Walker::new(input), input, cx);
        let whole = reader.walker.whole();
        let outcome = match kindred {
            Kindred::SavedModel => reader.saved_model(whole),
            Kindred::MetaGraph => reader.meta_graph(whole),
            Kindred::Graph => reader.graph_def(&[whole]),
            Kindred::KerasMetadata => reader.keras_metadata(whole),
            Kindred::Fingerprint => Ok(()),
        };
        // Parsers skip what they do not know, so that one file may be two messages.
        let outcome = match outcome {
            Ok(()) if kindred == Kindred::SavedModel && library => reader.graph_def(&[whole]),
            other => other,
        };
        reader.finish();
        protobuf::behind(outcome, input, cx)
    }
}

/// Which message it is, and whether that is sure. TensorFlow opens some by a
/// fixed name, and skips the fields that it does not know; so these are what
/// their name says as long as they are protobuf at all.
fn kindred(head: &Head<'_>) -> Option<(Kindred, bool)> {
    let shape = Shape::of(head.first, head.len)?;
    by_fields(&shape, head).or(match head.name {
        "saved_model.pb" => Some((Kindred::SavedModel, true)),
        "keras_metadata.pb" => Some((Kindred::KerasMetadata, true)),
        "fingerprint.pb" => Some((Kindred::Fingerprint, true)),
        name if name.ends_with(".meta") && matches!(shape.first(2), Some(Value::Bytes(_))) => {
            Some((Kindred::MetaGraph, false))
        }
        name if name.ends_with(".pb") && matches!(shape.first(2), Some(Value::Bytes(_))) => {
            let first = shape.bytes(2, head.first)?;
            is_meta_graph(first, shape.first(2)).then_some((Kindred::SavedModel, false))
        }
        _ => None,
    })
}

/// Which message it is by its first fields, none of which is unknown.
fn by_fields(shape: &Shape, head: &Head<'_>) -> Option<(Kindred, bool)> {
    if head.name == "fingerprint.pb" && shape.only(&[1, 2, 3, 4, 5, 6, 7]) && shape.complete {
        return Some((Kindred::Fingerprint, true));
    }
    if shape.first(1).is_none() {
        // A GraphDef without nodes: all that it does is in its functions.
        if shape.only(&[2, 3, 4, 5]) && is_library(shape, head.first) {
            return Some((Kindred::Graph, true));
        }
        // A MetaGraphDef whose `meta_info_def` was left out: what field 2 begins
        // with is a node or a library, where a SavedModel has a MetaGraphDef there.
        if shape.only(&[2, 3, 4, 5, 6, 7])
            && let Some(graph) = shape.bytes(2, head.first)
            && let Some(inner) = Shape::of(graph, len_of(shape.first(2)))
            && (has_node(&inner, 1, graph).is_some() || is_library(&inner, graph))
        {
            return Some((Kindred::MetaGraph, head.is_named(&[".meta"])));
        }
    }
    // `saved_model_schema_version` has always been 1, and 0 is not written.
    if shape.only(&[1, 2])
        && let Some(graph) = shape.bytes(2, head.first)
        && matches!(shape.first(1), Some(Value::Varint(1)) | None)
        && is_meta_graph(graph, shape.first(2))
    {
        return Some((Kindred::SavedModel, true));
    }
    let first = shape.bytes(1, head.first)?;
    if let Some(sure) = has_node(shape, 1, head.first)
        && shape.only(&[1, 2, 3, 4, 5])
    {
        return Some((Kindred::Graph, sure));
    }
    if shape.only(&[1]) && memchr::memmem::find(head.first, b"_tf_keras_").is_some() {
        return Some((Kindred::KerasMetadata, true));
    }
    // `meta_info_def`, `graph_def`
    if shape.only(&[1, 2, 3, 4, 5, 6, 7])
        && matches!(shape.first(2), Some(Value::Bytes(_)))
        && Shape::of(first, len_of(shape.first(1))).is_some_and(|info| info.only(&[1, 2, 3, 4, 5, 6, 7, 8]))
    {
        return Some((Kindred::MetaGraph, head.is_named(&[".meta"])));
    }
    None
}

fn len_of(value: Option<Value>) -> u64 {
    match value {
        Some(Value::Bytes(bytes)) => bytes.len,
        _ => 0,
    }
}

fn is_meta_graph(graph: &[u8], value: Option<Value>) -> bool {
    Shape::of(graph, len_of(value)).is_some_and(|shape| {
        shape.only(&[1, 2, 3, 4, 5, 6, 7]) && shape.fields.iter().all(|(_, value)| matches!(value, Value::Bytes(_)))
    })
}

/// Whether field 2 of a message is a `FunctionDefLibrary`: what it begins with
/// is a function, or the name of one and of its gradient.
fn is_library(shape: &Shape, bytes: &[u8]) -> bool {
    let Some(library) = shape.bytes(2, bytes) else { return false };
    let Some(inner) = Shape::of(library, len_of(shape.first(2))) else { return false };
    let of = |number| {
        inner.bytes(number, library).and_then(|bytes| Some((bytes, Shape::of(bytes, len_of(inner.first(number)))?)))
    };
    match (of(1), of(2)) {
        (Some((bytes, function)), _) => is_function(&function, bytes),
        (None, Some((bytes, gradient))) => {
            gradient.only(&[1, 2]) && [1, 2].iter().all(|number| gradient.bytes(*number, bytes).is_some_and(is_name))
        }
        (None, None) => false,
    }
}

/// Whether a message is a `FunctionDef`: its signature is an `OpDef`, which
/// begins with a name, or its body has nodes.
fn is_function(function: &Shape, bytes: &[u8]) -> bool {
    let signature = function.bytes(1, bytes).is_some_and(|signature| {
        Shape::of(signature, len_of(function.first(1))).is_some_and(|op| op.bytes(1, signature).is_some_and(is_name))
    });
    signature || has_node(function, 3, bytes).is_some()
}

/// As [`is_node`], of the first field of this number.
fn has_node(shape: &Shape, number: u32, bytes: &[u8]) -> Option<bool> {
    is_node(shape.bytes(number, bytes)?, len_of(shape.first(number)))
}

/// Whether bytes are a `NodeDef`: a name and the operator's.
fn is_node(node: &[u8], len: u64) -> Option<bool> {
    let shape = Shape::of(node, len)?;
    let name = shape.bytes(1, node)?;
    let op = std::str::from_utf8(shape.bytes(2, node)?).ok()?;
    let fits = is_name(name) && op.starts_with(|first: char| first.is_ascii_uppercase() || first == '_');
    (fits && shape.only(&[1, 2, 3, 4, 5, 6, 7])).then(|| ops::origin(op) != "unknown")
}
