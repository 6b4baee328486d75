//! R data files: `.rds`, `.rda`, `.RData`, unpacked by the compression readers.
//!
//! The tree is walked with a stack of its own and nothing is evaluated. Plain
//! vectors are passed over; what R would evaluate (promises, calls, functions)
//! is evidence, with the names of the functions that it calls.

mod wire;

use std::collections::BTreeSet;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::{Input, to_u64};
use crate::stop::Stop;

use wire::{HAS_ATTRIBUTES, HAS_TAG, Stream, sexp};

/// Bytes of a string or name that are kept.
const KEPT: usize = 200;

/// Where the flags of an item have its `gp` bits (`DECODE_LEVELS`), and the one
/// of an active binding among them (`ACTIVE_BINDING_MASK`, envir.c).
const LEVELS: u32 = 12;
const ACTIVE_BINDING: u32 = 1 << 15;

/// The format.
#[derive(Debug)]
pub struct Rds;

impl Format for Rds {
    fn name(&self) -> &'static str {
        "rds"
    }

    fn about(&self) -> About {
        About {
            title: "R serialization, versions 2 and 3 (R src/main/serialize.c)",
            extensions: &[".rds", ".rda", ".rdata"],
            reads: "every object in XDR, little-endian and ASCII form: promises, calls, functions, bytecode, environments, pointers",
            leaves_out: "what instructions of R's bytecode do, beyond the names that they use; version 1",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let body = match head.first {
            [b'R', b'D', b'A' | b'B' | b'X', b'1'..=b'3', b'\n', rest @ ..] => rest,
            other => other,
        };
        match body {
            [b'X', b'\n', 0, 0, 0, 2 | 3, ..]
            | [b'B', b'\n', 2 | 3, 0, 0, 0, ..]
            | [b'A', b'\n', b'2' | b'3', b'\n', ..] => Match::Magic,
            _ if head.is_named(&[".rds", ".rda", ".rdata"]) => Match::Name,
            _ => Match::No,
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut stream = Stream::open(input)?;
        let mut walk = Walk {
            stack: vec![(Task::Item, At::Top)],
            names: Vec::new(),
            seen: BTreeSet::new(),
            text: None,
            found: None,
        };
        while let Some((task, at)) = walk.stack.pop() {
            let offset = stream.offset();
            cx.charge(1, offset)?;
            if to_u64(walk.stack.len().saturating_add(walk.names.len())) > cx.limits().nodes {
                return Err(Stop::Limit { offset, limit: "nodes" });
            }
            walk.step(task, at, &mut stream, cx)?;
        }
        if !stream.rest_is_blank()? {
            let offset = stream.offset();
            let rest = input.len().saturating_sub(offset);
            let evidence = Evidence::new(Kind::BytesUnexplained, "after", Span::new(offset, rest));
            cx.push(evidence.with("length", rest.to_string()).with("of", "rds"));
            cx.behind("behind the R data", input, offset)?;
        }
        Ok(())
    }
}

/// Where an item stands, as far as it decides what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Plain data.
    Top,
    /// The frame or table of an environment.
    Environment,
    /// The body or arguments of a function.
    Function,
    /// The expression of a promise that has no value yet.
    Pending,
    /// The same in an environment's frame, where R itself leaves such.
    PendingArgument,
    /// What an active binding of an environment is: R calls it whenever the
    /// variable is looked at.
    Binding,
    /// The text of a symbol's name.
    Name,
    /// The function of a call in one of the above.
    Head(Place),
}

/// What a call is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Data,
    Function,
    Pending,
    PendingArgument,
    Binding,
}

impl At {
    fn place(self) -> Place {
        match self {
            Self::Top | Self::Environment | Self::Name => Place::Data,
            Self::Binding => Place::Binding,
            Self::Function => Place::Function,
            Self::Pending => Place::Pending,
            Self::PendingArgument => Place::PendingArgument,
            Self::Head(place) => place,
        }
    }

    /// Where the parts of an item stand.
    fn inside(self) -> Self {
        match self {
            Self::Head(Place::Data) => Self::Top,
            Self::Head(Place::Function) => Self::Function,
            Self::Head(Place::Pending) => Self::Pending,
            Self::Head(Place::PendingArgument) => Self::PendingArgument,
            Self::Head(Place::Binding) => Self::Binding,
            other => other,
        }
    }
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Function => "function",
            Self::Pending => "promise",
            Self::PendingArgument => "argument",
            Self::Binding => "binding",
        }
    }
}

