//! What records a zip file has, by every way in which some reader finds them:
//! through each end record's directory, from one local header to the next, and
//! by looking at all bytes that neither accounts for.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::stream::Feed;
use crate::formats::zip::ranges::Ranges;
use crate::formats::zip::wire::{self, CentralHeader, Claim, EndRecord, LocalFileHeader};
use crate::formats::zip::{methods, names_differ};
use crate::input::{Cursor, Input, to_u64, to_usize};
use crate::limits::TAIL_BYTES;
use crate::stop::Stop;

/// A local header, and the directory entries that lead to it.
#[derive(Debug)]
pub(super) struct Record {
    pub local: LocalFileHeader,
    /// Indices into [`Survey::entries`].
    pub entries: Vec<usize>,
    /// One of the headers says that a data descriptor follows the data.
    pub described: bool,
    /// Length of the data as found, when neither header says it.
    pub found_length: Option<u64>,
    /// Checksum in the data descriptor.
    pub descriptor_crc: Option<u32>,
}

/// All records of one file.
pub(super) struct Survey<'i> {
    input: &'i Input,
    /// End records that describe a directory that can be there.
    pub ends: Vec<EndRecord>,
    pub entries: Vec<CentralHeader>,
    /// By the offset of their local header.
    pub records: BTreeMap<u64, Record>,
    /// Where directories begin that have been read.
    directories: BTreeSet<u64>,
    pub covered: Ranges,
    /// What is odd about the records themselves.
    pub notes: Vec<Evidence>,
    /// What could not be followed.
    pub gaps: Vec<Stop>,
    /// Bytes of names that are kept.
    held: u64,
    /// Local headers that the file ends in.
    cut: Vec<u64>,
}

/// The end records in the last bytes of a file, last first.
pub(super) fn tail_ends(input: &Input) -> Result<Vec<EndRecord>, Stop> {
    let length = input.len().min(to_u64(TAIL_BYTES));
    let start = input.len().saturating_sub(length);
    let tail = input.bytes(start, length, length)?;
    let found = memchr::memmem::rfind_iter(&tail, &wire::END);
    Ok(found.filter_map(|at| wire::end_record(input, start.saturating_add(to_u64(at)))).collect())
}

impl<'i> Survey<'i> {
    /// Finds every record of `input`.
    pub(super) fn new(input: &'i Input, cx: &mut Cx<'_, '_>) -> Result<Self, Stop> {
        let mut survey = Self {
            input,
            ends: Vec::new(),
            entries: Vec::new(),
            records: BTreeMap::new(),
            directories: BTreeSet::new(),
            covered: Ranges::default(),
            notes: Vec::new(),
            gaps: Vec::new(),
            held: 0,
            cut: Vec::new(),
        };
        let ends = tail_ends(input)?;
        if let Some(end) = ends.iter().find(|end| end.is_plausible()) {
            survey.add_end(end.clone(), cx)?;
            if ends.first().is_some_and(|last| last.offset != end.offset) {
                let span = Span::at(ends.first().map_or(0, |last| last.offset));
                survey.notes.push(Evidence::new(Kind::ContainerAnomaly, "end-record-behind-end", span));
            }
        }
        survey.search_gaps(cx)?;
        for offset in std::mem::take(&mut survey.cut) {
            survey.covered.add(offset, input.len());
        }
        let comments: Vec<(u64, u64)> =
            survey.ends.iter().map(|end| (end.offset.saturating_add(wire::END_LENGTH), end.end)).collect();
        for (start, end) in comments {
            survey.covered.add(start, end.min(input.len()));
        }
        Ok(survey)
    }

    fn note(&mut self, kind: Kind, value: &'static str, offset: u64, detail: String) {
        self.notes.push(Evidence::new(kind, value, Span::at(offset)).with("detail", detail));
    }

