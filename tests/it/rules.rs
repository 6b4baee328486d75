//! Every rule fires where it says, stays silent where it says, and is listed.

use std::collections::BTreeSet;

use weighin::Scanner;
use weighin::evidence::Kind;
use weighin::formats;
use weighin::policy::DigestLists;
use weighin::rules::ssdf;

use crate::check::{corpus, root, rules};

fn findings_of(sample: &str) -> BTreeSet<String> {
    let path = corpus().join(sample);
    assert!(path.is_file(), "{} is not there", path.display());
    let (bad, good) = (corpus().join("known-bad.sha256"), corpus().join("known-good.sha256"));
    let lists = DigestLists::load([bad.as_path()], [good.as_path()]).expect("the lists are well formed");
    let report = Scanner::new(rules()).with_digests(lists).scan(&[path], &());
    report.files.into_iter().flat_map(|file| file.findings).map(|finding| finding.rule).collect()
}

#[test]
fn rules_fire_on_their_examples_and_stay_silent_on_look_alikes() {
    let mut wrong = Vec::new();
    for rule in rules().rules().into_iter().filter(|rule| !rule.strict) {
        if rule.examples.fires.is_empty() || rule.examples.quiet.is_empty() {
            wrong.push(format!("{} needs a sample on which it fires and one on which it stays silent", rule.id));
        }
        for sample in &rule.examples.fires {
            if !findings_of(sample).contains(&rule.id) {
                wrong.push(format!("{} does not fire on {sample}", rule.id));
            }
        }
        for sample in &rule.examples.quiet {
            if findings_of(sample).contains(&rule.id) {
                wrong.push(format!("{} fires on {sample}", rule.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_are_complete_and_well_spelt() {
    for rule in rules().rules() {
        let (letters, digits) = rule.id.split_at(3);
        assert!(letters.chars().all(|c| c.is_ascii_uppercase()) && digits.len() == 3, "{}", rule.id);
        assert!(digits.chars().all(|c| c.is_ascii_digit()), "{}", rule.id);
        assert!(rule.why.len() > 40, "{} does not say why", rule.id);
        assert!(!rule.remediation.is_empty() && !rule.references.is_empty(), "{}", rule.id);
        assert!(!rule.title.ends_with('.') && !rule.title.contains("Do not"), "{} names the bad thing", rule.id);
        for task in &rule.ssdf {
            assert!(ssdf::task(task).is_some(), "{}: src/rules/ssdf.rs has no task {task}", rule.id);
        }
        for format in &rule.formats {
            assert!(formats::by_name(format).is_some(), "{}: there is no format {format}", rule.id);
        }
    }
}

/// Ids are never reused and severities never change unseen: the list is kept
/// in a file, and a difference shows in review.
#[test]
fn the_index_is_current() {
    let index = weighin::report::index(rules());
    let path = root().join("rules/INDEX.md");
    if std::env::var_os("WEIGHIN_UPDATE").is_some() {
        std::fs::write(&path, &index).expect("writable");
    }
    let kept = std::fs::read_to_string(&path).expect("rules/INDEX.md is there");
    assert!(kept == index, "rules/INDEX.md is not current; run WEIGHIN_UPDATE=1 cargo test and look at the difference");
}

#[test]
fn every_evidence_kind_has_a_name_of_its_own() {
    let names: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), Kind::ALL.len());
    for kind in Kind::ALL {
        assert_eq!(Kind::from_name(kind.name()), Some(*kind));
        assert!(kind.about().contains("Value: "), "{} does not say what its value is", kind.name());
    }
}
