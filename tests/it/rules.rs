//! Every rule fires where it says, stays silent where it says, and is listed.

use std::collections::BTreeSet;
use std::path::Path;

use weighin::evidence::Kind;
use weighin::formats;
use weighin::policy::DigestLists;
use weighin::rules::ssdf;
use weighin::{Limits, RuleSet, Scanner};

use crate::check::{corpus, root, rules};

fn findings_of(sample: &str) -> BTreeSet<String> {
    let path = corpus().join(sample);
    assert!(path.is_file(), "{} is not there", path.display());
    let (bad, good) = (corpus().join("known-bad.sha256"), corpus().join("known-good.sha256"));
    let lists = DigestLists::load([bad.as_path()], [good.as_path()]).expect("the lists are well formed");
    let report = Scanner::new(rules()).with_digests(lists).scan(&[path], &());
    let findings = report.files.iter().flat_map(|file| &file.findings);
    findings.flat_map(|finding| finding.rules().map(str::to_owned)).collect()
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
        let (why, rest) = rule.why.split_once("**Attackers**").unwrap_or_else(|| panic!("{}: attackers?", rule.id));
        let (attackers, honest) =
            rest.split_once("**Honest look-alikes:**").unwrap_or_else(|| panic!("{}: honest look-alikes?", rule.id));
        assert!(why.trim().len() > 40, "{} does not say why", rule.id);
        assert!(attackers.trim().len() > 20 && honest.trim().len() > 3, "{} is short of words", rule.id);
        assert!(rule.why.trim_end().ends_with('.'), "{}: the page ends in the middle", rule.id);
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

fn ids(text: &str) -> BTreeSet<String> {
    let is_id = |word: &&str| {
        word.len() == 6 && word.is_ascii() && {
            let (letters, digits) = word.split_at(3);
            letters.bytes().all(|byte| byte.is_ascii_uppercase()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        }
    };
    text.split_ascii_whitespace().filter(is_id).map(str::to_owned).collect()
}

/// Ids are never reused and severities never change unseen: the list is kept
/// in a file, and a difference shows in review.
#[test]
fn the_index_is_current_and_no_id_is_used_again() {
    let index = weighin::report::index(rules());
    let path = root().join("rules/INDEX.md");
    let retired = ids(&std::fs::read_to_string(root().join("rules/RETIRED.md")).expect("it is there"));
    let (before, now) = (ids(&std::fs::read_to_string(&path).expect("it is there")), ids(&index));
    assert_eq!(now.len(), rules().rules().len(), "every rule has a row");
    let again: Vec<&String> = now.intersection(&retired).collect();
    assert!(again.is_empty(), "{again:?} are retired; take the next free number");
    let gone: Vec<&String> = before.difference(&now).filter(|id| !retired.contains(*id)).collect();
    assert!(gone.is_empty(), "{gone:?} are gone; add them to rules/RETIRED.md");
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

/// Loads a directory of rules with one limit set; how many rules there are
/// besides the embedded ones, or what is wrong.
fn load(directory: &Path, limit: &str, value: u64) -> Result<usize, String> {
    let mut limits = Limits::default();
    limits.set(limit, value).expect("there is such a limit");
    let set = RuleSet::embedded().expect("they load").with_directory(directory, &limits);
    set.map(|set| set.rules().len() - rules().rules().len()).map_err(|error| error.to_string())
}

fn yara(name: &str) -> String {
    format!("rule {name} {{ strings: $a = \"{name}\" condition: $a }}")
}

#[test]
fn a_huge_rule_file_is_refused_unread() {
    let dir = tempfile::tempdir().expect("a directory");
    // Sparse: it takes no disk, and would take all memory.
    let file = std::fs::File::create(dir.path().join("a.yar")).expect("made");
    file.set_len(1 << 40).expect("set");
    let error = load(dir.path(), "depth", 16).expect_err("too long");
    assert!(error.contains("a.yar: longer than the limit `memory-bytes`"), "{error}");
    file.set_len(0).expect("set");
    for name in ["b.yar", "c.yar"] {
        std::fs::write(dir.path().join(name), "//".repeat(10_000)).expect("written");
    }
    let error = load(dir.path(), "header-bytes", 30_000).expect_err("too long together");
    assert!(error.contains("longer than the limit `header-bytes` over all rule files"), "{error}");
}

#[test]
fn thousands_of_rule_files_are_counted_before_they_are_read() {
    let dir = tempfile::tempdir().expect("a directory");
    for n in 0..3000 {
        std::fs::write(dir.path().join(format!("{n}.yar")), "not a rule").expect("written");
    }
    let error = load(dir.path(), "evidence", 2999).expect_err("too many");
    assert!(error.contains("more rule files than the limit `evidence` allows"), "{error}");
    // Files that are no rules are only looked at.
    let error = load(dir.path(), "artifacts", 2000).expect_err("too many");
    assert!(error.contains("more files than the limit `artifacts` allows"), "{error}");
}

#[test]
fn deep_directories_of_rules_are_refused_and_not_cut() {
    let dir = tempfile::tempdir().expect("a directory");
    let deep: std::path::PathBuf = std::iter::repeat_n("d", 16).collect();
    std::fs::create_dir_all(dir.path().join(&deep)).expect("made");
    std::fs::write(dir.path().join(&deep).join("a.yar"), yara("deep")).expect("written");
    assert_eq!(load(dir.path(), "depth", 16), Ok(1));
    let error = load(dir.path(), "depth", 15).expect_err("too deep");
    assert!(error.contains("nested deeper than the limit `depth` allows"), "{error}");
}

#[test]
fn loading_rules_ends_with_the_clock() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("a.yar"), yara("a")).expect("written");
    assert_eq!(load(dir.path(), "seconds", 3600), Ok(1));
    let error = load(dir.path(), "seconds", 0).expect_err("no time");
    assert!(error.contains("a.yar:1:1: loading the rules takes longer than the limit `seconds`"), "{error}");
}

#[test]
fn deeply_nested_rules_are_refused() {
    for (name, text) in [
        ("a.toml", "a = ".to_owned() + &"[".repeat(100_000)),
        ("a.yar", format!("rule a {{ condition: {}true{} }}", "(".repeat(50_000), ")".repeat(50_000))),
        ("a.yar", format!("rule a {{ condition: {}true }}", "not ".repeat(50_000))),
        ("a.yar", format!("rule a {{ condition: {}1 == 1 }}", "-".repeat(50_000))),
        ("a.yar", format!("rule a {{ strings: $a = /{}x{}/ condition: $a }}", "(".repeat(50_000), ")".repeat(50_000))),
        (
            "a.yar",
            format!(
                "rule a {{ strings: $a = {{ 41 {} 42 {} }} condition: $a }}",
                "(".repeat(50_000),
                ")".repeat(50_000)
            ),
        ),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join(name), &text).expect("written");
        assert!(load(dir.path(), "depth", 16).is_err(), "{}", &text[..40]);
    }
}

