//! What a scan contributes to the tasks of NIST SP 800-218A, from its report:
//! what was done, over which files, with what result, and what it does not
//! show.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::report::{FileReport, Finding, Report, Summary, Tool, Verdict, accepted, sanitise};
use crate::rules::Severity;
use crate::rules::ssdf::{Counts, STANDARD, TASKS, Task};

/// The evidence that a scan is.
#[derive(Debug, Clone, Serialize)]
pub struct Ssdf {
    /// The publications that the tasks are from.
    pub standard: &'static str,
    /// What scanned.
    pub tool: Tool,
    /// SHA-256 over the rules, in hex.
    pub ruleset: String,
    /// SHA-256 of the policy file, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Counts over all files.
    pub summary: Summary,
    /// What was done for each task.
    pub tasks: Vec<TaskEvidence>,
    /// The files that all of it is about.
    pub files: Vec<FileRecord>,
}

/// What a scan contributes to one task.
#[derive(Debug, Clone, Serialize)]
pub struct TaskEvidence {
    /// The task.
    #[serde(flatten)]
    pub task: Task,
    /// The result in words.
    pub result: String,
    /// Files with findings that count for the task, or with gaps.
    pub concerns: Vec<Concern>,
}

/// A file that a task's result is about.
#[derive(Debug, Clone, Serialize)]
pub struct Concern {
    /// Path of the file. Hostile.
    pub path: String,
    /// Rules that fired, with their worst severity and whether every finding
    /// was accepted.
    pub rules: BTreeMap<String, RuleResult>,
    /// How many parts of it were not examined.
    pub gaps: usize,
}

/// What one rule found in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RuleResult {
    /// Its severity.
    pub severity: Severity,
    /// Its findings, the accepted ones included.
    pub findings: usize,
    /// Those that were accepted in triage.
    pub suppressed: usize,
}

/// A file of the scan.
#[derive(Debug, Clone, Serialize)]
pub struct FileRecord {
    /// Its path. Hostile.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 in hex, when every byte was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Its format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Its verdict.
    pub verdict: Verdict,
    /// How many parts of it were not examined.
    pub gaps: usize,
}

/// Formats that are programs, which a loader runs by design.
const PROGRAMS: &[&str] = &["pickle", "python", "pyc", "marshal", "notebook", "script", "torchscript", "executable"];

impl Ssdf {
    /// The evidence of a report.
    pub fn of(report: &Report) -> Self {
        Self {
            standard: STANDARD,
            tool: report.tool.clone(),
            ruleset: report.ruleset.digest.clone(),
            policy: report.policy.as_ref().map(|policy| policy.sha256.clone()),
            summary: report.summary.clone(),
            tasks: TASKS.iter().map(|task| evidence(*task, report)).collect(),
            files: report.files.iter().map(record).collect(),
        }
    }

    /// As JSON.
    ///
    /// # Errors
    /// Only when serialisation itself fails.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// As text for a terminal.
    pub fn text(&self) -> String {
        let mut out = format!("Evidence from a scan for {}\n\n", self.standard);
        for (name, value) in self.head() {
            let _ = writeln!(out, "{name}: {value}");
        }
        for task in &self.tasks {
            let _ = writeln!(out, "\n{}\n  asks       {}", task.heading(), task.task.asks);
            let _ = writeln!(out, "  done       {}", task.task.done);
            let _ = writeln!(out, "  result     {}", task.result);
            for line in task.lines() {
                let _ = writeln!(out, "             {}", sanitise(&line));
            }
            let _ = writeln!(out, "  not shown  {}", task.task.not_shown);
        }
        out.push_str("\nFiles\n");
        for file in &self.files {
            let digest = file.sha256.as_deref().unwrap_or("not read whole");
            let format = file.format.as_deref().unwrap_or("unknown");
            let _ = writeln!(out, "  {digest}  {} {format} {}", file.verdict.name(), sanitise(&file.path));
        }
        out
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut out = format!("# Evidence from a scan for {}\n\n", self.standard);
        for (name, value) in self.head() {
            let _ = writeln!(out, "- {name}: {value}");
        }
        for task in &self.tasks {
            let _ = writeln!(out, "\n## {}\n\n> {}\n", task.heading(), task.task.asks);
            let _ = writeln!(out, "**Done.** {}\n\n**Result.** {}", task.task.done, task.result);
            for (at, line) in task.lines().iter().enumerate() {
                let _ = writeln!(out, "{}- {}", if at == 0 { "\n" } else { "" }, harmless(line));
            }
            let _ = writeln!(out, "\n**Not shown.** {}", task.task.not_shown);
        }
        out.push_str("\n## Files\n\n| file | verdict | format | bytes | gaps | SHA-256 |\n");
        out.push_str("| --- | --- | --- | --- | --- | --- |\n");
        for file in &self.files {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} |",
                harmless(&file.path),
                file.verdict.name(),
                harmless(file.format.as_deref().unwrap_or("unknown")),
                file.size,
                file.gaps,
                harmless(file.sha256.as_deref().unwrap_or("not read whole")),
            );
        }
        out
    }

    fn head(&self) -> Vec<(&'static str, String)> {
        let summary = &self.summary;
        let mut head = vec![
            ("Tool", harmless(&format!("{} {}", self.tool.name, self.tool.version))),
            ("Rules", format!("digest {}", harmless(&self.ruleset))),
        ];
        head.extend(self.policy.as_ref().map(|policy| ("Policy", format!("digest {}", harmless(policy)))));
        head.push((
            "Scope",
            format!(
                "{} files, {} bytes: {} malicious, {} suspicious, {} incomplete, {} clean; {} left out by policy",
                summary.files,
                summary.bytes,
                summary.malicious,
                summary.suspicious,
                summary.incomplete,
                summary.clean,
                summary.excluded
            ),
        ));
        head
    }
}

