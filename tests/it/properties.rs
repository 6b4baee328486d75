//! Properties of the pickle reader over drawn pickles: what is generated is
//! what is seen, a cut stream tells no less than what came before the cut, and
//! nothing makes it panic.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use weighin::artifact::{Artifact, GapReason};
use weighin::evidence::Kind;
use weighin::formats::pickle::disassemble;
use weighin::input::Input;
use weighin::{Limits, Scanner};

use crate::assembler::{Assembled, assemble};
use crate::check::rules;

fn examine(bytes: &[u8]) -> Artifact {
    Scanner::new(rules()).keeping_evidence().examine("model.pkl", Input::from(bytes))
}

fn choices() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..300)
}

fn pickles() -> impl Strategy<Value = Assembled> {
    (choices(), any::<bool>()).prop_map(|(choices, header)| assemble(&choices, header))
}

/// Values of one kind of evidence.
fn values(artifact: &Artifact, kind: Kind) -> BTreeSet<String> {
    artifact.evidence.iter().filter(|fact| fact.kind == kind).map(|fact| fact.value.clone()).collect()
}

fn calls(artifact: &Artifact) -> BTreeSet<(String, String)> {
    let calls = artifact.evidence.iter().filter(|fact| fact.kind == Kind::PickleCall);
    calls.map(|fact| (fact.value.clone(), fact.attribute("opcode").unwrap_or_default().to_owned())).collect()
}

fn panicked(artifact: &Artifact) -> bool {
    artifact.gaps.iter().any(|gap| gap.reason == GapReason::Panic) || artifact.members.iter().any(panicked)
}

/// Facts about pickles as (kind, value, first byte, end). A cut makes a frame
/// reach beyond the end, which is a fact about the cut.
fn facts(artifact: &Artifact) -> BTreeSet<(&'static str, String, u64, u64)> {
    let own = artifact.evidence.iter().filter(|fact| fact.kind.name().starts_with("pickle."));
    let facts = own.map(|fact| {
        let end = fact.span.offset.saturating_add(fact.span.length);
        (fact.kind.name(), fact.value.clone(), fact.span.offset, end)
    });
    facts.filter(|fact| fact.1 != "frame-beyond-end").collect()
}

proptest! {
    #[test]
    fn a_valid_pickle_is_read_to_its_end(pickle in pickles()) {
        let artifact = examine(&pickle.bytes);
        prop_assert!(artifact.gaps.is_empty(), "{:?}", artifact.gaps);
        prop_assert!(artifact.formats.contains(&"pickle"), "{:?}", artifact.formats);
    }

    #[test]
    fn imports_and_calls_are_those_generated(pickle in pickles()) {
        let artifact = examine(&pickle.bytes);
        prop_assert_eq!(values(&artifact, Kind::PickleImport), pickle.imports);
        let wanted = pickle.calls.into_iter().map(|(name, opcode)| (name, opcode.to_owned()));
        prop_assert_eq!(calls(&artifact), wanted.collect());
    }

    #[test]
    fn the_listing_has_every_opcode_where_it_stands(pickle in pickles()) {
        let listing = disassemble(&Input::from(&pickle.bytes[..]), &Limits::default(), true);
        let rows: Vec<serde_json::Value> =
            listing.lines().map(|line| serde_json::from_str(line).expect("a row is JSON")).collect();
        prop_assert_eq!(rows.len(), pickle.opcodes.len());
        for (row, (offset, _)) in rows.iter().zip(&pickle.opcodes) {
            prop_assert_eq!(row["offset"].as_u64(), Some(*offset as u64));
            prop_assert!(row["opcode"].is_string(), "{}", row);
        }
    }

    #[test]
    fn a_cut_pickle_tells_what_came_before_the_cut(choices in choices(), at in any::<proptest::sample::Index>()) {
        let pickle = assemble(&choices, true);
        let cut = 3 + at.index(pickle.bytes.len() - 2);
        let whole = facts(&examine(&pickle.bytes));
        let part = examine(&pickle.bytes[..cut]);
        let told = facts(&part);
        let more: Vec<_> = told.difference(&whole).collect();
        prop_assert!(more.is_empty(), "cut at {}, only in the part: {:?}", cut, more);
        // Facts of no extent are about an opcode whose end is not known here.
        let before = whole.iter().filter(|fact| fact.2 < fact.3 && fact.3 <= cut as u64);
        let lost: Vec<_> = before.filter(|fact| !told.contains(*fact)).collect();
        prop_assert!(lost.is_empty(), "cut at {}, lost: {:?}", cut, lost);
        prop_assert!(cut == pickle.bytes.len() || !part.gaps.is_empty(), "a cut stream has no gap");
    }

    #[test]
    fn a_changed_pickle_does_not_panic(pickle in pickles(), changes in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = pickle.bytes;
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let artifact = examine(&bytes);
        prop_assert!(!panicked(&artifact), "{:?}", artifact.gaps);
    }

    #[test]
    fn random_bytes_do_not_panic(bytes in vec(any::<u8>(), 0..400)) {
        let artifact = examine(&[b"\x80\x04", &bytes[..]].concat());
        prop_assert!(!panicked(&artifact), "{:?}", artifact.gaps);
        disassemble(&Input::from(&bytes[..]), &Limits::default(), false);
    }
}

/// Else the properties above would say less than they seem to.
#[test]
fn the_drawn_pickles_use_every_opcode() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..2000 {
        let pickle = pickles().new_tree(&mut runner).expect("drawn").current();
        seen.extend(pickle.opcodes.iter().map(|(_, code)| *code));
    }
    let every: BTreeSet<u8> =
        b"(.012FIJKLMNPQRSTUVXabcd}eghijl]opqrst)uGBC".iter().copied().chain(0x80..=0x98).collect();
    let missing: Vec<char> = every.difference(&seen).map(|code| char::from(*code)).collect();
    assert!(missing.is_empty(), "never drawn: {missing:?}");
    assert_eq!(every.len(), 68);
}
