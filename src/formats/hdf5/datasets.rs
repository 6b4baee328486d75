//! Datasets: where their bytes are (specification IV.A.2.i, layouts 1 to 4),
//! which filters they went through (IV.A.2.l), and what they take from other
//! files (IV.A.2.h, virtual layouts).

use std::collections::BTreeSet;
use std::io::Read;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::input::{Input, to_u64, to_usize};
use crate::stop::Stop;
use crate::text::encoded;

use super::attributes::{Datatype, dataspace};
use super::heaps::{global_object, global_objects, local_heap, local_text};
use super::wire::{BYTES_PER_STEP, Fields, File, Message, message};

/// Keras refuses datasets above 4 GiB that take a thousandth of it in the file
/// (`saving_lib.py`, CVE-2026-0897).
const BOMB_BYTES: u64 = 4 << 30;
const BOMB_RATIO: u64 = 1_000;

/// Where a dataset's bytes are.
#[derive(Debug)]
enum Layout {
    Compact(Vec<u8>),
    Contiguous {
        address: Option<u64>,
        size: u64,
    },
    /// Version 1 B-tree of chunks; the shape of a chunk in elements.
    Chunked {
        tree: Option<u64>,
        rank: usize,
    },
    /// Chunks with another index.
    Indexed {
        kind: u8,
        address: Option<u64>,
        size: Option<u64>,
    },
    Virtual {
        heap: Option<u64>,
        object: u32,
    },
}

/// Filters by id, in the order in which they were applied when writing.
type Filters = Vec<(u16, String)>;

