//! YARA rules: loading, compiling, and scanning whole slices or blocks.

use std::collections::BTreeMap;

use crate::artifact::{Gap, GapReason};
use crate::clock::Clock;
use crate::evidence::Span;
use crate::input::to_u64;
use crate::limits::Limits;
use crate::position::Position;
use crate::rules::RuleError;
use crate::rules::declaration::{Confidence, Examples, Rule, Severity};
use crate::stop::Stop;

/// A YARA rule that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct YaraHit {
    pub rule: String,
    pub namespace: String,
    /// The first match of its first pattern; empty for a rule without one.
    pub span: Span,
}

/// Scans with every loaded YARA rule. One per thread; scanners are made when
/// they are first needed, since a store costs more than a small scan.
pub(crate) struct YaraScanner<'r> {
    rules: &'r [yara_x::Rules],
    whole: Vec<yara_x::Scanner<'r>>,
    blocks: Vec<yara_x::blocks::Scanner<'r>>,
    failed: Option<Gap>,
}

impl<'r> YaraScanner<'r> {
    pub(crate) fn new(rules: &'r [yara_x::Rules]) -> Self {
        Self { rules, whole: Vec::new(), blocks: Vec::new(), failed: None }
    }

    /// Scans bytes that are held whole.
    pub(crate) fn scan(&mut self, bytes: &[u8], clock: &Clock) -> (Vec<YaraHit>, Option<Gap>) {
        if self.whole.is_empty() {
            self.whole = self.rules.iter().map(yara_x::Scanner::new).collect();
        }
        let mut hits = Vec::new();
        let mut failed = None;
        for scanner in &mut self.whole {
            match scanner.set_timeout(clock.left()).scan(bytes) {
                Ok(results) => hits.extend(results.matching_rules().map(|rule| hit(&rule))),
                Err(error) => failed = Some(not_evaluated(&error)),
            }
        }
        (hits, failed)
    }

    /// Scans one block that begins at `offset`; blocks may overlap.
    pub(crate) fn scan_block(&mut self, offset: u64, block: &[u8], clock: &Clock) {
        if self.blocks.is_empty() {
            self.blocks = self.rules.iter().map(yara_x::blocks::Scanner::new).collect();
        }
        for scanner in &mut self.blocks {
            let scanned = scanner.set_timeout(clock.left()).scan(crate::input::to_usize(offset), block);
            self.failed = scanned.err().map(|error| not_evaluated(&error)).or_else(|| self.failed.take());
        }
    }

    /// Evaluates the rules over all blocks since the last call.
    pub(crate) fn finish_blocks(&mut self) -> (Vec<YaraHit>, Option<Gap>) {
        let mut hits = Vec::new();
        let mut failed = self.failed.take();
        for scanner in &mut self.blocks {
            match scanner.finish() {
                Ok(results) => hits.extend(results.matching_rules().map(|rule| hit(&rule))),
                Err(error) => failed = Some(not_evaluated(&error)),
            }
        }
        (hits, failed)
    }
}

fn not_evaluated(error: &yara_x::errors::ScanError) -> Gap {
    if let yara_x::errors::ScanError::Timeout = error {
        return Gap::from(&Stop::Limit { offset: 0, limit: "seconds" });
    }
    Gap::new(GapReason::NotEvaluated, format!("the YARA rules were not evaluated: {error}"))
}

fn hit(rule: &yara_x::Rule<'_, '_>) -> YaraHit {
    let first = rule
        .patterns()
        .flat_map(|pattern| pattern.matches().next().map(|found| found.range()))
        .min_by_key(|range| range.start);
    let span = first.map_or(Span::default(), |range| Span::new(to_u64(range.start), to_u64(range.len())));
    YaraHit { rule: rule.identifier().to_owned(), namespace: rule.namespace().to_owned(), span }
}

/// A compiler for rules that others wrote: what they include would be read
/// from wherever they say.
pub(super) fn compiler() -> yara_x::Compiler<'static> {
    let mut compiler = yara_x::Compiler::new();
    compiler.enable_includes(false);
    compiler
}

/// Adds one file's rules.
///
/// # Errors
/// The first thing that is wrong in it, with its place.
pub(super) fn add(
    compiler: &mut yara_x::Compiler<'_>,
    text: &str,
    file: &str,
    limits: &Limits,
) -> Result<(), RuleError> {
    if let Some(at) = too_deep(text, limits.nesting) {
        let message = "nested deeper than the limit `nesting` allows".to_owned();
        return Err(RuleError::Declaration { file: file.to_owned(), position: Some(Position::of(text, at)), message });
    }
    let Err(error) = compiler.add_source(yara_x::SourceCode::from(text).with_origin(file)) else { return Ok(()) };
    let position = error.labels().next().map(|label| Position::of(text, label.span().start()));
    let mut message = error.title().to_owned();
    if let yara_x::errors::CompileError::UnknownModule(_) = &error {
        message.push_str("; weighin is built without YARA modules, and rules that import one can't be used");
    } else if let Some(label) = error.labels().next() {
        message = format!("{message}: {}", label.text());
    }
    Err(RuleError::Declaration { file: file.to_owned(), position, message })
}

