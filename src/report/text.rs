//! The report for a person at a terminal.

use std::fmt::Write as _;

use crate::policy::EntryState;
use crate::report::{FileReport, Finding, Report, Verdict, accepted, sanitise};
use crate::rules::Severity;

/// How the text is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Use ANSI colours.
    pub colour: bool,
    /// Show clean files and findings of severity low too.
    pub verbose: bool,
    /// Show nothing but the summary line.
    pub quiet: bool,
    /// Columns to fill.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { colour: false, verbose: false, quiet: false, width: 100 }
    }
}

/// Findings shown per file before the rest is only counted.
const FINDINGS_SHOWN: usize = 12;

/// Files shown with the same story before the rest is only counted.
const FILES_ALIKE: usize = 5;

/// The report as text: a block per file that matters, then a summary.
pub fn text(report: &Report, style: Style) -> String {
    let mut out = String::new();
    if !style.quiet {
        let mut alike: Vec<(String, usize)> = Vec::new();
        for file in &report.files {
            if file.verdict == Verdict::Clean && !style.verbose {
                continue;
            }
            let story = story_of(file);
            let seen = match alike.iter_mut().find(|(known, _)| *known == story) {
                Some((_, count)) => {
                    *count += 1;
                    *count
                }
                None => {
                    alike.push((story, 1));
                    1
                }
            };
            if seen <= FILES_ALIKE || style.verbose {
                file_block(&mut out, file, style);
            }
        }
        for (story, count) in alike.iter().filter(|(_, count)| *count > FILES_ALIKE && !style.verbose) {
            let _ = writeln!(out, "… and {} more files like these: {story}\n", count - FILES_ALIKE);
        }
    }
    summary(&mut out, report, style);
    out
}

/// What makes two files the same for a reader: verdict, rules and gap reasons.
fn story_of(file: &FileReport) -> String {
    let mut rules: Vec<&str> = file.counted().map(|finding| finding.rule.as_str()).collect();
    rules.sort_unstable();
    rules.dedup();
    let mut gaps: Vec<&str> = file.gaps.iter().map(|gap| gap.reason.name()).collect();
    gaps.sort_unstable();
    gaps.dedup();
    format!("{} {} {}", file.verdict.name(), rules.join(" "), gaps.join(" ")).trim().to_owned()
}

fn file_block(out: &mut String, file: &FileReport, style: Style) {
    let format = file.format.as_deref().unwrap_or("unknown format");
    let verdict = paint(&format!("{:<10}", file.verdict.name().to_uppercase()), colour_of(file.verdict), style);
    let _ = writeln!(out, "{verdict} {}  ({format}, {})", bold(&sanitise(&file.path), style), size(file.size));
    let matters = |finding: &&Finding| finding.suppressed.is_none() && finding.severity > Severity::Low;
    let shown: Vec<&Finding> = file.findings.iter().filter(|finding| style.verbose || matters(finding)).collect();
    for finding in shown.iter().take(FINDINGS_SHOWN) {
        finding_block(out, finding, style);
    }
    if shown.len() > FINDINGS_SHOWN {
        let _ = writeln!(out, "  … and {} more findings; --format json has them all", shown.len() - FINDINGS_SHOWN);
    }
    for gap in file.gaps.iter().take(FINDINGS_SHOWN) {
        let inside = gap.members.join("!");
        let place = if inside.is_empty() { String::new() } else { format!(" in {}", sanitise(&inside)) };
        let line = format!("{}{place}: {}", gap.reason.name(), sanitise(&gap.detail));
        wrapped(out, "  not examined  ", &line, style);
    }
    if file.gaps.len() > FINDINGS_SHOWN {
        let _ = writeln!(out, "  … and {} more gaps", file.gaps.len() - FINDINGS_SHOWN);
    }
    out.push('\n');
}

fn finding_block(out: &mut String, finding: &Finding, style: Style) {
    let colour = match finding.severity {
        Severity::Critical | Severity::High => RED,
        Severity::Medium => YELLOW,
        Severity::Low => DIM,
    };
    let head = format!("{:<9}", finding.severity.name());
    let _ = writeln!(out, "  {} {} {}", paint(&head, colour, style), finding.rule, sanitise(&finding.title));
    for note in accepted::reason(finding).into_iter().chain(accepted::changed(finding)) {
        wrapped(out, "            ", &note, style);
    }
    wrapped(out, "            ", &sanitise(&finding.message), style);
    if !finding.also.is_empty() {
        wrapped(out, "            ", &format!("the same call: {}", finding.also.join(", ")), style);
    }
    let times =
        if finding.occurrences > 1 { format!(" and {} more times", finding.occurrences - 1) } else { String::new() };
    let _ = writeln!(
        out,
        "            {}{times}",
        paint(&format!("at {}", sanitise(&finding.location.to_string())), DIM, style)
    );
    wrapped(out, "            → ", &finding.remediation, style);
}

