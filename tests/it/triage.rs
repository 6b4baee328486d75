//! What every format of the report says of findings that somebody has
//! accepted, of entries that can go, and of severities that the policy changes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::policy::Project;

const POLICY: &str = r#"
[severity]
PKL002 = "high"

[[suppress]]
rule = "PKL013"
path = "models/calls.pkl"
reason = "ticket <12> | reviewed"

[[suppress]]
rule = "PKL013"
path = "models/again.pkl"
reason = "ticket 13"
expires = 2026-06-14

[[suppress]]
rule = "PKL003"
path = "models/gone.pkl"
reason = "ticket 14"
"#;

const FORMATS: [&str; 10] =
    ["text", "json", "jsonl", "sarif", "junit", "markdown", "html", "cyclonedx", "in-toto", "in-toto-svr"];

/// A malicious file, two whose only finding above low is PKL013 of which one
/// is accepted, and a clean one; in every format.
fn reports() -> (i32, BTreeMap<&'static str, String>) {
    let project = Project::new(POLICY);
    project.write("models/again.pkl", b"\x80\x03cmy_company.models\nbuild\n)R.");
    project.write("models/evil.pkl", crate::policy::EVIL);
    let outputs: Vec<String> = FORMATS.iter().map(|format| format!("{format}=out.{format}")).collect();
    let mut args = vec!["scan", "models", "-v", "--format", "jsonl"];
    args.extend(outputs.iter().flat_map(|output| ["--output", output]));
    let (code, lines, error) = project.run(&args);
    let read = |format: &'static str| {
        let text = std::fs::read_to_string(project.path().join(format!("out.{format}")));
        (format, text.unwrap_or_else(|_| panic!("{format} was not written: {error}")))
    };
    let reports: BTreeMap<_, _> = FORMATS.into_iter().map(read).collect();
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&lines), sorted(&reports["jsonl"]));
    (code, reports)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("it parses")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("{value} is not a list"))
}

#[test]
fn json_and_its_lines_mark_what_is_accepted() {
    let (code, reports) = reports();
    assert_eq!(code, 1);
    let report = json(&reports["json"]);
    let suppressed = |file: &Value| {
        let findings = list(&file["findings"]).iter();
        findings.filter(|finding| finding["suppressed"]["by"] == "policy").count()
    };
    let verdicts = |files: &[Value]| {
        let mut verdicts: Vec<(String, String, usize)> = files
            .iter()
            .map(|file| {
                let text = |key: &str| file[key].as_str().expect("text").rsplit('/').next().unwrap_or("").to_owned();
                (text("path"), text("verdict"), suppressed(file))
            })
            .collect();
        verdicts.sort();
        verdicts
    };
    let wanted = [
        ("again.pkl", "suspicious", 0),
        ("calls.pkl", "clean", 1),
        ("evil.pkl", "malicious", 0),
        ("foreign.pkl", "clean", 0),
    ]
    .map(|(path, verdict, count)| (path.to_owned(), verdict.to_owned(), count));
    assert_eq!(verdicts(list(&report["files"])), wanted);
    let lines: Vec<Value> = reports["jsonl"].lines().map(json).collect();
    assert_eq!(verdicts(&lines), wanted);
    assert!(lines.iter().all(|line| line["policy"] == report["policy"] && line["policy"]["sha256"].is_string()));
    let triage = &report["triage"];
    assert_eq!((&triage["suppressed"], &triage["expired"], &triage["unused"]), (&1.into(), &1.into(), &1.into()));
    let states: Vec<&Value> = list(&triage["entries"]).iter().map(|entry| &entry["state"]).collect();
    assert_eq!(states, ["used", "expired", "unused"]);
    assert_eq!(report["summary"]["findings"]["medium"], 1);

    // Before the policy, the rule had its own opinion.
    let all: Vec<&Value> = list(&report["files"]).iter().flat_map(|file| list(&file["findings"])).collect();
    for finding in all {
        let (severity, own) = (&finding["severity"], finding.get("rule_severity"));
        if finding["rule"] == "PKL002" {
            assert_eq!((severity, own), (&"high".into(), Some(&"critical".into())));
        } else {
            assert_eq!(own, None, "{finding}");
        }
    }
}

