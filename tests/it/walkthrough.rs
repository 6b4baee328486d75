//! What CONTRIBUTING.md tells the writer of a rule, done step by step; and
//! what `rules check` says when it is done wrongly.

use std::path::Path;

use crate::check::root;
use crate::cli::{output, weighin};

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The first code block of CONTRIBUTING.md in this language, as it is meant:
/// blocks of a list are indented.
fn block(language: &str) -> String {
    let text = std::fs::read_to_string(root().join("CONTRIBUTING.md")).expect("readable");
    let start = format!("   ```{language}\n");
    let block = text.split(&start).nth(1).and_then(|rest| rest.split("   ```").next());
    let block = block.unwrap_or_else(|| panic!("CONTRIBUTING.md has no {language} block"));
    block.lines().map(|line| line.strip_prefix("   ").unwrap_or(line).to_owned() + "\n").collect()
}

#[test]
fn a_rule_written_from_the_walk_through_works() {
    let dir = tempfile::tempdir().expect("a directory");
    let rules = dir.path().join("rules");
    std::fs::create_dir(&rules).expect("made");
    // 1. The rule, 2. its samples, 3. the check, 4. the scan.
    std::fs::write(rules.join("HSE001-house-loader.toml"), block("toml")).expect("written");
    let python = std::process::Command::new("python3").arg("-c").arg(block("python")).current_dir(&rules).output();
    let python = python.expect("python3 runs");
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    let (code, text, _) = output(&["rules", "check", &shown(&rules)]);
    assert_eq!((code, text.as_str()), (0, "1 rules, 0 mistakes\n"));
    let model = dir.path().join("model.pkl");
    std::fs::copy(rules.join("samples/fires.pkl"), &model).expect("copied");
    let (code, text, _) = output(&["scan", &shown(&model), "--rules", &shown(&rules)]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("HSE001"), "{text}");
    let (_, page, _) = output(&["rules", "explain", "HSE001", "--rules", &shown(&rules)]);
    assert!(page.contains("# HSE001"), "{page}");
}

/// What `rules check` says of one file, or of several.
fn check(files: &[(&str, &str)]) -> (i32, String) {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let file = dir.path().join(name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        std::fs::write(file, text).expect("written");
    }
    let output = weighin().args(["rules", "check", &shown(dir.path())]).output().expect("it runs");
    (output.status.code().expect("it exits"), String::from_utf8(output.stdout).expect("UTF-8"))
}

#[test]
fn mistakes_in_rules_have_a_place() {
    let rule = block("toml");
    let line_of = |start: &str| rule.lines().position(|line| line.starts_with(start)).expect("a line") + 1;
    for (from, to, start, wanted) in [
        ("severity = \"high\"", "severity = \"worse\"", "severity", "12: unknown variant `worse`"),
        ("severity = ", "severty = ", "severity", "1: unknown field `severty`"),
        ("evidence = \"pickle.call\"", "evidence = \"pickle.cal\"", "evidence", "12: there is no evidence kind"),
        ("any = [", "policy = \"nonsense\"\nany = [", "any", "10: there is no class or set `nonsense`"),
        ("any = [", "any = [\"@nonsense\", ", "any", "7: there is no set `nonsense`"),
        ("id = \"HSE001\"", "id = \"PKL001\"", "id", "6: the id PKL001 is used twice"),
    ] {
        assert!(rule.contains(from), "{from}");
        let (code, text) = check(&[("a.toml", &rule.replace(from, to))]);
        assert_eq!(code, 1, "{text}");
        assert!(text.contains(&format!("a.toml:{}:{wanted}", line_of(start))), "{wanted} is not in {text}");
    }
    // Examples are run, and never leave the directory.
    let (code, text) = check(&[("a.toml", &rule), ("samples/fires.pkl", "hello\n"), ("samples/quiet.pkl", "hello\n")]);
    assert_eq!(code, 1);
    assert!(text.contains("HSE001: does not fire on samples/fires.pkl"), "{text}");
    let (_, text) = check(&[("a.toml", &rule)]);
    assert!(text.contains("example samples/fires.pkl: "), "{text}");
    let (_, text) = check(&[("a.toml", &rule.replace("samples/fires.pkl", "../../../etc/passwd"))]);
    assert!(text.contains("paths below the directory"), "{text}");
    assert_eq!(check(&[("readme", "")]).0, 1, "no rules");
    assert_eq!(output(&["rules", "check", "no/such/directory"]).0, 2);
}

#[test]
fn mistakes_in_yara_rules_have_a_place() {
    for (text, wanted) in [
        ("rule a { condition: true }\n\nrule b { condition: $x }", "a.yar:3:21: unknown pattern `$x`"),
        ("rule a {\n  condition: }", "a.yar:2:14: syntax error"),
        (
            "rule a { meta: id = \"HSE001\" remediation = \"x\" condition: true }",
            "a.yar:1:6: meta field `title` is missing",
        ),
        ("include \"/etc/passwd\"\nrule a { condition: true }", "a.yar:1:1: "),
    ] {
        let (code, said) = check(&[("a.yar", text)]);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(wanted), "{wanted} is not in {said}");
        assert!(!said.contains("root:"), "a file was read");
    }
    for module in ["pe", "elf", "math", "hash", "dotnet", "macho", "console", "time", "magic", "cuckoo", "vt"] {
        let (code, said) = check(&[("a.yar", &format!("\nimport \"{module}\"\nrule a {{ condition: true }}"))]);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(&format!("a.yar:2:1: unknown module `{module}`; weighin is built without")), "{said}");
    }
}
