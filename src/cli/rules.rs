//! `weighin rules`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::{Subcommand, ValueEnum};
use weighin::report::ExitCode;
use weighin::rules::Rule;
use weighin::{Limits, RuleSet};

use crate::cli::terminal;

/// List, explain and check rules.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// All rules, one a line.
    List {
        /// Format of the list.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
        /// More rules, from a directory.
        #[arg(long, value_name = "DIR")]
        rules: Vec<PathBuf>,
    },
    /// What a rule is about, why it matters, and what to do.
    Explain {
        /// The rule's id, such as PKL002.
        id: String,
        /// More rules, from a directory.
        #[arg(long, value_name = "DIR")]
        rules: Vec<PathBuf>,
    },
    /// Check a directory of rules: mistakes with their place, and each rule
    /// against its own examples, which are paths below the directory.
    Check {
        /// The directory.
        directory: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    let text = match command {
        Command::List { format, rules } => list(&load(rules)?, *format)?,
        Command::Explain { id, rules } => {
            let set = load(rules)?;
            match set.rule(&id.to_uppercase()).or_else(|| set.rule(id)) {
                Some(rule) => weighin::report::explain(rule),
                None => bail!("there is no rule {id}; `weighin rules list` shows all"),
            }
        }
        Command::Check { directory } => return check(directory),
    };
    terminal::print(&text)?;
    Ok(ExitCode::Clean)
}

fn check(directory: &Path) -> anyhow::Result<ExitCode> {
    if !directory.is_dir() {
        bail!("{} is not a directory", directory.display());
    }
    let (rules, problems) = weighin::rules::check(directory, &Limits::default())?;
    let wrong = problems.iter().filter(|problem| !problem.advice).count();
    let mut out: String =
        problems.iter().map(|problem| weighin::report::sanitise(&problem.to_string()) + "\n").collect();
    writeln!(out, "{rules} rules, {wrong} mistakes")?;
    terminal::print(&out)?;
    Ok(if wrong == 0 { ExitCode::Clean } else { ExitCode::Findings })
}

fn load(directories: &[PathBuf]) -> anyhow::Result<RuleSet> {
    let limits = Limits::default();
    let mut set = RuleSet::embedded()?;
    for directory in directories {
        set = set.with_directory(directory, &limits)?;
    }
    Ok(set)
}

fn list(set: &RuleSet, format: Format) -> anyhow::Result<String> {
    let rules: Vec<&Rule> = set.rules();
    if format == Format::Json {
        return Ok(serde_json::to_string_pretty(&serde_json::json!({ "rules": rules }))? + "\n");
    }
    let mut out = String::new();
    for rule in &rules {
        writeln!(out, "{:<7} {:<9} {}", rule.id, rule.severity.name(), rule.title)?;
    }
    writeln!(out, "{} rules, digest {}", rules.len(), set.digest())?;
    Ok(out)
}
