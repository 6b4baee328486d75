//! Where reports go: one to standard output, any number to files, in any
//! format. JSON Lines are written while the scan runs.

use std::collections::BTreeMap;
use std::io::{self, LineWriter, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::ValueEnum;
use weighin::policy::Triage;
use weighin::report::{self, FileReport, ModelCard, Predicate, Report, SarifOptions, Style};
use weighin::{Progress, RuleSet, source};

use crate::cli::sink::Sink;
use crate::cli::terminal::{self, Bar};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For a person at a terminal.
    Text,
    /// Everything, for programs.
    Json,
    /// A JSON line per file, as it is finished.
    Jsonl,
    /// SARIF 2.1.0, for GitHub code scanning and editors.
    Sarif,
    /// JUnit XML, for Jenkins and GitLab.
    Junit,
    /// A job summary.
    Markdown,
    /// One self-contained page.
    Html,
    /// CycloneDX 1.6: models, files, digests, licences.
    Cyclonedx,
    /// in-toto Statement of the findings (vulns/v0.2).
    InToto,
    /// in-toto Statement of what holds for all files (svr/v0.2).
    InTotoSvr,
}

/// Reads `FORMAT=FILE`.
pub(super) fn parse(text: &str) -> Result<(Format, PathBuf), String> {
    let (format, file) = text.split_once('=').ok_or("wanted FORMAT=FILE, such as json=report.json")?;
    let format = Format::from_str(format, true).map_err(|_| {
        let known: Vec<String> = Format::value_variants()
            .iter()
            .filter_map(|one| Some(one.to_possible_value()?.get_name().to_owned()))
            .collect();
        format!("there is no format {format}; there are {}", known.join(", "))
    })?;
    Ok((format, PathBuf::from(file)))
}

/// What renderers need that is not in the report.
pub(super) struct Setting<'a> {
    pub rules: &'a RuleSet,
    pub style: Style,
    pub category: Option<&'a str>,
}

/// The report in a format. JSON Lines are empty here: [`Lines`] writes them.
pub(super) fn render(report: &Report, format: Format, setting: &Setting<'_>) -> anyhow::Result<String> {
    Ok(match format {
        Format::Text => report::text(report, setting.style),
        Format::Json => report::json(report)?,
        Format::Jsonl => String::new(),
        Format::Sarif => {
            let root = repository_root();
            let place = |path: &str| placed(Path::new(path), &root);
            report::sarif(report, setting.rules, &SarifOptions { place: &place, category: setting.category })?
        }
        Format::Junit => report::junit(report)?,
        Format::Markdown => report::markdown(report),
        Format::Html => report::html(report, setting.rules),
        Format::Cyclonedx => report::cyclonedx(report, &model_cards(report))?,
        Format::InToto => report::in_toto(report, Predicate::Vulns, now()?)?,
        Format::InTotoSvr => report::in_toto(report, Predicate::SimpleVerificationResult, now()?)?,
    })
}

/// Progress for the person, and JSON Lines for whoever asked for them.
pub(super) struct Lines<'t> {
    bar: Bar,
    ruleset: String,
    triage: &'t Triage,
    sinks: Mutex<Sinks>,
    /// Set when nobody reads what the scan is for.
    stop: Option<Arc<AtomicBool>>,
}

struct Sinks {
    open: Vec<(Box<dyn Write + Send>, Option<io::Error>)>,
}

impl<'t> Lines<'t> {
    /// Takes the files that get JSON Lines from `outputs`.
    pub(super) fn new(
        bar: Bar,
        rules: &RuleSet,
        triage: &'t Triage,
        to_stdout: bool,
        outputs: &mut Outputs,
        stop: Arc<AtomicBool>,
    ) -> anyhow::Result<Self> {
        let mut open: Vec<(Box<dyn Write + Send>, Option<io::Error>)> = Vec::new();
        let only = to_stdout && outputs.sinks.is_empty();
        if to_stdout {
            open.push((Box::new(io::stdout()), None));
        }
        for (_, sink) in outputs.sinks.extract_if(.., |(format, _)| *format == Format::Jsonl) {
            // Line by line, so that nothing is lost when the process is killed.
            open.push((Box::new(LineWriter::new(sink.emptied()?)), None));
        }
        let sinks = Mutex::new(Sinks { open });
        Ok(Self { bar, ruleset: rules.digest().to_owned(), triage, sinks, stop: only.then_some(stop) })
    }

