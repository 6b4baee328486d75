//! What a sweep adds to a report: where an object was read from at which cost,
//! what the sweep did, and what is new since the one before.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::report::escape::{cut, markdown as escape, markup};
use crate::report::text::{plural, size};
use crate::report::{FileReport, Finding, sanitise};
use crate::rules::Severity;

/// What is known of an object besides its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Fetched {
    /// The store's tag of the content. Hostile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The store's version of the object. Hostile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Seconds since 1970 when it was last written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<i64>,
    /// `full`, or `header` when only what the structure leads to was read.
    pub depth: String,
    /// Bytes that were read in this sweep; none when kept facts were judged.
    pub bytes_read: u64,
    /// Requests that this took; absent for files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
}

/// What a sweep did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Swept {
    /// What was swept, as it was given.
    pub targets: Vec<String>,
    /// `full` or `header`.
    pub depth: String,
    /// Which part of it, as `I/N`; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// Objects that were examined.
    pub examined: usize,
    /// Objects that were judged by other rules from the facts that were kept.
    pub judged_again: usize,
    /// Objects of which nothing had changed.
    pub unchanged: usize,
    /// Objects that are there no more.
    pub gone: usize,
    /// Bytes that were read.
    pub bytes_read: u64,
    /// Requests for content.
    pub requests: u64,
    /// Objects that have no finding and are not in the list of files.
    pub unlisted: usize,
    /// Seconds since 1970 when the last sweep ended that this one is compared
    /// with; absent for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// Findings that were not there then, suppressed ones aside.
    pub new_findings: usize,
    /// The worst of them.
    pub new: Vec<NewFinding>,
}

/// A finding that was not there before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NewFinding {
    /// The object and the member in it. Hostile.
    pub place: String,
    /// The rule's id.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// The rule's title.
    pub title: String,
}

/// New findings that are listed; the rest is counted.
const LISTED: usize = 100;

impl Swept {
    /// Takes in what is new of a file.
    pub(crate) fn add_new<'f>(&mut self, findings: impl Iterator<Item = &'f Finding>) {
        for finding in findings.filter(|finding| finding.suppressed.is_none()) {
            self.new_findings += 1;
            let mut place = finding.location.path.clone();
            finding.location.members.iter().for_each(|member| place.extend(["!", member]));
            let (rule, title) = (finding.rule.clone(), finding.title.clone());
            self.new.push(NewFinding { place, rule, severity: finding.severity, title });
        }
        if self.new.len() > 2 * LISTED {
            self.settle();
        }
    }

    /// Keeps the worst.
    pub(crate) fn settle(&mut self) {
        self.new.sort_by(|a, b| (b.severity, &a.place, &a.rule).cmp(&(a.severity, &b.place, &b.rule)));
        self.new.truncate(LISTED);
    }

    fn counts(&self) -> String {
        let mut parts = vec![format!("{} examined", plural(self.examined, "object"))];
        let more =
            [(self.judged_again, "judged again without reading"), (self.unchanged, "unchanged"), (self.gone, "gone")];
        parts.extend(more.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
        let requests = match usize::try_from(self.requests) {
            Ok(0) | Err(_) => String::new(),
            Ok(requests) => format!(" in {}", plural(requests, "request")),
        };
        parts.push(format!("{} read{requests}", size(self.bytes_read)));
        parts.join(", ")
    }

    fn headline(&self) -> String {
        match (self.since, self.new_findings) {
            (None, _) => "the first sweep".to_owned(),
            (Some(_), 0) => "nothing new since the last sweep".to_owned(),
            (Some(_), new) => format!("{} new since the last sweep", plural(new, "finding")),
        }
    }

    /// What is new, when there was a sweep before.
    fn news(&self) -> &[NewFinding] {
        if self.since.is_some() { &self.new } else { &[] }
    }
}

/// The lines that the text report ends with.
pub(crate) fn text(swept: &Swept) -> String {
    let mut out = format!("{}: {}\n", swept.headline(), swept.counts());
    for new in swept.news().iter().take(20) {
        let _ = writeln!(out, "  new: {} {} {}", new.severity.name(), new.rule, sanitise(&cut(&new.place, 300)));
    }
    out
}

/// The section of the Markdown summary.
pub(crate) fn markdown(swept: &Swept) -> String {
    let headline = swept.headline();
    let mut out = format!("### Sweep: {headline}\n\n{}\n\n", escape(&swept.counts()));
    if !swept.news().is_empty() {
        out.push_str("| severity | rule | where | what |\n| --- | --- | --- | --- |\n");
        for new in swept.news() {
            let (rule, place, title) = (escape(&new.rule), escape(&cut(&new.place, 400)), escape(&new.title));
            let _ = writeln!(out, "| {} | {rule} | <code>{place}</code> | {title} |", new.severity.name());
        }
        out.push('\n');
    }
    out
}

/// The section of the HTML report.
pub(crate) fn html(swept: &Swept) -> String {
    let (headline, counts) = (markup(&swept.headline()), markup(&swept.counts()));
    let mut out = format!("<section id=\"sweep\">\n<h2>Sweep: {headline}</h2>\n<p>{counts}.</p>\n");
    if !swept.news().is_empty() {
        out.push_str("<ul>\n");
        for new in swept.news() {
            let what = format!("{} {} {}: {}", new.severity.name(), new.rule, cut(&new.place, 400), new.title);
            let _ = writeln!(out, "<li>{}</li>", markup(&what));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</section>\n");
    out
}

impl FileReport {
    /// The same, saying where it was read from.
    #[must_use]
    pub fn fetched(mut self, fetched: Fetched) -> Self {
        self.fetched = Some(fetched);
        self
    }
}
