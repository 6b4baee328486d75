//! What stands around each finding: read again once all is judged, and only
//! of what has findings.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::artifact::{Artifact, Gap, GapReason};
use crate::engine::cx::Cx;
use crate::engine::examine::{Job, panic_text};
use crate::evidence::Kind;
use crate::formats::{Format as _, pickle};
use crate::input::{Input, to_u64, to_usize};
use crate::inspect::Statement;
use crate::limits::Limits;
use crate::report::{Excerpt, Finding, Line, Marked, View};
use crate::rules::Severity;
use crate::text::{self, Encoding, secrets};

/// Bytes in a row.
const ROW: u64 = 16;

/// Bytes before an excerpt that are searched for the beginning of a credential
/// which ends in it: the longest private keys in use have half of it.
const REACH: u64 = 16 * 1024;

/// Bytes before and behind the place that lines are taken of: enough to fill
/// them.
const LINES_REACH: u64 = 4 * 1024;

/// Lines, or statements, before the one that a finding is about, and behind it.
const BESIDE: usize = 2;

/// Columns of what is marked where a finding has a place and no length.
const WORD: usize = 40;

/// Which findings of a file, or of a part that is stored by itself, are shown.
struct Share {
    /// The mildest.
    least: Severity,
    /// How many of those.
    of_least: u64,
}

impl Share {
    /// The worst `most` of the findings in `artifact` and its members.
    fn of(artifact: &Artifact, most: u64) -> Option<Self> {
        let mut all = Vec::new();
        severities(artifact, &mut all);
        all.sort_unstable_by(|a, b| b.cmp(a));
        all.truncate(to_usize(most));
        let least = *all.last()?;
        let of_least = to_u64(all.iter().filter(|severity| **severity == least).count());
        Some(Self { least, of_least })
    }

    fn takes(&mut self, finding: &Finding) -> bool {
        if finding.severity == self.least && is_somewhere(finding) {
            let left = self.of_least;
            self.of_least = left.saturating_sub(1);
            return left > 0;
        }
        finding.severity > self.least && is_somewhere(finding)
    }
}

/// All severities of what is found in the bytes of `artifact`. What was
/// unpacked has been shown by itself.
fn severities(artifact: &Artifact, into: &mut Vec<Severity>) {
    into.extend(artifact.findings.iter().filter(|finding| is_somewhere(finding)).map(|finding| finding.severity));
    for member in artifact.members.iter().filter(|member| member.within.is_some()) {
        severities(member, into);
    }
}

/// Whether a finding is about a place and not about all of the content.
fn is_somewhere(finding: &Finding) -> bool {
    match Kind::from_name(&finding.evidence.kind) {
        Some(Kind::DigestMatch | Kind::DigestMismatch) => false,
        Some(Kind::YaraMatch) => finding.location.length > 0,
        _ => true,
    }
}

