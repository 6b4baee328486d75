//! The parsed template: attributes and items whose names are put together,
//! filters that look attributes up, loops that do not end.

use std::collections::BTreeMap;

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr, Stmt};

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::text;

use super::fold::{captured, fold, hides_text, integer, of_macro, positional};
use super::{names_internals, shown, trigger};

/// Iterations, characters or exponents that no prompt needs.
const HUGE: i64 = 1_000_000;

/// Globals of Jinja2 and Flask that are functions or objects of Python with a
/// way to everything else, and that no prompt has a use for.
const GLOBALS: &[&str] = &["lipsum", "url_for", "get_flashed_messages", "self"];

/// Modules of Python and parts of Jinja2: what some programs hand to their
/// templates, and no prompt has a use for.
const MODULES: &[&str] =
    &["os", "sys", "subprocess", "importlib", "builtins", "requests", "urllib", "socket", "shutil", "environment"];

/// Functions of Python that run code or open files, called as if the template
/// had been given them.
const FUNCTIONS: &[&str] =
    &["eval", "exec", "execfile", "compile", "open", "getattr", "setattr", "breakpoint", "globals", "vars"];

/// Methods that run something, by whatever way they were reached.
const RUNNERS: &[&str] = &[
    "popen",
    "system",
    "check_output",
    "Popen",
    "spawn",
    "exec",
    "eval",
    "execfile",
    "import_module",
    "load_module",
    "import_string",
];

struct Walk<'c, 'j, 'e, 's> {
    cx: &'c mut Cx<'j, 'e>,
    source: &'s str,
    /// Variables set to something that is known.
    known: BTreeMap<String, String>,
    /// Names that the template binds itself.
    bound: Vec<String>,
    /// Those that hold what a message says.
    spoken: Vec<String>,
    loops: i64,
}

/// Looks at every expression of `tree`.
pub(super) fn examine(tree: &Stmt<'_>, source: &str, cx: &mut Cx<'_, '_>) {
    Walk { cx, source, known: BTreeMap::new(), bound: Vec::new(), spoken: Vec::new(), loops: 1 }.statement(tree);
}

/// Methods of texts that look attributes up as their text says.
const FORMATTERS: &[&str] = &["format", "format_map"];

impl Walk<'_, '_, '_, '_> {
    fn block(&mut self, body: &[Stmt<'_>]) {
        for statement in body {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Stmt<'_>) {
        match statement {
            Stmt::Template(node) => self.block(&node.children),
            Stmt::EmitExpr(node) => self.expression(&node.expr),
            Stmt::EmitRaw(_) => {}
            Stmt::ForLoop(node) => {
                self.expression(&node.iter);
                self.expression(&node.target);
                self.bind(&node.target, None);
                if let Some(filter) = &node.filter_expr {
                    self.expression(filter);
                }
                let before = self.loops;
                self.loops = before.saturating_mul(self.length(&node.iter).max(1));
                if self.loops >= HUGE {
                    self.anomaly("huge-loop", &node.iter);
                }
                self.block(&node.body);
                self.loops = before;
                self.block(&node.else_body);
            }
            Stmt::IfCond(node) => {
                self.expression(&node.expr);
                if let Some(added) = trigger::branch(node, &self.spoken).and_then(trigger::instructs) {
                    self.triggered(&node.expr, &added);
                }
                self.block(&node.true_body);
                self.block(&node.false_body);
            }
            Stmt::WithBlock(node) => {
                for (target, value) in &node.assignments {
                    self.expression(value);
                    let known = fold(value, &self.known);
                    self.bind(target, known);
                }
                self.block(&node.body);
            }
            Stmt::Set(node) => {
                self.expression(&node.expr);
                self.expression(&node.target);
                self.namespace(&node.target, &node.expr);
                if let Expr::Var(var) = &node.target
                    && trigger::is_content(&node.expr, &self.spoken)
                {
                    self.spoken.push(var.id.to_owned());
                }
                let known = fold(&node.expr, &self.known);
                self.bind(&node.target, known);
            }
            Stmt::SetBlock(node) => {
                if let Some(filter) = &node.filter {
                    self.expression(filter);
                }
                self.block(&node.body);
                // What a block captures is known when it is only text.
                let known = captured(&node.body, &self.known);
                if known.as_deref().is_some_and(names_internals) {
                    self.anomaly("built-name", &node.target);
                }
                self.bind(&node.target, known);
            }
            Stmt::AutoEscape(node) => {
                self.expression(&node.enabled);
                self.block(&node.body);
            }
            Stmt::FilterBlock(node) => {
                self.expression(&node.filter);
                self.block(&node.body);
            }
            Stmt::Block(node) => self.block(&node.body),
            Stmt::Import(node) => self.loads(&node.expr),
            Stmt::FromImport(node) => self.loads(&node.expr),
            Stmt::Extends(node) => self.loads(&node.name),
            Stmt::Include(node) => self.loads(&node.name),
            Stmt::Macro(node) => {
                self.bound.push(node.name.to_owned());
                self.bound.extend(node.args.iter().filter_map(|argument| match argument {
                    Expr::Var(var) => Some(var.id.to_owned()),
                    _ => None,
                }));
                for default in &node.defaults {
                    self.expression(default);
                }
                self.block(&node.body);
                match captured(&node.body, &self.known) {
                    Some(known) => self.known.insert(of_macro(node.name), known),
                    None => self.known.remove(&of_macro(node.name)),
                };
            }
            Stmt::CallBlock(node) => {
                self.called(&node.call.expr, &node.call.args);
                self.block(&node.macro_decl.body);
            }
            Stmt::Do(node) => self.called(&node.call.expr, &node.call.args),
            Stmt::Continue(_) | Stmt::Break(_) => {}
        }
    }

    fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|bound| bound == name)
    }

