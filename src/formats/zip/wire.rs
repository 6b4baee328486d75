//! The records of a zip file, in the words of PKWARE's APPNOTE.TXT 6.3.10
//! (section numbers are its own).

use crate::input::{Cursor, Input};
use crate::stop::Stop;

pub(super) const LOCAL: [u8; 4] = *b"PK\x03\x04";
pub(super) const CENTRAL: [u8; 4] = *b"PK\x01\x02";
pub(super) const END: [u8; 4] = *b"PK\x05\x06";
pub(super) const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";
const ZIP64_END: [u8; 4] = *b"PK\x06\x06";
const ZIP64_LOCATOR: [u8; 4] = *b"PK\x06\x07";

// General purpose bit flag (4.4.4).
pub(super) const FLAG_ENCRYPTED: u16 = 1;
/// For LZMA only; for deflate the bit is part of the level.
pub(super) const FLAG_END_MARKER: u16 = 1 << 1;
pub(super) const FLAG_DESCRIPTOR: u16 = 1 << 3;
pub(super) const FLAG_PATCH: u16 = 1 << 5;
pub(super) const FLAG_STRONG_ENCRYPTION: u16 = 1 << 6;
pub(super) const FLAG_MASKED: u16 = 1 << 13;

/// Length of an end record without its comment (4.3.16).
pub(super) const END_LENGTH: u64 = 22;
/// Length of the zip64 end record without its extensible data (4.3.14).
const ZIP64_END_LENGTH: u64 = 56;
/// Length of the zip64 end locator (4.3.15).
const ZIP64_LOCATOR_LENGTH: u64 = 20;

/// Fields that a local header (4.3.7) and a central one (4.3.12) share.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    pub version_needed: u16,
    pub flags: u16,
    pub method: u16,
    pub crc32: u32,
    pub compressed_size: u64,
    pub uncompressed_size: u64,
    pub name: Vec<u8>,
    /// The name in the Info-ZIP Unicode Path extra field (4.6.9).
    pub unicode_path: Option<Vec<u8>>,
    /// The extra field is a chain of sound records.
    pub extra_sound: bool,
    /// The record is encrypted by WinZip's AES scheme (extra field 0x9901).
    pub aes: bool,
}

/// A local file header.
#[derive(Debug, Clone)]
pub(super) struct LocalFileHeader {
    pub fields: Fields,
    /// Where the data begins.
    pub data: u64,
}

/// A central directory header.
#[derive(Debug, Clone)]
pub(super) struct CentralHeader {
    pub fields: Fields,
    pub external_attributes: u32,
    pub local_header_offset: u64,
    /// Where this record stands.
    pub offset: u64,
}

impl CentralHeader {
    /// The Unix file mode, when there is one.
    pub(super) fn mode(&self) -> u32 {
        self.external_attributes >> 16
    }
}

/// Whether `signature` stands at `offset`.
pub(super) fn has(input: &Input, offset: u64, signature: [u8; 4]) -> bool {
    let mut found = [0; 4];
    matches!(input.read_at(offset, &mut found), Ok(4)) && found == signature
}

/// What local and central headers both have, from "version needed to extract"
/// on, and the lengths of the name and the extra field, which follow later.
fn common(cursor: &mut Cursor<'_>) -> Result<(Fields, usize, usize), Stop> {
    let version_needed = cursor.u16_le()?;
    let flags = cursor.u16_le()?;
    let method = cursor.u16_le()?;
    cursor.skip(4)?; // last mod file time and date
    let crc32 = cursor.u32_le()?;
    let compressed_size = u64::from(cursor.u32_le()?);
    let uncompressed_size = u64::from(cursor.u32_le()?);
    let name_length = usize::from(cursor.u16_le()?);
    let extra_length = usize::from(cursor.u16_le()?);
    let fields = Fields {
        version_needed,
        flags,
        method,
        crc32,
        compressed_size,
        uncompressed_size,
        name: Vec::new(),
        unicode_path: None,
        extra_sound: true,
        aes: false,
    };
    Ok((fields, name_length, extra_length))
}

/// The local header at `offset`; `None` when there is none.
pub(super) fn local(input: &Input, offset: u64) -> Result<Option<LocalFileHeader>, Stop> {
    if !has(input, offset, LOCAL) {
        return Ok(None);
    }
    let mut cursor = Cursor::at(input, offset.saturating_add(4));
    let (mut fields, name_length, extra_length) = common(&mut cursor)?;
    fields.name = cursor.take(name_length)?.to_vec();
    let extra = cursor.take(extra_length)?;
    let mut no_offset = 0;
    fields.read_extra(extra, &mut no_offset);
    Ok(Some(LocalFileHeader { fields, data: cursor.position() }))
}

