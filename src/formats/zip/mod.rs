//! Zip archives, and every model format that is one: read through the central
//! directory and, independently, from one local header to the next, because
//! readers differ in which of the two they believe.

mod layouts;
mod member;
mod methods;
mod ranges;
mod series;
mod storages;
mod survey;
mod wire;

use std::collections::BTreeSet;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::members::{self, Names};
use crate::formats::stream;
use crate::formats::{About, Format, Head, Match, json};
use crate::input::{Input, to_u64};
use crate::inspect::MEMBERS;
use crate::stop::Stop;

use layouts::{Layouts, Reading};
use member::Content;
use survey::{Record, Survey};
use wire::{CentralHeader, LocalFileHeader};

/// Ways in which one member's data is unpacked: readers differ in a few, and a
/// directory can list any number.
const WAYS: usize = 16;

/// Reads zip archives: see [`Format`].
#[derive(Debug)]
pub struct Zip;

impl Format for Zip {
    fn name(&self) -> &'static str {
        "zip"
    }

    fn about(&self) -> About {
        About {
            title: "zip, with zip64 (PKWARE APPNOTE.TXT 6.3.10): PyTorch, TorchScript, torch.package, npz, Keras 3, \
                    TorchServe, skops, wheels; archives back to back (torch.distributed.checkpoint)",
            extensions: &[
                ".zip", ".pt", ".pth", ".ckpt", ".ptl", ".pt2", ".npz", ".keras", ".mar", ".skops", ".whl", ".distcp",
            ],
            reads: "both headers of every member and what they disagree about, members that only one of them lists, \
                    all end records, names, links, and the content of every member: stored, deflate, bzip2, LZMA, \
                    xz, Zstandard",
            leaves_out: "checksums of stored members above 16 MiB of an archive that is stored in another, PPMd and methods older than deflate, archives in several files",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        // Two or three letters are no text when the name promises an archive.
        let cut = head.len < 4 && head.len > 0 && wire::LOCAL.starts_with(head.first);
        if begins(head.first) || (cut && head.is_named(self.about().extensions)) {
            return Match::Magic;
        }
        match tail_end(head) {
            Some(0) => Match::Magic,
            Some(_) => Match::Likely,
            None => Match::No,
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        if input.len() < wire::END_LENGTH {
            return Err(Stop::Truncated { offset: input.len(), needed: wire::END_LENGTH.saturating_sub(input.len()) });
        }
        if series::is_shard(cx.name()) {
            let archives = series::archives(input, cx)?;
            if !archives.is_empty() && archives != [(0, input.len())] {
                return series::read(&archives, input, cx);
            }
        }
        let survey = Survey::new(input, cx)?;
        let mut first = [0; 8];
        let n = input.read_at(0, &mut first)?;
        let exact = survey.ends.iter().any(|end| end.end == input.len());
        if !begins(first.get(..n).unwrap_or_default()) && !exact {
            // An archive inside another file, which is a fact about that file
            // and no trick: pickles and tars carry zips. Examine its members.
            let sound = survey.ends.len() == 1 && survey.notes.is_empty() && survey.gaps.is_empty();
            if !sound {
                return Err(Stop::malformed(0, "this is no zip archive"));
            }
            return Reader::new(input, &survey, cx.name()).members(cx);
        }
        for note in &survey.notes {
            cx.push(note.clone());
        }
        for gap in &survey.gaps {
            cx.gap(gap);
        }
        let mut reader = Reader::new(input, &survey, cx.name());
        reader.structure(cx);
        reader.members(cx)?;
        storages::compare(&reader.layouts, cx);
        if let Some(missing) = reader.layouts.missing(survey.names()) {
            cx.gap_because(crate::artifact::GapReason::Truncated, format!("{missing} is not there"), 0);
        }
        reader.leftovers(cx)?;
        if survey.ends.is_empty() {
            return Err(Stop::Truncated { offset: input.len(), needed: wire::END_LENGTH });
        }
        Ok(())
    }
}

/// Whether an archive begins here: with a member, with nothing but an end
/// record, or with the mark of an archive that was once meant to be split.
fn begins(first: &[u8]) -> bool {
    first.starts_with(&wire::LOCAL)
        || first.starts_with(&wire::END)
        || first.starts_with(b"PK00PK\x03\x04")
        || first.starts_with(b"PK\x07\x08PK\x03\x04")
}

/// How many bytes follow the last end record that can be one, comment not
/// counted.
fn tail_end(head: &Head<'_>) -> Option<u64> {
    let base = head.len.checked_sub(to_u64(head.last.len()))?;
    memchr::memmem::rfind_iter(head.last, &wire::END).find_map(|at| {
        let record = head.last.get(at..)?.first_chunk::<22>()?;
        let [.., e0, e1, s0, s1, s2, s3, _, _, _, _, c0, c1] = *record;
        let entries = u64::from(u16::from_le_bytes([e0, e1]));
        let size = u64::from(u32::from_le_bytes([s0, s1, s2, s3]));
        let comment = u64::from(u16::from_le_bytes([c0, c1]));
        let offset = base.saturating_add(to_u64(at));
        let zip64 = entries == u64::from(u16::MAX) || size == u64::from(u32::MAX);
        let plausible = zip64 || (size <= offset && entries.saturating_mul(46) <= size && entries > 0);
        let end = offset.saturating_add(wire::END_LENGTH).saturating_add(comment);
        (plausible && end <= head.len).then(|| head.len.saturating_sub(end))
    })
}

/// Whether the two headers of a member name it differently.
fn names_differ(entry: &CentralHeader, local: &LocalFileHeader) -> bool {
    entry.fields.name != local.fields.name
}

/// Bytes within which JSON shows itself.
const JSON_SHOWS: u64 = 1024;

/// Goes through what a survey found.
struct Reader<'i> {
    input: &'i Input,
    survey: &'i Survey<'i>,
    layouts: Layouts,
    names: Names,
    /// Data that has been examined: where, how long, by which method, under
    /// which kind of name.
    done: BTreeSet<(u64, u64, u16, String)>,
}

