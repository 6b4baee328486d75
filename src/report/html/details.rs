//! What was found in each file: what happens, where, why it matters, and what
//! to do.

use std::fmt::Write as _;

use crate::report::escape::{cut, markup};
use crate::report::html::{Numbered, excerpt, rest};
use crate::report::text::{plural, size};
use crate::report::{FileReport, Finding, accepted, sanitise};
use crate::rules::{Rule, RuleSet};

/// Files with details, findings of one rule in a file, and gaps in a file,
/// before the rest is only counted.
const FILES: usize = 500;
const OCCURRENCES: usize = 20;
const GAPS: usize = 30;

/// Files whose details are open from the start.
const OPEN: usize = 8;

/// Longest evidence and longest attribute, in characters.
const EVIDENCE: usize = 3000;
const ATTRIBUTE: usize = 300;

/// Attributes of one fact that are shown.
const ATTRIBUTES: usize = 12;

/// Whether there is anything to say of a file.
pub(super) fn worth(file: &FileReport) -> bool {
    !file.findings.is_empty() || !file.gaps.is_empty()
}

pub(super) fn details(order: &[Numbered<'_>], rules: &RuleSet) -> String {
    let told: Vec<&Numbered<'_>> = order.iter().filter(|(_, file)| worth(file)).collect();
    if told.is_empty() {
        return String::new();
    }
    let mut out = String::from("<section id=\"details\">\n<h2>What was found</h2>\n");
    for (at, (number, file)) in told.iter().take(FILES).enumerate() {
        one(&mut out, *number, file, at < OPEN, rules);
    }
    out.push_str(&rest(told.len(), FILES, "files with findings"));
    out.push_str("</section>");
    out
}

fn one(out: &mut String, number: usize, file: &FileReport, open: bool, rules: &RuleSet) {
    let verdict = file.verdict.name();
    let _ = writeln!(
        out,
        "<details class=\"file {verdict}\"{}><summary><span class=\"chip {verdict}\">{verdict}</span> <code>{}</code> \
         <span class=\"muted\">{}, {}</span></summary>\n<div class=\"body\" id=\"f{number}\">",
        if open { " open" } else { "" },
        markup(&file.path),
        markup(file.format.as_deref().unwrap_or("unrecognised")),
        size(file.size),
    );
    let inside = match file.members.len() {
        0 => String::new(),
        members => format!(", {} inside", plural(members, "artifact")),
    };
    let _ = match &file.sha256 {
        Some(digest) => writeln!(out, "<p class=\"digest\">SHA-256 <code>{}</code>{inside}</p>", markup(digest)),
        None => writeln!(out, "<p class=\"digest\">no digest: not every byte was read{inside}</p>"),
    };
    for group in by_rule(&file.findings) {
        finding(out, &group, rules);
    }
    if !file.gaps.is_empty() {
        out.push_str("<div class=\"finding\"><h3>Not examined</h3>\n<ul class=\"gaps\">\n");
        for gap in file.gaps.iter().take(GAPS) {
            let place = if gap.members.is_empty() {
                String::new()
            } else {
                format!(" in <code>{}</code>", markup(&gap.members.join("!")))
            };
            let _ = writeln!(out, "<li><b>{}</b>{place}: {}</li>", gap.reason.name(), markup(&gap.detail));
        }
        out.push_str("</ul>\n");
        out.push_str(&rest(file.gaps.len(), GAPS, "gaps"));
        out.push_str("</div>\n");
    }
    out.push_str("</div>\n</details>\n");
}

/// Findings of the same rule together, in the order of the worst of each, and
/// those that don't count behind the others.
fn by_rule(findings: &[Finding]) -> Vec<Vec<&Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    let (count, do_not) = findings.iter().partition::<Vec<_>, _>(|finding| finding.suppressed.is_none());
    for finding in count.into_iter().chain(do_not) {
        let alike = |first: &&Finding| first.rule == finding.rule && first.suppressed == finding.suppressed;
        match groups.iter_mut().find(|group| group.first().is_some_and(alike)) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups
}

fn finding(out: &mut String, group: &[&Finding], rules: &RuleSet) {
    let Some(first) = group.first() else { return };
    let severity = first.severity.name();
    let _ = writeln!(
        out,
        "<article class=\"finding{}\"><h3><span class=\"severity {severity}\">{severity}</span> {} <code>{}</code></h3>",
        if first.suppressed.is_some() { " suppressed" } else { "" },
        markup(&first.title),
        markup(&first.rule),
    );
    for note in accepted::reason(first).into_iter().chain(accepted::changed(first)) {
        let _ = writeln!(out, "<p class=\"note\"><b>{}</b></p>", markup(&note));
    }
    out.push_str("<ul class=\"occurrences\">\n");
    for finding in group.iter().take(OCCURRENCES) {
        occurrence(out, finding);
    }
    out.push_str("</ul>\n");
    out.push_str(&rest(group.len(), OCCURRENCES, "places"));
    let _ = writeln!(out, "<p class=\"do\"><b>What to do.</b> {}</p>", markup(&first.remediation));
    if let Some(rule) = rules.rule(&first.rule) {
        why(out, rule);
    }
    out.push_str("</article>\n");
}

fn occurrence(out: &mut String, finding: &Finding) {
    let times =
        if finding.occurrences > 1 { format!(", and {} more times", finding.occurrences - 1) } else { String::new() };
    let _ = writeln!(
        out,
        "<li>{}<span class=\"where\">at <code>{}</code>{times}</span>",
        markup(&finding.message),
        markup(&finding.location.to_string()),
    );
    if let Some(around) = &finding.excerpt {
        excerpt::figure(out, around);
    }
    let attributes = &finding.evidence.attributes;
    let shown = attributes.get("call").unwrap_or(&finding.evidence.value);
    if !shown.is_empty() && !finding.message.contains(shown.as_str()) {
        let _ = writeln!(out, "<pre><code>{}</code></pre>", block(&cut(shown, EVIDENCE)));
    }
    // The call shows its arguments already.
    let facts: Vec<_> =
        attributes.iter().filter(|(name, _)| *name != "call" && !name.starts_with("arg")).take(ATTRIBUTES).collect();
    if !facts.is_empty() {
        out.push_str("<dl class=\"facts\">");
        for (name, value) in facts {
            let _ = write!(out, "<dt>{}</dt><dd><code>{}</code></dd>", markup(name), markup(&cut(value, ATTRIBUTE)));
        }
        out.push_str("</dl>\n");
    }
    out.push_str("</li>\n");
}

/// Text of several lines; everything but the line breaks is made harmless.
fn block(text: &str) -> String {
    text.lines().map(markup).collect::<Vec<_>>().join("\n")
}

fn why(out: &mut String, rule: &Rule) {
    let _ = writeln!(out, "<details class=\"why\"><summary>Why this matters</summary><div>\n{}", prose(&rule.why));
    let _ = writeln!(out, "<p class=\"note\">Confidence of the rule: {}.", rule.confidence.name());
    for names in [&rule.cwe, &rule.cve, &rule.atlas].into_iter().filter(|names| !names.is_empty()) {
        let _ = write!(out, " {}.", markup(&names.join(", ")));
    }
    for reference in rule.references.iter().filter(|reference| reference.starts_with("https://")) {
        let shown = markup(reference);
        let _ = write!(out, " <a href=\"{shown}\" rel=\"noopener noreferrer\">{shown}</a>");
    }
    out.push_str("</p>\n</div></details>\n");
}

/// The Markdown that rules use: paragraphs, lists, bold and code.
fn prose(text: &str) -> String {
    let mut out = String::new();
    for paragraph in text.trim().split("\n\n") {
        let (open, close) = if paragraph.starts_with("- ") { ("<ul><li>", "</li></ul>") } else { ("<p>", "</p>") };
        let lines: Vec<String> = paragraph.lines().map(sanitise).collect();
        let joined = lines.join("\n");
        let body = joined.strip_prefix("- ").unwrap_or(&joined).replace("\n- ", "\u{0}");
        let mut html = inline(&body);
        html = html.replace('\u{0}', "</li><li>");
        let _ = writeln!(out, "{open}{html}{close}");
    }
    out
}

/// Marks that come in pairs; one without a partner stays as it is.
fn inline(text: &str) -> String {
    let mut html = quick_xml::escape::escape(text).into_owned();
    for (mark, open, close) in [("`", "<code>", "</code>"), ("**", "<b>", "</b>")] {
        let parts: Vec<&str> = html.split(mark).collect();
        let pairs = (parts.len() - 1) / 2;
        let mut out = String::with_capacity(html.len());
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                out.push_str(match at {
                    at if at > pairs * 2 => mark,
                    at if at % 2 == 1 => open,
                    _ => close,
                });
            }
            out.push_str(part);
        }
        html = out;
    }
    html
}
