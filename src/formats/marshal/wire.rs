//! The bytes of CPython's marshal format: `Python/marshal.c`, format versions
//! 0 to 5, as CPython 2.7 and 3.0 to 3.14 write them.
//!
//! Objects go into an arena; containers are read with a stack of their own, so
//! nesting costs memory that is counted and never the thread's stack. No number
//! read from the stream decides an allocation.

use crate::engine::Cx;
use crate::input::{to_u64, to_usize};
use crate::stop::Stop;

/// `FLAG_REF` of marshal.c: the object can be referred to later.
const FLAG_REF: u8 = 0x80;

/// Index of an object in the arena.
pub(super) type Id = usize;

/// One unmarshalled object, as far as it matters here.
#[derive(Debug, Clone)]
pub(super) enum Object<'a> {
    /// Announced, and not complete yet; what a reference from inside sees.
    Pending,
    /// None, True, False, Ellipsis, StopIteration, and numbers but small integers.
    Plain(&'static str),
    Int(i64),
    Bytes(&'a [u8]),
    Text(&'a [u8]),
    /// Tuple, list, set, frozenset, slice, and a dictionary's keys and values.
    Items(Vec<Id>),
    Code(Box<Code>),
}

/// The parts of a code object that say what it does.
#[derive(Debug, Clone, Default)]
pub(super) struct Code {
    pub offset: usize,
    pub code: Option<Id>,
    pub consts: Option<Id>,
    pub names: Option<Id>,
    /// `co_varnames`, or from 3.11 the names of all fast locals.
    pub varnames: Option<Id>,
    pub filename: Option<Id>,
    pub name: Option<Id>,
    pub qualname: Option<Id>,
}

/// A field of `TYPE_CODE` in the order of some version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    /// `r_long`: a plain 32-bit number.
    Long,
    Code,
    Consts,
    Names,
    VarNames,
    /// A tuple of names that isn't needed.
    Cells,
    /// `co_localspluskinds`: bytes that tell 3.11 from 3.7.
    Kinds,
    FileName,
    Name,
    QualName,
    /// `co_lnotab`, `co_linetable`, `co_exceptiontable`.
    Table,
}

/// A layout of `TYPE_CODE`.
#[derive(Debug)]
pub(super) struct Layout {
    pub version: &'static str,
    fields: &'static [Field],
    /// Python 2 reads `t` as an interned byte string and `R` as a reference to it.
    python2: bool,
}

/// The layouts of `r_object`'s `TYPE_CODE`, newest first.
pub(super) const LAYOUTS: &[Layout] = {
    use Field::{Cells, Code, Consts, FileName, Kinds, Long, Name, Names, QualName, Table, VarNames};
    &[
        Layout {
            version: "3.11+",
            fields: &[
                Long, Long, Long, Long, Long, Code, Consts, Names, VarNames, Kinds, FileName, Name, QualName, Long,
                Table, Table,
            ],
            python2: false,
        },
        Layout {
            version: "3.8-3.10",
            fields: &[
                Long, Long, Long, Long, Long, Long, Code, Consts, Names, VarNames, Cells, Cells, FileName, Name, Long,
                Table,
            ],
            python2: false,
        },
        Layout {
            version: "3.0-3.7",
            fields: &[
                Long, Long, Long, Long, Long, Code, Consts, Names, VarNames, Cells, Cells, FileName, Name, Long, Table,
            ],
            python2: false,
        },
        Layout {
            version: "2.7",
            fields: &[Long, Long, Long, Long, Code, Consts, Names, VarNames, Cells, Cells, FileName, Name, Long, Table],
            python2: true,
        },
    ]
};

/// What was read, up to where reading ended.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub objects: Vec<Object<'a>>,
    pub root: Option<Id>,
    /// Offset behind the last byte read.
    pub end: usize,
    pub stop: Option<Stop>,
}

/// Reads one object at `start` of `data` in the given layout.
pub(super) fn read<'a>(data: &'a [u8], start: usize, layout: &Layout, cx: &mut Cx<'_, '_>) -> Reading<'a> {
    let mut reader = Reader { data, at: start, layout, objects: Vec::new(), refs: Vec::new(), interned: Vec::new() };
    let outcome = reader.object(cx);
    let (root, stop) = match outcome {
        Ok(id) => (Some(id), None),
        Err(stop) => (None, Some(stop)),
    };
    Reading { objects: reader.objects, root, end: reader.at, stop }
}

