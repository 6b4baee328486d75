//! Every format of the report: what it looks like, kept in `tests/golden/`,
//! and that it is what the official schemas ask for.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use weighin::Scanner;
use weighin::report::{self, ModelCard, Predicate, Report, SarifOptions};
use weighin::source::{HubFile, HubKind};

use crate::check::{corpus, golden, root, rules};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

const CARD: &str = "---
license: apache-2.0
pipeline_tag: text-classification
library_name: transformers
base_model: acme/base
datasets:
- acme/words
language: [en, de]
tags: [tiny]
---
# A card
";

/// A small tree of everything: each verdict, members, a folder with a model
/// card, and a snapshot of a Hugging Face cache.
fn report() -> Report {
    let samples = [
        ("models/archive.tar.gz".to_owned(), "archive/evil.tar.gz"),
        ("models/cut.safetensors".to_owned(), "safetensors/truncated.safetensors"),
        ("models/evil.pkl".to_owned(), "pickle/reduce-os-system-p4.pkl"),
        ("models/overlap.safetensors".to_owned(), "safetensors/overlap.safetensors"),
        ("models/pointer.safetensors".to_owned(), "text/lfs-pointer/model.safetensors"),
        ("models/weights.safetensors".to_owned(), "safetensors/two-tensors.safetensors"),
        ("card/model.gguf".to_owned(), "gguf/template-class-mro.gguf"),
    ];
    let scanner = Scanner::new(rules());
    let mut files: Vec<_> = samples
        .iter()
        .map(|(path, sample)| {
            let bytes = std::fs::read(corpus().join(sample)).expect("the sample is there");
            scanner.scan_bytes(path, &bytes)
        })
        .collect();
    files.push(scanner.scan_bytes("card/README.md", CARD.as_bytes()));
    let weights = std::fs::read(corpus().join("safetensors/metadata.safetensors")).expect("the sample is there");
    for (name, bytes) in [("README.md", CARD.as_bytes()), ("model.safetensors", &weights)] {
        files.push(scanner.scan_bytes(name, bytes).named(&on_the_hub(name), &format!("hub/blobs/{name}")));
    }
    let mut report = Report::new(rules(), files);
    // What every change of a rule or a release would change.
    report.ruleset.digest = "0".repeat(64);
    report.ruleset.rules = 1;
    report.tool.version = "0.0.0".to_owned();
    report
}

fn on_the_hub(path: &str) -> HubFile {
    HubFile {
        kind: HubKind::Model,
        repository: "acme/tiny".to_owned(),
        revision: COMMIT.to_owned(),
        refs: vec!["main".to_owned()],
        path: path.to_owned(),
    }
}

fn cards(report: &Report) -> BTreeMap<String, ModelCard> {
    let readmes = report.files.iter().filter(|file| file.path.ends_with("README.md"));
    readmes.map(|file| (file.path.clone(), ModelCard::from_readme(CARD).expect("a card"))).collect()
}

fn sarif(report: &Report) -> Value {
    let place = |path: &str| path.to_owned();
    let text = report::sarif(report, rules(), &SarifOptions { place: &place, category: Some("nightly") });
    serde_json::from_str(&text.expect("a log is JSON")).expect("it parses")
}

fn cyclonedx(report: &Report) -> Value {
    let text = report::cyclonedx(report, &cards(report)).expect("a bill is JSON");
    serde_json::from_str(&text).expect("it parses")
}

fn schema(name: &str) -> Value {
    let text = std::fs::read_to_string(root().join("tests/schemas").join(name)).expect("the schema is there");
    // A pattern of SARIF's that only JavaScript takes for one.
    let text = text.replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}$");
    serde_json::from_str(&text).expect("a schema is JSON")
}

fn assert_fits(value: &Value, schema: &Value, others: &[(&str, Value)]) {
    let mut registry = jsonschema::Registry::new();
    for (uri, other) in others {
        registry = registry.add(*uri, other.clone()).expect("a schema");
    }
    let registry = registry.prepare().expect("schemas");
    let options = jsonschema::options().should_validate_formats(true).with_registry(&registry);
    let validator = options.build(schema).expect("the schema is one");
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

#[test]
fn text_markdown_junit_and_lines_look_as_they_should() {
    let report = report();
    golden("report.txt", &report::text(&report, report::Style::default()));
    golden("report.md", &report::markdown(&report));
    golden("report.junit.xml", &report::junit(&report).expect("written"));
    golden(
        "report.jsonl",
        &report::jsonl(&report).expect("lines are JSON").replace(env!("CARGO_PKG_VERSION"), "0.0.0"),
    );
}

#[test]
fn every_line_is_a_file() {
    let report = report();
    let lines = report::jsonl(&report).expect("lines are JSON");
    let paths: Vec<String> = lines
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).expect("it parses")["path"].as_str().expect("a path").to_owned()
        })
        .collect();
    assert_eq!(paths, report.files.iter().map(|file| file.path.clone()).collect::<Vec<_>>());
}