/// Examines an object that has a layout.
pub(super) fn dataset(file: &File, name: &str, messages: &[Message], cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let find = |kind: u16| messages.iter().find(|message| message.kind == kind);
    for external in messages.iter().filter(|message| message.kind == message::EXTERNAL_FILES) {
        external_files(file, name, external, cx)?;
    }
    let filters = find(message::FILTERS).map_or(Ok(Vec::new()), |message| filters(file, message, cx))?;
    for (id, label) in filters.iter().filter(|(id, _)| *id >= 256) {
        let span = Span::at(find(message::FILTERS).map_or(0, |message| message.offset));
        cx.push(
            Evidence::new(Kind::ReferenceCode, format!("HDF5 filter {id}"), span)
                .with("key", "filter")
                .with("origin", "plug-in")
                .with("id", id.to_string())
                .with("detail", label.clone()),
        );
    }
    let Some(layout_message) = find(message::LAYOUT) else { return Ok(()) };
    let datatype = match find(message::DATATYPE) {
        Some(message) => {
            let message = file.resolve(message, cx)?;
            Datatype::read(&mut Fields::new(&message.data, message.offset, file.sizes))?
        }
        None => return Err(Stop::malformed(layout_message.offset, "a dataset without a datatype")),
    };
    let extent = match find(message::DATASPACE) {
        Some(message) => {
            let message = file.resolve(message, cx)?;
            dataspace(&mut Fields::new(&message.data, message.offset, file.sizes))?
        }
        None => Vec::new(),
    };
    let declared = extent.iter().copied().fold(datatype.size, u64::saturating_mul);
    let layout = layout(file, layout_message)?;
    cx.row("datasets", &["name", "dtype", "shape", "layout", "offset", "bytes", "filters"], || {
        let (kind, at) = match &layout {
            Layout::Compact(_) => ("compact", None),
            Layout::Contiguous { address, .. } => ("contiguous", *address),
            Layout::Chunked { tree: address, .. } | Layout::Indexed { address, .. } => ("chunked", *address),
            Layout::Virtual { heap, .. } => ("virtual", *heap),
        };
        let at = at.map(|address| file.place(address));
        let filters: Vec<String> = filters.iter().map(filter_name).collect();
        vec![
            name.into(),
            datatype.name().into(),
            extent.clone().into(),
            kind.into(),
            at.into(),
            declared.into(),
            filters.join(", ").into(),
        ]
    });
    let offset = layout_message.offset;
    match layout {
        Layout::Compact(bytes) => content(name, datatype, Input::from(bytes), file, cx),
        Layout::Contiguous { address: None, .. } => {
            bomb(name, declared, 0, offset, cx);
            Ok(())
        }
        Layout::Contiguous { address: Some(address), size } => {
            let held = file.window(address, size)?;
            if declared > size && size > 0 {
                let detail = format!("{declared} bytes declared, {size} stored");
                let evidence =
                    Evidence::new(Kind::TensorLayout, "beyond-storage", Span::new(file.place(address), size));
                cx.push(evidence.with("tensor", name).with("detail", detail));
            }
            content(name, datatype, held, file, cx)
        }
        Layout::Chunked { tree, rank } => {
            let chunks = tree.map_or(Ok(Vec::new()), |tree| chunks(file, tree, rank, cx))?;
            let stored = chunks.iter().map(|chunk| chunk.size).fold(0, u64::saturating_add);
            bomb(name, declared, stored, offset, cx);
            if datatype.is_variable() {
                return heaps(file, name, cx);
            }
            // Weights are not unpacked; a dataset small enough to be a payload is.
            let small = declared <= cx.limits().memory_bytes && datatype.class == 0;
            if datatype.is_bytes() || (small && filters.iter().all(|(id, _)| matches!(id, 1 | 3))) {
                unpacked(file, name, datatype, &chunks, &filters, cx)
            } else {
                Ok(())
            }
        }
        Layout::Indexed { kind, address, size } => {
            // Without walking the index, no more can be stored than the file holds.
            let most = if address.is_some() { file.input.len() } else { 0 };
            bomb(name, declared, most, offset, cx);
            if datatype.is_variable() {
                return heaps(file, name, cx);
            }
            if !datatype.is_bytes() {
                return Ok(());
            }
            let Some(address) = address else { return Ok(()) };
            // A single chunk (1), or chunks in a row without an index (2), stand where the address says.
            let chunks = match kind {
                1 => vec![Chunk { address, size: size.unwrap_or(declared), place: Vec::new() }],
                2 => vec![Chunk { address, size: declared, place: Vec::new() }],
                3 => fixed_array(file, address, declared, cx)?,
                _ if filters.is_empty() => return Ok(()),
                _ => return Err(Stop::unsupported(offset, format!("the chunk index of dataset {name}"))),
            };
            unpacked(file, name, datatype, &chunks, &filters, cx)
        }
        Layout::Virtual { heap, object } => virtual_sources(file, name, heap, object, cx),
    }
}

/// What a filter is called (IV.A.2.l).
fn filter_name((id, label): &(u16, String)) -> String {
    let name = match id {
        1 => "deflate",
        2 => "shuffle",
        3 => "fletcher32",
        4 => "szip",
        5 => "nbit",
        6 => "scaleoffset",
        _ if !label.is_empty() => label,
        _ => return id.to_string(),
    };
    name.to_owned()
}

/// Evidence of a path that leads to another file.
fn path(name: &str, by: &str, path: &str, offset: u64, cx: &mut Cx<'_, '_>) {
    let evidence = Evidence::new(Kind::ReferencePath, super::reach(path), Span::at(offset));
    cx.push(evidence.with("path", path).with("by", by).with("name", format!("{name} {path}")));
}

/// An External Data Files message, IV.A.2.h.
fn external_files(file: &File, name: &str, message: &Message, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let mut fields = Fields::new(&message.data, message.offset, file.sizes);
    fields.skip(4)?;
    fields.u16()?;
    let used = fields.u16()?;
    let names = fields.address()?.map_or(Ok(Vec::new()), |heap| local_heap(file, heap, cx))?;
    for _ in 0..used {
        let at = fields.length()?;
        fields.length()?;
        fields.length()?;
        path(name, "external storage", &local_text(&names, at), message.offset, cx);
    }
    Ok(())
}

