//! Lines of a terminal: words wrapped to its width, and colours.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use crate::report::text::Style;
use crate::report::{Verdict, sanitise};

pub(super) const RED: &str = "31";
pub(super) const YELLOW: &str = "33";
pub(super) const GREEN: &str = "32";
pub(super) const MAGENTA: &str = "35";
pub(super) const DIM: &str = "2";
pub(super) const BOLD: &str = "1";

pub(super) fn colour_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Malicious => RED,
        Verdict::Suspicious => YELLOW,
        Verdict::Incomplete => MAGENTA,
        Verdict::Clean => GREEN,
    }
}

pub(super) fn paint(text: &str, code: &str, style: Style) -> String {
    if style.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Columns that `text` takes.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// `text` sanitised, and cut when it is longer than anybody reads.
pub(super) fn short(text: &str, characters: usize) -> String {
    let safe = sanitise(text);
    match safe.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", safe.get(..end).unwrap_or_default()),
        None => safe,
    }
}

/// `text` cut to `room` columns.
pub(super) fn fitting(text: &str, room: usize) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |letter: &char| {
        used += columns(letter.encode_utf8(&mut [0; 4]));
        used <= room
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// `text` after `indent`, broken at spaces to the style's width; later lines
/// are indented as far.
pub(super) fn wrapped(out: &mut String, indent: &str, text: &str, style: Style) {
    row(out, indent, columns(indent), text, style);
}

/// The same after something that takes `width` columns and may be coloured.
pub(super) fn row(out: &mut String, lead: &str, width: usize, text: &str, style: Style) {
    let room = style.width.saturating_sub(width).max(20);
    for (number, line) in broken(text, room).iter().enumerate() {
        let lead = if number == 0 { lead.to_owned() } else { " ".repeat(width) };
        let _ = writeln!(out, "{}", format!("{lead}{line}").trim_end());
    }
}

/// Items after `lead` with commas between them, each in its colour; no line
/// ends within an item.
pub(super) fn list(out: &mut String, lead: &str, items: &[(String, Option<&str>)], style: Style) {
    let mut line = columns(lead);
    out.push_str(lead);
    for (number, (item, colour)) in items.iter().enumerate() {
        let comma = if number + 1 < items.len() { "," } else { "" };
        if line + 1 + columns(item) + comma.len() > style.width {
            out.push_str("\n   ");
            line = 3;
        }
        let painted = colour.map_or_else(|| item.clone(), |colour| paint(item, colour, style));
        let _ = write!(out, " {painted}{comma}");
        line += 1 + columns(item) + comma.len();
    }
    out.push('\n');
}

/// Lines of at most `room` columns; a word that is longer is broken anywhere.
fn broken(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let wide = columns(word);
        if used > 0 && used + 1 + wide > room {
            lines.push(String::new());
            used = 0;
        } else if used > 0 {
            push(&mut lines, " ");
            used += 1;
        }
        if wide <= room {
            push(&mut lines, word);
            used += wide;
            continue;
        }
        for letter in word.chars() {
            let mut bytes = [0; 4];
            let letter = letter.encode_utf8(&mut bytes);
            if used + columns(letter) > room {
                lines.push(String::new());
                used = 0;
            }
            push(&mut lines, letter);
            used += columns(letter);
        }
    }
    lines
}

fn push(lines: &mut [String], text: &str) {
    if let Some(line) = lines.last_mut() {
        line.push_str(text);
    }
}
