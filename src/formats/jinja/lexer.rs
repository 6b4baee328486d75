//! A tolerant lexer: the words and strings of every tag and expression, also
//! of templates that no parser accepts.

use std::fmt::Write as _;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or keyword.
    Word,
    /// The inside of a string literal, escapes as written.
    Text,
    /// A number.
    Number,
    /// An operator or bracket, one character.
    Mark,
    /// A tag or expression begins.
    Begin,
}

/// A token inside `{{ }}` or `{% %}`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    pub at: usize,
}

/// All tokens of all tags and expressions, raw blocks left out.
pub(super) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = source.get(at..).and_then(|rest| rest.find('{')) {
        let start = at.saturating_add(open);
        let inside = start.saturating_add(2);
        match source.as_bytes().get(start.saturating_add(1)) {
            Some(b'#') => {
                let end = source.get(inside..).and_then(|rest| rest.find("#}"));
                at = end.map_or(source.len(), |end| inside.saturating_add(end).saturating_add(2));
            }
            Some(mark @ (b'{' | b'%')) => {
                let close = if *mark == b'{' { "}}" } else { "%}" };
                found.push(Token { kind: Kind::Begin, text: "", at: start });
                let first = found.len();
                at = inner(source, inside, close, &mut found);
                let is_raw = *mark == b'%' && words(found.get(first..).unwrap_or_default()) == ["raw"];
                if is_raw {
                    at = end_of_raw(source, at);
                }
            }
            _ => at = start.saturating_add(1),
        }
    }
    found
}

fn words<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
    tokens.iter().filter(|token| token.kind == Kind::Word).map(|token| token.text).collect()
}

/// Where the raw block that begins at `from` ends. One that never ends is no
/// template at all, and is read like the rest.
fn end_of_raw(source: &str, from: usize) -> usize {
    let mut at = from;
    while let Some(open) = source.get(at..).and_then(|rest| rest.find("{%")) {
        let inside = at.saturating_add(open).saturating_add(2);
        let mut tag = Vec::new();
        let end = inner(source, inside, "%}", &mut tag);
        if words(&tag) == ["endraw"] {
            return end;
        }
        at = inside;
    }
    from
}

/// The tokens from `at` to `close`; where that ends.
fn inner<'a>(source: &'a str, from: usize, close: &str, found: &mut Vec<Token<'a>>) -> usize {
    let mut at = from;
    let mut braces = 0_usize;
    while let Some(rest) = source.get(at..) {
        let Some(char) = rest.chars().next() else { break };
        if braces == 0 && rest.starts_with(close) {
            return at.saturating_add(2);
        }
        let len = if char == '\'' || char == '"' {
            let len = string_len(rest, char);
            let text = rest.get(1..len.saturating_sub(1).max(1)).unwrap_or_default();
            found.push(Token { kind: Kind::Text, text, at });
            len
        } else if char.is_alphabetic() || char == '_' {
            let len = rest.find(|char: char| !(char.is_alphanumeric() || char == '_')).unwrap_or(rest.len());
            found.push(Token { kind: Kind::Word, text: rest.get(..len).unwrap_or_default(), at });
            len
        } else if char.is_ascii_digit() {
            let len =
                rest.find(|char: char| !(char.is_alphanumeric() || char == '.' || char == '_')).unwrap_or(rest.len());
            found.push(Token { kind: Kind::Number, text: rest.get(..len).unwrap_or_default(), at });
            len
        } else {
            match char {
                '{' => braces = braces.saturating_add(1),
                '}' => braces = braces.saturating_sub(1),
                _ => {}
            }
            let len = char.len_utf8();
            if !char.is_whitespace() {
                found.push(Token { kind: Kind::Mark, text: rest.get(..len).unwrap_or_default(), at });
            }
            len
        };
        at = at.saturating_add(len.max(1));
    }
    source.len()
}

/// Length of the string literal that `rest` begins with, quotes included.
fn string_len(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if char == '\\' {
            escaped = true;
        } else if char == quote {
            return at.saturating_add(1);
        }
    }
    rest.len()
}

