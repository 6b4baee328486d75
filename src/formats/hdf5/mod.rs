//! HDF5 files: Keras weights and models, PyTables, anything h5py writes.
//!
//! The structure is walked without the HDF5 library: every group, link,
//! attribute and dataset. Numbers are not read. What loaders would read as more
//! than numbers (configurations, pickles, paths to other files) is evidence or
//! becomes a child.

mod attributes;
mod datasets;
mod groups;
mod heaps;
mod wire;

use std::collections::BTreeSet;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::stop::Stop;

use groups::Target;
use wire::{File, SIGNATURE, message};

/// The format.
#[derive(Debug)]
pub struct Hdf5;

impl Format for Hdf5 {
    fn name(&self) -> &'static str {
        "hdf5"
    }

    fn about(&self) -> About {
        About {
            title: "HDF5 (HDF5 File Format Specification 3.0), Keras .h5",
            extensions: &[".h5", ".hdf5", ".hdf", ".keras"],
            reads: "superblocks 0 to 3, groups and links of both styles, attributes, layouts, filters, external files; JSON and pickles in attributes and byte datasets",
            leaves_out: "numbers in datasets; messages in the shared message heap; byte datasets behind filters other than deflate, shuffle and Fletcher32",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if superblock_in(head.first).is_some() {
            return Match::Magic;
        }
        if head.is_named(&[".h5", ".hdf5"]) { Match::Name } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let base = find_superblock(input)?;
        // The first member of a tar stands where a user block ends; what is
        // around it is the business of the tar's reader.
        let member = base > 0 && crate::formats::tar::begins(&input.prefix(512).all(512)?);
        if base > 0 && !member && !zeros(&input.prefix(base), cx)? {
            let evidence = Evidence::new(Kind::BytesUnexplained, "before", Span::new(0, base));
            cx.push(evidence.with("length", base.to_string()).with("of", "hdf5"));
            cx.data("user block", input.prefix(base))?;
        }
        if is_placeholder(input, base, cx)? {
            cx.evidence(Kind::HeaderField, "empty-superblock", Span::at(base));
            return Ok(());
        }
        let (file, superblock) = File::open(input, base)?;
        let outcome = walk(&file, superblock.root, cx);
        // Lines that an editor or a mail program added hold nothing.
        let blank = |end: &u64| is_blank(&input.tail(*end));
        if let Some(behind) = superblock.end.filter(|end| *end < input.len() && !member && !blank(end)) {
            let rest = input.len().saturating_sub(behind);
            let evidence = Evidence::new(Kind::BytesUnexplained, "after", Span::new(behind, rest));
            cx.push(evidence.with("length", rest.to_string()).with("of", "hdf5"));
            cx.behind("behind the HDF5 data", input, behind)?;
        }
        outcome?;
        match superblock.end {
            Some(end) if end > input.len() => {
                Err(Stop::Truncated { offset: input.len(), needed: end.saturating_sub(input.len()) })
            }
            _ => Ok(()),
        }
    }
}

/// Where in `first` a superblock begins: at 0, 512 or a doubling of that.
fn superblock_in(first: &[u8]) -> Option<usize> {
    let doublings = std::iter::successors(Some(512_usize), |at| at.checked_mul(2));
    std::iter::once(0)
        .chain(doublings.take_while(|at| *at < first.len()))
        .find(|at| first.get(*at..).is_some_and(|from| from.starts_with(SIGNATURE)))
}

fn find_superblock(input: &Input) -> Result<u64, Stop> {
    let mut at = 0;
    while at < input.len() {
        let mut signature = [0; 8];
        input.read_at(at, &mut signature)?;
        if signature == SIGNATURE {
            return Ok(at);
        }
        at = if at == 0 { 512 } else { at.saturating_mul(2) };
    }
    Err(Stop::malformed(0, "there is no HDF5 signature"))
}

/// Whether nothing but zeros follows the signature: a file that was opened for
/// writing and never written.
fn is_placeholder(input: &Input, base: u64, cx: &Cx<'_, '_>) -> Result<bool, Stop> {
    let rest = input.tail(base.saturating_add(8));
    Ok(!rest.is_empty() && zeros(&rest, cx)?)
}

