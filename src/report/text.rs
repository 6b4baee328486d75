//! The report for a person at a terminal: the worst files first, what is alike
//! counted rather than repeated, then a summary.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::artifact::GapReason;
use crate::policy::EntryState;
use crate::report::lines::{colour_of, list, paint, row, wrapped};
use crate::report::text_file::{Shown, block};
use crate::report::{FileReport, Report, Verdict, accepted, sanitise, swept};

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

/// Files shown in full before the rest is only counted.
const FILES_SHOWN: usize = 30;

/// Files shown in full with the same story before the rest is only counted.
const FILES_ALIKE: usize = 3;

/// Stories that are counted, one a line.
const STORIES_SHOWN: usize = 20;

/// The report as text: a block per file that matters, then a summary.
pub fn text(report: &Report, style: Style) -> String {
    let mut out = String::new();
    if !style.quiet {
        files(&mut out, report, style);
    }
    summary(&mut out, report, style);
    out.push_str(&report.sweep.as_ref().map(swept::text).unwrap_or_default());
    out
}

/// What makes two files the same for a reader: verdict, rules and gap reasons.
/// The worst come first.
type Story = (Reverse<Verdict>, String);

fn story_of(file: &FileReport) -> Story {
    let mut parts: Vec<&str> = file.counted().map(|finding| finding.rule.as_str()).collect();
    parts.sort_unstable();
    parts.dedup();
    let mut gaps: Vec<&str> = file.gaps.iter().map(|gap| gap.reason.name()).collect();
    gaps.sort_unstable();
    gaps.dedup();
    parts.extend(gaps);
    (Reverse(file.verdict), parts.join(" "))
}

fn files(out: &mut String, report: &Report, style: Style) {
    let mut files: Vec<(Story, Shown<'_>)> = Vec::new();
    // A blob of a cache under several names is one thing to look at.
    let mut blobs: BTreeMap<(&str, Story), usize> = BTreeMap::new();
    for file in report.files.iter().filter(|file| style.verbose || file.verdict != Verdict::Clean) {
        let story = story_of(file);
        let known = file.stored_at.as_deref().and_then(|place| blobs.get(&(place, story.clone())));
        if let Some((_, shown)) = known.and_then(|index| files.get_mut(*index)) {
            shown.also.push(&file.path);
            continue;
        }
        if let Some(place) = file.stored_at.as_deref() {
            blobs.insert((place, story.clone()), files.len());
        }
        files.push((story, Shown { file, also: Vec::new() }));
    }
    files.sort_by_key(|(story, _)| story.0);
    let mut met: BTreeMap<Story, usize> = BTreeMap::new();
    let mut hidden: BTreeMap<Story, usize> = BTreeMap::new();
    let mut shown = 0;
    for (story, file) in files {
        let alike = met.entry(story.clone()).or_default();
        if style.verbose || shown < FILES_SHOWN && *alike < FILES_ALIKE {
            block(out, &file, style);
            shown += 1;
        } else {
            *hidden.entry(story).or_default() += 1;
        }
        *alike += 1;
    }
    if !out.is_empty() && !out.ends_with("\n\n") {
        out.push('\n');
    }
    more(out, hidden, style);
}

/// The files that were not shown, counted by story.
fn more(out: &mut String, hidden: BTreeMap<Story, usize>, style: Style) {
    let files: usize = hidden.values().sum();
    if files == 0 {
        return;
    }
    let all = format!("and {}; -v shows every file, --format json tells everything:", plural(files, "more file"));
    wrapped(out, "", &all, style);
    let mut stories: Vec<(Story, usize)> = hidden.into_iter().collect();
    stories.sort_by(|a, b| (a.0.0, Reverse(a.1), &a.0.1).cmp(&(b.0.0, Reverse(b.1), &b.0.1)));
    for ((verdict, story), count) in stories.iter().take(STORIES_SHOWN) {
        let verdict = verdict.0;
        let name = paint(&format!("{:<10}", verdict.name()), colour_of(verdict), style);
        row(out, &format!("{count:>8} {name}  "), 21, story, style);
    }
    if stories.len() > STORIES_SHOWN {
        let rest: usize = stories.iter().skip(STORIES_SHOWN).map(|(_, count)| count).sum();
        let _ = writeln!(out, "{rest:>8} with yet other findings or gaps");
    }
    out.push('\n');
}

fn summary(out: &mut String, report: &Report, style: Style) {
    let summary = &report.summary;
    if summary.files == 0 {
        out.push_str("Nothing was scanned.\n");
        setting(out, report, style);
        return;
    }
    let counts = [
        (summary.malicious, Verdict::Malicious),
        (summary.suspicious, Verdict::Suspicious),
        (summary.incomplete, Verdict::Incomplete),
        (summary.clean, Verdict::Clean),
    ];
    let head = format!("{} in {}:", plural(summary.files, "file"), size(summary.bytes));
    let parts = counts.map(|(count, verdict)| {
        (format!("{count} {}", verdict.name()), if count == 0 { None } else { Some(colour_of(verdict)) })
    });
    list(out, &head, &parts, style);
    if summary.with_gaps > 0 {
        not_examined(out, report, style);
    }
    setting(out, report, style);
}

/// How many files have which kinds of gap, and what to do about each.
fn not_examined(out: &mut String, report: &Report, style: Style) {
    let mut reasons: BTreeMap<GapReason, usize> = BTreeMap::new();
    for file in &report.files {
        let mut here: Vec<GapReason> = file.gaps.iter().map(|gap| gap.reason).collect();
        here.sort_unstable();
        here.dedup();
        here.into_iter().for_each(|reason| *reasons.entry(reason).or_default() += 1);
    }
    let mut reasons: Vec<(GapReason, usize)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(reason, count)| (Reverse(*count), reason.name()));
    let files = plural(report.summary.with_gaps, "file");
    if style.quiet {
        let counts: Vec<_> =
            reasons.iter().map(|(reason, count)| (format!("{count} {}", reason.name()), None)).collect();
        list(out, &format!("not fully examined: {files}:"), &counts, style);
        return;
    }
    let _ = writeln!(out, "not fully examined: {files}");
    for (reason, count) in reasons {
        row(out, &format!("{count:>8} {:<16}  ", reason.name()), 27, reason.advice(), style);
    }
}

/// What confined the scan, and what the policy did: what it leaves out, what it
/// suppresses, and entries that can go.
fn setting(out: &mut String, report: &Report, style: Style) {
    if let Some(sandbox) = report.sandbox.as_ref().filter(|_| style.verbose) {
        wrapped(out, "sandbox: ", &sanitise(&sandbox.to_string()), style);
    }
    if let Some(policy) = &report.policy {
        let left_out = match report.summary.excluded {
            0 => String::new(),
            some => format!(", which leaves out {}", plural(some, "file")),
        };
        let changed = accepted::changes(report).map_or(String::new(), |some| format!("; {some}"));
        wrapped(out, "policy: ", &format!("{}{left_out}{changed}", sanitise(&policy.file)), style);
    }
    let Some(triage) = &report.triage else { return };
    wrapped(out, "triage: ", &accepted::counts(triage), style);
    // An entry may well be for files that were not scanned today.
    for (_, line) in accepted::idle(triage).filter(|(entry, _)| style.verbose || entry.state == EntryState::Expired) {
        wrapped(out, "  ", &line, style);
    }
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
