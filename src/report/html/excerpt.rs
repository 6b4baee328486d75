//! What stands around a finding, with the place marked.

use std::fmt::Write as _;

use crate::report::escape::markup;
use crate::report::excerpt::characters;
use crate::report::{Excerpt, Line, View};

pub(super) fn figure(out: &mut String, excerpt: &Excerpt) {
    let class = match excerpt.view {
        View::Bytes => "bytes",
        View::Source => "source",
        View::Program => "program",
    };
    // What can be scrolled can be reached with the keyboard.
    let _ = write!(
        out,
        "<figure class=\"around {class}\"><figcaption>{}</figcaption><pre tabindex=\"0\"><code>",
        excerpt.title()
    );
    for (line, margin) in excerpt.lines.iter().zip(excerpt.margins()) {
        let own = if line.marked.is_some() { " class=\"own\"" } else { "" };
        // The line break belongs to the last cell: between rows it would be one
        // itself.
        let _ = write!(out, "<span{own}><i>{margin}</i><span>{}\n</span></span>", content(excerpt.view, line));
    }
    out.push_str("</code></pre></figure>\n");
}

fn content(view: View, line: &Line) -> String {
    let pieces = line.pieces();
    let text = format!("{}{}{}", markup(&pieces.before), mark(&pieces.marked), markup(&pieces.after));
    if view != View::Bytes {
        return text;
    }
    let [before, marked, after] = [&pieces.before, &pieces.marked, &pieces.after]
        .map(|part| part.trim())
        .map(|part| if part.is_empty() { String::new() } else { characters(part) });
    format!("{text}</span><span class=\"chars\">{}{}{}", markup(&before), mark(&marked), markup(&after))
}

fn mark(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("<mark>{}</mark>", markup(text)) }
}
