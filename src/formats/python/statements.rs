//! Statement by statement, in the order in which Python would run them: what
//! names stand for, which functions exist, what they call.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use ruff_python_ast::{
    BoolOp, CmpOp, ExceptHandler, Expr, Parameters, Pattern, Stmt, StmtFunctionDef, StmtImportFrom, UnaryOp,
};
use ruff_text_size::{Ranged as _, TextRange};

use crate::engine::Cx;
use crate::stop::Stop;

use super::classes::documented;
use super::reach::Scope;
use super::value::{Class, Function, Val, What};
use super::{names, picked, watch};

/// A call that is worth recording, until it is known when it runs.
#[derive(Debug)]
pub(super) struct Call {
    pub name: String,
    pub rendered: String,
    pub arguments: Vec<String>,
    pub constant: bool,
    pub program: Option<String>,
    pub detail: Option<String>,
    pub range: TextRange,
    /// The function that it stands in.
    pub within: Option<usize>,
    /// Below `if __name__ == "__main__"`.
    pub main: bool,
}

/// A function whose body has yet to be walked.
struct Pending<'a> {
    index: usize,
    node: &'a StmtFunctionDef,
    captured: Rc<BTreeMap<String, Val<'a>>>,
}

/// Walks one source.
pub(super) struct Machine<'a, 'c, 'j, 'e> {
    pub(super) cx: &'c mut Cx<'j, 'e>,
    pub(super) source: &'a str,
    pub(super) module: BTreeMap<String, Val<'a>>,
    /// Names bound in the function being walked; empty at module level.
    pub(super) local: Vec<BTreeMap<String, Val<'a>>>,
    captured: Rc<BTreeMap<String, Val<'a>>>,
    pub(super) functions: Vec<Function<'a>>,
    pub(super) classes: Vec<Class<'a>>,
    pending: VecDeque<Pending<'a>>,
    pub(super) calls: Vec<Call>,
    pub(super) anomalies: Vec<Call>,
    pub(super) imports: BTreeMap<(String, bool), TextRange>,
    /// Modules from which everything was imported.
    stars: Vec<String>,
    pub(super) roots: Vec<(usize, Scope)>,
    pub(super) current: Option<usize>,
    pub(super) main: bool,
    /// Above zero, nothing is recorded: a body is walked for its value only.
    pub(super) quiet: u32,
    /// Above zero, a function is followed for the calls that its arguments decide.
    pub(super) inlined: u32,
    /// Names that the function being walked declares global.
    pub(super) globals: BTreeSet<String>,
    /// Functions by where they are defined, so that each is walked once.
    defined: BTreeMap<u32, usize>,
    /// Steps that walking bodies for their value may still take.
    pub(super) steps: u32,
    pub(super) returned: Option<Val<'a>>,
    pub(super) file: String,
    pub(super) cells: bool,
}

/// Steps for following values through local functions and loops, in all: a
/// decoder over a payload of some kilobytes.
const STEPS: u32 = 400_000;

/// Steps for each byte of the source, and what any source may take: a short one
/// that loops in loops must not cost as much as a long one.
const STEPS_PER_BYTE: u32 = 64;
const STEPS_AT_LEAST: u32 = 32_768;

impl<'a, 'c, 'j, 'e> Machine<'a, 'c, 'j, 'e> {
    pub(super) fn new(source: &'a str, name: &str, cells: bool, cx: &'c mut Cx<'j, 'e>) -> Self {
        let file = name.rsplit(['/', '\\']).next().unwrap_or(name).to_owned();
        Self {
            cx,
            source,
            module: BTreeMap::new(),
            local: Vec::new(),
            captured: Rc::new(BTreeMap::new()),
            functions: Vec::new(),
            classes: Vec::new(),
            pending: VecDeque::new(),
            calls: Vec::new(),
            anomalies: Vec::new(),
            imports: BTreeMap::new(),
            stars: Vec::new(),
            roots: Vec::new(),
            current: None,
            main: false,
            quiet: 0,
            inlined: 0,
            globals: BTreeSet::new(),
            defined: BTreeMap::new(),
            steps: u32::try_from(source.len())
                .unwrap_or(u32::MAX)
                .saturating_mul(STEPS_PER_BYTE)
                .saturating_add(STEPS_AT_LEAST)
                .min(STEPS),
            returned: None,
            file,
            cells,
        }
    }

    /// Walks the module, then every function, and records what was found.
    pub(super) fn run(mut self, body: &'a [Stmt]) -> Result<(), Stop> {
        if let Some(text) = documented(body) {
            self.module.insert("__doc__".to_owned(), text);
        }
        self.module.insert("__file__".to_owned(), Val::name("__file__"));
        let mut outcome = self.block(body);
        while let (Ok(()), Some(next)) = (&outcome, self.pending.pop_front()) {
            self.current = Some(next.index);
            self.captured = Rc::clone(&next.captured);
            self.main = false;
            outcome = self.function_body(next.index, next.node, &[], &[]);
        }
        self.record();
        outcome
    }

