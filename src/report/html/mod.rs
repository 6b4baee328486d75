//! The report as one HTML page that needs nothing else: no network, and no
//! script to be read. Its content security policy lets only the page's own
//! style and script through, by their digests.

mod details;
mod excerpt;
mod picture;

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::report::escape::markup;
use crate::report::markdown::headline;
use crate::report::text::{plural, size};
use crate::report::{FileReport, Report, Verdict, accepted, swept};
use crate::rules::{RuleSet, Severity};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Rows of the table of files: beyond, a browser is no longer quick, and the
/// JSON report is the better tool.
const ROWS: usize = 5000;

/// Entries of the policy that do nothing, before the rest is only counted.
const ENTRIES: usize = 200;

/// The report as an HTML page; `rules` explain why findings matter.
pub fn html(report: &Report, rules: &RuleSet) -> String {
    let order = worst_first(report);
    let verdict = report.summary.verdict.map_or("incomplete", Verdict::name);
    fill(&[
        ("style-hash", &hash(STYLE)),
        ("script-hash", &hash(SCRIPT)),
        ("style", STYLE),
        ("script", SCRIPT),
        ("verdict", verdict),
        ("headline", &markup(&headline(report))),
        ("subline", &subline(report)),
        ("tiles", &tiles(report)),
        ("picture", &picture::treemap(&order)),
        ("rules", &picture::rules(report)),
        ("rows", &rows(&order)),
        ("rows-left", &rest(order.len(), ROWS, "files")),
        ("details", &details::details(&order, rules)),
        ("triage", &(report.sweep.as_ref().map(swept::html).unwrap_or_default() + &triage(report))),
        ("footer", &footer(report)),
    ])
}

/// The page with each `{{name}}` replaced once; what a value holds is not
/// looked at again.
fn fill(values: &[(&str, &str)]) -> String {
    let mut out = String::new();
    let mut rest = PAGE;
    while let Some((before, from)) = rest.split_once("{{") {
        let (name, after) = from.split_once("}}").unwrap_or((from, ""));
        out.push_str(before);
        out.push_str(values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The digests of the page's style and script, for pages that show it in a frame.
#[cfg(feature = "gate")]
pub(crate) fn html_hashes() -> (String, String) {
    (hash(STYLE), hash(SCRIPT))
}

/// A digest as a content security policy spells it.
fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}

/// A file and its number in the report, by which the page links to it.
type Numbered<'a> = (usize, &'a FileReport);

/// Files in the order in which a reader needs them.
fn worst_first(report: &Report) -> Vec<Numbered<'_>> {
    let mut order: Vec<Numbered<'_>> = report.files.iter().enumerate().collect();
    order.sort_by_key(|(_, file)| (std::cmp::Reverse(file.verdict), std::cmp::Reverse(file.worst())));
    order
}

fn subline(report: &Report) -> String {
    let summary = &report.summary;
    if summary.files == 0 {
        return "There was nothing at the given places.".to_owned();
    }
    let counts = &summary.findings;
    let findings: Vec<String> = [
        (counts.critical, Severity::Critical),
        (counts.high, Severity::High),
        (counts.medium, Severity::Medium),
        (counts.low, Severity::Low),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, severity)| format!("{count} {}", severity.name()))
    .collect();
    let findings = if findings.is_empty() { "none".to_owned() } else { findings.join(", ") };
    let gaps = match summary.with_gaps {
        0 => "Every byte was examined.".to_owned(),
        1 => "1 file was not fully examined.".to_owned(),
        more => format!("{more} files were not fully examined."),
    };
    format!("{} in {} were scanned. Findings: {findings}. {gaps}", size(summary.bytes), plural(summary.files, "file"))
}

