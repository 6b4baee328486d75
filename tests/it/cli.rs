//! The command line: what a person types, and what comes back.

use std::io::Write as _;

use assert_cmd::Command;

pub fn weighin() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("weighin"));
    command.current_dir(crate::check::root()).env_remove("CLICOLOR_FORCE");
    command
}

pub fn output(args: &[&str]) -> (i32, String, String) {
    let output = weighin().args(args).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("it exits"), text(output.stdout), text(output.stderr))
}

const HONEST: &str = "corpus/pickle/honest-dict-p4.pkl";
const EVIL: &str = "corpus/pickle/reduce-os-system-p4.pkl";

#[test]
fn exit_codes_say_what_happened() {
    assert_eq!(output(&["scan", HONEST]).0, 0);
    assert_eq!(output(&["scan", EVIL]).0, 1);
    assert_eq!(output(&["scan", EVIL, "--exit-zero"]).0, 0);
    assert_eq!(output(&["scan", "--no-such-flag"]).0, 2);
    assert_eq!(output(&["scan", "no/such/file"]).0, 3);
    assert_eq!(output(&["scan", "no/such/file", "--allow-incomplete"]).0, 0);
    assert_eq!(output(&["scan", "no/such/file", EVIL]).0, 1, "a finding outranks a gap");
    let empty = tempfile::tempdir().expect("a directory");
    assert_eq!(output(&["scan", &empty.path().to_string_lossy()]).0, 3, "nothing to scan");
}

#[test]
fn a_finding_says_what_would_happen_where_and_what_to_do() {
    let (_, text, _) = output(&["scan", EVIL]);
    for wanted in ["MALICIOUS", "PKL002", "os.system('echo", "at byte 0x", "→ Do not load this file", "1 malicious"] {
        assert!(text.contains(wanted), "{wanted} is missing in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "colours without a terminal");
    let (_, coloured, _) = output(&["scan", "--color", "always", EVIL]);
    assert!(coloured.contains("\u{1b}[31m"));
}

#[test]
fn standard_input_is_a_file() {
    let evil = std::fs::read(crate::check::root().join(EVIL)).expect("readable");
    let output = weighin().args(["scan", "-"]).write_stdin(evil).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("<stdin>"));
}

#[test]
fn json_goes_to_standard_output_and_to_files() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("report.json");
    let (code, text, _) = output(&["scan", EVIL, "--output", &format!("json={}", file.display())]);
    assert_eq!(code, 1);
    assert!(text.contains("MALICIOUS"), "the text report is still there");
    let report: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).expect("written")).expect("it parses");
    assert_eq!(report["files"][0]["verdict"], "malicious");
    assert_eq!(report["files"][0]["sha256"].as_str().map(str::len), Some(64));
    let (_, json, _) = output(&["scan", "--format", "json", EVIL]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).expect("it parses"), report);
}

#[test]
fn fail_on_and_strict_move_the_threshold() {
    let low = "corpus/pickle/honest-foreign-class.pkl";
    let low = if crate::check::root().join(low).exists() { low } else { HONEST };
    assert_eq!(output(&["scan", "--fail-on", "critical", EVIL]).0, 1);
    assert_eq!(output(&["scan", low]).0, 0);
    let unreviewed = tempfile::NamedTempFile::with_suffix(".pkl").expect("a file");
    unreviewed.as_file().write_all(b"\x80\x02csome_package\nThing\n)\x81}b.").expect("written");
    let path = unreviewed.path().to_string_lossy().into_owned();
    assert_eq!(output(&["scan", &path]).0, 0, "an unreviewed class is low");
    assert_eq!(output(&["scan", "--fail-on", "low", &path]).0, 1);
    assert_eq!(output(&["scan", "--strict", &path]).0, 1, "the allow-list refuses it");
}