/// The files that a virtual dataset takes its parts from: the global heap
/// block of IV.A.2.i, version 0 or 1.
fn virtual_sources(file: &File, name: &str, heap: Option<u64>, object: u32, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let Some(heap) = heap else { return Ok(()) };
    let Some(block) = global_object(file, heap, object, cx)? else { return Ok(()) };
    let offset = file.place(heap);
    let mut fields = Fields::new(&block, offset, file.sizes);
    let version = fields.u8()?;
    if version > 1 {
        return Err(Stop::unsupported(offset, format!("version {version} of a virtual dataset's sources")));
    }
    let entries = fields.length()?;
    for index in 0..entries {
        cx.charge(1, offset)?;
        // Version 1 (HDF5 2.0): a name that an earlier entry has is its number, the
        // file itself is a flag.
        let flags = if version == 0 { 0 } else { fields.u8()? };
        if flags & !0x07 != 0 {
            return Err(Stop::unsupported(fields.offset(), format!("the flags {flags:#04x} of a virtual source")));
        }
        let shared = |fields: &mut Fields<'_>| fields.length().map(|entry| format!("that of source {entry}"));
        let source = match flags {
            flags if flags & 0x04 != 0 => ".".to_owned(),
            flags if flags & 0x01 != 0 => {
                fields.length()?;
                // Its path has been told with the entry that has it.
                ".".to_owned()
            }
            _ => fields.text()?,
        };
        let dataset = if flags & 0x02 != 0 { shared(&mut fields)? } else { fields.text()? };
        // "." is the file itself.
        if source != "." {
            path(name, &format!("virtual dataset, source {index} (dataset {dataset})"), &source, offset, cx);
        }
        selection(&mut fields)?;
        selection(&mut fields)?;
    }
    Ok(())
}

/// Passes over a serialised dataspace selection (VIII, "Dataspace Selection").
fn selection(fields: &mut Fields<'_>) -> Result<(), Stop> {
    let offset = fields.offset();
    let kind = fields.u32()?;
    let version = fields.u32()?;
    match (kind, version) {
        (0 | 3, _) => fields.skip(8),
        (1 | 2, 1) => {
            fields.skip(4)?;
            let length = fields.u32()?;
            fields.skip(to_usize(u64::from(length)))
        }
        (2, 2) => {
            fields.skip(1)?;
            let length = fields.u32()?;
            fields.skip(to_usize(u64::from(length)))
        }
        (2, 3) => {
            let flags = fields.u8()?;
            let width = usize::from(fields.u8()?);
            let rank = usize::try_from(fields.u32()?).unwrap_or(usize::MAX);
            if flags & 1 != 0 {
                return fields.skip(rank.saturating_mul(width).saturating_mul(4));
            }
            let blocks = to_usize(fields.number(width)?);
            fields.skip(blocks.saturating_mul(rank).saturating_mul(width).saturating_mul(2))
        }
        _ => Err(Stop::unsupported(offset, format!("HDF5 selection {kind} version {version}"))),
    }
}

fn filters(file: &File, message: &Message, cx: &mut Cx<'_, '_>) -> Result<Filters, Stop> {
    let message = file.resolve(message, cx)?;
    let mut fields = Fields::new(&message.data, message.offset, file.sizes);
    let version = fields.u8()?;
    let count = fields.u8()?;
    if version == 1 {
        fields.skip(6)?;
    }
    let mut filters = Vec::new();
    for _ in 0..count {
        let id = fields.u16()?;
        let name = if version == 1 || id >= 256 { usize::from(fields.u16()?) } else { 0 };
        fields.skip(2)?;
        let values = usize::from(fields.u16()?);
        let padded = if version == 1 { name.next_multiple_of(8) } else { name };
        let label = fields.take(padded)?;
        let label = label.split(|byte| *byte == 0).next().unwrap_or_default();
        fields.skip(values.saturating_mul(4))?;
        if version == 1 && values % 2 == 1 {
            fields.skip(4.min(fields.rest().len()))?;
        }
        filters.push((id, String::from_utf8_lossy(label).into_owned()));
    }
    Ok(filters)
}

