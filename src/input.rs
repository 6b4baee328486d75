//! [`Input`]: a bounded read-at view of bytes; [`Cursor`]: reading it in order.
//!
//! Nothing here maps files or trusts a length: every range is checked against
//! the view, and no allocation is larger than a window unless the caller has
//! named a bound. Offsets are in bytes from the start of the view.

use std::fs::File;
use std::io;
use std::sync::Arc;

use crate::clock::Clock;
use crate::limits::WINDOW_BYTES;
use crate::stop::Stop;

/// Something whose bytes can be read at any offset, by any thread.
pub trait ReadAt: Send + Sync {
    /// Reads at most `buf.len()` bytes at `offset`; 0 means the end.
    ///
    /// # Errors
    /// Whatever the storage reports.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// How many bytes a [`Cursor`] asks for at once: more is faster where
    /// reading costs by the call, and dearer where it costs by the byte.
    fn window(&self) -> usize {
        WINDOW_BYTES
    }

    /// Whether reading a byte again costs as much as the first time: it is far
    /// away, and too much to keep.
    fn is_far(&self) -> bool {
        false
    }
}

impl ReadAt for File {
    #[cfg(unix)]
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buf, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, buf, offset)
    }
}

#[derive(Clone)]
enum Backing {
    Memory(Arc<[u8]>),
    Positioned(Arc<dyn ReadAt>, Option<Arc<Clock>>),
}

/// A bounded view of some bytes: a file, a part of one, or bytes in memory.
///
/// Cloning and taking a [`window`](Self::window) copy no content.
#[derive(Clone)]
pub struct Input {
    backing: Backing,
    start: u64,
    len: u64,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("start", &self.start).field("len", &self.len).finish_non_exhaustive()
    }
}

impl From<Vec<u8>> for Input {
    fn from(bytes: Vec<u8>) -> Self {
        let len = to_u64(bytes.len());
        Self { backing: Backing::Memory(bytes.into()), start: 0, len }
    }
}

impl From<&[u8]> for Input {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl Input {
    /// A view of the first `len` bytes of `source`.
    pub fn positioned(source: Arc<dyn ReadAt>, len: u64) -> Self {
        Self { backing: Backing::Positioned(source, None), start: 0, len }
    }

    /// The same view, which can't be read any more once `clock` has run out.
    /// What is held in memory is short, and always can.
    pub(crate) fn timed(mut self, clock: &Arc<Clock>) -> Self {
        if let Backing::Positioned(_, of) = &mut self.backing {
            *of = Some(Arc::clone(clock));
        }
        self
    }

    /// What is viewed, when that is all of something far away.
    pub(crate) fn far(&self) -> Option<Arc<dyn ReadAt>> {
        match &self.backing {
            Backing::Positioned(source, _) if self.start == 0 && source.is_far() => Some(Arc::clone(source)),
            _ => None,
        }
    }

    /// The same view, read by way of `source`.
    pub(crate) fn by_way_of(&self, source: Arc<dyn ReadAt>) -> Self {
        let backing = match &self.backing {
            Backing::Positioned(_, clock) => Backing::Positioned(source, clock.clone()),
            Backing::Memory(bytes) => Backing::Memory(Arc::clone(bytes)),
        };
        Self { backing, ..*self }
    }

    /// Length of the view in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The whole view, when it is held in memory.
    pub fn as_slice(&self) -> Option<&[u8]> {
        match &self.backing {
            Backing::Memory(bytes) => {
                let start = to_usize(self.start);
                bytes.get(start..start.saturating_add(to_usize(self.len)))
            }
            Backing::Positioned(..) => None,
        }
    }

    /// How many bytes a cursor reads at once.
    fn window_bytes(&self) -> usize {
        match &self.backing {
            Backing::Memory(_) => WINDOW_BYTES,
            Backing::Positioned(source, _) => source.window(),
        }
    }

