//! One file in the text report: its verdict, what was found, what was not
//! examined.

use std::fmt::Write as _;

use crate::report::lines::{BOLD, DIM, RED, YELLOW, colour_of, columns, fitting, paint, row, short, wrapped};
use crate::report::text::{Style, plural, size};
use crate::report::{Excerpt, FileReport, Finding, Location, accepted, sanitise};
use crate::rules::Severity;

/// Findings, and gaps, shown of a file before the rest is only counted.
const FINDINGS_SHOWN: usize = 12;

/// Other names of the same content that are shown.
const NAMES_SHOWN: usize = 5;

/// Characters shown of a gap's detail, and of the members that lead to a place.
const DETAIL: usize = 400;
const MEMBER: usize = 120;

/// Members shown of the chain that leads to a place, besides the last.
const MEMBERS: usize = 3;

/// Columns of the verdict and the space behind it.
const VERDICT: usize = 11;

/// Where the text of a finding begins.
const INDENT: &str = "            ";

/// A file, and the other names that its content has on the Hub.
pub(super) struct Shown<'r> {
    pub file: &'r FileReport,
    pub also: Vec<&'r str>,
}

pub(super) fn block(out: &mut String, shown: &Shown<'_>, style: Style) {
    let file = shown.file;
    heading(out, shown, style);
    let before = out.len();
    let matters = |finding: &&Finding| finding.suppressed.is_none() && finding.severity > Severity::Low;
    let findings: Vec<&Finding> = file.findings.iter().filter(|finding| style.verbose || matters(finding)).collect();
    let mut advised: Vec<&str> = Vec::new();
    for finding in findings.iter().take(FINDINGS_SHOWN) {
        // The same advice once.
        let fresh = !advised.contains(&finding.remediation.as_str());
        advised.push(&finding.remediation);
        finding_block(out, finding, fresh, style);
    }
    if let Some(more) = findings.len().checked_sub(FINDINGS_SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(out, "  … and {}; --format json has them all", plural(more, "more finding"));
    }
    for gap in file.gaps.iter().take(FINDINGS_SHOWN) {
        let inside = if gap.members.is_empty() { String::new() } else { format!(" in {}", chain(&gap.members)) };
        let line = format!("{}{inside}: {}", gap.reason.name(), short(&gap.detail, DETAIL));
        wrapped(out, "  not examined  ", &line, style);
    }
    if let Some(more) = file.gaps.len().checked_sub(FINDINGS_SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(out, "  … and {}", plural(more, "more gap"));
    }
    if out.len() > before || !shown.also.is_empty() {
        out.push('\n');
    }
}

/// Verdict, path, format and size; the path is never broken, so that it can be
/// copied.
fn heading(out: &mut String, shown: &Shown<'_>, style: Style) {
    let file = shown.file;
    let verdict = paint(&format!("{:<10}", file.verdict.name().to_uppercase()), colour_of(file.verdict), style);
    let path = sanitise(&file.path);
    let format = sanitise(file.format.as_deref().unwrap_or("unknown format"));
    let about = if file.size == 0 { String::new() } else { format!("({format}, {})", size(file.size)) };
    let fits = VERDICT + columns(&path) + 2 + columns(&about) <= style.width;
    let between = match (about.is_empty(), fits) {
        (true, _) => String::new(),
        (false, true) => "  ".to_owned(),
        (false, false) => format!("\n{}", " ".repeat(VERDICT)),
    };
    let _ = writeln!(out, "{verdict} {}{between}{about}", paint(&path, BOLD, style));
    for name in shown.also.iter().take(NAMES_SHOWN) {
        let _ = writeln!(out, "{}also {}", " ".repeat(VERDICT), paint(&sanitise(name), BOLD, style));
    }
    if let Some(more) = shown.also.len().checked_sub(NAMES_SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(out, "{}and under {}", " ".repeat(VERDICT), plural(more, "more name"));
    }
    if let Some(place) = file.stored_at.as_ref().filter(|_| !file.findings.is_empty()) {
        let _ = writeln!(out, "{}kept at {}", " ".repeat(VERDICT), sanitise(place));
    }
}

fn finding_block(out: &mut String, finding: &Finding, advise: bool, style: Style) {
    let colour = match finding.severity {
        Severity::Critical | Severity::High => RED,
        Severity::Medium => YELLOW,
        Severity::Low => DIM,
    };
    let rule = sanitise(&finding.rule);
    let head = format!("  {} {rule} ", paint(&format!("{:<9}", finding.severity.name()), colour, style));
    row(out, &head, INDENT.len() + columns(&rule) + 1, &sanitise(&finding.title), style);
    for note in accepted::reason(finding).into_iter().chain(accepted::changed(finding)) {
        wrapped(out, INDENT, &note, style);
    }
    wrapped(out, INDENT, &sanitise(&finding.message), style);
    if !finding.also.is_empty() {
        wrapped(out, INDENT, &sanitise(&format!("the same call: {}", finding.also.join(", "))), style);
    }
    let times = match finding.occurrences {
        0 | 1 => String::new(),
        2 => ", and once more".to_owned(),
        more => format!(", and {} more times", more - 1),
    };
    wrapped(out, INDENT, &format!("{}{times}", place(&finding.location)), style);
    if let Some(excerpt) = finding.excerpt.as_ref().filter(|_| style.verbose) {
        around(out, excerpt, style);
    }
    if advise {
        wrapped(out, &format!("{INDENT}→ "), &sanitise(&finding.remediation), style);
    }
}

/// What stands around a finding. A line stays one: what does not fit is cut,
/// of bytes the characters first.
fn around(out: &mut String, excerpt: &Excerpt, style: Style) {
    let room = style.width.saturating_sub(INDENT.len()).max(20);
    for (line, shown) in excerpt.lines.iter().zip(excerpt.plain(room)) {
        let colour = if line.marked.is_some() { BOLD } else { DIM };
        let _ = writeln!(out, "{INDENT}{}", paint(&fitting(&shown, room), colour, style));
    }
}

/// Where in the file.
fn place(location: &Location) -> String {
    let inside = if location.members.is_empty() { String::new() } else { format!("in {} ", chain(&location.members)) };
    format!("{inside}at byte {:#x}", location.offset)
}

/// The chain of members that leads to a place; of a long one, its ends.
fn chain(members: &[String]) -> String {
    let name = |member: &String| short(member, MEMBER);
    let left_out = members.len().saturating_sub(MEMBERS + 1);
    if left_out < 2 {
        return members.iter().map(name).collect::<Vec<_>>().join("!");
    }
    let first = members.iter().take(MEMBERS).map(name).collect::<Vec<_>>().join("!");
    let last = members.last().map(name).unwrap_or_default();
    format!("{first}!({left_out} more)!{last}")
}