fn layout(file: &File, message: &Message) -> Result<Layout, Stop> {
    let mut fields = Fields::new(&message.data, message.offset, file.sizes);
    let version = fields.u8()?;
    match version {
        1 | 2 => {
            let rank = fields.u8()?;
            let class = fields.u8()?;
            fields.skip(5)?;
            let address = if class == 0 { None } else { fields.address()? };
            let sizes: Vec<u64> = (0..rank).map(|_| fields.u32().map(u64::from)).collect::<Result<_, _>>()?;
            match class {
                0 => {
                    let size = to_usize(u64::from(fields.u32()?));
                    Ok(Layout::Compact(fields.take(size)?.to_vec()))
                }
                // The dimensions' last one is the element's size.
                1 => Ok(Layout::Contiguous { address, size: sizes.into_iter().fold(1, u64::saturating_mul) }),
                _ => Ok(Layout::Chunked { tree: address, rank: usize::from(rank) }),
            }
        }
        3..=5 => {
            let class = fields.u8()?;
            match (class, version) {
                (0, _) => {
                    let size = usize::from(fields.u16()?);
                    Ok(Layout::Compact(fields.take(size)?.to_vec()))
                }
                (1, _) => Ok(Layout::Contiguous { address: fields.address()?, size: fields.length()? }),
                (2, 3) => {
                    let rank = usize::from(fields.u8()?);
                    Ok(Layout::Chunked { tree: fields.address()?, rank })
                }
                (2, _) => indexed(&mut fields),
                (3, _) => Ok(Layout::Virtual { heap: fields.address()?, object: fields.u32()? }),
                _ => Err(Stop::unsupported(message.offset, format!("HDF5 layout class {class}"))),
            }
        }
        _ => Err(Stop::unsupported(message.offset, format!("HDF5 layout version {version}"))),
    }
}

/// Chunked storage of layout version 4.
fn indexed(fields: &mut Fields<'_>) -> Result<Layout, Stop> {
    let flags = fields.u8()?;
    let rank = usize::from(fields.u8()?);
    let width = usize::from(fields.u8()?);
    fields.skip(rank.saturating_mul(width))?;
    let kind = fields.u8()?;
    let mut size = None;
    match kind {
        1 if flags & 2 != 0 => {
            size = Some(fields.length()?);
            fields.skip(4)?;
        }
        3 => fields.skip(1)?,
        4 => fields.skip(5)?,
        5 => fields.skip(6)?,
        _ => {}
    }
    Ok(Layout::Indexed { kind, address: fields.address()?, size })
}

/// A stored chunk, and its place in the dataset.
#[derive(Debug)]
struct Chunk {
    address: u64,
    size: u64,
    place: Vec<u64>,
}

/// The chunks that a version 1 B-tree lists, III.A.1.
fn chunks(file: &File, tree: u64, rank: usize, cx: &mut Cx<'_, '_>) -> Result<Vec<Chunk>, Stop> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut nodes = vec![tree];
    let key = 8_usize.saturating_add(rank.saturating_mul(8));
    while let Some(node) = nodes.pop() {
        cx.charge(1, file.place(node))?;
        if !seen.insert(node) {
            return Err(Stop::malformed(file.place(node), "a B-tree node is its own child"));
        }
        let head = file.read_some(node, 8, cx)?;
        let mut fields = file.fields(&head, node);
        fields.signature(b"TREE")?;
        fields.skip(1)?;
        let level = fields.u8()?;
        let entries = usize::from(fields.u16()?);
        let prefix = file.sizes.offsets.saturating_mul(2).saturating_add(8);
        let per_entry = key.saturating_add(file.sizes.offsets);
        let size = entries.saturating_mul(per_entry).saturating_add(prefix);
        let bytes = file.read(node, to_u64(size), cx)?;
        let mut fields = file.fields(&bytes, node);
        fields.skip(prefix)?;
        for _ in 0..entries {
            cx.charge(1, fields.offset())?;
            let size = u64::from(fields.u32()?);
            fields.skip(4)?;
            let place = (0..rank).map(|_| fields.number(8)).collect::<Result<Vec<u64>, Stop>>()?;
            let Some(child) = fields.address()? else { continue };
            if level == 0 {
                found.push(Chunk { address: child, size, place });
            } else {
                nodes.push(child);
            }
        }
    }
    found.sort_by(|a, b| a.place.cmp(&b.place));
    Ok(found)
}

