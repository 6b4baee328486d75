//! The flags that decide what fails and what is accepted, and the policy file
//! below them. `scan` and `config show` share them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;
use weighin::Policy;
use weighin::policy::{Baseline, Date, PolicyError, Setting, Trees, Triage};
use weighin::rules::Severity;

use crate::cli::sink::Sink;
use crate::cli::terminal;

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Policy")]
pub(super) struct PolicyArgs {
    /// The policy file, instead of the one that is found.
    ///
    /// It is looked for from the working directory upwards.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Obey no policy file.
    #[arg(long, conflicts_with = "config", hide_short_help = true)]
    no_config: bool,
    /// Lowest severity that fails [default: medium].
    ///
    /// One of low, medium, high and critical.
    #[arg(long, value_name = "SEVERITY", value_parser = parse_severity)]
    fail_on: Option<Severity>,
    /// Accept what was not fully examined.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(hide_possible_values = true)]
    allow_incomplete: Option<bool>,
    /// Allow-list: whatever is not reviewed is high.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(hide_possible_values = true)]
    strict: Option<bool>,
    /// More rules, from a directory; repeatable.
    #[arg(long, value_name = "DIR")]
    rules: Vec<PathBuf>,
    /// Set a limit; `--limit help` lists them.
    #[arg(long, value_name = "NAME=VALUE")]
    limit: Vec<String>,
    /// Digests of files that must not be loaded.
    ///
    /// SHA-256, as `sha256sum` writes them; may be repeated.
    #[arg(long, value_name = "FILE")]
    known_bad: Vec<PathBuf>,
    /// Digests of files that have been approved.
    ///
    /// SHA-256, as `sha256sum` writes them; noted, and trusted only where the
    /// policy file says so; may be repeated.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    known_good: Vec<PathBuf>,
}

fn parse_severity(text: &str) -> Result<Severity, String> {
    Severity::from_name(text).ok_or_else(|| "one of low, medium, high, critical".to_owned())
}

impl PolicyArgs {
    /// Whether the list of limits is asked for.
    pub(super) fn wants_limits(&self) -> bool {
        self.limit.iter().any(|limit| limit == "help")
    }

    /// The policy in force for a scan of `paths`, with what is said about
    /// files that are not obeyed going to standard error.
    pub(super) fn policy(&self, paths: &[PathBuf]) -> anyhow::Result<Policy> {
        let trees = Trees::new(paths);
        let here = std::env::current_dir().context("finding the working directory")?;
        let mut policy = match &self.config {
            Some(file) => Policy::load(file)?,
            None if self.no_config => Policy::none(&here),
            None => found(&here, &trees)?,
        };
        self.override_with_flags(&mut policy)?;
        for source in policy.sources() {
            refuse_inside(source, &trees)?;
        }
        Ok(policy)
    }

    fn override_with_flags(&self, policy: &mut Policy) -> anyhow::Result<()> {
        let flag = |given: Option<bool>, setting: &mut Setting<bool>| {
            if let Some(value) = given {
                *setting = Setting::flag(value);
            }
        };
        if let Some(severity) = self.fail_on {
            policy.fail_on = Setting::flag(severity);
        }
        flag(self.allow_incomplete, &mut policy.allow_incomplete);
        flag(self.strict, &mut policy.strict);
        for limit in &self.limit {
            let (name, value) = one_limit(limit)?;
            policy.limits.insert(name.replace('_', "-"), Setting::flag(value));
        }
        let flags = |paths: &[PathBuf]| paths.iter().cloned().map(Setting::flag).collect::<Vec<_>>();
        policy.rules.extend(flags(&self.rules));
        policy.known_bad.extend(flags(&self.known_bad));
        policy.known_good.extend(flags(&self.known_good));
        Ok(())
    }
}

/// The policy file that a search finds, and a word about those that it passes
/// over.
fn found(here: &Path, trees: &Trees) -> Result<Policy, PolicyError> {
    let search = weighin::policy::find(here, trees)?;
    for ignored in &search.ignored {
        terminal::complain(&format!(
            "weighin: {} is not obeyed: it lies in what is scanned, or beside it. If it is yours, give it with \
             --config from outside of the scanned tree",
            weighin::report::sanitise(&ignored.display().to_string())
        ));
    }
    search.file.map_or_else(|| Ok(Policy::none(here)), |file| Policy::load(&file))
}

/// A model's author must not decide how the model is judged.
fn refuse_inside(path: &Path, trees: &Trees) -> anyhow::Result<()> {
    if trees.hold(path) {
        bail!(
            "{} lies inside what is scanned, and nothing in there is obeyed; keep it outside",
            weighin::report::sanitise(&path.display().to_string())
        );
    }
    Ok(())
}

/// What is accepted.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Triage")]
pub(super) struct TriageArgs {
    /// Accept a baseline's findings in unchanged files.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write the findings as a baseline.
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
}

impl TriageArgs {
    /// What `policy` and the baseline accept today.
    pub(super) fn triage(&self, policy: &Policy, paths: &[PathBuf]) -> anyhow::Result<Triage> {
        let trees = Trees::new(paths);
        for file in [&self.baseline, &self.write_baseline].into_iter().flatten() {
            refuse_inside(file, &trees)?;
        }
        let baseline = self.baseline.as_deref().map(Baseline::load).transpose()?;
        Ok(Triage::new(policy, baseline, today()?)?)
    }

    /// Opens the file that the baseline of the report goes to, where that is
    /// wanted; [`write_baseline`] writes it.
    pub(super) fn open_baseline(&self) -> anyhow::Result<Option<Sink>> {
        self.write_baseline.as_deref().map(Sink::open).transpose()
    }
}

/// Writes the findings of a report as a baseline.
pub(super) fn write_baseline(report: &weighin::Report, to: &Sink) -> anyhow::Result<()> {
    to.write(&Baseline::of(report).to_json()?)
}

/// The day, in UTC: that of `SOURCE_DATE_EPOCH` where it is set
/// (<https://reproducible-builds.org/specs/source-date-epoch/>).
fn today() -> anyhow::Result<Date> {
    let seconds = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse().with_context(|| format!("SOURCE_DATE_EPOCH={text}: wanted seconds since 1970"))?,
        Err(_) => std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs()),
    };
    Ok(Date::from_unix(seconds))
}

/// A `NAME=VALUE` that sets a limit.
pub(super) fn one_limit(limit: &str) -> anyhow::Result<(&str, u64)> {
    let (name, value) = limit.split_once('=').with_context(|| format!("--limit {limit}: wanted NAME=VALUE"))?;
    let value = value.parse().with_context(|| format!("--limit {limit}: the value is not a whole number"))?;
    weighin::Limits::default().set(name, value).with_context(|| "--limit help lists them")?;
    Ok((name, value))
}
