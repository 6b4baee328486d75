//! What is known of a value without running anything.

use std::collections::BTreeMap;
use std::rc::Rc;

use ruff_python_ast::{ExprLambda, StmtFunctionDef};

/// A value as far as it is known, and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Val<'a> {
    pub what: What<'a>,
    pub marks: u16,
}

/// The value itself.
#[derive(Debug, Clone)]
pub(super) enum What<'a> {
    /// Nothing is known.
    Unknown,
    Str(Rc<str>),
    Bytes(Rc<[u8]>),
    Int(i64),
    /// A list, tuple or other sequence.
    List(Rc<Vec<Val<'a>>>),
    Dict(Rc<Vec<(Val<'a>, Val<'a>)>>),
    /// A module, or something reached from one by this dotted path; also what
    /// a call of it gives, so that methods of instances keep a name.
    Name(Rc<str>),
    /// A function of this source, by its number.
    Function(usize),
    /// A class of this source, by its number; its instances too.
    Class(usize),
    Lambda(&'a ExprLambda),
}

/// Put together from parts by the code.
pub(super) const BUILT: u16 = 1;
/// The result of a decoder or decompressor.
pub(super) const DECODED: u16 = 2;
/// Came over the network.
pub(super) const FETCHED: u16 = 4;
/// The whole environment of the process.
pub(super) const ENVIRON: u16 = 8;
/// Read from a file of credentials.
pub(super) const SECRET: u16 = 16;

/// Put together from single characters or numbers, or turned around.
pub(super) const SCATTERED: u16 = 32;
/// Only a part of it is known.
pub(super) const PARTIAL: u16 = 64;

/// Read from a file that is no Python source: weights, a picture, this file's
/// own text.
pub(super) const DATA: u16 = 128;
/// A variable of the environment whose name says that it is a credential.
pub(super) const TOKEN: u16 = 256;
/// Where packages are installed.
pub(super) const SITE: u16 = 512;
/// Every file of a home or of the machine.
pub(super) const EVERYTHING: u16 = 1024;

/// A file of Python source, opened for writing.
pub(super) const SOURCE: u16 = 2048;

/// A file of another repository, fetched by its name.
pub(super) const HUB: u16 = 4096;

/// Who runs the code, or on which machine.
pub(super) const HOST: u16 = 8192;

/// Marks that go from what a call is given to what it returns.
pub(super) const CARRIED: u16 =
    DECODED | FETCHED | ENVIRON | SECRET | SCATTERED | PARTIAL | DATA | TOKEN | SITE | EVERYTHING | SOURCE | HUB | HOST;

/// Stands for what is not known of a text.
pub(super) const GAP: char = '…';

/// A function or class that the source defines.
#[derive(Debug, Clone)]
pub(super) struct Function<'a> {
    pub name: String,
    pub node: Option<&'a StmtFunctionDef>,
    /// The class it is a method of.
    pub class: Option<usize>,
    /// Functions that it calls or hands over.
    pub calls: Vec<usize>,
}

/// A class that the source defines.
#[derive(Debug, Clone, Default)]
pub(super) struct Class<'a> {
    /// Its methods, by name.
    pub methods: Vec<(String, usize)>,
    /// What its body and its methods assign to attributes.
    pub attributes: BTreeMap<String, Val<'a>>,
}

impl<'a> Val<'a> {
    pub(super) fn unknown() -> Self {
        Self { what: What::Unknown, marks: 0 }
    }

    pub(super) fn marked(marks: u16) -> Self {
        Self { what: What::Unknown, marks }
    }

    pub(super) fn name(name: impl Into<Rc<str>>) -> Self {
        Self { what: What::Name(name.into()), marks: 0 }
    }

    pub(super) fn text(text: impl Into<Rc<str>>, marks: u16) -> Self {
        Self { what: What::Str(text.into()), marks }
    }

    pub(super) fn bytes(bytes: impl Into<Rc<[u8]>>, marks: u16) -> Self {
        Self { what: What::Bytes(bytes.into()), marks }
    }

    pub(super) fn int(value: i64) -> Self {
        Self { what: What::Int(value), marks: 0 }
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        let marks = items.iter().fold(0, |marks, item| marks | item.marks);
        Self { what: What::List(Rc::new(items)), marks }
    }

    pub(super) fn with(mut self, marks: u16) -> Self {
        self.marks |= marks;
        self
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match &self.what {
            What::Str(text) => Some(text),
            _ => None,
        }
    }

    /// Text, or bytes that are text.
    pub(super) fn as_text(&self) -> Option<String> {
        match &self.what {
            What::Str(text) => Some(text.to_string()),
            What::Bytes(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
            _ => None,
        }
    }

    /// Text that is known to its last character.
    pub(super) fn as_whole(&self) -> Option<String> {
        if self.marks & PARTIAL == 0 { self.as_text() } else { None }
    }

    /// The bytes of a string or bytes object.
    pub(super) fn as_bytes(&self) -> Option<&[u8]> {
        match &self.what {
            What::Str(text) => Some(text.as_bytes()),
            What::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(super) fn as_name(&self) -> Option<&str> {
        match &self.what {
            What::Name(name) => Some(name),
            _ => None,
        }
    }

    pub(super) fn as_int(&self) -> Option<i64> {
        match self.what {
            What::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The items of anything that Python iterates over, when all are known.
    pub(super) fn items(&self) -> Option<Vec<Self>> {
        match &self.what {
            What::List(items) => Some(items.as_ref().clone()),
            What::Str(text) => Some(text.chars().map(|char| Self::text(char.to_string(), self.marks)).collect()),
            What::Bytes(bytes) => Some(bytes.iter().map(|byte| Self::int(i64::from(*byte)).with(self.marks)).collect()),
            What::Dict(pairs) => Some(pairs.iter().map(|(key, _)| key.clone()).collect()),
            _ => None,
        }
    }

    /// Whether it is a literal, through and through.
    pub(super) fn is_constant(&self) -> bool {
        match &self.what {
            _ if self.marks & PARTIAL != 0 => false,
            What::Str(_) | What::Bytes(_) | What::Int(_) => true,
            What::List(items) => items.iter().all(Val::is_constant),
            _ => false,
        }
    }
}