    /// Takes in an end record and the directories that it can be read to mean.
    fn add_end(&mut self, end: EndRecord, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let at = end.offset;
        self.covered.add(at, at.saturating_add(wire::END_LENGTH));
        if let Some((zip64, claim)) = end.zip64 {
            self.covered.add(zip64, at);
            if !agrees(end.claim, claim) {
                self.note(Kind::ContainerAnomaly, "zip64-differs", at, format!("{:?} and {claim:?}", end.claim));
            }
        }
        if end.zip64_missing {
            self.note(Kind::ContainerAnomaly, "zip64-missing", at, String::new());
        }
        if end.spans_disks {
            self.note(Kind::ContainerAnomaly, "several-disks", at, String::new());
        }
        if end.end > self.input.len() {
            let missing = end.end.saturating_sub(self.input.len());
            self.note(Kind::ContainerAnomaly, "comment-size", at, format!("{missing} bytes beyond the file"));
        }
        let mut claims = vec![end.claim()];
        if end.zip64.is_some() && !agrees(end.claim, end.claim()) {
            claims.push(end.claim);
        }
        let mut found: usize = 0;
        let mut wanted = false;
        for claim in claims {
            wanted |= claim.entries > 0;
            let shifted = end.directory_end().checked_sub(claim.size);
            let starts = BTreeSet::from_iter(shifted.into_iter().chain([claim.offset]));
            for start in starts {
                if wire::has(self.input, start, wire::CENTRAL) {
                    self.read_directory(start, Some(claim), cx)?;
                    found = found.saturating_add(1);
                }
            }
        }
        if found > 1 {
            self.note(Kind::ContainerAnomaly, "several-directories", at, format!("{found} for one end record"));
        }
        if wanted && found == 0 {
            self.gaps.push(Stop::malformed(at, "the end record leads to no central directory"));
        }
        self.ends.push(end);
        Ok(())
    }

    /// Reads the directory at `start`, and follows its entries. Returns where
    /// it ends.
    fn read_directory(&mut self, start: u64, claim: Option<Claim>, cx: &mut Cx<'_, '_>) -> Result<u64, Stop> {
        if !self.directories.insert(start) {
            return Ok(start);
        }
        let mut cursor = Cursor::at(self.input, start);
        let first = self.entries.len();
        let stop = loop {
            cx.charge(1, cursor.position())?;
            match wire::central(&mut cursor) {
                Ok(Some(entry)) => {
                    self.hold(&entry.fields, cx, entry.offset)?;
                    self.entries.push(entry);
                }
                Ok(None) => break None,
                Err(stop) => break Some(stop),
            }
        };
        self.gaps.extend(stop);
        let end = cursor.position();
        self.covered.add(start, end);
        let count = to_u64(self.entries.len().saturating_sub(first));
        if let Some(claim) = claim {
            // Without zip64 records, writers let the count of 16 bits wrap.
            if claim.entries != count && claim.entries != count & 0xffff {
                self.note(
                    Kind::ContainerAnomaly,
                    "entry-count",
                    start,
                    format!("{} said, {count} there", claim.entries),
                );
            }
            if claim.size != end.saturating_sub(start) {
                let size = end.saturating_sub(start);
                self.note(
                    Kind::ContainerAnomaly,
                    "directory-size",
                    start,
                    format!("{} said, {size} there", claim.size),
                );
            }
        }
        let declared = claim.map_or(start, |claim| claim.offset);
        // Of a zip within a tar, no reader takes the numbers for the tar's own.
        let in_tar = crate::formats::tar::begins(&self.input.prefix(512).all(512)?);
        let moved = start.checked_sub(declared).filter(|shift| *shift > 0 && in_tar);
        let listed = self.entries.get(first..).unwrap_or_default().iter();
        let moved: BTreeSet<u64> = listed.filter_map(|entry| entry.local_header_offset.checked_add(moved?)).collect();
        for index in first..self.entries.len() {
            self.follow(index, declared, start, &moved, cx)?;
        }
        Ok(end)
    }

