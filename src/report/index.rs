//! The generated index of all rules, kept as `rules/INDEX.md`.

use std::fmt::Write as _;

use crate::formats;
use crate::rules::{CLASSES, RuleSet};

/// Every rule with its severity, and the classes of the name policy; a test
/// keeps the committed copy current.
pub fn index(rules: &RuleSet) -> String {
    let mut out = String::from(
        "# Rules\n\nGenerated from the declarations below this folder. `weighin rules explain ID` shows a rule's page.\n\n",
    );
    out.push_str("| id | severity | confidence | what it finds | formats |\n| --- | --- | --- | --- | --- |\n");
    for rule in rules.rules() {
        let formats = if rule.formats.is_empty() { "all".to_owned() } else { rule.formats.join(", ") };
        let strict = if rule.strict { " (only under `--strict`)" } else { "" };
        let (severity, confidence) = (rule.severity.name(), rule.confidence.name());
        let _ = writeln!(out, "| {} | {severity} | {confidence} | {}{strict} | {formats} |", rule.id, rule.title);
    }
    out.push_str("\n## Classes of Python names\n\nA rule's `policy` names these, or one of the sets in `sets/`.\n\n");
    out.push_str("| class | means |\n| --- | --- |\n");
    for (class, means) in CLASSES {
        let _ = writeln!(out, "| {class} | {means} |");
    }
    out
}

/// Every format: what is read of it, and what is left out. Kept as
/// `src/formats/FORMATS.md`; a test keeps the committed copy current.
pub fn format_table() -> String {
    let mut out = String::from(
        "# Formats\n\nGenerated from the formats themselves.\n\n| format | what it is | read | left out |\n| --- | --- | --- | --- |\n",
    );
    for format in formats::ALL {
        let about = format.about();
        let _ = writeln!(out, "| {} | {} | {} | {} |", format.name(), about.title, about.reads, about.leaves_out);
    }
    out
}
