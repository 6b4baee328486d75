//! Text that a template adds when a message says something: how a template
//! that renders well in every test answers to one word in use.

use minijinja::machinery::ast::{CallArg, Expr, IfCond, Stmt};

/// Letters that a word has which somebody may say.
const WORD: usize = 3;

/// Characters and spaces from which on text is instructions rather than a mark.
const SENTENCES: (usize, usize) = (80, 8);

/// Statements of one branch that are looked at.
const STATEMENTS: usize = 256;

/// Whether a condition asks what a message says: a word on one side, the
/// content of a message on the other. `spoken` are variables that hold one.
pub(super) fn asks(condition: &Expr<'_>, spoken: &[String]) -> bool {
    match condition {
        Expr::BinOp(node) => {
            let sides = [&node.left, &node.right];
            compares(&sides, spoken) || sides.into_iter().any(|side| asks(side, spoken))
        }
        Expr::Compare(node) => {
            let sides: Vec<&Expr<'_>> =
                std::iter::once(&node.expr).chain(node.ops.iter().map(|operand| &operand.expr)).collect();
            compares(&sides, spoken)
        }
        // `content.startswith('word')`.
        Expr::Call(node) => match &node.expr {
            Expr::GetAttr(method) => {
                is_content(&method.expr, spoken)
                    && node.args.iter().any(|arg| matches!(arg, CallArg::Pos(value) if is_word(value)))
            }
            _ => false,
        },
        _ => false,
    }
}

fn compares(sides: &[&Expr<'_>], spoken: &[String]) -> bool {
    sides.iter().any(|side| is_word(side)) && sides.iter().any(|side| is_content(side, spoken))
}

fn is_word(expression: &Expr<'_>) -> bool {
    match expression {
        Expr::Const(node) => {
            node.value.as_str().is_some_and(|text| text.chars().filter(|c| c.is_alphabetic()).count() >= WORD)
        }
        // One of several words.
        Expr::List(node) => node.items.iter().any(is_word),
        Expr::Tuple(node) => node.items.iter().any(is_word),
        _ => false,
    }
}

/// Whether an expression is what a message says, however it is turned.
pub(super) fn is_content(expression: &Expr<'_>, spoken: &[String]) -> bool {
    match expression {
        Expr::Var(node) => node.id == "content" || spoken.iter().any(|name| name == node.id),
        Expr::GetAttr(node) => node.name == "content",
        Expr::GetItem(node) => match &node.subscript_expr {
            Expr::Const(key) => key.value.as_str() == Some("content"),
            _ => false,
        },
        Expr::Filter(node) => node.expr.as_ref().is_some_and(|inner| is_content(inner, spoken)),
        Expr::Call(node) => matches!(&node.expr, Expr::GetAttr(method) if is_content(&method.expr, spoken)),
        _ => false,
    }
}

/// The branch of a condition that is taken when a message has a certain word.
/// What is added to all the others is the model's own prompt.
pub(super) fn branch<'a, 's>(node: &'a IfCond<'s>, spoken: &[String]) -> Option<&'a [Stmt<'s>]> {
    match &node.expr {
        Expr::UnaryOp(not) => asks(&not.expr, spoken).then_some(node.false_body.as_slice()),
        condition => asks(condition, spoken).then_some(node.true_body.as_slice()),
    }
}

/// Text among what a branch writes that is an address, a script or more than a
/// mark.
pub(super) fn instructs(body: &[Stmt<'_>]) -> Option<String> {
    let mut written = String::new();
    let mut waiting: Vec<&Stmt<'_>> = body.iter().rev().collect();
    for _ in 0..STATEMENTS {
        let Some(statement) = waiting.pop() else { break };
        match statement {
            Stmt::EmitRaw(node) => written.push_str(node.raw),
            Stmt::EmitExpr(node) => constants(&node.expr, &mut written),
            Stmt::Set(node) => constants(&node.expr, &mut written),
            Stmt::SetBlock(node) => waiting.extend(node.body.iter().rev()),
            Stmt::WithBlock(node) => waiting.extend(node.body.iter().rev()),
            _ => {}
        }
    }
    is_instruction(&written).then_some(written)
}

/// The same of an expression.
pub(super) fn instructs_by(expression: &Expr<'_>) -> Option<String> {
    let mut written = String::new();
    constants(expression, &mut written);
    is_instruction(&written).then_some(written)
}

fn is_instruction(written: &str) -> bool {
    let (characters, spaces) = SENTENCES;
    written.contains("://")
        || written.contains("<script")
        || written.chars().count() >= characters && written.matches(' ').count() >= spaces
}

/// Every text constant that an expression joins.
fn constants(expression: &Expr<'_>, written: &mut String) {
    match expression {
        Expr::Const(node) => written.push_str(node.value.as_str().unwrap_or_default()),
        Expr::BinOp(node) => {
            constants(&node.left, written);
            constants(&node.right, written);
        }
        Expr::Filter(node) => {
            if let Some(inner) = &node.expr {
                constants(inner, written);
            }
        }
        _ => {}
    }
}
