//! Code that runs without a call in the stream: classes whose `__setstate__`
//! runs part of their state, and special methods of classes made in the stream.

use super::machine::Machine;
use super::value::{Node, Shape, Value};
use crate::engine::Cx;
use crate::evidence::{Evidence, Kind as Fact};

/// Key of the source text that scipy's distributions run when their state is
/// set (`scipy/stats/_distn_infrastructure.py`, `_attach_argparser_methods`).
const SCIPY_TEMPLATE: &str = "_parse_arg_template";

/// Reports state that its class is going to run. Whether it is the arguments of
/// a constructor.
pub(super) fn report_state(machine: &mut Machine<'_>, class: &str, state: Value, cx: &mut Cx<'_, '_>) -> bool {
    if class.ends_with("NDArrayWrapper") {
        report_companion(machine, class, state, cx);
    }
    if class.starts_with("statsmodels.") {
        report_formula(machine, class, state, cx);
    }
    if class.starts_with("formulaic.") {
        report_factor(machine, class, state, cx);
    }
    if !class.starts_with("scipy.stats.") {
        return report_source(machine, class, state, cx);
    }
    let key = machine.arena.text(SCIPY_TEMPLATE.to_owned());
    let Some(source) = machine.item(state, key).and_then(|value| machine.text_of(value)) else { return false };
    let foreign = source.lines().find(|line| !is_template_line(line)).unwrap_or_default().to_owned();
    let evidence = Evidence::new(Fact::PickleState, class, machine.span_here());
    cx.push(evidence.with("runs", "source").with("foreign", foreign));
    false
}

/// Keys with which statsmodels asks for its formula to be evaluated anew when
/// the state is set (`statsmodels/base/data.py`, `__setstate__`).
const FORMULA_RESTORED: &[&str] = &["restore_model_spec", "restore_design_info"];

/// Reports the formula that a data object of statsmodels evaluates.
fn report_formula(machine: &Machine<'_>, class: &str, state: Value, cx: &mut Cx<'_, '_>) {
    let items = machine.arena.items(state, STATE_ITEMS);
    let is_dict = matches!(machine.arena.get(state), Some(Node::Container { shape: Shape::Dict, .. }));
    let pairs: Vec<(Option<String>, Value)> = items
        .chunks(2)
        .filter_map(|pair| match pair {
            [key, value] => Some((machine.text_of(*key), *value)),
            _ => None,
        })
        .collect();
    let is_data = class.starts_with("statsmodels.base.data.");
    let unreadable = !is_dict || items.len() >= STATE_ITEMS || pairs.iter().any(|(key, _)| key.is_none());
    let restored = pairs.iter().any(|(key, _)| key.as_deref().is_some_and(|key| FORMULA_RESTORED.contains(&key)));
    let foreign = if is_data && unreadable {
        Some("a state that is no plain dictionary".to_owned())
    } else if restored && pairs.iter().any(|(_, value)| machine.is_carried_object(*value)) {
        // Its columns are joined by a method of theirs.
        Some("an object of a class that the file carries".to_owned())
    } else if restored {
        let formula = pairs.iter().rev().find(|(key, _)| key.as_deref() == Some("formula"));
        formula.and_then(|(_, value)| match machine.text_of(*value) {
            Some(text) => super::formula::foreign(&text),
            None => Some(machine.render(*value)),
        })
    } else {
        return;
    };
    let evidence = Evidence::new(Fact::PickleState, class, machine.span_here());
    cx.push(evidence.with("runs", "formula").with("foreign", foreign.unwrap_or_default()));
}

/// Keys under which formulaic keeps text that it evaluates when a model
/// predicts (`formulaic/materializers/base.py`, `_evaluate_factor`).
const FORMULAIC_TEXTS: &[&str] = &["expr", "formula", "token"];

