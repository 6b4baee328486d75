//! Protobuf in text: networks of Caffe (`.prototxt`), configurations of Triton
//! (`config.pbtxt`), graphs of TensorFlow (`saved_model.pbtxt`). Read for the few
//! fields that name code, files and operators.

use std::collections::BTreeMap;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match, reference};
use crate::input::{Input, to_u64};
use crate::stop::Stop;
use crate::text;

/// The format.
#[derive(Debug)]
pub struct TextProto;

const NAMED: &[&str] = &[".prototxt", ".pbtxt"];

/// Operators of the saver that every model carries.
const SAVER: [&str; 4] = ["Save", "Restore", "MergeV2Checkpoints", "ShardedFilename"];

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
        let is = head.is_named(NAMED) && head.len > 0 && text::encoding(head.first, true).is_some();
        if is { Match::Likely } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let bytes = text::source(input, cx.limits().source_bytes)?;
        let source = text::decode(&bytes).into_owned();
        let mut tokens = Tokens { source: &source, at: 0 };
        // The field before a string, and the two strings before this one.
        let (mut field, mut last) = (String::new(), String::new());
        let mut python = false;
        let mut uses: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let mut outside = None;
        while let Some((at, token)) = tokens.next() {
            cx.charge(1, at)?;
            let span = Span::new(at, to_u64(token.len()));
            match token.strip_prefix(['"', '\'']) {
                None => field = token.to_owned(),
                Some(value) => {
                    let value = value.strip_suffix(['"', '\'']).unwrap_or(value);
                    python |= field == "type" && value == "Python";
                    if field == "op" && !SAVER.iter().any(|saver| value.starts_with(saver)) {
                        let used = uses.entry(text::excerpt(value, 120)).or_insert((0, at));
                        used.0 = used.0.saturating_add(1);
                    }
                    if matches!(field.as_str(), "string_val" | "s") && reference::classify(value) != "inside" {
                        outside.get_or_insert_with(|| text::excerpt(value, 200));
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
        for (op, (count, at)) in uses {
            let evidence = Evidence::new(Kind::OperatorUse, format!("tensorflow::{op}"), Span::at(at));
            let evidence = evidence.with("count", count.to_string());
            cx.push(match &outside {
                Some(path) => evidence.with("constant", path.clone()).with("path", reference::classify(path)),
                None => evidence,
            });
        }
        Ok(())
    }
}

/// Words and strings, comments and punctuation left out.
struct Tokens<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Tokens<'s> {
    fn next(&mut self) -> Option<(u64, &'s str)> {
        loop {
            let rest = self.source.get(self.at..)?;
            let first = rest.chars().next()?;
            let length = match first {
                '#' => rest.find('\n').unwrap_or(rest.len()),
                '"' | '\'' => {
                    let body = rest.get(1..).unwrap_or_default();
                    body.find([first, '\n']).map_or(rest.len(), |end| end.saturating_add(2)).min(rest.len())
                }
                letter if letter.is_alphanumeric() || matches!(letter, '_' | '.' | '-') => rest
                    .find(|letter: char| !letter.is_alphanumeric() && !matches!(letter, '_' | '.' | '-'))
                    .unwrap_or(rest.len()),
                other => other.len_utf8(),
            };
            let at = self.at;
            self.at = at.saturating_add(length);
            if first == '"' || first == '\'' || first.is_alphanumeric() || matches!(first, '_' | '.' | '-') {
                return Some((to_u64(at), rest.get(..length)?));
            }
        }
    }
}
