//! The report as GitHub's Markdown, short enough for a job summary.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::report::escape::{cut, markdown as escape};
use crate::report::text::{plural, size};
use crate::report::{Excerpt, FileReport, Finding, Report, Verdict, accepted, swept};
use crate::rules::Severity;

/// Rows per table before the rest is only counted; a job summary holds 1 MiB.
const ROWS: usize = 200;

/// Findings that are shown with what stands around them.
const EXCERPTS: usize = 20;

/// Columns of such a line, beyond which a job summary scrolls.
const COLUMNS: usize = 100;

/// Longest message in a cell, in characters.
const CELL: usize = 400;

/// The report as Markdown.
pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "## weighin: {}\n", headline(report));
    counts(&mut out, report);
    out.push_str(&report.sweep.as_ref().map(swept::markdown).unwrap_or_default());
    findings(&mut out, report);
    gaps(&mut out, report);
    triage(&mut out, report);
    let digest: String = report.ruleset.digest.chars().take(12).collect();
    let _ = writeln!(
        out,
        "<sub>{} {}, {} rules, digest {digest}. `weighin rules explain ID` shows what a finding means.</sub>",
        report.tool.name, report.tool.version, report.ruleset.rules
    );
    out
}

/// One line that says what to do.
pub(crate) fn headline(report: &Report) -> String {
    let summary = &report.summary;
    match summary.verdict {
        None => "nothing was scanned".to_owned(),
        Some(Verdict::Malicious) => format!("do not load {}", these(summary.malicious, summary.files)),
        Some(Verdict::Suspicious) => format!("look at {} before loading", these(summary.suspicious, summary.files)),
        Some(Verdict::Incomplete) => {
            format!(
                "{} not fully examined",
                match summary.incomplete {
                    1 => "1 file was".to_owned(),
                    more => format!("{more} files were"),
                }
            )
        }
        Some(Verdict::Clean) => format!("nothing found in {}", plural(summary.files, "file")),
    }
}

fn these(some: usize, all: usize) -> String {
    if some == all { plural(some, "file") } else { format!("{some} of {}", plural(all, "file")) }
}

fn counts(out: &mut String, report: &Report) {
    let summary = &report.summary;
    let _ = writeln!(out, "| malicious | suspicious | incomplete | clean | scanned |");
    let _ = writeln!(out, "| ---: | ---: | ---: | ---: | ---: |");
    let _ = writeln!(
        out,
        "| {} | {} | {} | {} | {}, {} |\n",
        summary.malicious,
        summary.suspicious,
        summary.incomplete,
        summary.clean,
        plural(summary.files, "file"),
        size(summary.bytes)
    );
}

fn findings(out: &mut String, report: &Report) {
    let mut shown: Vec<(&FileReport, &Finding)> = report
        .files
        .iter()
        .flat_map(|file| file.counted().map(move |finding| (file, finding)))
        .filter(|(_, finding)| finding.severity > Severity::Low)
        .collect();
    if shown.is_empty() {
        return;
    }
    shown.sort_by_key(|(_, finding)| std::cmp::Reverse(finding.severity));
    let _ = writeln!(out, "### Findings\n\n| severity | rule | where | what |\n| --- | --- | --- | --- |");
    for (_, finding) in shown.iter().take(ROWS) {
        let times = if finding.occurrences > 1 { format!(" ({} times)", finding.occurrences) } else { String::new() };
        let _ = writeln!(
            out,
            "| {} | {} | <code>{}</code> | {}{times}{} |",
            finding.severity.name(),
            escape(&finding.rule),
            escape(&cut(&finding.location.to_string(), CELL)),
            escape(&cut(&finding.message, CELL)),
            escape(&accepted::notes(finding)),
        );
    }
    rest(out, shown.len(), ROWS, "findings");
    excerpts(out, &shown);
    let advice: BTreeMap<&str, (&str, &str)> = shown
        .iter()
        .map(|(_, finding)| (finding.rule.as_str(), (finding.title.as_str(), finding.remediation.as_str())))
        .collect();
    let _ = writeln!(out, "<details><summary>What to do</summary>\n");
    for (rule, (title, remediation)) in advice {
        let _ = writeln!(out, "- **{}** {}: {}", escape(rule), escape(title), escape(remediation));
    }
    let _ = writeln!(out, "\n</details>\n");
}

