//! What a user, or whoever can write the user's files, hands to the loaders.

use std::path::Path;

use weighin::policy::{Baseline, DigestLists};
use weighin::{Policy, RuleSet};

use crate::scan::limits;

/// A declaration of a rule.
pub fn rules(data: &[u8]) {
    directory("rule.toml", data);
}

/// YARA rules of somebody else.
pub fn yara(data: &[u8]) {
    directory("rule.yar", data);
}

fn directory(name: &str, data: &[u8]) {
    written(name, data, |file| {
        let dir = file.parent().expect("it lies in one");
        let rules = RuleSet::embedded().expect("the embedded rules load");
        told(rules.with_directory(dir, &limits()));
    });
}

/// A policy, and all that it leads to.
pub fn policy(data: &[u8]) {
    written("weighin.toml", data, |file| {
        let Some(policy) = told(Policy::load(file)) else { return };
        policy.show();
        told(policy.excluded());
        told(policy.digest_lists());
        told(policy.rule_set());
    });
}

/// A baseline; one that is read is written again and read the same.
pub fn baseline(data: &[u8]) {
    written("baseline.json", data, |file| {
        let Some(baseline) = told(Baseline::load(file)) else { return };
        std::fs::write(file, baseline.to_json().expect("written")).expect("written");
        assert_eq!(Baseline::load(file).expect("read again").len(), baseline.len());
    });
}

/// A list of digests.
pub fn digests(data: &[u8]) {
    written("known.sha256", data, |file| {
        told(DigestLists::load([file], []));
    });
}

fn written(name: &str, data: &[u8], then: impl FnOnce(&Path)) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join(name);
    std::fs::write(&file, data).expect("written");
    then(&file);
}

/// What was loaded; a refusal has to be said without a control character that
/// a terminal would obey.
fn told<T, E: std::fmt::Display>(result: Result<T, E>) -> Option<T> {
    if let Err(error) = &result {
        let _ = weighin::report::sanitise(&error.to_string());
    }
    result.ok()
}
