//! The links of a group: old-style symbol tables (specification III.A.1, III.B,
//! III.C) and new-style link messages (IV.A.2.g), compact or in a fractal heap.

use std::collections::BTreeSet;

use crate::engine::Cx;
use crate::input::to_usize;
use crate::stop::Stop;

use super::heaps::{FractalHeap, btree_v2, local_heap, local_text};
use super::wire::{Fields, File, Message, message};

/// A link in a group.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub name: String,
    pub offset: u64,
    pub target: Target,
}

/// What a link leads to.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// The object header at an address.
    Hard(u64),
    /// A path in the same file, which is walked by its own links.
    Soft,
    /// An object of another file.
    External { file: String, object: String },
    /// A link type that only an application's own code resolves.
    UserDefined(u8),
}

/// The links that an object's messages hold or lead to.
pub(super) fn links(file: &File, messages: &[Message], cx: &mut Cx<'_, '_>) -> Result<Vec<Link>, Stop> {
    let mut links = Vec::new();
    for message in messages {
        let mut fields = Fields::new(&message.data, message.offset, file.sizes);
        let outcome = match message.kind {
            message::LINK => link(&mut fields).map(|link| links.push(link)),
            message::SYMBOL_TABLE => symbol_table(file, &mut fields, &mut links, cx),
            message::LINK_INFO => dense(file, &mut fields, &mut links, cx),
            _ => Ok(()),
        };
        if let Err(stop) = outcome {
            cx.gap(&stop);
        }
    }
    Ok(links)
}

/// A link message, IV.A.2.g.
fn link(fields: &mut Fields<'_>) -> Result<Link, Stop> {
    let offset = fields.offset();
    fields.skip(1)?;
    let flags = fields.u8()?;
    let kind = if flags & 8 != 0 { fields.u8()? } else { 0 };
    fields.skip(if flags & 4 != 0 { 8 } else { 0 })?;
    fields.skip(if flags & 0x10 != 0 { 1 } else { 0 })?;
    let length = to_usize(fields.number(1 << (flags & 3))?);
    let name = String::from_utf8_lossy(fields.take(length)?).into_owned();
    let target = match kind {
        0 => Target::Hard(fields.address()?.unwrap_or(u64::MAX)),
        1 => {
            let length = usize::from(fields.u16()?);
            fields.skip(length)?;
            Target::Soft
        }
        64 => {
            fields.u16()?;
            fields.skip(1)?;
            Target::External { file: fields.text()?, object: fields.text()? }
        }
        other => Target::UserDefined(other),
    };
    Ok(Link { name, offset, target })
}

/// A symbol table message: a version 1 B-tree of symbol nodes, and the local
/// heap with their names.
fn symbol_table(file: &File, fields: &mut Fields<'_>, links: &mut Vec<Link>, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let (tree, heap) = (fields.address()?, fields.address()?);
    let (Some(tree), Some(heap)) = (tree, heap) else { return Ok(()) };
    let names = local_heap(file, heap, cx)?;
    let mut seen = BTreeSet::new();
    let mut nodes = vec![tree];
    while let Some(node) = nodes.pop() {
        cx.charge(1, file.place(node))?;
        if !seen.insert(node) {
            return Err(Stop::malformed(file.place(node), "a B-tree node is its own child"));
        }
        let head = file.read_some(node, 32, cx)?;
        if head.starts_with(b"SNOD") {
            symbol_node(file, node, &names, links, cx)?;
        } else {
            nodes.extend(tree_children(file, node, cx)?.into_iter().rev());
        }
    }
    Ok(())
}