#[test]
fn sarif_lists_what_is_suppressed_as_such() {
    let (_, reports) = reports();
    let log = json(&reports["sarif"]);
    crate::reports::assert_is_sarif(&log);
    let run = &log["runs"][0];
    let results = list(&run["results"]);
    // Whether a result is suppressed is known of all results or of none.
    let (suppressed, standing): (Vec<&Value>, Vec<&Value>) =
        results.iter().partition(|result| !list(&result["suppressions"]).is_empty());
    assert_eq!(suppressed.len(), 1);
    let suppression = &suppressed[0]["suppressions"][0];
    assert_eq!(suppressed[0]["ruleId"], "PKL013");
    assert_eq!((&suppression["kind"], &suppression["status"]), (&"external".into(), &"accepted".into()));
    assert_eq!(suppression["justification"], "ticket <12> | reviewed");
    assert_eq!(suppression["properties"]["by"], "policy");
    assert!(standing.iter().any(|result| result["ruleId"] == "PKL013"), "the expired entry suppresses nothing");
    assert_eq!(results.last(), Some(suppressed[0]), "what counts stands first");
    let changed = results.iter().find(|result| result["ruleId"] == "PKL002").expect("it is listed");
    assert_eq!(changed["properties"]["severity"], "high");
    assert_eq!(changed["properties"]["ruleSeverity"], "critical");
    let notes = list(&run["invocations"][0]["toolConfigurationNotifications"]);
    let ids: Vec<&Value> = notes.iter().map(|note| &note["descriptor"]["id"]).collect();
    assert_eq!(ids, ["suppression-expired", "suppression-unused"]);
    let triage = &run["properties"]["triage"];
    assert_eq!((&triage["suppressed"], &triage["expired"], &triage["unused"]), (&1.into(), &1.into(), &1.into()));
    assert_eq!(run["properties"]["policy"]["file"], "weighin.toml");
}

#[test]
fn junit_fails_for_what_counts_only() {
    let (_, reports) = reports();
    let junit = &reports["junit"];
    assert!(junit.contains("tests=\"4\" failures=\"2\" errors=\"0\""), "{junit}");
    let case = |name: &str| {
        let case = junit.split("<testcase").find(|case| case.contains(&format!("name=\"models/{name}\"")));
        case.unwrap_or_else(|| panic!("{name} is not in {junit}"))
    };
    assert!(!case("calls.pkl").contains("<failure"));
    assert!(
        case("calls.pkl").contains("[suppressed by policy: ticket &lt;12&gt; | reviewed]"),
        "{}",
        case("calls.pkl")
    );
    assert!(case("again.pkl").contains("<failure type=\"PKL013\""));
    assert!(case("evil.pkl").contains("[high by policy, critical by rule]"), "{}", case("evil.pkl"));
    for (name, value) in [("suppressed", 1), ("expired", 1), ("unused", 1)] {
        assert!(junit.contains(&format!("<property name=\"{name}\" value=\"{value}\"/>")), "{junit}");
    }
    assert!(junit.contains("expired on 2026-06-14: line 11, PKL013 in models/again.pkl (ticket 13)"), "{junit}");
}