    /// Whether `other` views the same storage, so that reading one's bytes
    /// reads the other's too.
    pub fn shares_storage_with(&self, other: &Self) -> bool {
        match (&self.backing, &other.backing) {
            (Backing::Memory(a), Backing::Memory(b)) => Arc::ptr_eq(a, b),
            (Backing::Positioned(a, _), Backing::Positioned(b, _)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// Where this view begins in the storage that it shares.
    pub fn storage_offset(&self) -> u64 {
        self.start
    }

    /// The part of `len` bytes that begins at `offset`.
    ///
    /// # Errors
    /// [`Stop::Truncated`] when the view ends before that.
    pub fn window(&self, offset: u64, len: u64) -> Result<Self, Stop> {
        let end = offset.checked_add(len);
        match end {
            Some(end) if end <= self.len => {
                Ok(Self { backing: self.backing.clone(), start: self.start.saturating_add(offset), len })
            }
            _ => Err(Stop::Truncated { offset: self.len, needed: offset.saturating_add(len).saturating_sub(self.len) }),
        }
    }

    /// The part from `offset` to the end; empty when `offset` is beyond it.
    #[must_use]
    pub fn tail(&self, offset: u64) -> Self {
        let offset = offset.min(self.len);
        Self {
            backing: self.backing.clone(),
            start: self.start.saturating_add(offset),
            len: self.len.saturating_sub(offset),
        }
    }

    /// The part from the start to `offset`; whole when `offset` is beyond the end.
    #[must_use]
    pub fn prefix(&self, offset: u64) -> Self {
        Self { backing: self.backing.clone(), start: self.start, len: self.len.min(offset) }
    }

    /// Fills as much of `buf` as the view has at `offset`; returns how much.
    ///
    /// # Errors
    /// [`Stop::Unreadable`] when the storage fails, [`Stop::Truncated`] when it
    /// ends before the view does (a file that shrank while being read), and
    /// what the clock says of an input that has one.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, Stop> {
        let available = to_usize(self.len.saturating_sub(offset)).min(buf.len());
        let Some(buf) = buf.get_mut(..available) else { return Ok(0) };
        let at = self.start.saturating_add(offset);
        match &self.backing {
            Backing::Memory(bytes) => {
                let start = to_usize(at);
                if let Some(from) = bytes.get(start..start.saturating_add(available)) {
                    buf.copy_from_slice(from);
                }
            }
            Backing::Positioned(source, clock) => {
                if let Some(clock) = clock {
                    clock.check(offset)?;
                }
                let mut done = 0;
                while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
                    let from = at.saturating_add(to_u64(done));
                    match source.read_at(from, rest) {
                        Ok(0) => {
                            return Err(Stop::Truncated {
                                offset: offset.saturating_add(to_u64(done)),
                                needed: to_u64(rest.len()),
                            });
                        }
                        Ok(n) => done = done.saturating_add(n),
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => {
                            return Err(Stop::Unreadable {
                                offset: offset.saturating_add(to_u64(done)),
                                error: error.to_string(),
                            });
                        }
                    }
                }
            }
        }
        Ok(available)
    }

    /// A copy of `len` bytes at `offset`, when that is at most `bound`.
    ///
    /// # Errors
    /// [`Stop::Truncated`] when the view is shorter, [`Stop::Limit`] naming
    /// `header-bytes` when `len` is above `bound`.
    pub fn bytes(&self, offset: u64, len: u64, bound: u64) -> Result<Vec<u8>, Stop> {
        self.window(offset, len)?;
        if len > bound {
            return Err(Stop::Limit { offset, limit: "header-bytes" });
        }
        let mut buf = vec![0; to_usize(len)];
        self.read_at(offset, &mut buf)?;
        Ok(buf)
    }

    /// The whole content, when that is at most `bound` bytes.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn all(&self, bound: u64) -> Result<Vec<u8>, Stop> {
        self.bytes(0, self.len, bound)
    }

    /// Reads from the start.
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor::new(self)
    }

    /// A `std::io` reader over the whole view.
    pub fn reader(&self) -> Reader<'_> {
        Reader { input: self, position: 0 }
    }
}

/// [`std::io::Read`] and [`std::io::Seek`] over an [`Input`].
#[derive(Debug)]
pub struct Reader<'i> {
    input: &'i Input,
    position: u64,
}

impl Reader<'_> {
    /// How many bytes have been read.
    pub fn position(&self) -> u64 {
        self.position
    }
}

impl io::Read for Reader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read_at(self.position, buf).map_err(io::Error::other)?;
        self.position = self.position.saturating_add(to_u64(n));
        Ok(n)
    }
}

