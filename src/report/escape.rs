//! Hostile strings on their way into markup, Markdown and URIs. Each of these
//! sanitises first, so that nothing invisible or obeyed by a terminal is left.

use std::fmt::Write as _;

use crate::report::sanitise;

/// For HTML and XML, as text and between quotes.
pub(crate) fn markup(text: &str) -> String {
    quick_xml::escape::escape(sanitise(text).as_str()).into_owned()
}

/// For a table cell or a line of GitHub's Markdown: whatever could begin
/// emphasis, code, a link, HTML, a cell, a formula or a mention is a character
/// reference.
pub(crate) fn markdown(text: &str) -> String {
    let safe = sanitise(text);
    let mut out = String::with_capacity(safe.len());
    let mut before = String::new();
    let mut chars = safe.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            // A mention is looked for after references are resolved, so it
            // takes something between the sign and the name.
            '@' if chars.peek().is_some_and(|next| !next.is_whitespace()) => out.push_str("@<!-- -->"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '{' | '}' | '<' | '>' | '|' | '&' | '~' | '$' | '#' | '!' | ':'
            | '"' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            // `www.` alone makes a link.
            '.' if before.eq_ignore_ascii_case("www") => out.push_str("&#46;"),
            _ => out.push(c),
        }
        if c.is_alphanumeric() {
            before.push(c);
        } else {
            before.clear();
        }
    }
    out
}

/// The path of a URI: everything but unreserved characters and slashes is
/// percent-encoded, so that no name can begin a scheme, a query or a fragment.
pub(crate) fn uri_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// `text` cut to `most` characters, with an ellipsis when that cuts anything.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}
