//! Hostile names reach every format, and none of them means anything there.

use serde_json::Value;
use weighin::artifact::{Gap, GapReason};
use weighin::report::{self, Excerpt, FileReport, Line, Marked, ModelCard, Predicate, Report, SarifOptions, View};
use weighin::{RuleSet, Scanner};

use crate::check::rules;

const NASTY: &[&str] = &[
    "<script>alert(1)</script>",
    "</code></td></tr></table><img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "' onload='alert(1)",
    "</title></style></script><svg onload=alert(1)>",
    "]]>",
    "<!-- --><![CDATA[",
    "&lt;b&gt;&#x3c;",
    "{{script}}{{style}}",
    "| a | b |\n| --- | --- |",
    "`code` **bold** ~~gone~~ $x$",
    "[click](javascript:alert(1)) ![i](https://h.invalid/i.png)",
    "@everyone #1 :smile: www.h.invalid https://h.invalid",
    "javascript:alert(1)",
    "file:///etc/passwd?a#b",
    "../../../etc/passwd",
    "//h.invalid/share",
    "%2e%2e%2f%00",
    "\u{202e}gnp.lkp",
    "zero\u{200b}width\u{feff}\u{2066}",
    "\u{1b}[31mred\u{1b}]0;title\u{7}",
    "line\nbreak\r\nand\ttab",
    "\u{0}nul\u{7f}\u{85}\u{9b}31m",
    "\u{fffe}\u{ffff}\u{2028}\u{2029}",
    "a\\b\\",
    "",
    " ",
];

/// A name of the same length that means nothing anywhere.
fn plain(name: &str) -> String {
    "x".repeat(name.chars().count())
}

/// A pickle that calls `os.system` with `text`.
fn pickle(text: &str) -> Vec<u8> {
    let mut bytes = b"\x80\x02cos\nsystem\nX".to_vec();
    bytes.extend(u32::try_from(text.len()).expect("short").to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend(b"\x85R.");
    bytes
}

/// Lines that are all `name`.
fn excerpt(name: &str) -> Excerpt {
    let end = name.chars().count();
    let line = |at, marked| Line { at, text: name.to_owned(), marked };
    let marked = Some(Marked { from: end / 3, to: end / 2 });
    Excerpt { view: View::Source, lines: vec![line(9, None), line(10, marked), line(10, None)] }
}

/// A file whose path, argument, member, attribute, excerpt, gap and
/// unrecognised rule are all `name`.
fn file(at: usize, name: &str, scanner: &Scanner<'_>) -> FileReport {
    // A number in front keeps the order of files.
    let mut file = scanner.scan_bytes(&format!("{at:03}/{name}"), &pickle(name));
    assert!(!file.findings.is_empty(), "{name:?} is not found");
    for finding in &mut file.findings {
        // What a text reads like is of the text, and so not the same for both.
        finding.evidence.attributes.remove("given");
        finding.location.members.push(name.to_owned());
        finding.evidence.attributes.insert(format!("x{name}"), name.to_owned());
        finding.evidence.value.push_str(name);
        finding.excerpt = Some(excerpt(name));
    }
    let mut gap = Gap::new(GapReason::Malformed, name);
    gap.members.push(name.to_owned());
    file.gaps = vec![gap];
    file
}

fn reports() -> (Report, Report) {
    let scanner = Scanner::new(rules());
    let of = |rename: fn(&str) -> String| {
        let files = NASTY.iter().enumerate().map(|(at, name)| file(at, &rename(name), &scanner)).collect();
        Report::new(rules(), files)
    };
    (of(str::to_owned), of(plain))
}

fn assert_no_controls(what: &str, text: &str) {
    let bad = text.chars().find(|c| {
        (c.is_control() && *c != '\n')
            || matches!(
                c,
                '\u{200b}' | '\u{202e}' | '\u{2066}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
            )
    });
    assert_eq!(bad, None, "{what} has a character that hides or is obeyed");
}

/// Tags and their attributes' names, in order, as a browser would see them.
fn skeleton(html: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some((_, from)) = rest.split_once('<') {
        rest = from;
        if !from.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c)) {
            continue;
        }
        let mut tag = String::new();
        let mut quote = None;
        let mut end = from.len();
        for (at, c) in from.char_indices() {
            match quote {
                Some(open) if open == c => quote = None,
                Some(_) => {}
                None if c == '>' => {
                    end = at;
                    break;
                }
                None if c == '"' || c == '\'' => quote = Some(c),
                None => tag.push(c),
            }
        }
        rest = from.get(end..).unwrap_or_default();
        if tag == "script" || tag == "style" {
            let close = format!("</{tag}>");
            rest = rest.split_once(&close).map_or("", |(_, after)| after);
        }
        tags.push(tag);
    }
    tags
}

