//! Values as Python would write them, short enough to read.

use super::machine::Machine;
use super::value::{Kind, Node, Shape, Value};

/// Characters of one rendering.
const LENGTH: usize = 400;

/// Characters of one string within it.
const TEXT: usize = 200;

/// Bytes of a constant that are text.
const TEXT_BYTES: u64 = 200;

/// Bytes shown of one that is none.
const BINARY: usize = 32;

/// How deep containers and calls are shown.
const DEPTH: u32 = 6;

/// Items of one container that are shown.
const ITEMS: usize = 12;

impl Machine<'_> {
    /// `value` as a Python expression.
    pub(super) fn render(&self, value: Value) -> String {
        let mut out = String::new();
        self.write(value, DEPTH, &mut out);
        shortened(out)
    }

    /// A call of `callee` (rendered) with a tuple of arguments.
    pub(super) fn render_call(&self, callee: &str, args: Value) -> String {
        let mut out = format!("{callee}(");
        match args.kind() {
            Kind::EmptyTuple => {}
            Kind::Data | Kind::Unknown => out.push('…'),
            _ => self.write_list(&self.arena.items(args, ITEMS), DEPTH, &mut out),
        }
        out.push(')');
        shortened(out)
    }

    fn write_list(&self, items: &[Value], depth: u32, out: &mut String) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            if out.len() > LENGTH {
                out.push('…');
                return;
            }
            self.write(*item, depth.saturating_sub(1), out);
        }
        if items.len() >= ITEMS {
            out.push_str(", …");
        }
    }

    fn write(&self, value: Value, depth: u32, out: &mut String) {
        if depth == 0 || out.len() > LENGTH {
            out.push('…');
            return;
        }
        match value.kind() {
            Kind::None => out.push_str("None"),
            Kind::Bool(flag) => out.push_str(if flag { "True" } else { "False" }),
            Kind::Int(_) | Kind::Long(_) | Kind::Float(_) => {
                out.push_str(&self.number_text(value).unwrap_or_else(|| "…".to_owned()));
            }
            Kind::Str(_) => out.push_str(&quoted(&self.text_of(value).unwrap_or_else(|| "…".to_owned()))),
            Kind::Bytes(_) | Kind::Bytearray(_) => {
                let (offset, length) = self.bytes_span(value).unwrap_or_default();
                let shown = self.input.bytes(offset, length.min(TEXT_BYTES), TEXT_BYTES).unwrap_or_default();
                out.push_str(&quoted_bytes(readable(&shown), length));
            }
            Kind::EmptyTuple => out.push_str("()"),
            Kind::Node(_) => self.write_node(value, depth, out),
            Kind::Buffer => out.push_str("<buffer>"),
            Kind::Data => out.push_str("<data>"),
            Kind::Absent | Kind::Unknown => out.push_str("<unknown>"),
        }
    }

    fn write_node(&self, value: Value, depth: u32, out: &mut String) {
        let Some(node) = self.arena.get(value) else { return out.push_str("<unknown>") };
        match node {
            Node::Global(_) => out.push_str(self.name_of(value).unwrap_or("<name>")),
            Node::Container { shape, .. } => {
                let items = self.arena.items(value, ITEMS);
                if *shape == Shape::Dict {
                    return self.write_dict(&items, depth, out);
                }
                let (open, close) = match shape {
                    Shape::List => ("[", "]"),
                    Shape::Tuple => ("(", ")"),
                    Shape::Set => ("{", "}"),
                    Shape::FrozenSet => ("frozenset({", "})"),
                    Shape::Dict => ("{", "}"),
                };
                out.push_str(open);
                self.write_list(&items, depth, out);
                if *shape == Shape::Tuple && items.len() == 1 {
                    out.push(',');
                }
                out.push_str(close);
            }
            Node::Call { callee, args, .. } => {
                self.write(*callee, depth.saturating_sub(1), out);
                out.push('(');
                match args.kind() {
                    Kind::EmptyTuple => {}
                    Kind::Node(_) => self.write_list(&self.arena.items(*args, ITEMS), depth, out),
                    _ => out.push('…'),
                }
                out.push(')');
            }
            Node::Attribute { object, name } => {
                self.write(*object, depth.saturating_sub(1), out);
                out.push('.');
                let name = usize::try_from(*name).ok().and_then(|at| self.arena.texts.get(at));
                out.push_str(name.map_or("?", String::as_str));
            }
            Node::Text(_) => out.push_str(&quoted(&self.text_of(value).unwrap_or_default())),
            Node::Blob(_) => {
                let bytes = self.bytes_of(value).unwrap_or_default();
                let shown = bytes.get(..bytes.len().min(TEXT)).unwrap_or_default();
                out.push_str(&quoted_bytes(readable(shown), crate::input::to_u64(bytes.len())));
            }
            Node::Persistent(id) => {
                out.push_str("persistent(");
                self.write(*id, depth.saturating_sub(1), out);
                out.push(')');
            }
            Node::Extension(code) => out.push_str(&format!("extension({code})")),
        }
    }

    fn write_dict(&self, items: &[Value], depth: u32, out: &mut String) {
        out.push('{');
        for (index, pair) in items.chunks(2).enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            let [key, value] = pair else { continue };
            self.write(*key, depth.saturating_sub(1), out);
            out.push_str(": ");
            self.write(*value, depth.saturating_sub(1), out);
        }
        if items.len() >= ITEMS {
            out.push_str(", …");
        }
        out.push('}');
    }
}

fn shortened(text: String) -> String {
    if text.chars().count() <= LENGTH {
        return text;
    }
    text.chars().take(LENGTH).chain(std::iter::once('…')).collect()
}

fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars().take(TEXT) {
        match c {
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    if text.chars().nth(TEXT).is_some() {
        out.push('…');
    }
    out.push('\'');
    out
}

/// As much of `bytes` as is worth showing: all when it is text.
pub(super) fn readable(bytes: &[u8]) -> &[u8] {
    let is_text = bytes.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    if is_text { bytes } else { bytes.get(..bytes.len().min(BINARY)).unwrap_or_default() }
}

pub(super) fn quoted_bytes(shown: &[u8], length: u64) -> String {
    let mut out = String::from("b'");
    for byte in shown {
        match byte {
            b'\'' => out.push_str("\\'"),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b' '..=b'~' => out.push(char::from(*byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    if crate::input::to_u64(shown.len()) < length {
        out.push_str(&format!("…' ({length} bytes)"));
    } else {
        out.push('\'');
    }
    out
}