#[test]
fn text_markdown_and_html_tell_a_reader() {
    let (_, reports) = reports();
    let text = &reports["text"];
    for wanted in [
        "triage: 1 finding suppressed; 1 entry expired, 1 unused",
        "suppressed by policy: ticket <12> | reviewed",
        "high by policy, critical by rule",
        "policy: weighin.toml; 1 finding with a severity by policy, not by rule",
        "expired on 2026-06-14: line 11, PKL013 in models/again.pkl (ticket 13)",
        "unused: line 17, PKL003 in models/gone.pkl (ticket 14)",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in {text}");
    }
    let markdown = &reports["markdown"];
    let (findings, triage) = markdown.split_once("### Triage").expect("a section of its own");
    assert!(findings.contains("models/again.pkl") && !findings.contains("models/calls.pkl"), "{markdown}");
    assert!(
        triage.contains("models/calls.pkl") && triage.contains("ticket &#60;12&#62; &#124; reviewed"),
        "{markdown}"
    );
    assert!(
        triage.contains("1 entry expired, 1 unused") && triage.contains("ticket 13") && triage.contains("ticket 14")
    );
    assert!(findings.contains("high by policy, critical by rule"), "{markdown}");
    let html = &reports["html"];
    assert_eq!(html.matches("<article class=\"finding suppressed\">").count(), 1, "{html}");
    for wanted in [
        "suppressed by policy: ticket &lt;12&gt; | reviewed",
        "high by policy, critical by rule",
        "1 finding suppressed; 1 entry expired, 1 unused",
        "ticket 13",
        "ticket 14",
        ">1 suppressed<",
    ] {
        assert!(html.contains(wanted), "{wanted} is not in {html}");
    }
    // Bars are of what counts: one of PKL013, not two.
    let bars = html.split_once("<h2>Rules that fired</h2>").and_then(|(_, rest)| rest.split_once("</section>"));
    let bar = bars.expect("bars").0.split("<li>").find(|bar| bar.contains("PKL013")).expect("a bar");
    assert!(bar.contains("<span class=\"count\">1</span>"), "{bar}");
}

#[test]
fn the_bill_of_materials_tells_them_apart() {
    let (_, reports) = reports();
    let bill = json(&reports["cyclonedx"]);
    let named = |end: &str, name: &str| {
        let component =
            list(&bill["components"]).iter().find(|one| one["name"].as_str().is_some_and(|n| n.ends_with(end)));
        let properties = list(&component.expect("it is listed")["properties"]);
        properties.iter().filter(|property| property["name"] == name && property["value"] == "PKL013").count()
    };
    assert_eq!((named("calls.pkl", "weighin:finding"), named("calls.pkl", "weighin:suppressed")), (0, 1));
    assert_eq!((named("again.pkl", "weighin:finding"), named("again.pkl", "weighin:suppressed")), (1, 0));
}

#[test]
fn statements_leave_out_what_is_accepted_and_say_that_they_do() {
    let (_, reports) = reports();
    let vulns = json(&reports["in-toto"]);
    let results = list(&vulns["predicate"]["scanner"]["result"]);
    let of_rule = |results: &[Value], id: &str| results.iter().filter(|result| result["id"] == id).count();
    assert_eq!(of_rule(results, "PKL013"), 1, "only the one that counts");
    let triage = &vulns["predicate"]["metadata"]["triage"];
    assert_eq!((&triage["suppressed"], &triage["expired"], &triage["unused"]), (&1.into(), &1.into(), &1.into()));
    let accepted = list(&triage["result"]);
    assert_eq!((accepted.len(), of_rule(accepted, "PKL013")), (1, 1));
    assert_eq!(accepted[0]["annotations"][0]["suppressed"]["reason"], "ticket <12> | reviewed");
    let changed = results.iter().find(|result| result["id"] == "PKL002").expect("it is listed");
    assert_eq!(changed["severity"][0]["score"], "high");
    assert_eq!(changed["annotations"][0]["ruleSeverity"], "critical");

    let svr = json(&reports["in-toto-svr"]);
    let properties = |svr: &Value| list(&svr["predicate"]["properties"]).to_vec();
    assert!(
        properties(&svr).contains(&"WEIGHIN_NO_CRITICAL".into())
            && !properties(&svr).contains(&"WEIGHIN_NO_HIGH".into())
    );
    assert!(!properties(&svr).contains(&"WEIGHIN_NOTHING_SUPPRESSED".into()));
    let policies = list(&svr["predicate"]["verifier"]["policies"]);
    assert_eq!(policies[1]["name"], "weighin.toml");
    let project = Project::new("");
    let (_, svr, _) = project.run(&["scan", "models/foreign.pkl", "--format", "in-toto-svr"]);
    assert!(properties(&json(&svr)).contains(&"WEIGHIN_NOTHING_SUPPRESSED".into()));
}

#[test]
fn a_severity_that_is_set_to_what_it_was_is_not_changed() {
    let project = Project::new("[severity]\nPKL013 = \"medium\"\n");
    let (_, text, _) = project.run(&["scan", "models", "--format", "json"]);
    assert!(text.contains("PKL013") && !text.contains("rule_severity"), "{text}");
}
