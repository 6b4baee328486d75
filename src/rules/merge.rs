//! One finding per call: what several rules say of one call of a pickle, and
//! of the lookups and decoders that lead to it, is one finding to act on.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::{Evidence, Kind};
use crate::report::Finding;

/// Facts about one and the same call when they stand at one place, the most
/// telling first.
const OF_A_CALL: &[Kind] = &[
    Kind::PickleCall,
    Kind::PickleUnknownCall,
    Kind::PickleCallback,
    Kind::PickleWrite,
    Kind::PickleClass,
    Kind::PickleComputed,
    Kind::PickleImport,
];

/// Merges findings of one artifact. No severity is lost: a finding goes into
/// one at least as severe, which names its rule.
pub(super) fn merge(findings: Vec<Finding>, evidence: &[Evidence]) -> Vec<Finding> {
    let mut kept = Vec::new();
    let mut calls: BTreeMap<u64, Vec<Finding>> = BTreeMap::new();
    for finding in findings {
        match rank(&finding) {
            Some(_) => calls.entry(finding.location.offset).or_default().push(finding),
            None => kept.push(finding),
        }
    }
    let mut calls: BTreeMap<u64, Vec<Finding>> =
        calls.into_iter().map(|(offset, findings)| (offset, of_one_place(findings))).collect();
    let mut steps: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for fact in evidence {
        if let Some(places) = fact.attribute("steps") {
            let places = places.split(' ').filter_map(|at| u64::from_str_radix(at.trim_start_matches("0x"), 16).ok());
            steps.entry(fact.span.offset).or_default().extend(places);
        }
    }
    // The last call of a chain tells of all before it.
    for (call, places) in steps.iter().rev() {
        let Some(mut own) = calls.remove(call) else { continue };
        let Some(leader) = own.first_mut() else { continue };
        for place in places.iter().filter(|place| *place != call) {
            let Some(step) = calls.remove(place) else { continue };
            let (weaker, worse): (Vec<Finding>, Vec<Finding>) =
                step.into_iter().partition(|finding| finding.severity <= leader.severity);
            weaker.into_iter().for_each(|finding| leader.absorb(finding));
            if !worse.is_empty() {
                calls.insert(*place, worse);
            }
        }
        calls.insert(*call, own);
    }
    into_calls_of_the_same_name(&mut calls);
    kept.extend(calls.into_values().flatten());
    kept
}

/// An import is told by what is done with it: a finding on the name alone goes
/// into the first on a use of it.
fn into_calls_of_the_same_name(calls: &mut BTreeMap<u64, Vec<Finding>>) {
    let is_import = |finding: &Finding| finding.evidence.kind == Kind::PickleImport.name();
    let (imports, mut uses): (Vec<Finding>, Vec<Finding>) =
        std::mem::take(calls).into_values().flatten().partition(is_import);
    // The worst use of each name, the first of them when they are alike.
    let mut worst: BTreeMap<String, usize> = BTreeMap::new();
    for (index, usage) in uses.iter().enumerate() {
        let known = worst.entry(usage.evidence.value.clone()).or_insert(index);
        if uses.get(*known).is_some_and(|known| known.severity < usage.severity) {
            *known = index;
        }
    }
    let mut alone = Vec::new();
    for import in imports {
        let usage = worst.get(&import.evidence.value).and_then(|index| uses.get_mut(*index));
        match usage.filter(|usage| usage.severity >= import.severity) {
            Some(usage) => usage.absorb(import),
            None => alone.push(import),
        }
    }
    for finding in uses.into_iter().chain(alone) {
        calls.entry(finding.location.offset).or_default().push(finding);
    }
}

/// How telling a finding is among those of one call; nothing when it is about
/// something else.
fn rank(finding: &Finding) -> Option<usize> {
    OF_A_CALL.iter().position(|kind| kind.name() == finding.evidence.kind)
}

/// The findings of one opcode: one, or one for each call that it leads to.
fn of_one_place(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by(|a, b| (Reverse(a.severity), rank(a), &a.rule).cmp(&(Reverse(b.severity), rank(b), &b.rule)));
    let attribute = |finding: &Finding, name: &str| finding.evidence.attributes.get(name).cloned();
    // `map(exec, [a, b])` calls twice; each call has the callable that matters.
    let is_inner = |finding: &Finding| attribute(finding, "opcode").as_deref() == Some("folded");
    let worst = findings.first().map(|finding| finding.severity);
    let inner = findings.iter().any(|finding| Some(finding.severity) == worst && is_inner(finding));
    let mut leaders: Vec<Finding> = Vec::new();
    let mut told: BTreeSet<Option<String>> = BTreeSet::new();
    let mut rest = Vec::new();
    for finding in findings {
        let leads = if inner {
            Some(finding.severity) == worst && is_inner(&finding) && told.insert(attribute(&finding, "call"))
        } else {
            leaders.is_empty()
        };
        if leads { leaders.push(finding) } else { rest.push(finding) }
    }
    if let Some(leader) = leaders.first_mut() {
        rest.into_iter().for_each(|finding| leader.absorb(finding));
    }
    leaders
}