    /// Bounds what is kept of the records.
    fn hold(&mut self, fields: &wire::Fields, cx: &Cx<'_, '_>, offset: u64) -> Result<(), Stop> {
        let other = fields.unicode_path.as_ref().map_or(0, Vec::len);
        self.held = self.held.saturating_add(to_u64(fields.name.len().saturating_add(other)));
        if self.held > cx.limits().header_bytes {
            return Err(Stop::Limit { offset, limit: "header-bytes" });
        }
        if to_u64(self.entries.len().saturating_add(self.records.len()) / 2) > cx.limits().artifacts {
            return Err(Stop::Limit { offset, limit: "artifacts" });
        }
        Ok(())
    }

    /// Follows a directory entry to its local header. When something stands
    /// before the archive, its offsets may count that or not: some readers go
    /// by the number, others by where the directory really is. `moved` is where
    /// the latter find the members of this directory: a number that leads to
    /// another one of these does so by chance.
    fn follow(
        &mut self,
        index: usize,
        declared: u64,
        start: u64,
        moved: &BTreeSet<u64>,
        cx: &mut Cx<'_, '_>,
    ) -> Result<(), Stop> {
        let Some(entry) = self.entries.get(index) else { return Ok(()) };
        let (plain, at) = (entry.local_header_offset, entry.offset);
        let shifted = start.checked_sub(declared).and_then(|shift| plain.checked_add(shift));
        let back = declared.checked_sub(start).and_then(|shift| plain.checked_sub(shift));
        let mut found = false;
        let chance = |offset: u64| offset == plain && shifted != Some(plain) && moved.contains(&plain);
        for offset in BTreeSet::from_iter([Some(plain), shifted, back].into_iter().flatten()) {
            if !chance(offset) && wire::has(self.input, offset, wire::LOCAL) {
                found = true;
                self.add_record(offset, Some(index), cx)?;
            }
        }
        if !found && plain >= self.input.len() {
            let needed = plain.saturating_sub(self.input.len()).saturating_add(1);
            self.gaps.push(Stop::Truncated { offset: self.input.len(), needed });
        } else if !found {
            self.note(Kind::ContainerAnomaly, "no-local-header", at, format!("offset {plain}"));
            self.gaps.push(Stop::malformed(at, "a directory entry leads to no local header"));
        }
        Ok(())
    }

    /// Takes in the local header at `offset`, and the one right behind its
    /// data when the header's own sizes lead elsewhere than the directory's.
    fn add_record(&mut self, offset: u64, entry: Option<usize>, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut next = Some((offset, entry));
        while let Some((offset, entry)) = next.take() {
            cx.charge(1, offset)?;
            let described = entry.and_then(|entry| self.entries.get(entry));
            let described = described.is_some_and(|entry| entry.fields.flags & wire::FLAG_DESCRIPTOR != 0);
            if let Some(record) = self.records.get_mut(&offset) {
                record.entries.extend(entry);
                record.described |= described;
            } else {
                let local = match wire::local(self.input, offset) {
                    Ok(Some(local)) => local,
                    Ok(None) => return Ok(()),
                    Err(stop) => {
                        self.gaps.push(stop);
                        self.cut.push(offset);
                        return Ok(());
                    }
                };
                self.hold(&local.fields, cx, offset)?;
                let described = described || local.fields.flags & wire::FLAG_DESCRIPTOR != 0;
                let entries = entry.into_iter().collect();
                let record = Record { local, entries, described, found_length: None, descriptor_crc: None };
                self.records.insert(offset, record);
            }
            next = self.cover(offset, entry, cx)?.map(|next| (next, None));
        }
        Ok(())
    }

