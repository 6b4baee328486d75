//! YARA rules that need content whole.
//!
//! Content above the memory limit is scanned block by block, and there yara-x
//! takes `filesize` and `uint32()` for undefined: a rule that uses them would
//! be false without a word. What can be known is worked out here: most such
//! rules say early that they are about small files or about another format,
//! and so can't match. The others are reported as not evaluated.

use std::collections::BTreeMap;

use yara_x_parser::ast::dfs::{DFSEvent, DFSIter};
use yara_x_parser::ast::{AST, Expr, RuleFlags};

use crate::input::Input;

/// The conditions of rules that need content whole, and of those that these
/// refer to.
#[derive(Debug, Default)]
pub(super) struct Whole {
    rules: BTreeMap<String, Condition>,
    globals: Vec<String>,
}

#[derive(Debug)]
struct Condition {
    node: Node,
    /// What it needs of the whole content, in its own words and those of the
    /// rules that it refers to.
    needs: Vec<String>,
    private: bool,
}

/// As much of a condition as can be known without searching.
#[derive(Debug)]
enum Node {
    Unknown,
    Is(Value),
    FileSize,
    /// `uint16be(offset)` and its kin.
    Read {
        bytes: usize,
        signed: bool,
        big_endian: bool,
        offset: Box<Node>,
    },
    Rule(String),
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Compare(fn(&i64, &i64) -> bool, Box<(Node, Node)>),
    Compute(fn(i64, i64) -> Option<i64>, Vec<Node>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Bool(bool),
    Number(i64),
}

impl Value {
    fn is_true(self) -> bool {
        self != Self::Bool(false) && self != Self::Number(0)
    }
}

impl Whole {
    /// Takes notes of a file's rules. Rules refer to those before them only.
    pub(super) fn add(&mut self, file: &AST<'_>) {
        for rule in file.rules() {
            let mut needs = needs(&rule.condition);
            for other in references(&rule.condition).filter_map(|name| self.rules.get(name)) {
                needs.extend(other.needs.iter().cloned());
            }
            needs.sort();
            needs.dedup();
            let name = rule.identifier.name.to_owned();
            if rule.flags.contains(RuleFlags::Global) {
                self.globals.push(name.clone());
            }
            let private = rule.flags.contains(RuleFlags::Private);
            self.rules.insert(name, Condition { node: Node::of(&rule.condition), needs, private });
        }
    }

    /// What a rule needs, that of the global rules included.
    fn needs<'w>(&'w self, rule: &'w Condition) -> Vec<&'w str> {
        let globals = self.globals.iter().filter_map(|name| self.rules.get(name));
        let mut needs: Vec<&str> = globals.chain([rule]).flat_map(|rule| &rule.needs).map(String::as_str).collect();
        needs.sort_unstable();
        needs.dedup();
        needs
    }

    /// The rules that can't be judged on `input` from blocks of it, and what
    /// they need; those that can't match, whatever is searched for, aside.
    /// The second list has the latter.
    pub(super) fn undecided(&self, input: &Input) -> (Vec<Undecided<'_>>, Vec<&str>) {
        let mut known = BTreeMap::new();
        let (mut undecided, mut impossible) = (Vec::new(), Vec::new());
        // Rules are few where none needs anything.
        let gate = self.globals.iter().any(|name| self.value(name, input, &mut known) == Some(false));
        for (name, rule) in &self.rules {
            let needs = self.needs(rule);
            if needs.is_empty() {
                continue;
            }
            if gate || self.value(name, input, &mut known) == Some(false) {
                impossible.push(name.as_str());
            } else if !rule.private {
                undecided.push(Undecided { rule: name, needs });
            }
        }
        (undecided, impossible)
    }

    /// Whether the rule is true on `input`, where that can be known.
    fn value<'w>(&'w self, name: &'w str, input: &Input, known: &mut BTreeMap<&'w str, Option<bool>>) -> Option<bool> {
        if let Some(value) = known.get(name) {
            return *value;
        }
        // Nothing refers to itself; should it, it is unknown.
        known.insert(name, None);
        let value = self.rules.get(name).and_then(|rule| self.eval(&rule.node, input, known)).map(Value::is_true);
        known.insert(name, value);
        value
    }

