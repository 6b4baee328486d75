//! Policies, triage, digests and the reports that they shape, from the command
//! line.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::check::{corpus, root};
use crate::cli::weighin;

/// A pickle that refers to a class nobody reviewed.
const FOREIGN: &[u8] = b"\x80\x02cmy_company.models\nThing\n)\x81}b.";
/// One that calls a function nobody reviewed.
const CALLS: &[u8] = b"\x80\x02cmy_company.models\nbuild\n)R.";
/// One that runs a command.
pub const EVIL: &[u8] = b"cos\nsystem\n(S'echo weighin'\ntR.";
/// The day 2026-06-15.
const NOW: &str = "1781481600";

/// A project: a policy beside a folder of models.
pub struct Project(TempDir);

impl Project {
    pub fn new(policy: &str) -> Self {
        let project = Self(tempfile::tempdir().expect("a directory"));
        project.write("weighin.toml", policy.as_bytes());
        project.write("models/foreign.pkl", FOREIGN);
        project.write("models/calls.pkl", CALLS);
        project
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        let file = self.path().join(name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        std::fs::write(file, bytes).expect("written");
    }

    pub fn run(&self, args: &[&str]) -> (i32, String, String) {
        self.run_in("", args)
    }

    fn run_in(&self, folder: &str, args: &[&str]) -> (i32, String, String) {
        let mut command = weighin();
        command.current_dir(self.path().join(folder)).env("SOURCE_DATE_EPOCH", NOW);
        let output = command.args(args).output().expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code().expect("it exits"), text(output.stdout), text(output.stderr))
    }

    /// Scans the models; exit code and JSON.
    fn scan(&self, args: &[&str]) -> (i32, Value) {
        let args = [&["scan", "models", "--format", "json"], args].concat();
        let (code, json, error) = self.run(&args);
        (code, serde_json::from_str(&json).unwrap_or_else(|_| panic!("no JSON: {error}")))
    }
}

fn file<'j>(report: &'j Value, end: &str) -> &'j Value {
    let files = report["files"].as_array().expect("files");
    files.iter().find(|file| file["path"].as_str().is_some_and(|path| path.ends_with(end))).expect("it was scanned")
}

fn finding<'j>(file: &'j Value, rule: &str) -> &'j Value {
    let findings = file["findings"].as_array().expect("findings");
    findings.iter().find(|finding| finding["rule"] == rule).unwrap_or_else(|| panic!("{rule} is not in {file}"))
}

#[test]
fn a_policy_moves_severities_and_thresholds() {
    assert_eq!(Project::new("").scan(&[]).0, 1, "an unreviewed function is called");
    let project = Project::new("[severity]\nPKL013 = \"low\"\n");
    let (code, report) = project.scan(&[]);
    assert_eq!(code, 0);
    assert_eq!(finding(file(&report, "calls.pkl"), "PKL013")["severity"], "low");
    assert_eq!(report["policy"]["file"], "weighin.toml");
    assert_ne!(report["ruleset"]["digest"], Project::new("").scan(&[]).1["ruleset"]["digest"]);
    assert_eq!(project.scan(&["--fail-on", "low"]).0, 1);
    assert_eq!(project.scan(&["--no-config"]).0, 1);

    let project = Project::new("fail-on = \"high\"\n");
    assert_eq!(project.scan(&[]).0, 0);
    assert_eq!(project.scan(&["--fail-on", "medium"]).0, 1, "flags win");
    let project = Project::new("strict = true\n");
    assert_eq!(file(&project.scan(&[]).1, "foreign.pkl")["verdict"], "malicious");
    assert_eq!(file(&project.scan(&["--strict=false"]).1, "foreign.pkl")["verdict"], "clean");

    let project = Project::new("allow-incomplete = true\n");
    project.write("models/calls.pkl", FOREIGN);
    project.write("models/cut.pkl", &FOREIGN[..12]);
    assert_eq!(project.scan(&[]).0, 0);
    assert_eq!(project.scan(&["--allow-incomplete=false"]).0, 3);
    assert_eq!(Project::new("[limits]\nwork = 0\n").scan(&["--fail-on", "critical"]).0, 3);
}