    /// Marks the bytes of a record as accounted for under the view of its length
    /// that `entry` has, and under its own. Returns the local header that only
    /// the record's own sizes lead to.
    fn cover(&mut self, offset: u64, entry: Option<usize>, cx: &mut Cx<'_, '_>) -> Result<Option<u64>, Stop> {
        let Some(record) = self.records.get(&offset) else { return Ok(None) };
        let data = record.local.data;
        let own = &record.local.fields;
        // Once for each header: a directory may list one record any number of times.
        let own_says = (own.compressed_size > 0 || own.flags & wire::FLAG_DESCRIPTOR == 0) && record.entries.len() <= 1;
        let listed = entry.and_then(|entry| self.entries.get(entry));
        let mut views: Vec<(u64, u64)> =
            listed.map(|entry| (entry.fields.compressed_size, entry.fields.uncompressed_size)).into_iter().collect();
        if own_says {
            views.push((own.compressed_size, own.uncompressed_size));
        } else if record.entries.is_empty() {
            let length = self.measure(record.local.data, own, cx)?;
            views.push((length, own.uncompressed_size));
            if let Some(record) = self.records.get_mut(&offset) {
                record.found_length = Some(length);
            }
        }
        let mut next = None;
        self.covered.add(offset, data);
        let listed = views.len() > usize::from(own_says);
        for (at, (compressed, uncompressed)) in views.iter().enumerate() {
            let end = data.saturating_add(*compressed).min(self.input.len());
            let (length, crc) = self.descriptor_of(offset, end, *compressed, *uncompressed);
            self.covered.add(offset, end.saturating_add(length));
            if let (Some(record), Some(_)) = (self.records.get_mut(&offset), crc) {
                record.descriptor_crc = crc;
            }
            let behind = end.saturating_add(length);
            let is_own = own_says && at.saturating_add(1) == views.len();
            if is_own && listed && !self.records.contains_key(&behind) && wire::has(self.input, behind, wire::LOCAL) {
                next = Some(behind);
            }
        }
        Ok(next.filter(|next| *next > offset && self.covered_by_other(offset, *next)))
    }

    /// Whether `next` lies inside the data that the directory gives the record
    /// at `offset`; otherwise the search of the gaps will find it anyway.
    fn covered_by_other(&self, offset: u64, next: u64) -> bool {
        let Some(record) = self.records.get(&offset) else { return false };
        record
            .entries
            .iter()
            .filter_map(|index| self.entries.get(*index))
            .any(|entry| next < record.local.data.saturating_add(entry.fields.compressed_size))
    }

    fn descriptor_of(&self, offset: u64, end: u64, compressed: u64, uncompressed: u64) -> (u64, Option<u32>) {
        let Some(record) = self.records.get(&offset) else { return (0, None) };
        if record.described || wire::has(self.input, end, wire::DESCRIPTOR) {
            wire::descriptor(self.input, end, compressed, uncompressed)
        } else {
            (0, None)
        }
    }

    /// The length of data that no header tells: what its decoder takes, or,
    /// when the data is stored, the bytes before a data descriptor that fits
    /// or else before the next record.
    fn measure(&self, data: u64, fields: &wire::Fields, cx: &mut Cx<'_, '_>) -> Result<u64, Stop> {
        let rest = self.input.tail(data);
        if let Some(open) = methods::decoder(fields.method) {
            let position = Rc::new(Cell::new(0));
            if let Ok(mut reader) = open(Feed::new(&rest, Rc::clone(&position)), cx.limits()) {
                let (_, stop) = cx.inflate(&mut *reader, rest.len(), data);
                if stop.is_none() {
                    return Ok(position.get());
                }
            }
        }
        let mut cursor = Cursor::at(self.input, data);
        while let Some((at, signature)) = find_signature(&mut cursor, self.input.len(), cx)? {
            let length = at.saturating_sub(data);
            let fits = signature != wire::DESCRIPTOR || wire::descriptor(self.input, at, length, length).0 > 0;
            if fits {
                return Ok(length);
            }
            cursor.skip(4)?;
        }
        Ok(rest.len())
    }

