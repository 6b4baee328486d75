//! HDF5 at the level of bytes: the superblock and object headers of the HDF5
//! File Format Specification, version 3.0, sections II and IV.

use std::cell::Cell;
use std::collections::BTreeSet;

use crate::engine::Cx;
use crate::input::{Input, to_u64, to_usize};
use crate::stop::Stop;

/// `\x89HDF\r\n\x1a\n`, section II.A.
pub(super) const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Bytes that are read for one step of work.
pub(super) const BYTES_PER_STEP: u64 = 16;

/// Message types, section IV.A.2.
pub(super) mod message {
    pub(in super::super) const DATASPACE: u16 = 0x01;
    pub(in super::super) const LINK_INFO: u16 = 0x02;
    pub(in super::super) const DATATYPE: u16 = 0x03;
    pub(in super::super) const LINK: u16 = 0x06;
    pub(in super::super) const EXTERNAL_FILES: u16 = 0x07;
    pub(in super::super) const LAYOUT: u16 = 0x08;
    pub(in super::super) const FILTERS: u16 = 0x0b;
    pub(in super::super) const ATTRIBUTE: u16 = 0x0c;
    pub(in super::super) const CONTINUATION: u16 = 0x10;
    pub(in super::super) const SYMBOL_TABLE: u16 = 0x11;
    pub(in super::super) const ATTRIBUTE_INFO: u16 = 0x15;
}

/// Reads fields in order from bytes that were read at `base`.
#[derive(Debug, Clone)]
pub(super) struct Fields<'b> {
    bytes: &'b [u8],
    at: usize,
    base: u64,
    sizes: Sizes,
}

/// "Size of Offsets" and "Size of Lengths" of the superblock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub offsets: usize,
    pub lengths: usize,
}

impl<'b> Fields<'b> {
    pub(super) fn new(bytes: &'b [u8], base: u64, sizes: Sizes) -> Self {
        Self { bytes, at: 0, base, sizes }
    }

    /// Offset of the next field in the file.
    pub(super) fn offset(&self) -> u64 {
        self.base.saturating_add(to_u64(self.at))
    }

    pub(super) fn rest(&self) -> &'b [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(super) fn take(&mut self, n: usize) -> Result<&'b [u8], Stop> {
        let end = self.at.saturating_add(n);
        let Some(bytes) = self.bytes.get(self.at..end) else {
            return Err(Stop::malformed(self.offset(), "a structure of the HDF5 file is shorter than its fields"));
        };
        self.at = end;
        Ok(bytes)
    }

    pub(super) fn skip(&mut self, n: usize) -> Result<(), Stop> {
        self.take(n).map(|_| ())
    }

    /// Skips to the next multiple of eight, counted from the start.
    pub(super) fn align(&mut self) {
        self.at = self.at.next_multiple_of(8).min(self.bytes.len());
    }

    /// A little-endian number of `n` bytes, at most eight of which count.
    pub(super) fn number(&mut self, n: usize) -> Result<u64, Stop> {
        let bytes = self.take(n)?;
        Ok(bytes.iter().take(8).rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    pub(super) fn u8(&mut self) -> Result<u8, Stop> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }

    pub(super) fn u16(&mut self) -> Result<u16, Stop> {
        Ok(u16::try_from(self.number(2)?).unwrap_or_default())
    }

    pub(super) fn u32(&mut self) -> Result<u32, Stop> {
        Ok(u32::try_from(self.number(4)?).unwrap_or_default())
    }

    pub(super) fn length(&mut self) -> Result<u64, Stop> {
        self.number(self.sizes.lengths)
    }

    /// An address; `None` when it is the undefined one, all bits set.
    pub(super) fn address(&mut self) -> Result<Option<u64>, Stop> {
        let bytes = self.take(self.sizes.offsets)?;
        if bytes.iter().all(|byte| *byte == 0xff) {
            return Ok(None);
        }
        Ok(Some(bytes.iter().take(8).rev().fold(0, |value, byte| value << 8 | u64::from(*byte))))
    }

    pub(super) fn signature(&mut self, wanted: &[u8]) -> Result<(), Stop> {
        let offset = self.offset();
        if self.take(wanted.len())? == wanted {
            return Ok(());
        }
        let name = String::from_utf8_lossy(wanted).into_owned();
        Err(Stop::malformed(offset, format!("the signature {name} is missing")))
    }

    /// Bytes up to a NUL, which is passed over.
    pub(super) fn text(&mut self) -> Result<String, Stop> {
        let rest = self.rest();
        let len = memchr::memchr(0, rest).unwrap_or(rest.len());
        let text = String::from_utf8_lossy(self.take(len)?).into_owned();
        if !self.rest().is_empty() {
            self.skip(1)?;
        }
        Ok(text)
    }
}

/// An open file: where addresses count from, and how wide they are.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub input: Input,
    pub base: u64,
    pub sizes: Sizes,
    /// Whether the global heaps have been looked through already.
    pub heaps_seen: Cell<bool>,
}

