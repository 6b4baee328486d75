//! Classes whose `__setstate__` runs part of the state that BUILD gives them.

use super::machine::Machine;
use super::value::Value;
use crate::engine::Cx;
use crate::evidence::{Evidence, Kind as Fact};

/// Key of the source text that scipy's distributions run when their state is
/// set (`scipy/stats/_distn_infrastructure.py`, `_attach_argparser_methods`).
const SCIPY_TEMPLATE: &str = "_parse_arg_template";

/// Reports state that its class is going to run.
pub(super) fn report_state(machine: &mut Machine<'_>, class: &str, state: Value, cx: &mut Cx<'_, '_>) {
    if !class.starts_with("scipy.stats.") {
        return;
    }
    let key = machine.arena.text(SCIPY_TEMPLATE.to_owned());
    let Some(source) = machine.item(state, key).and_then(|value| machine.text_of(value)) else { return };
    let foreign = source.lines().find(|line| !is_template_line(line)).unwrap_or_default().to_owned();
    let evidence = Evidence::new(Fact::PickleState, class, machine.span_here());
    cx.push(evidence.with("runs", "source").with("foreign", foreign));
}

/// Whether a line is one of those that scipy itself generates: `def
/// _parse_args...(self, names):` or `return` of a tuple of names.
fn is_template_line(line: &str) -> bool {
    let trimmed = line.trim();
    if trimmed.is_empty() {
        return true;
    }
    let known = ["def _parse_args_rvs(self", "def _parse_args_stats(self", "def _parse_args(self"];
    let body = match known.iter().find_map(|start| line.strip_prefix(start)) {
        Some(arguments) => arguments.strip_suffix("):").unwrap_or("("),
        None => match trimmed.strip_prefix("return ") {
            Some(result) => {
                result.strip_prefix("self._argcheck_rvs(").map_or(result, |rest| rest.trim_end_matches(')'))
            }
            None => return false,
        },
    };
    // One tuple in parentheses at the most, and no call: a parenthesis never
    // follows a name.
    let mut before = ' ';
    body.chars().all(|c| {
        let plain = c.is_ascii_alphanumeric() || matches!(c, '_' | ' ' | ',' | '=' | '.' | '\'' | '(' | ')' | '-');
        let call = c == '(' && !matches!(before, ' ' | ',');
        before = c;
        plain && !call
    })
}