#[test]
fn html_has_the_same_elements_whatever_the_names() {
    let (nasty, plain) = reports();
    let (nasty, plain) = (report::html(&nasty, rules()), report::html(&plain, rules()));
    assert_no_controls("HTML", &nasty);
    let (nasty, plain) = (skeleton(&nasty), skeleton(&plain));
    assert!(plain.len() > 500, "the page has elements");
    for (one, other) in nasty.iter().zip(&plain) {
        assert_eq!(one, other);
    }
    assert_eq!(nasty.len(), plain.len());
    assert!(nasty.iter().all(|tag| !tag.contains(" on")), "an event handler");
}

#[test]
fn xml_is_well_formed_and_has_the_same_elements() {
    use quick_xml::events::Event;
    let shape = |text: &str| {
        let mut reader = quick_xml::Reader::from_str(text);
        let mut shape = Vec::new();
        let mut depth = 0_i32;
        loop {
            let event = reader.read_event().expect("well formed");
            if let Event::Start(tag) | Event::Empty(tag) = &event {
                let attributes = tag.attributes().map(|one| one.expect("an attribute").key.as_ref().to_owned());
                shape.push((tag.name().as_ref().to_owned(), attributes.collect::<Vec<_>>()));
            }
            match event {
                Event::Start(_) => depth += 1,
                Event::End(_) => depth -= 1,
                Event::CData(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => panic!("{event:?}"),
                Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!(depth, 0, "every element ends");
        shape
    };
    let (nasty, plain) = reports();
    let text = report::junit(&nasty).expect("written");
    assert_no_controls("JUnit", &text);
    assert_eq!(shape(&text), shape(&report::junit(&plain).expect("written")));
}

/// The lines outside of fenced code, where nothing means anything.
fn outside_fences(markdown: &str) -> String {
    let mut open: Option<usize> = None;
    let mut outside = String::new();
    for line in markdown.lines() {
        // Up to three spaces may stand before a fence.
        let from = line.trim_start_matches(' ');
        let ticks = from.len() - from.trim_start_matches('`').len();
        let is_fence = ticks >= 3 && line.len() - from.len() <= 3;
        match open {
            None if is_fence => open = Some(ticks),
            None => outside.extend([line, "\n"]),
            Some(length) if is_fence && ticks >= length && from.trim_matches('`').trim().is_empty() => open = None,
            Some(_) => {}
        }
    }
    assert_eq!(open, None, "every fence ends");
    outside
}

#[test]
fn markdown_has_the_same_cells_and_no_links() {
    let (nasty, plain) = reports();
    let (nasty, plain) = (report::markdown(&nasty), report::markdown(&plain));
    assert_no_controls("Markdown", &nasty);
    assert_eq!(nasty.lines().count(), plain.lines().count());
    let (nasty, plain) = (outside_fences(&nasty), outside_fences(&plain));
    // What keeps a sign from becoming a mention.
    assert!(!nasty.contains("@everyone"));
    let (nasty, plain) = (nasty.replace("@<!-- -->", ""), plain.replace("@<!-- -->", ""));
    for mark in ["|", "<", ">", "[", "](", "`", "*", "~", "$", "://", "www.", "@", "\\"] {
        for (one, other) in nasty.lines().zip(plain.lines()) {
            assert_eq!(one.matches(mark).count(), other.matches(mark).count(), "{mark} in {one}");
        }
    }
}

#[test]
fn sarif_addresses_are_addresses_below_the_root() {
    let (nasty, _) = reports();
    let place = |path: &str| path.to_owned();
    let text = report::sarif(&nasty, rules(), &SarifOptions { place: &place, category: None }).expect("JSON");
    assert_no_controls("SARIF", &text);
    let log: Value = serde_json::from_str(&text).expect("it parses");
    let artifacts = log["runs"][0]["artifacts"].as_array().expect("artifacts");
    assert_eq!(artifacts.len(), NASTY.len());
    for (artifact, file) in artifacts.iter().zip(&nasty.files) {
        let uri = artifact["location"]["uri"].as_str().expect("an address");
        assert!(
            uri.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte)),
            "{uri} has more than a path"
        );
        assert!(nasty.files.iter().any(|file| decoded(uri) == file.path.as_bytes()), "{uri} is not {}", file.path);
    }
    for result in log["runs"][0]["results"].as_array().expect("results") {
        let text = result["message"]["text"].as_str().expect("a message");
        assert_no_controls("a SARIF message", text);
        assert!(!text.contains("]("), "{text} has a link");
    }
}

fn decoded(uri: &str) -> Vec<u8> {
    let bytes = uri.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            out.push(u8::from_str_radix(&uri[at + 1..at + 3], 16).expect("two digits"));
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}

#[test]
fn text_obeys_nothing() {
    let (nasty, _) = reports();
    let style = report::Style { verbose: true, ..report::Style::default() };
    assert_no_controls("text", &report::text(&nasty, style));
}

/// What is JSON keeps names as they are, where they are data, and shows
/// them sanitised where they are for reading.
#[test]
fn json_survives() {
    let (nasty, _) = reports();
    let card = ModelCard {
        licence: Some(NASTY.concat()),
        tags: NASTY.iter().map(|tag| (*tag).to_owned()).collect(),
        ..ModelCard::default()
    };
    let cards = [(format!("000/{}/README.md", ""), card)].into_iter().collect();
    let texts = [
        report::json(&nasty).expect("JSON"),
        report::cyclonedx(&nasty, &cards).expect("JSON"),
        report::in_toto(&nasty, Predicate::Vulns, 0).expect("JSON"),
    ];
    for text in &texts {
        assert!(serde_json::from_str::<Value>(text).is_ok());
    }
    assert_no_controls("CycloneDX", &texts[1]);
    let lines = report::jsonl(&nasty).expect("lines");
    assert_eq!(lines.lines().count(), NASTY.len());
    let first: Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("it parses");
    assert_eq!(first["path"], format!("000/{}", NASTY[0]));
}

#[test]
fn rules_from_elsewhere_are_hostile_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let rule =
        "rule bad { meta: description = \"<b>x</b> | y\" score = 95 strings: $a = \"house-marker\" condition: $a }";
    std::fs::write(dir.path().join("bad.yar"), rule).expect("written");
    let rules = RuleSet::embedded()
        .and_then(|rules| rules.with_directory(dir.path(), &weighin::Limits::default()))
        .expect("the rule is one");
    let report = Report::new(&rules, vec![Scanner::new(&rules).scan_bytes("m.pkl", b"\x80\x04\x8c\x0chouse-marker.")]);
    assert!(report.files[0].findings.iter().any(|finding| finding.rule == "bad"));
    assert!(!report::html(&report, &rules).contains("<b>x"));
    assert!(!report::markdown(&report).contains("<b>"));
    assert!(!report::junit(&report).expect("written").contains("<b>"));
}
