//! Expressions as text: on one line when they fit, else a line per item.

/// Columns that a statement may fill; with the offset before it, it fits a
/// terminal of 110.
const COLUMNS: usize = 98;

/// Columns of one level of indentation.
const INDENT: usize = 4;

/// Columns of a group that shares its line with others, such as a shape.
const SMALL: usize = 24;

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Doc {
    /// A name, a constant.
    Leaf(String),
    /// Two expressions with something between: `key: value`, `v0 = [...]`.
    Pair(Box<Doc>, &'static str, Box<Doc>),
    /// A literal of a container, or a call.
    Group { open: String, items: Vec<Doc>, close: &'static str },
}

impl Doc {
    pub(super) fn leaf(text: impl Into<String>) -> Self {
        Self::Leaf(text.into())
    }

    pub(super) fn pair(left: Self, between: &'static str, right: Self) -> Self {
        Self::Pair(Box::new(left), between, Box::new(right))
    }

    pub(super) fn group(open: impl Into<String>, items: Vec<Self>, close: &'static str) -> Self {
        Self::Group { open: open.into(), items, close }
    }

    /// Whether it may share its line: not a pair, which is found by its key.
    fn is_small(&self) -> bool {
        match self {
            Self::Leaf(_) => true,
            Self::Pair(..) => false,
            Self::Group { .. } => self.room_after(SMALL).is_some(),
        }
    }

    /// All of it on one line.
    pub(super) fn flat(&self) -> String {
        let mut out = String::new();
        self.write_flat(&mut out);
        out
    }

    fn write_flat(&self, out: &mut String) {
        match self {
            Self::Leaf(text) => out.push_str(text),
            Self::Pair(left, between, right) => {
                left.write_flat(out);
                out.push_str(between);
                right.write_flat(out);
            }
            Self::Group { open, items, close } => {
                out.push_str(open);
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    item.write_flat(out);
                }
                out.push_str(close);
            }
        }
    }

    /// What is left of `room` columns behind it on one line; nothing when it
    /// does not fit.
    fn room_after(&self, room: usize) -> Option<usize> {
        match self {
            Self::Leaf(text) => room.checked_sub(text.chars().count()),
            Self::Pair(left, between, right) => {
                let room = left.room_after(room)?.checked_sub(between.len())?;
                right.room_after(room)
            }
            Self::Group { open, items, close } => {
                let mut room = room.checked_sub(open.chars().count())?.checked_sub(close.len())?;
                for item in items {
                    room = item.room_after(room)?.checked_sub(2)?;
                }
                Some(room)
            }
        }
    }

    /// As text that keeps to the columns where it can.
    pub(super) fn laid_out(&self) -> String {
        let mut out = String::new();
        self.write(0, COLUMNS, &mut out);
        out
    }

    /// Writes at `indent`, with `room` columns left of the line.
    fn write(&self, indent: usize, room: usize, out: &mut String) {
        if self.room_after(room).is_some() {
            return self.write_flat(out);
        }
        match self {
            Self::Leaf(text) => out.push_str(text),
            Self::Pair(left, between, right) => {
                left.write_flat(out);
                out.push_str(between);
                let used = left.flat().chars().count().saturating_add(between.len());
                right.write(indent, room.saturating_sub(used), out);
            }
            Self::Group { open, items, close } => {
                out.push_str(open);
                match items.as_slice() {
                    // `f({` and `})` on one line each: the call adds nothing.
                    [only @ Self::Group { .. }] => {
                        only.write(indent, room.saturating_sub(open.chars().count()), out);
                    }
                    _ => write_items(items, indent.saturating_add(INDENT), out),
                }
                if !matches!(items.as_slice(), [Self::Group { .. }]) {
                    new_line(indent, out);
                }
                out.push_str(close);
            }
        }
    }
}

/// Writes a line per item; small ones share lines.
fn write_items(items: &[Doc], indent: usize, out: &mut String) {
    let width = COLUMNS.saturating_sub(indent);
    let mut room = 0_usize;
    for item in items {
        let shares = item.is_small();
        // One for the comma, one for the space before.
        match item.room_after(room.saturating_sub(2)).filter(|_| shares && room > 2) {
            Some(left) => {
                out.push(' ');
                room = left;
            }
            None => {
                new_line(indent, out);
                room = if shares { item.room_after(width.saturating_sub(1)).unwrap_or(0) } else { 0 };
            }
        }
        item.write(indent, width.saturating_sub(1), out);
        out.push(',');
    }
}

fn new_line(indent: usize, out: &mut String) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
}

/// A string as Python would write it, with everything escaped that a terminal
/// obeys or hides; at most `most` characters of it.
pub(super) fn literal(text: &str, most: usize) -> String {
    let mut out = String::from("'");
    for c in text.chars().take(most) {
        match c {
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if !crate::report::is_hidden(c) => out.push(c),
            c if u32::from(c) <= 0xff => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if u32::from(c) <= 0xffff => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    let more = text.chars().skip(most).count();
    if more > 0 {
        out.push_str(&format!("… {more} more"));
    }
    out.push('\'');
    out
}