/// The central header at the cursor; `None` when there is none.
pub(super) fn central(cursor: &mut Cursor<'_>) -> Result<Option<CentralHeader>, Stop> {
    let offset = cursor.position();
    if cursor.peek(4).is_ok_and(|found| found != CENTRAL) || cursor.remaining() < 4 {
        return Ok(None);
    }
    cursor.skip(6)?; // signature, version made by
    let (mut fields, name_length, extra_length) = common(cursor)?;
    let comment_length = u64::from(cursor.u16_le()?);
    cursor.skip(4)?; // disk number start, internal file attributes
    let external_attributes = cursor.u32_le()?;
    let mut local_header_offset = u64::from(cursor.u32_le()?);
    fields.name = cursor.take(name_length)?.to_vec();
    let extra = cursor.take(extra_length)?;
    fields.read_extra(extra, &mut local_header_offset);
    cursor.skip(comment_length)?;
    Ok(Some(CentralHeader { fields, external_attributes, local_header_offset, offset }))
}

impl Fields {
    /// Reads the extensible data (4.5): what zip64 puts in place of the fields
    /// that are all ones, and what else changes how a member is read.
    fn read_extra(&mut self, mut extra: &[u8], local_header_offset: &mut u64) {
        // Tools that align members pad with fewer bytes than a record has, or with zeros.
        while extra.iter().any(|byte| *byte != 0) {
            let [a, b, c, d, rest @ ..] = extra else { break };
            let (id, length) = (u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d]));
            let Some((body, after)) = rest.split_at_checked(usize::from(length)) else {
                self.extra_sound = false;
                break;
            };
            match id {
                0x0001 => {
                    let mut numbers =
                        body.chunks_exact(8).filter_map(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
                    let places = [&mut self.uncompressed_size, &mut self.compressed_size, &mut *local_header_offset];
                    for place in places {
                        if *place == u64::from(u32::MAX)
                            && let Some(number) = numbers.next()
                        {
                            *place = number;
                        }
                    }
                }
                // Version, CRC of the other name, name.
                0x7075 => self.unicode_path = body.get(5..).map(<[u8]>::to_vec),
                0x9901 => self.aes = true,
                _ => {}
            }
            extra = after;
        }
    }
}

/// An end of central directory record, and its zip64 twin.
#[derive(Debug, Clone)]
pub(super) struct EndRecord {
    /// Where the record stands.
    pub offset: u64,
    /// Where its comment would end.
    pub end: u64,
    /// What the 32-bit record says of the directory.
    pub claim: Claim,
    /// What the zip64 record says of it, and where that record stands.
    pub zip64: Option<(u64, Claim)>,
    /// A locator points at a zip64 record that is not there.
    pub zip64_missing: bool,
    /// The archive says that it is one of several files.
    pub spans_disks: bool,
}

/// What an end record says of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub entries: u64,
    pub size: u64,
    pub offset: u64,
}

impl EndRecord {
    /// The byte behind the directory when nothing stands between it and the
    /// end records.
    pub(super) fn directory_end(&self) -> u64 {
        self.zip64.map_or(self.offset, |(offset, _)| offset)
    }

    /// What readers of zip64 go by.
    pub(super) fn claim(&self) -> Claim {
        self.zip64.map_or(self.claim, |(_, claim)| claim)
    }

    /// Whether a directory of that size fits before the record, so that this
    /// is more than four letters by chance.
    pub(super) fn is_plausible(&self) -> bool {
        let fits = |claim: Claim, end: u64| {
            claim.size <= end
                && claim.entries.saturating_mul(46) <= claim.size
                && (claim.entries > 0) == (claim.size > 0)
        };
        fits(self.claim, self.offset) || self.zip64.is_some_and(|(offset, claim)| fits(claim, offset))
    }
}