    /// Ends the bar and tells of the first line that could not be written, when
    /// somebody still wants it.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        self.bar.finish();
        let sinks = self.sinks.into_inner().unwrap_or_else(PoisonError::into_inner);
        let failures = sinks.open.into_iter().filter_map(|(_, failed)| failed);
        let told = failures.map(|error| Err(anyhow::Error::from(error))).fold(Ok(()), anyhow::Result::and);
        terminal::unless_gone(told)
    }
}

impl Progress for Lines<'_> {
    fn found(&self, files: u64, bytes: u64) {
        self.bar.found(files, bytes);
    }

    fn done(&self, file: &FileReport) {
        let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        if !sinks.open.is_empty() {
            let line = report::jsonl_line(&self.triage.mark(file.clone()), &self.ruleset, self.triage.policy());
            for (sink, failed) in sinks.open.iter_mut().filter(|(_, failed)| failed.is_none()) {
                *failed = match &line {
                    Ok(line) => sink.write_all(line.as_bytes()).err(),
                    Err(error) => Some(io::Error::other(error.to_string())),
                };
                if let (Some(_), Some(stop)) = (&failed, &self.stop) {
                    stop.store(true, Ordering::Relaxed);
                }
            }
        }
        drop(sinks);
        self.bar.done(file);
    }
}

/// The nearest folder with a `.git` at or above the current one, else the
/// current one.
fn repository_root() -> PathBuf {
    let here = std::env::current_dir().and_then(std::fs::canonicalize).unwrap_or_default();
    here.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(&here).to_owned()
}

/// The path as seen from `root`, symbolic links resolved: code scanning shows
/// nothing for a path that is a link.
fn placed(path: &Path, root: &Path) -> String {
    let real = std::fs::canonicalize(path).or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned());
    let inside = real.strip_prefix(root).unwrap_or(&real);
    let names = inside.to_string_lossy();
    if cfg!(windows) { names.replace('\\', "/") } else { names.into_owned() }
}

/// Bytes of a `README.md` read for its front matter.
const CARD_BYTES: u64 = 256 << 10;

/// The model cards among the files that were scanned. One that can't be read
/// is in the report as a gap already.
fn model_cards(report: &Report) -> BTreeMap<String, ModelCard> {
    let is_card = |file: &&FileReport| match &file.hub {
        Some(hub) => hub.path == "README.md",
        None => Path::new(&file.path).file_name().is_some_and(|name| name == "README.md"),
    };
    let readmes = report.files.iter().filter(is_card);
    readmes
        .filter_map(|file| {
            let (readme, _) = source::open(Path::new(file.place())).ok()?;
            let mut bytes = Vec::new();
            readme.take(CARD_BYTES).read_to_end(&mut bytes).ok()?;
            Some((file.path.clone(), ModelCard::from_readme(&String::from_utf8_lossy(&bytes))?))
        })
        .collect()
}

/// Seconds since 1970, or what `SOURCE_DATE_EPOCH` says instead
/// (<https://reproducible-builds.org/specs/source-date-epoch/>).
pub(super) fn now() -> anyhow::Result<u64> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(given) => given.parse().with_context(|| format!("SOURCE_DATE_EPOCH is not a number of seconds: {given}")),
        Err(_) => Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs()),
    }
}

/// The reports that were asked for besides the one on standard output.
pub(super) struct Outputs {
    sinks: Vec<(Format, Sink)>,
}

impl Outputs {
    /// Opens the files.
    pub(super) fn open(wanted: &[(Format, PathBuf)]) -> anyhow::Result<Self> {
        let sinks = wanted.iter().map(|(format, path)| Ok((*format, Sink::open(path)?)));
        Ok(Self { sinks: sinks.collect::<anyhow::Result<_>>()? })
    }

    /// Where the files are.
    pub(super) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.sinks.iter().map(|(_, sink)| sink.path().to_owned())
    }

    /// Writes them all, whatever becomes of each; the first failure is told.
    pub(super) fn write(&self, report: &Report, setting: &Setting<'_>) -> anyhow::Result<()> {
        let write = |(format, sink): &(Format, Sink)| sink.write(&render(report, *format, setting)?);
        self.sinks.iter().map(write).fold(Ok(()), anyhow::Result::and)
    }
}

/// Prints the report on standard output.
pub(super) fn print(report: &Report, format: Format, setting: &Setting<'_>) -> anyhow::Result<()> {
    terminal::unless_gone(terminal::print(&render(report, format, setting)?))
}