impl Job<'_> {
    /// Gives findings their excerpts, here and in the members that are part of
    /// these bytes.
    pub(super) fn show_around(&mut self, artifact: &mut Artifact, input: &Input) {
        if self.headers_only() && input.as_slice().is_none() {
            return;
        }
        let Some(mut share) = Share::of(artifact, self.excerpts) else { return };
        let shown = catch_unwind(AssertUnwindSafe(|| self.show_in(artifact, input, &mut share)));
        if let Err(panic) = shown {
            let detail = format!("showing what was found failed: {}", panic_text(&*panic));
            artifact.gaps.push(Gap::new(GapReason::Panic, detail));
        }
    }

    fn show_in(&mut self, artifact: &mut Artifact, input: &Input, share: &mut Share) {
        let shown: Vec<bool> = artifact.findings.iter().map(|finding| share.takes(finding)).collect();
        if shown.contains(&true) {
            let is_pickle = artifact.formats.contains(&"pickle");
            let program = if is_pickle { self.tell_again(&artifact.name, input) } else { Vec::new() };
            let source = Source::new(input, artifact.formats.contains(&"text"), self.limits);
            for (finding, _) in artifact.findings.iter_mut().zip(&shown).filter(|(_, shown)| **shown) {
                self.excerpts = self.excerpts.saturating_sub(1);
                let as_python = in_program(finding, &program, self.limits);
                let as_text = || source.as_ref().and_then(|source| source.lines(finding, self.limits));
                finding.excerpt = as_python.or_else(as_text).or_else(|| in_bytes(finding, input, self.limits));
            }
        }
        for member in &mut artifact.members {
            let part = member.within.and_then(|start| input.window(start, member.size).ok());
            if let Some(part) = part {
                self.show_in(member, &part, share);
            }
        }
    }

    /// What a pickle does, as far as it is short enough to be read twice. Costs
    /// nothing of what the file may still cost: it was paid for once.
    fn tell_again(&mut self, name: &str, input: &Input) -> Vec<Statement> {
        if input.len() > self.limits.reread_bytes {
            return Vec::new();
        }
        let Ok(held) = self.held(input) else { return Vec::new() };
        let (work, clock_at) = (self.work, self.clock_at);
        let mut told = Artifact::new(name, input.len());
        // It has been read before: what goes wrong is known.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            pickle::Pickle.read(&held, &mut Cx::again(self, &mut told, held.clone()))
        }));
        (self.work, self.clock_at) = (work, clock_at);
        let streams = told.contents.map(|contents| contents.streams).unwrap_or_default();
        // What is left out might be what a finding is about.
        streams.into_iter().filter(|stream| stream.more == 0).flat_map(|stream| stream.statements).collect()
    }
}

/// The statements around a finding.
fn in_program(finding: &Finding, program: &[Statement], limits: &Limits) -> Option<Excerpt> {
    let kind = Kind::from_name(&finding.evidence.kind)?;
    if !kind.name().starts_with("pickle.") || kind == Kind::PickleAnomaly {
        return None;
    }
    let place = finding.location.offset;
    // What has no statement of its own is part of a later one.
    let at = program.iter().position(|statement| statement.offset >= place)?;
    let own = program.iter().filter(|statement| statement.offset == place).count().max(1);
    let most = to_usize(limits.excerpt_lines);
    let beside = beside(limits);
    let mut lines = Vec::new();
    for (index, statement) in program.iter().enumerate().skip(at.saturating_sub(beside)) {
        let is_own = (at..at.saturating_add(own)).contains(&index);
        if index > at.saturating_add(own) || lines.len() >= most {
            break;
        }
        let code = statement_lines(statement, limits);
        // The lines around leave room for those that matter.
        let left = most.saturating_sub(lines.len());
        let room = if is_own { left } else { left.min(beside) };
        let left_out = code.len().saturating_sub(room);
        for text in code.into_iter().take(room) {
            let marked = is_own.then(|| Marked { from: 0, to: text.chars().count() });
            lines.push(Line { at: statement.offset, text, marked });
        }
        if let Some(last) = lines.last_mut().filter(|_| left_out > 0) {
            last.text.push_str(" …");
        }
    }
    (!lines.is_empty()).then_some(Excerpt { view: View::Program, lines })
}

/// Lines before and behind, of which there are fewer where few are shown.
fn beside(limits: &Limits) -> usize {
    BESIDE.min(to_usize(limits.excerpt_lines) / 4)
}

fn statement_lines(statement: &Statement, limits: &Limits) -> Vec<String> {
    let width = to_usize(limits.excerpt_width);
    let mut lines: Vec<String> = secrets::hidden_text(&statement.code).lines().map(str::to_owned).collect();
    if let Some(note) = &statement.note {
        let note = format!("# {}", secrets::hidden_text(note));
        match lines.last_mut().filter(|last| last.chars().count().saturating_add(note.chars().count()) < width) {
            Some(last) if last.is_empty() => *last = note,
            Some(last) => last.push_str(&format!("  {note}")),
            None => lines.push(note),
        }
    }
    lines.iter().map(|line| cut(line, 0, width).0).collect()
}