/// Reports the text that a part of a formula is evaluated by.
fn report_factor(machine: &Machine<'_>, class: &str, state: Value, cx: &mut Cx<'_, '_>) {
    let mut texts = Vec::new();
    let mut methods = Vec::new();
    // Slots come second, behind a dictionary or nothing.
    let halves = match machine.arena.get(state) {
        Some(Node::Container { shape: Shape::Tuple, .. }) => machine.arena.items(state, 2),
        _ => vec![state],
    };
    for half in halves {
        let items = machine.arena.items(half, STATE_ITEMS);
        let is_dict = matches!(machine.arena.get(half), Some(Node::Container { shape: Shape::Dict, .. }));
        if half != Value::NONE && !is_dict || items.len() >= STATE_ITEMS {
            texts.push(Err("a state that is no plain dictionary".to_owned()));
        }
        for pair in items.chunks(2) {
            let [key, value] = pair else { continue };
            match machine.text_of(*key).as_deref() {
                Some("_eval_method") => methods.push(*value),
                Some(key) if FORMULAIC_TEXTS.contains(&key) => texts.push(match machine.text_of(*value) {
                    Some(text) => Ok(text),
                    // Parts of a formula are objects, too; the text of a factor is none.
                    None if key == "expr" => Err(machine.render(*value)),
                    None => continue,
                }),
                Some(_) => {}
                None => texts.push(Err("a state whose keys can't be told".to_owned())),
            }
        }
    }
    let looked_up = !methods.is_empty() && methods.iter().all(|method| is_lookup(machine, *method));
    if !methods.is_empty() && !looked_up && texts.is_empty() {
        texts.push(Err("another way to evaluate the text that it has".to_owned()));
    }
    let looked_up = looked_up && class == FACTOR;
    let foreign = texts.into_iter().find_map(|text| match text {
        Ok(_) if looked_up => None,
        Ok(text) => super::formula::foreign(&text),
        Err(odd) => Some(odd),
    });
    let evidence = Evidence::new(Fact::PickleState, class, machine.span_here());
    cx.push(evidence.with("runs", "formula").with("foreign", foreign.unwrap_or_default()));
}

/// The part of a formula that has a text.
const FACTOR: &str = "formulaic.parser.types.factor.Factor";

/// Whether this is the member of the enumeration that says that a text names a
/// column or is a constant, and nothing is evaluated.
fn is_lookup(machine: &Machine<'_>, member: Value) -> bool {
    let name = match machine.arena.get(member) {
        // By its value, as Python before 3.11 and after 3.11 writes it.
        Some(Node::Call { callee, args, .. }) => {
            let member = machine.arena.items(*args, 1).first().and_then(|name| machine.text_of(*name));
            machine.name_of(*callee).zip(member).map(|(class, member)| format!("{class}.{member}"))
        }
        _ => machine.name_of(member).map(str::to_owned),
    };
    let member = name.as_deref().and_then(|name| name.strip_prefix(FACTOR)?.strip_prefix(".EvalMethod."));
    member.is_some_and(|member| ["literal", "lookup"].contains(&member.to_lowercase().as_str()))
}

/// Reports what stands in for a part of a formula: formulaic asks no object
/// for its class.
pub(super) fn report_factors(machine: &Machine<'_>, cx: &mut Cx<'_, '_>) {
    if !machine.names.any_below("formulaic.") {
        return;
    }
    let mut states: Vec<(u32, Value)> = machine.states.iter().map(|(node, state)| (*node, *state)).collect();
    states.extend_from_slice(&machine.former_states);
    states.sort_unstable_by_key(|(node, _)| *node);
    for (node, state) in states {
        let object = Value::node(node);
        let Some(Node::Call { callee, .. }) = machine.arena.get(object) else { continue };
        let class = machine.name_of(*callee).map_or_else(|| machine.render(*callee), str::to_owned);
        let halves = machine.arena.items(state, STATE_ITEMS);
        let keys = halves.iter().flat_map(|half| machine.arena.items(*half, STATE_ITEMS)).chain(halves.iter().copied());
        let mut keys = keys.filter_map(|key| machine.text_of(key));
        if !class.starts_with("formulaic.") && keys.any(|key| key == "expr") {
            report_factor(machine, &class, state, cx);
        }
    }
}

/// Reports the file that joblib before 0.10 reads an array from, pickled
/// objects included (`joblib/numpy_pickle_compat.py`).
fn report_companion(machine: &mut Machine<'_>, class: &str, state: Value, cx: &mut Cx<'_, '_>) {
    let key = machine.arena.text("filename".to_owned());
    let Some(path) = machine.item(state, key).and_then(|value| machine.text_of(value)) else { return };
    let leads = crate::formats::reference::classify(&path);
    let evidence = Evidence::new(Fact::ReferencePath, leads, machine.span_here());
    cx.push(evidence.with("path", path).with("by", class));
}