/// Style and script are files of their own; the rest is kept.
#[test]
fn the_page_looks_as_it_should() {
    let page = report::html(&report(), rules());
    let cut = |page: &str, from: &str, to: &str| {
        let (before, rest) = page.split_once(from).expect("it begins");
        let (_, after) = rest.split_once(to).expect("it ends");
        format!("{before}{from}{to}{after}")
    };
    let page = cut(&page, "<style>", "</style>");
    let page = cut(&page, "<script>", "</script>");
    golden("report.html", &cut(&page, "style-src ", "\">"));
}

/// A browser runs the page's own script and nothing else, for which the
/// digests must be those of what stands in the page.
#[test]
fn the_page_lets_only_its_own_script_run() {
    use base64::Engine as _;
    use sha2::Digest as _;
    let page = report::html(&report(), rules());
    for (open, close, policy) in [("<style>", "</style>", "style-src"), ("<script>", "</script>", "script-src")] {
        let inside = page.split_once(open).and_then(|(_, rest)| rest.split_once(close)).expect("it is there").0;
        let digest = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(inside));
        assert!(page.contains(&format!("{policy} 'sha256-{digest}'")), "{policy} is not the digest of {open}");
        assert_eq!(page.matches(open).count(), 1, "{open}");
    }
    assert!(page.contains("default-src 'none'"));
    for request in [" src=", "url(", "@import", "<link", "<img", "<iframe"] {
        assert!(!page.contains(request), "the page asks for something by {request}");
    }
}

/// Whether a log is what the standard says.
pub fn assert_is_sarif(log: &Value) {
    assert_fits(log, &schema("sarif-2.1.0.json"), &[]);
}

#[test]
fn sarif_is_valid_and_has_what_github_asks_for() {
    let report = report();
    let mut log = sarif(&report);
    assert_is_sarif(&log);
    let run = &log["runs"][0];
    let declared = run["tool"]["driver"]["rules"].as_array().expect("rules");
    assert_eq!(declared.len(), rules().rules().len());
    for rule in declared {
        for (pointer, most) in [
            ("/shortDescription/text", 1024),
            ("/fullDescription/text", 1024),
            ("/help/text", usize::MAX),
            ("/help/markdown", usize::MAX),
            ("/name", 255),
        ] {
            let text = rule.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            assert!(!text.is_empty() && text.chars().count() <= most, "{} {pointer}", rule["id"]);
        }
        let severity = rule["properties"]["security-severity"].as_str().and_then(|text| text.parse::<f64>().ok());
        assert!(severity.is_some_and(|severity| severity > 0.0 && severity <= 10.0));
        let tags = rule["properties"]["tags"].as_array().expect("tags");
        assert!(tags.len() <= 20 && tags.contains(&Value::from("security")));
    }
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), report.files.iter().map(|file| file.findings.len()).sum::<usize>());
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(declared[index]["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["region"]["startLine"], 1);
        let artifact = usize::try_from(place["artifactLocation"]["index"].as_u64().expect("an index")).expect("small");
        assert_eq!(run["artifacts"][artifact]["location"]["uri"], place["artifactLocation"]["uri"]);
        assert!(result["partialFingerprints"]["primaryLocationLineHash"].is_string());
    }
    assert_eq!(run["artifacts"].as_array().map(Vec::len), Some(report.files.len()));
    let notes = run["invocations"][0]["toolExecutionNotifications"].as_array().expect("notifications");
    assert_eq!(notes.len(), report.files.iter().map(|file| file.gaps.len()).sum::<usize>());
    assert_eq!(run["automationDetails"]["id"], "nightly/");

    // One rule shows what all look like.
    let kept = declared.iter().filter(|rule| rule["id"] == "PKL002").cloned().collect();
    log["runs"][0]["tool"]["driver"]["rules"] = Value::Array(kept);
    for result in log["runs"][0]["results"].as_array_mut().expect("results") {
        result["ruleIndex"] = Value::from(0);
    }
    golden("report.sarif", &(serde_json::to_string_pretty(&log).expect("JSON") + "\n"));
}