impl io::Seek for Reader<'_> {
    fn seek(&mut self, pos: io::SeekFrom) -> io::Result<u64> {
        let to = match pos {
            io::SeekFrom::Start(at) => Some(at),
            io::SeekFrom::End(by) => self.input.len.checked_add_signed(by),
            io::SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = to.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

/// Reads an [`Input`] in order, in the field types that file formats use.
///
/// An input in memory is read in place; any other through one window that
/// moves forward, so memory does not grow with the file.
#[derive(Debug)]
pub struct Cursor<'i> {
    input: &'i Input,
    whole: Option<&'i [u8]>,
    window: Vec<u8>,
    /// Offset of `window[0]` in the input; 0 when the input is in memory.
    base: u64,
    /// Position in the window (or in `whole`).
    at: usize,
}

macro_rules! numbers {
    ($($name:ident: $type:ty = $from:ident, $doc:literal;)+) => {
        $(
            #[doc = concat!("Reads a ", $doc, ".")]
            ///
            /// # Errors
            /// [`Stop::Truncated`] at the end of the input.
            #[inline]
            pub fn $name(&mut self) -> Result<$type, Stop> {
                Ok(<$type>::$from(self.array()?))
            }
        )+
    };
}

impl<'i> Cursor<'i> {
    /// A cursor at the start of `input`.
    pub fn new(input: &'i Input) -> Self {
        Self { input, whole: input.as_slice(), window: Vec::new(), base: 0, at: 0 }
    }

    /// A cursor at `offset` in `input`.
    pub fn at(input: &'i Input, offset: u64) -> Self {
        let mut cursor = Self::new(input);
        cursor.seek(offset);
        cursor
    }

    /// The input that is being read.
    pub fn input(&self) -> &'i Input {
        self.input
    }

    /// Offset of the next byte.
    #[inline]
    pub fn position(&self) -> u64 {
        self.base.saturating_add(to_u64(self.at))
    }

    /// Bytes from here to the end.
    #[inline]
    pub fn remaining(&self) -> u64 {
        self.input.len.saturating_sub(self.position())
    }

    /// Whether there is nothing left.
    #[inline]
    pub fn is_at_end(&self) -> bool {
        self.remaining() == 0
    }

    /// Moves to `offset`, at most to the end.
    pub fn seek(&mut self, offset: u64) {
        let offset = offset.min(self.input.len);
        if self.whole.is_some() {
            self.at = to_usize(offset);
            return;
        }
        let within = offset.checked_sub(self.base).map(to_usize).filter(|at| *at <= self.window.len());
        if let Some(at) = within {
            self.at = at;
        } else {
            self.base = offset;
            self.at = 0;
            self.window.clear();
        }
    }

    /// What is held in memory from the position on; never longer than the
    /// input, and empty only at its end when [`fill`](Self::fill) came before.
    #[inline]
    pub fn buffered(&self) -> &[u8] {
        let held = self.whole.unwrap_or(&self.window);
        held.get(self.at..).unwrap_or_default()
    }

    /// Makes at least `n` bytes available in [`buffered`](Self::buffered), or
    /// as many as remain.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn fill(&mut self, n: usize) -> Result<(), Stop> {
        if self.whole.is_some() || self.buffered().len() >= n {
            return Ok(());
        }
        let position = self.position();
        let want = to_usize(self.input.len.saturating_sub(position)).min(n.max(self.input.window_bytes()));
        let mut window = std::mem::take(&mut self.window);
        // What is held stays: reading it again costs, where it is far away.
        window.drain(..self.at.min(window.len()));
        let held = window.len();
        window.resize(want.max(held), 0);
        let fresh = window.get_mut(held..).unwrap_or_default();
        let read = self.input.read_at(position.saturating_add(to_u64(held)), fresh);
        self.base = position;
        self.at = 0;
        match read {
            Ok(n) => {
                window.truncate(held.saturating_add(n));
                self.window = window;
                Ok(())
            }
            Err(stop) => Err(stop),
        }
    }

    /// The next `n` bytes, without moving. `n` must be a length that the
    /// caller has bounded.
    ///
    /// # Errors
    /// [`Stop::Truncated`] when fewer remain.
    #[inline]
    pub fn peek(&mut self, n: usize) -> Result<&[u8], Stop> {
        if self.buffered().len() < n {
            self.fill_exact(n)?;
        }
        Ok(self.buffered().get(..n).unwrap_or_default())
    }

    #[cold]
    fn fill_exact(&mut self, n: usize) -> Result<(), Stop> {
        let remaining = self.remaining();
        if to_u64(n) > remaining {
            return Err(Stop::Truncated { offset: self.input.len, needed: to_u64(n).saturating_sub(remaining) });
        }
        self.fill(n)
    }

    /// The next `n` bytes. `n` must be a length that the caller has bounded.
    ///
    /// # Errors
    /// [`Stop::Truncated`] when fewer remain.
    #[inline]
    pub fn take(&mut self, n: usize) -> Result<&[u8], Stop> {
        if self.buffered().len() < n {
            self.fill_exact(n)?;
        }
        let from = self.at;
        self.at = from.saturating_add(n);
        let held = self.whole.unwrap_or(&self.window);
        Ok(held.get(from..self.at).unwrap_or_default())
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// [`Stop::Truncated`] when fewer remain.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let position = self.position();
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| Stop::Truncated { offset: position, needed: to_u64(N) })
    }

    /// Reads one byte.
    ///
    /// # Errors
    /// [`Stop::Truncated`] at the end of the input.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, Stop> {
        if let Some(byte) = self.buffered().first() {
            let byte = *byte;
            self.at = self.at.saturating_add(1);
            return Ok(byte);
        }
        self.array::<1>().map(|[byte]| byte)
    }

    /// Reads a number of at most ten bytes in groups of seven bits, the lowest
    /// first: LEB128, protobuf's varint.
    ///
    /// # Errors
    /// [`Stop::Truncated`] at the end of the input, [`Stop::Malformed`] when the
    /// tenth byte is not the last.
    pub fn varint(&mut self) -> Result<u64, Stop> {
        let at = self.position();
        let mut number = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.u8()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Stop::malformed(at, "a number of more than ten bytes"))
    }

    numbers! {
        u16_le: u16 = from_le_bytes, "little-endian `u16`";
        u32_le: u32 = from_le_bytes, "little-endian `u32`";
        u64_le: u64 = from_le_bytes, "little-endian `u64`";
        i32_le: i32 = from_le_bytes, "little-endian `i32`";
        i64_le: i64 = from_le_bytes, "little-endian `i64`";
        f32_le: f32 = from_le_bytes, "little-endian `f32`";
        f64_le: f64 = from_le_bytes, "little-endian `f64`";
        u16_be: u16 = from_be_bytes, "big-endian `u16`";
        u32_be: u32 = from_be_bytes, "big-endian `u32`";
        u64_be: u64 = from_be_bytes, "big-endian `u64`";
        i32_be: i32 = from_be_bytes, "big-endian `i32`";
        f64_be: f64 = from_be_bytes, "big-endian `f64`";
    }

    /// Moves `n` bytes forward without reading them.
    ///
    /// # Errors
    /// [`Stop::Truncated`] when fewer remain; the cursor is then at the end.
    #[inline]
    pub fn skip(&mut self, n: u64) -> Result<(), Stop> {
        let at = self.at.saturating_add(to_usize(n));
        if at <= self.whole.unwrap_or(&self.window).len() {
            self.at = at;
            return Ok(());
        }
        let remaining = self.remaining();
        if n > remaining {
            self.seek(self.input.len);
            return Err(Stop::Truncated { offset: self.input.len, needed: n.saturating_sub(remaining) });
        }
        self.seek(self.position().saturating_add(n));
        Ok(())
    }

    /// The next `len` bytes as a view of their own; moves past them.
    ///
    /// # Errors
    /// [`Stop::Truncated`] when fewer remain.
    pub fn sub(&mut self, len: u64) -> Result<Input, Stop> {
        let window = self.input.window(self.position(), len)?;
        self.skip(len)?;
        Ok(window)
    }

    /// The bytes before the next `end` byte, which is passed over too.
    ///
    /// # Errors
    /// [`Stop::Truncated`] when there is none before the end,
    /// [`Stop::Limit`] naming `string-bytes` when none is within `bound`.
    pub fn until(&mut self, end: u8, bound: usize) -> Result<&[u8], Stop> {
        let mut looked = 0;
        loop {
            let buffered = self.buffered();
            let fresh = buffered.get(looked..).unwrap_or_default();
            if let Some(found) = memchr::memchr(end, fresh) {
                let len = looked.saturating_add(found);
                if len > bound {
                    return Err(Stop::Limit { offset: self.position(), limit: "string-bytes" });
                }
                let line = self.take(len.saturating_add(1))?;
                return Ok(line.get(..len).unwrap_or_default());
            }
            looked = buffered.len();
            if looked > bound {
                return Err(Stop::Limit { offset: self.position(), limit: "string-bytes" });
            }
            if to_u64(looked) >= self.remaining() {
                return Err(Stop::Truncated { offset: self.input.len, needed: 1 });
            }
            self.fill(looked.saturating_mul(2).max(self.input.window_bytes()))?;
        }
    }
}

/// A length or index as the `u64` that offsets are counted in.
#[inline]
pub fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// An offset as an index; more than the address space saturates, and is then
/// beyond every slice.
#[inline]
pub fn to_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
