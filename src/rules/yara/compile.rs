//! Compiling the YARA rules of a directory.
//!
//! A directory is one namespace: its private and global rules hold for all of
//! its files, and for no rule elsewhere. `include` names another file of the
//! same directory, which is then compiled first; nothing else is ever read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use yara_x_parser::ast::{AST, Item, WithSpan};

use crate::limits::Limits;
use crate::policy::plain;
use crate::position::Position;
use crate::rules::RuleError;
use crate::rules::yara::{Whole, YaraSet};

/// Mistakes in one file that are told.
const MISTAKES: usize = 100;

/// A file of rules.
#[derive(Debug)]
pub(in crate::rules) struct Source {
    pub file: PathBuf,
    pub text: String,
}

impl Source {
    fn wrong(&self, offset: usize, message: impl Into<String>) -> RuleError {
        RuleError::Declaration {
            file: self.file.display().to_string(),
            position: Some(Position::of(&self.text, offset)),
            message: message.into(),
        }
    }
}

/// What a directory's rules were compiled to.
pub(in crate::rules) struct Compiled {
    pub set: YaraSet,
    pub errors: Vec<RuleError>,
    sources: Vec<Source>,
    /// The source that declares each rule, and where.
    places: BTreeMap<String, (usize, usize)>,
}

impl Compiled {
    /// Something is wrong with the declaration of a rule.
    pub(in crate::rules) fn wrong(&self, rule: &str, message: String) -> RuleError {
        let place = self.places.get(rule).and_then(|(source, offset)| self.sources.get(*source).zip(Some(*offset)));
        match place {
            Some((source, offset)) => source.wrong(offset, message),
            None => RuleError::Declaration { file: rule.to_owned(), position: None, message },
        }
    }
}

/// The external variables that public rule sets use and that mean something
/// here: parts of the artifact's name, as THOR and Loki define them.
pub(super) fn externals(name: &str) -> [(&'static str, &str); 3] {
    let (folder, file) = name.rsplit_once(['/', '\\']).unwrap_or(("", name));
    let extension = file.rfind('.').and_then(|dot| file.get(dot..)).unwrap_or_default();
    [("filename", file), ("filepath", folder), ("extension", extension)]
}

/// The rules that are built in, as `build.rs` compiled them.
///
/// # Errors
/// What yara-x says when they don't fit this build.
pub(in crate::rules) fn embedded(compiled: &[u8]) -> Result<YaraSet, String> {
    let rules = yara_x::Rules::deserialize(compiled).map_err(|error| error.to_string())?;
    Ok(YaraSet { rules, whole: Whole::default(), foreign: false })
}

/// Compiles the files of a directory, with all that is wrong in them.
pub(in crate::rules) fn compile(mut sources: Vec<Source>, namespace: &str, limits: &Limits) -> Compiled {
    let mut errors = Vec::new();
    sources.retain(|source| match too_deep(&source.text, limits.nesting) {
        Some(at) => {
            errors.push(source.wrong(at, "nested deeper than the limit `nesting` allows"));
            false
        }
        None => true,
    });
    let files: Vec<AST<'_>> = sources.iter().map(|source| AST::from(source.text.as_str())).collect();
    let (order, wrong) = Includes::new(&sources, &files).order();
    errors.extend(wrong);

    let mut compiler = yara_x::Compiler::new();
    compiler.enable_includes(false);
    // As YARA itself reads them, for which public rules were written.
    compiler.relaxed_re_syntax(true);
    for (name, value) in externals("") {
        if compiler.define_global(name, value).is_err() {
            debug_assert!(false, "{name} is no name");
        }
    }
    compiler.new_namespace(namespace);
    let mut whole = Whole::default();
    let mut places = BTreeMap::new();
    let deadline = Instant::now() + Duration::from_secs(limits.seconds);
    for at in order {
        let Some((source, file)) = sources.get(at).zip(files.get(at)) else { continue };
        if Instant::now() > deadline {
            errors.push(source.wrong(0, "loading the rules takes longer than the limit `seconds`"));
            break;
        }
        let known = compiler.errors().len();
        let text = without_includes(&source.text, file);
        let origin = source.file.display().to_string();
        if compiler.add_source(yara_x::SourceCode::from(text.as_str()).with_origin(&origin)).is_err() {
            let fresh = compiler.errors().iter().skip(known).take(MISTAKES);
            errors.extend(fresh.map(|error| of_compiler(source, error)));
        }
        whole.add(file);
        for rule in file.rules() {
            places.entry(rule.identifier.name.to_owned()).or_insert((at, rule.identifier.span().start()));
        }
    }
    drop(files);
    Compiled { set: YaraSet { rules: compiler.build(), whole, foreign: true }, errors, sources, places }
}

fn of_compiler(source: &Source, error: &yara_x::errors::CompileError) -> RuleError {
    use yara_x::errors::CompileError;
    let label = error.labels().next();
    let mut message = error.title().to_owned();
    match (error, &label) {
        (CompileError::UnknownModule(_), _) => {
            message.push_str("; weighin is built without YARA modules, and rules that import one can't be used");
        }
        (CompileError::UnknownIdentifier(_), _) => {
            message.push_str("; the external variables are `filename`, `filepath` and `extension`");
        }
        (_, Some(label)) => message = format!("{message}: {}", label.text()),
        _ => {}
    }
    source.wrong(label.map_or(0, |label| label.span().start()), message)
}

/// The text with its includes blanked out, so that all else stays in place.
fn without_includes(text: &str, file: &AST<'_>) -> String {
    let mut text = text.to_owned();
    for item in file.items() {
        if let Item::Include(include) = item {
            let range = include.span().range();
            let blanks = " ".repeat(range.len());
            if text.get(range.clone()).is_some() {
                text.replace_range(range, &blanks);
            }
        }
    }
    text
}

/// Which file includes which, and the order that follows.
struct Includes<'s> {
    sources: &'s [Source],
    files: &'s [AST<'s>],
    by_path: BTreeMap<PathBuf, usize>,
    done: Vec<State>,
    order: Vec<usize>,
    errors: Vec<RuleError>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