/// `width` characters of `line` from `from` on, with an ellipsis where that
/// leaves some out; and how many were left out before, the ellipsis aside.
fn cut(line: &str, from: usize, width: usize) -> (String, usize) {
    let mut shown: String = if from > 0 { "…".to_owned() } else { String::new() };
    shown.extend(line.chars().skip(from).take(width));
    if line.chars().nth(from.saturating_add(width)).is_some() {
        shown.push('…');
    }
    (shown, from.saturating_sub(usize::from(from > 0)))
}

/// Rows of bytes around a finding.
fn in_bytes(finding: &Finding, input: &Input, limits: &Limits) -> Option<Excerpt> {
    let (place, length) = (finding.location.offset, finding.location.length.max(1));
    let marked = place..place.saturating_add(length);
    let before = if limits.excerpt_bytes > 2 * ROW { ROW } else { 0 };
    let from = place.saturating_sub(place % ROW).saturating_sub(before);
    let until = from.saturating_add(limits.excerpt_bytes).min(input.len());
    let back = from.saturating_sub(REACH);
    let size = until.checked_sub(back).filter(|_| place < until)?;
    let held = input.bytes(back, size, size).ok()?;
    let mut digits: Vec<String> = held.iter().map(|byte| format!("{byte:02x}")).collect();
    for span in secrets::spans(&held) {
        digits.get_mut(span).unwrap_or_default().fill("**".to_owned());
    }
    let shown = digits.get(to_usize(from.saturating_sub(back))..)?;
    let rows = shown.chunks(to_usize(ROW)).zip((from..).step_by(to_usize(ROW)));
    let row = |(digits, at): (&[String], u64)| {
        let own: Vec<usize> =
            (0..digits.len()).filter(|byte| marked.contains(&at.saturating_add(to_u64(*byte)))).collect();
        let marked = own.first().zip(own.last()).map(|(first, last)| Marked {
            from: first.saturating_mul(3),
            to: last.saturating_mul(3).saturating_add(2),
        });
        Line { at, text: digits.join(" "), marked }
    };
    Some(Excerpt { view: View::Bytes, lines: rows.map(row).collect() })
}

/// A text that lines are taken of.
struct Source {
    input: Input,
}

impl Source {
    /// Nothing, when the content is no text. Readers of UTF-16 count the bytes
    /// of the same text in UTF-8.
    fn new(input: &Input, is_named: bool, limits: &Limits) -> Option<Self> {
        let start = input.prefix(LINES_REACH).all(LINES_REACH).ok()?;
        match text::encoding(&start, is_named)? {
            Encoding::Utf16 { .. } => {
                let whole = text::source(input, limits.source_bytes).ok()?;
                Some(Self { input: text::decode(&whole).into_owned().into_bytes().into() })
            }
            Encoding::Utf8 | Encoding::Bytes => Some(Self { input: input.clone() }),
        }
    }