fn summary(out: &mut String, report: &Report, style: Style) {
    let summary = &report.summary;
    if summary.files == 0 {
        out.push_str("Nothing was scanned.\n");
        setting(out, report, style);
        return;
    }
    let part = |count: usize, verdict: Verdict| {
        let text = format!("{count} {}", verdict.name());
        if count == 0 { text } else { paint(&text, colour_of(verdict), style) }
    };
    let _ = writeln!(
        out,
        "{} in {}: {}, {}, {}, {}",
        plural(summary.files, "file"),
        size(summary.bytes),
        part(summary.malicious, Verdict::Malicious),
        part(summary.suspicious, Verdict::Suspicious),
        part(summary.incomplete, Verdict::Incomplete),
        part(summary.clean, Verdict::Clean),
    );
    if summary.with_gaps > 0 {
        let mut reasons: Vec<(&str, usize)> = Vec::new();
        for gap in report.files.iter().flat_map(|file| {
            let mut names: Vec<&str> = file.gaps.iter().map(|gap| gap.reason.name()).collect();
            names.dedup();
            names
        }) {
            match reasons.iter_mut().find(|(known, _)| *known == gap) {
                Some((_, count)) => *count += 1,
                None => reasons.push((gap, 1)),
            }
        }
        reasons.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let list: Vec<String> = reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        let _ = writeln!(out, "not fully examined: {} ({})", plural(summary.with_gaps, "file"), list.join(", "));
    }
    setting(out, report, style);
}

/// What confined the scan, and what the policy did: what it leaves out, what it
/// suppresses, and entries that can go.
fn setting(out: &mut String, report: &Report, style: Style) {
    if let Some(sandbox) = report.sandbox.as_ref().filter(|_| style.verbose) {
        let _ = writeln!(out, "sandbox: {}", sanitise(&sandbox.to_string()));
    }
    if let Some(policy) = &report.policy {
        let left_out = match report.summary.excluded {
            0 => String::new(),
            some => format!(", which leaves out {}", plural(some, "file")),
        };
        let changed = accepted::changes(report).map_or(String::new(), |some| format!("; {some}"));
        let _ = writeln!(out, "policy: {}{left_out}{changed}", sanitise(&policy.file));
    }
    let Some(triage) = &report.triage else { return };
    let _ = writeln!(out, "triage: {}", accepted::counts(triage));
    // An entry may well be for files that were not scanned today.
    for (_, line) in accepted::idle(triage).filter(|(entry, _)| style.verbose || entry.state == EntryState::Expired) {
        let _ = writeln!(out, "  {line}");
    }
}

/// `text` after `indent`, broken at spaces to the style's width; later lines
/// are indented as far.
fn wrapped(out: &mut String, indent: &str, text: &str, style: Style) {
    let indent_width = indent.chars().count();
    let room = style.width.saturating_sub(indent_width).max(20);
    let mut line = String::new();
    let mut first = true;
    let mut flush = |line: &mut String, out: &mut String| {
        let lead = if first { indent.to_owned() } else { " ".repeat(indent_width) };
        first = false;
        let _ = writeln!(out, "{lead}{line}");
        line.clear();
    };
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            flush(&mut line, out);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    flush(&mut line, out);
}

pub(crate) fn plural(count: usize, noun: &str) -> String {
    match (count, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {noun}s"),
    }
}

/// Bytes in the largest binary unit that leaves at least one.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = bytes.saturating_mul(10) / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < units.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, units.get(unit).unwrap_or(&"TiB"))
}

const RED: &str = "31";
const YELLOW: &str = "33";
const GREEN: &str = "32";
const MAGENTA: &str = "35";
const DIM: &str = "2";

fn colour_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Malicious => RED,
        Verdict::Suspicious => YELLOW,
        Verdict::Incomplete => MAGENTA,
        Verdict::Clean => GREEN,
    }
}

fn paint(text: &str, code: &str, style: Style) -> String {
    if style.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

fn bold(text: &str, style: Style) -> String {
    paint(text, "1", style)
}
