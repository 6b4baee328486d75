//! Every string of a report, one after another, is what an attacker would put
//! there, and goes through every renderer.

use serde_json::Value;
use weighin::report::{self, Report, Style};
use weighin::{RuleSet, Scanner};

/// Moves the cursor, begins a heading, an element and an attribute.
const HOSTILE: &str = "\u{1b}[2J\u{202e}\n# injected\n<injected>\"'` | [x](javascript:x)";

fn base(rules: &RuleSet) -> Value {
    let scanner = Scanner::new(rules);
    let files: [(&str, &[u8]); 4] = [
        ("dir/model.pkl", b"cos\nsystem\n(S'echo hi'\ntR."),
        ("model.bin", b"\x80\x04\x95unfinished"),
        ("m.py", b"import os\nos.system('echo')\n"),
        ("config.json", b"{\"auto_map\": {\"AutoModel\": \"m.Model\"}}"),
    ];
    let files = files.iter().map(|(name, bytes)| scanner.scan_bytes(name, bytes)).collect();
    let text = report::json(&Report::new(rules, files)).expect("written");
    serde_json::from_str(&text).expect("JSON")
}

/// The places of all strings below `value`.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at.to_owned()),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| places(item, &format!("{at}/{n}"), found));
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(field, &format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}

/// The lines that are no verbatim text.
fn outside_fences(markdown: &str) -> impl Iterator<Item = &str> {
    let mut fence = None;
    markdown.lines().filter(move |line| {
        let marks = line.strip_suffix("text").unwrap_or(line);
        let is_fence = marks.len() >= 3 && marks.bytes().all(|byte| byte == b'`');
        match fence {
            None if is_fence => fence = Some(marks),
            Some(open) if open == *line => fence = None,
            None => return true,
            Some(_) => {}
        }
        false
    })
}

#[test]
fn no_string_of_a_report_reaches_a_terminal_a_page_or_a_table_as_it_is() {
    let rules = RuleSet::embedded().expect("the rules load");
    let base = base(&rules);
    let mut all = Vec::new();
    places(&base["files"], "/files", &mut all);
    let mut tried = 0;
    let mut bad = Vec::new();
    for place in all {
        let mut value = base.clone();
        *value.pointer_mut(&place).expect("it is there") = HOSTILE.into();
        // Where a word has to be one of a few, the report is refused.
        let Ok(report) = Report::from_json(&value.to_string()) else { continue };
        tried += 1;
        for width in [60, 200] {
            let text = report::text(&report, Style { verbose: true, width, ..Style::default() });
            if text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}') {
                bad.push(format!("{place} in text of {width} columns"));
            }
        }
        let html = report::html(&report, &rules);
        if html.contains("<injected>") || html.contains('\u{1b}') {
            bad.push(format!("{place} in HTML"));
        }
        let markdown = report::markdown(&report);
        if outside_fences(&markdown).any(|line| line.starts_with("# injected") || line.contains("<injected>")) {
            bad.push(format!("{place} in Markdown"));
        }
        let junit = report::junit(&report).expect("written");
        if junit.contains("<injected>") || junit.contains('\u{1b}') {
            bad.push(format!("{place} in JUnit"));
        }
    }
    assert!(bad.is_empty(), "as they are: {bad:#?}");
    assert!(tried > 50, "only {tried} strings were tried");
}