    /// Binds the parameters and walks the body.
    pub(super) fn function_body(
        &mut self,
        index: usize,
        node: &'a StmtFunctionDef,
        given: &[Val<'a>],
        named: &[(String, Val<'a>)],
    ) -> Result<(), Stop> {
        let mut bound = BTreeMap::new();
        let class = self.functions.get(index).and_then(|function| function.class);
        for (at, parameter) in node.parameters.iter_non_variadic_params().enumerate() {
            let name = parameter.parameter.name.as_str();
            let by_name = || named.iter().find(|(keyword, _)| keyword == name).map(|(_, value)| value);
            let value = match (given.get(at).or_else(by_name), class, at) {
                (Some(value), _, _) => value.clone(),
                (None, Some(class), 0) => Val { what: What::Class(class), marks: 0 },
                _ => match parameter.default.as_deref() {
                    // A default that does something stays, whoever calls.
                    Some(default @ (Expr::Name(_) | Expr::Attribute(_))) => self.eval(default)?,
                    _ => Val::unknown(),
                },
            };
            bound.insert(name.to_owned(), value);
        }
        self.local.push(bound);
        let globals = std::mem::take(&mut self.globals);
        let outcome = self.block(&node.body);
        self.globals = globals;
        self.local.pop();
        outcome
    }

    pub(super) fn block(&mut self, body: &'a [Stmt]) -> Result<(), Stop> {
        for statement in body {
            self.statement(statement)?;
            if (self.quiet > 0 || self.inlined > 0) && self.returned.is_some() {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn statement(&mut self, statement: &'a Stmt) -> Result<(), Stop> {
        self.cx.charge(1, u64::from(statement.range().start().to_u32()))?;
        match statement {
            Stmt::Import(import) => self.import(import),
            Stmt::ImportFrom(import) => self.import_from(import),
            Stmt::FunctionDef(node) => self.define(node, None)?,
            Stmt::ClassDef(node) => self.class(node)?,
            Stmt::Assign(assign) => {
                let value = self.eval(&assign.value)?;
                for target in &assign.targets {
                    self.bind(target, &value)?;
                }
            }
            Stmt::AnnAssign(assign) => {
                // Those of local variables are never evaluated.
                if self.current.is_none() {
                    self.eval(&assign.annotation)?;
                }
                if let Some(value) = &assign.value {
                    let value = self.eval(value)?;
                    self.bind(&assign.target, &value)?;
                }
            }
            Stmt::AugAssign(assign) => {
                let old = self.eval(&assign.target)?;
                let by = self.eval(&assign.value)?;
                let value = super::fold::arithmetic(&old, assign.op, &by);
                self.bind(&assign.target, &value)?;
            }
            Stmt::Expr(expression) => {
                self.eval(&expression.value)?;
            }
            Stmt::Return(node) => {
                let value = match &node.value {
                    Some(value) => self.eval(value)?,
                    None => Val::unknown(),
                };
                self.reduced(&value, node.range());
                if self.quiet > 0 || self.inlined > 0 {
                    self.returned = Some(value);
                }
            }
            Stmt::If(_) | Stmt::For(_) | Stmt::While(_) | Stmt::With(_) | Stmt::Try(_) | Stmt::Match(_) => {
                self.compound(statement)?;
            }
            Stmt::Raise(node) => {
                for expression in [&node.exc, &node.cause].into_iter().flatten() {
                    self.eval(expression)?;
                }
            }
            Stmt::Assert(node) => {
                self.eval(&node.test)?;
                if let Some(message) = &node.msg {
                    self.eval(message)?;
                }
            }
            Stmt::Delete(node) => {
                for target in &node.targets {
                    self.eval(target)?;
                }
            }
            Stmt::Global(node) => {
                self.globals.extend(node.names.iter().map(|name| name.as_str().to_owned()));
            }
            Stmt::TypeAlias(_)
            | Stmt::Nonlocal(_)
            | Stmt::Pass(_)
            | Stmt::Break(_)
            | Stmt::Continue(_)
            | Stmt::IpyEscapeCommand(_) => {}
        }
        Ok(())
    }

    /// Statements that hold others.
    fn compound(&mut self, statement: &'a Stmt) -> Result<(), Stop> {
        match statement {
            Stmt::If(node) => {
                self.eval(&node.test)?;
                let guard = main_guard(&node.test);
                let before = self.main;
                self.main = before || guard == Some(true);
                self.block(&node.body)?;
                self.main = before || guard == Some(false);
                for clause in &node.elif_else_clauses {
                    if let Some(test) = &clause.test {
                        self.eval(test)?;
                    }
                    self.block(&clause.body)?;
                }
                self.main = before;
            }
            Stmt::For(node) => {
                let over = self.eval(&node.iter)?;
                self.each(&node.target, &over, &node.body)?;
                self.block(&node.orelse)?;
            }
            Stmt::While(node) => {
                self.eval(&node.test)?;
                self.block(&node.body)?;
                self.block(&node.orelse)?;
            }
            Stmt::With(node) => {
                for item in &node.items {
                    let value = self.eval(&item.context_expr)?;
                    if let Some(target) = &item.optional_vars {
                        self.bind(target, &value)?;
                    }
                }
                self.block(&node.body)?;
            }
            Stmt::Try(node) => {
                self.block(&node.body)?;
                for handler in &node.handlers {
                    let ExceptHandler::ExceptHandler(handler) = handler;
                    if let Some(caught) = &handler.type_ {
                        self.eval(caught)?;
                    }
                    self.block(&handler.body)?;
                }
                self.block(&node.orelse)?;
                self.block(&node.finalbody)?;
            }
            Stmt::Match(node) => {
                let subject = self.eval(&node.subject)?;
                for case in &node.cases {
                    if let Pattern::MatchAs(pattern) = &case.pattern
                        && let Some(name) = &pattern.name
                    {
                        self.set(name.as_str(), subject.clone());
                    }
                    if let Some(guard) = &case.guard {
                        self.eval(guard)?;
                    }
                    self.block(&case.body)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A loop's body, once for each item when all are known: decoders loop
    /// over their payload.
    fn each(&mut self, target: &'a Expr, over: &Val<'a>, body: &'a [Stmt]) -> Result<(), Stop> {
        let items = over.items().unwrap_or_default();
        let Some((first, rest)) = items.split_first() else {
            let one = picked::any(over).unwrap_or_else(|| Val::marked(over.marks | self.exposed(over)));
            self.bind(target, &one)?;
            return self.block(body);
        };
        self.bind(target, first)?;
        self.block(body)?;
        self.quiet = self.quiet.saturating_add(1);
        for item in rest {
            if self.steps == 0 {
                break;
            }
            self.bind(target, item)?;
            self.block(body)?;
        }
        self.quiet = self.quiet.saturating_sub(1);
        if self.quiet == 0 && self.inlined == 0 {
            self.returned = None;
        }
        Ok(())
    }

    fn import(&mut self, import: &'a ruff_python_ast::StmtImport) {
        for alias in &import.names {
            let path = alias.name.as_str();
            self.imported(path, alias.range());
            let (bound, value) = match &alias.asname {
                Some(name) => (name.as_str(), path),
                // `import a.b` binds `a`.
                None => {
                    let top = path.split('.').next().unwrap_or(path);
                    (top, top)
                }
            };
            let value = Val::name(crate::names::canonical_module(value));
            self.set(bound, value);
        }
    }

    fn import_from(&mut self, import: &'a StmtImportFrom) {
        let module = import.module.as_ref().map_or("", |module| module.as_str());
        let dots = ".".repeat(usize::try_from(import.level).unwrap_or(1).min(8));
        let path = format!("{dots}{module}");
        self.imported(&path, import.range());
        for alias in &import.names {
            let name = alias.name.as_str();
            if name == "*" {
                self.stars.push(path.clone());
                continue;
            }
            let bound = alias.asname.as_ref().map_or(name, |name| name.as_str());
            let value =
                if import.level > 0 { format!("{path}.{name}") } else { names::canonical(&format!("{module}.{name}")) };
            self.set(bound, Val::name(value));
        }
    }

    fn imported(&mut self, module: &str, range: TextRange) {
        if self.quiet == 0 {
            let at_import = self.current.is_none() && !self.main;
            self.imports.entry((module.to_owned(), at_import)).or_insert(range);
        }
    }

    pub(super) fn define(&mut self, node: &'a StmtFunctionDef, class: Option<usize>) -> Result<(), Stop> {
        self.signature(node)?;
        let name = node.name.as_str();
        let place = node.range().start().to_u32();
        let known = self.defined.get(&place).copied();
        let index = known.unwrap_or(self.functions.len());
        if known.is_none() {
            self.functions.push(Function { name: name.to_owned(), node: Some(node), class, calls: Vec::new() });
            self.defined.insert(place, index);
        }
        if let Some(class) = class.and_then(|class| self.classes.get_mut(class)) {
            class.methods.push((name.to_owned(), index));
        }
        let value = Val { what: What::Function(index), marks: 0 };
        for decorator in &node.decorator_list {
            self.decorated(&decorator.expression, &value)?;
        }
        self.set(name, value);
        if known.is_none() {
            let mut captured = self.captured.as_ref().clone();
            for scope in &self.local {
                captured.extend(scope.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
            self.pending.push_back(Pending { index, node, captured: Rc::new(captured) });
        }
        Ok(())
    }

    /// What runs when a function is defined: defaults and annotations.
    fn signature(&mut self, node: &'a StmtFunctionDef) -> Result<(), Stop> {
        self.defaults(&node.parameters)?;
        self.bounds(node.type_params.as_deref())?;
        let annotations = node.parameters.iter().filter_map(|parameter| parameter.annotation());
        for annotation in annotations.chain(node.returns.as_deref()) {
            self.eval(annotation)?;
        }
        Ok(())
    }

    pub(super) fn defaults(&mut self, parameters: &'a Parameters) -> Result<(), Stop> {
        for default in parameters.iter_non_variadic_params().filter_map(|parameter| parameter.default.as_deref()) {
            self.eval(default)?;
        }
        Ok(())
    }

    /// `@f` calls `f` with what it decorates.
    pub(super) fn decorated(&mut self, decorator: &'a Expr, value: &Val<'a>) -> Result<(), Stop> {
        let callable = self.eval(decorator)?;
        self.apply(&callable, std::slice::from_ref(value), decorator.range())
    }

    /// What `name` stands for here.
    pub(super) fn lookup(&self, name: &str) -> Option<Val<'a>> {
        let scopes = self.local.iter().rev().chain([self.captured.as_ref(), &self.module]);
        for scope in scopes {
            if let Some(value) = scope.get(name) {
                return Some(value.clone());
            }
        }
        if let Some(builtin) = names::builtin(name) {
            return Some(Val::name(builtin));
        }
        let star = self.stars.iter().rev().map(|module| names::canonical(&format!("{module}.{name}")));
        star.into_iter().find(|path| watch::is_watched(path)).map(Val::name)
    }

    /// Notes that `function` is called, or handed to something that will.
    pub(super) fn reaches(&mut self, function: usize) {
        if self.quiet > 0 {
            return;
        }
        match self.current.and_then(|current| self.functions.get_mut(current)) {
            Some(current) => {
                if !current.calls.contains(&function) {
                    current.calls.push(function);
                }
            }
            None => {
                let scope = if self.main { Scope::Main } else { self.outermost() };
                if !self.roots.contains(&(function, scope)) {
                    self.roots.push((function, scope));
                }
            }
        }
    }

    pub(super) fn outermost(&self) -> Scope {
        if self.cells { Scope::Cell } else { Scope::Module }
    }

    /// `__reduce__` returns a callable and its arguments, for a pickle to run.
    fn reduced(&mut self, value: &Val<'a>, range: TextRange) {
        let in_reduce = self
            .current
            .and_then(|current| self.functions.get(current))
            .is_some_and(|function| matches!(function.name.as_str(), "__reduce__" | "__reduce_ex__"));
        if in_reduce {
            self.pickled(value, range);
        }
    }

    /// A callable and its arguments, which a pickle will call.
    pub(super) fn pickled(&mut self, value: &Val<'a>, range: TextRange) {
        if let What::List(items) = &value.what
            && let Some(name) = items.first().and_then(Val::as_name).map(names::canonical)
            && (watch::is_process(&name) || watch::is_execute(&name))
        {
            self.anomaly("reduce-callable", &name, range);
        }
    }
}

/// What a test of `__name__` tells: `Some(true)` for "run as a program",
/// `Some(false)` for the opposite.
fn main_guard(test: &Expr) -> Option<bool> {
    match test {
        Expr::BoolOp(node) if node.op == BoolOp::And => node.values.iter().find_map(main_guard),
        Expr::UnaryOp(node) if node.op == UnaryOp::Not => main_guard(&node.operand).map(|main| !main),
        Expr::Compare(compare) => {
            let sides = std::iter::once(compare.left.as_ref()).chain(compare.comparators.iter());
            let mut name = false;
            let mut main = false;
            for side in sides {
                match side {
                    Expr::Name(node) => name |= node.id.as_str() == "__name__",
                    Expr::StringLiteral(node) => main |= node.value.to_str() == "__main__",
                    Expr::Tuple(node) => main |= is_main(&node.elts),
                    Expr::List(node) => main |= is_main(&node.elts),
                    Expr::Set(node) => main |= is_main(&node.elts),
                    _ => {}
                }
            }
            let [operator] = compare.ops.as_ref() else { return None };
            match operator {
                CmpOp::Eq | CmpOp::Is | CmpOp::In if name && main => Some(true),
                CmpOp::NotEq | CmpOp::IsNot | CmpOp::NotIn if name && main => Some(false),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Names that a module has only when it is run as a program.
fn is_main(names: &[Expr]) -> bool {
    let main = |name: &Expr| {
        name.as_string_literal_expr().is_some_and(|text| matches!(text.value.to_str(), "__main__" | "__mp_main__"))
    };
    !names.is_empty() && names.iter().all(main)
}