/// A container that is being read.
#[derive(Debug)]
struct Frame {
    id: Id,
    parts: Parts,
}

#[derive(Debug)]
enum Parts {
    Items {
        wanted: u64,
        got: Vec<Id>,
    },
    /// Ends at a NULL object instead of a count.
    Dict {
        ended: bool,
        got: Vec<Id>,
    },
    Code {
        step: usize,
        code: Box<Code>,
    },
}

/// What one type code begins.
enum Begun {
    Whole(Id),
    Open(Frame),
    Null,
}

struct Reader<'a, 'l> {
    data: &'a [u8],
    at: usize,
    layout: &'l Layout,
    objects: Vec<Object<'a>>,
    refs: Vec<Id>,
    /// Python 2's list of interned strings.
    interned: Vec<Id>,
}

impl<'a> Reader<'a, '_> {
    fn malformed(&self, what: &'static str) -> Stop {
        Stop::malformed(to_u64(self.at), what)
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], Stop> {
        let end = self.at.saturating_add(n);
        let Some(bytes) = self.data.get(self.at..end) else {
            let needed = to_u64(end.saturating_sub(self.data.len()));
            return Err(Stop::Truncated { offset: to_u64(self.data.len()), needed });
        };
        self.at = end;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }

    fn long(&mut self) -> Result<i32, Stop> {
        let bytes = self.take(4)?;
        Ok(bytes.try_into().map_or(0, i32::from_le_bytes))
    }

    /// A count or length: `r_long` that may not be negative.
    fn size(&mut self) -> Result<usize, Stop> {
        let n = self.long()?;
        usize::try_from(n).map_err(|_| self.malformed("a negative size in marshal data"))
    }

    fn object(&mut self, cx: &mut Cx<'_, '_>) -> Result<Id, Stop> {
        let mut stack: Vec<Frame> = Vec::new();
        loop {
            while let Some(frame) = stack.last_mut() {
                if !self.complete(frame)? {
                    break;
                }
                let Some(frame) = stack.pop() else { break };
                let id = frame.id;
                if let Some(slot) = self.objects.get_mut(id) {
                    *slot = match frame.parts {
                        Parts::Items { got, .. } | Parts::Dict { got, .. } => Object::Items(got),
                        Parts::Code { code, .. } => Object::Code(code),
                    };
                }
                match stack.last_mut() {
                    Some(parent) => self.give(parent, id)?,
                    None => return Ok(id),
                }
            }
            let offset = to_u64(self.at);
            cx.charge(1, offset)?;
            if to_u64(self.objects.len()) > cx.limits().nodes {
                return Err(Stop::Limit { offset, limit: "nodes" });
            }
            match self.begin()? {
                Begun::Whole(id) => match stack.last_mut() {
                    Some(frame) => self.give(frame, id)?,
                    None => return Ok(id),
                },
                Begun::Open(frame) => stack.push(frame),
                Begun::Null => match stack.last_mut().map(|frame| &mut frame.parts) {
                    Some(Parts::Dict { ended, .. }) => *ended = true,
                    _ => return Err(self.malformed("a NULL object outside a dictionary")),
                },
            }
        }
    }

    /// Whether a frame has all its parts; reads a code object's plain numbers.
    fn complete(&mut self, frame: &mut Frame) -> Result<bool, Stop> {
        match &mut frame.parts {
            Parts::Items { wanted, got } => Ok(to_u64(got.len()) >= *wanted),
            Parts::Dict { ended, .. } => Ok(*ended),
            Parts::Code { step, .. } => {
                while self.layout.fields.get(*step) == Some(&Field::Long) {
                    self.long()?;
                    *step = step.saturating_add(1);
                }
                Ok(*step >= self.layout.fields.len())
            }
        }
    }

    fn give(&mut self, frame: &mut Frame, id: Id) -> Result<(), Stop> {
        match &mut frame.parts {
            Parts::Items { got, .. } | Parts::Dict { got, .. } => got.push(id),
            Parts::Code { step, code } => {
                let Some(field) = self.layout.fields.get(*step) else { return Ok(()) };
                let object = self.objects.get(id);
                let fits = match field {
                    Field::Code | Field::Kinds | Field::Table => matches!(object, Some(Object::Bytes(_))),
                    Field::Consts | Field::Names | Field::VarNames | Field::Cells => {
                        matches!(object, Some(Object::Items(_)))
                    }
                    Field::FileName | Field::Name | Field::QualName => match object {
                        Some(Object::Text(_)) => true,
                        Some(Object::Bytes(_)) => self.layout.python2,
                        _ => false,
                    },
                    Field::Long => true,
                };
                if !fits {
                    return Err(self.malformed("a part of a code object has the wrong type"));
                }
                match field {
                    Field::Code => code.code = Some(id),
                    Field::Consts => code.consts = Some(id),
                    Field::Names => code.names = Some(id),
                    Field::VarNames => code.varnames = Some(id),
                    Field::FileName => code.filename = Some(id),
                    Field::Name => code.name = Some(id),
                    Field::QualName => code.qualname = Some(id),
                    Field::Long | Field::Cells | Field::Kinds | Field::Table => {}
                }
                *step = step.saturating_add(1);
            }
        }
        Ok(())
    }

    fn keep(&mut self, object: Object<'a>, flagged: bool) -> Id {
        let id = self.objects.len();
        self.objects.push(object);
        if flagged {
            self.refs.push(id);
        }
        id
    }

    fn begin(&mut self) -> Result<Begun, Stop> {
        let offset = self.at;
        let tag = self.byte()?;
        let flagged = tag & FLAG_REF != 0;
        let open = |reader: &mut Self, parts: Parts| {
            let id = reader.keep(Object::Pending, flagged);
            Ok(Begun::Open(Frame { id, parts }))
        };
        let object = match tag & !FLAG_REF {
            b'0' => return Ok(Begun::Null),
            b'N' => Object::Plain("None"),
            b'T' => Object::Plain("True"),
            b'F' => Object::Plain("False"),
            b'S' => Object::Plain("StopIteration"),
            b'.' => Object::Plain("..."),
            b'?' => Object::Plain("?"),
            b'i' => Object::Int(i64::from(self.long()?)),
            b'I' => Object::Int(self.take(8)?.try_into().map_or(0, i64::from_le_bytes)),
            b'l' => {
                // PyLong_MARSHAL_SHIFT: digits of 15 bits, two bytes each; the sign is the count's.
                let digits = self.long()?;
                self.take(to_usize(u64::from(digits.unsigned_abs()).saturating_mul(2)))?;
                Object::Plain("<integer>")
            }
            b'f' => self.floats(1)?,
            b'x' => self.floats(2)?,
            b'g' => {
                self.take(8)?;
                Object::Plain("<float>")
            }
            b'y' => {
                self.take(16)?;
                Object::Plain("<complex>")
            }
            b's' => {
                let n = self.size()?;
                Object::Bytes(self.take(n)?)
            }
            b't' if self.layout.python2 => {
                let n = self.size()?;
                let bytes = self.take(n)?;
                let id = self.keep(Object::Bytes(bytes), flagged);
                self.interned.push(id);
                return Ok(Begun::Whole(id));
            }
            b't' | b'u' | b'a' | b'A' => {
                let n = self.size()?;
                Object::Text(self.take(n)?)
            }
            b'z' | b'Z' => {
                let n = usize::from(self.byte()?);
                Object::Text(self.take(n)?)
            }
            b'r' => return self.reference(false),
            b'R' if self.layout.python2 => return self.reference(true),
            b'(' | b'[' | b'<' | b'>' => {
                let wanted = to_u64(self.size()?);
                return open(self, Parts::Items { wanted, got: Vec::new() });
            }
            b')' => {
                let wanted = u64::from(self.byte()?);
                return open(self, Parts::Items { wanted, got: Vec::new() });
            }
            b':' => return open(self, Parts::Items { wanted: 3, got: Vec::new() }),
            b'{' => return open(self, Parts::Dict { ended: false, got: Vec::new() }),
            b'c' => {
                let code = Box::new(Code { offset, ..Code::default() });
                return open(self, Parts::Code { step: 0, code });
            }
            _ => {
                self.at = offset;
                return Err(self.malformed("a byte that is no marshal type code"));
            }
        };
        Ok(Begun::Whole(self.keep(object, flagged)))
    }

    /// Floats as text, each behind its length.
    fn floats(&mut self, count: usize) -> Result<Object<'a>, Stop> {
        for _ in 0..count {
            let n = usize::from(self.byte()?);
            self.take(n)?;
        }
        Ok(Object::Plain("<float>"))
    }

    fn reference(&mut self, interned: bool) -> Result<Begun, Stop> {
        let index = self.size()?;
        let known = if interned { self.interned.get(index) } else { self.refs.get(index) };
        known.copied().map(Begun::Whole).ok_or_else(|| self.malformed("a reference to an object that is not there"))
    }
}
