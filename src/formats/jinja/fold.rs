//! Text that expressions of constants give: names that a template puts together
//! are the names that it means.

use std::collections::BTreeMap;

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr, Stmt, UnaryOpKind};
use minijinja::value::Value;

/// Longest text that is put together from constants.
const LONGEST: usize = 1 << 16;

pub(super) fn positional<'a, 's>(argument: &'a CallArg<'s>) -> Option<&'a Expr<'s>> {
    match argument {
        CallArg::Pos(value) => Some(value),
        _ => None,
    }
}

/// A number that the template states, also as a product or power.
pub(super) fn integer(expression: &Expr<'_>) -> Option<i64> {
    match expression {
        Expr::Const(node) => i64::try_from(node.value.clone()).ok(),
        Expr::UnaryOp(node) if matches!(node.op, UnaryOpKind::Neg) => integer(&node.expr)?.checked_neg(),
        Expr::BinOp(node) => {
            let (left, right) = (integer(&node.left)?, integer(&node.right)?);
            match node.op {
                BinOpKind::Mul => Some(left.saturating_mul(right)),
                BinOpKind::Add => Some(left.saturating_add(right)),
                BinOpKind::Pow => u32::try_from(right).ok().map(|power| left.saturating_pow(power)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Text that a block of constants captures.
pub(super) fn captured(body: &[Stmt<'_>], known: &BTreeMap<String, String>) -> Option<String> {
    let mut text = String::new();
    for statement in body {
        match statement {
            Stmt::EmitRaw(node) => text.push_str(node.raw),
            Stmt::EmitExpr(node) => text.push_str(&fold(&node.expr, known)?),
            _ => return None,
        }
        if text.len() > LONGEST {
            return None;
        }
    }
    Some(text)
}

/// By what the text of a macro is known, so that no variable is taken for it.
pub(super) fn of_macro(name: &str) -> String {
    format!("{name}()")
}

/// The text that an expression of constants gives.
pub(super) fn fold(expression: &Expr<'_>, known: &BTreeMap<String, String>) -> Option<String> {
    match expression {
        Expr::Const(node) => scalar(&node.value),
        Expr::Var(node) => known.get(node.id).cloned(),
        Expr::BinOp(node) if matches!(node.op, BinOpKind::Add | BinOpKind::Concat) => {
            let mut text = fold(&node.left, known)?;
            text.push_str(&fold(&node.right, known)?);
            (text.len() <= LONGEST).then_some(text)
        }
        Expr::BinOp(node) if matches!(node.op, BinOpKind::Mul) => {
            let times = usize::try_from(integer(&node.right)?).ok()?;
            let text = fold(&node.left, known)?;
            (text.len().saturating_mul(times) <= LONGEST).then(|| text.repeat(times))
        }
        Expr::BinOp(node) if matches!(node.op, BinOpKind::Rem) => format_text(
            &fold(&node.left, known)?,
            &pieces(&node.right, known).or_else(|| Some(vec![fold(&node.right, known)?]))?,
        ),
        Expr::Filter(node) => {
            let of = node.expr.as_ref()?;
            let given = |index: usize| {
                node.args.iter().filter_map(positional).nth(index).and_then(|argument| fold(argument, known))
            };
            match node.name {
                "join" => {
                    let parts = pieces(of, known)?;
                    Some(parts.join(&given(0).unwrap_or_default()))
                }
                "format" => {
                    let values: Option<Vec<String>> =
                        node.args.iter().filter_map(positional).map(|value| fold(value, known)).collect();
                    format_text(&fold(of, known)?, &values?)
                }
                "reverse" => Some(fold(of, known)?.chars().rev().collect()),
                "lower" => Some(fold(of, known)?.to_lowercase()),
                "upper" => Some(fold(of, known)?.to_uppercase()),
                "trim" => Some(fold(of, known)?.trim().to_owned()),
                "replace" => {
                    Some(fold(of, known)?.replace(&given(0)?, &given(1)?)).filter(|text| text.len() <= LONGEST)
                }
                "string" | "safe" | "escape" | "e" => fold(of, known),
                "truncate" => {
                    let text = fold(of, known)?;
                    let length = node.args.iter().find_map(positional).and_then(integer).unwrap_or(255);
                    Some(text.chars().take(usize::try_from(length).ok()?).collect())
                }
                "default" | "d" => fold(of, known).or_else(|| given(0)),
                "first" => pieces(of, known)?.into_iter().next(),
                "last" => pieces(of, known)?.pop(),
                _ => None,
            }
        }
        Expr::GetAttr(node) => match &node.expr {
            // A variable of a namespace.
            Expr::Var(var) => known.get(&format!("{}.{}", var.id, node.name)).cloned(),
            _ => None,
        },
        Expr::GetItem(node) => {
            let at = integer(&node.subscript_expr)?;
            let items = pieces(&node.expr, known).or_else(|| {
                let text = fold(&node.expr, known)?;
                Some(text.chars().map(String::from).collect())
            })?;
            let length = i64::try_from(items.len()).ok()?;
            let at = if at < 0 { length.checked_add(at)? } else { at };
            items.into_iter().nth(usize::try_from(at).ok()?)
        }
        Expr::Call(node) => {
            let method = match &node.expr {
                Expr::GetAttr(method) => method,
                Expr::Var(callable) => return known.get(&of_macro(callable.id)).cloned(),
                _ => return None,
            };
            if method.name == "join" {
                let parts = node.args.iter().find_map(positional).and_then(|parts| pieces(parts, known))?;
                return Some(parts.join(&fold(&method.expr, known)?));
            }
            let given: Option<Vec<String>> =
                node.args.iter().filter_map(positional).map(|value| fold(value, known)).collect();
            let given = given?;
            match method.name {
                "format" => format_text(&fold(&method.expr, known)?, &given),
                "lower" => Some(fold(&method.expr, known)?.to_lowercase()),
                "upper" => Some(fold(&method.expr, known)?.to_uppercase()),
                "strip" | "lstrip" | "rstrip" => strip(method.name, &fold(&method.expr, known)?, given.first()),
                "replace" => Some(fold(&method.expr, known)?.replace(given.first()?, given.get(1)?))
                    .filter(|text| text.len() <= LONGEST),
                _ => None,
            }
        }
        Expr::Slice(node) => {
            let chars: Vec<char> = fold(&node.expr, known)?.chars().collect();
            let length = i64::try_from(chars.len()).ok()?;
            let bound = |bound: &Option<Expr<'_>>, default: i64| {
                let Some(bound) = bound else { return Some(default) };
                let at = integer(bound)?;
                Some(if at < 0 { length.saturating_add(at) } else { at }.clamp(0, length))
            };
            let cut = |from: i64, to: i64| -> Option<String> {
                let (from, to) = (usize::try_from(from).ok()?, usize::try_from(to).ok()?);
                Some(chars.get(from..to.max(from))?.iter().collect())
            };
            // `'__ssalc__'[::-1]`
            if node.step.as_ref().and_then(negative).is_some() {
                return Some(chars.iter().rev().collect());
            }
            let step = usize::try_from(node.step.as_ref().map_or(Some(1), integer)?).ok().filter(|step| *step > 0)?;
            let part = cut(bound(&node.start, 0)?, bound(&node.stop, length)?)?;
            Some(part.chars().step_by(step).collect())
        }
        _ => None,
    }
}

/// What Python's `str.strip` and its like leave of a text: blanks go, or the
/// characters that are given.
fn strip(method: &str, text: &str, given: Option<&String>) -> Option<String> {
    let goes = |letter: char| given.map_or_else(|| letter.is_whitespace(), |given| given.contains(letter));
    let left = match method {
        "strip" => text.trim_matches(goes),
        "lstrip" => text.trim_start_matches(goes),
        "rstrip" => text.trim_end_matches(goes),
        _ => return None,
    };
    Some(left.to_owned())
}

/// Whether a text of the template goes through a method or filter that
/// [`fold`] does not follow: a name that nothing shows.
pub(super) fn hides_text(expression: &Expr<'_>, known: &BTreeMap<String, String>) -> bool {
    let of = match expression {
        Expr::Call(node) => match &node.expr {
            Expr::GetAttr(method) => Some(&method.expr),
            _ => None,
        },
        Expr::Filter(node) => node.expr.as_ref(),
        _ => None,
    };
    of.is_some_and(|of| fold(of, known).is_some() || hides_text(of, known)) && fold(expression, known).is_none()
}

fn negative(step: &Expr<'_>) -> Option<()> {
    match step {
        Expr::UnaryOp(_) => Some(()),
        Expr::Const(node) => i64::try_from(node.value.clone()).ok().filter(|step| *step < 0).map(|_| ()),
        _ => None,
    }
}

/// The items of a list of constants; of a call `dict(a=1)`, its keys.
fn pieces(expression: &Expr<'_>, known: &BTreeMap<String, String>) -> Option<Vec<String>> {
    match expression {
        Expr::List(node) => node.items.iter().map(|item| fold(item, known)).collect(),
        Expr::Tuple(node) => node.items.iter().map(|item| fold(item, known)).collect(),
        Expr::Map(node) => node.keys.iter().map(|item| fold(item, known)).collect(),
        Expr::Const(node) => {
            if let Some(text) = node.value.as_str() {
                return Some(text.chars().map(String::from).collect());
            }
            node.value.try_iter().ok()?.map(|item| scalar(&item)).collect()
        }
        Expr::Call(node) => {
            let Expr::Var(var) = &node.expr else { return None };
            (var.id == "dict").then(|| {
                let keys = node.args.iter().filter_map(|argument| match argument {
                    CallArg::Kwarg(name, _) => Some((*name).to_owned()),
                    _ => None,
                });
                keys.collect()
            })
        }
        Expr::Filter(node) if matches!(node.name, "list" | "reverse") => {
            let mut items = pieces(node.expr.as_ref()?, known)?;
            if node.name == "reverse" {
                items.reverse();
            }
            Some(items)
        }
        _ => None,
    }
}

fn scalar(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| i64::try_from(value.clone()).ok().map(|number| number.to_string()))
}

/// `'%s%c'` and `'{}{}'` with their values.
fn format_text(format: &str, values: &[String]) -> Option<String> {
    let mut out = String::new();
    let mut values = values.iter();
    let mut chars = format.chars().peekable();
    while let Some(char) = chars.next() {
        match (char, chars.peek()) {
            ('%', Some('s' | 'd')) => {
                chars.next();
                out.push_str(values.next()?);
            }
            ('%', Some('c')) => {
                chars.next();
                let value = values.next()?;
                match value.parse::<u32>().ok().and_then(char::from_u32) {
                    Some(char) => out.push(char),
                    None => out.push_str(value),
                }
            }
            ('{', Some('}')) => {
                chars.next();
                out.push_str(values.next()?);
            }
            _ => out.push(char),
        }
    }
    (out.len() <= LONGEST).then_some(out)
}
