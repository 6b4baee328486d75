//! Templates of Go (`text/template`), as Ollama renders them. They reach for
//! nothing outside of their data; what they can do is to take time and memory.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::input::to_u64;
use crate::stop::Stop;

/// Widths and counts from which on a text or a loop is no layout any more.
const HUGE: u64 = 1_000_000;

/// Looks for templates that call themselves, loops over a huge number and
/// numbers printed in a huge width.
pub(super) fn judge(source: &str, span: Span, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    // Which templates each definition calls; the outermost has no name.
    let mut calls: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut open: Vec<Option<String>> = Vec::new();
    let told = |what: &'static str, detail: String, cx: &mut Cx<'_, '_>| {
        cx.push(Evidence::new(Kind::TemplateAnomaly, what, span).with("detail", detail));
    };
    for action in (Actions { rest: source }) {
        cx.charge(to_u64(action.len() / 16).saturating_add(1), span.offset)?;
        let words = words(action);
        let name = |at: usize| words.get(at).map(|word| unquoted(word)).unwrap_or_default();
        match words.first().copied() {
            Some("define" | "block") => {
                if words.first() == Some(&"block") {
                    calls.entry(defined(&open)).or_default().insert(name(1));
                }
                open.push(Some(name(1)));
            }
            Some("if" | "with" | "range") => open.push(None),
            Some("end") => drop(open.pop()),
            Some("template") => drop(calls.entry(defined(&open)).or_default().insert(name(1))),
            _ => {}
        }
        let ranged =
            words.iter().skip_while(|word| **word != "range").filter_map(|word| word.parse::<u64>().ok()).max();
        if let Some(count) = ranged.filter(|count| *count >= HUGE) {
            told("huge-loop", format!("range {count}"), cx);
        }
        for word in words.iter().filter(|word| word.starts_with(['"', '`'])) {
            if let Some(width) = widths(word).filter(|width| *width >= HUGE) {
                told("huge-value", format!("printf with a width of {width}"), cx);
            }
        }
    }
    if let Some(name) = circle(&calls) {
        told("huge-loop", format!("the template {name} calls itself"), cx);
    }
    Ok(())
}

/// The definition that is open.
fn defined(open: &[Option<String>]) -> String {
    open.iter().rev().flatten().next().cloned().unwrap_or_default()
}

/// A template that leads back to itself, found by taking away, again and again,
/// those that call none of the rest.
fn circle(calls: &BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    let mut left: BTreeMap<&String, &BTreeSet<String>> = calls.iter().collect();
    loop {
        let done: Vec<&String> = left
            .iter()
            .filter(|(_, called)| !called.iter().any(|name| left.contains_key(name)))
            .map(|(name, _)| *name)
            .collect();
        if done.is_empty() {
            return left.into_keys().next().cloned();
        }
        for name in done {
            left.remove(name);
        }
    }
}

/// The largest width or precision in a format.
fn widths(format: &str) -> Option<u64> {
    let digits = |part: &str| {
        let from = part.trim_start_matches(['-', '+', '#', '0', ' ']);
        let whole: String = from.chars().take_while(|char| char.is_ascii_digit() || *char == '.').collect();
        whole.split('.').filter_map(|digits| digits.parse::<u64>().ok()).max()
    };
    format.split('%').skip(1).filter_map(digits).max()
}

fn unquoted(word: &str) -> String {
    word.trim_matches(['"', '`']).to_owned()
}

/// What stands between `{{` and `}}`, comments left out.
struct Actions<'s> {
    rest: &'s str,
}

impl<'s> Iterator for Actions<'s> {
    type Item = &'s str;

    fn next(&mut self) -> Option<&'s str> {
        loop {
            let (_, after) = self.rest.split_once("{{")?;
            let end = end(after);
            self.rest = after.get(end.saturating_add(2)..).unwrap_or_default();
            let action = after.get(..end).unwrap_or(after).trim_start_matches('-').trim_end_matches('-').trim();
            if !action.starts_with("/*") {
                return Some(action);
            }
        }
    }
}

/// Where an action ends: braces in a text or a comment end none.
fn end(action: &str) -> usize {
    if action.trim_start_matches('-').trim_start().starts_with("/*") {
        let comment = action.find("*/").unwrap_or(action.len());
        let rest = action.get(comment..).unwrap_or_default();
        return comment.saturating_add(rest.find("}}").unwrap_or(rest.len()));
    }
    let (mut quote, mut escaped, mut last) = (None, false, ' ');
    for (at, char) in action.char_indices() {
        match (quote, char) {
            _ if escaped => escaped = false,
            (Some('"'), '\\') => escaped = true,
            (Some(open), _) if char == open => quote = None,
            (None, '"' | '`') => quote = Some(char),
            (None, '}') if last == '}' => return at.saturating_sub(1),
            _ => {}
        }
        last = char;
    }
    action.len()
}

/// The words and texts of an action; brackets and pipes stand between them.
fn words(action: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = action.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if matches!(first, '"' | '`') {
            let body = rest.get(1..).unwrap_or_default();
            body.find(first).map_or(rest.len(), |end| end.saturating_add(2))
        } else if matches!(first, '(' | ')' | '|' | ',') {
            1
        } else {
            rest.find(|char: char| char.is_whitespace() || matches!(char, '(' | ')' | '|' | ',' | '"' | '`'))
                .unwrap_or(rest.len())
        };
        words.extend(rest.get(..length));
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    words
}