#[test]
fn names_are_allowed_but_dangerous_ones_only_in_full() {
    let project = Project::new("allow-imports = [\"my_company.models.*\"]\n");
    let (code, report) = project.scan(&["--strict"]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(file(&report, "calls.pkl")["findings"].as_array().map(Vec::len), Some(0));
    assert_eq!(Project::new("allow-imports = [\"my_company.models.build\"]\n").scan(&[]).0, 0);
    assert_eq!(Project::new("allow-imports = [\"my_company.other.*\"]\n").scan(&[]).0, 1);

    for (allowed, code) in [("os.*", 1), ("posix.*", 1), ("os.system", 0), ("posix.system", 0)] {
        let project = Project::new(&format!("allow-imports = [\"{allowed}\"]\n"));
        project.write("models/calls.pkl", EVIL);
        assert_eq!(project.scan(&[]).0, code, "{allowed}");
    }
}

#[test]
fn operator_domains_are_allowed() {
    let model = std::fs::read_dir(corpus().join("onnx")).expect("samples").filter_map(|entry| {
        let bytes = std::fs::read(entry.expect("readable").path()).expect("readable");
        let report = crate::check::scan("m.onnx", &bytes);
        let found = report.findings.into_iter().find(|finding| finding.rule == "ONX004")?;
        Some((bytes, found.evidence.value))
    });
    let Some((bytes, operator)) = model.into_iter().next() else { panic!("no sample has a custom operator") };
    let domain = operator.split("::").next().expect("a domain");
    for (allowed, fires) in [(domain, false), (operator.as_str(), false), ("org.else", true)] {
        let project = Project::new(&format!("allow-operator-domains = [\"{allowed}\"]\n"));
        project.write("models/m.onnx", &bytes);
        let (_, report) = project.scan(&[]);
        let findings = file(&report, "m.onnx")["findings"].as_array().expect("findings");
        assert_eq!(findings.iter().any(|finding| finding["rule"] == "ONX004"), fires, "{allowed}");
    }
}

#[test]
fn paths_are_left_out_and_counted() {
    let project = Project::new("exclude = [\"models/calls.*\"]\n");
    let (code, report) = project.scan(&[]);
    assert_eq!((code, &report["summary"]["excluded"]), (0, &Value::from(1)));
    assert_eq!(report["summary"]["files"], 1);
    let (code, text, _) = project.run_in("models", &["scan", "../models/calls.pkl"]);
    assert_eq!(code, 3, "nothing is left to scan");
    assert!(text.contains("leaves out 1 file"), "{text}");
}

#[test]
fn a_policy_inside_the_scanned_tree_is_never_obeyed() {
    let project = Project::new("[severity]\nPKL013 = \"low\"\n");
    project.write("models/weighin.toml", b"fail-on = \"critical\"\n");
    project.write("models/pyproject.toml", b"[tool.weighin]\nfail-on = \"critical\"\n");
    // From inside the tree, only the one above it counts.
    let (code, _, error) = project.run_in("models", &["scan", "calls.pkl"]);
    assert_eq!(code, 0, "{error}");
    assert!(error.contains("weighin.toml is not obeyed") && error.contains("pyproject.toml is not obeyed"), "{error}");
    std::fs::remove_file(project.path().join("weighin.toml")).expect("removed");
    for args in [&["scan", "."][..], &["scan", "calls.pkl"], &["scan", "../models", "--quiet"]] {
        let (code, _, error) = project.run_in("models", args);
        assert_eq!(code, 1, "{args:?}");
        assert!(error.contains("is not obeyed"), "{error}");
    }
    // What was asked for and can't be had is an error.
    project.write("models/list", b"");
    project.write("models/house/a.yar", b"rule a { condition: true }");
    for flag in ["--config", "--known-good", "--known-bad", "--baseline"] {
        let (code, _, error) = project.run(&["scan", "models", flag, "models/weighin.toml"]);
        assert_eq!(code, 2, "{flag}");
        assert!(error.contains("inside what is scanned"), "{error}");
    }
    assert_eq!(project.run(&["scan", "models", "--rules", "models/house"]).0, 2);
    assert_eq!(project.run(&["scan", "models/calls.pkl", "--config", "models/weighin.toml"]).0, 0);
}

#[test]
fn pyproject_has_policies_too() {
    let project = Project::new("");
    std::fs::remove_file(project.path().join("weighin.toml")).expect("removed");
    project.write("pyproject.toml", b"[project]\nname = \"x\"\n\n[tool.weighin]\nfail-on = \"high\"\n");
    assert_eq!(project.scan(&[]).0, 0);
    project.write("pyproject.toml", b"[project]\nname = \"x\"\n");
    assert_eq!(project.scan(&[]).0, 1);
    project.write("pyproject.toml", b"[tool.weighin]\nfail-on = \"high\"\nfoo = 1\n");
    let (code, _, error) = project.run(&["scan", "models"]);
    assert_eq!(code, 2);
    assert!(error.contains("pyproject.toml:3:1: unknown field `foo`"), "{error}");
}

#[test]
fn mistakes_in_a_policy_have_a_place() {
    let digits = "0".repeat(63);
    for (policy, wanted) in [
        ("fail-on = \"bad\"", ":1:11: unknown variant `bad`"),
        ("strict = true\nfali-on = \"low\"", ":2:1: unknown field `fali-on`"),
        ("[severity]\nPKL999 = \"low\"", ":2:1: there is no rule PKL999"),
        ("[limits]\nwork = 1\nwrok = 1", ":3:1: there is no limit called `wrok`"),
        ("exclude = [\"ok\", \"a[\"]", ":1:18: "),
        ("allow-imports = [\"*\"]", ":1:18: wanted an exact name"),
        ("[[suppress]]\nrule = \"PKL013\"\npath = \"a\"", ":1:1: missing field `reason`"),
        ("fail-on = \"low", ":1:15: invalid basic string"),
        ("strict = \"yes\"", ":1:10: invalid type"),
        ("strict = true\nstrict = false", ":2:1: duplicate key"),
        ("[limits]\nwork = -1", ":2:8: "),
        ("rules = \"house\"", ":1:9: invalid type"),
        ("allow-imports = [\"a.b\", \"a.*.b\"]", ":1:25: wanted an exact name"),
        ("allow-operator-domains = [\"*\"]", ":1:27: wanted a domain"),
        ("[[suppress]]\nrule = \"PKL013\"\nreason = \"r\"", ":2:8: a suppression needs `path`, `sha256` or both"),
        ("[[suppress]]\nrule = \"XYZ001\"\npath = \"a\"\nreason = \"r\"", ":2:8: there is no rule XYZ001"),
        ("[[suppress]]\nrule = \"PKL013\"\npath = \"a\"\nreason = \" \"", ":4:10: the reason is empty"),
        (
            "[[suppress]]\nrule = \"PKL013\"\npath = \"a\"\nreason = \"r\"\nexpires = \"2026-02-30\"",
            ":5:11: `2026-02-30` is not a day",
        ),
        (
            &format!("[[suppress]]\nrule = \"PKL013\"\nsha256 = \"{digits}\"\nreason = \"r\""),
            ":3:10: wanted 64 hexadecimal digits",
        ),
    ] {
        let (code, _, error) = Project::new(policy).run(&["scan", "models"]);
        assert_eq!(code, 2, "{policy}");
        assert!(error.contains("weighin.toml:") && error.contains(wanted), "{wanted} is not in: {error}");
    }
}

#[test]
fn suppressed_findings_stay_and_do_not_count() {
    let entry = "[[suppress]]\nrule = \"PKL013\"\npath = \"models/*.pkl\"\nreason = \"ticket 12\"\n";
    let unused = "[[suppress]]\nrule = \"PKL002\"\npath = \"models/x.pkl\"\nreason = \"old\"\n";
    let project = Project::new(&format!("{entry}expires = 2026-06-15\n{unused}"));
    let (code, report) = project.scan(&[]);
    assert_eq!(code, 0, "{report}");
    let calls = file(&report, "calls.pkl");
    assert_eq!(calls["verdict"], "clean");
    assert_eq!(finding(calls, "PKL013")["suppressed"]["by"], "policy");
    assert_eq!(finding(calls, "PKL013")["suppressed"]["reason"], "ticket 12");
    assert_eq!(report["summary"]["findings"]["medium"], 0);
    let triage = &report["triage"];
    assert_eq!((&triage["suppressed"], &triage["expired"], &triage["unused"]), (&1.into(), &0.into(), &1.into()));
    assert_eq!(triage["entries"][0]["state"], "used");
    let (_, text, _) = project.run(&["scan", "models"]);
    assert!(text.contains("1 finding suppressed; 0 entries expired, 1 unused"), "{text}");
    assert!(project.run(&["scan", "-v", "models"]).1.contains("suppressed by policy: ticket 12"));

    // The day after, it counts again.
    let project = Project::new(&format!("{entry}expires = \"2026-06-14\"\n"));
    let (code, report) = project.scan(&[]);
    assert_eq!((code, &report["triage"]["expired"]), (1, &Value::from(1)));
    assert!(
        project
            .run(&["scan", "models"])
            .1
            .contains("expired on 2026-06-14: line 2, PKL013 in models/*.pkl (ticket 12)")
    );
    assert!(finding(file(&report, "calls.pkl"), "PKL013").get("suppressed").is_none());

    // Bound to a digest, a changed file is not covered; gaps never are.
    let digest = report["files"][0]["sha256"].as_str().expect("a digest").to_uppercase();
    let project =
        Project::new(&format!("[[suppress]]\nrule = \"PKL013\"\nsha256 = \"{digest}\"\nreason = \"approved\"\n"));
    assert_eq!(project.scan(&[]).0, 0);
    project.write("models/calls.pkl", b"\x80\x03cmy_company.models\nbuild\n)R.");
    assert_eq!(project.scan(&[]).0, 1);
    project.write("models/calls.pkl", &CALLS[..CALLS.len() - 1]);
    assert_ne!(Project::new(entry).scan(&[]).0, 3);
    project.write("weighin.toml", entry.as_bytes());
    assert_eq!(project.scan(&[]).0, 3, "a gap was suppressed");
}

#[test]
fn a_baseline_covers_what_was_there_and_nothing_that_changed() {
    let project = Project::new("");
    assert_eq!(project.scan(&["--write-baseline", "base.json"]).0, 1, "they are findings still");
    let (code, report) = project.scan(&["--baseline", "base.json"]);
    assert_eq!(code, 0);
    assert_eq!(finding(file(&report, "calls.pkl"), "PKL013")["suppressed"]["by"], "baseline");
    assert_eq!(report["triage"]["unused"], 0);
    // It is the same when it is written from a scan that it covers.
    project.scan(&["--baseline", "base.json", "--write-baseline", "again.json"]);
    let read = |name: &str| std::fs::read_to_string(project.path().join(name)).expect("written");
    assert_eq!(read("base.json"), read("again.json"));
    // Moved is the same, changed is not.
    project.write("models/deep/moved.pkl", CALLS);
    assert_eq!(project.scan(&["--baseline", "base.json"]).0, 0);
    project.write("models/calls.pkl", b"\x80\x03cmy_company.models\nbuild\n)R.");
    let (code, report) = project.scan(&["--baseline", "base.json"]);
    assert_eq!(code, 1);
    assert_eq!(file(&report, "calls.pkl")["verdict"], "suspicious");
    assert_eq!(file(&report, "moved.pkl")["verdict"], "clean");
    std::fs::remove_dir_all(project.path().join("models/deep")).expect("removed");
    assert_ne!(project.scan(&["--baseline", "base.json"]).1["triage"]["unused"], 0);
    project.write("base.json", b"{}");
    assert_eq!(project.run(&["scan", "models", "--baseline", "base.json"]).0, 2);
}

#[test]
fn digests_on_lists_are_findings_and_notes() {
    let sha256 = |name: &str| {
        let (_, report) = Project::new("").scan(&[]);
        file(&report, name)["sha256"].as_str().expect("a digest").to_owned()
    };
    let project = Project::new("");
    project.write("bad.txt", format!("# ours\n\n{} *models/foreign.pkl\n", sha256("foreign.pkl")).as_bytes());
    let (code, report) = project.scan(&["--known-bad", "bad.txt"]);
    assert_eq!(code, 1);
    let found = finding(file(&report, "foreign.pkl"), "KBD001");
    assert_eq!((&found["severity"], &found["evidence"]["attributes"]["list"]), (&"critical".into(), &"bad.txt".into()));

    // Known good is a note, until the policy trusts it.
    project.write("good.txt", (sha256("calls.pkl").to_uppercase() + "\n").as_bytes());
    let (code, report) = project.scan(&["--known-good", "good.txt"]);
    assert_eq!(code, 1);
    assert_eq!(finding(file(&report, "calls.pkl"), "KBD002")["severity"], "low");
    project.write("weighin.toml", b"trust-known-good = true\nknown-good = [\"good.txt\"]\n");
    let (code, report) = project.scan(&[]);
    assert_eq!(code, 0);
    assert_eq!(finding(file(&report, "calls.pkl"), "PKL013")["suppressed"]["by"], "known-good");
    project.write("both.txt", (sha256("calls.pkl") + "\n").as_bytes());
    assert_eq!(project.scan(&["--known-bad", "both.txt"]).0, 1, "known bad outranks known good");

    // A member of an archive, stored or not, is compared too.
    let stored = zip_of("data.pkl", FOREIGN);
    project.write("models/calls.pkl", &stored);
    let (_, report) = project.scan(&["--known-bad", "bad.txt"]);
    assert_eq!(finding(file(&report, "calls.pkl"), "KBD001")["location"]["members"][0], "data.pkl");

    project.write("bad.txt", b"# ours\n123\n");
    let (code, _, error) = project.run(&["scan", "models", "--known-bad", "bad.txt"]);
    assert_eq!(code, 2);
    assert!(error.contains("bad.txt:2:1: wanted a SHA-256"), "{error}");
}

/// A zip with one stored member.
pub fn zip_of(name: &str, content: &[u8]) -> Vec<u8> {
    let crc = content.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    });
    let size = u32::try_from(content.len()).expect("small").to_le_bytes();
    let name_len = u16::try_from(name.len()).expect("small").to_le_bytes();
    let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
    common.extend((!crc).to_le_bytes());
    common.extend(size.iter().chain(&size).chain(&name_len).chain(&[0, 0]));
    let local = [b"PK\x03\x04", &common[..], name.as_bytes(), content].concat();
    let central = [b"PK\x01\x02\x14\x00", &common[..], &[0; 12], name.as_bytes()].concat();
    let central_len = u32::try_from(central.len()).expect("small").to_le_bytes();
    let at = u32::try_from(local.len()).expect("small").to_le_bytes();
    [&local[..], &central, b"PK\x05\x06\0\0\0\0\x01\0\x01\0", &central_len, &at, &[0, 0]].concat()
}

