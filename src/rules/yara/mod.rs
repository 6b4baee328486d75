//! YARA rules: scanning whole content, or blocks of it.

mod compile;
mod declared;
mod whole;

use crate::artifact::{Gap, GapReason};
use crate::clock::Clock;
use crate::evidence::{Evidence, Kind, Span};
use crate::input::{Input, to_u64, to_usize};

pub(super) use compile::{Source, compile, embedded};
pub(super) use declared::{declaration, of_user};

use whole::Whole;

/// Matches of one rule whose places are kept.
const KEPT: usize = 64;

/// Rules that a gap names before it counts the rest.
const NAMED: usize = 5;

/// Rules that were compiled together: those embedded, or those of a directory.
#[derive(Debug)]
pub(crate) struct YaraSet {
    rules: yara_x::Rules,
    whole: Whole,
    /// Somebody else's: they may use external variables, need content whole,
    /// and take as long as they like.
    foreign: bool,
}

impl YaraSet {
    pub(super) fn rules(&self) -> impl Iterator<Item = yara_x::Rule<'_, '_>> {
        self.rules.iter()
    }

    pub(super) fn is_foreign(&self) -> bool {
        self.foreign
    }
}

/// A YARA rule that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct YaraHit {
    rule: String,
    namespace: String,
    /// Where its patterns matched; nothing for a rule without any.
    spans: Vec<Span>,
}

impl YaraHit {
    /// A fact for each place.
    pub(crate) fn evidence(&self) -> impl Iterator<Item = Evidence> {
        let place = |span: Span| {
            Evidence::new(Kind::YaraMatch, self.rule.as_str(), span).with("namespace", self.namespace.as_str())
        };
        let nowhere = self.spans.is_empty().then(Span::default);
        self.spans.iter().copied().chain(nowhere).map(place)
    }
}

/// What is scanned.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'s> {
    /// Name of the artifact, from which rules have their external variables.
    pub name: &'s str,
    /// Its content.
    pub input: &'s Input,
    /// When the file's time is over.
    pub clock: &'s Clock,
    /// It has been scanned as part of what is around it, by rules that don't
    /// ask where they are.
    pub inside: bool,
}

/// What a scan came to.
#[derive(Debug, Default)]
pub(crate) struct YaraFound {
    pub hits: Vec<YaraHit>,
    pub gaps: Vec<Gap>,
}

/// Scans with every loaded YARA rule. One per thread; scanners are made when
/// they are first needed, since a store costs more than a small scan.
pub(crate) struct YaraScanner<'r> {
    engines: Vec<Engine<'r>>,
}

struct Engine<'r> {
    set: &'r YaraSet,
    whole: Option<yara_x::Scanner<'r>>,
    blocks: Option<yara_x::blocks::Scanner<'r>>,
    failed: Option<Gap>,
}

impl<'r> YaraScanner<'r> {
    pub(crate) fn new(sets: &'r [YaraSet]) -> Self {
        let engine = |set| Engine { set, whole: None, blocks: None, failed: None };
        Self { engines: sets.iter().map(engine).collect() }
    }

    fn engines(&mut self, subject: &Subject<'_>) -> impl Iterator<Item = &mut Engine<'r>> {
        let inside = subject.inside;
        self.engines.iter_mut().filter(move |engine| engine.set.foreign || !inside)
    }

    /// Scans content that is held whole.
    pub(crate) fn scan(&mut self, subject: &Subject<'_>, bytes: &[u8]) -> YaraFound {
        let mut found = YaraFound::default();
        for engine in self.engines(subject) {
            engine.scan(subject, bytes, &mut found);
        }
        found
    }

    /// Scans one block that begins at `offset`; blocks may overlap.
    pub(crate) fn scan_block(&mut self, subject: &Subject<'_>, offset: u64, block: &[u8]) {
        for engine in self.engines(subject) {
            engine.scan_block(subject, offset, block);
        }
    }

    /// Evaluates the rules over all blocks since the last call.
    pub(crate) fn finish_blocks(&mut self, subject: &Subject<'_>) -> YaraFound {
        let mut found = YaraFound::default();
        for engine in self.engines(subject) {
            engine.finish_blocks(subject, &mut found);
        }
        found
    }
}

impl<'r> Engine<'r> {
    fn scan(&mut self, subject: &Subject<'_>, bytes: &[u8], found: &mut YaraFound) {
        let set: &'r YaraSet = self.set;
        let scanner = self.whole.get_or_insert_with(|| yara_x::Scanner::new(&set.rules));
        if set.foreign {
            scanner.set_timeout(subject.clock.left());
            for (name, value) in compile::externals(subject.name) {
                // The compiler has defined each of them as a string.
                let _ = scanner.set_global(name, value);
            }
        }
        match scanner.scan(bytes) {
            Ok(results) => found.hits.extend(results.matching_rules().map(|rule| hit(&rule))),
            Err(error) => found.gaps.push(failed(&error)),
        }
    }