    fn eval<'w>(&'w self, node: &'w Node, input: &Input, known: &mut BTreeMap<&'w str, Option<bool>>) -> Option<Value> {
        let mut truth = |node: &'w Node| self.eval(node, input, known).map(Value::is_true);
        let number = |value: Option<Value>| match value {
            Some(Value::Number(number)) => Some(number),
            _ => None,
        };
        match node {
            Node::Unknown => None,
            Node::Is(value) => Some(*value),
            Node::FileSize => i64::try_from(input.len()).ok().map(Value::Number),
            Node::Read { bytes, signed, big_endian, offset } => {
                let offset = u64::try_from(number(self.eval(offset, input, known))?).ok()?;
                read(input, offset, *bytes, *signed, *big_endian).map(Value::Number)
            }
            Node::Rule(name) => self.value(name, input, known).map(Value::Bool),
            Node::Not(operand) => truth(operand).map(|truth| Value::Bool(!truth)),
            Node::And(operands) => {
                let truths: Vec<Option<bool>> = operands.iter().map(truth).collect();
                decide(&truths, false)
            }
            Node::Or(operands) => {
                let truths: Vec<Option<bool>> = operands.iter().map(truth).collect();
                decide(&truths, true)
            }
            Node::Compare(compare, sides) => {
                let left = number(self.eval(&sides.0, input, known))?;
                let right = number(self.eval(&sides.1, input, known))?;
                Some(Value::Bool(compare(&left, &right)))
            }
            Node::Compute(compute, operands) => {
                let mut numbers = operands.iter().map(|operand| number(self.eval(operand, input, known)));
                let first = numbers.next()??;
                numbers.try_fold(first, |sum, next| compute(sum, next?)).map(Value::Number)
            }
        }
    }
}

/// A rule that blocks don't decide.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Undecided<'w> {
    pub rule: &'w str,
    pub needs: Vec<&'w str>,
}

/// `or` when one operand is `deciding` true, `and` when one is false.
fn decide(truths: &[Option<bool>], deciding: bool) -> Option<Value> {
    if truths.contains(&Some(deciding)) {
        Some(Value::Bool(deciding))
    } else if truths.contains(&None) {
        None
    } else {
        Some(Value::Bool(!deciding))
    }
}

fn read(input: &Input, offset: u64, bytes: usize, signed: bool, big_endian: bool) -> Option<i64> {
    let mut buffer = [0; 4];
    let buffer = buffer.get_mut(..bytes)?;
    if input.read_at(offset, buffer).ok()? != bytes {
        return None;
    }
    if !big_endian {
        buffer.reverse();
    }
    let value = buffer.iter().fold(0_i64, |value, byte| value << 8 | i64::from(*byte));
    let sign = 1_i64 << (bytes * 8 - 1);
    Some(if signed && value & sign != 0 { value - (sign << 1) } else { value })
}

/// Every expression of a condition, however deep.
fn expressions<'e>(condition: &'e Expr<'e>) -> impl Iterator<Item = &'e Expr<'e>> {
    DFSIter::new(condition).filter_map(|event| match event {
        DFSEvent::Enter(expression) => Some(expression),
        DFSEvent::Leave(_) => None,
    })
}

fn needs(condition: &Expr<'_>) -> Vec<String> {
    let need = |expression: &Expr<'_>| match expression {
        Expr::Filesize { .. } => Some("filesize".to_owned()),
        Expr::Entrypoint { .. } => Some("entrypoint".to_owned()),
        Expr::FuncCall(call) if call.object.is_none() && reader(call.identifier.name).is_some() => {
            Some(format!("{}()", call.identifier.name))
        }
        _ => None,
    };
    expressions(condition).filter_map(need).collect()
}

fn references<'e>(condition: &'e Expr<'e>) -> impl Iterator<Item = &'e str> {
    expressions(condition).filter_map(|expression| match expression {
        Expr::Ident(identifier) => Some(identifier.name),
        _ => None,
    })
}

/// Bytes, sign and order of what a function reads.
fn reader(name: &str) -> Option<(usize, bool, bool)> {
    let (name, big_endian) = name.strip_suffix("be").map_or((name, false), |name| (name, true));
    let (digits, signed) = match name.strip_prefix("uint") {
        Some(digits) => (digits, false),
        None => (name.strip_prefix("int")?, true),
    };
    let bytes = match digits {
        "8" => 1,
        "16" => 2,
        "32" => 4,
        _ => return None,
    };
    Some((bytes, signed, big_endian))
}

