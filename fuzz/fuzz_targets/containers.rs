//! Archives, compressed files and what is found inside them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weighin_fuzz::scan_as;

const NAMES: &[&str] = &[
    "a.zip", "a.npz", "a.pt", "a.tar", "a.tar.gz", "a.7z", "a.gz", "a.bz2", "a.xz", "a.lzma", "a.zst", "a.lz4", "a.z",
    "a.joblib", "a.keras", "a.nemo", "a.mar", "a.rar",
];

fuzz_target!(|data: &[u8]| scan_as(NAMES, data));
