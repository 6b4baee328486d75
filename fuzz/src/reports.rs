//! Hostile strings in every place of a report, through every renderer.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;
use weighin::input::Input;
use weighin::report::{self, Predicate, Report, SarifOptions, Style};
use weighin::{Limits, Scanner};

use crate::scan::RULES;

/// A report with findings, gaps, members and evidence.
static BASE: LazyLock<Value> = LazyLock::new(|| {
    let scanner = Scanner::new(&RULES).with_threads(1);
    let files: [(&str, &[u8]); 4] = [
        ("dir/model.pkl", b"cos\nsystem\n(S'echo hi'\ntR."),
        ("model.bin", b"\x80\x04\x95unfinished"),
        ("m.py", b"import os\nos.system('echo')\n"),
        ("config.json", b"{\"auto_map\": {\"AutoModel\": \"m.Model\"}}"),
    ];
    let files = files.iter().map(|(name, bytes)| scanner.scan_bytes(name, bytes)).collect();
    let text = report::json(&Report::new(&RULES, files)).expect("written");
    serde_json::from_str(&text).expect("JSON")
});

/// The input's lines take the places of a report's strings.
pub fn rendered(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (chosen, lines) = text.split_once('\n').unwrap_or(("", &text));
    let lines: Vec<&str> = lines.split('\n').collect();
    let mut value = BASE.clone();
    let mut choices = chosen.bytes().cycle();
    let mut lines = lines.iter().cycle();
    replace(&mut value["files"], &mut |string| {
        if choices.next().is_none_or(|choice| choice % 2 == 0) {
            lines.next().map(|line| (*line).to_owned()).unwrap_or_default().clone_into(string);
        }
    });
    // Where a string has to be one of a few, the report is refused.
    let Ok(report) = Report::from_json(&value.to_string()) else { return };
    render(&report);
}

fn render(report: &Report) {
    for width in [60, 200] {
        let text = report::text(report, Style { verbose: true, width, ..Style::default() });
        let bad = text.chars().find(|c| c.is_control() && *c != '\n');
        assert!(bad.is_none(), "the terminal would obey {bad:?}");
    }
    let options = SarifOptions { place: &str::to_owned, category: None };
    let json = [
        report::json(report),
        report::sarif(report, &RULES, &options),
        report::cyclonedx(report, &BTreeMap::new()),
        report::in_toto(report, Predicate::Vulns, 0),
        report::in_toto(report, Predicate::SimpleVerificationResult, 0),
    ];
    for text in json {
        serde_json::from_str::<Value>(&text.expect("written")).expect("JSON");
    }
    let jsonl = report::jsonl(report).expect("written");
    assert!(jsonl.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "a line is no JSON");
    report::junit(report).expect("written");
    report::markdown(report);
    let html = report::html(report, &RULES);
    assert_eq!(html.matches("<script").count(), report::html(&plain(), &RULES).matches("<script").count());
}

fn plain() -> Report {
    Report::from_json(&BASE.to_string()).expect("it was written by the same program")
}

/// Every string below `value`, in order.
fn replace(value: &mut Value, with: &mut dyn FnMut(&mut String)) {
    match value {
        Value::String(string) => with(string),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, with)),
        Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, with)),
        _ => {}
    }
}

/// Any bytes, described.
pub fn inspected(data: &[u8]) {
    let scanner = Scanner::new(&RULES).with_limits(crate::scan::limits()).with_threads(1).describing();
    let artifact = scanner.examine("model", Input::from(data));
    let limits = Limits::default();
    let _ = (report::inspect(&artifact, &limits), report::inspect_imports(&artifact, false));
    serde_json::from_str::<Value>(&report::inspect_json(&artifact).expect("written")).expect("JSON");
}