    /// `{% set ns = namespace(a='b') %}`: what `ns.a` is.
    fn namespace(&mut self, target: &Expr<'_>, value: &Expr<'_>) {
        let (Expr::Var(target), Expr::Call(call)) = (target, value) else { return };
        for argument in &call.args {
            if let CallArg::Kwarg(name, value) = argument
                && let Some(known) = fold(value, &self.known)
            {
                self.known.insert(format!("{}.{name}", target.id), known);
            }
        }
    }

    fn bind(&mut self, target: &Expr<'_>, known: Option<String>) {
        match target {
            Expr::Var(var) => {
                self.bound.push(var.id.to_owned());
                match known {
                    Some(known) => self.known.insert(var.id.to_owned(), known),
                    None => self.known.remove(var.id),
                };
            }
            Expr::GetAttr(node) => {
                if let Expr::Var(var) = &node.expr {
                    let name = format!("{}.{}", var.id, node.name);
                    match known {
                        Some(known) => self.known.insert(name, known),
                        None => self.known.remove(&name),
                    };
                }
            }
            Expr::List(node) => node.items.iter().for_each(|item| self.bind(item, None)),
            Expr::Tuple(node) => node.items.iter().for_each(|item| self.bind(item, None)),
            _ => {}
        }
    }

    /// Text that is added when a message says something.
    fn triggered(&mut self, condition: &Expr<'_>, added: &str) {
        let evidence = self.evidence(Kind::TemplateAnomaly, "triggered", condition);
        self.cx.push(evidence.with("detail", text::excerpt(added.trim(), 160)));
    }

    /// Another template is loaded: a chat template stands alone.
    fn loads(&mut self, name: &Expr<'_>) {
        self.expression(name);
        let evidence = self.evidence(Kind::TemplateAccess, "include", name).with("how", "load");
        self.cx.push(evidence);
    }