fn fingerprints(name: &str, bytes: &[u8]) -> Vec<String> {
    let report = Report::new(rules(), vec![Scanner::new(rules()).scan_bytes(name, bytes)]);
    let log = sarif(&report);
    let results = log["runs"][0]["results"].as_array().expect("results").clone();
    let hash = |result: &Value| result["partialFingerprints"]["primaryLocationLineHash"].as_str().map(str::to_owned);
    results.iter().map(|result| hash(result).expect("a hash")).collect()
}

#[test]
fn a_fingerprint_follows_the_content_and_not_the_place() {
    let evil = std::fs::read(corpus().join("pickle/reduce-os-system-p4.pkl")).expect("readable");
    let here = fingerprints("a/model.pkl", &evil);
    assert!(!here.is_empty());
    assert_eq!(here, fingerprints("b/other.pkl", &evil));
    let mut changed = evil;
    changed.push(b'x');
    assert!(here.iter().all(|hash| !fingerprints("a/model.pkl", &changed).contains(hash)));
    let mut distinct = here.clone();
    distinct.dedup();
    assert_eq!(distinct, here, "two findings share a fingerprint");
}

#[test]
fn sarif_is_cut_where_github_stops_and_says_so() {
    let mut report = report();
    let evil = report.files.iter().find(|file| file.path.ends_with("evil.pkl")).expect("it is there").clone();
    let low = report.files.iter().flat_map(|file| &file.findings).map(|finding| finding.severity).min();
    for _ in 0..6000 {
        report.files.push(evil.clone());
    }
    let log = sarif(&report);
    let results = log["runs"][0]["results"].as_array().expect("results");
    assert_eq!(results.len(), 5000);
    assert!(results.iter().all(|result| result["level"] == "error"), "the worst are kept, not {low:?}");
    let notes = log["runs"][0]["invocations"][0]["toolExecutionNotifications"].as_array().expect("notifications");
    assert!(notes.iter().any(|note| note["descriptor"]["id"] == "left-out"
        && note["message"]["text"].as_str().is_some_and(|text| text.contains("results"))));
}

#[test]
fn the_bill_of_materials_is_valid_and_claims_what_is_known() {
    let bill = cyclonedx(&report());
    let others = [
        ("http://cyclonedx.org/schema/spdx.SNAPSHOT.schema.json", schema("spdx.json")),
        ("http://cyclonedx.org/schema/jsf-0.82.SNAPSHOT.schema.json", schema("jsf-0.82.json")),
    ];
    assert_fits(&bill, &schema("cyclonedx-1.6.json"), &others);
    let components = bill["components"].as_array().expect("components");
    let tiny = components.iter().find(|component| component["name"] == "tiny").expect("the repository is a model");
    assert_eq!(tiny["type"], "machine-learning-model");
    assert_eq!(tiny["purl"], format!("pkg:huggingface/acme/tiny@{COMMIT}"));
    assert_eq!(tiny["group"], "acme");
    assert_eq!(tiny["licenses"][0]["license"]["id"], "Apache-2.0");
    assert_eq!(tiny["modelCard"]["modelParameters"]["task"], "text-classification");
    assert_eq!(tiny["components"][0]["hashes"][0]["alg"], "SHA-256");
    let pickle = components.iter().find(|component| component["name"] == "models/evil.pkl").expect("it is listed");
    assert_eq!(pickle["type"], "file", "a pickle may be anything");
    golden("report.cdx.json", &(serde_json::to_string_pretty(&bill).expect("JSON") + "\n"));
}