#[test]
fn the_effective_policy_says_where_each_value_is_from() {
    let project = Project::new(
        "fail-on = \"high\"\nallow-imports = [\"a.*\"]\n[severity]\nPKL013 = \"low\"\n[limits]\nwork = 5\n\
         [[suppress]]\nrule = \"PKL014\"\npath = \"x\"\nreason = \"a \\\"b\\\"\"\nexpires = 2030-01-01\n",
    );
    let (code, text, _) = project.run(&["config", "show", "--strict", "--limit", "depth=3"]);
    assert_eq!(code, 0);
    let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{text}"));
    assert!(line("fail-on = \"high\"").ends_with("# weighin.toml:1"));
    assert!(line("strict = true").ends_with("# command line"));
    assert!(line("allow-incomplete = false").ends_with("# default"));
    assert!(line("    \"a.*\",").ends_with("# weighin.toml:2"));
    assert!(line("work = 5").ends_with("# weighin.toml:6"));
    assert!(line("depth = 3").ends_with("# command line"));
    // What it prints is a policy that says the same.
    project.write("weighin.toml", text.as_bytes());
    let (code, again, error) = project.run(&["config", "show"]);
    assert_eq!(code, 0, "{error}");
    let values = |text: &str| {
        text.lines().map(|line| line.split('#').next().unwrap_or("").trim().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(values(&again), values(&text));
    let (_, text, error) = project.run(&["config", "show", "."]);
    assert!(text.contains("policy file: none") && error.contains("is not obeyed"), "{text}{error}");
}

/// One call that several rules are about is one finding; accepting its rule
/// accepts none of the others.
#[test]
fn what_an_accepted_finding_tells_of_besides_still_counts() {
    let project = Project::new("");
    let sample = std::fs::read(corpus().join("pickle/call-importlib-reload.pkl")).expect("the sample is there");
    project.write("models/evil.pkl", &sample);
    let (_, report) = project.scan(&[]);
    let whole = finding(file(&report, "evil.pkl"), "PKL003").clone();
    let also: Vec<&str> = whole["also"].as_array().expect("others").iter().filter_map(Value::as_str).collect();
    assert!(!also.is_empty(), "{whole}");
    let entry = |rule: &str| format!("[[suppress]]\nrule = \"{rule}\"\npath = \"models/evil.pkl\"\nreason = \"r\"\n");
    let rules = |report: &Value| -> Vec<(String, bool)> {
        let findings = file(report, "evil.pkl")["findings"].as_array().expect("findings").clone();
        let of = |finding: &Value| {
            (finding["rule"].as_str().expect("a rule").to_owned(), finding.get("suppressed").is_some())
        };
        findings.iter().map(of).collect()
    };

    // Only the first: the others are told by the worst of them.
    project.write("weighin.toml", entry("PKL003").as_bytes());
    let (code, report) = project.scan(&[]);
    let told = rules(&report);
    assert_eq!((code, told.len()), (1, 2), "{told:?}");
    let (standing, accepted): (Vec<_>, Vec<_>) = told.iter().partition(|(_, accepted)| !accepted);
    assert_eq!(accepted, [&("PKL003".to_owned(), true)]);
    assert!(also.contains(&standing[0].0.as_str()), "{told:?}");
    assert_eq!(finding(file(&report, "evil.pkl"), "PKL003").get("also"), None);
    let standing = finding(file(&report, "evil.pkl"), &standing[0].0);
    assert_eq!(standing.get("also").and_then(Value::as_array).map_or(0, Vec::len), also.len() - 1);
    assert_eq!(standing["location"]["path"], whole["location"]["path"]);
    assert_eq!(file(&report, "evil.pkl")["verdict"], "malicious");

    // Only the others: the finding stands, and the entries are of use.
    let others: String = also.iter().map(|rule| entry(rule)).collect();
    project.write("weighin.toml", others.as_bytes());
    let (code, report) = project.scan(&[]);
    assert_eq!((code, rules(&report)), (1, vec![("PKL003".to_owned(), false)]));
    let triage = &report["triage"];
    assert_eq!(
        (&triage["unused"], &triage["suppressed"], &triage["entries"][0]["findings"]),
        (&0.into(), &0.into(), &0.into())
    );

    // All of them.
    project.write("weighin.toml", (entry("PKL003") + &others).as_bytes());
    let (_, report) = project.scan(&[]);
    assert_eq!(rules(&report), [("PKL003".to_owned(), true)]);
    assert_eq!(file(&report, "evil.pkl")["verdict"], "clean");

    // A baseline has them all.
    project.write("weighin.toml", b"");
    project.run(&["scan", "models", "--write-baseline", "base.json"]);
    let (code, report) = project.scan(&["--baseline", "base.json"]);
    assert_eq!((code, rules(&report)), (0, vec![("PKL003".to_owned(), true)]), "{report}");
    assert_eq!(report["triage"]["unused"], 0);
}

#[test]
fn a_scan_is_evidence_for_ssdf_tasks() {
    let project = Project::new("[[suppress]]\nrule = \"PKL014\"\npath = \"models/*\"\nreason = \"ours\"\n");
    project.write("models/`|<b>.pkl", EVIL);
    let (_, json, _) = project.run(&["scan", "models", "--format", "json"]);
    project.write("report.json", json.as_bytes());
    let (code, json, _) = project.run(&["report", "ssdf", "report.json", "--format", "json"]);
    assert_eq!(code, 0);
    let json: Value = serde_json::from_str(&json).expect("it parses");
    let tasks = json["tasks"].as_array().expect("tasks");
    for id in ["PO.3.3", "PO.5.1", "PS.1.3", "PS.2.1", "PS.3.2", "PW.4.4", "PW.6.1", "PW.7.1", "PW.7.2", "PW.8.2"] {
        let task = tasks.iter().find(|task| task["id"] == id).unwrap_or_else(|| panic!("{id} is missing"));
        assert!(task["not_shown"].as_str().is_some_and(|text| !text.is_empty()) && task["result"].is_string());
    }
    // The tasks and items that the publication has, in its own numbering.
    let items = |id: &str| tasks.iter().find(|task| task["id"] == id).expect("there")["items"].clone();
    assert_eq!((items("PO.5.1"), items("PW.7.2")), (serde_json::json!(["R6"]), serde_json::json!(["R1"])));
    let triaged = tasks.iter().find(|task| task["id"] == "PW.7.2").expect("there")["result"].as_str().expect("text");
    assert!(triaged.contains("1 finding suppressed; 0 entries expired, 0 unused"), "{triaged}");
    let scanned = tasks.iter().find(|task| task["id"] == "PW.4.4").expect("there");
    let evil = scanned["concerns"].as_array().expect("files").iter().find(|file| file["rules"]["PKL002"].is_object());
    assert_eq!(evil.expect("the evil file")["rules"]["PKL002"]["severity"], "critical");
    assert_eq!(json["files"].as_array().map(Vec::len), Some(3));

    let (_, text, _) = project.run(&["report", "ssdf", "report.json"]);
    assert!(text.contains("RV.1.2 (R1, R2)") && text.contains("not shown") && text.contains("PKL002 (critical)"));
    let (_, markdown, _) = project.run(&["report", "ssdf", "report.json", "--format", "markdown"]);
    assert!(markdown.contains("## PW.7.2 (R1)") && markdown.contains("\\`\\|&lt;b\\>.pkl"), "{markdown}");
    project.write("report.json", b"{}");
    assert_eq!(project.run(&["report", "ssdf", "report.json"]).0, 2);
    assert!(root().join("src/rules/ssdf.rs").exists());
}
