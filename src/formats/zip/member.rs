//! One member: what its records disagree about, and its content, unpacked in
//! every way in which some reader would.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::Read;
use std::rc::Rc;

use crate::artifact::{Checksum, GapReason};
use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::stream::{self, Feed};
use crate::formats::zip::methods;
use crate::formats::zip::survey::{Record, Survey};
use crate::formats::zip::wire::{self, Fields};
use crate::input::{Cursor, Input, to_u64};
use crate::stop::Stop;

/// One way to read a member's data.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way {
    pub method: u16,
    pub compressed_size: u64,
    pub uncompressed_size: u64,
    encrypted: bool,
    aes: bool,
    /// The LZMA stream says itself where it ends.
    end_marker: bool,
    crc32: Option<u32>,
}

/// The content of a member as one way yields it.
pub(super) struct Content {
    pub input: Input,
    /// It is what the way asks for: not merely the raw bytes of something that
    /// could not be unpacked.
    pub unpacked: bool,
}

/// The distinct ways in which readers read `record`.
pub(super) fn ways(survey: &Survey<'_>, record: &Record) -> Vec<Way> {
    let own = &record.local.fields;
    let descriptor = own.flags & wire::FLAG_DESCRIPTOR != 0;
    let way = |fields: &Fields, crc32: Option<u32>| Way {
        method: fields.method,
        compressed_size: fields.compressed_size,
        uncompressed_size: fields.uncompressed_size,
        encrypted: fields.flags & (wire::FLAG_ENCRYPTED | wire::FLAG_STRONG_ENCRYPTION) != 0,
        aes: fields.aes,
        end_marker: fields.flags & wire::FLAG_END_MARKER != 0,
        crc32,
    };
    let mut found: Vec<Way> =
        survey.entries_of(record).map(|entry| way(&entry.fields, Some(entry.fields.crc32))).collect();
    if own.compressed_size > 0 || (found.is_empty() && record.found_length.is_none()) {
        found.push(way(own, (!descriptor || own.crc32 != 0).then_some(own.crc32)));
    } else if let Some(length) = record.found_length {
        let size = if own.method == methods::STORED { length } else { 0 };
        let size = own.uncompressed_size.max(size);
        found.push(Way { compressed_size: length, uncompressed_size: size, ..way(own, record.descriptor_crc) });
    } else if let Some(listed) = found.first() {
        // Sizes come from the directory, the method from the record itself.
        let (compressed_size, uncompressed_size) = (listed.compressed_size, listed.uncompressed_size);
        found.push(Way { compressed_size, uncompressed_size, ..way(own, listed.crc32) });
    }
    // A reader that goes by the unpacked size takes more of stored data.
    if let Some(first) = found
        .iter()
        .find(|way| way.method == methods::STORED && !way.encrypted && way.uncompressed_size > way.compressed_size)
    {
        found.push(Way { compressed_size: first.uncompressed_size, ..first.clone() });
    }
    let mut seen = BTreeSet::new();
    found.retain(|way| seen.insert((way.method, way.compressed_size, way.encrypted)));
    found
}

/// Says what the directory and the record itself disagree about.
pub(super) fn compare(survey: &Survey<'_>, record: &Record, offset: u64, cx: &mut Cx<'_, '_>) {
    let own = &record.local.fields;
    let span = Span::new(offset, record.local.data.saturating_sub(offset));
    for entry in survey.entries_of(record) {
        let listed = &entry.fields;
        let name = cx.shorten(&String::from_utf8_lossy(&listed.name));
        let mut differ = |what: &'static str, central: String, local: String| {
            let evidence = Evidence::new(Kind::ContainerMismatch, what, span).with("name", name.clone());
            cx.push(evidence.with("central", central).with("local", local));
        };
        if listed.name != own.name {
            differ("name", name.clone(), String::from_utf8_lossy(&own.name).into_owned());
        }
        if listed.method != own.method {
            differ("method", listed.method.to_string(), own.method.to_string());
        }
        const TELLING: u16 = wire::FLAG_ENCRYPTED | wire::FLAG_PATCH | wire::FLAG_STRONG_ENCRYPTION | wire::FLAG_MASKED;
        if (listed.flags ^ own.flags) & TELLING != 0 {
            differ("flags", format!("{:#06x}", listed.flags), format!("{:#06x}", own.flags));
        }
        // Sizes and checksum may come behind the data instead.
        let descriptor = own.flags & wire::FLAG_DESCRIPTOR != 0;
        if listed.crc32 != own.crc32 && !(descriptor && own.crc32 == 0) {
            differ("crc", format!("{:08x}", listed.crc32), format!("{:08x}", own.crc32));
        }
        if let Some(crc) = record.descriptor_crc
            && descriptor
            && crc != listed.crc32
        {
            differ("crc", format!("{:08x}", listed.crc32), format!("{crc:08x}"));
        }
        let sizes = [(listed.compressed_size, own.compressed_size), (listed.uncompressed_size, own.uncompressed_size)];
        for (central, local) in sizes {
            if central != local && !(descriptor && local == 0) {
                let what = if local == 0 { "size-zero" } else { "size" };
                differ(what, central.to_string(), local.to_string());
            }
        }
    }
    let all = survey.entries_of(record).map(|entry| &entry.fields).chain([own]);
    let mut odd = BTreeSet::new();
    for fields in all {
        // 6.3 is the last version of the specification; the low byte counts tenths.
        odd.extend((fields.version_needed & 0xff > 63).then_some("version-needed"));
        odd.extend((!fields.extra_sound).then_some("extra-field"));
        odd.extend((fields.flags & wire::FLAG_PATCH != 0).then_some("patch-flag"));
        odd.extend((fields.flags & wire::FLAG_MASKED != 0).then_some("masked-flag"));
    }
    for what in odd {
        let name = cx.shorten(&String::from_utf8_lossy(&own.name));
        cx.push(Evidence::new(Kind::ContainerAnomaly, what, span).with("name", name));
    }
}

