//! What the fuzz targets share: one scanner with tight limits, and the check
//! that no reader failed inside.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use weighin::artifact::{Artifact, GapReason};
use weighin::input::Input;
use weighin::{Limits, RuleSet, Scanner};

#[path = "../../tests/it/assembler.rs"]
pub mod assembler;

/// Small enough that whatever takes long has escaped its bounds.
pub fn limits() -> Limits {
    let mut limits = Limits::default();
    for (name, value) in
        [("inflated-bytes", 4 << 20), ("inflate-floor", 1 << 20), ("work", 1 << 22), ("artifacts", 500), ("nodes", 20_000)]
    {
        limits.set(name, value).expect("the limit exists");
    }
    limits
}

static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::embedded().expect("the embedded rules load"));
static SCANNER: LazyLock<Scanner<'static>> =
    LazyLock::new(|| Scanner::new(&RULES).with_limits(limits()).keeping_evidence());

/// Scans `bytes` as a file called `name`. Fails when a reader failed, or took
/// longer than the limits can explain.
pub fn scan(name: &str, bytes: &[u8]) {
    let began = Instant::now();
    let artifact = SCANNER.examine(name, Input::from(bytes));
    assert!(began.elapsed() < Duration::from_secs(20), "{name} took {:?}", began.elapsed());
    if let Some(detail) = panic_in(&artifact) {
        panic!("{detail}");
    }
}

fn panic_in(artifact: &Artifact) -> Option<&str> {
    let own = artifact.gaps.iter().find(|gap| gap.reason == GapReason::Panic).map(|gap| gap.detail.as_str());
    own.or_else(|| artifact.members.iter().find_map(panic_in))
}

/// Scans `data` under one of `names`, which its first byte chooses.
pub fn scan_as(names: &[&str], data: &[u8]) {
    if let Some((first, rest)) = data.split_first() {
        scan(names[usize::from(*first) % names.len()], rest);
    }
}