/// What the superblock says; `end` counts from the start of the file.
#[derive(Debug)]
pub(super) struct Superblock {
    pub root: Option<u64>,
    pub end: Option<u64>,
}

/// One message of an object header.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub kind: u16,
    /// The message is elsewhere; the data say where.
    pub shared: bool,
    pub offset: u64,
    pub data: Vec<u8>,
}

impl File {
    /// Reads the superblock at `base` (sections II.A to II.C).
    pub(super) fn open(input: &Input, base: u64) -> Result<(Self, Superblock), Stop> {
        let held = input.bytes(base, input.len().saturating_sub(base).min(128), 128)?;
        let start = Sizes { offsets: 8, lengths: 8 };
        let mut fields = Fields::new(&held, base, start);
        fields.signature(SIGNATURE)?;
        let version = fields.u8()?;
        if version < 2 {
            fields.skip(4)?;
        }
        let sizes = Sizes { offsets: usize::from(fields.u8()?), lengths: usize::from(fields.u8()?) };
        if !matches!(sizes.offsets, 2 | 4 | 8 | 16 | 32) || !matches!(sizes.lengths, 2 | 4 | 8 | 16 | 32) {
            return Err(Stop::malformed(fields.offset(), "the superblock's sizes of addresses are not allowed"));
        }
        fields.sizes = sizes;
        let superblock = match version {
            0 | 1 => {
                fields.skip(9)?;
                if version == 1 {
                    fields.skip(4)?;
                }
                let written_at = fields.address()?;
                fields.address()?;
                let end = moved(fields.address()?, written_at, base);
                fields.address()?;
                fields.length()?;
                Superblock { root: fields.address()?, end }
            }
            2 | 3 => {
                fields.skip(1)?;
                let written_at = fields.address()?;
                fields.address()?;
                let end = moved(fields.address()?, written_at, base);
                Superblock { root: fields.address()?, end }
            }
            _ => return Err(Stop::unsupported(base, format!("HDF5 superblock version {version}"))),
        };
        Ok((Self { input: input.clone(), base, sizes, heaps_seen: Cell::new(false) }, superblock))
    }

    /// Where an address lies in the file.
    pub(super) fn place(&self, address: u64) -> u64 {
        self.base.saturating_add(address)
    }

    /// `len` bytes at an address. Paid for, since many structures may share
    /// one large one.
    pub(super) fn read(&self, address: u64, len: u64, cx: &mut Cx<'_, '_>) -> Result<Vec<u8>, Stop> {
        cx.charge(len / BYTES_PER_STEP, self.place(address))?;
        self.input.bytes(self.place(address), len, cx.limits().header_bytes)
    }

    /// At most `len` bytes at an address.
    pub(super) fn read_some(&self, address: u64, len: u64, cx: &mut Cx<'_, '_>) -> Result<Vec<u8>, Stop> {
        let available = self.input.len().saturating_sub(self.place(address));
        self.read(address, len.min(available), cx)
    }