/// Whether the few bytes that `input` has are white space or zeros.
fn is_blank(input: &Input) -> bool {
    const FEW: u64 = 64;
    input.len() <= FEW
        && input.all(FEW).is_ok_and(|bytes| bytes.iter().all(|byte| *byte == 0 || byte.is_ascii_whitespace()))
}

/// Whether there is nothing but zeros, as far as that can be told at once.
fn zeros(input: &Input, cx: &Cx<'_, '_>) -> Result<bool, Stop> {
    let bound = cx.limits().memory_bytes;
    let head = input.prefix(4096).all(bound)?;
    Ok(head.iter().all(|byte| *byte == 0) && input.len() <= bound && input.all(bound)?.iter().all(|byte| *byte == 0))
}

/// Visits every object that the root group leads to, each once.
fn walk(file: &File, root: Option<u64>, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let mut seen = BTreeSet::new();
    let mut waiting: Vec<(u64, String)> = root.map(|root| (root, String::new())).into_iter().collect();
    while let Some((address, name)) = waiting.pop() {
        cx.charge(1, file.place(address))?;
        if !seen.insert(address) {
            continue;
        }
        let messages = match file.object_header(address, cx) {
            Ok(messages) => messages,
            Err(stop @ Stop::Limit { .. }) => return Err(stop),
            Err(stop) => {
                cx.gap(&stop);
                continue;
            }
        };
        let shown = if name.is_empty() { "/" } else { name.as_str() };
        attributes::attributes(file, shown, &messages, cx)?;
        if messages.iter().any(|message| matches!(message.kind, message::LAYOUT | message::EXTERNAL_FILES))
            && let Err(stop) = datasets::dataset(file, shown, &messages, cx)
        {
            cx.gap(&stop);
        }
        let links = groups::links(file, &messages, cx)?;
        for link in links.into_iter().rev() {
            let path = format!("{name}/{}", link.name);
            match link.target {
                Target::Hard(address) => waiting.push((address, path)),
                Target::Soft => {}
                Target::External { file, object } => {
                    let evidence = Evidence::new(Kind::ReferencePath, reach(&file), Span::at(link.offset));
                    let by = format!("external link to object {object}");
                    cx.push(evidence.with("path", file.clone()).with("by", by).with("name", format!("{path} {file}")));
                }
                Target::UserDefined(kind) => {
                    let evidence = Evidence::new(Kind::HeaderField, "user-defined-link", Span::at(link.offset));
                    cx.push(evidence.with("detail", format!("{path}: link type {kind}")));
                }
            }
        }
    }
    Ok(())
}

/// Whether bytes begin like something that a loader would load in turn: a
/// binary or text pickle, an archive, a compressed stream, an executable.
pub(crate) fn looks_loaded(bytes: &[u8]) -> bool {
    const MAGICS: &[&[u8]] =
        &[b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x7fELF", b"\x28\xb5\x2f\xfd", SIGNATURE];
    match bytes {
        [0x80, 2..=5, ..] => true,
        // Protocols 0 and 1: a mark and what it begins, or the import of a name.
        [b'(', b'd' | b'l' | b'c' | b't' | b'i' | b'S' | b'V' | b'I' | b'(' | b']' | b'}' | b'X' | b'U', ..] => true,
        [b'c', module @ ..] => {
            let line = module.split(|byte| *byte == b'\n').next().unwrap_or_default();
            !line.is_empty() && line.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
        }
        _ => MAGICS.iter().any(|magic| bytes.starts_with(magic)),
    }
}

/// Where a path leads: `inside` the file's folder, `parent`, `absolute`,
/// `drive` or `url`.
pub(crate) fn reach(path: &str) -> &'static str {
    let bytes = path.as_bytes();
    if path.contains("://") {
        "url"
    } else if matches!(bytes, [drive, b':', ..] if drive.is_ascii_alphabetic()) {
        "drive"
    } else if path.starts_with(['/', '\\', '~']) {
        "absolute"
    } else if path.split(['/', '\\']).any(|part| part == "..") {
        "parent"
    } else {
        "inside"
    }
}