/// The chunks that a fixed array lists (III.H), when its data block is not paged.
fn fixed_array(file: &File, address: u64, declared: u64, cx: &mut Cx<'_, '_>) -> Result<Vec<Chunk>, Stop> {
    let head = file.read_some(address, 80, cx)?;
    let mut fields = file.fields(&head, address);
    fields.signature(b"FAHD")?;
    fields.skip(1)?;
    let filtered = fields.u8()? == 1;
    let entry = usize::from(fields.u8()?);
    let page_bits = u32::from(fields.u8()?);
    let count = fields.length()?;
    let Some(block) = fields.address()? else { return Ok(Vec::new()) };
    if count > 1_u64.checked_shl(page_bits).unwrap_or(u64::MAX) {
        return Err(Stop::unsupported(file.place(address), "a paged HDF5 chunk index"));
    }
    let prefix = file.sizes.offsets.saturating_add(6);
    let size = count.saturating_mul(to_u64(entry)).saturating_add(to_u64(prefix));
    let bytes = file.read(block, size, cx)?;
    let mut fields = file.fields(&bytes, block);
    fields.signature(b"FADB")?;
    fields.skip(prefix.saturating_sub(4))?;
    let mut chunks = Vec::new();
    let each = declared.checked_div(count).unwrap_or_default();
    for index in 0..count {
        cx.charge(1, fields.offset())?;
        let chunk = fields.address()?;
        let size = if filtered {
            let size = fields.number(entry.saturating_sub(file.sizes.offsets).saturating_sub(4))?;
            fields.skip(4)?;
            size
        } else {
            each
        };
        chunks.extend(chunk.map(|address| Chunk { address, size, place: vec![index] }));
    }
    Ok(chunks)
}

/// Evidence of a dataset that takes far more room when read than in the file.
fn bomb(name: &str, declared: u64, stored: u64, offset: u64, cx: &mut Cx<'_, '_>) {
    if declared > BOMB_BYTES && declared > stored.saturating_mul(BOMB_RATIO) {
        let detail = format!("{declared} bytes when read, {stored} stored");
        let evidence = Evidence::new(Kind::TensorLayout, "expands", Span::at(offset));
        cx.push(evidence.with("tensor", name).with("detail", detail));
    }
}

/// Bytes in one piece: handed on when a loader might read them as more than
/// numbers.
fn content(name: &str, datatype: Datatype, held: Input, file: &File, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    if datatype.is_variable() {
        return heaps(file, name, cx);
    }
    if !datatype.is_bytes() {
        return narrowed(name, datatype, &held, cx);
    }
    let head = held.bytes(0, held.len().min(16), 16)?;
    if super::looks_loaded(&head) || (matches!(datatype.class, 3 | 5) && head.starts_with(b"{")) {
        return cx.data(name, held);
    }
    // A text that is encoded bytes; weights are none.
    if datatype.class == 3 && held.len() <= cx.limits().source_bytes {
        let text = held.all(cx.limits().source_bytes)?;
        let end = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
        if let Some((bytes, _)) = encoded::payload(text.get(..end).unwrap_or_default().trim_ascii()) {
            return cx.data(&format!("{name} (decoded)"), Input::from(bytes));
        }
    }
    Ok(())
}

