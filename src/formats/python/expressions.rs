//! Expressions: what they are known to give, and the calls in them.

use std::rc::Rc;

use ruff_python_ast::{Comprehension, Expr, ExprCall, InterpolatedStringElement, UnaryOp};
use ruff_text_size::{Ranged as _, TextRange};

use crate::input::Input;
use crate::stop::Stop;
use crate::text::shell;

use super::statements::{Call, Machine, dotted};
use super::value::{BUILT, CARRIED, DECODED, ENVIRON, FETCHED, SCATTERED, SECRET, Val, What};
use super::{fold, names, watch};

/// How many local functions a value is followed through.
const FOLLOWED: u32 = 6;

impl<'a> Machine<'a, '_, '_, '_> {
    /// The value of `expression`, as far as it is known.
    pub(super) fn eval(&mut self, expression: &'a Expr) -> Result<Val<'a>, Stop> {
        if self.quiet > 0 {
            if self.steps == 0 {
                return Ok(Val::unknown());
            }
            self.steps = self.steps.saturating_sub(1);
        }
        Ok(match expression {
            Expr::StringLiteral(node) => Val::text(node.value.to_str(), 0),
            Expr::BytesLiteral(node) => {
                let bytes: Vec<u8> = node.value.iter().flat_map(|part| part.as_slice().iter().copied()).collect();
                Val::bytes(bytes, 0)
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
                    fold::slice(&value, start, stop, step)
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
                for value in &node.values {
                    last = self.eval(value)?;
                }
                last
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
            Expr::ListComp(node) => self.comprehension(&node.elt, &node.generators)?,
            Expr::SetComp(node) => self.comprehension(&node.elt, &node.generators)?,
            Expr::Generator(node) => self.comprehension(&node.elt, &node.generators)?,
            Expr::DictComp(node) => {
                self.comprehension(&node.value, &node.generators)?;
                Val::unknown()
            }
            Expr::Lambda(node) => {
                // Its body runs when it is called, by whoever is handed it.
                self.local.push(std::collections::BTreeMap::new());
                let outcome = self.eval(&node.body);
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
            Expr::TString(_)
            | Expr::NoneLiteral(_)
            | Expr::EllipsisLiteral(_)
            | Expr::Slice(_)
            | Expr::IpyEscapeCommand(_) => Val::unknown(),
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
        let mut text = Some(String::new());
        let mut marks = 0;
        for element in elements {
            match element {
                InterpolatedStringElement::Literal(literal) => {
                    if let Some(text) = &mut text {
                        text.push_str(&literal.value);
                    }
                }
                InterpolatedStringElement::Interpolation(field) => {
                    let value = self.eval(&field.expression)?;
                    marks |= (value.marks | self.exposed(&value)) & CARRIED;
                    match (&mut text, &value.what) {
                        (Some(text), What::Str(part)) => text.push_str(part),
                        (Some(text), What::Int(part)) => text.push_str(&part.to_string()),
                        _ => text = None,
                    }
                }
            }
        }
        Ok(text.map_or_else(|| Val::marked(marks), |text| Val::text(text, marks)))
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
        let shown = if items.is_empty() { vec![Val::marked(over.marks & CARRIED)] } else { items };
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
            _ => Val::marked((over.marks | last.marks) & CARRIED),
        })
    }

    /// An attribute, and the object that it was taken from.
    fn attribute(&mut self, expression: &'a Expr) -> Result<(Val<'a>, Val<'a>), Stop> {
        let Expr::Attribute(node) = expression else { return Ok((Val::unknown(), Val::unknown())) };
        if let Some(value) = dotted(expression).and_then(|path| self.lookup(&path)) {
            return Ok((Val::unknown(), value));
        }
        let value = self.eval(&node.value)?;
        let name = node.attr.as_str();
        if name == "__subclasses__" && is_object_walk(&node.value) {
            self.anomaly("object-walk", name, expression.range());
        }
        let member = self.member(&value, name);
        Ok((value, member))
    }

    fn member(&self, value: &Val<'a>, name: &str) -> Val<'a> {
        match &value.what {
            What::Name(path) => {
                let path = names::canonical(&names::attribute(path, name));
                Val::name(path).with(value.marks & CARRIED)
            }
            What::Class(class) => {
                let methods = self.classes.get(*class).map(|class| class.methods.as_slice()).unwrap_or_default();
                let found = methods.iter().rev().find(|(method, _)| method == name);
                found.map_or_else(Val::unknown, |(_, index)| Val { what: What::Function(*index), marks: 0 })
            }
            _ => Val::marked(value.marks & CARRIED),
        }
    }

    fn subscript(&mut self, value: &Val<'a>, index: &Val<'a>, range: TextRange) -> Val<'a> {
        if let (What::Name(path), Some(key)) = (&value.what, index.as_str()) {
            // `vars(os)['system']`, `globals()['x']`, `sys.modules['os']`.
            let base = path.as_ref();
            if matches!(base, "builtins.globals" | "builtins.locals" | "builtins.vars") {
                return self.lookup(key).unwrap_or_else(Val::unknown);
            }
            if base == "os.environ" {
                return Val::unknown();
            }
            let found = names::canonical(&names::attribute(base, key));
            if index.marks & (BUILT | DECODED) != 0 && is_dangerous(&found) {
                self.anomaly("hidden-name", &found, range);
            }
            return Val::name(found);
        }
        fold::index(value, index).unwrap_or_else(|| Val::marked(value.marks & CARRIED))
    }

    /// Marks of a value that is handed over whole: the environment itself.
    fn exposed(&self, value: &Val<'a>) -> u8 {
        let whole = matches!(
            value.as_name(),
            Some("os.environ" | "os.environ.copy" | "os.environ.items" | "os.environ.values" | "os.environb")
        );
        if whole { ENVIRON } else { 0 }
    }

    fn call(&mut self, node: &'a ExprCall) -> Result<Val<'a>, Stop> {
        let (object, callable) = match node.func.as_ref() {
            attribute @ Expr::Attribute(_) => self.attribute(attribute)?,
            other => (Val::unknown(), self.eval(other)?),
        };
        let mut arguments = Vec::new();
        let mut marks = callable.marks & CARRIED;
        for argument in &node.arguments.args {
            let value = self.eval(argument)?;
            marks |= (value.marks | self.exposed(&value)) & CARRIED;
            arguments.push(value);
        }
        let mut keywords = Vec::new();
        for keyword in &node.arguments.keywords {
            let value = self.eval(&keyword.value)?;
            marks |= (value.marks | self.exposed(&value)) & CARRIED;
            keywords.push((keyword.arg.as_ref().map_or("", |name| name.as_str()), value));
        }
        let range = node.range();
        // A method of a value that is known: only computes.
        if let Expr::Attribute(method) = node.func.as_ref()
            && matches!(callable.what, What::Unknown)
            && let Some(result) = fold::method(&object, method.attr.as_str(), &arguments)
        {
            return Ok(result);
        }
        let calls_back = callable.as_name().is_some_and(|name| watch::calls_back(&names::canonical(name)));
        for value in arguments.iter().chain(keywords.iter().map(|(_, value)| value)) {
            self.handed(value, calls_back, range);
        }
        match &callable.what {
            What::Function(index) => {
                self.reaches(*index);
                return self.follow(*index, &arguments, node.func.as_ref());
            }
            What::Class(class) => {
                let init = self.member(&callable, "__init__");
                if let What::Function(index) = init.what {
                    self.reaches(index);
                }
                return Ok(Val { what: What::Class(*class), marks: 0 });
            }
            What::Lambda(lambda) => {
                let lambda = *lambda;
                if self.steps > 0 && self.quiet < FOLLOWED {
                    let mut bound = std::collections::BTreeMap::new();
                    let parameters =
                        lambda.parameters.iter().flat_map(|parameters| parameters.iter_non_variadic_params());
                    for (parameter, value) in parameters.zip(&arguments) {
                        bound.insert(parameter.parameter.name.as_str().to_owned(), value.clone());
                    }
                    self.local.push(bound);
                    self.quiet = self.quiet.saturating_add(1);
                    let result = self.eval(&lambda.body);
                    self.quiet = self.quiet.saturating_sub(1);
                    self.local.pop();
                    return result;
                }
                return Ok(Val::marked(marks));
            }
            What::Name(_) => {}
            _ => return Ok(Val::marked(marks)),
        }
        let name = callable.as_name().map(names::canonical).unwrap_or_default();
        self.named(&name, &callable, &arguments, &keywords, marks, range)
    }

    /// What a function of this source returns for these arguments.
    fn follow(&mut self, index: usize, arguments: &[Val<'a>], callable: &'a Expr) -> Result<Val<'a>, Stop> {
        let marks = arguments.iter().fold(0, |marks, argument| marks | argument.marks) & CARRIED;
        let node = self.functions.get(index).and_then(|function| function.node);
        let Some(node) = node.filter(|_| self.quiet < FOLLOWED && self.steps > 0) else {
            return Ok(Val::marked(marks));
        };
        let mut given = Vec::new();
        if self.functions.get(index).is_some_and(|function| function.class.is_some())
            && matches!(callable, Expr::Attribute(_))
        {
            given.push(Val::unknown());
        }
        given.extend(arguments.iter().cloned());
        self.quiet = self.quiet.saturating_add(1);
        let before = self.returned.take();
        let outcome = self.function_body(index, node, &given);
        let returned = std::mem::replace(&mut self.returned, before);
        self.quiet = self.quiet.saturating_sub(1);
        outcome?;
        Ok(returned.unwrap_or_else(|| Val::marked(marks)))
    }

    /// A callable that is handed to something else will be called by it.
    fn handed(&mut self, value: &Val<'a>, calls_back: bool, range: TextRange) {
        match &value.what {
            What::Function(index) if calls_back => self.reaches(*index),
            What::Name(path) => {
                let name = names::canonical(path);
                // A result is known by the name of what gave it, so only the
                // callables themselves count.
                if watch::is_process(&name) && !name.starts_with("subprocess.Popen.") && !self.is_result(&name) {
                    self.note(&name, &[], range, Some("handed over".to_owned()));
                }
            }
            _ => {}
        }
    }

    fn is_result(&self, name: &str) -> bool {
        self.calls.iter().any(|call| call.name == name)
    }

    /// A call of something that has a name.
    fn named(
        &mut self,
        name: &str,
        callable: &Val<'a>,
        arguments: &[Val<'a>],
        keywords: &[(&str, Val<'a>)],
        marks: u8,
        range: TextRange,
    ) -> Result<Val<'a>, Stop> {
        let first = arguments.first().or_else(|| keywords.first().map(|(_, value)| value));
        if let Some(value) = self.reflect(name, arguments, range) {
            return Ok(value);
        }
        self.judge(name, arguments, first, marks, range)?;
        if watch::is_watched(name) && !watch::is_of_process(name) {
            let all: Vec<Val<'a>> = arguments.iter().chain(keywords.iter().map(|(_, value)| value)).cloned().collect();
            self.note(name, &all, range, None);
        }
        if name == "builtins.open" || name == "io.open" || name.ends_with(".read_text") || name.ends_with(".read_bytes")
        {
            let path = first.and_then(Val::as_str).unwrap_or_default().to_owned();
            let secret = if watch::is_secret_path(&path) { SECRET } else { 0 };
            return Ok(Val::name(name).with(marks | secret));
        }
        if let Some(value) = fold::function(name, arguments) {
            return Ok(value);
        }
        if name == "builtins.map"
            && let (Some(function), Some(items)) = (arguments.first(), arguments.get(1).and_then(Val::items))
            && let Some(function) = function.as_name()
        {
            let mapped: Option<Vec<Val<'a>>> =
                items.iter().map(|item| fold::function(function, std::slice::from_ref(item))).collect();
            if let Some(mapped) = mapped {
                return Ok(Val::list(mapped));
            }
        }
        if name == "builtins.compile" {
            return Ok(first.cloned().unwrap_or_else(Val::unknown));
        }
        let decoded = if fold::decodes(name) { DECODED } else { 0 };
        let fetched = if watch::fetches(name) { FETCHED } else { 0 };
        Ok(Val { what: callable.what.clone(), marks: marks | decoded | fetched })
    }

    /// Calls that give an object by its name.
    fn reflect(&mut self, name: &str, arguments: &[Val<'a>], range: TextRange) -> Option<Val<'a>> {
        let hidden = |value: &Val<'a>| value.marks & (BUILT | DECODED) != 0;
        let text = |index: usize| arguments.get(index).and_then(Val::as_text);
        match name {
            "builtins.getattr" | "operator.attrgetter" => {
                let attribute = arguments.get(1)?;
                let value = self.member(arguments.first()?, &attribute.as_text()?);
                let found = value.as_name().map(names::canonical);
                if let Some(found) = found.filter(|found| hidden(attribute) && is_dangerous(found)) {
                    self.anomaly("hidden-name", &found, range);
                }
                Some(value)
            }
            "builtins.__import__" | "importlib.import_module" | "importlib.__import__" => {
                let module = text(0)?;
                let built = arguments.first().is_some_and(hidden);
                let known = names::canonical(&module);
                if built && is_dangerous(&known) {
                    self.anomaly("hidden-name", &known, range);
                }
                // `__import__('a.b')` gives `a`, unless told otherwise.
                let top = module.split('.').next().unwrap_or(&module).to_owned();
                let given = if name == "builtins.__import__" && arguments.len() < 4 { top } else { known };
                Some(Val::name(crate::names::canonical_module(&given)))
            }
            "builtins.vars" | "builtins.type" if arguments.len() == 1 => {
                arguments.first().filter(|value| value.as_name().is_some()).cloned()
            }
            "os.environ.get" | "os.getenv" => Some(Val::unknown()),
            _ => None,
        }
    }

    /// What is wrong with a call beyond its name.
    fn judge(
        &mut self,
        name: &str,
        arguments: &[Val<'a>],
        first: Option<&Val<'a>>,
        marks: u8,
        range: TextRange,
    ) -> Result<(), Stop> {
        let executes = watch::is_execute(name);
        let starts = watch::is_process(name);
        let given = first.map_or(0, |first| first.marks);
        if executes || starts {
            if given & FETCHED != 0 {
                self.anomaly(if executes { "fetched-exec" } else { "fetched-command" }, name, range);
            } else if given & DECODED != 0 {
                self.anomaly(if executes { "encoded-exec" } else { "encoded-command" }, name, range);
            } else if executes
                && name != "types.FunctionType"
                && given & SCATTERED != 0
                && first.is_some_and(|first| first.as_text().is_some())
            {
                self.anomaly("built-exec", name, range);
            }
        }
        if executes
            && self.quiet == 0
            && let Some(code) = first.and_then(Val::as_text)
        {
            // An expression without a call gives no more than a value.
            if code.contains('(') || code.contains("import") {
                let child = format!("source given to {name}, byte {}", range.start().to_u32());
                self.cx.child_as("python", &child, Input::from(code.as_bytes()))?;
            }
        }
        if self.quiet == 0
            && let (Some(format), Some(What::Bytes(bytes))) = (watch::loads_bytes(name), first.map(|first| &first.what))
        {
            let child = format!("bytes given to {name}, byte {}", range.start().to_u32());
            self.cx.child_as(format, &child, Input::from(bytes.as_ref()))?;
        }
        if watch::loads_bytes(name).is_some() && given & FETCHED != 0 {
            self.anomaly("fetched-objects", name, range);
        }
        if watch::is_network(name) && marks & (ENVIRON | SECRET) != 0 {
            let what = if marks & SECRET != 0 { "a credential file" } else { "the whole environment" };
            self.anomaly("credentials-sent", what, range);
        }
        self.writes(name, arguments, range);
        Ok(())
    }

    /// Files that a later login, boot or interpreter start runs.
    fn writes(&mut self, name: &str, arguments: &[Val<'a>], range: TextRange) {
        let path = |index: usize| arguments.get(index).and_then(Val::as_str).unwrap_or_default().to_owned();
        let target = match name {
            "builtins.open" | "io.open" | "codecs.open" => {
                let mode = path(1);
                if mode.contains(['w', 'a', 'x', '+']) { path(0) } else { return }
            }
            "shutil.copy" | "shutil.copyfile" | "shutil.copy2" | "shutil.move" | "os.rename" | "os.replace"
            | "os.symlink" | "os.link" => path(1),
            "urllib.request.urlretrieve" => path(1),
            _ => return,
        };
        if shell::is_startup_path(&target) {
            self.anomaly("startup-write", &target, range);
        }
    }

    /// A decorator: a call with one argument.
    pub(super) fn apply(&mut self, callable: &Val<'a>, arguments: &[Val<'a>], range: TextRange) -> Result<(), Stop> {
        for argument in arguments {
            // `@atexit.register` and its like will call what they are given.
            if matches!(callable.as_name(), Some("atexit.register")) {
                self.handed(argument, true, range);
            }
        }
        match &callable.what {
            What::Function(index) => self.reaches(*index),
            What::Name(path) => {
                let name = names::canonical(path);
                if watch::is_process(&name) || watch::is_execute(&name) {
                    self.note(&name, arguments, range, Some("as a decorator".to_owned()));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Records a call.
    fn note(&mut self, name: &str, arguments: &[Val<'a>], range: TextRange, detail: Option<String>) {
        if self.quiet > 0 {
            return;
        }
        let shown = |value: &Val<'a>| -> String {
            match &value.what {
                What::Str(text) => crate::text::excerpt(text, 160),
                What::Int(value) => value.to_string(),
                What::Name(path) => path.to_string(),
                What::Bytes(bytes) => format!("{} bytes", bytes.len()),
                What::List(items) => {
                    let items: Vec<String> =
                        items.iter().take(8).map(|item| item.as_text().unwrap_or_else(|| "…".to_owned())).collect();
                    crate::text::excerpt(&items.join(" "), 160)
                }
                _ => "…".to_owned(),
            }
        };
        let call = Call {
            name: name.to_owned(),
            rendered: self.rendered(range),
            arguments: arguments.iter().take(6).map(shown).collect(),
            constant: if watch::is_execute(name) || watch::is_process(name) {
                arguments.first().is_some_and(Val::is_constant)
            } else {
                !arguments.is_empty() && arguments.iter().all(Val::is_constant)
            },
            program: if watch::is_process(name) { Some(program(arguments.first())) } else { None },
            detail,
            range,
            within: self.current,
            main: self.main,
        };
        self.calls.push(call);
    }
}

/// The program that a command starts; empty when it is not known.
fn program(command: Option<&Val<'_>>) -> String {
    match command.map(|command| &command.what) {
        Some(What::Str(text)) => shell::program(text),
        Some(What::List(items)) => match items.first() {
            Some(item) => match item.as_text() {
                Some(text) => shell::program(&text),
                None if item.as_name() == Some("sys.executable") => "python".to_owned(),
                None => String::new(),
            },
            None => String::new(),
        },
        Some(What::Name(name)) if name.as_ref() == "sys.executable" => "python".to_owned(),
        _ => String::new(),
    }
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

/// Modules and functions that run programs or code: nobody has a reason to
/// hide their names.
fn is_dangerous(name: &str) -> bool {
    watch::is_process(name)
        || watch::is_execute(name)
        || matches!(
            name,
            "os" | "subprocess"
                | "builtins"
                | "pty"
                | "ctypes"
                | "posix"
                | "nt"
                | "marshal"
                | "socket"
                | "builtins.__import__"
        )
}