/// An upper bound for the depth of the tree: brackets nest, operators and
/// filters chain until a comma, blocks nest.
pub(super) fn nesting(tokens: &[Token<'_>]) -> u64 {
    let (mut chains, mut blocks, mut deepest) = (vec![0_u64], 0_u64, 0_u64);
    let mut tag_begins = false;
    for token in tokens {
        match (token.kind, token.text) {
            (Kind::Begin, _) => {
                chains = vec![0];
                tag_begins = true;
                continue;
            }
            (Kind::Mark, "-" | "+") if tag_begins => continue,
            (Kind::Mark, "(" | "[" | "{") => {
                bump(&mut chains);
                chains.push(0);
            }
            (Kind::Mark, ")" | "]" | "}") if chains.len() > 1 => {
                chains.pop();
            }
            (Kind::Mark, ",") => {
                if let Some(last) = chains.last_mut() {
                    *last = 0;
                }
            }
            (Kind::Mark, _) => bump(&mut chains),
            (
                Kind::Word,
                "if" | "for" | "macro" | "call" | "filter" | "set" | "block" | "with" | "autoescape" | "elif",
            ) if tag_begins => {
                blocks = blocks.saturating_add(1);
            }
            (Kind::Word, word) if tag_begins && word.starts_with("end") => blocks = blocks.saturating_sub(1),
            (Kind::Word, "not" | "if" | "else" | "and" | "or" | "is" | "in") => bump(&mut chains),
            _ => {}
        }
        tag_begins = false;
        let chained = chains.iter().fold(0_u64, |sum, chain| sum.saturating_add(*chain));
        deepest = deepest.max(chained.saturating_add(blocks.min(1 << 20)));
    }
    deepest
}

fn bump(chains: &mut [u64]) {
    if let Some(last) = chains.last_mut() {
        *last = last.saturating_add(1);
    }
}

/// The tokens around `index`, as one line.
pub(super) fn around(tokens: &[Token<'_>], index: usize) -> String {
    let from = tokens
        .get(..index)
        .unwrap_or_default()
        .iter()
        .rposition(|token| token.kind == Kind::Begin)
        .map_or(0, |at| at.saturating_add(1));
    let from = from.max(index.saturating_sub(12));
    let mut line = String::new();
    for token in tokens.get(from..).unwrap_or_default().iter().take(30).take_while(|token| token.kind != Kind::Begin) {
        let _ = match token.kind {
            Kind::Text => write!(line, "'{}'", token.text),
            Kind::Word if line.ends_with(|char: char| char.is_alphanumeric()) => write!(line, " {}", token.text),
            _ => write!(line, "{}", token.text),
        };
    }
    crate::text::excerpt(&line, 160)
}

/// A string literal's characters, escapes resolved as Python does.
pub(super) fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if char != '\\' {
            out.push(char);
            continue;
        }
        let Some(kind) = chars.next() else { break };
        let (radix, most) = match kind {
            'x' => (16, 2),
            'u' => (16, 4),
            'U' => (16, 8),
            '0'..='7' => (8, 3),
            'n' => {
                out.push('\n');
                continue;
            }
            't' => {
                out.push('\t');
                continue;
            }
            other => {
                out.push(other);
                continue;
            }
        };
        let mut code = if radix == 8 { kind.to_digit(8).unwrap_or(0) } else { 0 };
        let mut digits = u32::from(radix == 8);
        while digits < most
            && let Some(digit) = chars.peek().and_then(|char| char.to_digit(radix))
        {
            code = code.saturating_mul(radix).saturating_add(digit);
            digits = digits.saturating_add(1);
            chars.next();
        }
        out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    out
}

/// The source with the given tags replaced by spaces, offsets kept.
pub(super) fn without_tags(source: &str, tags: &[&str]) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(open) = rest.find("{%") {
        let (before, tag) = rest.split_at_checked(open).unwrap_or((rest, ""));
        out.push_str(before);
        let Some(close) = tag.find("%}") else {
            rest = tag;
            break;
        };
        let end = close.saturating_add(2);
        let whole = tag.get(..end).unwrap_or_default();
        let word = whole.trim_start_matches("{%").trim_start_matches(['-', '+']).trim_start();
        let name = word.split(|char: char| !(char.is_alphanumeric() || char == '_')).next().unwrap_or_default();
        if tags.contains(&name) {
            out.extend(std::iter::repeat_n(' ', whole.len()));
        } else {
            out.push_str(whole);
        }
        rest = tag.get(end..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}