/// What stands around the worst findings.
fn excerpts(out: &mut String, findings: &[(&FileReport, &Finding)]) {
    let shown: Vec<(&Finding, &Excerpt)> =
        findings.iter().filter_map(|(_, finding)| Some((*finding, finding.excerpt.as_ref()?))).collect();
    if shown.is_empty() {
        return;
    }
    let _ = writeln!(out, "<details><summary>What stands there</summary>\n");
    for (finding, excerpt) in shown.iter().take(EXCERPTS) {
        let place = escape(&cut(&finding.location.to_string(), CELL));
        let _ = writeln!(out, "{}, <code>{place}</code>: {}\n", escape(&finding.rule), excerpt.title());
        out.push_str(&fenced(&excerpt.plain(COLUMNS)));
    }
    rest(out, shown.len(), EXCERPTS, "excerpts");
    let _ = writeln!(out, "</details>\n");
}

/// Lines in a fence that is longer than any row of backticks in them.
fn fenced(lines: &[String]) -> String {
    let longest = lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    format!("{fence}text\n{lines}{fence}\n\n")
}

fn gaps(out: &mut String, report: &Report) {
    let shown: Vec<_> = report.files.iter().flat_map(|file| file.gaps.iter().map(move |gap| (file, gap))).collect();
    if shown.is_empty() {
        return;
    }
    let _ = writeln!(out, "### Not examined\n\n| file | reason | detail |\n| --- | --- | --- |");
    for (file, gap) in shown.iter().take(ROWS) {
        let place: String = std::iter::once(&file.path).chain(&gap.members).cloned().collect::<Vec<_>>().join("!");
        let (place, detail) = (escape(&cut(&place, CELL)), escape(&cut(&gap.detail, CELL)));
        let _ = writeln!(out, "| <code>{place}</code> | {} | {detail} |", gap.reason.name());
    }
    rest(out, shown.len(), ROWS, "gaps");
}

/// What does not count, and entries that can go.
fn triage(out: &mut String, report: &Report) {
    let said: Vec<String> =
        report.triage.as_ref().map(accepted::counts).into_iter().chain(accepted::changes(report)).collect();
    if said.is_empty() {
        return;
    }
    let _ = writeln!(out, "### Triage\n\n{}\n", escape(&said.join("; ")));
    let suppressed = accepted::suppressed(report);
    if !suppressed.is_empty() {
        let _ = writeln!(out, "| severity | rule | where | why it does not count |\n| --- | --- | --- | --- |");
        for finding in suppressed.iter().take(ROWS) {
            let _ = writeln!(
                out,
                "| {} | {} | <code>{}</code> | {} |",
                finding.severity.name(),
                escape(&finding.rule),
                escape(&cut(&finding.location.to_string(), CELL)),
                escape(&cut(&accepted::reason(finding).unwrap_or_default(), CELL)),
            );
        }
        rest(out, suppressed.len(), ROWS, "suppressed findings");
    }
    let idle: Vec<String> = report.triage.iter().flat_map(accepted::idle).map(|(_, line)| line).collect();
    for line in idle.iter().take(ROWS) {
        let _ = writeln!(out, "- {}", escape(&cut(line, CELL)));
    }
    if !idle.is_empty() {
        rest(out, idle.len(), ROWS, "entries");
    }
}

fn rest(out: &mut String, all: usize, shown: usize, what: &str) {
    if all > shown {
        let _ = writeln!(out, "\n… and {} more {what}; `--format json` has them all.", all - shown);
    }
    out.push('\n');
}
