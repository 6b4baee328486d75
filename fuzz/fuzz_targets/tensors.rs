//! Files of tensors, and code that comes compiled.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weighin_fuzz::scan_as;

const NAMES: &[&str] =
    &["m.safetensors", "m.gguf", "m.ggml", "m.npy", "m.pyc", "m.rds", "m.rdata", "m.so", "m.class", "m.png", "m.wav"];

fuzz_target!(|data: &[u8]| scan_as(NAMES, data));