    /// Looks for records in all bytes that are not accounted for.
    fn search_gaps(&mut self, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut cursor = Cursor::new(self.input);
        for (start, end) in self.covered.gaps(self.input.len()) {
            cursor.seek(start);
            while let Some((at, signature)) = find_signature(&mut cursor, end, cx)? {
                let mut from = at.saturating_add(4);
                if let Some(covered) = self.covered.end_around(at) {
                    cursor.seek(covered.max(from));
                    continue;
                }
                match signature {
                    wire::LOCAL if self.is_header(at) => self.add_record(at, None, cx)?,
                    wire::CENTRAL => from = self.read_directory(at, None, cx)?.max(from),
                    wire::END => match wire::end_record(self.input, at) {
                        Some(found) if found.is_plausible() => self.add_end(found, cx)?,
                        _ => {}
                    },
                    _ => {}
                }
                cursor.seek(self.covered.end_around(at).unwrap_or(0).max(from));
            }
        }
        Ok(())
    }

    /// Whether the local header at `offset` is more than four letters by
    /// chance.
    fn is_header(&self, offset: u64) -> bool {
        match wire::local(self.input, offset) {
            Ok(Some(local)) => !local.fields.name.is_empty(),
            Ok(None) => false,
            // Cut off: part of a record all the same.
            Err(_) => true,
        }
    }

    /// The directory entries that lead to `record`.
    pub(super) fn entries_of<'s>(&'s self, record: &'s Record) -> impl Iterator<Item = &'s CentralHeader> {
        record.entries.iter().filter_map(|index| self.entries.get(*index))
    }

    /// All names of all records, from both headers.
    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        let listed = self.entries.iter().map(|entry| entry.fields.name.as_slice());
        let unlisted = self.records.values().filter(|record| {
            record.entries.is_empty() || self.entries_of(record).any(|entry| names_differ(entry, &record.local))
        });
        listed.chain(unlisted.map(|record| record.local.fields.name.as_slice()))
    }
}

/// Whether a 32-bit end record says the same as its zip64 twin, where it does
/// not leave it to that one.
fn agrees(narrow: Claim, wide: Claim) -> bool {
    let same = |narrow: u64, wide: u64, ones: u64| narrow == ones || narrow == wide;
    same(narrow.entries, wide.entries, u64::from(u16::MAX))
        && same(narrow.size, wide.size, u64::from(u32::MAX))
        && same(narrow.offset, wide.offset, u64::from(u32::MAX))
}

/// The first signature of a record from the cursor on and before `to`, with
/// the cursor left at it.
fn find_signature(cursor: &mut Cursor<'_>, to: u64, cx: &mut Cx<'_, '_>) -> Result<Option<(u64, [u8; 4])>, Stop> {
    while cursor.position() < to {
        let start = cursor.position();
        cursor.fill(4)?;
        let held = cursor.buffered();
        let within = held.get(..to_usize(to.saturating_sub(start))).unwrap_or(held);
        let length = to_u64(within.len());
        let found = memchr::memmem::find_iter(within, b"PK").find_map(|at| {
            let signature = held.get(at..at.saturating_add(4))?.try_into().ok()?;
            let known = matches!(signature, wire::LOCAL | wire::CENTRAL | wire::END | wire::DESCRIPTOR);
            known.then_some((to_u64(at), signature))
        });
        if let Some((at, signature)) = found {
            cx.charge(1_u64.saturating_add(at / 4096), start)?;
            cursor.skip(at)?;
            return Ok(Some((start.saturating_add(at), signature)));
        }
        cx.charge(1_u64.saturating_add(length / 4096), start)?;
        // Three bytes again, for a signature across the edge.
        let step = if start.saturating_add(length) >= to { length } else { length.saturating_sub(3).max(1) };
        cursor.skip(step)?;
    }
    Ok(None)
}
