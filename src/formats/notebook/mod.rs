//! Jupyter notebooks: the code of their cells, the shell lines in it, and
//! outputs that a browser would run. Nothing of it runs before someone runs
//! it, but that is what notebooks are for.

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::python::CELLS;
use crate::formats::{About, Format, Head, Match, json, requirements};
use crate::input::Input;
use crate::json::{Event, Events};
use crate::stop::Stop;
use crate::text::{self, shell};

/// Reads notebooks: see [`Format`].
#[derive(Debug)]
pub struct Notebook;

/// Cell magics whose cell is a shell script.
const SHELL_CELLS: &[&str] = &["%%bash", "%%sh", "%%script", "%%shell", "%%system", "%%!", "%%cmd"];

/// Cell magics whose cell is Python; others are other languages.
const PYTHON_CELLS: &[&str] =
    &["%%time", "%%timeit", "%%capture", "%%prun", "%%python", "%%pypy", "%%python3", "%%debug"];

#[derive(Debug, Default)]
struct Cell {
    kind: String,
    source: String,
    at: u64,
}

impl Format for Notebook {
    fn name(&self) -> &'static str {
        "notebook"
    }

    fn about(&self) -> About {
        About {
            title: "Jupyter notebook (nbformat 3 and 4)",
            extensions: &[".ipynb"],
            reads: "code cells as Python, shell lines and cells, outputs with scripts",
            leaves_out: "cells in other languages; pictures",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let says = |word: &[u8]| {
            memchr::memmem::find(head.first, word).or_else(|| memchr::memmem::find(head.last, word)).is_some()
        };
        let cells = json::begins(head.first) && says(b"\"cells\"") && (says(b"\"nbformat\"") || says(b"\"cell_type\""));
        if cells && (head.is_named(&[".ipynb"]) || says(b"\"nbformat\"")) { Match::Likely } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let outcome = read(input, cx);
        text::keep_limit(outcome, cx)
    }
}

fn read(input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let bytes = input.all(cx.limits().header_bytes)?;
    let mut code = String::new();
    let outcome = cells(&bytes, &mut code, cx);
    if !code.trim().is_empty() {
        cx.child_as("python", CELLS, Input::from(code.as_bytes()))?;
    }
    outcome
}

/// Walks the document; what it holds of Python goes to `code`.
fn cells(bytes: &[u8], code: &mut String, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let mut events = Events::new(bytes, cx.limits().nesting);
    let mut path: Vec<String> = Vec::new();
    let mut key = String::new();
    let mut cell = Cell::default();
    while let Some((offset, event)) = events.next()? {
        cx.charge(1, offset)?;
        match event {
            Event::Key(name) => key = name.into_owned(),
            Event::BeginObject | Event::BeginArray => path.push(std::mem::take(&mut key)),
            Event::EndObject | Event::EndArray => {
                path.pop();
                if path.last().is_some_and(|last| last == "cells") {
                    finish(&std::mem::take(&mut cell), code, cx);
                }
            }
            Event::String(text) => {
                let within = |name: &str| key == name || path.last().is_some_and(|last| last == name && key.is_empty());
                if key == "cell_type" {
                    cell.kind = text.into_owned();
                } else if (within("source") || within("input"))
                    && !path.iter().any(|part| part == "outputs" || part == "metadata")
                {
                    if cell.source.is_empty() {
                        cell.at = offset;
                    }
                    cell.source.push_str(&text);
                } else if path.iter().any(|part| part == "data" || part == "outputs") {
                    let kind = if key.is_empty() { path.last().map_or("", String::as_str) } else { key.as_str() };
                    output(kind, &text, offset, cx);
                }
                if path.last().is_none_or(|last| !matches!(last.as_str(), "source" | "input")) {
                    key.clear();
                }
            }
            _ => key.clear(),
        }
    }
    Ok(())
}

/// Methods of IPython's shell that run a command line.
const RUNNERS: [&str; 3] = ["system(", "getoutput(", "run_cell_magic("];

/// A script in an output runs when a trusted notebook is opened.
fn output(kind: &str, text: &str, at: u64, cx: &mut Cx<'_, '_>) {
    let lower = text.to_lowercase();
    let script = kind == "application/javascript" || kind == "text/html" && lower.contains("<script");
    if script {
        cx.push(Evidence::new(Kind::EmbeddedScript, "javascript", Span::at(at)).with("where", "output"));
    }
}

fn finish(cell: &Cell, code: &mut String, cx: &mut Cx<'_, '_>) {
    if cell.kind != "code" && !cell.kind.is_empty() || cell.source.is_empty() {
        return;
    }
    let first = cell.source.split_whitespace().next().unwrap_or_default();
    if SHELL_CELLS.contains(&first) {
        commands(cell.source.trim_start().split_once('\n').map_or("", |(_, rest)| rest), cell.at, cx);
        return;
    }
    if first.starts_with("%%") && !PYTHON_CELLS.contains(&first) {
        // Other languages start programs by the same words.
        commands(cell.source.trim_start().split_once('\n').map_or("", |(_, rest)| rest), cell.at, cx);
        return;
    }
    for line in cell.source.split('\n') {
        let (line, indent) = (line.trim_start(), line.len().saturating_sub(line.trim_start().len()));
        let magic = line.trim_start_matches('%').split_whitespace().next().unwrap_or_default();
        let shell = line.strip_prefix('!').or_else(|| {
            let runs = line.starts_with('%') && matches!(magic, "system" | "sx" | "sc");
            runs.then(|| line.split_once(' ').map_or("", |(_, rest)| rest))
        });
        let assigned = line
            .split_once("= !")
            .or_else(|| line.split_once("=!"))
            .filter(|(name, _)| name.trim().chars().all(|char| char.is_alphanumeric() || char == '_'));
        code.push_str(&" ".repeat(indent));
        if let Some(command) = shell.or(assigned.map(|(_, command)| command)) {
            commands(command.trim_start_matches('!'), cell.at, cx);
            code.push_str("pass");
        } else if line.starts_with(['%', '?']) || line.ends_with('?') && !line.contains('#') {
            code.push_str("pass");
        } else {
            let call = line.split_once("get_ipython().").map_or("", |(_, call)| call);
            if RUNNERS.iter().any(|runner| call.starts_with(runner)) {
                let quoted = call.split_once(['"', '\'']).map_or("", |(_, rest)| rest);
                commands(quoted.trim_end_matches(['"', '\'', ')', ' ']), cell.at, cx);
            }
            code.push_str(line);
        }
        code.push('\n');
    }
}

/// Shell lines, as calls of what IPython runs them with.
fn commands(script: &str, at: u64, cx: &mut Cx<'_, '_>) {
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let shown = text::excerpt(line, 160);
        requirements::installed(line, at, cx);
        for act in shell::line_acts(line) {
            cx.push(
                Evidence::new(Kind::ShellCommand, act.what, Span::at(at))
                    .with("command", shown.clone())
                    .with("source", act.source)
                    .with("transport", act.transport)
                    .with("where", "cell"),
            );
        }
    }
}