impl<'i> Reader<'i> {
    fn new(input: &'i Input, survey: &'i Survey<'i>, name: &str) -> Self {
        let layouts = Layouts::of(survey.names(), name);
        Self { input, survey, layouts, names: Names::default(), done: BTreeSet::new() }
    }

    /// What is odd about the archive as a whole.
    fn structure(&self, cx: &mut Cx<'_, '_>) {
        for (root, layout) in self.layouts.list() {
            let root = cx.shorten(root);
            cx.push(Evidence::new(Kind::ContainerLayout, layout, Span::at(0)).with("root", root));
        }
        if let [_, second, ..] = self.survey.ends.as_slice() {
            let count = self.survey.ends.len().to_string();
            cx.push(
                Evidence::new(Kind::ContainerAnomaly, "several-ends", Span::at(second.offset)).with("detail", count),
            );
        }
        let mut reached = 0;
        for (offset, record) in &self.survey.records {
            if *offset < reached {
                let name = cx.shorten(&String::from_utf8_lossy(&record.local.fields.name));
                cx.push(Evidence::new(Kind::ContainerAnomaly, "overlap", Span::at(*offset)).with("name", name));
            }
            let listed = self.survey.entries_of(record).map(|entry| entry.fields.compressed_size).max();
            let length = listed.or(record.found_length).unwrap_or(record.local.fields.compressed_size);
            reached = reached.max(record.local.data.saturating_add(length));
            if record.entries.len() > 1 {
                let name = cx.shorten(&String::from_utf8_lossy(&record.local.fields.name));
                cx.push(Evidence::new(Kind::ContainerAnomaly, "shared-data", Span::at(*offset)).with("name", name));
            }
            if record.entries.is_empty() && !self.survey.ends.is_empty() {
                let name = cx.shorten(&String::from_utf8_lossy(&record.local.fields.name));
                cx.push(Evidence::new(Kind::ContainerAnomaly, "unlisted-member", Span::at(*offset)).with("name", name));
            }
        }
    }

    fn members(&mut self, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        for (offset, record) in &self.survey.records {
            cx.charge(1, *offset)?;
            self.member(*offset, record, cx)?;
        }
        Ok(())
    }