    /// The lines around a finding.
    fn lines(&self, finding: &Finding, limits: &Limits) -> Option<Excerpt> {
        let place = finding.location.offset.min(self.input.len());
        let back = place.saturating_sub(REACH);
        let behind = place.saturating_add(LINES_REACH).min(self.input.len());
        let size = behind.saturating_sub(back);
        let held = secrets::hidden(&self.input.bytes(back, size, size).ok()?);
        let here = to_usize(place.saturating_sub(back));
        let from = here.saturating_sub(to_usize(LINES_REACH));
        let window = held.get(from..).filter(|window| memchr::memchr(0, window).is_none())?;
        let here = here.saturating_sub(from);
        let length = to_usize(finding.location.length).min(window.len().saturating_sub(here));
        // The line of the place, and those that begin before it.
        let before = window.get(..here)?;
        let starts: Vec<usize> =
            std::iter::once(0).chain(memchr::memchr_iter(b'\n', before).map(|end| end.saturating_add(1))).collect();
        let first = starts.len().saturating_sub(1).saturating_sub(beside(limits));
        // The first of the window may have begun before it.
        let first = if first == 0 && starts.len() > 1 && from > 0 { 1 } else { first };
        let number = self.line_of(place, limits)?;
        let mut at = *starts.get(first)?;
        let mut lines = Vec::new();
        let mut line_number = number.saturating_sub(to_u64(starts.len().saturating_sub(1).saturating_sub(first)));
        let mut behind = 0;
        while let Some(rest) = window.get(at..).filter(|_| to_u64(lines.len()) < limits.excerpt_lines) {
            // No line begins behind the last line break.
            if rest.is_empty() && !lines.is_empty() && at > here {
                break;
            }
            let end = memchr::memchr(b'\n', rest);
            let len = end.unwrap_or(rest.len());
            let until = at.saturating_add(len);
            let own = here.max(at)..here.saturating_add(length).min(until);
            let is_own = here <= until && here.saturating_add(length.max(1)) > at;
            behind = if is_own || until < here { 0_usize } else { behind.saturating_add(1) };
            if behind > beside(limits) {
                break;
            }
            let marked = is_own.then(|| own.start.saturating_sub(at)..own.end.saturating_sub(at));
            let (text, marked) =
                source_line(rest.get(..len).unwrap_or_default(), marked, to_usize(limits.excerpt_width));
            lines.push(Line { at: line_number, text, marked });
            line_number = line_number.saturating_add(1);
            at = until.saturating_add(1);
            if end.is_none() {
                break;
            }
        }
        (!lines.is_empty()).then_some(Excerpt { view: View::Source, lines })
    }

    /// The number of the line that holds the byte at `place`; none when too
    /// much would have to be read for it.
    fn line_of(&self, place: u64, limits: &Limits) -> Option<u64> {
        let mut number = 1_u64;
        if place > limits.reread_bytes {
            return None;
        }
        let mut cursor = self.input.cursor();
        while cursor.position() < place {
            cursor.fill(1).ok()?;
            let held = cursor.buffered();
            let left = to_usize(place.saturating_sub(cursor.position()));
            let part = held.get(..left.min(held.len())).filter(|part| !part.is_empty())?;
            number = number.saturating_add(to_u64(memchr::memchr_iter(b'\n', part).count()));
            let len = to_u64(part.len());
            cursor.skip(len).ok()?;
        }
        Some(number)
    }
}

/// The characters of a part of a text, which may begin and end within one.
fn characters(part: &[u8]) -> String {
    let within = part.iter().take(3).take_while(|byte| (0x80..0xc0).contains(*byte)).count();
    let whole = part.get(within..).unwrap_or_default();
    match std::str::from_utf8(whole) {
        Ok(text) => text.to_owned(),
        Err(error) if error.error_len().is_none() => {
            String::from_utf8_lossy(whole.get(..error.valid_up_to()).unwrap_or_default()).into_owned()
        }
        Err(_) => part.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// A line of a text, and its mark in characters; `marked` is in bytes.
fn source_line(bytes: &[u8], marked: Option<std::ops::Range<usize>>, width: usize) -> (String, Option<Marked>) {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let line = characters(bytes);
    let Some(marked) = marked else { return (cut(&line, 0, width).0, None) };
    let before = characters(bytes.get(..marked.start).unwrap_or(bytes)).chars().count();
    let own = characters(bytes.get(marked.start..marked.end).unwrap_or_default()).chars().count();
    let own = match own {
        0 => line.chars().skip(before).take(WORD).take_while(|c| !c.is_whitespace()).count(),
        own => own,
    };
    // A place far to the right comes to stand after a third of the width.
    let from = if before.saturating_add(own.min(WORD)) > width { before.saturating_sub(width / 3) } else { 0 };
    let (text, skipped) = cut(&line, from, width);
    let end = text.chars().count();
    let shifted = |at: usize| at.saturating_sub(skipped).min(end);
    (text, Some(Marked { from: shifted(before), to: shifted(before.saturating_add(own)) }))
}