/// Where brackets or prefix operators nest deeper than `bound`. From some two
/// thousand on, yara-x drops the rule without a word; later its stack ends.
fn too_deep(text: &str, bound: u64) -> Option<usize> {
    let mut depth: u64 = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > bound {
            return Some(at);
        }
    }
    let mut run: u64 = 0;
    for word in text.split_ascii_whitespace() {
        run = if matches!(word, "not" | "defined" | "-" | "~") { run + 1 } else { 0 };
        if run > bound {
            return Some(0);
        }
    }
    None
}

/// The file and the line in it that declare the rule called `identifier`.
pub(super) fn place(sources: &[(String, String)], identifier: &str) -> (String, Option<Position>) {
    for (file, text) in sources {
        for (at, line) in text.lines().enumerate() {
            let mut words = line.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
            if words.by_ref().any(|word| word == "rule") && words.find(|word| !word.is_empty()) == Some(identifier) {
                return (file.clone(), Some(Position { line: at + 1, column: 1 }));
            }
        }
    }
    (identifier.to_owned(), None)
}

/// The declaration of a user's YARA rule: our fields where it has them, else
/// the common ones of public rule sets (`description`, `score`, `reference`).
pub(super) fn of_user(rule: &yara_x::Rule<'_, '_>) -> Result<Rule, String> {
    // One that has our `id` and `remediation` is meant to be declared our way.
    let is_ours = ["id", "remediation"].iter().all(|field| rule.metadata().any(|(name, _)| name == *field));
    if is_ours {
        return declaration(rule);
    }
    let text = |wanted: &str| {
        rule.metadata().find(|(name, _)| *name == wanted).map(|(_, value)| match value {
            yara_x::MetaValue::String(text) => text.to_owned(),
            yara_x::MetaValue::Integer(number) => number.to_string(),
            other => format!("{other:?}"),
        })
    };
    let score = text("score").and_then(|score| score.parse::<i64>().ok());
    let severity = text("severity").and_then(|name| Severity::from_name(&name.to_lowercase()));
    let severity = severity.unwrap_or(match score {
        Some(90..) => Severity::Critical,
        Some(70..90) => Severity::High,
        Some(..40) => Severity::Low,
        _ => Severity::Medium,
    });
    let description = text("description").unwrap_or_else(|| format!("YARA rule {} matches", rule.identifier()));
    Ok(Rule {
        id: rule.identifier().to_owned(),
        title: description.clone(),
        severity,
        confidence: Confidence::Medium,
        ssdf: list(Some("PW.4.4, RV.1.2".to_owned())),
        cwe: Vec::new(),
        cve: Vec::new(),
        atlas: Vec::new(),
        strict: false,
        formats: Vec::new(),
        not_formats: Vec::new(),
        message: "the content matches the YARA rule {value}".to_owned(),
        remediation: "See what the rule's author says.".to_owned(),
        why: description,
        references: list(text("reference")),
        when: None,
        examples: Examples::default(),
    })
}

/// The declaration that a YARA rule carries in its `meta`: the fields of
/// [`Rule`] by name, lists as comma-separated text.
pub(super) fn declaration(rule: &yara_x::Rule<'_, '_>) -> Result<Rule, String> {
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in rule.metadata() {
        let text = match value {
            yara_x::MetaValue::String(text) => text.to_owned(),
            yara_x::MetaValue::Integer(number) => number.to_string(),
            yara_x::MetaValue::Bool(flag) => flag.to_string(),
            yara_x::MetaValue::Float(number) => number.to_string(),
            yara_x::MetaValue::Bytes(bytes) => bytes.to_string(),
        };
        fields.insert(name.to_owned(), text);
    }
    let mut take = |name: &str| fields.remove(name);
    let mut required = |name: &str| take(name).ok_or_else(|| format!("meta field `{name}` is missing"));
    let declared = Rule {
        id: required("id")?,
        title: required("title")?,
        severity: Severity::from_name(&required("severity")?).ok_or("meta field `severity` is not a severity")?,
        confidence: match required("confidence")?.as_str() {
            "low" => Confidence::Low,
            "medium" => Confidence::Medium,
            "high" => Confidence::High,
            _ => return Err("meta field `confidence` is not low, medium or high".to_owned()),
        },
        message: required("message")?,
        remediation: required("remediation")?,
        why: required("why")?,
        ssdf: list(take("ssdf")),
        cwe: list(take("cwe")),
        cve: list(take("cve")),
        atlas: list(take("atlas")),
        strict: false,
        formats: list(take("formats")),
        not_formats: Vec::new(),
        references: list(take("references")),
        when: None,
        examples: Examples { fires: list(take("fires")), quiet: list(take("quiet")) },
    };
    match fields.into_keys().next() {
        Some(unknown) => Err(format!("meta field `{unknown}` is unknown")),
        None => Ok(declared),
    }
}

fn list(text: Option<String>) -> Vec<String> {
    text.map(|text| text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect())
        .unwrap_or_default()
}
