//! All fuzz targets in one program: `WEIGHIN_FUZZ` names the one that runs, and
//! without it their names are printed. `fuzz/run.sh` builds and runs them.
//!
//! Every format has a target of its own by being registered. Seeds are the
//! samples themselves, so no target spends bytes of its input on anything that
//! a sample lacks.

#![no_main]

mod archive;
mod documents;
mod reports;
mod scan;

#[path = "../../tests/it/assembler.rs"]
mod assembler;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use weighin::formats;

type Run = fn(&[u8]);

/// What is not one format: name, and what runs.
const TARGETS: &[(&str, Run)] = &[
    ("any", scan::any),
    ("pickle-decoder", scan::decoder),
    ("pickle-machine", scan::machine),
    ("zip-assembled", archive::assembled),
    ("rules", documents::rules),
    ("yara", documents::yara),
    ("policy", documents::policy),
    ("baseline", documents::baseline),
    ("digests", documents::digests),
    ("reports", reports::rendered),
    ("inspect", reports::inspected),
];

enum Target {
    Listed(Run),
    Format(&'static dyn formats::Format),
}

static TARGET: LazyLock<Option<Target>> = LazyLock::new(|| {
    let wanted = std::env::var("WEIGHIN_FUZZ").ok()?;
    let listed = TARGETS.iter().find(|(name, _)| *name == wanted).map(|(_, run)| Target::Listed(*run));
    let format = || formats::ALL.iter().find(|format| wanted == of_format(**format));
    listed.or_else(|| format().map(|format| Target::Format(*format)))
});

fn of_format(format: &dyn formats::Format) -> String {
    format!("read-{}", format.name())
}

/// Prints the names of all targets when none of them was asked for.
fn choose() {
    if TARGET.is_none() {
        TARGETS.iter().for_each(|(name, _)| println!("{name}"));
        formats::ALL.iter().for_each(|format| println!("{}", of_format(*format)));
        std::process::exit(i32::from(std::env::var_os("WEIGHIN_FUZZ").is_some()));
    }
}

fuzz_target!(init: choose(), |data: &[u8]| match &*TARGET {
    Some(Target::Listed(run)) => run(data),
    Some(Target::Format(format)) => scan::format(*format, data),
    None => {}
});
