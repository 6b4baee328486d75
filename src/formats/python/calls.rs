//! Calls: what is called with what, what it gives, and whether that is worth
//! recording.

use ruff_python_ast::{Expr, ExprCall, ExprLambda};
use ruff_text_size::{Ranged as _, TextRange};

use crate::stop::Stop;

use super::effects::{self, Made};
use super::reflect::is_dangerous;
use super::statements::{Call, Machine};
use super::value::{CARRIED, Val, What};
use super::{command, fold, names, picked, same, watch};

/// How many local functions a value is followed through.
const FOLLOWED: u32 = 6;
/// How many of them may be walked for the calls that a value decides.
const INLINED: u32 = 3;

/// Where a class keeps the one of its bases that starts a program.
pub(super) const BASE: &str = "starts a program";

/// The keyword arguments of a call.
type Keywords<'a> = Vec<(String, Val<'a>)>;

impl<'a> Machine<'a, '_, '_, '_> {
    pub(super) fn call(&mut self, node: &'a ExprCall) -> Result<Val<'a>, Stop> {
        let (object, callable) = match node.func.as_ref() {
            attribute @ Expr::Attribute(_) => self.attribute(attribute)?,
            other => (Val::unknown(), self.eval(other)?),
        };
        let range = node.range();
        let (arguments, keywords) = self.arguments(node)?;
        let given = arguments.iter().chain(keywords.iter().map(|(_, value)| value));
        let marks = given.fold(callable.marks, |marks, value| marks | value.marks | self.exposed(value)) & CARRIED;
        // A method of a value that is known: only computes.
        if let Expr::Attribute(method) = node.func.as_ref()
            && matches!(callable.what, What::Unknown)
        {
            let method = method.attr.as_str();
            if let Some(result) = self.path_method(&object, method, &arguments, &keywords, range)? {
                return Ok(result);
            }
            if matches!(method, "format" | "format_map") && object.as_str().is_some_and(walks) {
                self.anomaly("object-walk", method, range);
            }
            if let Some(result) = fold::method(&object, method, &arguments) {
                return Ok(result);
            }
        }
        let calls_back = callable.as_name().is_some_and(|name| watch::calls_back(&names::canonical(name)));
        for value in arguments.iter().chain(keywords.iter().map(|(_, value)| value)) {
            self.handed(value, calls_back, range);
        }
        match &callable.what {
            What::Function(index) => {
                self.reaches(*index);
                return self.follow(*index, &arguments, &keywords, matches!(node.func.as_ref(), Expr::Attribute(_)));
            }
            What::Class(class) => {
                self.reaches_methods(*class, &["__new__", "__init__", "__post_init__"]);
                // Of a class that starts a program, it does so unless it was told otherwise.
                if let Some(base) = self.member(&callable, BASE).as_name().map(str::to_owned) {
                    self.named(&base, &Val::name(base.as_str()), &arguments, &keywords, marks, range)?;
                }
                return Ok(Val { what: What::Class(*class), marks: 0 });
            }
            What::Lambda(lambda) => return self.follow_lambda(lambda, &arguments, marks),
            What::Name(_) => {}
            _ => return Ok(Val::marked(marks)),
        }
        let name = callable.as_name().map(names::canonical).unwrap_or_default();
        self.named(&name, &callable, &arguments, &keywords, marks, range)
    }

    /// The arguments of a call, with `*` and `**` of what is known spread out.
    fn arguments(&mut self, node: &'a ExprCall) -> Result<(Vec<Val<'a>>, Keywords<'a>), Stop> {
        let mut arguments = Vec::new();
        for argument in &node.arguments.args {
            let value = self.eval(argument)?;
            match (argument, value.items()) {
                (Expr::Starred(_), Some(items)) => arguments.extend(items),
                _ => arguments.push(value),
            }
        }
        let mut keywords = Vec::new();
        for keyword in &node.arguments.keywords {
            let value = self.eval(&keyword.value)?;
            match (&keyword.arg, &value.what) {
                (Some(name), _) => keywords.push((name.as_str().to_owned(), value)),
                (None, What::Dict(pairs)) => {
                    let known = pairs.iter().filter_map(|(key, value)| Some((key.as_str()?.to_owned(), value.clone())));
                    keywords.extend(known);
                }
                _ => keywords.push((String::new(), value)),
            }
        }
        Ok((arguments, keywords))
    }

    fn follow_lambda(&mut self, lambda: &'a ExprLambda, arguments: &[Val<'a>], marks: u16) -> Result<Val<'a>, Stop> {
        if self.steps == 0 || self.quiet >= FOLLOWED {
            return Ok(Val::marked(marks));
        }
        let mut bound = std::collections::BTreeMap::new();
        let parameters = lambda.parameters.iter().flat_map(|parameters| parameters.iter_non_variadic_params());
        for (parameter, value) in parameters.zip(arguments) {
            bound.insert(parameter.parameter.name.as_str().to_owned(), value.clone());
        }
        self.local.push(bound);
        let loud = self.enter(arguments.iter());
        let result = self.eval(&lambda.body);
        self.leave(loud);
        self.local.pop();
        result
    }

    /// Begins to follow a function. Its calls count only when what it is given
    /// decides what they are; else its own walk tells them.
    fn enter<'v>(&mut self, mut given: impl Iterator<Item = &'v Val<'a>>) -> bool
    where
        'a: 'v,
    {
        let decides = given.any(|value| match &value.what {
            What::Name(path) => is_dangerous(&names::canonical(path)),
            What::Function(_) | What::Lambda(_) => true,
            _ => false,
        });
        let loud = decides && self.quiet == 0 && self.inlined < INLINED;
        match loud {
            true => self.inlined = self.inlined.saturating_add(1),
            false => self.quiet = self.quiet.saturating_add(1),
        }
        loud
    }

    fn leave(&mut self, loud: bool) {
        match loud {
            true => self.inlined = self.inlined.saturating_sub(1),
            false => self.quiet = self.quiet.saturating_sub(1),
        }
    }

    /// What a function of this source returns for these arguments.
    fn follow(
        &mut self,
        index: usize,
        arguments: &[Val<'a>],
        keywords: &[(String, Val<'a>)],
        of_object: bool,
    ) -> Result<Val<'a>, Stop> {
        let marks = arguments.iter().fold(0, |marks, argument| marks | argument.marks) & CARRIED;
        let node = self.functions.get(index).and_then(|function| function.node);
        let Some(node) = node.filter(|_| self.quiet < FOLLOWED && self.steps > 0) else {
            return Ok(Val::marked(marks));
        };
        let mut given = Vec::new();
        if let Some(class) = self.functions.get(index).and_then(|function| function.class).filter(|_| of_object) {
            given.push(Val { what: What::Class(class), marks: 0 });
        }
        given.extend(arguments.iter().cloned());
        let loud = self.enter(arguments.iter().chain(keywords.iter().map(|(_, value)| value)));
        let before = self.returned.take();
        let outcome = self.function_body(index, node, &given, keywords);
        let returned = std::mem::replace(&mut self.returned, before);
        self.leave(loud);
        outcome?;
        Ok(returned.unwrap_or_else(|| Val::marked(marks)))
    }

    /// A callable that is handed to something else will be called by it.
    pub(super) fn handed(&mut self, value: &Val<'a>, calls_back: bool, range: TextRange) {
        match &value.what {
            What::Function(index) if calls_back => self.reaches(*index),
            // Whatever hooks an object in calls the methods that it knows.
            What::Class(class) if calls_back => {
                let methods = self.classes.get(*class).map(|class| class.methods.clone()).unwrap_or_default();
                methods.iter().for_each(|(_, index)| self.reaches(*index));
            }
            What::List(items) if items.len() < 64 => {
                for item in items.iter().filter(|item| !matches!(item.what, What::List(_) | What::Dict(_))) {
                    self.handed(item, calls_back, range);
                }
            }
            What::Dict(pairs) if pairs.len() < 64 => {
                for (_, item) in pairs.iter().filter(|(_, item)| !matches!(item.what, What::List(_) | What::Dict(_))) {
                    self.handed(item, calls_back, range);
                }
            }
            What::Name(path) => {
                let name = names::canonical(path);
                let name = same::same(&name).map_or(name, |(known, _)| known.to_owned());
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
    pub(super) fn named(
        &mut self,
        name: &str,
        callable: &Val<'a>,
        arguments: &[Val<'a>],
        keywords: &[(String, Val<'a>)],
        marks: u16,
        range: TextRange,
    ) -> Result<Val<'a>, Stop> {
        let first = arguments.first().or_else(|| keywords.first().map(|(_, value)| value));
        if let Some((known, skipped)) = same::same(name)
            && (!known.starts_with("builtins.e")
                || name.starts_with("code.")
                || name.starts_with("ctypes.")
                || first.is_some_and(|first| first.as_text().is_some()))
        {
            let rest = arguments.get(skipped..).unwrap_or_default();
            return self.named(known, &Val::name(known), rest, keywords, marks, range);
        }
        if let Some(value) = self.reflect(name, arguments, keywords, range)? {
            return Ok(value);
        }
        self.judge(&Made { name, arguments, keywords, marks, range })?;
        let trusts = keywords.iter().any(|(name, value)| name == "trust_remote_code" && value.as_int() == Some(1));
        if trusts || watch::is_watched(name) && !watch::is_of_process(name) {
            let all: Vec<Val<'a>> = arguments.iter().chain(keywords.iter().map(|(_, value)| value)).cloned().collect();
            self.note(name, &all, range, None);
        }
        if let Some(picked) = picked::listed(name, arguments).or_else(|| picked::passed(name, arguments)) {
            return Ok(picked);
        }
        if name == "copyreg.pickle"
            && let Some(reduce) = arguments.get(1)
        {
            self.reduces(reduce, range)?;
        }
        if matches!(name, "builtins.open" | "io.open" | "codecs.open")
            || name.ends_with(".read_text")
            || name.ends_with(".read_bytes")
        {
            return Ok(Val::name("builtins.open").with(marks | effects::of_file(first)));
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
        if matches!(
            name,
            "builtins.compile" | "ast.parse" | "codeop.compile_command" | "codeop.Compile" | "code.compile_command"
        ) {
            return Ok(first.cloned().unwrap_or_else(Val::unknown));
        }
        Ok(Val { what: callable.what.clone(), marks: marks | effects::of_result(name, arguments) })
    }

    /// A function that tells pickle how objects of some class are made again.
    pub(super) fn reduces(&mut self, function: &Val<'a>, range: TextRange) -> Result<(), Stop> {
        let reduced = match &function.what {
            What::Function(index) => self.follow(*index, &[], &[], false)?,
            What::Lambda(lambda) => self.follow_lambda(lambda, &[], 0)?,
            _ => Val::unknown(),
        };
        self.pickled(&reduced, range);
        Ok(())
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
            What::Function(index) => {
                self.reaches(*index);
                self.follow(*index, arguments, &[], false)?;
            }
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
    pub(super) fn note(&mut self, name: &str, arguments: &[Val<'a>], range: TextRange, detail: Option<String>) {
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
            program: if watch::is_process(name) { Some(command::program(arguments.first())) } else { None },
            detail,
            range,
            within: self.current,
            main: self.main,
        };
        self.calls.push(call);
    }
}

/// Whether a format string reads what no text is about.
fn walks(text: &str) -> bool {
    let fields = text.split('{').skip(1).filter_map(|field| field.split('}').next());
    fields.into_iter().any(|field| {
        ["__globals__", "__builtins__", "__subclasses__", "__code__"].iter().any(|inner| field.contains(inner))
    })
}
