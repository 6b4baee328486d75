//! Completions and manual pages: made from the declaration of the command
//! line, and complete.

use std::collections::BTreeSet;

use crate::cli::output;

/// Every command with subcommands below it, as words.
fn commands() -> Vec<Vec<String>> {
    let mut found = vec![Vec::new()];
    let mut at = 0;
    while let Some(command) = found.get(at).cloned() {
        let help = help(&command);
        let rows = help.split("\nCommands:\n").nth(1).unwrap_or_default().split("\n\n").next().unwrap_or_default();
        // What is indented further belongs to the row above.
        let rows = rows.lines().filter_map(|row| row.strip_prefix("  ")).filter(|row| !row.starts_with(' '));
        let names = rows.filter_map(|row| row.split_whitespace().next()).filter(|name| *name != "help");
        found.extend(names.map(|name| [command.clone(), vec![name.to_owned()]].concat()));
        at += 1;
    }
    found
}

fn help(command: &[String]) -> String {
    let mut words: Vec<&str> = command.iter().map(String::as_str).collect();
    words.push("--help");
    output(&words).1
}

/// The long flags that a help text declares.
fn flags(help: &str) -> BTreeSet<String> {
    let rows = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words = rows.flat_map(|row| row.split([' ', ',', '=', '[']).filter(|word| word.starts_with("--")));
    words.map(|word| word.trim_start_matches('-').to_owned()).filter(|flag| !flag.is_empty()).collect()
}

#[test]
fn commands_and_flags_are_known_here() {
    let commands = commands();
    assert!(commands.contains(&vec!["rules".to_owned(), "explain".to_owned()]), "{commands:?}");
    let scan = flags(&help(&["scan".to_owned()]));
    assert!(scan.contains("fail-on") && scan.contains("hf-cache") && scan.contains("help"), "{scan:?}");
}

#[test]
fn completions_know_every_command_and_flag() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (code, script, _) = output(&["completions", shell]);
        assert_eq!(code, 0, "{shell}");
        for command in commands() {
            let name = command.last().map_or("weighin", String::as_str);
            assert!(script.contains(name), "{shell} does not complete {name}");
            for flag in flags(&help(&command)) {
                let spelt = if shell == "fish" { format!("-l {flag}") } else { format!("--{flag}") };
                assert!(script.contains(&spelt), "{shell} does not complete --{flag} of {command:?}");
            }
        }
    }
    assert_eq!(output(&["completions", "tcsh"]).0, 2);
}

#[test]
fn every_command_has_a_page_with_every_flag() {
    let dir = tempfile::tempdir().expect("a directory");
    let pages = dir.path().join("man/man1");
    assert_eq!(output(&["man", &pages.to_string_lossy()]).0, 0);
    for command in commands() {
        let name = [vec!["weighin".to_owned()], command.clone()].concat().join("-");
        let page = std::fs::read_to_string(pages.join(format!("{name}.1"))).unwrap_or_default().replace("\\-", "-");
        assert!(page.contains(".SH SYNOPSIS"), "{name} has no page");
        for flag in flags(&help(&command)) {
            assert!(page.contains(&format!("--{flag}")), "the page of {name} does not have --{flag}");
        }
    }
}
