//! Statement by statement, in the order in which Python would run them: what
//! names stand for, which functions exist, what they call.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use ruff_python_ast::{ExceptHandler, Expr, Stmt, StmtClassDef, StmtFunctionDef, StmtImportFrom};
use ruff_text_size::{Ranged as _, TextRange};

use crate::engine::Cx;
use crate::stop::Stop;

use super::reach::Scope;
use super::value::{Class, Function, Val, What};
use super::{names, watch};

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
    pub(super) classes: Vec<Class>,
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
    /// Steps that walking bodies for their value may still take.
    pub(super) steps: u32,
    pub(super) returned: Option<Val<'a>>,
    pub(super) file: String,
    pub(super) cells: bool,
}

/// Steps for following values through local functions and loops, in all: a
/// decoder over a payload of some kilobytes.
const STEPS: u32 = 400_000;

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
            steps: STEPS,
            returned: None,
            file,
            cells,
        }
    }

    /// Walks the module, then every function, and records what was found.
    pub(super) fn run(mut self, body: &'a [Stmt]) -> Result<(), Stop> {
        let mut outcome = self.block(body);
        while let (Ok(()), Some(next)) = (&outcome, self.pending.pop_front()) {
            self.current = Some(next.index);
            self.captured = Rc::clone(&next.captured);
            self.main = false;
            outcome = self.function_body(next.index, next.node, &[]);
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
    ) -> Result<(), Stop> {
        let mut bound = BTreeMap::new();
        let class = self.functions.get(index).and_then(|function| function.class);
        for (at, parameter) in node.parameters.iter_non_variadic_params().enumerate() {
            let value = match (given.get(at), class, at) {
                (Some(value), _, _) => value.clone(),
                (None, Some(class), 0) => Val { what: What::Class(class), marks: 0 },
                _ => Val::unknown(),
            };
            bound.insert(parameter.parameter.name.as_str().to_owned(), value);
        }
        self.local.push(bound);
        let outcome = self.block(&node.body);
        self.local.pop();
        outcome
    }

    pub(super) fn block(&mut self, body: &'a [Stmt]) -> Result<(), Stop> {
        for statement in body {
            self.statement(statement)?;
            if self.quiet > 0 && self.returned.is_some() {
                break;
            }
        }
        Ok(())
    }

    fn statement(&mut self, statement: &'a Stmt) -> Result<(), Stop> {
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
                if self.quiet > 0 {
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
            Stmt::TypeAlias(_)
            | Stmt::Global(_)
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
                let main = is_main_guard(&node.test);
                let before = self.main;
                self.main = before || main;
                self.block(&node.body)?;
                self.main = before;
                for clause in &node.elif_else_clauses {
                    if let Some(test) = &clause.test {
                        self.eval(test)?;
                    }
                    self.block(&clause.body)?;
                }
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
                    self.block(&handler.body)?;
                }
                self.block(&node.orelse)?;
                self.block(&node.finalbody)?;
            }
            Stmt::Match(node) => {
                self.eval(&node.subject)?;
                for case in &node.cases {
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
            self.bind(target, &Val::marked(over.marks))?;
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
        if self.quiet == 0 {
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

    fn define(&mut self, node: &'a StmtFunctionDef, class: Option<usize>) -> Result<(), Stop> {
        for default in node.parameters.iter_non_variadic_params().filter_map(|parameter| parameter.default.as_deref()) {
            self.eval(default)?;
        }
        let name = node.name.as_str();
        let index = self.functions.len();
        if self.quiet > 0 {
            self.set(name, Val::unknown());
            return Ok(());
        }
        self.functions.push(Function { name: name.to_owned(), node: Some(node), class, calls: Vec::new() });
        if let Some(class) = class.and_then(|class| self.classes.get_mut(class)) {
            class.methods.push((name.to_owned(), index));
        }
        let value = Val { what: What::Function(index), marks: 0 };
        for decorator in &node.decorator_list {
            self.decorated(&decorator.expression, &value)?;
        }
        self.set(name, value);
        let mut captured = self.captured.as_ref().clone();
        for scope in &self.local {
            captured.extend(scope.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        self.pending.push_back(Pending { index, node, captured: Rc::new(captured) });
        Ok(())
    }

    fn class(&mut self, node: &'a StmtClassDef) -> Result<(), Stop> {
        let index = self.classes.len();
        let name = node.name.as_str();
        self.classes.push(Class { methods: Vec::new() });
        if let Some(arguments) = &node.arguments {
            for base in &arguments.args {
                let base = self.eval(base)?;
                // A class of this source inherits the methods of its base.
                if let What::Class(base) = base.what {
                    let inherited = self.classes.get(base).map(|base| base.methods.clone()).unwrap_or_default();
                    if let Some(class) = self.classes.get_mut(index) {
                        class.methods.extend(inherited);
                    }
                }
            }
            for keyword in &arguments.keywords {
                self.eval(&keyword.value)?;
            }
        }
        self.local.push(BTreeMap::new());
        for statement in &node.body {
            match statement {
                Stmt::FunctionDef(method) => self.define(method, Some(index))?,
                other => self.statement(other)?,
            }
        }
        self.local.pop();
        let value = Val { what: What::Class(index), marks: 0 };
        for decorator in &node.decorator_list {
            self.decorated(&decorator.expression, &value)?;
        }
        self.set(name, value);
        Ok(())
    }

    /// `@f` calls `f` with what it decorates.
    fn decorated(&mut self, decorator: &'a Expr, value: &Val<'a>) -> Result<(), Stop> {
        let callable = self.eval(decorator)?;
        self.apply(&callable, std::slice::from_ref(value), decorator.range())
    }

    /// Binds what an assignment, a loop or a `with` binds.
    pub(super) fn bind(&mut self, target: &'a Expr, value: &Val<'a>) -> Result<(), Stop> {
        match target {
            Expr::Name(name) => self.set(name.id.as_str(), value.clone()),
            Expr::Tuple(node) => self.unpack(&node.elts, value)?,
            Expr::List(node) => self.unpack(&node.elts, value)?,
            Expr::Starred(node) => self.bind(&node.value, &Val::marked(value.marks))?,
            Expr::Attribute(_) => {
                if let Some(path) = dotted(target) {
                    self.set(&path, value.clone());
                }
            }
            _ => {
                self.eval(target)?;
            }
        }
        Ok(())
    }

    fn unpack(&mut self, targets: &'a [Expr], value: &Val<'a>) -> Result<(), Stop> {
        let items = value.items().filter(|items| items.len() == targets.len());
        for (index, target) in targets.iter().enumerate() {
            let item = items.as_ref().and_then(|items| items.get(index).cloned());
            self.bind(target, &item.unwrap_or_else(|| Val::marked(value.marks)))?;
        }
        Ok(())
    }

    pub(super) fn set(&mut self, name: &str, value: Val<'a>) {
        let scope = self.local.last_mut().unwrap_or(&mut self.module);
        scope.insert(name.to_owned(), value);
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
        if !in_reduce {
            return;
        }
        if let What::List(items) = &value.what
            && let Some(name) = items.first().and_then(Val::as_name).map(names::canonical)
            && (watch::is_process(&name) || watch::is_execute(&name))
        {
            self.anomaly("reduce-callable", &name, range);
        }
    }
}

/// `__name__ == "__main__"`, either way around.
fn is_main_guard(test: &Expr) -> bool {
    if let Expr::BoolOp(node) = test {
        return node.op == ruff_python_ast::BoolOp::And && node.values.iter().any(is_main_guard);
    }
    let Expr::Compare(compare) = test else { return false };
    let sides = std::iter::once(compare.left.as_ref()).chain(compare.comparators.iter());
    let mut name = false;
    let mut main = false;
    for side in sides {
        match side {
            Expr::Name(node) => name |= node.id.as_str() == "__name__",
            Expr::StringLiteral(node) => main |= node.value.to_str() == "__main__",
            _ => {}
        }
    }
    name && main
}

/// `a.b.c` as text, when it is nothing but names.
pub(super) fn dotted(expression: &Expr) -> Option<String> {
    let mut parts = Vec::new();
    let mut at = expression;
    loop {
        match at {
            Expr::Attribute(node) => {
                parts.push(node.attr.as_str());
                at = &node.value;
            }
            Expr::Name(node) => {
                parts.push(node.id.as_str());
                parts.reverse();
                return Some(parts.join("."));
            }
            _ => return None,
        }
    }
}
