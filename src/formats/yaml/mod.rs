//! YAML: configurations of NeMo, hydra, MLflow, conda, speechbrain and others.
//! Tags that construct objects, keys that name code, packages from elsewhere.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match, jinja, requirements};
use crate::input::{Input, to_u64};
use crate::stop::Stop;
use crate::text;
use crate::text::config::{self, Walk};

/// Reads YAML: see [`Format`].
#[derive(Debug)]
pub struct Yaml;

const NAMED: &[&str] = &[".yaml", ".yml"];
const PLAIN_NAMES: &[&str] = &["mlmodel", "mlproject", "conda.yaml", "bentofile.yaml", "bento.yaml"];

/// Whether the beginning has a line of the kind `key: value` or a tag that
/// constructs something, and no prose before it.
fn begins(first: &[u8]) -> bool {
    let text = String::from_utf8_lossy(first.get(..first.len().min(8192)).unwrap_or_default()).into_owned();
    if text.contains("!!python/") || text.contains("!<tag:yaml.org,2002:python/") || text.starts_with("%YAML") {
        return true;
    }
    text.contains("_target_:") || text.contains("!new:") || text.contains("!apply:")
}

impl Format for Yaml {
    fn name(&self) -> &'static str {
        "yaml"
    }

    fn about(&self) -> About {
        About {
            title: "YAML 1.2 and what PyYAML adds; MLflow, conda, hydra and HyperPyYAML files",
            extensions: NAMED,
            reads: "every tag, key and scalar: objects that are constructed, code that is named, packages from elsewhere",
            leaves_out: "collections behind aliases, which are read once where they stand",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if head.len == 0 || text::encoding(head.first, true).is_none() {
            return Match::No;
        }
        let named = head.is_named(NAMED) || PLAIN_NAMES.contains(&head.name);
        let other = head.is_named(&[".md", ".py", ".rst", ".txt", ".html", ".json", ".ipynb", ".cc", ".h", ".sh"]);
        if named || !other && begins(head.first) { Match::Likely } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let outcome = read(input, cx);
        text::keep_limit(outcome, cx)
    }
}

fn read(input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let bytes = text::source(input, cx.limits().source_bytes)?;
    let source = text::decode(&bytes).into_owned();
    let name = cx.name().to_lowercase();
    let mut outcome = document(&source, cx);
    // YAML 1.1, which PyYAML reads, ends lines at these too; YAML 1.2 does not.
    const BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];
    // A byte-order mark further in is part of a key for one loader and nothing for
    // another; the parser here stops at it.
    if source.contains(MARK) {
        outcome = document(&source.replace(MARK, ""), cx);
    }
    if source.contains(BREAKS) {
        outcome = outcome.and(document(&source.replace(BREAKS, "\n"), cx));
    }
    let named = NAMED.iter().any(|ending| name.ends_with(ending)) || name.ends_with("mlmodel");
    if outcome.is_err()
        && named
        // Tags by handles of their own could mean anything in braces.
        && !source.contains("%TAG")
        && let Some(filled) = filled(&source)
        && document(&filled, cx).is_ok()
    {
        // A template: what it makes is told by who fills it in, which runs what
        // stands in its braces.
        scan(&source, cx);
        return if jinja::is_template(&source) { cx.child_as("jinja", TEMPLATE, input.clone()) } else { Ok(()) };
    }
    if let Err(stop) = &outcome
        && named
    {
        // PyYAML may read more than this parser does, tags above all.
        scan(&source, cx);
        cx.gap(stop);
        return Ok(());
    }
    outcome
}

/// What the template of a document is called.
const TEMPLATE: &str = "template";

