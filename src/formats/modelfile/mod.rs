//! Ollama's Modelfile: which model to take, what to add to it, and the template
//! that builds the prompt (docs of Ollama, "Modelfile reference"; parser/parser.go).

mod template;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match, reference};
use crate::input::{Input, to_u64};
use crate::stop::Stop;
use crate::text;

/// The format.
#[derive(Debug)]
pub struct Modelfile;

/// Where Ollama keeps what it has pulled: `ollama show --modelfile` names files
/// there by their digest.
const STORE: &str = ".ollama/models/blobs/sha256-";

impl Format for Modelfile {
    fn name(&self) -> &'static str {
        "modelfile"
    }

    fn about(&self) -> About {
        About {
            title: "Ollama's Modelfile",
            extensions: &["Modelfile", ".modelfile"],
            reads: "where the model and its adapters come from; the template, as Go renders it",
            leaves_out: "what the prompts say to the model, parameters",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let named =
            head.name == "modelfile" || head.name.starts_with("modelfile.") || head.name.ends_with(".modelfile");
        let is = named && head.len > 0 && text::encoding(head.first, true).is_some();
        if is { Match::Likely } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let bytes = text::source(input, cx.limits().source_bytes)?;
        let source = text::decode(&bytes).into_owned();
        let mut at = 0_usize;
        while at < source.len() {
            cx.charge(1, to_u64(at))?;
            let rest = source.get(at..).unwrap_or_default();
            let instruction = Instruction::first(rest);
            let span = Span::at(to_u64(at));
            match instruction.name.as_str() {
                "FROM" | "ADAPTER" => taken(&instruction.name, instruction.argument, span, cx),
                "TEMPLATE" => template::judge(instruction.argument, span, cx)?,
                _ => {}
            }
            at = at.saturating_add(instruction.length);
        }
        Ok(())
    }
}

/// One instruction, which ends with its line unless its text is in quotes.
struct Instruction<'s> {
    name: String,
    argument: &'s str,
    length: usize,
}

impl<'s> Instruction<'s> {
    fn first(source: &'s str) -> Self {
        let line_end = source.find('\n').map_or(source.len(), |end| end.saturating_add(1));
        let line = source.get(..line_end).unwrap_or_default();
        let (name, rest) = line.trim_start().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
        let name = name.to_ascii_uppercase();
        let plain = Self { name: name.clone(), argument: rest.trim(), length: line_end.max(1) };
        if name.starts_with('#') {
            return Self { name: String::new(), ..plain };
        }
        for quote in ["\"\"\"", "\""] {
            if !rest.trim_start().starts_with(quote) {
                continue;
            }
            let Some(opened) = source.find(quote).map(|at| at.saturating_add(quote.len())) else { break };
            let body = source.get(opened..).unwrap_or_default();
            let end = body.find(quote).unwrap_or(body.len());
            let argument = body.get(..end).unwrap_or_default();
            let length = opened.saturating_add(end).saturating_add(quote.len()).min(source.len());
            return Self { name, argument, length };
        }
        plain
    }
}

/// Tells where a model or an adapter is taken from.
fn taken(by: &str, path: &str, span: Span, cx: &mut Cx<'_, '_>) {
    // A model of a registry has a name and a tag, as in `hf.co/user/model:Q4`.
    let kind = reference::classify(path);
    if path.replace('\\', "/").contains(STORE) {
        return;
    }
    let evidence = Evidence::new(Kind::ReferencePath, kind, span);
    cx.push(evidence.with("path", text::excerpt(path, 200)).with("by", by.to_owned()));
}