/// Reports Python source among the values of a state; most classes only keep
/// it. Whether the state holds the arguments of a constructor.
fn report_source(machine: &Machine<'_>, class: &str, state: Value, cx: &mut Cx<'_, '_>) -> bool {
    let mut constructs = false;
    for value in machine.arena.items(state, STATE_ITEMS) {
        let Some(text) = machine.text_of(value) else { continue };
        constructs |= text == "_ezpickle_args";
        if !text.contains('\n') {
            continue;
        }
        let code = text.lines().find(|line| {
            ["import ", "from ", "def ", "class ", "exec(", "eval("].iter().any(|start| line.starts_with(start))
        });
        if let Some(line) = code {
            let evidence = Evidence::new(Fact::PickleState, class, machine.span_here());
            cx.push(evidence.with("holds", "source").with("line", line.trim().to_owned()));
            break;
        }
    }
    constructs
}

/// Values of one state that are looked at for source.
const STATE_ITEMS: usize = 256;

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

/// Callables that make a class of a name, bases and a dictionary.
const CLASS_MAKERS: &[&str] = &[
    "builtins.type",
    "builtins.type.__new__",
    "types.new_class",
    "abc.ABCMeta",
    "enum.EnumMeta",
    "enum.EnumType",
    "typing.NamedTupleMeta",
    "typing._ProtocolMeta",
];

/// Values of a class dictionary that are looked at.
const MEMBERS: usize = 4096;

/// Reports a class that the call of `maker` makes: its special methods, which
/// the next operation on an object of it calls, and what they are.
pub(super) fn report_class(machine: &mut Machine<'_>, maker: &str, args: &[Value], cx: &mut Cx<'_, '_>) {
    if !CLASS_MAKERS.contains(&maker) || args.len() < 3 {
        return;
    }
    let name = args.iter().find_map(|arg| machine.text_of(*arg)).unwrap_or_else(|| "<unknown>".to_owned());
    let dictionary = args
        .iter()
        .rev()
        .copied()
        .find(|arg| matches!(machine.arena.get(*arg), Some(Node::Container { shape: Shape::Dict, .. })));
    let items = dictionary.map(|dictionary| machine.arena.items(dictionary, MEMBERS)).unwrap_or_default();
    let mut special = Vec::new();
    let mut holds = Vec::new();
    for pair in items.chunks(2) {
        let [key, value] = pair else { continue };
        let Some(key) = machine.text_of(*key) else { continue };
        let held = match machine.arena.get(*value) {
            Some(Node::Global(_) | Node::Attribute { .. }) => machine.target(*value).name,
            // A property, partial or the like around something.
            Some(Node::Call { .. }) => Some(machine.render(*value)),
            _ => None,
        };
        if let Some(held) = held {
            let is_special = key.len() > 4 && key.starts_with("__") && key.ends_with("__");
            if is_special || held.contains('(') {
                special.push(key);
                holds.push(held);
            }
        }
    }
    let evidence = Evidence::new(Fact::PickleClass, name, machine.span_here());
    cx.push(evidence.with("special", special.join(", ")).with("holds", holds.join(", ")));
}

/// Reports a format string whose fields walk attributes or items: formatting
/// then reads what it names.
pub(super) fn report_format(machine: &mut Machine<'_>, name: &str, args: &[Value], cx: &mut Cx<'_, '_>) {
    let formats = [
        "builtins.str.format",
        "builtins.str.format_map",
        "builtins.format",
        "string.Formatter.format",
        "string.Formatter.vformat",
    ];
    if !formats.contains(&name) {
        return;
    }
    let texts = args.iter().take(2).filter_map(|arg| machine.text_of(*arg));
    let walks = texts.flat_map(|text| text.split('{').skip(1).map(str::to_owned).collect::<Vec<_>>()).any(|field| {
        let field = field.split(['}', ':', '!']).next().unwrap_or_default();
        field.contains(['.', '['])
    });
    if walks {
        machine.anomaly("format-field-walks", cx);
    }
}