/// Children of a group node of a version 1 B-tree, III.A.1.
fn tree_children(file: &File, node: u64, cx: &mut Cx<'_, '_>) -> Result<Vec<u64>, Stop> {
    // 65,535 entries of a key and a child each, at the most.
    let width = u64::from(u16::MAX).saturating_add(2).saturating_mul(64);
    let head = file.read_some(node, 24, cx)?;
    let mut fields = file.fields(&head, node);
    fields.signature(b"TREE")?;
    fields.skip(2)?;
    let entries = u64::from(fields.u16()?);
    let per_entry = crate::input::to_u64(file.sizes.lengths.saturating_add(file.sizes.offsets));
    let size = entries.saturating_add(2).saturating_mul(per_entry).saturating_add(24).min(width);
    let bytes = file.read_some(node, size.saturating_add(64), cx)?;
    let mut fields = file.fields(&bytes, node);
    fields.skip(8)?;
    fields.address()?;
    fields.address()?;
    let mut children = Vec::new();
    for _ in 0..entries {
        fields.length()?;
        children.extend(fields.address()?);
    }
    Ok(children)
}

/// A symbol table node, III.B, and its entries, III.C.
fn symbol_node(file: &File, node: u64, names: &[u8], links: &mut Vec<Link>, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let head = file.read_some(node, 8, cx)?;
    let mut fields = file.fields(&head, node);
    fields.skip(6)?;
    let count = u64::from(fields.u16()?);
    let per_entry = crate::input::to_u64(file.sizes.offsets.saturating_mul(2)).saturating_add(24);
    let bytes = file.read(node, count.saturating_mul(per_entry).saturating_add(8), cx)?;
    let mut fields = file.fields(&bytes, node);
    fields.skip(8)?;
    for _ in 0..count {
        cx.charge(1, fields.offset())?;
        let offset = fields.offset();
        let name = fields.number(file.sizes.offsets)?;
        let header = fields.address()?;
        let cached = fields.u32()?;
        fields.skip(4)?;
        fields.skip(16)?;
        let target = match (cached, header) {
            (2, _) => Target::Soft,
            (_, Some(header)) => Target::Hard(header),
            (_, None) => continue,
        };
        links.push(Link { name: local_text(names, name), offset, target });
    }
    Ok(())
}

/// Dense links: a fractal heap of link messages, indexed by a B-tree.
fn dense(file: &File, fields: &mut Fields<'_>, links: &mut Vec<Link>, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    fields.skip(1)?;
    let flags = fields.u8()?;
    fields.skip(if flags & 1 != 0 { 8 } else { 0 })?;
    let (heap, index) = (fields.address()?, fields.address()?);
    let (Some(heap), Some(index)) = (heap, index) else { return Ok(()) };
    for (offset, bytes) in heap_objects(file, heap, index, cx)? {
        let mut fields = Fields::new(&bytes, offset, file.sizes);
        match link(&mut fields) {
            Ok(link) => links.push(link),
            Err(stop) => cx.gap(&stop),
        }
    }
    Ok(())
}

/// Every object of a fractal heap that a name index lists.
pub(super) fn heap_objects(
    file: &File,
    heap: u64,
    index: u64,
    cx: &mut Cx<'_, '_>,
) -> Result<Vec<(u64, Vec<u8>)>, Stop> {
    let heap_at = file.place(heap);
    let heap = FractalHeap::open(file, heap, cx)?;
    let (kind, records) = btree_v2(file, index, cx)?;
    let mut objects = Vec::new();
    for record in records {
        cx.charge(1, heap_at)?;
        // Record types 5 (link name) and 8 (attribute name): the heap id stands
        // behind the name's hash, or before everything else.
        let id = match kind {
            5 => record.get(4..),
            8 => Some(record.as_slice()),
            _ => return Err(Stop::unsupported(heap_at, format!("a B-tree of type {kind}"))),
        };
        let id = id.and_then(|id| id.get(..heap.id_length().min(id.len()))).unwrap_or_default();
        match heap.object(file, id, cx) {
            Ok(bytes) => objects.push((heap_at, bytes)),
            Err(stop) => cx.gap(&stop),
        }
    }
    Ok(objects)
}