/// What the policy and the baseline did, and entries that can go.
fn triage(report: &Report) -> String {
    let said: Vec<String> =
        report.triage.as_ref().map(accepted::counts).into_iter().chain(accepted::changes(report)).collect();
    if said.is_empty() {
        return String::new();
    }
    let mut out = format!("<section id=\"triage\">\n<h2>Triage</h2>\n<p>{}.</p>\n", markup(&said.join("; ")));
    let idle: Vec<String> = report.triage.iter().flat_map(accepted::idle).map(|(_, line)| line).collect();
    if !idle.is_empty() {
        out.push_str("<ul>\n");
        for line in idle.iter().take(ENTRIES) {
            let _ = writeln!(out, "<li>{}</li>", markup(line));
        }
        out.push_str("</ul>\n");
        out.push_str(&rest(idle.len(), ENTRIES, "entries"));
    }
    out.push_str("</section>");
    out
}

fn tiles(report: &Report) -> String {
    let summary = &report.summary;
    let mut out = String::new();
    for (count, verdict, means) in [
        (summary.malicious, Verdict::Malicious, "Loading runs somebody's code, or the file is built to deceive."),
        (summary.suspicious, Verdict::Suspicious, "A person should look before it is loaded."),
        (summary.incomplete, Verdict::Incomplete, "Something was not examined; nothing was found in the rest."),
        (summary.clean, Verdict::Clean, "Recognised, fully examined, nothing found."),
    ] {
        let none = if count == 0 { " none" } else { "" };
        let name = verdict.name();
        let _ = writeln!(
            out,
            "<div class=\"tile {name}{none}\"><b>{count}</b><span>{name}</span><small>{means}</small></div>"
        );
    }
    out
}

fn rows(order: &[Numbered<'_>]) -> String {
    let mut out = String::new();
    for (number, file) in order.iter().take(ROWS) {
        let (path, format) = (markup(&file.path), markup(file.format.as_deref().unwrap_or("unrecognised")));
        let verdict = file.verdict.name();
        let mut rules: Vec<String> = file.findings.iter().map(|finding| markup(&finding.rule)).collect();
        rules.sort_unstable();
        rules.dedup();
        let has_details = details::worth(file);
        let name = if has_details { format!("<a href=\"#f{number}\">{path}</a>") } else { path.clone() };
        let _ = writeln!(
            out,
            "<tr data-verdict-name=\"{verdict}\" data-verdict=\"{}\" data-path=\"{path}\" data-format=\"{format}\" \
             data-size=\"{}\" data-findings=\"{}\" data-rules=\"{}\"><td><span class=\"chip {verdict}\">{verdict}</span></td>\
             <td class=\"path\">{name}</td><td>{format}</td><td class=\"number\">{}</td><td>{}</td></tr>",
            file.verdict as u8,
            file.size,
            weight(file),
            rules.join(" "),
            size(file.size),
            markup(&counted(file)),
        );
    }
    out
}

/// What findings sort by: any of a severity outweighs all below it.
fn weight(file: &FileReport) -> u64 {
    file.counted().fold(0, |sum, finding| {
        let one: u64 = match finding.severity {
            Severity::Low => 1,
            Severity::Medium => 1 << 12,
            Severity::High => 1 << 24,
            Severity::Critical => 1 << 36,
        };
        sum.saturating_add(one)
    })
}

/// `2 critical, 1 low, 1 suppressed, 1 gap`.
fn counted(file: &FileReport) -> String {
    let mut parts: Vec<String> = Severity::ALL
        .iter()
        .rev()
        .map(|severity| (file.counted().filter(|finding| finding.severity == *severity).count(), severity))
        .filter(|(count, _)| *count > 0)
        .map(|(count, severity)| format!("{count} {}", severity.name()))
        .collect();
    let suppressed = file.findings.len() - file.counted().count();
    if suppressed > 0 {
        parts.push(format!("{suppressed} suppressed"));
    }
    if !file.gaps.is_empty() {
        parts.push(plural(file.gaps.len(), "gap"));
    }
    parts.join(", ")
}

/// Says what is not shown.
fn rest(all: usize, shown: usize, what: &str) -> String {
    if all > shown {
        format!("<p class=\"note\">… and {} more {what}; the JSON report has them all.</p>", all - shown)
    } else {
        String::new()
    }
}

fn footer(report: &Report) -> String {
    format!(
        "{} {}, {} rules with digest <code>{}</code>.",
        markup(&report.tool.name),
        markup(&report.tool.version),
        report.ruleset.rules,
        markup(&report.ruleset.digest)
    )
}