#[cfg(unix)]
#[test]
fn links_in_a_directory_of_rules_are_never_followed() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().expect("a directory");
    let rules = dir.path().join("rules");
    std::fs::create_dir_all(rules.join("..data-1")).expect("made");
    std::fs::write(rules.join("..data-1/a.yar"), yara("linked")).expect("written");
    std::fs::write(dir.path().join("secret"), "root:x:0:0").expect("written");
    // As Kubernetes mounts a ConfigMap: once, not twice. And loops.
    symlink("..data-1", rules.join("..data")).expect("linked");
    symlink("..data/a.yar", rules.join("a.yar")).expect("linked");
    symlink(".", rules.join("loop")).expect("linked");
    symlink("../rules", rules.join("..data-1/loop")).expect("linked");
    symlink("self.txt", rules.join("self.txt")).expect("linked");
    assert_eq!(load(&rules, "depth", 16), Ok(1));
    for (target, name, wanted) in [
        ("../secret", "b.yar", "a link out of the directory of rules"),
        ("..", "up", "a link out of the directory of rules"),
        ("/etc", "etc", "a link out of the directory of rules"),
        ("nowhere", "b.toml", "a link that leads nowhere"),
        ("b.yar", "b.yar", "a link that leads nowhere"),
    ] {
        symlink(target, rules.join(name)).expect("linked");
        let error = load(&rules, "depth", 16).expect_err("it is refused");
        assert!(error.contains(&format!("{name}: {wanted}")) && !error.contains("root:"), "{error}");
        std::fs::remove_file(rules.join(name)).expect("removed");
    }
    // A pipe would be waited for, and is never opened.
    let pipe = std::process::Command::new("mkfifo").arg(rules.join("p.yar")).status().expect("mkfifo runs");
    assert!(pipe.success());
    let error = load(&rules, "depth", 16).expect_err("it is refused");
    assert!(error.contains("p.yar: not a file"), "{error}");
}
