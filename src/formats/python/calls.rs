//! Calls: what is called with what, what it gives, and whether that is worth
//! recording.

use ruff_python_ast::{Expr, ExprCall};
use ruff_text_size::{Ranged as _, TextRange};

use crate::input::Input;
use crate::stop::Stop;
use crate::text::shell;

use super::statements::{Call, Machine};
use super::value::{BUILT, CARRIED, DECODED, ENVIRON, FETCHED, SCATTERED, SECRET, Val, What};
use super::{fold, names, watch};

/// How many local functions a value is followed through.
const FOLLOWED: u32 = 6;

impl<'a> Machine<'a, '_, '_, '_> {
    pub(super) fn call(&mut self, node: &'a ExprCall) -> Result<Val<'a>, Stop> {
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

/// Modules and functions that run programs or code: nobody has a reason to
/// hide their names.
pub(super) fn is_dangerous(name: &str) -> bool {
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
