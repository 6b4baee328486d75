//! The text report and the help texts as a person meets them: narrow and wide
//! terminals, no colour, thousands of files, hostile names.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use weighin::Scanner;
use weighin::report::{self, FileReport, Report, Style};
use weighin::source::{HubFile, HubKind};

use crate::check::{corpus, rules, scan};
use crate::cli::output;

const EVIL: &[u8] = b"cos\nsystem\n(S'echo weighin'\ntR.";

/// The whole corpus, scanned once.
fn everything() -> &'static Report {
    static REPORT: OnceLock<Report> = OnceLock::new();
    REPORT.get_or_init(|| Scanner::new(rules()).scan(&[corpus()], &()))
}

fn styled(report: &Report, width: usize) -> String {
    report::text(report, Style { width, ..Style::default() })
}

fn report_of(files: Vec<FileReport>) -> Report {
    Report::new(rules(), files)
}

/// Thousands of files whose names and stories somebody else chose.
fn hostile_tree() -> Report {
    let evil = scan("evil.pkl", EVIL);
    let mut files = Vec::new();
    for number in 0..5000 {
        let mut file = evil.clone();
        file.path = format!("models/{number:04}\n\u{1b}[2J\u{202e}{}.pkl", "模型".repeat(number % 40));
        // As many stories as files, in every other file.
        if number % 2 == 0 {
            file.findings[0].rule = format!("XXX{number:04}");
        }
        file.findings[0].message = format!("it says {}", "A".repeat(number));
        file.findings[0].location.members = vec!["m".repeat(number % 300); number % 60];
        files.push(file);
    }
    report_of(files)
}

#[test]
fn every_width_is_kept() {
    for width in [60, 80, 100, 120, 200] {
        for report in [everything(), &hostile_tree()] {
            for line in styled(report, width).lines() {
                // A path is never broken, so that it can be copied.
                let path = ["MALICIOUS ", "SUSPICIOUS ", "INCOMPLETE ", "CLEAN "].iter().any(|v| line.starts_with(v));
                let columns = unicode_columns(line);
                assert!(path || columns <= width, "{columns} columns instead of {width}:\n{line}");
            }
        }
    }
}

/// Columns of a terminal, for what these tests print: CJK takes two.
fn unicode_columns(line: &str) -> usize {
    line.chars().map(|c| if ('\u{2e80}'..'\u{a000}').contains(&c) { 2 } else { 1 }).sum()
}

#[test]
fn thousands_of_files_do_not_flood() {
    for report in [everything(), &hostile_tree()] {
        let text = styled(report, 100);
        let blocks = text.lines().filter(|line| line.starts_with("MALICIOUS")).count();
        assert!(text.lines().count() < 700 && (1..=30).contains(&blocks), "{} lines", text.lines().count());
        assert!(text.contains("more files; -v shows every file"), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "it obeys a name");
        let verbose = report::text(report, Style { verbose: true, ..Style::default() });
        let all = verbose.lines().filter(|line| line.starts_with("MALICIOUS")).count();
        assert_eq!(all, report.summary.malicious, "-v leaves nothing out");
    }
}

#[test]
fn counts_add_up() {
    let text = styled(everything(), 100);
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let verdict = ["malicious", "suspicious", "incomplete"];
        match words.as_slice() {
            [first, ..] if verdict.contains(&first.to_lowercase().as_str()) && !line.starts_with(' ') => {
                let name = verdict.iter().find(|name| **name == first.to_lowercase()).expect("one of them");
                *counted.entry(name).or_default() += 1;
            }
            [count, name, ..] if line.starts_with("  ") && verdict.contains(name) => {
                *counted.entry(name).or_default() += count.parse::<usize>().unwrap_or(0);
            }
            [count, "with", "yet", "other", ..] => {
                *counted.entry("others").or_default() += count.parse::<usize>().expect("a count");
            }
            _ => {}
        }
    }
    let summary = &everything().summary;
    assert_eq!(
        counted.values().sum::<usize>(),
        summary.malicious + summary.suspicious + summary.incomplete,
        "{counted:?}\n{text}"
    );
}

#[test]
fn the_worst_comes_first() {
    let text = styled(everything(), 100);
    let first = |verdict: &str| text.lines().position(|line| line.starts_with(verdict)).unwrap_or(usize::MAX);
    assert!(first("MALICIOUS") < first("SUSPICIOUS") && first("MALICIOUS") < first("INCOMPLETE"));
    assert_eq!(first("CLEAN"), usize::MAX);
}

