//! One rule's page, from its declaration.

use std::fmt::Write as _;

use crate::rules::Rule;

/// What `weighin rules explain ID` shows: Markdown that reads well as text.
pub fn explain(rule: &Rule) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "# {}: {}\n", rule.id, rule.title);
    let strict = if rule.strict { ", only under --strict" } else { "" };
    let _ = writeln!(out, "Severity {}, confidence {}{strict}.\n", rule.severity.name(), rule.confidence.name());
    let _ = writeln!(out, "{}\n", rule.why.trim());
    let _ = writeln!(out, "## What to do\n\n{}\n", rule.remediation);
    let _ = writeln!(out, "## Reference\n");
    let mut row = |name: &str, values: &[String]| {
        if !values.is_empty() {
            let _ = writeln!(out, "- {name}: {}", values.join(", "));
        }
    };
    row("Formats", &rule.formats);
    row("SP 800-218A tasks", &rule.ssdf);
    row("CWE", &rule.cwe);
    row("CVE", &rule.cve);
    row("MITRE ATLAS", &rule.atlas);
    row("Fires on", &rule.examples.fires);
    row("Stays silent on", &rule.examples.quiet);
    if !rule.references.is_empty() {
        let _ = writeln!(out, "- Sources:");
        for reference in &rule.references {
            let _ = writeln!(out, "  - <{reference}>");
        }
    }
    out
}
