//! The JSON report fits its schema, and the committed schema is current.

use weighin::Scanner;

use crate::check::{corpus, root, rules};

#[test]
fn the_schema_is_current() {
    let schema = weighin::report::schema().expect("a schema is JSON");
    let path = root().join("report.schema.json");
    if std::env::var_os("WEIGHIN_UPDATE").is_some() {
        std::fs::write(&path, &schema).expect("writable");
    }
    let kept = std::fs::read_to_string(&path).expect("report.schema.json is there");
    assert!(kept == schema, "report.schema.json is not current; run WEIGHIN_UPDATE=1 cargo test");
}

#[test]
fn a_report_fits_the_schema() {
    let report = Scanner::new(rules()).scan(&[corpus().join("pickle"), corpus().join("zip")], &());
    let report: serde_json::Value =
        serde_json::from_str(&weighin::report::json(&report).expect("a report is JSON")).expect("it parses");
    let schema: serde_json::Value =
        serde_json::from_str(&weighin::report::schema().expect("a schema is JSON")).expect("it parses");
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    let errors: Vec<String> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    assert!(report["files"].as_array().is_some_and(|files| files.len() > 100), "the report is not empty");
}
