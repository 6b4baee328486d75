//! Everything that is text: code, templates, configurations, notebooks.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weighin_fuzz::scan_as;

const NAMES: &[&str] = &[
    "m.py", "m.json", "tokenizer_config.json", "chat_template.jinja", "m.yaml", "m.toml", "m.xml", "m.pmml", "m.ipynb",
    "requirements.txt", "m.sh", "README.md", "m.html", "m.svg", "setup.py", "m.ts",
];

fuzz_target!(|data: &[u8]| scan_as(NAMES, data));