    pub(super) fn fields<'b>(&self, bytes: &'b [u8], address: u64) -> Fields<'b> {
        Fields::new(bytes, self.place(address), self.sizes)
    }

    /// All messages of the object header at an address, continuations included.
    pub(super) fn object_header(&self, address: u64, cx: &mut Cx<'_, '_>) -> Result<Vec<Message>, Stop> {
        let prefix = self.read_some(address, 64, cx)?;
        let mut fields = self.fields(&prefix, address);
        if prefix.starts_with(b"OHDR") {
            self.object_header_v2(&mut fields, address, cx)
        } else {
            self.object_header_v1(&mut fields, address, cx)
        }
    }

    /// Section IV.A.1.a.
    fn object_header_v1(
        &self,
        fields: &mut Fields<'_>,
        address: u64,
        cx: &mut Cx<'_, '_>,
    ) -> Result<Vec<Message>, Stop> {
        let offset = fields.offset();
        if fields.u8()? != 1 {
            return Err(Stop::malformed(offset, "no object header where a link leads"));
        }
        fields.skip(1)?;
        fields.u16()?;
        fields.u32()?;
        let size = u64::from(fields.u32()?);
        let mut blocks = vec![(address.saturating_add(16), size)];
        let mut seen = BTreeSet::new();
        let mut messages = Vec::new();
        while let Some((at, len)) = blocks.pop() {
            cx.charge(1, self.place(at))?;
            if !seen.insert(at) {
                return Err(Stop::malformed(self.place(at), "an object header continues in itself"));
            }
            let bytes = self.read(at, len, cx)?;
            let mut fields = self.fields(&bytes, at);
            while fields.rest().len() >= 8 {
                cx.charge(1, fields.offset())?;
                let kind = fields.u16()?;
                let size = usize::from(fields.u16()?);
                let flags = fields.u8()?;
                fields.skip(3)?;
                let offset = fields.offset();
                let data = fields.take(size)?.to_vec();
                self.keep(Message { kind, shared: flags & 2 != 0, offset, data }, &mut blocks, &mut messages)?;
            }
        }
        Ok(messages)
    }

    /// Section IV.A.1.b.
    fn object_header_v2(
        &self,
        fields: &mut Fields<'_>,
        address: u64,
        cx: &mut Cx<'_, '_>,
    ) -> Result<Vec<Message>, Stop> {
        fields.signature(b"OHDR")?;
        fields.u8()?;
        let flags = fields.u8()?;
        fields.skip(if flags & 0x20 != 0 { 16 } else { 0 })?;
        fields.skip(if flags & 0x10 != 0 { 4 } else { 0 })?;
        let size = fields.number(1 << (flags & 3))?;
        let start = address.saturating_add(fields.offset().saturating_sub(self.place(address)));
        let tracked = flags & 4 != 0;
        // The first block has its checksum behind it; a continuation has signature and checksum inside.
        let mut blocks = vec![(start, size)];
        let mut seen = BTreeSet::new();
        let mut messages = Vec::new();
        let mut first = true;
        while let Some((at, len)) = blocks.pop() {
            cx.charge(1, self.place(at))?;
            if !seen.insert(at) {
                return Err(Stop::malformed(self.place(at), "an object header continues in itself"));
            }
            let bytes = self.read(at, len, cx)?;
            let held =
                if first { bytes.as_slice() } else { bytes.get(..bytes.len().saturating_sub(4)).unwrap_or_default() };
            let mut fields = self.fields(held, at);
            if !first {
                fields.signature(b"OCHK")?;
            }
            first = false;
            while fields.rest().len() >= 4 {
                cx.charge(1, fields.offset())?;
                let kind = u16::from(fields.u8()?);
                let size = usize::from(fields.u16()?);
                let flags = fields.u8()?;
                if tracked {
                    fields.skip(2)?;
                }
                let offset = fields.offset();
                let data = fields.take(size)?.to_vec();
                self.keep(Message { kind, shared: flags & 2 != 0, offset, data }, &mut blocks, &mut messages)?;
            }
        }
        Ok(messages)
    }

    fn keep(&self, message: Message, blocks: &mut Vec<(u64, u64)>, messages: &mut Vec<Message>) -> Result<(), Stop> {
        if message.kind == message::CONTINUATION {
            let mut fields = Fields::new(&message.data, message.offset, self.sizes);
            if let Some(address) = fields.address()? {
                blocks.push((address, fields.length()?));
            }
        } else {
            messages.push(message);
        }
        Ok(())
    }

    /// The message itself where an object header only refers to it: a committed
    /// datatype (section IV.A.2.d, "Shared Message").
    pub(super) fn resolve(&self, message: &Message, cx: &mut Cx<'_, '_>) -> Result<Message, Stop> {
        if !message.shared {
            return Ok(message.clone());
        }
        let mut fields = Fields::new(&message.data, message.offset, self.sizes);
        let version = fields.u8()?;
        let place = fields.u8()?;
        if version == 1 {
            fields.skip(6)?;
        }
        if version >= 3 && place == 1 {
            return Err(Stop::unsupported(message.offset, "an HDF5 message in the shared message heap"));
        }
        let address = fields.address()?.unwrap_or_default();
        let header = self.object_header(address, cx)?;
        let found = header.into_iter().find(|candidate| candidate.kind == message.kind && !candidate.shared);
        found.ok_or_else(|| Stop::malformed(message.offset, "a shared HDF5 message is not where it should be"))
    }

    /// Bytes of the file that hold `len` bytes at an address.
    pub(super) fn window(&self, address: u64, len: u64) -> Result<Input, Stop> {
        self.input.window(self.place(address), len)
    }
}

/// The number of bytes that hold numbers up to `limit` (`H5VM_limit_enc_size`).
pub(super) fn bytes_for(limit: u64) -> usize {
    to_usize(u64::from(limit.checked_ilog2().unwrap_or_default() / 8).saturating_add(1))
}

/// The end of the HDF5 data in the file: the library stores it with the base
/// address in it, and shifts it when the superblock is found elsewhere.
fn moved(end: Option<u64>, written_at: Option<u64>, base: u64) -> Option<u64> {
    end.map(|end| end.saturating_sub(written_at.unwrap_or_default()).saturating_add(base))
}
