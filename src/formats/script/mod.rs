//! Shell, batch and PowerShell scripts: recognised for what they are, and read
//! for commands that fetch and run, open a shell to elsewhere, or destroy.

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match, requirements};
use crate::input::{Input, to_u64};
use crate::stop::Stop;
use crate::text::{self, shell};

/// Reads scripts: see [`Format`].
#[derive(Debug)]
pub struct Script;

const NAMED: &[&str] = &[".sh", ".bash", ".zsh", ".bat", ".cmd", ".ps1", ".psm1", ".fish", ".ksh", ".command", ".vbs"];

/// Files whose lines a tool hands to a shell.
const WHOLE: &[&str] = &[
    ".envrc",
    "containerfile",
    "dockerfile",
    "gnumakefile",
    "jenkinsfile",
    "justfile",
    "makefile",
    "postbuild",
    "procfile",
    "tox.ini",
];

/// Those of them that say how an image is built.
const IMAGES: &[&str] = &["containerfile", "dockerfile"];

impl Format for Script {
    fn name(&self) -> &'static str {
        "script"
    }

    fn about(&self) -> About {
        About {
            title: "Shell, batch and PowerShell scripts",
            extensions: &[".sh", ".bat", ".ps1"],
            reads: "the interpreter, and commands that fetch and run, open a shell to elsewhere, or destroy",
            leaves_out: "what a script does step by step",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if head.len == 0 || text::encoding(head.first, true).is_none() {
            return Match::No;
        }
        let line = head.first.get(..head.first.len().min(256)).unwrap_or_default();
        let interpreted =
            line.starts_with(b"#!") && line.get(2..).is_some_and(|rest| rest.trim_ascii_start().starts_with(b"/"));
        let batch = line.to_ascii_lowercase().starts_with(b"@echo off");
        let named = NAMED.iter().any(|ending| head.name.ends_with(ending)) || WHOLE.contains(&head.name);
        if interpreted {
            Match::Magic
        } else if batch || named {
            Match::Likely
        } else {
            Match::No
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let outcome = read(input, cx);
        text::keep_limit(outcome, cx)
    }
}

fn read(input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let bytes = text::source(input, cx.limits().source_bytes)?;
    let source = text::decode(&bytes).into_owned();
    let first = source.lines().next().unwrap_or_default();
    let interpreter = first.strip_prefix("#!").map_or("shell", |rest| {
        let mut words = rest.split_whitespace();
        let program = words.next().unwrap_or_default();
        let program = if program.ends_with("/env") { words.next().unwrap_or(program) } else { program };
        program.rsplit('/').next().unwrap_or(program)
    });
    cx.push(Evidence::new(Kind::EmbeddedScript, text::excerpt(interpreter, 40), Span::at(0)).with("where", "file"));
    let mut at = 0;
    for line in source.split_inclusive('\n') {
        requirements::installed(line.trim(), at, cx);
        at = at.saturating_add(to_u64(line.len()));
    }
    let name = cx.name().rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
    let image = IMAGES.contains(&name.as_str());
    for (at, act) in shell::acts(&source) {
        cx.charge(1, to_u64(at))?;
        let line = source.get(at..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        if image && act.what == "startup" && shell::stays_in_image(line) {
            continue;
        }
        cx.push(
            Evidence::new(Kind::ShellCommand, act.what, Span::new(to_u64(at), to_u64(line.len())))
                .with("command", text::excerpt(line, 160))
                .with("source", act.source)
                .with("transport", act.transport)
                .with("where", "script"),
        );
    }
    Ok(())
}
