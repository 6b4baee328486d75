//! A directory of rules with one file, declaration or YARA.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weighin::RuleSet;

fuzz_target!(|data: &[u8]| {
    let Some((first, text)) = data.split_first() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let name = if first % 4 == 0 { "rule.yar" } else { "rule.toml" };
    std::fs::write(dir.path().join(name), text).expect("written");
    let loaded = RuleSet::embedded().expect("the embedded rules load").with_directory(dir.path(), &weighin_fuzz::limits());
    if let Err(error) = loaded {
        let _ = error.to_string();
    }
});