/// Unpacks a member in one way. Says what is wrong with it, and records a gap
/// for what can't be unpacked.
pub(super) fn unpack(way: &Way, data: u64, name: &str, whole: &Input, cx: &mut Cx<'_, '_>) -> Content {
    let span = Span::new(data, way.compressed_size);
    let packed = match whole.window(data, way.compressed_size) {
        Ok(packed) => packed,
        Err(stop) => {
            cx.gap(&stop);
            let there = whole.tail(data);
            return Content { input: decode_what_is_there(way, &there, cx), unpacked: true };
        }
    };
    if way.encrypted || way.aes || !(way.method == methods::STORED || methods::decoder(way.method).is_some()) {
        return disguised(way, &packed, span, name, cx);
    }
    let Decoded { input, stop, used, crc } = decode(way, &packed, data, cx);
    if let Some(stop) = stop {
        // Beyond a limit there is nothing to try again.
        let limited = matches!(stop, Stop::Limit { .. });
        if !limited && let Some(content) = otherwise(way, &packed, whole, span, name, cx) {
            return content;
        }
        stream::bomb(&stop, cx);
        cx.gap(&stop);
        return Content { input, unpacked: true };
    }
    check(way, &input, crc, span, name, cx);
    if used < packed.len() {
        let evidence = Evidence::new(Kind::ContainerAnomaly, "slack", span).with("name", name);
        cx.push(evidence.with("detail", packed.len().saturating_sub(used).to_string()));
    }
    Content { input, unpacked: true }
}

/// What a member could be whose data does not decode: something that goes on
/// behind the size that is announced, as readers see it that go by the stream
/// alone, or something that is packed in another way.
fn otherwise(way: &Way, packed: &Input, whole: &Input, span: Span, name: &str, cx: &mut Cx<'_, '_>) -> Option<Content> {
    let Decoded { input, stop, used, crc } = decode(way, &whole.tail(span.offset), span.offset, cx);
    let fits = way.crc32.is_some() && crc.or_else(|| checksum(&input, cx)) == way.crc32;
    if stop.is_none() && used > packed.len() && (fits || input.len() == way.uncompressed_size) {
        let evidence = Evidence::new(Kind::ContainerMismatch, "size", span).with("name", name);
        cx.push(evidence.with("central", packed.len().to_string()).with("local", used.to_string()));
        return Some(Content { input, unpacked: true });
    }
    for method in [methods::STORED, methods::DEFLATE] {
        let Decoded { input, stop, crc, .. } = decode(&Way { method, ..way.clone() }, packed, span.offset, cx);
        let fits = way.crc32.is_some() && crc.or_else(|| checksum(&input, cx)) == way.crc32;
        if method != way.method && stop.is_none() && !input.is_empty() && fits {
            let found = if method == methods::STORED { "stored" } else { "compressed" };
            let evidence = Evidence::new(Kind::ContainerAnomaly, "method-claim", span).with("name", name);
            cx.push(evidence.with("detail", found));
            return Some(Content { input, unpacked: true });
        }
    }
    None
}

fn decode_what_is_there(way: &Way, there: &Input, cx: &mut Cx<'_, '_>) -> Input {
    if methods::decoder(way.method).is_some() && !way.encrypted {
        decode(way, there, 0, cx).input
    } else {
        there.clone()
    }
}

/// What decompression came to.
struct Decoded {
    input: Input,
    /// Why it ended early.
    stop: Option<Stop>,
    /// Packed bytes that it took.
    used: u64,
    /// CRC-32 of what it made; of stored data nobody has computed any.
    crc: Option<u32>,
}

/// Computes the checksum of what is read through it.
struct Summed {
    inner: Box<dyn Read>,
    hasher: crc32fast::Hasher,
}

impl Read for Summed {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.hasher.update(buf.get(..n).unwrap_or_default());
        Ok(n)
    }
}