#[test]
fn a_blob_is_one_thing_to_look_at() {
    let named = |revision: &str| {
        let hub = HubFile {
            kind: HubKind::Model,
            repository: "acme/tiny".to_owned(),
            revision: revision.repeat(40),
            refs: Vec::new(),
            path: "model.bin".to_owned(),
        };
        scan("model.bin", EVIL).named(&hub, "cache/blobs/x")
    };
    let text = styled(&report_of("123456789".chars().map(|c| named(&c.to_string())).collect()), 100);
    assert_eq!(text.matches("PKL002").count(), 1, "{text}");
    assert_eq!(text.matches("also acme/tiny@").count(), 5, "{text}");
    for wanted in ["and under 3 more names", "kept at cache/blobs/x", "9 files in 31 B: 9 malicious"] {
        assert!(text.contains(wanted), "{wanted} is missing in:\n{text}");
    }
}

#[test]
fn gaps_say_what_to_do() {
    let text = styled(everything(), 100);
    let summary = text.split("not fully examined: ").nth(1).expect("gaps");
    for wanted in ["truncated ", "fetch the file again", "--limit help", "git lfs pull"] {
        assert!(summary.contains(wanted), "{wanted} is missing in:\n{summary}");
    }
    let quiet = report::text(everything(), Style { quiet: true, width: 60, ..Style::default() });
    assert!(quiet.lines().count() <= 5, "{quiet}");
}

#[test]
fn colours_are_only_where_they_are_wanted() {
    let evil = corpus().join("pickle/reduce-os-system-p4.pkl");
    let evil = evil.to_string_lossy();
    let plain = output(&["scan", &evil]).1;
    let coloured = output(&["scan", "--color", "always", &evil]).1;
    assert!(!plain.contains('\u{1b}') && coloured.contains("\u{1b}[31m"));
    let mut bare = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        bare.push_str(before);
        rest = after.split_once('m').expect("a colour ends").1;
    }
    bare.push_str(rest);
    assert_eq!(bare, plain, "colours change more than colours");
}

#[test]
fn short_help_fits_the_screen_and_has_examples() {
    for command in [&[][..], &["scan"], &["inspect"], &["rules"], &["config", "show"], &["completions"], &["man"]] {
        let (code, help, _) = output(&[command, &["-h"]].concat());
        assert_eq!(code, 0);
        assert!(help.lines().count() <= 40, "{command:?} has {} lines:\n{help}", help.lines().count());
    }
    let long = output(&["scan", "--help"]).1;
    for flag in ["--sarif-category", "--known-good", "--no-config", "in-toto-svr"] {
        assert!(long.contains(flag), "--help leaves {flag} out");
    }
    for command in [&[][..], &["scan"]] {
        assert!(output(&[command, &["-h"]].concat()).1.contains("Examples:\n  weighin "), "{command:?}");
    }
}

#[test]
fn mistakes_say_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path: PathBuf = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_string_lossy().into_owned()
    };
    let bad = file("bad.toml", "fail-on = \"sometimes\"\n");
    let evil = corpus().join("pickle/reduce-os-system-p4.pkl").to_string_lossy().into_owned();
    for (args, wanted) in [
        (vec!["scan"], "--hf-cache"),
        (vec!["scan", "--format", "pdf", "x"], "cyclonedx"),
        (vec!["scan", "--output", "report.json", &evil], "FORMAT=FILE"),
        (vec!["scan", "--output", "pdf=x", &evil], "there are text, json"),
        (vec!["scan", "--output", "json=/no/such/folder/x", &evil], "writing /no/such/folder/x"),
        (vec!["scan", "--limit", "dept=1", &evil], "--limit help lists them"),
        (vec!["scan", "--fail-on", "sometimes", &evil], "low, medium, high, critical"),
        (vec!["scan", "--config", &bad, &evil], "bad.toml:1:"),
        (vec!["rules", "explain", "PKL999"], "weighin rules list"),
        (vec!["scna", &evil], "scan"),
    ] {
        let (code, _, error) = output(&args);
        assert_eq!(code, 2, "{args:?}: {error}");
        assert!(error.contains(wanted), "{args:?} says nothing of {wanted}:\n{error}");
    }
    let (code, text, _) = output(&["scan", "no/such/file.pkl"]);
    assert_eq!(code, 3);
    assert!(text.contains("No such file") && text.contains("check the path"), "{text}");
}
