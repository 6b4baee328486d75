//! Classes: what their bodies bind, and which of their methods Python itself
//! calls when one is made.

use std::collections::BTreeMap;

use ruff_python_ast::{Stmt, StmtClassDef, TypeParam, TypeParams};
use ruff_text_size::Ranged as _;

use crate::stop::Stop;

use super::names;
use super::picked;
use super::statements::Machine;
use super::value::{CARRIED, Class, Val, What};
use super::watch;

impl<'a> Machine<'a, '_, '_, '_> {
    pub(super) fn class(&mut self, node: &'a StmtClassDef) -> Result<(), Stop> {
        let index = self.classes.len();
        self.classes.push(Class::default());
        self.bounds(node.type_params.as_deref())?;
        let bases = self.bases(index, node)?;
        self.local.push(BTreeMap::new());
        let mut outcome = Ok(());
        for statement in &node.body {
            outcome = match statement {
                Stmt::FunctionDef(method) => self.define(method, Some(index)),
                other => self.statement(other),
            };
            if outcome.is_err() {
                break;
            }
        }
        let bound = self.local.pop().unwrap_or_default();
        outcome?;
        for value in bound.values() {
            if let What::Class(member) = value.what {
                self.reaches_methods(member, &["__set_name__"]);
            }
        }
        if let Some(class) = self.classes.get_mut(index) {
            class.attributes.extend(bound.into_iter().filter(|(_, value)| !matches!(value.what, What::Function(_))));
        }
        for base in bases {
            self.reaches_methods(base, &["__init_subclass__"]);
        }
        let value = Val { what: What::Class(index), marks: 0 };
        for decorator in &node.decorator_list {
            self.decorated(&decorator.expression, &value)?;
        }
        self.set(node.name.as_str(), value);
        Ok(())
    }

    /// Bounds of type parameters, which run when somebody asks for them.
    pub(super) fn bounds(&mut self, parameters: Option<&'a TypeParams>) -> Result<(), Stop> {
        for parameter in parameters.into_iter().flat_map(|parameters| parameters.iter()) {
            if let TypeParam::TypeVar(parameter) = parameter
                && let Some(bound) = &parameter.bound
            {
                self.eval(bound)?;
            }
        }
        Ok(())
    }

    /// Evaluates what a class is derived from; gives the classes of this source
    /// among them.
    fn bases(&mut self, index: usize, node: &'a StmtClassDef) -> Result<Vec<usize>, Stop> {
        let mut bases = Vec::new();
        let Some(arguments) = &node.arguments else { return Ok(bases) };
        for base in &arguments.args {
            let base = self.eval(base)?;
            if let Some(name) = base.as_name().filter(|name| watch::is_process(name)) {
                let starts = Val::name(name);
                if let Some(class) = self.classes.get_mut(index) {
                    class.attributes.insert(super::calls::BASE.to_owned(), starts);
                }
            }
            // A class of this source inherits the methods of its base.
            if let What::Class(base) = base.what {
                let inherited = self.classes.get(base).cloned().unwrap_or_default();
                if let Some(class) = self.classes.get_mut(index) {
                    class.methods.extend(inherited.methods);
                    class.attributes.extend(inherited.attributes);
                }
                bases.push(base);
            }
        }
        for keyword in &arguments.keywords {
            let value = self.eval(&keyword.value)?;
            if keyword.arg.as_ref().is_none_or(|name| name.as_str() != "metaclass") {
                continue;
            }
            match value.what {
                What::Class(meta) => {
                    self.reaches_methods(meta, &["__new__", "__init__", "__prepare__", "__call__"]);
                }
                _ => self.apply(&value, &[], keyword.range())?,
            }
        }
        Ok(bases)
    }

    /// Notes that Python calls these methods of a class of this source.
    pub(super) fn reaches_methods(&mut self, class: usize, names: &[&str]) {
        let value = Val { what: What::Class(class), marks: 0 };
        for name in names {
            if let What::Function(index) = self.member(&value, name).what {
                self.reaches(index);
            }
        }
    }

    /// An attribute of a value.
    pub(super) fn member(&self, value: &Val<'a>, name: &str) -> Val<'a> {
        // Frames and functions lead to every name there is.
        match (name, &value.what) {
            ("f_builtins" | "__builtins__", _) => return Val::name("builtins"),
            ("f_globals" | "f_locals", _) => return Val::name("builtins.globals"),
            ("__globals__" | "func_globals", What::Function(_) | What::Class(_) | What::Unknown) => {
                return Val::name("builtins.globals");
            }
            _ => {}
        }
        match &value.what {
            What::Name(path) if path.as_ref() == "sys.modules.?" => match picked::member_of_any(name) {
                Val { what: What::Unknown, .. } => Val::name(names::canonical(&names::attribute(path, name))),
                found => found,
            },
            What::Name(path) => match (name, path.rsplit_once('.')) {
                ("__call__", _) => value.clone(),
                ("__self__", Some((owner, _))) => Val::name(owner),
                _ => {
                    let path = names::canonical(&names::attribute(path, name));
                    Val::name(path).with(value.marks & CARRIED)
                }
            },
            What::Function(index) => match name {
                "__call__" => Some(value.clone()),
                "__doc__" => self.functions.get(*index).and_then(|function| documented(&function.node?.body)),
                _ => None,
            }
            .unwrap_or_else(Val::unknown),
            What::Class(class) => self.class_member(*class, name),
            _ => Val::marked(value.marks & CARRIED),
        }
    }

    fn class_member(&self, class: usize, name: &str) -> Val<'a> {
        let Some(class) = self.classes.get(class) else { return Val::unknown() };
        let method = |name: &str| class.methods.iter().rev().find(|(method, _)| method == name);
        if let Some((_, index)) = method(name) {
            return Val { what: What::Function(*index), marks: 0 };
        }
        if let Some(value) = class.attributes.get(name) {
            return value.clone();
        }
        match name {
            // A thread or process of one's own runs its `run`.
            "start" => {
                method("run").map_or_else(Val::unknown, |(_, index)| Val { what: What::Function(*index), marks: 0 })
            }
            _ => Val::unknown(),
        }
    }

    /// Binds an attribute of a class of this source, or of its instances.
    pub(super) fn set_member(&mut self, class: usize, name: &str, value: &Val<'a>) {
        let Some(class) = self.classes.get_mut(class) else { return };
        // What is assigned in several places is one of them, nobody knows which.
        let kept = match class.attributes.get(name) {
            Some(old) if matches!(old.what, What::Name(_)) => old.clone(),
            Some(old) if !matches!(value.what, What::Name(_)) => Val::marked(old.marks | value.marks),
            _ => value.clone(),
        };
        class.attributes.insert(name.to_owned(), kept);
    }
}

/// The text that documents a body.
pub(super) fn documented<'a>(body: &[Stmt]) -> Option<Val<'a>> {
    let Some(Stmt::Expr(first)) = body.first() else { return None };
    let text = first.value.as_string_literal_expr()?;
    Some(Val::text(text.value.to_str(), 0))
}