/// What a template for YAML would look like once it is filled in (conda recipes,
/// Helm charts, dbt): a word stands for each value, nothing for statements and
/// for values that are lines of their own. Every byte keeps its place.
fn filled(source: &str) -> Option<String> {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((open, close)) = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")]
        .into_iter()
        .filter_map(|(mark, end)| rest.find(mark).map(|at| (at, end)))
        .min()
    {
        let (before, from) = rest.split_at_checked(open)?;
        let inside = from.get(2..)?.find(close)?;
        let (expression, after) = from.split_at_checked(inside.checked_add(4)?)?;
        let begins_line = before.is_empty() && out.ends_with('\n')
            || before.rsplit('\n').next().is_some_and(|line| line.trim().is_empty() && before.contains('\n'));
        let ends_line = after.lines().next().is_none_or(|line| line.trim().is_empty() || line.trim().starts_with('#'));
        out.push_str(before);
        let value = close == "}}" && !(begins_line && ends_line);
        for (index, letter) in expression.char_indices() {
            match letter {
                '\n' => out.push('\n'),
                _ if index == 0 && value => out.push('x'),
                _ => (0..letter.len_utf8()).for_each(|_| out.push(' ')),
            }
        }
        rest = after;
    }
    out.push_str(rest);
    (out != source).then_some(out)
}

/// U+FEFF, which programs that join files leave between them.
const MARK: char = '\u{feff}';

fn document(source: &str, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let mut reader =
        Reader { walk: Walk::new(cx.name()), open: Vec::new(), tagged: Vec::new(), anchored: BTreeMap::new() };
    for event in Parser::new_from_str(source) {
        let (event, span) = event.map_err(|error| {
            let at = to_u64(error.marker().index());
            Stop::malformed(at, format!("not YAML: {}", text::excerpt(error.info(), 120)))
        })?;
        let at = to_u64(span.start.index());
        cx.charge(1, at)?;
        reader.event(event, at, cx)?;
    }
    Ok(())
}

struct Reader {
    walk: Walk,
    /// What is open: in a mapping, whether a key comes next.
    open: Vec<Open>,
    /// The constructor tag whose arguments are open, by nesting.
    tagged: Vec<Option<String>>,
    /// Scalars that aliases may repeat, as keys too.
    anchored: BTreeMap<usize, String>,
}

/// Anchored scalars of one document that are kept, and bytes of one: longer
/// ones are no names.
const ANCHORS: usize = 4096;
const ANCHORED: usize = 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Sequence,
    Key,
    Value,
}

