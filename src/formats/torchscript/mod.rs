//! TorchScript source, `code/**/*.py` in a PyTorch zip: it looks like Python
//! and is compiled by PyTorch itself, so what it can do is what operators it
//! names (`torch/csrc/jit/serialization/import_source.cpp`).

use std::collections::BTreeMap;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::{Input, to_u64};
use crate::stop::Stop;

/// Reads TorchScript source: see [`Format`].
#[derive(Debug)]
pub struct TorchScript;

impl Format for TorchScript {
    fn name(&self) -> &'static str {
        "torchscript"
    }

    fn about(&self) -> About {
        About {
            title: "TorchScript source in a PyTorch zip",
            extensions: &[".py"],
            reads: "every operator, custom class and method that the source names, with the first string given to it",
            leaves_out: "what the operators compute",
        }
    }

    fn recognise(&self, _head: &Head<'_>) -> Match {
        // Only its place in an archive tells it from Python.
        Match::No
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let source = input.all(cx.limits().header_bytes)?;
        let mut uses: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
        let mut imports_python = false;
        let mut tokens = Tokens { source: &source, at: 0 };
        let mut line_start = true;
        while let Some((at, token)) = tokens.next() {
            cx.charge(1, to_u64(at))?;
            let Token::Name(name) = token else {
                line_start = matches!(token, Token::Line);
                continue;
            };
            if line_start && (name == "from" || (name == "import" && !tokens.begins(b"__torch__"))) {
                imports_python = true;
            }
            line_start = false;
            if let Some(operator) = operator(name, preceded_by_dot(&source, at)) {
                let constant = cx.shorten(&tokens.first_string_argument().unwrap_or_default());
                let (count, _) = uses.entry((operator, constant)).or_insert((0, to_u64(at)));
                *count = count.saturating_add(1);
            }
        }
        for ((operator, constant), (count, at)) in uses {
            let mut evidence =
                Evidence::new(Kind::OperatorUse, operator, Span::at(at)).with("count", count.to_string());
            if !constant.is_empty() {
                evidence = evidence.with("constant", constant);
            }
            cx.push(evidence);
        }
        if imports_python {
            // PyTorch refuses this, but something else may import it.
            let name = cx.name().to_owned();
            cx.child(&name, input.clone())?;
        }
        Ok(())
    }
}

/// The operator that a dotted name means: `torch.x` is `aten::x`, `ops.n.x` is
/// `n::x`, a method of any value is `method::x`, a native class `classes::x`.
fn operator(name: &str, after_dot: bool) -> Option<String> {
    if after_dot {
        return Some(format!("method::{}", name.rsplit('.').next().unwrap_or(name)));
    }
    let inner = name.strip_prefix("torch.").unwrap_or(name);
    if let Some(qualified) = inner.strip_prefix("ops.") {
        let (namespace, rest) = qualified.split_once('.')?;
        return Some(format!("{namespace}::{rest}"));
    }
    if let Some(class) = name.strip_prefix("__torch__.torch.classes.") {
        return Some(format!("classes::{class}"));
    }
    if name.starts_with("__torch__.") || name.starts_with("CONSTANTS.") {
        return None;
    }
    if inner.len() < name.len() {
        return Some(format!("aten::{inner}"));
    }
    // A method of a variable.
    let (_, method) = name.rsplit_once('.')?;
    Some(format!("method::{method}"))
}

fn preceded_by_dot(source: &[u8], at: usize) -> bool {
    let before = source.get(..at).unwrap_or_default();
    before.iter().rev().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'.')
}

/// What matters of a source text.
enum Token<'s> {
    /// A dotted name.
    Name(&'s str),
    /// The start of a line.
    Line,
    /// Anything else.
    Other,
}

/// Splits a source text; strings and comments are passed over.
struct Tokens<'s> {
    source: &'s [u8],
    at: usize,
}

impl<'s> Tokens<'s> {
    fn next(&mut self) -> Option<(usize, Token<'s>)> {
        let start = self.at;
        let byte = *self.source.get(start)?;
        let rest = self.source.get(start..).unwrap_or_default();
        let (length, token) = match byte {
            b'\n' => (1, Token::Line),
            b'#' => (rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()), Token::Other),
            b'"' | b'\'' => (string_length(rest), Token::Other),
            b'A'..=b'Z' | b'a'..=b'z' | b'_' => {
                let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
                let length = rest.iter().position(|byte| !is_name(byte)).unwrap_or(rest.len());
                let name = rest.get(..length).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default();
                (length, Token::Name(name))
            }
            _ => (1, Token::Other),
        };
        self.at = start.saturating_add(length);
        Some((start, token))
    }

    fn begins(&self, text: &[u8]) -> bool {
        self.source.get(self.at..).unwrap_or_default().trim_ascii_start().starts_with(text)
    }

    /// The string that is the first argument of the call that begins here.
    fn first_string_argument(&self) -> Option<String> {
        let rest = self.source.get(self.at..)?.trim_ascii_start().strip_prefix(b"(")?.trim_ascii_start();
        if !matches!(rest.first(), Some(b'"' | b'\'')) {
            return None;
        }
        let text = rest.get(1..string_length(rest).saturating_sub(1))?;
        Some(String::from_utf8_lossy(text).into_owned())
    }
}

/// Length of the string literal that begins here, quotes included.
fn string_length(text: &[u8]) -> usize {
    let quote = text.first().copied().unwrap_or(b'"');
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate().skip(1) {
        if escaped {
            escaped = false;
        } else if *byte == b'\\' {
            escaped = true;
        } else if *byte == quote {
            return at.saturating_add(1);
        }
    }
    text.len()
}