impl TaskEvidence {
    fn heading(&self) -> String {
        let items = self.task.items.join(", ");
        if items.is_empty() { self.task.id.to_owned() } else { format!("{} ({items})", self.task.id) }
    }

    /// A line per file.
    fn lines(&self) -> Vec<String> {
        let line = |concern: &Concern| {
            let mut parts: Vec<String> = Vec::new();
            for (id, result) in &concern.rules {
                let accepted = match result.suppressed {
                    0 => String::new(),
                    some if some == result.findings => ", suppressed".to_owned(),
                    some => format!(", {some} of {} suppressed", result.findings),
                };
                parts.push(format!("{id} ({}{accepted})", result.severity.name()));
            }
            if concern.gaps > 0 {
                parts.push(format!("{} gaps", concern.gaps));
            }
            format!("{}: {}", concern.path, parts.join(", "))
        };
        self.concerns.iter().map(line).collect()
    }
}

fn record(file: &FileReport) -> FileRecord {
    FileRecord {
        path: file.path.clone(),
        size: file.size,
        sha256: file.sha256.clone(),
        format: file.format.clone(),
        verdict: file.verdict,
        gaps: file.gaps.len(),
    }
}

fn evidence(task: Task, report: &Report) -> TaskEvidence {
    let counts = |finding: &&Finding| match task.counts {
        Counts::All => true,
        Counts::Naming => finding.ssdf.iter().any(|id| id == task.id),
        Counts::Record => false,
    };
    let mut concerns = Vec::new();
    let (mut findings, mut accepted) = (0, 0);
    for file in &report.files {
        let mut rules: BTreeMap<String, RuleResult> = BTreeMap::new();
        for finding in file.findings.iter().filter(counts) {
            let result = rules.entry(finding.rule.clone()).or_insert(RuleResult {
                severity: finding.severity,
                findings: 0,
                suppressed: 0,
            });
            let suppressed = usize::from(finding.suppressed.is_some());
            result.findings += 1;
            result.suppressed += suppressed;
            findings += 1;
            accepted += suppressed;
        }
        let gaps = if task.counts == Counts::Record { 0 } else { file.gaps.len() };
        if !rules.is_empty() || gaps > 0 {
            concerns.push(Concern { path: file.path.clone(), rules, gaps });
        }
    }
    let mut result = match task.counts {
        Counts::Record => of_record(task, report),
        Counts::All | Counts::Naming => format!(
            "{} files scanned, {findings} findings of which {accepted} are suppressed in triage; {} files were not \
             fully examined",
            report.summary.files, report.summary.with_gaps
        ),
    };
    // The task that asks for triage.
    if task.id == "PW.7.2" {
        let triage = report.triage.as_ref().map(accepted::counts);
        for said in triage.into_iter().chain(accepted::changes(report)) {
            let _ = write!(result, "; {said}");
        }
    }
    TaskEvidence { task, result, concerns }
}

/// The result of a task that is about the record.
fn of_record(task: Task, report: &Report) -> String {
    let files = report.files.len();
    if task.id == "PW.6.1" {
        let is_program = |format: &Option<String>| format.as_deref().is_some_and(|name| PROGRAMS.contains(&name));
        let programs = report
            .files
            .iter()
            .filter(|file| is_program(&file.format) || file.members.iter().any(|member| is_program(&member.format)));
        let programs = programs.count();
        let mut formats: BTreeMap<&str, usize> = BTreeMap::new();
        for file in &report.files {
            *formats.entry(file.format.as_deref().unwrap_or("unknown")).or_default() += 1;
        }
        let list: Vec<String> = formats.iter().map(|(format, count)| format!("{} {count}", harmless(format))).collect();
        return format!(
            "{programs} of {files} files are, or hold, pickles or other programs that a loader runs by design; files \
             by format: {}",
            list.join(", ")
        );
    }
    let digests = report.files.iter().filter(|file| file.sha256.is_some()).count();
    format!("{digests} of {files} files were read whole, and have their SHA-256 in the list below")
}

/// `text` with everything escaped that Markdown, HTML or a terminal obeys.
fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in sanitise(text).chars() {
        match letter {
            '<' => safe.push_str("&lt;"),
            '&' => safe.push_str("&amp;"),
            letter if letter.is_ascii_punctuation() && !",.:;()/-".contains(letter) => {
                safe.push('\\');
                safe.push(letter);
            }
            letter => safe.push(letter),
        }
    }
    safe
}
