//! The effective policy as text: itself a policy file, with the origin of each
//! value as a comment.

use std::fmt::Write as _;

use crate::limits::Limits;
use crate::policy::{Origin, Policy, Setting};
use crate::report::sanitise;

impl Policy {
    /// Every value in force, and where it came from.
    pub fn show(&self) -> String {
        let mut out = String::new();
        let file = self.file.as_ref().map_or("none".to_owned(), |file| file.display().to_string());
        let _ = writeln!(out, "# policy file: {}\n", sanitise(&file));
        let mut row = |key: &str, value: String, origin| self.row(&mut out, key, &value, origin);
        row("fail-on", quoted(self.fail_on.value.name()), self.fail_on.origin);
        for (key, setting) in [
            ("allow-incomplete", &self.allow_incomplete),
            ("strict", &self.strict),
            ("trust-known-good", &self.trust_known_good),
        ] {
            row(key, setting.value.to_string(), setting.origin);
        }
        self.list(&mut out, "allow-imports", &self.allow_imports, Clone::clone);
        self.list(&mut out, "allow-operator-domains", &self.allow_operator_domains, Clone::clone);
        self.list(&mut out, "exclude", &self.exclude, Clone::clone);
        for (key, paths) in [("rules", &self.rules), ("known-bad", &self.known_bad), ("known-good", &self.known_good)] {
            self.list(&mut out, key, paths, |path| path.display().to_string());
        }
        out.push_str("\n[severity]\n");
        for (id, severity) in &self.severity {
            self.row(&mut out, &quoted(id), &quoted(severity.value.name()), severity.origin);
        }
        out.push_str("\n[limits]\n");
        for (name, value, ..) in Limits::default().list() {
            let set = self.limits.get(&name);
            let origin = set.map_or(Origin::Default, |set| set.origin);
            self.row(&mut out, &name, &set.map_or(value, |set| set.value).to_string(), origin);
        }
        for entry in &self.suppress {
            let _ = writeln!(out, "\n[[suppress]]  # {}", self.origin(entry.origin));
            let mut part = |key: &str, value: &str| {
                let _ = writeln!(out, "{key} = {}", quoted(value));
            };
            part("rule", &entry.rule);
            entry.path.iter().for_each(|path| part("path", path));
            entry.sha256.iter().for_each(|sha256| part("sha256", sha256));
            part("reason", &entry.reason);
            entry.expires.iter().for_each(|day| part("expires", &day.to_string()));
        }
        out
    }

    fn list<T>(&self, out: &mut String, key: &str, settings: &[Setting<T>], text: impl Fn(&T) -> String) {
        if settings.is_empty() {
            return self.row(out, key, "[]", Origin::Default);
        }
        let _ = writeln!(out, "{key} = [");
        for setting in settings {
            let _ = writeln!(out, "    {},  # {}", quoted(&text(&setting.value)), self.origin(setting.origin));
        }
        out.push_str("]\n");
    }

    fn row(&self, out: &mut String, key: &str, value: &str, origin: Origin) {
        let _ = writeln!(out, "{:<32}# {}", format!("{key} = {value}"), self.origin(origin));
    }

    fn origin(&self, origin: Origin) -> String {
        match (origin, &self.file) {
            (Origin::File(position), Some(file)) => {
                format!("{}:{}", sanitise(&file.file_name().unwrap_or_default().to_string_lossy()), position.line)
            }
            (Origin::CommandLine, _) => "command line".to_owned(),
            _ => "default".to_owned(),
        }
    }
}

/// A TOML string; what a terminal could obey is escaped.
fn quoted(text: &str) -> String {
    format!("\"{}\"", sanitise(&text.replace('\\', "\\\\").replace('"', "\\\"")))
}