/// Decompresses `packed`.
fn decode(way: &Way, packed: &Input, offset: u64, cx: &mut Cx<'_, '_>) -> Decoded {
    if way.method == methods::STORED {
        return Decoded { input: packed.clone(), stop: None, used: packed.len(), crc: None };
    }
    let failed = |stop: Stop| Decoded { input: Input::from(Vec::new()), stop: Some(stop), used: 0, crc: None };
    let position = Rc::new(Cell::new(0));
    let feed = Feed::new(packed, Rc::clone(&position));
    let size = (!way.end_marker).then_some(way.uncompressed_size);
    match methods::open(way.method, feed, size, cx.limits()) {
        Some(Ok(inner)) => {
            let mut reader = Summed { inner, hasher: crc32fast::Hasher::new() };
            let (input, stop) = cx.inflate(&mut reader, packed.len(), offset);
            Decoded { input, stop, used: position.get(), crc: Some(reader.hasher.finalize()) }
        }
        Some(Err(error)) => failed(Stop::of_decoder(&error, offset)),
        None => failed(Stop::unsupported(offset, methods::name(way.method))),
    }
}

/// Data that claims to be encrypted, or packed in a way that nobody knows.
/// Tolerant readers ignore the claim, so it is tried as what it could really be.
fn disguised(way: &Way, packed: &Input, span: Span, name: &str, cx: &mut Cx<'_, '_>) -> Content {
    let claims = if way.encrypted || way.aes { "encryption-claim" } else { "method-claim" };
    let mut tries = vec![methods::STORED, methods::DEFLATE];
    if methods::decoder(way.method).is_some() {
        tries.push(way.method);
    }
    for method in tries {
        let attempt = Way { method, ..way.clone() };
        // Encryption adds a header to the data, so equal sizes rule it out.
        let stored = method == methods::STORED;
        if stored && packed.len() != way.uncompressed_size {
            continue;
        }
        let Decoded { input, stop, used, crc } = decode(&attempt, packed, span.offset, cx);
        let fits = way.crc32.is_some() && crc.or_else(|| checksum(&input, cx)) == way.crc32;
        let sized = input.len() == way.uncompressed_size && !input.is_empty();
        let whole = stop.is_none() && sized && (used == packed.len() || fits);
        if whole && (fits || way.encrypted || !stored) {
            let found = if stored { "stored" } else { "compressed" };
            let evidence = Evidence::new(Kind::ContainerAnomaly, claims, span).with("name", name);
            cx.push(evidence.with("detail", found));
            return Content { input, unpacked: true };
        }
    }
    if way.encrypted || way.aes || way.method == methods::AES {
        let what = format!("member {name}");
        cx.gap_because(GapReason::Encrypted, format!("{what} is encrypted (byte {})", span.offset), span.offset);
    } else {
        cx.gap(&Stop::unsupported(span.offset, format!("{} of member {name}", methods::name(way.method))));
    }
    Content { input: packed.clone(), unpacked: false }
}

/// Says when the content is not what the way announces.
fn check(way: &Way, content: &Input, crc: Option<u32>, span: Span, name: &str, cx: &mut Cx<'_, '_>) {
    let mut differ = |what: &'static str, announced: String, actual: String| {
        let evidence = Evidence::new(Kind::ContainerMismatch, what, span).with("name", name);
        cx.push(evidence.with("central", announced).with("local", actual));
    };
    if content.len() != way.uncompressed_size {
        differ("content-size", way.uncompressed_size.to_string(), content.len().to_string());
    }
    let Some(announced) = way.crc32 else { return };
    if crc.is_none() && content.len() > cx.limits().memory_bytes && span.length == content.len() {
        let sum = Checksum { offset: span.offset, length: span.length, crc32: announced, name: name.to_owned() };
        return cx.checksum(sum);
    }
    if let Some(actual) = crc.or_else(|| checksum(content, cx))
        && actual != announced
    {
        let mut differ = |what: &'static str| {
            let evidence = Evidence::new(Kind::ContainerMismatch, what, span).with("name", name);
            cx.push(evidence.with("central", format!("{announced:08x}")).with("local", format!("{actual:08x}")));
        };
        // PyTorch leaves the field empty when told to save time.
        differ(if announced == 0 { "checksum-absent" } else { "checksum" });
    }
}

/// CRC-32 of stored content that is small enough to be worth another pass.
fn checksum(content: &Input, cx: &Cx<'_, '_>) -> Option<u32> {
    if content.len() > cx.limits().memory_bytes || cx.leaves_unread(content) {
        return None;
    }
    let mut hasher = crc32fast::Hasher::new();
    let mut cursor = Cursor::new(content);
    while !cursor.is_at_end() {
        cursor.fill(1).ok()?;
        hasher.update(cursor.buffered());
        let n = to_u64(cursor.buffered().len());
        cursor.skip(n).ok()?;
    }
    Some(hasher.finalize())
}
