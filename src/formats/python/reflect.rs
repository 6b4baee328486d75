//! Calls that give an object by its name, and names that somebody took care to
//! hide.

use ruff_text_size::TextRange;

use crate::stop::Stop;

use super::network;
use super::picked::{self, PROGRAMS, UNKNOWN};
use super::statements::Machine;
use super::value::{BUILT, DECODED, GAP, HOST, SECRET, TOKEN, Val};
use super::{names, watch};

impl<'a> Machine<'a, '_, '_, '_> {
    /// What a call of `name` gives, when it gives an object by its name.
    pub(super) fn reflect(
        &mut self,
        name: &str,
        arguments: &[Val<'a>],
        keywords: &[(String, Val<'a>)],
        range: TextRange,
    ) -> Result<Option<Val<'a>>, Stop> {
        if name.ends_with(UNKNOWN) {
            self.anomaly("hidden-name", name, range);
            return Ok(Some(Val::unknown()));
        }
        if let Some((getter, attribute)) = name.split_once(':') {
            return self.got(getter, attribute, arguments, keywords, range);
        }
        let text = |index: usize| arguments.get(index).and_then(Val::as_whole);
        Ok(match name {
            "builtins.getattr" => match (arguments.first(), arguments.get(1)) {
                (Some(object), Some(attribute)) => self.attribute_by_name(object, attribute, range),
                _ => None,
            },
            "operator.attrgetter" | "operator.methodcaller" | "operator.itemgetter" => {
                text(0).map(|attribute| Val::name(format!("{name}:{attribute}")))
            }
            "builtins.__import__" | "importlib.import_module" | "importlib.__import__" => {
                let Some(module) = text(0) else { return Ok(None) };
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
            "pydoc.locate" | "pkgutil.resolve_name" => {
                text(0).map(|path| Val::name(names::canonical(&path.replace(':', "."))))
            }
            // `reduce(getattr, ['os', 'system'], shutil)`
            "functools.reduce" if arguments.first().and_then(Val::as_name) == Some("builtins.getattr") => {
                let path = arguments.get(1).and_then(Val::items);
                let path: Option<Vec<String>> = path.map(|path| path.iter().filter_map(Val::as_whole).collect());
                match (path, arguments.get(2)) {
                    (Some(path), Some(object)) => {
                        Some(path.iter().fold(object.clone(), |object, name| self.member(&object, name)))
                    }
                    _ => None,
                }
            }
            _ if name.ends_with(".load_module") && text(0).is_some_and(|module| is_dangerous(&module)) => {
                text(0).map(Val::name)
            }
            "builtins.vars" | "builtins.type" if arguments.len() == 1 => {
                arguments.first().filter(|value| value.as_name().is_some()).cloned()
            }
            "os.environ.get" | "os.getenv" | "os.environ.pop" => Some(variable(arguments.first())),
            "pathlib.Path.home" => Some(Val::text("~", 0)),
            _ if network::tells_host(name) => Some(Val::marked(HOST)),
            _ => self.looked_up(name, arguments, range),
        })
    }

    /// What `operator.attrgetter(attribute)` and its like give for an object.
    fn got(
        &mut self,
        getter: &str,
        attribute: &str,
        arguments: &[Val<'a>],
        keywords: &[(String, Val<'a>)],
        range: TextRange,
    ) -> Result<Option<Val<'a>>, Stop> {
        let Some(object) = arguments.first() else { return Ok(None) };
        let found = attribute.split('.').fold(object.clone(), |object, name| self.member(&object, name));
        if getter != "operator.methodcaller" {
            return Ok(Some(found));
        }
        let Some(name) = found.as_name().map(names::canonical) else { return Ok(Some(Val::unknown())) };
        let rest = arguments.get(1..).unwrap_or_default();
        self.named(&name, &found, rest, keywords, found.marks, range).map(Some)
    }

    fn attribute_by_name(&mut self, object: &Val<'a>, attribute: &Val<'a>, range: TextRange) -> Option<Val<'a>> {
        let Some(name) = attribute.as_whole() else {
            let module = object.as_name().map(names::canonical)?;
            let known = PROGRAMS.contains(&module.as_str());
            return known.then(|| Val::name(format!("{module}{UNKNOWN}")));
        };
        let value = self.member(object, &name);
        let found = value.as_name().map(names::canonical);
        if let Some(found) = found.filter(|found| hidden(attribute) && is_dangerous(found)) {
            self.anomaly("hidden-name", &found, range);
        }
        Some(value)
    }

    /// `vars(os).get('system')`, `sys.modules.get('os')`, `globals().get('os')`.
    fn looked_up(&mut self, name: &str, arguments: &[Val<'a>], range: TextRange) -> Option<Val<'a>> {
        const GETTERS: &[&str] = &["get", "pop", "setdefault", "__getitem__", "__getattribute__", "__getattr__"];
        let (base, getter) = name.rsplit_once('.')?;
        let key = arguments.first()?;
        let text = key.as_whole()?;
        let identifier = text.chars().all(|char| char.is_alphanumeric() || char == '_');
        if !GETTERS.contains(&getter) || !identifier {
            return None;
        }
        if is_namespace(base) {
            return Some(self.global(&text));
        }
        let found = names::canonical(&names::attribute(base, &text));
        if !is_dangerous(&found) && base != "sys.modules" {
            return None;
        }
        if hidden(key) && is_dangerous(&found) {
            self.anomaly("hidden-name", &found, range);
        }
        Some(Val::name(found))
    }

    /// What `globals()[name]` gives.
    pub(super) fn global(&self, name: &str) -> Val<'a> {
        let found = self.lookup(name);
        // The names of another module may be meant: a function's, or a frame's.
        found.unwrap_or_else(|| if is_dangerous(name) { Val::name(name) } else { picked::member_of_any(name) })
    }
}

/// The namespace of this source, under one of its names.
pub(super) fn is_namespace(path: &str) -> bool {
    matches!(path, "builtins.globals" | "builtins.locals" | "builtins.vars")
}

/// A variable of the environment.
pub(super) fn variable<'a>(name: Option<&Val<'a>>) -> Val<'a> {
    let Some(name) = name.and_then(Val::as_whole) else { return Val::unknown() };
    match name.as_str() {
        "HOME" | "USERPROFILE" => Val::text("~", 0),
        "AWS_SECRET_ACCESS_KEY" | "AWS_SESSION_TOKEN" => Val::marked(SECRET),
        "USER" | "USERNAME" | "LOGNAME" | "HOSTNAME" | "COMPUTERNAME" => Val::marked(HOST),
        _ if network::is_secret_variable(&name) => Val::marked(TOKEN),
        _ => Val::unknown(),
    }
}

/// Whether the source made a name rather than wrote it.
fn hidden(value: &Val<'_>) -> bool {
    value.marks & (BUILT | DECODED) != 0 && !value.as_text().is_some_and(|text| text.contains(GAP))
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