/// Functions that find another by what they are given, and which of the names
/// that follow is its: `base::system`, `do.call("system", ...)`.
const FINDERS: [(&str, u32); 12] = [
    ("::", 2),
    (":::", 2),
    ("do.call", 1),
    ("match.fun", 1),
    ("get", 1),
    ("get0", 1),
    ("mget", 1),
    ("getFunction", 1),
    ("dynGet", 1),
    ("as.name", 1),
    ("as.symbol", 1),
    ("call", 1),
];

/// What is to be read next.
#[derive(Debug, Clone, Copy)]
enum Task {
    Item,
    /// So many more items.
    Items(u64),
    /// The value of a promise; its expression follows.
    PromiseValue,
    /// A symbol's name follows as an item.
    SymbolName,
    /// `ReadBC1`.
    Bytecode,
    /// So many constants of bytecode.
    BytecodeConstants(u64),
    /// The number of constants, then they.
    BytecodeCount,
    /// `ReadBCLang` of the type that is read first.
    BytecodeLanguage,
    /// Strings of a persistent name or package.
    Strings(u64),
}

struct Walk {
    stack: Vec<(Task, At)>,
    /// The reference table; the names of symbols in it.
    names: Vec<Option<String>>,
    /// Names of calls that are evidence already, by place.
    seen: BTreeSet<(String, &'static str)>,
    /// The last character string that was read.
    text: Option<String>,
    /// How many names are still to come until that of the function which a call
    /// finds by its name, and where that call stands.
    found: Option<(u32, Place)>,
}

impl Walk {
    fn push(&mut self, task: Task, at: At) {
        self.stack.push((task, at));
    }

    fn step(&mut self, task: Task, at: At, stream: &mut Stream<'_>, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        match task {
            Task::Item => {
                let flags = stream.flags()?;
                self.item(flags, at, stream, cx)
            }
            Task::Items(count) => {
                if let Some(left) = count.checked_sub(1) {
                    self.push(Task::Items(left), at);
                    self.push(Task::Item, at);
                }
                Ok(())
            }
            Task::PromiseValue => {
                let offset = stream.offset();
                let flags = stream.flags()?;
                let pending = flags & 0xff == sexp::UNBOUND;
                let inside = match (pending, at) {
                    (true, At::Environment) => At::PendingArgument,
                    (true, _) => At::Pending,
                    (false, _) => At::Function,
                };
                let state = match inside {
                    At::Pending => "pending",
                    At::PendingArgument => "argument",
                    _ => "forced",
                };
                let evidence = Evidence::new(Kind::LanguageObject, "promise", Span::at(offset));
                cx.push(evidence.with("state", state));
                self.push(Task::Item, inside);
                self.item(flags, at.inside(), stream, cx)
            }
            Task::SymbolName => {
                let name = self.text.take().unwrap_or_default();
                self.symbol(&name, at, stream.offset(), cx);
                self.names.push(Some(name));
                Ok(())
            }
            Task::Strings(count) => {
                if let Some(left) = count.checked_sub(1) {
                    self.push(Task::Strings(left), at);
                    self.push(Task::Item, At::Top);
                }
                Ok(())
            }
            Task::Bytecode => {
                self.push(Task::BytecodeCount, at);
                self.push(Task::Item, At::Top);
                Ok(())
            }
            Task::BytecodeCount => {
                let count = stream.length()?;
                self.push(Task::BytecodeConstants(count), at);
                Ok(())
            }
            Task::BytecodeConstants(count) => {
                if let Some(left) = count.checked_sub(1) {
                    self.push(Task::BytecodeConstants(left), at);
                    self.bytecode_constant(at, stream, cx)?;
                }
                Ok(())
            }
            Task::BytecodeLanguage => {
                let kind = stream.flags()?;
                self.bytecode_language(kind, at, stream)
            }
        }
    }