    fn expression(&mut self, expression: &Expr<'_>) {
        match expression {
            Expr::Var(node) => {
                if GLOBALS.contains(&node.id) && !self.is_bound(node.id) {
                    self.access(node.id, expression, "global");
                }
            }
            Expr::Const(_) => {}
            Expr::Slice(node) => {
                self.expression(&node.expr);
                for bound in [&node.start, &node.stop, &node.step].into_iter().flatten() {
                    self.expression(bound);
                }
            }
            Expr::UnaryOp(node) => self.expression(&node.expr),
            Expr::BinOp(node) => {
                self.expression(&node.left);
                self.expression(&node.right);
                self.operation(node.op, &node.left, &node.right, expression);
            }
            Expr::Compare(node) => {
                self.expression(&node.expr);
                node.ops.iter().for_each(|operand| self.expression(&operand.expr));
            }
            Expr::IfExpr(node) => {
                self.expression(&node.test_expr);
                if trigger::asks(&node.test_expr, &self.spoken)
                    && let Some(added) = trigger::instructs_by(&node.true_expr)
                {
                    self.triggered(&node.test_expr, &added);
                }
                self.expression(&node.true_expr);
                if let Some(other) = &node.false_expr {
                    self.expression(other);
                }
            }
            Expr::Filter(node) => {
                if let Some(inner) = &node.expr {
                    self.expression(inner);
                }
                self.arguments(&node.args);
                self.filter(node.name, &node.args, expression);
                self.built(expression);
            }
            Expr::Test(node) => {
                self.expression(&node.expr);
                self.arguments(&node.args);
            }
            Expr::GetAttr(node) => {
                self.expression(&node.expr);
                if let Expr::Var(var) = &node.expr
                    && MODULES.contains(&var.id)
                    && !self.is_bound(var.id)
                {
                    self.access(var.id, expression, "global");
                }
                if names_internals(node.name) {
                    self.access(node.name, expression, "attribute");
                }
            }
            Expr::GetItem(node) => {
                self.expression(&node.expr);
                self.expression(&node.subscript_expr);
                self.looked_up(&node.subscript_expr, expression, "item");
            }
            Expr::Call(node) => {
                self.called(&node.expr, &node.args);
                self.built(expression);
            }
            Expr::List(node) => node.items.iter().for_each(|item| self.expression(item)),
            Expr::Tuple(node) => node.items.iter().for_each(|item| self.expression(item)),
            Expr::Map(node) => node.keys.iter().chain(&node.values).for_each(|item| self.expression(item)),
        }
    }

    fn operation(&mut self, operator: BinOpKind, left: &Expr<'_>, right: &Expr<'_>, whole: &Expr<'_>) {
        let numbers = (integer(left), integer(right));
        let huge = match (operator, numbers) {
            (BinOpKind::Mul, (_, Some(times)) | (Some(times), _)) => times >= HUGE,
            (BinOpKind::Pow, (_, Some(power))) => power >= 10_000,
            _ => false,
        };
        if huge {
            self.anomaly("huge-value", whole);
        }
        if matches!(operator, BinOpKind::Add | BinOpKind::Concat) {
            self.built(whole);
        }
    }

    /// Text put together from pieces, none of which shows the name it makes.
    fn built(&mut self, expression: &Expr<'_>) {
        if matches!(expression, Expr::Const(_)) {
            return;
        }
        if fold(expression, &self.known).as_deref().is_some_and(names_internals) {
            self.anomaly("built-name", expression);
        }
    }