    fn scan_block(&mut self, subject: &Subject<'_>, offset: u64, block: &[u8]) {
        let set: &'r YaraSet = self.set;
        let scanner = self.blocks.get_or_insert_with(|| yara_x::blocks::Scanner::new(&set.rules));
        if set.foreign {
            scanner.set_timeout(subject.clock.left());
        }
        if let Err(error) = scanner.scan(to_usize(offset), block) {
            self.failed = Some(failed(&error));
        }
    }

    fn finish_blocks(&mut self, subject: &Subject<'_>, found: &mut YaraFound) {
        let Some(scanner) = &mut self.blocks else { return };
        if self.set.foreign {
            for (name, value) in compile::externals(subject.name) {
                let _ = scanner.set_global(name, value);
            }
        }
        let (undecided, impossible) = self.set.whole.undecided(subject.input);
        let mut hits: Vec<YaraHit> = Vec::new();
        match scanner.finish() {
            Ok(results) => hits.extend(results.matching_rules().map(|rule| hit(&rule))),
            Err(error) => self.failed = Some(failed(&error)),
        }
        hits.retain(|hit| !impossible.contains(&hit.rule.as_str()));
        let open: Vec<_> = undecided.into_iter().filter(|one| !hits.iter().any(|hit| hit.rule == one.rule)).collect();
        if !open.is_empty() {
            found.gaps.push(not_evaluated(&open));
        }
        found.gaps.extend(self.failed.take());
        found.hits.append(&mut hits);
    }
}

fn failed(error: &yara_x::errors::ScanError) -> Gap {
    if let yara_x::errors::ScanError::Timeout = error {
        let detail = "YARA rules were not evaluated to their end: limit `seconds` reached";
        return Gap::new(GapReason::Limit, detail);
    }
    Gap::new(GapReason::NotEvaluated, format!("YARA rules were not evaluated: {error}"))
}

fn not_evaluated(open: &[whole::Undecided<'_>]) -> Gap {
    let named: Vec<&str> = open.iter().take(NAMED).map(|one| one.rule).collect();
    let more = match open.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let mut needs: Vec<&str> = open.iter().flat_map(|one| one.needs.iter().copied()).collect();
    needs.sort_unstable();
    needs.dedup();
    let detail = format!(
        "YARA rules were not evaluated: {}{more}. They use {}, which takes content whole, and this is larger than the \
         limit `memory-bytes`",
        named.join(", "),
        needs.join(", "),
    );
    Gap::new(GapReason::NotEvaluated, detail)
}

fn hit(rule: &yara_x::Rule<'_, '_>) -> YaraHit {
    let matches = rule.patterns().include_private(true).flat_map(|pattern| pattern.matches().take(KEPT));
    let mut spans: Vec<Span> =
        matches.map(|found| found.range()).map(|range| Span::new(to_u64(range.start), to_u64(range.len()))).collect();
    spans.sort_by_key(|span| (span.offset, span.length));
    spans.dedup();
    spans.truncate(KEPT);
    YaraHit { rule: rule.identifier().to_owned(), namespace: rule.namespace().to_owned(), spans }
}
