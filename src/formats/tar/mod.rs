//! tar archives, read block by block to the end of the file: what follows the
//! end mark is part of it for some readers.

mod sparse;
mod wire;

use std::collections::BTreeMap;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::members::{self, Names};
use crate::formats::stream;
use crate::formats::{About, Format, Head, Match};
use crate::input::{Input, to_u64};
use crate::inspect::MEMBERS;
use crate::stop::Stop;

use sparse::Sparse;
use wire::{BLOCK, Header};

/// Reads tar archives: see [`Format`].
#[derive(Debug)]
pub struct Tar;

impl Format for Tar {
    fn name(&self) -> &'static str {
        "tar"
    }

    fn about(&self) -> About {
        About {
            title: "tar: v7, ustar, pax (IEEE 1003.1), GNU; NeMo, PyTorch before 0.1.10",
            extensions: &[".tar", ".nemo", ".tgz"],
            reads: "every member, also behind the end mark; pax and GNU names, sizes and sparse maps; links, devices",
            leaves_out: "owners, times, GNU volumes",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if begins(head.first) { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        Walk { input, names: Names::default(), global: BTreeMap::new(), next: Next::default() }.run(cx)
    }
}

/// Whether `first` begins with the header of a member.
pub(super) fn begins(first: &[u8]) -> bool {
    let Some(block) = first.first_chunk() else { return false };
    let named = first.first().is_some_and(|byte| *byte != 0);
    wire::is_ustar(block) || (named && wire::is_sound(block))
}

/// What earlier headers say about the next member.
#[derive(Debug, Default)]
struct Next {
    pax: BTreeMap<Vec<u8>, Vec<u8>>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    /// Offsets and lengths of GNU's sparse format 0.0, which repeats its keys.
    sparse: Vec<u64>,
}

/// A walk through one file.
struct Walk<'i> {
    input: &'i Input,
    names: Names,
    /// pax records for all members that follow.
    global: BTreeMap<Vec<u8>, Vec<u8>>,
    next: Next,
}