impl Reader {
    fn event(&mut self, event: Event<'_>, at: u64, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        match event {
            Event::MappingStart(_, tag) => self.begin(tag.as_deref(), Open::Key, at, cx)?,
            Event::SequenceStart(_, tag) => self.begin(tag.as_deref(), Open::Sequence, at, cx)?,
            Event::MappingEnd | Event::SequenceEnd => {
                self.open.pop();
                self.tagged.pop();
                self.walk.close();
                self.after_value();
            }
            Event::Alias(anchor) => {
                match (self.anchored.get(&anchor).cloned(), self.open.last()) {
                    (Some(key), Some(Open::Key)) => self.walk.key(&key),
                    (Some(value), _) => self.walk.string(&value, at, cx)?,
                    (None, _) => self.walk.other(),
                }
                self.after_node();
            }
            Event::Scalar(value, style, anchor, tag) => {
                if let Some(tag) = &tag {
                    constructed(tag, &value, at, cx);
                }
                if anchor > 0 && self.anchored.len() < ANCHORS && value.len() <= ANCHORED {
                    self.anchored.insert(anchor, value.to_string());
                }
                if self.open.last() == Some(&Open::Key) {
                    self.walk.key(&value);
                } else if style == ScalarStyle::Plain && matches!(value.as_ref(), "true" | "True" | "yes" | "on") {
                    self.walk.truth(true, at, cx);
                } else {
                    self.walk.string(&value, at, cx)?;
                    self.packages(&value, at, cx);
                }
                self.after_node();
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn begin(&mut self, tag: Option<&Tag>, open: Open, at: u64, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        if to_u64(self.open.len()) >= cx.limits().nesting {
            return Err(Stop::Limit { offset: at, limit: "nesting" });
        }
        if let Some(tag) = tag {
            constructed(tag, "", at, cx);
        }
        match open {
            Open::Sequence => self.walk.open_array(),
            _ => self.walk.open_object(),
        }
        self.open.push(open);
        self.tagged.push(tag.map(|tag| tag.suffix.clone()));
        Ok(())
    }

    /// A scalar or alias was read: as a key, its value is next.
    fn after_node(&mut self) {
        if let Some(open) = self.open.last_mut() {
            *open = match *open {
                Open::Key => Open::Value,
                Open::Value => Open::Key,
                Open::Sequence => Open::Sequence,
            };
        }
    }

    /// A collection ended; one that was a key has a value next.
    fn after_value(&mut self) {
        self.after_node();
    }

    /// Dependencies in conda environments and the like.
    fn packages(&self, value: &str, at: u64, cx: &mut Cx<'_, '_>) {
        let listed = self.open.last() == Some(&Open::Sequence);
        if listed && (value.contains("://") || value.starts_with("--") || value.starts_with("git+")) {
            let list = value.starts_with("--")
                || value.contains(" @ ")
                || value.contains("git+")
                || value.contains(".whl")
                || value.contains(".tar.gz");
            if list {
                requirements::requirement(value, at, cx);
            }
        }
    }
}

/// A tag that makes a loader construct or call something.
fn constructed(tag: &Tag, scalar: &str, at: u64, cx: &mut Cx<'_, '_>) {
    let whole = format!("{}{}", tag.handle, tag.suffix);
    let python = whole.split_once("python/").map(|(_, rest)| rest);
    let (loader, how, name) = if let Some(rest) = python {
        let (how, name) = rest.split_once(':').unwrap_or((rest, scalar));
        match how {
            // Plain data under Python's names.
            "tuple" | "str" | "unicode" | "int" | "long" | "float" | "complex" | "bool" | "bytes" | "list" | "dict"
            | "none" => return,
            "name" | "module" => ("pyyaml", "import", name),
            _ => ("pyyaml", "call", name),
        }
    } else {
        let Some((how, name)) = tag.suffix.split_once(':') else { return };
        match how {
            // HyperPyYAML; the loader of speechbrain.
            "new" | "apply" => ("hyperpyyaml", "call", name),
            "name" | "module" => ("hyperpyyaml", "import", name),
            "include" => return,
            _ if whole.contains("ruby/") => ("ruby", "call", name),
            _ => return,
        }
    };
    cx.push(
        Evidence::new(Kind::ObjectType, config::canonical(name.trim()), Span::at(at))
            .with("loader", loader)
            .with("how", how)
            .with("written", text::excerpt(&whole, 120)),
    );
}

/// Tags in a text that does not parse.
fn scan(source: &str, cx: &mut Cx<'_, '_>) {
    const MARKERS: [&str; 4] = ["!!python/", "!<tag:yaml.org,2002:python/", "!new:", "!apply:"];
    let ends = |letter: char| letter.is_whitespace() || matches!(letter, '\'' | '"' | ',' | '}' | ']');
    let mut reached = 0;
    for (at, _) in source.match_indices('!').filter(|(at, _)| !source.get(..*at).is_some_and(|all| all.ends_with('!')))
    {
        if at < reached {
            continue;
        }
        let rest = source.get(at..).unwrap_or_default();
        let end = if rest.starts_with("!<") { rest.find('>') } else { rest.find(ends) }.unwrap_or(rest.len());
        reached = at.saturating_add(end);
        let written = unescaped(rest.get(..end).unwrap_or_default());
        if MARKERS.iter().any(|marker| written.starts_with(marker)) {
            let tag = Tag { handle: "!".to_owned(), suffix: written.trim_start_matches('!').to_owned() };
            constructed(&tag, "", to_u64(at), cx);
        }
    }
}

/// A tag with the letters that are written by their numbers, as in addresses
/// (YAML 1.2, section 5.6).
fn unescaped(tag: &str) -> String {
    let mut parts = tag.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let letter = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(u8::is_ascii);
        match letter {
            Some(letter) => {
                out.push(char::from(letter));
                out.push_str(part.get(2..).unwrap_or_default());
            }
            None => {
                out.push('%');
                out.push_str(part);
            }
        }
    }
    out
}