    fn bytecode_constant(&mut self, at: At, stream: &mut Stream<'_>, _: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let kind = stream.flags()?;
        match kind {
            sexp::BYTECODE => self.push(Task::Bytecode, at),
            sexp::LANGUAGE
            | sexp::LIST
            | sexp::BC_REP_DEF
            | sexp::BC_REP_REF
            | sexp::ATTR_LANGUAGE
            | sexp::ATTR_LIST => {
                return self.bytecode_language(kind, at, stream);
            }
            _ => self.push(Task::Item, at),
        }
        Ok(())
    }

    /// `ReadBCLang`: pairlists whose repeated parts are numbered.
    fn bytecode_language(&mut self, kind: u32, at: At, stream: &mut Stream<'_>) -> Result<(), Stop> {
        let mut kind = kind;
        match kind {
            sexp::BC_REP_REF => {
                stream.integer()?;
                return Ok(());
            }
            sexp::BC_REP_DEF => {
                stream.integer()?;
                kind = stream.flags()?;
            }
            _ => {}
        }
        if !matches!(kind, sexp::LANGUAGE | sexp::LIST | sexp::ATTR_LANGUAGE | sexp::ATTR_LIST) {
            self.push(Task::Item, at);
            return Ok(());
        }
        let head = matches!(kind, sexp::LANGUAGE | sexp::ATTR_LANGUAGE);
        self.push(Task::BytecodeLanguage, at.inside());
        self.push(Task::BytecodeLanguage, if head { At::Head(at.place()) } else { at.inside() });
        self.push(Task::Item, At::Top);
        if matches!(kind, sexp::ATTR_LANGUAGE | sexp::ATTR_LIST) {
            self.push(Task::Item, At::Top);
        }
        Ok(())
    }

    /// A symbol that was read or referred to: the name of a call, when it
    /// stands where a call's function does.
    fn symbol(&mut self, name: &str, at: At, offset: u64, cx: &mut Cx<'_, '_>) {
        let At::Head(place) = at else { return self.named(name, offset, cx) };
        self.called(name, place, offset, cx);
        let finder = FINDERS.iter().find(|(finder, _)| *finder == name);
        self.found = finder.map(|(_, names)| (*names, place)).or(self.found);
    }

    /// A name among the arguments of a call, written as a symbol or a text.
    fn named(&mut self, name: &str, offset: u64, cx: &mut Cx<'_, '_>) {
        match self.found {
            Some((1, place)) => {
                self.found = None;
                self.called(name, place, offset, cx);
            }
            Some((left, place)) => self.found = Some((left.saturating_sub(1), place)),
            None => {}
        }
    }

    fn called(&mut self, name: &str, place: Place, offset: u64, cx: &mut Cx<'_, '_>) {
        if self.seen.insert((name.to_owned(), place.name())) {
            let evidence = Evidence::new(Kind::LanguageObject, "call", Span::at(offset));
            cx.push(
                evidence.with("detail", name).with("in", place.name()).with("name", format!("{name} {}", place.name())),
            );
        }
    }

    fn once(&mut self, what: &'static str, offset: u64, cx: &mut Cx<'_, '_>) {
        if self.seen.insert((String::new(), what)) {
            cx.evidence(Kind::LanguageObject, what, Span::at(offset));
        }
    }

