//! What names, attributes and entries of tables stand for once something is
//! assigned to them.

use std::rc::Rc;

use ruff_python_ast::{Expr, ExprSubscript};
use ruff_text_size::{Ranged as _, TextRange};

use crate::stop::Stop;

use super::effects::Made;
use super::picked;
use super::reach::Scope;
use super::reflect::is_namespace;
use super::statements::Machine;
use super::value::{Val, What};

/// Entries of a table that are followed when the source adds one by one.
const TABLE: usize = 256;

impl<'a> Machine<'a, '_, '_, '_> {
    /// Binds what an assignment, a loop or a `with` binds.
    pub(super) fn bind(&mut self, target: &'a Expr, value: &Val<'a>) -> Result<(), Stop> {
        match target {
            Expr::Name(name) => self.set(name.id.as_str(), value.clone()),
            Expr::Tuple(node) => self.unpack(&node.elts, value)?,
            Expr::List(node) => self.unpack(&node.elts, value)?,
            Expr::Starred(node) => self.bind(&node.value, &Val::marked(value.marks))?,
            Expr::Attribute(node) => {
                let owner = self.eval(&node.value)?;
                if matches!(node.attr.as_str(), "__code__" | "func_code") {
                    self.code_given(value, target.range())?;
                }
                match &owner.what {
                    What::Class(class) => {
                        // A method that loaders call is one of theirs wherever it was written.
                        if super::loaded::is_loaded(node.attr.as_str(), true, &self.file) {
                            self.replaced(value, target.range());
                        }
                        self.set_member(*class, node.attr.as_str(), value);
                    }
                    What::Name(_) => self.replaced(value, target.range()),
                    _ => {}
                }
                if let Some(path) = dotted(target) {
                    self.set(&path, value.clone());
                }
            }
            Expr::Subscript(node) => self.bind_item(node, value)?,
            _ => {
                self.eval(target)?;
            }
        }
        Ok(())
    }

    /// Something of another module becomes `value`: whoever uses it calls that.
    fn replaced(&mut self, value: &Val<'a>, range: TextRange) {
        let functions = match &value.what {
            What::Function(index) => vec![*index],
            What::Class(class) => {
                let methods = self.classes.get(*class).map(|class| class.methods.as_slice()).unwrap_or_default();
                methods.iter().map(|(_, index)| *index).collect()
            }
            _ => return self.handed(value, false, range),
        };
        if self.quiet == 0 && !self.main {
            self.roots.extend(functions.into_iter().map(|index| (index, Scope::Loader)));
        }
    }

    /// A function becomes other code: whoever calls it runs that.
    fn code_given(&mut self, value: &Val<'a>, range: TextRange) -> Result<(), Stop> {
        let arguments = std::slice::from_ref(value);
        self.note("types.FunctionType", arguments, range, Some("as the code of a function".to_owned()));
        self.judge(&Made { name: "builtins.exec", arguments, keywords: &[], marks: value.marks, range })
    }

    /// `container[key] = value`
    fn bind_item(&mut self, target: &'a ExprSubscript, value: &Val<'a>) -> Result<(), Stop> {
        let container = self.eval(&target.value)?;
        let key = self.eval(&target.slice)?;
        match (&container.what, key.as_whole()) {
            (What::Name(path), Some(key)) if is_namespace(path) => {
                self.module.insert(key, value.clone());
            }
            (What::Name(path), _) => {
                if path.as_ref() == "copyreg.dispatch_table" {
                    self.reduces(value, target.range())?;
                }
                self.replaced(value, target.range());
            }
            (What::Dict(pairs), Some(_)) if pairs.len() < TABLE => {
                if let Some(path) = dotted(&target.value) {
                    let pairs = pairs.iter().cloned().chain([(key, value.clone())]).collect();
                    self.set(&path, Val { what: What::Dict(Rc::new(pairs)), marks: container.marks });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn unpack(&mut self, targets: &'a [Expr], value: &Val<'a>) -> Result<(), Stop> {
        let starred = targets.iter().position(|target| matches!(target, Expr::Starred(_)));
        let items = value.items().filter(|items| items.len() == targets.len() || starred.is_some());
        if let (None, Some(picked)) = (&items, picked::any(value)) {
            return targets.iter().try_for_each(|target| self.bind(target, &picked));
        }
        for (index, target) in targets.iter().enumerate() {
            let known = starred.is_none_or(|starred| index < starred);
            let item = items.as_ref().filter(|_| known).and_then(|items| items.get(index).cloned());
            self.bind(target, &item.unwrap_or_else(|| Val::marked(value.marks)))?;
        }
        Ok(())
    }

    pub(super) fn set(&mut self, name: &str, value: Val<'a>) {
        if self.globals.contains(name) {
            self.module.insert(name.to_owned(), value);
            return;
        }
        let scope = self.local.last_mut().unwrap_or(&mut self.module);
        scope.insert(name.to_owned(), value);
    }
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
