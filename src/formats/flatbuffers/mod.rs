//! FlatBuffers, read in place with every offset checked.
//!
//! Shared by the formats that are FlatBuffers; it knows no schema. Offsets
//! only lead forward, so there are no cycles, and every step is paid for by
//! whoever walks.

use crate::input::{Input, to_u64, to_usize};
use crate::stop::Stop;

/// A table: where it begins, and where its vtable is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Table {
    /// Where it begins.
    pub at: u64,
    vtable: u64,
    /// Length of the vtable in bytes, and of the table itself.
    lengths: (u64, u64),
}

/// A vector: where its first element is, and how many there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Vector {
    /// Where the first element begins.
    pub at: u64,
    /// How many elements there are.
    pub len: u64,
}

/// A FlatBuffer.
#[derive(Debug)]
pub(crate) struct Flat<'i> {
    input: &'i Input,
    /// Where the furthest thing ends that has been looked at.
    reached: u64,
}

fn wrong(at: u64, what: &'static str) -> Stop {
    Stop::malformed(at, what)
}

impl<'i> Flat<'i> {
    /// A reader of `input`.
    pub(crate) fn new(input: &'i Input) -> Self {
        Self { input, reached: 8 }
    }

    /// The input that is read.
    pub(crate) fn input(&self) -> &'i Input {
        self.input
    }

    /// Where the furthest thing ends that has been looked at.
    pub(crate) fn reached(&self) -> u64 {
        self.reached
    }

    /// Notes that something ends at `end` that is read elsewhere.
    pub(crate) fn touch(&mut self, end: u64) {
        self.reached = self.reached.max(end);
    }

    fn bytes<const N: usize>(&mut self, at: u64) -> Result<[u8; N], Stop> {
        let mut bytes = [0; N];
        let n = self.input.read_at(at, &mut bytes)?;
        let needed = N.saturating_sub(n);
        if needed > 0 {
            return Err(Stop::Truncated { offset: self.input.len(), needed: to_u64(needed) });
        }
        self.reached = self.reached.max(at.saturating_add(to_u64(N)));
        Ok(bytes)
    }

    /// A `ubyte` at `at`.
    pub(crate) fn u8(&mut self, at: u64) -> Result<u8, Stop> {
        self.bytes(at).map(|[byte]| byte)
    }

    fn u16(&mut self, at: u64) -> Result<u16, Stop> {
        self.bytes(at).map(u16::from_le_bytes)
    }

    /// A `uint` at `at`.
    pub(crate) fn u32(&mut self, at: u64) -> Result<u32, Stop> {
        self.bytes(at).map(u32::from_le_bytes)
    }

    /// An `int` at `at`.
    pub(crate) fn i32(&mut self, at: u64) -> Result<i32, Stop> {
        self.bytes(at).map(i32::from_le_bytes)
    }

    /// A `ulong` at `at`.
    pub(crate) fn u64(&mut self, at: u64) -> Result<u64, Stop> {
        self.bytes(at).map(u64::from_le_bytes)
    }

    /// The root table.
    ///
    /// # Errors
    /// As all readers here: when an offset leads out of the file.
    pub(crate) fn root(&mut self) -> Result<Table, Stop> {
        self.table(0)
    }

    /// The table that the offset at `at` leads to.
    pub(crate) fn table(&mut self, at: u64) -> Result<Table, Stop> {
        let at = self.follow(at)?;
        let back = i64::from(self.i32(at)?);
        let vtable = at.cast_signed().checked_sub(back).and_then(|vtable| u64::try_from(vtable).ok());
        let Some(vtable) = vtable.filter(|vtable| *vtable < self.input.len()) else {
            return Err(wrong(at, "a vtable lies outside of the file"));
        };
        let vtable_len = u64::from(self.u16(vtable)?);
        let table_len = u64::from(self.u16(vtable.saturating_add(2))?);
        let fits = vtable_len >= 4
            && vtable_len & 1 == 0
            && vtable.saturating_add(vtable_len) <= self.input.len()
            && table_len >= 4
            && at.saturating_add(table_len) <= self.input.len();
        if !fits {
            return Err(wrong(vtable, "a vtable or its table has an impossible length"));
        }
        self.reached = self.reached.max(at.saturating_add(table_len)).max(vtable.saturating_add(vtable_len));
        Ok(Table { at, vtable, lengths: (vtable_len, table_len) })
    }

    fn follow(&mut self, at: u64) -> Result<u64, Stop> {
        let offset = u64::from(self.u32(at)?);
        let to = at.saturating_add(offset);
        // The format ends at 2 GiB, and offsets lead to neighbours.
        if offset == 0 || offset >= 1 << 30 {
            return Err(wrong(at, "an offset is none"));
        }
        if to >= self.input.len() {
            return Err(Stop::Truncated { offset: self.input.len(), needed: to.saturating_sub(self.input.len()) });
        }
        Ok(to)
    }

    /// Where field `id` of a table is; nothing when it has its default.
    pub(crate) fn field(&mut self, table: Table, id: u16) -> Result<Option<u64>, Stop> {
        let slot = u64::from(id).saturating_mul(2).saturating_add(4);
        if slot.saturating_add(2) > table.lengths.0 {
            return Ok(None);
        }
        let offset = u64::from(self.u16(table.vtable.saturating_add(slot))?);
        if offset == 0 {
            return Ok(None);
        }
        if offset < 4 || offset >= table.lengths.1 {
            return Err(wrong(table.at, "a field lies outside of its table"));
        }
        Ok(Some(table.at.saturating_add(offset)))
    }

    /// The number in a field of 4 bytes, or its default.
    pub(crate) fn number(&mut self, table: Table, id: u16, default: u32) -> Result<u32, Stop> {
        match self.field(table, id)? {
            Some(at) => self.u32(at),
            None => Ok(default),
        }
    }

    /// The number in a field of 8 bytes; 0 when it is not there.
    pub(crate) fn long(&mut self, table: Table, id: u16) -> Result<u64, Stop> {
        match self.field(table, id)? {
            Some(at) => self.u64(at),
            None => Ok(0),
        }
    }

    /// The table in a field.
    pub(crate) fn child(&mut self, table: Table, id: u16) -> Result<Option<Table>, Stop> {
        match self.field(table, id)? {
            Some(at) => self.table(at).map(Some),
            None => Ok(None),
        }
    }

    /// The vector in a field, of elements of `width` bytes; empty when it is
    /// not there.
    pub(crate) fn vector(&mut self, table: Table, id: u16, width: u64) -> Result<Vector, Stop> {
        let Some(at) = self.field(table, id)? else { return Ok(Vector::default()) };
        let at = self.follow(at)?;
        let len = u64::from(self.u32(at)?);
        let from = at.saturating_add(4);
        let end = from.saturating_add(len.saturating_mul(width));
        if end > self.input.len() {
            return Err(Stop::Truncated { offset: self.input.len(), needed: end.saturating_sub(self.input.len()) });
        }
        self.reached = self.reached.max(end);
        Ok(Vector { at: from, len })
    }

    /// The tables of a vector of offsets.
    pub(crate) fn tables(&mut self, table: Table, id: u16) -> Result<Vector, Stop> {
        self.vector(table, id, 4)
    }

    /// Table number `index` of a vector of tables.
    pub(crate) fn item(&mut self, vector: Vector, index: u64) -> Result<Table, Stop> {
        self.table(vector.at.saturating_add(index.saturating_mul(4)))
    }

    /// Number `index` of a vector of `int`.
    pub(crate) fn int(&mut self, vector: Vector, index: u64) -> Result<i32, Stop> {
        self.i32(vector.at.saturating_add(index.saturating_mul(4)))
    }

    /// The text in a field, at most `bound` bytes of it; empty when it is not
    /// there.
    pub(crate) fn text(&mut self, table: Table, id: u16, bound: u64) -> Result<String, Stop> {
        let bytes = self.vector(table, id, 1)?;
        self.string(bytes, bound)
    }

    /// Text number `index` of a vector of texts.
    pub(crate) fn string_at(&mut self, vector: Vector, index: u64, bound: u64) -> Result<String, Stop> {
        let at = self.follow(vector.at.saturating_add(index.saturating_mul(4)))?;
        let len = u64::from(self.u32(at)?);
        let at = at.saturating_add(4);
        self.input.window(at, len)?;
        self.string(Vector { at, len }, bound)
    }

    /// The text of a vector of bytes.
    pub(crate) fn string(&mut self, bytes: Vector, bound: u64) -> Result<String, Stop> {
        let mut text = vec![0; to_usize(bytes.len.min(bound))];
        self.input.read_at(bytes.at, &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}