    /// `ReadItem` for everything that has parts; vectors are passed over.
    fn item(&mut self, flags: u32, at: At, stream: &mut Stream<'_>, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let offset = stream.offset();
        let kind = flags & 0xff;
        let attributes = flags & HAS_ATTRIBUTES != 0;
        match kind {
            sexp::NIL
            | sexp::BASE_ENV
            | sexp::EMPTY_ENV
            | sexp::BASE_NAMESPACE
            | sexp::MISSING_ARGUMENT
            | sexp::UNBOUND
            | sexp::GLOBAL_ENV
            | sexp::NIL_VALUE => {}
            sexp::SYMBOL => {
                self.push(Task::SymbolName, at);
                self.push(Task::Item, At::Name);
            }
            sexp::REFERENCE => {
                let packed = flags >> 8;
                let index = if packed == 0 { stream.flags()? } else { packed };
                let known = usize::try_from(index)
                    .ok()
                    .and_then(|index| index.checked_sub(1))
                    .and_then(|index| self.names.get(index));
                if let Some(name) = known.cloned().flatten() {
                    self.symbol(&name, at, offset, cx);
                }
            }
            sexp::LIST | sexp::LANGUAGE | sexp::CLOSURE | sexp::PROMISE | sexp::DOT => {
                self.pairs(kind, flags, at, offset, cx);
            }
            sexp::ENVIRONMENT => {
                // Locked or not; then the enclosure, the frame, the hash table and the attributes.
                stream.integer()?;
                self.names.push(None);
                self.push(Task::Item, At::Top);
                self.push(Task::Items(2), At::Environment);
                self.push(Task::Item, At::Top);
            }
            sexp::SPECIAL | sexp::BUILTIN => {
                let name = stream.text(KEPT, cx)?;
                self.symbol(&name, at, offset, cx);
            }
            sexp::CHAR => {
                let text = stream.text(KEPT, cx)?;
                if at != At::Name {
                    self.named(&text, offset, cx);
                }
                self.text = Some(text);
            }
            sexp::LOGICAL | sexp::INTEGER | sexp::REAL | sexp::COMPLEX | sexp::RAW => {
                let count = stream.length()?;
                match kind {
                    sexp::REAL => stream.elements(count, 8, cx)?,
                    sexp::COMPLEX => stream.elements(count, 16, cx)?,
                    sexp::RAW => stream.elements(count, 1, cx)?,
                    _ => stream.elements(count, 4, cx)?,
                }
                self.attributes(attributes);
            }
            sexp::STRING | sexp::VECTOR | sexp::EXPRESSION => {
                let count = stream.length()?;
                self.attributes(attributes);
                self.push(Task::Items(count), if kind == sexp::EXPRESSION { at.inside() } else { plain(at) });
            }
            sexp::BYTECODE => {
                self.once("bytecode", offset, cx);
                // The number of repeated pairlists, which are not kept.
                stream.integer()?;
                self.attributes(attributes);
                self.push(Task::Bytecode, if at.place() == Place::Data { At::Function } else { at.inside() });
            }
            sexp::POINTER => {
                self.once("external-pointer", offset, cx);
                self.names.push(None);
                self.attributes(attributes);
                self.push(Task::Items(2), At::Top);
            }
            sexp::WEAK => {
                self.once("weak-reference", offset, cx);
                self.names.push(None);
                self.attributes(attributes);
            }
            sexp::S4 => self.attributes(attributes),
            sexp::ALTREP => self.push(Task::Items(3), At::Top),
            sexp::PERSIST | sexp::PACKAGE | sexp::NAMESPACE => {
                if kind == sexp::PERSIST {
                    self.once("persistent-name", offset, cx);
                }
                stream.integer()?;
                let count = stream.length()?;
                self.names.push(None);
                self.push(Task::Strings(count), At::Top);
            }
            _ => return Err(Stop::unsupported(offset, format!("R object type {kind}"))),
        }
        Ok(())
    }

    fn attributes(&mut self, present: bool) {
        if present {
            self.push(Task::Item, At::Top);
        }
    }

    /// Objects of up to four parts: attributes, tag, CAR, CDR.
    fn pairs(&mut self, kind: u32, flags: u32, at: At, offset: u64, cx: &mut Cx<'_, '_>) {
        match kind {
            sexp::PROMISE => {
                // The tag is the promise's environment, CAR its value, CDR its expression.
                self.push(Task::PromiseValue, at);
            }
            sexp::CLOSURE => {
                // The tag is the environment, CAR the arguments, CDR the body.
                self.once("closure", offset, cx);
                let inside = if matches!(at.place(), Place::Pending | Place::PendingArgument | Place::Binding) {
                    at.inside()
                } else {
                    At::Function
                };
                self.push(Task::Items(2), inside);
            }
            sexp::LANGUAGE => {
                self.push(Task::Item, at.inside());
                self.push(Task::Item, At::Head(at.place()));
            }
            _ => {
                let active = at == At::Environment && flags >> LEVELS & ACTIVE_BINDING != 0;
                self.push(Task::Item, at.inside());
                self.push(Task::Item, if active { At::Binding } else { at.inside() });
            }
        }
        if flags & HAS_TAG != 0 {
            self.push(Task::Item, At::Top);
        }
        if flags & HAS_ATTRIBUTES != 0 {
            self.push(Task::Item, At::Top);
        }
    }
}

/// Where the elements of a vector stand: the slots of an environment's hash
/// table are pairlists of its bindings.
fn plain(at: At) -> At {
    match at {
        At::Environment => At::Environment,
        other => other.inside(),
    }
}