impl Walk<'_> {
    fn run(&mut self, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut offset = 0;
        let mut ended = false;
        loop {
            cx.charge(1, offset)?;
            let left = self.input.len().saturating_sub(offset);
            if ended && left < BLOCK {
                return stream::trailing("tar", self.input, offset, cx);
            }
            let Some(block) = wire::block(self.input, offset)? else { break };
            if block == [0; 512] {
                ended = true;
                // Padding is read over in large steps.
                offset = stream::after_zeros(self.input, offset)?;
                offset = offset.checked_div(BLOCK).unwrap_or(0).saturating_mul(BLOCK);
                continue;
            }
            let header = wire::header(&block);
            if !header.sound && (ended || !wire::is_ustar(&block)) {
                return self.unexplained(offset, ended, cx);
            }
            if ended {
                cx.push(Evidence::new(Kind::ContainerAnomaly, "after-end", Span::new(offset, BLOCK)));
                ended = false;
            }
            offset = self.member(offset, header, cx)?;
        }
        // Unpackers accept an archive without end mark, writers always set one.
        Err(Stop::Truncated { offset: self.input.len(), needed: BLOCK })
    }

    /// Bytes that are no header.
    fn unexplained(&self, offset: u64, ended: bool, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let rest = self.input.tail(offset);
        if ended {
            return stream::trailing("tar", self.input, offset, cx);
        }
        cx.data(&format!("bytes after a broken header @ {offset:#x}"), rest)?;
        Err(Stop::malformed(offset, "a tar header has a wrong checksum"))
    }

    /// Reads the member at `offset`; returns where the next one begins.
    fn member(&mut self, offset: u64, mut header: Header, cx: &mut Cx<'_, '_>) -> Result<u64, Stop> {
        let span = Span::new(offset, BLOCK);
        let mut data = offset.saturating_add(BLOCK);
        if !header.sound {
            // Readers stop here, pass over it, or take it as it is.
            cx.gap(&Stop::malformed(offset, "a tar header has a wrong checksum"));
        }
        if !header.size_sound {
            cx.push(Evidence::new(Kind::HeaderField, "tar-size", span).with("detail", "not a number"));
        }
        match header.typeflag {
            b'x' | b'X' | b'g' | b'L' | b'K' => {
                self.announcement(&header, data, cx)?;
                return Ok(behind(data, header.size));
            }
            _ => {}
        }
        let next = std::mem::take(&mut self.next);
        if let Some(size) = self.value(&next, b"size") {
            match std::str::from_utf8(size).ok().and_then(|size| size.parse().ok()) {
                Some(size) => header.size = size,
                None => cx.push(Evidence::new(Kind::HeaderField, "tar-size", span).with("detail", "not a number")),
            }
        }
        while header.is_extended {
            let Some(block) = wire::block(self.input, data)? else { break };
            cx.charge(1, data)?;
            let (pairs, more) = wire::sparse_extension(&block);
            header.sparse.extend(pairs);
            header.is_extended = more;
            data = data.saturating_add(BLOCK);
        }
        // Every name that some reader could use is looked at; the one that most use is kept.
        let pax_name = self.value(&next, b"GNU.sparse.name").or_else(|| self.value(&next, b"path"));
        let name = [pax_name, next.long_name.as_deref()].into_iter().flatten().next().unwrap_or(&header.name).to_vec();
        members::check_name(cx, &name, span);
        if next.long_name.as_ref().is_some_and(|long| *long != name) {
            members::check_name(cx, next.long_name.as_deref().unwrap_or_default(), span);
        }
        let link = self.value(&next, b"linkpath").or(next.long_link.as_deref()).unwrap_or(&header.linkname).to_vec();
        self.special(&header, &name, span, cx);
        cx.row("members", MEMBERS, || {
            let method = match header.typeflag {
                b'1' => "hard link",
                b'2' => "symbolic link",
                b'3' | b'4' => "device",
                b'5' => "folder",
                b'6' => "fifo",
                b'S' => "sparse",
                _ => "stored",
            };
            let size = if header.typeflag == b'S' { header.real_size } else { header.size };
            let name = String::from_utf8_lossy(&name).into_owned();
            vec![name.into(), method.into(), size.into(), header.size.into(), data.into()]
        });
        match header.typeflag {
            b'1' | b'2' => {
                self.names.link(cx, &name, &link, header.typeflag == b'2', span);
                self.without_data(&header, &name, data, cx)
            }
            b'3' | b'4' | b'5' | b'6' => self.without_data(&header, &name, data, cx),
            b'0' | 0 | b'7' if name.ends_with(b"/") && header.size == 0 => Ok(data),
            _ => self.file(&header, &next, &name, data, cx),
        }
    }

    /// The value of a pax record that applies to the next member.
    fn value<'v>(&'v self, next: &'v Next, key: &[u8]) -> Option<&'v [u8]> {
        next.pax.get(key).or_else(|| self.global.get(key)).map(Vec::as_slice)
    }

    /// A header whose data describes the member after it.
    fn announcement(&mut self, header: &Header, data: u64, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let body = self.input.bytes(data, header.size, cx.limits().header_bytes)?;
        match header.typeflag {
            b'L' => self.next.long_name = Some(until_nul(&body)),
            b'K' => self.next.long_link = Some(until_nul(&body)),
            _ => {
                let target = if header.typeflag == b'g' { &mut self.global } else { &mut self.next.pax };
                for record in wire::pax(&body) {
                    match record {
                        Some((key, value))
                            if matches!(key.as_slice(), b"GNU.sparse.offset" | b"GNU.sparse.numbytes") =>
                        {
                            self.next.sparse.extend(decimal(&value));
                        }
                        Some((key, value)) => {
                            target.insert(key, value);
                        }
                        None => {
                            let span = Span::new(data, header.size);
                            cx.push(Evidence::new(Kind::ContainerAnomaly, "pax-record", span));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn special(&self, header: &Header, name: &[u8], span: Span, cx: &mut Cx<'_, '_>) {
        let what = match header.typeflag {
            b'3' => Some("character-device"),
            b'4' => Some("block-device"),
            b'6' => Some("fifo"),
            _ => (header.mode & 0o6000 != 0 && header.typeflag != b'5').then_some("set-id"),
        };
        if let Some(what) = what {
            let name = cx.shorten(&String::from_utf8_lossy(name));
            cx.push(Evidence::new(Kind::ContainerSpecial, what, span).with("name", name));
        }
    }

    /// A member that has no data, whatever its size says: readers differ in
    /// whether they pass over as many bytes.
    fn without_data(&self, header: &Header, name: &[u8], data: u64, cx: &mut Cx<'_, '_>) -> Result<u64, Stop> {
        if header.size == 0 {
            return Ok(data);
        }
        let shown = cx.shorten(&String::from_utf8_lossy(name));
        cx.push(
            Evidence::new(Kind::ContainerAnomaly, "size-without-data", Span::at(data))
                .with("name", shown)
                .with("detail", header.size.to_string()),
        );
        let next = wire::block(self.input, data)?;
        if next.is_some_and(|block| block == [0; 512] || wire::is_sound(&block)) {
            return Ok(data);
        }
        cx.data(&String::from_utf8_lossy(name), self.input.window(data, header.size)?)?;
        Ok(behind(data, header.size))
    }

    fn file(&mut self, header: &Header, next: &Next, name: &[u8], data: u64, cx: &mut Cx<'_, '_>) -> Result<u64, Stop> {
        let span = Span::new(data, header.size);
        // Where the data begins tells one member from another of equal name.
        self.names.member(cx, name, data, span);
        let shown = String::from_utf8_lossy(name);
        let stored = match self.input.window(data, header.size) {
            Ok(stored) => stored,
            Err(stop) => {
                child(cx, &shown, self.input.tail(data))?;
                return Err(stop);
            }
        };
        let (map, stored, size) = if header.typeflag == b'S' {
            (header.sparse.clone(), stored, header.real_size)
        } else if let Some(sparse) = self.pax_sparse(next, &stored, cx)? {
            sparse
        } else {
            child(cx, &shown, stored)?;
            return Ok(behind(data, header.size));
        };
        let (content, stop) = cx.inflate(&mut Sparse::new(stored.clone(), map, size), stored.len(), data);
        if let Some(stop) = stop {
            stream::bomb(&stop, cx);
            cx.gap(&stop);
        }
        child(cx, &shown, content)?;
        Ok(behind(data, header.size))
    }

    /// GNU's sparse members in pax archives: 0.0 and 0.1 have their map in the
    /// pax header, as repeated records or as one, 1.0 at the start of the data, in decimal lines.
    fn pax_sparse(&self, next: &Next, stored: &Input, cx: &Cx<'_, '_>) -> Result<Option<Expanded>, Stop> {
        let size = [&b"GNU.sparse.realsize"[..], b"GNU.sparse.size"].into_iter().find_map(|key| self.value(next, key));
        let Some(size) = size.and_then(decimal) else { return Ok(None) };
        if let Some(map) = self.value(next, b"GNU.sparse.map") {
            let numbers: Vec<u64> = map.split(|byte| *byte == b',').filter_map(decimal).collect();
            return Ok(Some((in_pairs(&numbers), stored.clone(), size)));
        }
        if self.value(next, b"GNU.sparse.major") != Some(b"1") {
            return Ok(Some((in_pairs(&next.sparse), stored.clone(), size)));
        }
        let mut cursor = stored.cursor();
        let mut line = || -> Result<u64, Stop> {
            let at = cursor.position();
            decimal(cursor.until(b'\n', 24)?).ok_or_else(|| Stop::malformed(at, "a sparse map is not decimal"))
        };
        let count = line()?;
        let mut numbers = Vec::new();
        for _ in 0..count.saturating_mul(2) {
            if to_u64(numbers.len()) > cx.limits().items {
                return Err(Stop::Limit { offset: 0, limit: "items" });
            }
            numbers.push(line()?);
        }
        let data = cursor.position().div_ceil(BLOCK).saturating_mul(BLOCK);
        Ok(Some((in_pairs(&numbers), stored.tail(data), size)))
    }
}

/// A sparse member: its map, what is stored of it, and its real size.
type Expanded = (Vec<(u64, u64)>, Input, u64);

fn decimal(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

fn in_pairs(numbers: &[u64]) -> Vec<(u64, u64)> {
    numbers.chunks_exact(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?))).collect()
}

fn until_nul(text: &[u8]) -> Vec<u8> {
    text.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

/// The block behind `size` bytes of data.
fn behind(data: u64, size: u64) -> u64 {
    data.saturating_add(size.div_ceil(BLOCK).saturating_mul(BLOCK))
}

/// Examines a file; an empty one has nothing to recognise.
fn child(cx: &mut Cx<'_, '_>, name: &str, content: Input) -> Result<(), Stop> {
    if content.is_empty() { cx.data(name, content) } else { cx.child(name, content) }
}
