//! Checking a directory of rules for those who write them: every mistake with
//! its place, and every rule against its own examples.

use std::collections::BTreeSet;
use std::path::{Component, Path};
use std::sync::Arc;

use crate::formats;
use crate::input::Input;
use crate::limits::Limits;
use crate::position::Position;
use crate::rules::{Rule, RuleError, RuleSet, ssdf};
use crate::scanner::Scanner;
use crate::source;

/// Something about a rule that should be different.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The file, or the rule's id when it is about a rule that has loaded.
    pub at: String,
    /// Where in the file.
    pub position: Option<Position>,
    /// What is wrong.
    pub message: String,
    /// The rule works all the same.
    pub advice: bool,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:", self.at)?;
        if let Some(position) = self.position {
            write!(f, "{position}:")?;
        }
        write!(f, " {}{}", if self.advice { "advice: " } else { "" }, self.message)
    }
}

/// Loads the rules of `directory` beside the embedded ones and runs their
/// examples, which are paths below it. Returns how many rules there are, and
/// what is wrong.
///
/// # Errors
/// [`RuleError`] only when the embedded rules don't load.
pub fn check(directory: &Path, limits: &Limits) -> Result<(usize, Vec<Problem>), RuleError> {
    let mut set = RuleSet::embedded()?;
    let embedded = set.rules.len();
    let errors = set.extend(directory, limits);
    let mut problems: Vec<Problem> = errors
        .into_iter()
        .map(|error| match error {
            RuleError::Declaration { file, position, message } => {
                Problem { at: file, position, message, advice: false }
            }
            RuleError::Embedded { message } => {
                Problem { at: "embedded".to_owned(), position: None, message, advice: false }
            }
        })
        .collect();
    let set = set.strict(true);
    let rules: Vec<Rule> = set.rules.iter().skip(embedded).map(|loaded| loaded.rule.clone()).collect();
    if rules.is_empty() && problems.is_empty() {
        let message = "there are no rules: wanted *.toml, *.yar or *.yara".to_owned();
        problems.push(Problem { at: directory.display().to_string(), position: None, message, advice: false });
    }
    let mut left = limits.evidence;
    for rule in &rules {
        problems.extend(spelling(rule));
        problems.extend(examples(rule, &set, directory, limits, &mut left));
    }
    Ok((rules.len(), problems))
}

fn problem(rule: &Rule, advice: bool, message: impl Into<String>) -> Problem {
    Problem { at: rule.id.clone(), position: None, message: message.into(), advice }
}

/// What a rule names that is not there.
fn spelling(rule: &Rule) -> Vec<Problem> {
    let mut problems = Vec::new();
    let formats = rule.formats.iter().filter(|format| formats::by_name(format).is_none());
    problems.extend(formats.map(|format| problem(rule, false, format!("there is no format `{format}`"))));
    let tasks = rule.ssdf.iter().filter(|id| ssdf::task(id).is_none());
    let known = || ssdf::TASKS.iter().map(|task| task.id).collect::<Vec<_>>().join(", ");
    problems.extend(tasks.map(|id| problem(rule, true, format!("no scan supports the task `{id}`, but {}", known()))));
    problems
}

/// Whether the rule fires where it says, and stays silent where it says.
fn examples(rule: &Rule, set: &RuleSet, directory: &Path, limits: &Limits, left: &mut u64) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (samples, what) in [(&rule.examples.fires, "fires"), (&rule.examples.quiet, "stays silent")] {
        if samples.is_empty() {
            problems.push(problem(rule, true, format!("has no example on which it {what}")));
        }
    }
    let fires = rule.examples.fires.iter().map(|sample| (sample, true));
    let quiet = rule.examples.quiet.iter().map(|sample| (sample, false));
    for (sample, wanted) in fires.chain(quiet) {
        if *left == 0 {
            problems.push(problem(rule, false, "more examples than the limit `evidence` allows"));
            break;
        }
        *left -= 1;
        match findings(sample, set, directory, limits) {
            Err(message) => problems.push(problem(rule, false, format!("example {sample}: {message}"))),
            Ok(found) if found.contains(&rule.id) == wanted => {}
            Ok(found) => {
                let others: Vec<&str> = found.iter().map(String::as_str).filter(|id| *id != rule.id).collect();
                let others = if others.is_empty() { "nothing".to_owned() } else { others.join(", ") };
                let did = if wanted { "does not fire" } else { "fires" };
                problems.push(problem(rule, false, format!("{did} on {sample}; besides it, {others} fires there")));
            }
        }
    }
    problems
}

/// The rules that fire on a sample below `directory`.
fn findings(sample: &str, set: &RuleSet, directory: &Path, limits: &Limits) -> Result<BTreeSet<String>, String> {
    if !Path::new(sample).components().all(|part| matches!(part, Component::Normal(_))) {
        return Err("examples are paths below the directory of rules".to_owned());
    }
    let (file, len) = source::open(&directory.join(sample)).map_err(|error| error.to_string())?;
    let scanner = Scanner::new(set).with_limits(limits.clone());
    let name = Path::new(sample).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let report = scanner.scan_input(&name, Input::positioned(Arc::new(file), len));
    Ok(report.findings.iter().flat_map(|finding| finding.rules().map(str::to_owned)).collect())
}