#[test]
fn statements_promise_only_what_holds_for_every_file() {
    let statement = |report: &Report, predicate| {
        let text = report::in_toto(report, predicate, 1_709_210_096).expect("a statement is JSON");
        serde_json::from_str::<Value>(&text).expect("it parses")
    };
    let all = report();
    let vulns = statement(&all, Predicate::Vulns);
    assert_eq!(vulns["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(vulns["subject"].as_array().map(Vec::len), Some(all.files.len()));
    let results = vulns["predicate"]["scanner"]["result"].as_array().expect("results");
    assert!(results.iter().any(|result| result["id"] == "PKL002" && result["severity"][0]["score"] == "critical"));
    assert!(results.iter().any(|result| result["id"] == "not-examined-truncated"), "a gap is never silent");
    assert_eq!(vulns["predicate"]["metadata"]["scanStartedOn"], "2024-02-29T12:34:56Z");
    let svr = statement(&all, Predicate::SimpleVerificationResult);
    assert_eq!(svr["predicate"]["properties"], Value::Array(Vec::new()));
    assert!(svr["predicate"]["verifier"]["policies"].is_array());
    let clean = all.files.iter().filter(|file| file.verdict.name() == "clean").cloned().collect();
    let clean = statement(&Report::new(rules(), clean), Predicate::SimpleVerificationResult);
    let promised = clean["predicate"]["properties"].as_array().expect("properties");
    assert!(promised.contains(&Value::from("WEIGHIN_COMPLETE")) && promised.contains(&Value::from("WEIGHIN_CLEAN")));
    let none = statement(&Report::new(rules(), Vec::new()), Predicate::SimpleVerificationResult);
    assert_eq!(none["predicate"]["properties"], Value::Array(Vec::new()), "nothing scanned promises nothing");
    golden("report.in-toto.json", &(serde_json::to_string_pretty(&vulns).expect("JSON") + "\n"));
    golden("report.svr.json", &(serde_json::to_string_pretty(&svr).expect("JSON") + "\n"));
}

#[test]
fn an_empty_report_is_still_a_report() {
    let report = Report::new(rules(), Vec::new());
    assert_is_sarif(&sarif(&report));
    assert!(report::html(&report, rules()).contains("nothing was scanned"));
    assert!(report::markdown(&report).contains("nothing was scanned"));
    assert!(report::junit(&report).expect("written").contains("tests=\"0\""));
    assert_eq!(report::jsonl(&report).expect("no lines"), "");
}

/// All formats in one run, by the command line: paths are the repository's,
/// links lead to what they stand for, and times are given.
#[cfg(unix)]
#[test]
fn one_run_writes_every_format() {
    let dir = tempfile::tempdir().expect("a directory");
    let repository = dir.path().join("repository");
    std::fs::create_dir_all(repository.join(".git")).expect("a repository");
    std::fs::create_dir_all(repository.join("sub/models")).expect("a directory");
    std::fs::copy(corpus().join("pickle/reduce-os-system-p4.pkl"), repository.join("sub/models/blob")).expect("copied");
    std::os::unix::fs::symlink("models/blob", repository.join("sub/model.pkl")).expect("linked");
    std::fs::write(repository.join("sub/README.md"), CARD).expect("written");
    let formats =
        ["text", "json", "jsonl", "sarif", "junit", "markdown", "html", "cyclonedx", "in-toto", "in-toto-svr"];
    let mut command = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("weighin"));
    command.current_dir(repository.join("sub")).env("SOURCE_DATE_EPOCH", "0").args(["scan", ".", "--format", "jsonl"]);
    for format in formats {
        command.arg("--output").arg(format!("{format}={}", dir.path().join(format).display()));
    }
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |format: &str| std::fs::read_to_string(dir.path().join(format)).expect("written");
    for format in formats {
        assert!(!read(format).is_empty(), "{format} is empty");
    }
    assert_eq!(String::from_utf8_lossy(&output.stdout), read("jsonl"));
    assert_eq!(read("jsonl").lines().count(), 3);
    let log: Value = serde_json::from_str(&read("sarif")).expect("it parses");
    let results = log["runs"][0]["results"].as_array().expect("results");
    assert!(!results.is_empty());
    for result in results {
        let place = &result["locations"][0]["physicalLocation"]["artifactLocation"];
        assert_eq!((place["uri"].as_str(), place["uriBaseId"].as_str()), (Some("sub/models/blob"), Some("%SRCROOT%")));
    }
    let statement: Value = serde_json::from_str(&read("in-toto-svr")).expect("it parses");
    assert_eq!(statement["predicate"]["timeCreated"], "1970-01-01T00:00:00Z");
    let bill: Value = serde_json::from_str(&read("cyclonedx")).expect("it parses");
    assert!(bill["components"].as_array().is_some_and(|all| all.iter().any(|one| one["modelCard"].is_object())));
    assert!(Path::new(&dir.path().join("html")).exists());
}
