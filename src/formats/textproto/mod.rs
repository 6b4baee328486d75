//! Protobuf in text: networks of Caffe (`.prototxt`), configurations of Triton
//! (`config.pbtxt`), graphs of TensorFlow (`saved_model.pbtxt`). Read for the few
//! fields that name code, files and operators.

mod tokens;

use std::collections::BTreeMap;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::tensorflow::ops;
use crate::formats::{About, Format, Head, Match, reference};
use crate::input::{Input, to_u64};
use crate::stop::Stop;
use crate::text;

use tokens::{Token, Tokens};

/// The format.
#[derive(Debug)]
pub struct TextProto;

const NAMED: &[&str] = &[".prototxt", ".pbtxt"];

/// Operators of the saver that every model carries.
const SAVER: [&str; 4] = ["Save", "Restore", "MergeV2Checkpoints", "ShardedFilename"];

/// Messages in which graphs of TensorFlow stand, and those that stand in them.
const GRAPHS: [&str; 7] =
    ["node", "library", "versions", "graph_def", "meta_info_def", "meta_graphs", "saved_model_schema_version"];

/// Bytes in which the first operator of a graph stands: what comes before it are
/// the version and the producer.
const GRAPH_START: usize = 1 << 16;

/// Bytes in which the first word stands: a comment before it is shorter.
const COMMENT: usize = 1 << 12;

/// Whether a text begins like a graph of TensorFlow, which is read under any
/// name (`import_meta_graph` takes both forms, `text_format` the rest).
fn begins_graph(first: &[u8]) -> bool {
    let first = first.get(..first.len().min(GRAPH_START)).unwrap_or(first);
    let start = String::from_utf8_lossy(first.get(..first.len().min(COMMENT)).unwrap_or(first));
    let Some((_, Token::Word(word))) = Tokens::new(&start).next() else { return false };
    let has = |word: &[u8]| memchr::memmem::find(first, word).is_some();
    GRAPHS.contains(&word) && has(b"op") && (has(b"{") || has(b"<"))
}

impl Format for TextProto {
    fn name(&self) -> &'static str {
        "textproto"
    }

    fn about(&self) -> About {
        About {
            title: "Protobuf in text: Caffe networks, Triton configurations, TensorFlow graphs",
            extensions: NAMED,
            reads: "Python layers, the environment that Triton unpacks, operators of TensorFlow other than its saver's",
            leaves_out: "every other field; which constant an operator is given",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let named = head.is_named(NAMED) && head.len > 0;
        let is = (named || begins_graph(head.first)) && text::encoding(head.first, true).is_some();
        if is { Match::Likely } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let bytes = text::source(input, cx.limits().source_bytes)?;
        let source = text::decode(&bytes).into_owned();
        let mut tokens = Tokens::new(&source);
        // The field before a string, and the two strings before this one.
        let (mut field, mut last) = (String::new(), String::new());
        let mut python = false;
        let mut graph = Graph::default();
        while let Some((at, token)) = tokens.next() {
            cx.charge(1, at)?;
            match token {
                Token::Word(word) => word.clone_into(&mut field),
                Token::Text(value) => {
                    let value: &str = &value;
                    let span = Span::new(at, to_u64(value.len()).saturating_add(2));
                    python |= field == "type" && value == "Python";
                    match field.as_str() {
                        "op" => graph.operator(value, at),
                        "string_val" | "s" => graph.text(value),
                        _ => {}
                    }
                    if python && field == "module" {
                        let evidence = Evidence::new(Kind::ReferenceCode, text::excerpt(value, 120), span);
                        cx.push(evidence.with("key", "python_param"));
                        python = false;
                    }
                    // Triton replaces this with the model's folder.
                    let inside = value.starts_with("$$TRITON_MODEL_DIRECTORY/") && !value.contains("..");
                    if last == "EXECUTION_ENV_PATH" && !inside && reference::classify(value) != "inside" {
                        let evidence = Evidence::new(Kind::ReferencePath, reference::classify(value), span);
                        cx.push(evidence.with("path", text::excerpt(value, 200)).with("by", "environment"));
                    }
                    value.clone_into(&mut last);
                }
            }
        }
        graph.finish(cx);
        Ok(())
    }
}

/// Operators of a graph, in the order of the text.
#[derive(Debug, Default)]
struct Graph {
    /// By name: how often, where first, and a place among its own attributes.
    uses: BTreeMap<String, (u64, u64, Option<String>)>,
    /// The operator whose attributes come next.
    current: String,
    /// A place that a constant holds, whichever operator it is handed to.
    outside: Option<String>,
}

impl Graph {
    fn operator(&mut self, name: &str, at: u64) {
        self.current = text::excerpt(name, 120);
        if !SAVER.iter().any(|saver| name.starts_with(saver)) {
            let used = self.uses.entry(self.current.clone()).or_insert((0, at, None));
            used.0 = used.0.saturating_add(1);
        }
    }

    fn text(&mut self, value: &str) {
        let library = [".so", ".dll", ".dylib", ".pyd"].iter().any(|ending| value.ends_with(ending));
        if !library && reference::classify(value) == "inside" {
            return;
        }
        let own = self.uses.get_mut(&self.current).filter(|_| self.current != "Const");
        let place = own.map_or(&mut self.outside, |(_, _, own)| own);
        place.get_or_insert_with(|| text::excerpt(value, 200));
    }

    fn finish(self, cx: &mut Cx<'_, '_>) {
        for (op, (count, at, own)) in self.uses {
            let evidence = Evidence::new(Kind::OperatorUse, format!("tensorflow::{op}"), Span::at(at));
            let evidence = evidence.with("count", count.to_string()).with("origin", ops::origin(&op));
            cx.push(match own.or_else(|| self.outside.clone()) {
                Some(path) => {
                    let place = reference::classify(&path);
                    evidence.with("constant", path).with("path", place)
                }
                None => evidence,
            });
        }
    }
}
