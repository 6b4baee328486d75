//! Python source: what a module imports and calls, and when. Code at module
//! level runs as soon as a loader imports it; what functions do waits for a
//! caller. Parsed, followed and folded; never run.

mod bindings;
mod calls;
mod classes;
mod command;
mod decode;
pub(super) mod depth;
mod effects;
mod expressions;
mod fold;
mod loaded;
mod names;
mod network;
mod picked;
mod reach;
mod record;
mod reflect;
mod same;
mod statements;
mod templates;
mod texts;
mod value;
mod watch;

use ruff_python_ast::{Mod, PySourceType};
use ruff_python_parser::{Mode, ParseOptions};

use crate::artifact::GapReason;
use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::stop::Stop;
use crate::text;

use statements::Machine;

/// Reads Python source: see [`Format`].
#[derive(Debug)]
pub struct Python;

/// Name under which a notebook hands on its code cells.
pub(crate) const CELLS: &str = "code cells";

const NAMED: &[&str] = &[".py", ".pyi", ".pyw", ".pyx", ".pxd"];

/// Stack for sources that nest deeply: the parser's and the walk's frames at
/// the deepest nesting that is read, in an unoptimised build.
const STACK: usize = 256 << 20;

/// Nesting that any thread's own stack can take.
const SHALLOW: u64 = 40;

/// Encodings in which the bytes are what they look like; any other codec makes
/// Python run something else than a reader sees.
const PLAIN_CODECS: &[&str] = &[
    "utf", "utf8", "ascii", "us-ascii", "latin", "iso", "cp", "windows", "gbk", "gb2312", "gb18030", "big5", "euc",
    "shift", "koi8", "mac", "mbcs", "utf8-sig", "l1",
];

/// Codecs of the standard library that turn text into other text.
const TURNING_CODECS: &[&str] = &[
    "rot13",
    "rot-13",
    "utf-7",
    "utf7",
    "unicode-escape",
    "raw-unicode-escape",
    "hex",
    "base64",
    "zlib",
    "zip",
    "bz2",
    "uu",
    "quopri",
    "punycode",
    "idna",
    "string-escape",
];

/// Whether the first lines look like Python to someone who reads it.
fn begins(first: &[u8]) -> bool {
    let text = String::from_utf8_lossy(first.get(..first.len().min(4096)).unwrap_or_default()).into_owned();
    if let Some(line) = text.strip_prefix("#!") {
        return line.lines().next().is_some_and(|line| line.contains("python"));
    }
    let mut in_doc = false;
    for line in text.lines() {
        let line = line.trim_end();
        if in_doc {
            in_doc = !line.contains("\"\"\"");
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with("\"\"\"") {
            in_doc = line.matches("\"\"\"").count() < 2;
            continue;
        }
        let mut words = line.split_whitespace();
        let (first, second, third) = (words.next().unwrap_or_default(), words.next().unwrap_or_default(), words.next());
        return match first {
            "import" => {
                second.chars().next().is_some_and(char::is_alphabetic)
                    && !second.contains(['"', '\'', '('])
                    && !line.ends_with(';')
                    || line.contains(';')
            }
            "from" => third == Some("import"),
            "def" | "class" => line.ends_with(':') || line.contains("):"),
            "exec" => second.starts_with('('),
            _ => first.starts_with("exec(") || first.starts_with("__import__(") || first.starts_with("eval("),
        };
    }
    false
}

impl Format for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn about(&self) -> About {
        About {
            title: "Python source (CPython grammar 3.8 to 3.14)",
            extensions: NAMED,
            reads: "imports and calls with their arguments, folded through aliases, attributes, getters, joins and decoders; when each runs; what it writes, sends and destroys",
            leaves_out: "values that only running would show",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if head.len == 0 || text::encoding(head.first, true).is_none() {
            return if head.len > 0 && head.is_named(&[".py", ".pyw"]) { Match::Name } else { Match::No };
        }
        if head.is_named(&[".py", ".pyi", ".pyw"]) || begins(head.first) && !head.is_named(&[".md", ".rst", ".pyx"]) {
            return Match::Likely;
        }
        Match::No
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let outcome = read(input, cx);
        text::keep_limit(outcome, cx)
    }
}

fn read(input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let bytes = text::source(input, cx.limits().source_bytes)?;
    odd_codec(&bytes, cx);
    let source = text::decode(&bytes).into_owned();
    // Python reads a file's text up to no end: what follows NUL is refused.
    let nesting = depth::nesting(&source);
    cx.charge(crate::input::to_u64(source.len()), 0)?;
    // A level of an operator chain takes far less than one of brackets.
    if nesting > cx.limits().nesting.saturating_mul(8) {
        return Err(Stop::Limit { offset: 0, limit: "nesting" });
    }
    if nesting > SHALLOW {
        return stacker::grow(STACK, || examine(&source, cx));
    }
    stacker::maybe_grow(1 << 20, STACK, || examine(&source, cx))
}

fn examine(source: &str, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let _ = PySourceType::Python;
    let cells = cx.name() == CELLS;
    let parsed = ruff_python_parser::parse_unchecked(source, ParseOptions::from(Mode::Module));
    let name = cx.name().to_lowercase();
    let outcome = match parsed.syntax() {
        Mod::Module(module) => Machine::new(source, &name, cells, cx).run(&module.body),
        Mod::Expression(_) => Ok(()),
    };
    if let Some(error) = parsed.errors().first() {
        let offset = u64::from(error.location.start().to_u32());
        let stop = Stop::malformed(offset, format!("not Python: {}", error.error));
        // Text given to `exec` that is no Python runs nothing.
        if name.starts_with("source given to") {
            return outcome;
        }
        let named = cells || NAMED.iter().any(|ending| name.ends_with(ending));
        outcome?;
        if !named {
            return Err(stop);
        }
        cx.gap(&stop);
        return Ok(());
    }
    outcome
}

/// PEP 263: the first two lines may name the codec that decodes the rest.
fn odd_codec(bytes: &[u8], cx: &mut Cx<'_, '_>) {
    for line in bytes.split(|byte| *byte == b'\n').take(2) {
        let line = String::from_utf8_lossy(line);
        let Some(comment) = line.trim_start().strip_prefix('#') else { continue };
        let Some(at) = comment.find("coding") else { continue };
        let rest = comment.get(at..).unwrap_or_default().trim_start_matches("coding");
        let Some(codec) = rest.strip_prefix([':', '=']) else { continue };
        let codec: String = codec
            .trim_start()
            .chars()
            .take_while(|char| char.is_alphanumeric() || matches!(char, '-' | '_' | '.'))
            .collect();
        let codec = codec.to_lowercase().replace('_', "-");
        let plain = PLAIN_CODECS.iter().any(|plain| codec.starts_with(plain))
            && !codec.starts_with("utf-7")
            && !codec.starts_with("utf7");
        if !codec.is_empty() && !plain {
            let turns = TURNING_CODECS.iter().any(|turning| codec.starts_with(turning));
            if !turns {
                cx.gap_because(GapReason::Unsupported, format!("the source is encoded with the codec {codec}"), 0);
                continue;
            }
            cx.push(Evidence::new(Kind::PythonAnomaly, "odd-codec", Span::at(0)).with("detail", codec.clone()));
            cx.gap_because(GapReason::Unsupported, format!("the source is encoded with the codec {codec}"), 0);
        }
    }
}
