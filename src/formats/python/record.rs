//! What was noted while walking becomes evidence, once it is known when each
//! call runs.

use std::collections::{BTreeMap, BTreeSet};

use ruff_text_size::TextRange;

use crate::evidence::{Evidence, Kind, Span};
use crate::input::to_u64;
use crate::text;

use super::reach::{self, Scope};
use super::statements::{Call, Machine};
use super::watch;

impl Machine<'_, '_, '_, '_> {
    /// Turns what was noted into evidence, now that every scope is known.
    pub(super) fn record(&mut self) {
        let scopes = reach::scopes(&self.functions, &self.roots, &self.file);
        let outermost = self.outermost();
        let scope_of = |call: &Call| match call.within {
            Some(index) => scopes.get(index).copied().unwrap_or(Scope::Function),
            None if call.main => Scope::Main,
            None => outermost,
        };
        self.reverse_shells();
        let imports = std::mem::take(&mut self.imports);
        for ((module, at_import), range) in imports {
            let scope = if at_import { outermost } else { Scope::Function };
            let evidence = Evidence::new(Kind::PythonImport, module, span(range)).with("scope", scope.name());
            self.cx.push(evidence);
        }
        let mut seen = BTreeSet::new();
        for call in std::mem::take(&mut self.calls) {
            let scope = scope_of(&call);
            if !seen.insert((call.name.clone(), scope, call.rendered.clone())) {
                continue;
            }
            let mut evidence = Evidence::new(Kind::PythonCall, call.name.clone(), span(call.range))
                .with("scope", scope.name())
                .with("call", call.rendered.clone())
                .with("constant", call.constant.to_string());
            if let Some(program) = call.program {
                evidence = evidence.with("program", program);
            }
            if let Some(detail) = call.detail {
                evidence = evidence.with("detail", detail);
            }
            for (index, argument) in call.arguments.into_iter().enumerate() {
                evidence = evidence.with(format!("arg.{index}"), argument);
            }
            evidence = evidence.with("file", self.file.clone());
            self.cx.push(evidence);
        }
        for anomaly in std::mem::take(&mut self.anomalies) {
            let scope = scope_of(&anomaly);
            if !seen.insert((anomaly.name.clone(), scope, anomaly.rendered.clone())) {
                continue;
            }
            let evidence = Evidence::new(Kind::PythonAnomaly, anomaly.name.clone(), span(anomaly.range))
                .with("scope", scope.name())
                .with("detail", anomaly.detail.clone().unwrap_or_default())
                .with("call", anomaly.rendered.clone())
                .with("file", self.file.clone());
            self.cx.push(evidence);
        }
    }

    /// A socket that is connected and a shell that is started, in one place.
    fn reverse_shells(&mut self) {
        let mut places: BTreeMap<Option<usize>, (bool, Option<TextRange>)> = BTreeMap::new();
        for call in &self.calls {
            let place = places.entry(call.within).or_default();
            place.0 |= matches!(
                call.name.as_str(),
                "socket.socket.connect" | "socket.create_connection" | "socket.socket.connect_ex"
            );
            let shell = call.program.as_deref().is_some_and(|program| {
                matches!(program, "sh" | "bash" | "zsh" | "cmd" | "powershell" | "ash" | "dash")
            });
            if call.name == "os.dup2" || call.name == "pty.spawn" || shell && watch::is_process(&call.name) {
                place.1 = Some(call.range);
            }
        }
        for (within, (connects, shell)) in places {
            if let (true, Some(range)) = (connects, shell) {
                self.current = within;
                self.anomaly("reverse-shell", "a socket becomes the input and output of a shell", range);
            }
        }
    }

    /// Notes a construct that hides what it does.
    pub(super) fn anomaly(&mut self, what: &str, detail: &str, range: TextRange) {
        if self.quiet > 0 {
            return;
        }
        let call = Call {
            name: what.to_owned(),
            rendered: self.rendered(range),
            arguments: Vec::new(),
            constant: false,
            program: None,
            detail: Some(text::excerpt(detail, 160)),
            range,
            within: self.current,
            main: self.main,
        };
        self.anomalies.push(call);
    }

    /// The source between two offsets, on one line.
    pub(super) fn rendered(&self, range: TextRange) -> String {
        let from = usize::try_from(range.start().to_u32()).unwrap_or(usize::MAX);
        let to = usize::try_from(range.end().to_u32()).unwrap_or(usize::MAX);
        text::excerpt(
            self.source
                .get(from..to.min(from.saturating_add(4096)))
                .or_else(|| self.source.get(from..to))
                .unwrap_or_default(),
            200,
        )
    }
}

fn span(range: TextRange) -> Span {
    Span::new(u64::from(range.start().to_u32()), to_u64(usize::try_from(range.len().to_u32()).unwrap_or(0)))
}