/// Bytes that were stored as wider numbers, one each: `np.array(list(data))`.
fn narrowed(name: &str, datatype: Datatype, held: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let size = to_usize(datatype.size);
    let bound = cx.limits().memory_bytes;
    if !matches!(size, 2 | 4 | 8) || held.len() > bound {
        return Ok(());
    }
    let head = held.prefix(64).all(64)?;
    let first: Option<Vec<u8>> = head.chunks_exact(size).map(|element| datatype.narrow(element)).collect();
    // Zeros and small whole numbers are ordinary; the start of a payload is not.
    if first.is_some_and(|first| super::looks_loaded(&first)) {
        let bytes = held.all(bound)?;
        cx.charge(to_u64(bytes.len()) / BYTES_PER_STEP, 0)?;
        let narrow: Option<Vec<u8>> = bytes.chunks_exact(size).map(|element| datatype.narrow(element)).collect();
        if let Some(narrow) = narrow {
            return cx.data(&format!("{name} (one byte in each number)"), Input::from(narrow));
        }
    }
    Ok(())
}

/// Every object of the global heaps, once per file: elements of variable
/// length stand there, as pandas and PyTables store pickled objects.
fn heaps(file: &File, name: &str, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    if file.heaps_seen.replace(true) {
        return Ok(());
    }
    let held = file.input.tail(file.base);
    let mut cursor = held.cursor();
    while !cursor.is_at_end() {
        cursor.fill(1 << 16)?;
        let window = cursor.buffered();
        let base = cursor.position();
        let length = window.len();
        let places: Vec<u64> = memchr::memmem::find_iter(window, b"GCOL")
            .map(|at| base.saturating_add(to_u64(at)))
            .filter(|at| at % 8 == 0)
            .collect();
        for at in places {
            cx.charge(1, at)?;
            // Not every such word is a heap; one that isn't has no objects.
            let objects = match global_objects(file, at, cx) {
                Err(stop @ Stop::Limit { .. }) => return Err(stop),
                other => other.unwrap_or_default(),
            };
            for (index, bytes) in objects {
                let place = format!("{name} (heap {at:#x}, object {index})");
                if super::looks_loaded(&bytes) {
                    cx.data(&place, Input::from(bytes))?;
                } else if let Some((decoded, _)) = encoded::payload(bytes.trim_ascii()) {
                    cx.data(&format!("{place} (decoded)"), Input::from(decoded))?;
                }
            }
        }
        cx.charge(to_u64(length) / 1024, base)?;
        let step = if to_u64(length) >= cursor.remaining() { length } else { length.saturating_sub(8).max(1) };
        cursor.skip(to_u64(step))?;
    }
    Ok(())
}

/// Undoes the filters of chunks of bytes and hands on what they hold together.
fn unpacked(
    file: &File,
    name: &str,
    datatype: Datatype,
    chunks: &[Chunk],
    filters: &Filters,
    cx: &mut Cx<'_, '_>,
) -> Result<(), Stop> {
    let mut whole: Vec<u8> = Vec::new();
    for chunk in chunks {
        let mut held = file.window(chunk.address, chunk.size)?;
        for (id, _) in filters.iter().rev() {
            held = match id {
                1 => {
                    let reader = held.reader();
                    let mut inflater = flate2::read::ZlibDecoder::new(reader);
                    let (inflated, stop) =
                        cx.inflate(&mut inflater as &mut dyn Read, chunk.size, file.place(chunk.address));
                    if let Some(stop) = stop {
                        cx.gap(&stop);
                    }
                    inflated
                }
                // Shuffling bytes changes nothing where elements are one byte.
                2 if datatype.size == 1 => held,
                3 => held.prefix(held.len().saturating_sub(4)),
                _ => {
                    let offset = file.place(chunk.address);
                    return Err(Stop::unsupported(offset, format!("HDF5 filter {id} on the bytes of dataset {name}")));
                }
            };
        }
        let room = cx.limits().memory_bytes.saturating_sub(to_u64(whole.len()));
        if held.len() > room {
            if whole.is_empty() {
                return content(name, datatype, held, file, cx);
            }
            return Err(Stop::Limit { offset: file.place(chunk.address), limit: "memory-bytes" });
        }
        cx.charge(held.len() / BYTES_PER_STEP, file.place(chunk.address))?;
        whole.extend(held.bytes(0, held.len(), to_u64(to_usize(room)))?);
    }
    content(name, datatype, Input::from(whole), file, cx)
}