impl Node {
    fn of(expression: &Expr<'_>) -> Self {
        let all = |operands: &[Expr<'_>]| operands.iter().map(Self::of).collect::<Vec<_>>();
        let both =
            |binary: &yara_x_parser::ast::BinaryExpr<'_>| Box::new((Self::of(&binary.lhs), Self::of(&binary.rhs)));
        match expression {
            Expr::True { .. } => Self::Is(Value::Bool(true)),
            Expr::False { .. } => Self::Is(Value::Bool(false)),
            Expr::Filesize { .. } => Self::FileSize,
            Expr::LiteralInteger(literal) if !literal.is_unsigned => Self::Is(Value::Number(literal.value)),
            Expr::Ident(identifier) => Self::Rule(identifier.name.to_owned()),
            Expr::FuncCall(call) => match (reader(call.identifier.name), call.args.as_slice()) {
                (Some((bytes, signed, big_endian)), [offset]) if call.object.is_none() => {
                    Self::Read { bytes, signed, big_endian, offset: Box::new(Self::of(offset)) }
                }
                _ => Self::Unknown,
            },
            Expr::Not(unary) => Self::Not(Box::new(Self::of(&unary.operand))),
            Expr::And(operands) => Self::And(all(operands.as_slice())),
            Expr::Or(operands) => Self::Or(all(operands.as_slice())),
            Expr::Eq(binary) => Self::Compare(i64::eq, both(binary)),
            Expr::Ne(binary) => Self::Compare(i64::ne, both(binary)),
            Expr::Lt(binary) => Self::Compare(i64::lt, both(binary)),
            Expr::Gt(binary) => Self::Compare(i64::gt, both(binary)),
            Expr::Le(binary) => Self::Compare(i64::le, both(binary)),
            Expr::Ge(binary) => Self::Compare(i64::ge, both(binary)),
            Expr::Add(operands) => Self::Compute(i64::checked_add, all(operands.as_slice())),
            Expr::Sub(operands) => Self::Compute(i64::checked_sub, all(operands.as_slice())),
            Expr::Mul(operands) => Self::Compute(i64::checked_mul, all(operands.as_slice())),
            Expr::BitwiseAnd(binary) => {
                let sides = both(binary);
                Self::Compute(|left, right| Some(left & right), vec![sides.0, sides.1])
            }
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AST, Input, Whole};

    /// The embedded rules scan blocks and whole content alike: they use
    /// nothing that only the latter has.
    #[test]
    fn embedded_rules_need_nothing_whole() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/yara");
        let mut rules = 0;
        for entry in std::fs::read_dir(folder).expect("readable") {
            let text = std::fs::read_to_string(entry.expect("readable").path()).expect("readable");
            let file = AST::from(text.as_str());
            assert!(file.errors().is_empty() && file.imports().next().is_none());
            let mut whole = Whole::default();
            whole.add(&file);
            let (undecided, impossible) = whole.undecided(&Input::from(&b""[..]));
            assert!(undecided.is_empty() && impossible.is_empty(), "{undecided:?} {impossible:?}");
            rules += whole.rules.len();
        }
        assert!(rules > 0);
    }

    /// What is known of a condition about a file of 100 bytes that begins
    /// with `MZ`: `-` can't match, `?` is not decided, `.` needs nothing.
    #[test]
    fn conditions_are_decided_as_far_as_they_can_be() {
        let mut content = b"MZ\x90\xff".to_vec();
        content.resize(100, 0);
        let input = Input::from(content.as_slice());
        for (condition, wanted) in [
            ("$a", "."),
            ("$a at 0 and #a > 3", "."),
            ("filesize < 200 and $a", "?"),
            ("filesize < 50 and $a", "-"),
            ("$a and filesize > 1KB", "-"),
            ("$a or filesize > 1KB", "?"),
            ("not (filesize == 100) and $a", "-"),
            ("uint16(0) == 0x5a4d and $a", "?"),
            ("uint16(0) == 0x457f and $a", "-"),
            ("uint16be(0) == 0x5a4d and $a", "-"),
            ("uint16be(0) == 0x4d5a and $a", "?"),
            ("int8(3) == -1 and $a", "?"),
            ("int8(3) == 255 and $a", "-"),
            ("uint8(3) == 255 and $a", "?"),
            ("uint32(uint32(0x3c)) == 0x00004550 and $a", "-"),
            ("uint32(1000) == 0 and $a", "?"),
            ("uint8(filesize - 1) == 1 and $a", "-"),
            ("uint8(filesize - 1) & 1 == 0 and $a", "?"),
            ("for any i in (0..filesize) : ($a at i)", "?"),
            ("for any of them : (uint8(@) == 1)", "?"),
            ("any of them in (0..filesize)", "?"),
            ("#a in (filesize - 10 .. filesize) > 1", "?"),
            ("small and $a", "-"),
            ("large and $a", "?"),
        ] {
            let text = format!(
                "private rule small {{ condition: filesize < 10 }}\nprivate rule large {{ condition: filesize > 10 }}\n\
                 rule r {{ strings: $a = \"a\" condition: {condition} }}"
            );
            let file = AST::from(text.as_str());
            assert!(file.errors().is_empty(), "{condition}: {:?}", file.errors());
            let mut whole = Whole::default();
            whole.add(&file);
            let (undecided, impossible) = whole.undecided(&input);
            let got = match (undecided.iter().any(|one| one.rule == "r"), impossible.contains(&"r")) {
                (true, _) => "?",
                (_, true) => "-",
                _ => ".",
            };
            assert_eq!(got, wanted, "{condition}");
        }
    }

    #[test]
    fn a_global_rule_is_part_of_every_other() {
        let decided = |global: &str| {
            let text =
                format!("global rule g {{ condition: {global} }} rule r {{ strings: $a = \"a\" condition: $a }}");
            let mut whole = Whole::default();
            whole.add(&AST::from(text.as_str()));
            let (undecided, impossible) = whole.undecided(&Input::from(&b"abc"[..]));
            (undecided.iter().any(|one| one.rule == "r" && one.needs == ["filesize"]), impossible.contains(&"r"))
        };
        assert_eq!(decided("filesize > 1"), (true, false));
        assert_eq!(decided("filesize > 10"), (false, true));
        assert_eq!(decided("true"), (false, false));
    }
}