impl<'s> Includes<'s> {
    fn new(sources: &'s [Source], files: &'s [AST<'s>]) -> Self {
        let by_path = sources.iter().enumerate().map(|(at, source)| (plain(&source.file), at)).collect();
        Self { sources, files, by_path, done: vec![State::New; sources.len()], order: Vec::new(), errors: Vec::new() }
    }

    /// Each file behind those that it includes, else as they were.
    fn order(mut self) -> (Vec<usize>, Vec<RuleError>) {
        for at in 0..self.sources.len() {
            self.visit(at);
        }
        (self.order, self.errors)
    }

    /// A walk without recursion: files are as many as a hostile directory has.
    fn visit(&mut self, first: usize) {
        let mut waiting = vec![(first, 0)];
        while let Some((at, next)) = waiting.pop() {
            if next == 0 {
                if self.done.get(at) != Some(&State::New) {
                    continue;
                }
                self.set(at, State::Open);
            }
            match self.included(at, next) {
                None => {
                    self.set(at, State::Done);
                    self.order.push(at);
                }
                Some(target) => {
                    waiting.push((at, next + 1));
                    waiting.extend(target.map(|target| (target, 0)));
                }
            }
        }
    }

    fn set(&mut self, at: usize, state: State) {
        if let Some(done) = self.done.get_mut(at) {
            *done = state;
        }
    }

    /// The file that the include number `next` of a file names, when it is to
    /// be compiled before it; nothing when there are no more includes.
    fn included(&mut self, at: usize, next: usize) -> Option<Option<usize>> {
        let (source, file) = (self.sources.get(at)?, self.files.get(at)?);
        let include = file.items().filter_map(|item| match item {
            Item::Include(include) => Some(include),
            _ => None,
        });
        let include = include.into_iter().nth(next)?;
        let folder = source.file.parent().unwrap_or(Path::new(""));
        let offset = include.span().start();
        let Some(target) = self.by_path.get(&plain(&folder.join(include.file_name))) else {
            let message = format!(
                "`{}` is none of the YARA files in this directory of rules, and no other file is read",
                include.file_name
            );
            self.errors.push(source.wrong(offset, message));
            return Some(None);
        };
        if self.done.get(*target) == Some(&State::Open) {
            self.errors.push(source.wrong(offset, format!("`{}` includes this file in turn", include.file_name)));
            return Some(None);
        }
        Some(Some(*target))
    }
}

/// Where brackets or prefix operators nest deeper than `bound`. From some two
/// thousand on, yara-x drops the rule without a word; later its stack ends.
/// What stands in strings and comments nests nothing, and a new rule begins
/// anew.
fn too_deep(text: &str, bound: u64) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut prefixes): (u64, u64) = (0, 0);
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let mut length = 1;
        match byte {
            b'/' if rest.starts_with(b"//") => {
                length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
            }
            b'/' if rest.starts_with(b"/*") => {
                let end = rest.windows(2).skip(2).position(|two| two == b"*/");
                length = end.map_or(rest.len(), |end| end + 4);
            }
            // Division is written with a backslash: this is a regular expression.
            b'"' | b'/' => {
                length = quoted(rest);
                prefixes = 0;
            }
            b'(' | b'[' | b'{' => {
                depth += 1;
                prefixes = 0;
            }
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                prefixes = 0;
            }
            b'-' | b'~' => prefixes += 1,
            byte if is_word(*byte) => {
                length = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
                match rest.get(..length) {
                    Some(b"rule") => (depth, prefixes) = (0, 0),
                    Some(b"not" | b"defined") => prefixes += 1,
                    _ => prefixes = 0,
                }
            }
            byte if byte.is_ascii_whitespace() => {}
            _ => prefixes = 0,
        }
        if depth > bound || prefixes > bound {
            return Some(at);
        }
        at += length;
    }
    None
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Length of a string or regular expression, which ends with the mark that it
/// begins with, or with its line.
fn quoted(text: &[u8]) -> usize {
    let mut escaped = true;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'\n' => return at.max(1),
            b'\\' if !escaped => escaped = true,
            mark if !escaped && Some(mark) == text.first() => return at + 1,
            _ => escaped = false,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{externals, too_deep};

    #[test]
    fn only_what_nests_is_counted() {
        let open = "(".repeat(8);
        for (text, wanted) in [
            (format!("{open}true"), false),
            (format!("{open}//\n{open}"), true),
            (format!("not {}", "- ~ not defined ".repeat(4)), true),
            ("-".repeat(20), true),
            (format!("rule a {{ strings: $a = \"{open}{open}\" condition: $a }}"), false),
            (format!("rule a {{ strings: $a = \"\\\"{open}{open}\" condition: $a }}"), false),
            (format!("rule a {{ strings: $a = /\\/\\({open}{open}/ condition: $a }}"), false),
            (format!("// {open}{open}\n/* {open}{open} */"), false),
            (format!("rule a {{ condition: {open}\nrule b {{ condition: {open}"), false),
            ("1 - 1 - 1 - 1 - 1 - 1 - 1 - 1 - 1 - 1 - 1 - 1".to_owned(), false),
        ] {
            assert_eq!(too_deep(&text, 10).is_some(), wanted, "{text}");
        }
    }

    #[test]
    fn external_variables_are_parts_of_the_name() {
        for (name, file, folder, extension) in [
            ("models/a/b.tar.gz", "b.tar.gz", "models/a", ".gz"),
            ("b", "b", "", ""),
            ("C:\\x\\.profile", ".profile", "C:\\x", ".profile"),
            ("", "", "", ""),
        ] {
            assert_eq!(externals(name), [("filename", file), ("filepath", folder), ("extension", extension)]);
        }
    }
}