/// The end record at `offset`; `None` when there is none.
pub(super) fn end_record(input: &Input, offset: u64) -> Option<EndRecord> {
    if !has(input, offset, END) {
        return None;
    }
    let mut cursor = Cursor::at(input, offset.saturating_add(4));
    let disk = cursor.u16_le().ok()?;
    let directory_disk = cursor.u16_le().ok()?;
    let entries_here = cursor.u16_le().ok()?;
    let entries = cursor.u16_le().ok()?;
    let size = u64::from(cursor.u32_le().ok()?);
    let directory_offset = u64::from(cursor.u32_le().ok()?);
    let comment = u64::from(cursor.u16_le().ok()?);
    let claim = Claim { entries: u64::from(entries), size, offset: directory_offset };
    let (zip64, zip64_missing) = zip64_end(input, offset);
    let whole = matches!((disk, directory_disk), (0, 0) | (u16::MAX, u16::MAX)) && entries_here == entries;
    Some(EndRecord {
        offset,
        end: cursor.position().saturating_add(comment),
        claim,
        zip64,
        zip64_missing,
        spans_disks: !whole,
    })
}

/// Where the archive begins whose end record stands at `end`, when its directory
/// reaches up to the end records and its offsets count from that place.
pub(super) fn start_of(input: &Input, end: u64) -> Option<u64> {
    let mut cursor = Cursor::at(input, end.saturating_add(10));
    let mut entries = u64::from(cursor.u16_le().ok()?);
    let mut size = u64::from(cursor.u32_le().ok()?);
    let mut offset = u64::from(cursor.u32_le().ok()?);
    let mut directory_end = end;
    if cursor.u16_le().ok()? != 0 {
        return None;
    }
    let locator = end.checked_sub(ZIP64_LOCATOR_LENGTH);
    if let Some(zip64) = locator.and_then(|locator| locator.checked_sub(ZIP64_END_LENGTH))
        && has(input, zip64, ZIP64_END)
        && has(input, locator?, ZIP64_LOCATOR)
    {
        let mut cursor = Cursor::at(input, zip64.saturating_add(32));
        entries = cursor.u64_le().ok()?;
        size = cursor.u64_le().ok()?;
        offset = cursor.u64_le().ok()?;
        directory_end = zip64;
    }
    let directory = directory_end.checked_sub(size)?;
    let start = directory.checked_sub(offset)?;
    (entries > 0 && has(input, directory, CENTRAL) && has(input, start, LOCAL)).then_some(start)
}

/// The zip64 end record that the locator before `end` leads to, and whether a
/// locator leads nowhere.
fn zip64_end(input: &Input, end: u64) -> (Option<(u64, Claim)>, bool) {
    let Some(locator) = end.checked_sub(ZIP64_LOCATOR_LENGTH) else { return (None, false) };
    if !has(input, locator, ZIP64_LOCATOR) {
        return (None, false);
    }
    let declared = Cursor::at(input, locator.saturating_add(8)).u64_le().ok();
    // Python looks right before the locator whatever the locator says; so do
    // readers of archives with something in front.
    let before = locator.checked_sub(ZIP64_END_LENGTH);
    let found = [declared, before].into_iter().flatten().find(|offset| has(input, *offset, ZIP64_END));
    let claim = found.and_then(|offset| {
        let mut cursor = Cursor::at(input, offset.saturating_add(32));
        let entries = cursor.u64_le().ok()?;
        let size = cursor.u64_le().ok()?;
        let directory = cursor.u64_le().ok()?;
        Some((offset, Claim { entries, size, offset: directory }))
    });
    (claim, claim.is_none())
}

/// Length of the data descriptor (4.3.9) at `offset` that describes a member
/// of these sizes, and the checksum in it; zero when there is none.
pub(super) fn descriptor(input: &Input, offset: u64, compressed: u64, uncompressed: u64) -> (u64, Option<u32>) {
    let signed = has(input, offset, DESCRIPTOR);
    let at = if signed { offset.saturating_add(4) } else { offset };
    let mut cursor = Cursor::at(input, at);
    let Ok(crc) = cursor.u32_le() else { return (0, None) };
    let signature: u64 = if signed { 4 } else { 0 };
    let mut wide = Cursor::at(input, cursor.position());
    if wide.u64_le() == Ok(compressed) && wide.u64_le() == Ok(uncompressed) {
        return (signature.saturating_add(20), Some(crc));
    }
    let same = cursor.u32_le().map(u64::from) == Ok(compressed) && cursor.u32_le().map(u64::from) == Ok(uncompressed);
    match (same, signed) {
        (true, _) => (signature.saturating_add(12), Some(crc)),
        (false, true) => (16, Some(crc)),
        (false, false) => (0, None),
    }
}
