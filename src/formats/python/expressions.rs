//! Expressions: what they are known to give, and the calls in them.

use std::rc::Rc;

use ruff_python_ast::{BoolOp, Comprehension, Expr, InterpolatedStringElement, UnaryOp};
use ruff_text_size::{Ranged as _, TextRange};

use crate::stop::Stop;

use super::bindings::dotted;
use super::reflect::{is_dangerous, is_namespace, variable};
use super::statements::Machine;
use super::value::{BUILT, CARRIED, DECODED, ENVIRON, GAP, PARTIAL, SCATTERED, Val, What};
use super::{fold, names, picked};

impl<'a> Machine<'a, '_, '_, '_> {
    /// The value of `expression`, as far as it is known.
    pub(super) fn eval(&mut self, expression: &'a Expr) -> Result<Val<'a>, Stop> {
        if self.quiet > 0 || self.inlined > 0 {
            if self.steps == 0 {
                return Ok(Val::unknown());
            }
            self.steps = self.steps.saturating_sub(1);
        }
        Ok(match expression {
            Expr::StringLiteral(node) => {
                let text = node.value.to_str();
                Val::text(text, spelled(self.as_written(expression.range()), text.as_bytes()))
            }
            Expr::BytesLiteral(node) => {
                let bytes: Vec<u8> = node.value.iter().flat_map(|part| part.as_slice().iter().copied()).collect();
                let marks = spelled(self.as_written(expression.range()), &bytes);
                Val::bytes(bytes, marks)
            }
            Expr::NumberLiteral(node) => match &node.value {
                ruff_python_ast::Number::Int(value) => value.as_i64().map_or_else(Val::unknown, Val::int),
                _ => Val::unknown(),
            },
            Expr::BooleanLiteral(node) => Val::int(i64::from(node.value)),
            Expr::Name(node) => self.lookup(node.id.as_str()).unwrap_or_else(Val::unknown),
            Expr::Attribute(_) => self.attribute(expression)?.1,
            Expr::Subscript(node) => {
                let value = self.eval(&node.value)?;
                if let Expr::Slice(slice) = node.slice.as_ref() {
                    let mut bounds = [None, None, None];
                    for (bound, part) in bounds.iter_mut().zip([&slice.lower, &slice.upper, &slice.step]) {
                        if let Some(part) = part {
                            *bound = self.eval(part)?.as_int();
                        }
                    }
                    let [start, stop, step] = bounds;
                    picked::any(&value).unwrap_or_else(|| fold::slice(&value, start, stop, step))
                } else {
                    let index = self.eval(&node.slice)?;
                    self.subscript(&value, &index, expression.range())
                }
            }
            Expr::BinOp(node) => {
                let left = self.eval(&node.left)?;
                let right = self.eval(&node.right)?;
                fold::arithmetic(&left, node.op, &right)
            }
            Expr::UnaryOp(node) => {
                let value = self.eval(&node.operand)?;
                match (node.op, value.as_int()) {
                    (UnaryOp::USub, Some(value)) => value.checked_neg().map_or_else(Val::unknown, Val::int),
                    (UnaryOp::Invert, Some(value)) => Val::int(!value),
                    _ => Val::marked(value.marks & CARRIED),
                }
            }
            Expr::BoolOp(node) => {
                let mut last = Val::unknown();
                let mut chosen = None;
                for value in &node.values {
                    last = self.eval(value)?;
                    let callable = matches!(last.what, What::Name(_) | What::Function(_) | What::Lambda(_));
                    if node.op == BoolOp::Or && callable && chosen.is_none() {
                        chosen = Some(last.clone());
                    }
                }
                chosen.unwrap_or(last)
            }
            Expr::Compare(node) => {
                self.eval(&node.left)?;
                for value in &node.comparators {
                    self.eval(value)?;
                }
                Val::unknown()
            }
            Expr::If(node) => {
                self.eval(&node.test)?;
                let body = self.eval(&node.body)?;
                let other = self.eval(&node.orelse)?;
                if matches!(body.what, What::Unknown) { other } else { body }
            }
            Expr::Named(node) => {
                let value = self.eval(&node.value)?;
                self.bind(&node.target, &value)?;
                value
            }
            Expr::List(node) => self.sequence(&node.elts)?,
            Expr::Tuple(node) => self.sequence(&node.elts)?,
            Expr::Set(node) => self.sequence(&node.elts)?,
            Expr::Dict(node) => {
                let mut pairs = Vec::new();
                let mut marks = 0;
                for item in &node.items {
                    let key = match &item.key {
                        Some(key) => self.eval(key)?,
                        None => Val::unknown(),
                    };
                    let value = self.eval(&item.value)?;
                    marks |= value.marks | self.exposed(&value);
                    pairs.push((key, value));
                }
                Val { what: What::Dict(Rc::new(pairs)), marks: marks & CARRIED }
            }
            Expr::FString(node) => self.interpolated(node.value.elements())?,
            Expr::TString(node) => self.interpolated(node.value.elements())?,
            Expr::ListComp(node) => self.comprehension(&node.elt, &node.generators)?,
            Expr::SetComp(node) => self.comprehension(&node.elt, &node.generators)?,
            Expr::Generator(node) => self.comprehension(&node.elt, &node.generators)?,
            Expr::DictComp(node) => {
                let keys = match &node.key {
                    Some(key) => self.comprehension(key, &node.generators)?,
                    None => Val::unknown(),
                };
                let values = self.comprehension(&node.value, &node.generators)?;
                if let Some(picked) = picked::any(&values) {
                    return Ok(picked);
                }
                Val::marked((keys.marks | values.marks) & CARRIED)
            }
            Expr::Lambda(node) => {
                if let Some(parameters) = &node.parameters {
                    self.defaults(parameters)?;
                }
                // Its body runs when it is called, by whoever is handed it.
                // Of a function that is followed, what it was given decides, and
                // nobody knows yet who calls the lambda.
                let unheard = u32::from(self.inlined > 0);
                self.local.push(std::collections::BTreeMap::new());
                self.quiet = self.quiet.saturating_add(unheard);
                let outcome = self.eval(&node.body);
                self.quiet = self.quiet.saturating_sub(unheard);
                self.local.pop();
                outcome?;
                Val { what: What::Lambda(node), marks: 0 }
            }
            Expr::Await(node) => self.eval(&node.value)?,
            Expr::Yield(node) => match &node.value {
                Some(value) => self.eval(value)?,
                None => Val::unknown(),
            },
            Expr::YieldFrom(node) => self.eval(&node.value)?,
            Expr::Starred(node) => self.eval(&node.value)?,
            Expr::Call(node) => self.call(node)?,
            Expr::NoneLiteral(_) | Expr::EllipsisLiteral(_) | Expr::Slice(_) | Expr::IpyEscapeCommand(_) => {
                Val::unknown()
            }
        })
    }

    fn sequence(&mut self, elements: &'a [Expr]) -> Result<Val<'a>, Stop> {
        let mut items = Vec::with_capacity(elements.len().min(1 << 16));
        for element in elements {
            let item = self.eval(element)?;
            match (element, item.items()) {
                (Expr::Starred(_), Some(inner)) => items.extend(inner),
                _ => items.push(item),
            }
        }
        Ok(Val::list(items))
    }

    fn interpolated(&mut self, elements: impl Iterator<Item = &'a InterpolatedStringElement>) -> Result<Val<'a>, Stop> {
        let mut text = String::new();
        let mut marks = 0;
        for element in elements {
            match element {
                InterpolatedStringElement::Literal(literal) => {
                    text.push_str(&literal.value);
                }
                InterpolatedStringElement::Interpolation(field) => {
                    let value = self.eval(&field.expression)?;
                    marks |= (value.marks | self.exposed(&value)) & CARRIED;
                    if let Some(format) = &field.format_spec {
                        self.interpolated(format.elements.iter())?;
                    }
                    match &value.what {
                        What::Str(part) => text.push_str(part),
                        What::Int(part) => text.push_str(&part.to_string()),
                        _ => {
                            text.push(GAP);
                            marks |= PARTIAL;
                        }
                    }
                }
            }
        }
        Ok(Val::text(text, marks))
    }

    /// Each element of a comprehension over known items; else its element once,
    /// for the calls in it.
    fn comprehension(&mut self, element: &'a Expr, generators: &'a [Comprehension]) -> Result<Val<'a>, Stop> {
        let Some((first, rest)) = generators.split_first() else { return self.eval(element) };
        let over = self.eval(&first.iter)?;
        self.local.push(std::collections::BTreeMap::new());
        let mut gathered = Some(Vec::new());
        let mut outcome = Ok(Val::unknown());
        let items = over.items().unwrap_or_default();
        let known = !items.is_empty() && rest.is_empty() && first.ifs.is_empty();
        let open = (over.marks | self.exposed(&over)) & CARRIED;
        let one = picked::any(&over).unwrap_or_else(|| Val::marked(open));
        let shown = if items.is_empty() { vec![one] } else { items };
        for (index, item) in shown.iter().enumerate() {
            if index > 0 && (self.steps == 0 || !known) {
                gathered = None;
                break;
            }
            self.quiet = self.quiet.saturating_add(u32::from(index > 0));
            outcome = self.bind(&first.target, item).and_then(|()| {
                for test in &first.ifs {
                    self.eval(test)?;
                }
                if rest.is_empty() { self.eval(element) } else { self.comprehension(element, rest) }
            });
            self.quiet = self.quiet.saturating_sub(u32::from(index > 0));
            match (&outcome, &mut gathered) {
                (Ok(value), Some(gathered)) => gathered.push(value.clone()),
                _ => break,
            }
        }
        self.local.pop();
        let last = outcome?;
        Ok(match gathered {
            Some(items) if known => Val::list(items),
            _ if picked::any(&last).is_some() => last,
            _ => Val::marked((open | last.marks) & CARRIED),
        })
    }

    /// An attribute, and the object that it was taken from.
    pub(super) fn attribute(&mut self, expression: &'a Expr) -> Result<(Val<'a>, Val<'a>), Stop> {
        let Expr::Attribute(node) = expression else { return Ok((Val::unknown(), Val::unknown())) };
        if let Some(value) = dotted(expression).and_then(|path| self.lookup(&path)) {
            return Ok((Val::unknown(), value));
        }
        let value = self.eval(&node.value)?;
        let name = node.attr.as_str();
        let of_all = name == "__subclasses__" && matches!(value.as_name(), Some("builtins.object" | "builtins.type"));
        if of_all || name == "__subclasses__" && is_object_walk(&node.value) {
            self.anomaly("object-walk", name, expression.range());
        }
        let member = self.member(&value, name);
        Ok((value, member))
    }

    fn subscript(&mut self, value: &Val<'a>, index: &Val<'a>, range: TextRange) -> Val<'a> {
        if let (What::Name(path), Some(key)) = (&value.what, index.as_str()) {
            // `vars(os)['system']`, `globals()['x']`, `sys.modules['os']`.
            let base = path.as_ref();
            if is_namespace(base) {
                return self.global(key);
            }
            if let Some(found) = picked::item(base, Some(key)) {
                return found;
            }
            if base == "os.environ" {
                return variable(Some(index));
            }
            let found = names::canonical(&names::attribute(base, key));
            if index.marks & (BUILT | DECODED) != 0 && is_dangerous(&found) {
                self.anomaly("hidden-name", &found, range);
            }
            return Val::name(found);
        }
        if let What::Name(path) = &value.what
            && let Some(found) = picked::item(path, None)
        {
            return found;
        }
        fold::index(value, index).unwrap_or_else(|| Val::marked(value.marks & CARRIED))
    }

    /// What stands in the source at `range`.
    fn as_written(&self, range: TextRange) -> &'a str {
        let (from, to) = (range.start().to_u32(), range.end().to_u32());
        let place = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        self.source.get(place(from)..place(to)).unwrap_or_default()
    }

    /// Marks of a value that is handed over whole: the environment itself.
    pub(super) fn exposed(&self, value: &Val<'a>) -> u16 {
        let whole = matches!(
            value.as_name(),
            Some("os.environ" | "os.environ.copy" | "os.environ.items" | "os.environ.values" | "os.environb")
        );
        if whole { ENVIRON } else { 0 }
    }
}

/// Marks of a literal whose ordinary letters are written as escapes: nobody
/// types `\x65\x78\x65\x63` who wants to be read.
fn spelled(written: &str, meant: &[u8]) -> u16 {
    /// Letters below which an escape may be an accident.
    const FEW: usize = 4;
    let escapes = written
        .as_bytes()
        .windows(2)
        .filter(|pair| matches!(pair, [b'\\', b'x' | b'u' | b'U' | b'N' | b'0'..=b'7']))
        .count();
    let readable = meant.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    if readable && escapes >= FEW && escapes.saturating_mul(2) >= meant.len() { BUILT | SCATTERED } else { 0 }
}

/// `().__class__.__base__` and its like.
fn is_object_walk(expression: &Expr) -> bool {
    let mut at = expression;
    loop {
        match at {
            Expr::Attribute(node) => {
                if matches!(node.attr.as_str(), "__base__" | "__bases__" | "__mro__" | "__class__") {
                    return true;
                }
                at = &node.value;
            }
            Expr::Subscript(node) => at = &node.value,
            Expr::Call(node) => at = &node.func,
            _ => return false,
        }
    }
}