    fn called(&mut self, callable: &Expr<'_>, args: &[CallArg<'_>]) {
        self.expression(callable);
        self.arguments(args);
        match callable {
            Expr::GetAttr(node) if RUNNERS.contains(&node.name) => self.access(node.name, callable, "call"),
            Expr::GetAttr(node) => {
                if let Expr::Var(var) = &node.expr
                    && MODULES.contains(&var.id)
                    && !self.is_bound(var.id)
                {
                    self.access(&format!("{}.{}", var.id, node.name), callable, "call");
                }
            }
            // A template that calls what it looked up by a name runs a method
            // that the name hides.
            Expr::GetItem(node) => {
                if let Some(name) =
                    fold(&node.subscript_expr, &self.known).filter(|name| RUNNERS.contains(&name.as_str()))
                {
                    self.access(&name, callable, "call");
                }
            }
            Expr::Var(node) if FUNCTIONS.contains(&node.id) && !self.is_bound(node.id) => {
                self.access(node.id, callable, "call");
            }
            Expr::Var(node) if node.id == "range" && !self.is_bound("range") && steps(args) >= HUGE => {
                self.anomaly("huge-loop", callable);
            }
            _ => {}
        }
    }

    fn arguments(&mut self, args: &[CallArg<'_>]) {
        for argument in args {
            match argument {
                CallArg::Pos(value) | CallArg::PosSplat(value) | CallArg::KwargSplat(value) => self.expression(value),
                CallArg::Kwarg(name, value) => {
                    if names_internals(name) {
                        self.access(name, value, "keyword");
                    }
                    self.expression(value);
                }
            }
        }
    }

    fn filter(&mut self, name: &str, args: &[CallArg<'_>], whole: &Expr<'_>) {
        let first = args.iter().find_map(positional);
        match name {
            "attr" => self.attribute(first, whole),
            "map" | "selectattr" | "rejectattr" | "groupby" | "sort" | "sum" | "unique" | "min" | "max" => {
                let named = args.iter().find_map(|argument| match argument {
                    CallArg::Kwarg("attribute", value) => Some(value),
                    _ => None,
                });
                let by_position = (name != "map" && name != "sort").then_some(first).flatten();
                if let Some(attribute) = named.or(by_position) {
                    self.looked_up(attribute, whole, "attribute-filter");
                }
                // `map('attr', '__class__')`
                if name == "map" && first.and_then(|first| fold(first, &self.known)).as_deref() == Some("attr") {
                    self.attribute(args.iter().filter_map(positional).nth(1), whole);
                }
            }
            "center" | "indent" | "truncate" | "wordwrap" | "batch" | "slice"
                if first.and_then(integer).is_some_and(|width| width >= HUGE) =>
            {
                self.anomaly("huge-value", whole);
            }
            _ => {}
        }
    }

    /// The name that `attr` is given.
    fn attribute(&mut self, name: Option<&Expr<'_>>, whole: &Expr<'_>) {
        let known = name.and_then(|name| fold(name, &self.known));
        match known.as_deref() {
            Some(known) if names_internals(known) || RUNNERS.contains(&known) => self.access(known, whole, "attr"),
            // The sandbox looks at `x.format`, and has missed `x|attr("format")`
            // (CVE-2025-27516); any other attribute is what `x.name` gives.
            Some(known) if FORMATTERS.contains(&known) => self.access(known, whole, "attr-plain"),
            Some(_) if matches!(name, Some(Expr::Const(_))) => {}
            _ => self.anomaly("computed-attribute", whole),
        }
    }

    /// A name that something is looked up by.
    fn looked_up(&mut self, name: &Expr<'_>, whole: &Expr<'_>, how: &'static str) {
        if let Some(known) = fold(name, &self.known) {
            if names_internals(&known) {
                self.access(&known, whole, how);
            }
        } else if hides_text(name, &self.known) {
            self.anomaly("computed-attribute", whole);
        }
    }

    /// How many times a loop over this runs, as far as the template says.
    fn length(&self, iterated: &Expr<'_>) -> i64 {
        match iterated {
            Expr::Call(node) => match &node.expr {
                Expr::Var(var) if var.id == "range" => steps(&node.args),
                _ => 1,
            },
            _ => 1,
        }
    }

    fn access(&mut self, value: &str, expression: &Expr<'_>, how: &'static str) {
        let evidence = self.evidence(Kind::TemplateAccess, value, expression).with("how", how);
        self.cx.push(evidence);
    }

    fn anomaly(&mut self, value: &str, expression: &Expr<'_>) {
        let detail = shown(self.source, expression);
        let evidence = self.evidence(Kind::TemplateAnomaly, value, expression).with("detail", detail);
        self.cx.push(evidence);
    }

    fn evidence(&self, kind: Kind, value: &str, expression: &Expr<'_>) -> Evidence {
        let span = expression.span();
        let length = u64::from(span.end_offset.saturating_sub(span.start_offset));
        Evidence::new(kind, text::excerpt(value, 80), Span::new(u64::from(span.start_offset), length))
            .with("expression", shown(self.source, expression))
    }
}

/// How many numbers `range` gives for these arguments, as far as they are known;
/// a bound that is not known is taken for nothing.
fn steps(args: &[CallArg<'_>]) -> i64 {
    let numbers: Vec<Option<i64>> = args.iter().filter_map(positional).map(integer).collect();
    match numbers.as_slice() {
        [Some(stop)] | [None, Some(stop)] | [None, Some(stop), _] => *stop,
        [Some(start), Some(stop)] => stop.saturating_sub(*start),
        [Some(start), Some(stop), step] => {
            stop.saturating_sub(*start).checked_div(step.unwrap_or(1)).unwrap_or(i64::MAX)
        }
        _ => 1,
    }
}
