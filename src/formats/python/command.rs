//! Commands that a source hands to the system, and what they would do.

use ruff_text_size::TextRange;

use crate::text::shell;

use super::statements::Machine;
use super::value::{PARTIAL, Val, What};

/// The program that a command starts; empty when it is not known.
pub(super) fn program(command: Option<&Val<'_>>) -> String {
    match command.map(|command| &command.what) {
        Some(What::Str(_)) if command.is_some_and(|command| command.marks & PARTIAL != 0) => String::new(),
        Some(What::Str(text)) => shell::programs(text),
        Some(What::Bytes(bytes)) => shell::programs(&String::from_utf8_lossy(bytes)),
        Some(What::List(items)) => {
            let words = words(items);
            match words.as_slice() {
                [first, rest @ ..] => of_words(first, rest),
                [] => String::new(),
            }
        }
        Some(What::Name(name)) if name.as_ref() == "sys.executable" => "python".to_owned(),
        _ => String::new(),
    }
}

fn words(items: &[Val<'_>]) -> Vec<String> {
    let word = |item: &Val<'_>| match item.as_name() {
        Some("sys.executable") => "python".to_owned(),
        _ => item.as_text().filter(|_| item.marks & PARTIAL == 0).unwrap_or_default(),
    };
    items.iter().map(word).collect()
}

/// A list of arguments: no shell takes it apart.
fn of_words(first: &str, rest: &[String]) -> String {
    let program = shell::program(first);
    let words: Vec<&str> = rest.iter().map(String::as_str).collect();
    shell::named(&program, &words)
}

impl<'a> Machine<'a, '_, '_, '_> {
    /// Notes what a command does beyond starting a program.
    pub(super) fn command(&mut self, command: &Val<'a>, range: TextRange) {
        let text = match &command.what {
            What::List(items) => words(items).join(" "),
            _ => command.as_text().unwrap_or_default(),
        };
        for line in text.lines() {
            for act in shell::line_acts(line) {
                match act.what {
                    // An installer that a maker names is fetched by honest code.
                    "fetch-run" if act.transport != "open" || act.source.is_empty() => {}
                    "fetch-run" => self.anomaly("fetched-command", &act.source, range),
                    "decode-run" => self.anomaly("encoded-command", line, range),
                    "reverse-shell" => self.anomaly("reverse-shell", line, range),
                    "startup" => self.anomaly("startup-write", line, range),
                    "destroy" => self.anomaly("destroys", line, range),
                    _ => {}
                }
            }
            if let Some(open) = shell::installs(line) {
                self.anomaly(if open { "installs-open" } else { "installs" }, line, range);
            }
        }
    }
}