#[test]
fn rules_are_listed_and_explained() {
    let (code, list, _) = output(&["rules", "list"]);
    assert_eq!(code, 0);
    assert!(list.contains("PKL002") && list.contains("digest"));
    let (_, json, _) = output(&["rules", "list", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("it parses");
    assert!(json["rules"].as_array().is_some_and(|rules| rules.iter().all(|rule| rule["id"].is_string())));
    let (_, page, _) = output(&["rules", "explain", "pkl002"]);
    assert!(page.contains("# PKL002") && page.contains("What to do"));
    assert_eq!(output(&["rules", "explain", "XXX999"]).0, 2);
}

#[test]
fn a_users_rules_join_in() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(
        dir.path().join("house.yar"),
        "rule house_marker { meta: description = \"the house marker\" score = 95 strings: $a = \"house-marker\" condition: $a }",
    )
    .expect("written");
    let sample = dir.path().join("sample.pkl");
    std::fs::write(&sample, b"\x80\x04\x8c\x0chouse-marker.").expect("written");
    let rules = dir.path().to_string_lossy().into_owned();
    let (code, text, _) = output(&["scan", &sample.to_string_lossy(), "--rules", &rules]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("house_marker"), "{text}");

    std::fs::write(dir.path().join("broken.toml"), "id = \"HSE001\"\nseverity = 1\n").expect("written");
    let (code, _, error) = output(&["scan", HONEST, "--rules", &rules]);
    assert_eq!(code, 2);
    assert!(error.contains("broken.toml:2:12:"), "{error}");
}

#[test]
fn inspect_shows_without_judging() {
    let (code, text, _) = output(&["inspect", EVIL]);
    assert_eq!(code, 0);
    assert!(text.contains("from os import system") && text.contains("system('echo weighin')"), "{text}");
    let (_, imports, _) = output(&["inspect", "--imports", EVIL]);
    assert_eq!(imports.trim(), "os.system");
    let (_, opcodes, _) = output(&["inspect", "--opcodes", EVIL]);
    assert!(opcodes.contains("REDUCE") && opcodes.contains("STOP"), "{opcodes}");
    let (_, json, _) = output(&["inspect", "--format", "json", EVIL]);
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
}

#[test]
fn limits_are_flags() {
    let (code, text, _) = output(&["scan", "--limit", "work=0", HONEST]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("work"), "{text}");
    let (code, _, error) = output(&["scan", "--limit", "nonsense=1", HONEST]);
    assert_eq!(code, 2);
    assert!(error.contains("nonsense"), "{error}");
    assert!(output(&["scan", "--limit", "help", "-"]).1.contains("inflated-bytes"));
}

/// The README shows the real output of its commands.
#[test]
fn the_readme_tells_the_truth() {
    let readme = std::fs::read_to_string(crate::check::root().join("README.md")).expect("readable");
    let mut examples = 0;
    for block in readme.split("```console").skip(1).filter_map(|rest| rest.split("```").next()) {
        let mut lines = block.trim().lines();
        let command = lines.next().and_then(|line| line.strip_prefix("$ weighin ")).expect("a command");
        let shown: Vec<&str> = lines.map(str::trim_end).collect();
        let args: Vec<&str> = command.split(' ').collect();
        let (_, text, _) = output(&args);
        let real: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(shown, real, "run: weighin {command}");
        examples += 1;
    }
    assert!(examples >= 2, "the README has lost an example");
}

#[test]
fn header_depth_reads_the_structure_and_says_what_it_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let large = 17_u32 << 20;
    let weights = folder.path().join("model.safetensors");
    let header = format!(r#"{{"w":{{"dtype":"U8","shape":[{large}],"data_offsets":[0,{large}]}}}}"#);
    let mut bytes = u64::try_from(header.len()).expect("short").to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.resize(bytes.len() + large as usize, 0);
    std::fs::write(&weights, &bytes).expect("written");
    // The payload stands behind more bytes than are held in memory.
    let pickle = folder.path().join("model.pkl");
    let mut bytes = b"\x80\x04B".to_vec();
    bytes.extend(large.to_le_bytes());
    bytes.resize(bytes.len() + large as usize, 0);
    bytes.extend(b"0cos\nsystem\n\x8c\x0cecho weighin\x85R.");
    std::fs::write(&pickle, &bytes).expect("written");
    let paths = [weights.to_str().expect("UTF-8"), pickle.to_str().expect("UTF-8")];
    let scan = |depth: &str| {
        let (_, json, _) = output(&["scan", "--depth", depth, "--format", "json", paths[0], paths[1]]);
        let report: weighin::Report = serde_json::from_str(&json).expect("a report");
        report.files.into_iter().map(|file| (file.verdict, file.sha256.is_some(), file.gaps.len())).collect::<Vec<_>>()
    };
    use weighin::report::Verdict::{Clean, Incomplete, Malicious};
    assert_eq!(scan("full"), [(Malicious, true, 0), (Clean, true, 0)]);
    assert_eq!(scan("header"), [(Malicious, false, 1), (Incomplete, false, 1)]);
}