    fn member(&mut self, offset: u64, record: &Record, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let span = Span::new(offset, record.local.data.saturating_sub(offset));
        member::compare(self.survey, record, offset, cx);
        let mut names: Vec<&[u8]> = Vec::new();
        for entry in self.survey.entries_of(record) {
            names.push(&entry.fields.name);
            names.extend(entry.fields.unicode_path.as_deref());
        }
        names.push(&record.local.fields.name);
        names.extend(record.local.fields.unicode_path.as_deref());
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(*name));
        for name in &names {
            members::check_name(cx, name, span);
        }
        let mode = self.survey.entries_of(record).map(CentralHeader::mode).find(|mode| *mode != 0).unwrap_or(0);
        let special = match mode & 0o170_000 {
            0o010_000 => Some("fifo"),
            0o020_000 => Some("character-device"),
            0o060_000 => Some("block-device"),
            0o140_000 => Some("socket"),
            _ => (mode & 0o6000 != 0).then_some("set-id"),
        };
        let first = names.first().copied().unwrap_or_default();
        let shown = cx.shorten(&String::from_utf8_lossy(first));
        if let Some(special) = special {
            cx.push(Evidence::new(Kind::ContainerSpecial, special, span).with("name", shown.clone()));
        }
        let link = mode & 0o170_000 == 0o120_000;
        let mut ways = member::ways(self.survey, record);
        if ways.len() > WAYS {
            ways.truncate(WAYS);
            cx.gap(&Stop::Limit { offset, limit: "overlap" });
        }
        for way in &ways {
            let (method, data) = (way.method, record.local.data);
            cx.row("members", MEMBERS, || {
                let (size, stored) = (way.uncompressed_size, way.compressed_size);
                vec![shown.clone().into(), methods::label(method).into(), size.into(), stored.into(), data.into()]
            });
        }
        let folder = first.ends_with(b"/") && ways.iter().all(|way| way.compressed_size == 0);
        if !link && !folder {
            let crc = self.survey.entries_of(record).map(|entry| entry.fields.crc32).next();
            let content = u64::from(crc.unwrap_or(record.local.fields.crc32));
            self.names.member(cx, first, content, span);
        }
        if folder {
            return Ok(());
        }
        let several = ways.len() > 1;
        for way in ways {
            if several && way.compressed_size == 0 {
                continue;
            }
            let fresh: Vec<&[u8]> = names
                .iter()
                .copied()
                .filter(|name| {
                    let place = (record.local.data, way.compressed_size, way.method, ending(name));
                    self.done.insert(place)
                })
                .collect();
            if fresh.is_empty() {
                continue;
            }
            let content = member::unpack(&way, record.local.data, &shown, self.input, cx);
            if link {
                self.link(first, &content, span, cx)?;
                continue;
            }
            for name in fresh {
                self.content(name, &content, cx)?;
            }
        }
        Ok(())
    }

    fn link(&mut self, name: &[u8], content: &Content, span: Span, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let bound = cx.limits().string_bytes;
        let target = content.input.prefix(bound).all(bound)?;
        self.names.link(cx, name, &target, true, span);
        cx.data(&String::from_utf8_lossy(name), content.input.clone())
    }

    fn content(&self, name: &[u8], content: &Content, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let name = String::from_utf8_lossy(name);
        let input = content.input.clone();
        if !content.unpacked || input.is_empty() || is_blank(&input, cx)? {
            return cx.data(&name, input);
        }
        if let Some(loader) = self.layouts.code(&name) {
            let shown = cx.shorten(&name);
            cx.push(Evidence::new(Kind::ReferenceCode, shown, Span::at(0)).with("key", loader).with("where", "local"));
        }
        if self.layouts.is_misplaced(&name) {
            let shown = cx.shorten(&name);
            cx.push(Evidence::new(Kind::ContainerAnomaly, "program", Span::at(0)).with("name", shown));
        }
        match self.layouts.reading(&name) {
            Reading::Content => cx.child(&name, input),
            Reading::Data => cx.data(&name, input),
            Reading::As(format) => cx.child_as(format, &name, input),
            Reading::Json(format) => {
                let first = input.prefix(JSON_SHOWS).all(JSON_SHOWS)?;
                match json::begins(&json::documents::decoded(&first)) {
                    true => cx.child(&name, input),
                    false => cx.child_as(format, &name, input),
                }
            }
        }
    }

    /// What the bytes around the records belong to: TensorFlow Lite appends
    /// its labels to a model as an archive.
    fn of(&self, place: &str) -> Result<&'static str, Stop> {
        let mut identifier = [0; 4];
        self.input.read_at(4, &mut identifier)?;
        Ok(if place == "before" && &identifier == b"TFL3" { "tflite" } else { "zip" })
    }

    /// Bytes that belong to no record.
    fn leftovers(&self, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let covered = &self.survey.covered;
        let (first, len) = (covered.first().unwrap_or(0), self.input.len());
        for (start, end) in covered.gaps(len) {
            if stream::after_zeros(&self.input.prefix(end), start)? >= end {
                continue;
            }
            let place = if start < first {
                "before"
            } else if end == len {
                "after"
            } else {
                "between"
            };
            let length = end.saturating_sub(start);
            cx.push(
                Evidence::new(Kind::BytesUnexplained, place, Span::new(start, length))
                    .with("length", length.to_string())
                    .with("of", self.of(place)?),
            );
            // What stands at the very start is read as part of this artifact.
            if start > 0 {
                cx.data(&format!("bytes {place} the members @ {start:#x}"), self.input.window(start, length)?)?;
            }
        }
        Ok(())
    }
}

/// The ending of a name, which can decide who reads it.
fn ending(name: &[u8]) -> String {
    let base = name.rsplit(|byte| matches!(byte, b'/' | b'\\')).next().unwrap_or_default();
    let ending = base.iter().rposition(|byte| *byte == b'.').and_then(|at| base.get(at..)).unwrap_or_default();
    String::from_utf8_lossy(ending).to_lowercase()
}

/// Whether the content is zeros, and small enough that this is not worth a
/// second thought: sparse weights, and preallocated files.
fn is_blank(input: &Input, cx: &Cx<'_, '_>) -> Result<bool, Stop> {
    Ok(!cx.leaves_unread(input)
        && input.len() <= cx.limits().memory_bytes
        && stream::after_zeros(input, 0)? >= input.len())
}
