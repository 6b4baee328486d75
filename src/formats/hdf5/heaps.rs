//! Where HDF5 keeps names and values out of line: local heaps, global heaps,
//! fractal heaps (specification sections III.D to III.G) and the version 2
//! B-trees that index the last kind (III.A.2).

use crate::engine::Cx;
use crate::input::{to_u64, to_usize};
use crate::stop::Stop;

use super::wire::{File, bytes_for};

/// A local heap's data segment (III.D).
pub(super) fn local_heap(file: &File, address: u64, cx: &mut Cx<'_, '_>) -> Result<Vec<u8>, Stop> {
    let bytes = file.read_some(address, 80, cx)?;
    let mut fields = file.fields(&bytes, address);
    fields.signature(b"HEAP")?;
    fields.skip(4)?;
    let size = fields.length()?;
    fields.length()?;
    let Some(segment) = fields.address()? else { return Ok(Vec::new()) };
    file.read(segment, size, cx)
}

/// The string at an offset of a local heap's data segment.
pub(super) fn local_text(segment: &[u8], offset: u64) -> String {
    let from = segment.get(to_usize(offset)..).unwrap_or_default();
    let len = memchr::memchr(0, from).unwrap_or(from.len());
    String::from_utf8_lossy(from.get(..len).unwrap_or_default()).into_owned()
}

/// Object `index` of the global heap collection at an address (III.E).
pub(super) fn global_object(
    file: &File,
    address: u64,
    index: u32,
    cx: &mut Cx<'_, '_>,
) -> Result<Option<Vec<u8>>, Stop> {
    let found = global_objects(file, address, cx)?;
    Ok(found.into_iter().find(|(at, _)| *at == index).map(|(_, bytes)| bytes))
}

/// Every object of a global heap collection, with its index.
pub(super) fn global_objects(file: &File, address: u64, cx: &mut Cx<'_, '_>) -> Result<Vec<(u32, Vec<u8>)>, Stop> {
    let prefix = file.read_some(address, 48, cx)?;
    let mut fields = file.fields(&prefix, address);
    fields.signature(b"GCOL")?;
    fields.skip(4)?;
    let size = fields.length()?;
    let bytes = file.read(address, size, cx)?;
    let mut fields = file.fields(&bytes, address);
    fields.skip(8)?;
    fields.length()?;
    let mut objects = Vec::new();
    while fields.rest().len() >= 16 {
        cx.charge(1, fields.offset())?;
        let index = u32::from(fields.u16()?);
        fields.skip(6)?;
        let size = to_usize(fields.length()?);
        if index == 0 {
            break;
        }
        objects.push((index, fields.take(size)?.to_vec()));
        let padding = size.next_multiple_of(8).saturating_sub(size).min(fields.rest().len());
        fields.skip(padding)?;
    }
    Ok(objects)
}

/// A fractal heap's header, as far as objects are looked up by it (III.G).
#[derive(Debug)]
pub(super) struct FractalHeap {
    id_length: usize,
    table_width: u64,
    start_block: u64,
    max_direct: u64,
    heap_bits: u64,
    root: Option<u64>,
    rows: u64,
    max_managed: u64,
    filtered: bool,
}

impl FractalHeap {
    pub(super) fn open(file: &File, address: u64, cx: &mut Cx<'_, '_>) -> Result<Self, Stop> {
        let bytes = file.read_some(address, 400, cx)?;
        let mut fields = file.fields(&bytes, address);
        fields.signature(b"FRHP")?;
        fields.skip(1)?;
        let id_length = usize::from(fields.u16()?);
        let filtered = fields.u16()? != 0;
        fields.skip(1)?;
        let max_managed = u64::from(fields.u32()?);
        fields.length()?;
        fields.address()?;
        fields.length()?;
        fields.address()?;
        for _ in 0..8 {
            fields.length()?;
        }
        let table_width = u64::from(fields.u16()?);
        let start_block = fields.length()?;
        let max_direct = fields.length()?;
        let heap_bits = u64::from(fields.u16()?);
        fields.u16()?;
        let root = fields.address()?;
        let rows = u64::from(fields.u16()?);
        if table_width == 0 || start_block == 0 || heap_bits > 64 {
            return Err(Stop::malformed(fields.offset(), "a fractal heap without room"));
        }
        Ok(Self { id_length, table_width, start_block, max_direct, heap_bits, root, rows, max_managed, filtered })
    }

    /// Length of the heap ids that index records carry.
    pub(super) fn id_length(&self) -> usize {
        self.id_length
    }

    /// The object that a heap id names.
    pub(super) fn object(&self, file: &File, id: &[u8], cx: &mut Cx<'_, '_>) -> Result<Vec<u8>, Stop> {
        let mut fields = file.fields(id, 0);
        let kind = fields.u8()?;
        match kind >> 4 & 3 {
            0 => {
                let offset = fields.number(to_usize(self.heap_bits.div_ceil(8)))?;
                let length = fields.number(bytes_for(self.max_direct.min(self.max_managed)))?;
                if self.filtered {
                    return Err(Stop::unsupported(0, "a compressed fractal heap"));
                }
                self.managed(file, offset, length, cx)
            }
            2 => {
                // Tiny objects stand in the id; the low bits say one less than their length.
                let length = usize::from(kind & 0xf).saturating_add(1);
                Ok(fields.take(length.min(fields.rest().len()))?.to_vec())
            }
            _ => Err(Stop::unsupported(0, "a huge object of a fractal heap")),
        }
    }

    /// Size of the blocks in a row of the doubling table.
    fn block_size(&self, row: u64) -> u64 {
        let doubled = u32::try_from(row.saturating_sub(1)).unwrap_or(u32::MAX);
        if row < 2 { self.start_block } else { self.start_block.checked_shl(doubled).unwrap_or(u64::MAX) }
    }

    fn managed(&self, file: &File, offset: u64, length: u64, cx: &mut Cx<'_, '_>) -> Result<Vec<u8>, Stop> {
        let mut block = self.root.ok_or_else(|| Stop::malformed(0, "an empty fractal heap is referred to"))?;
        let mut rows = self.rows;
        let mut within = offset;
        for _ in 0..self.heap_bits {
            cx.charge(1, file.place(block))?;
            if rows == 0 {
                return file.read(block.saturating_add(within), length, cx);
            }
            // An indirect block: find the row whose blocks hold the offset.
            let mut row: u64 = 0;
            let mut row_start: u64 = 0;
            loop {
                let span = self.block_size(row).saturating_mul(self.table_width);
                if within < row_start.saturating_add(span) {
                    break;
                }
                row_start = row_start.saturating_add(span);
                row = row.saturating_add(1);
                if row >= rows.min(128) {
                    return Err(Stop::malformed(file.place(block), "an offset beyond its fractal heap"));
                }
            }
            let size = self.block_size(row);
            let column = within.saturating_sub(row_start).checked_div(size).unwrap_or_default();
            let entry = row.saturating_mul(self.table_width).saturating_add(column);
            let prefix = to_u64(file.sizes.offsets).saturating_add(5).saturating_add(self.heap_bits.div_ceil(8));
            let at = block.saturating_add(prefix).saturating_add(entry.saturating_mul(to_u64(file.sizes.offsets)));
            let head = file.read(block, 4, cx)?;
            if head != b"FHIB" {
                return Err(Stop::malformed(file.place(block), "the signature FHIB is missing"));
            }
            let bytes = file.read(at, to_u64(file.sizes.offsets), cx)?;
            let child = file.fields(&bytes, at).address()?;
            block = child.ok_or_else(|| Stop::malformed(file.place(at), "a fractal heap block that is not there"))?;
            within = within.saturating_sub(row_start).checked_rem(size).unwrap_or_default();
            rows = if size <= self.max_direct {
                0
            } else {
                // Rows of a child indirect block: it covers `size` bytes of heap.
                let widths = size.checked_div(self.start_block.saturating_mul(self.table_width)).unwrap_or_default();
                u64::from(widths.checked_ilog2().unwrap_or_default()).saturating_add(1)
            };
        }
        Err(Stop::malformed(file.place(block), "a fractal heap deeper than its size"))
    }
}

/// The records of a version 2 B-tree (III.A.2).
pub(super) fn btree_v2(file: &File, address: u64, cx: &mut Cx<'_, '_>) -> Result<(u8, Vec<Vec<u8>>), Stop> {
    let bytes = file.read_some(address, 80, cx)?;
    let mut fields = file.fields(&bytes, address);
    fields.signature(b"BTHD")?;
    fields.skip(1)?;
    let kind = fields.u8()?;
    let node_size = u64::from(fields.u32()?);
    let record_size = u64::from(fields.u16()?);
    let depth = fields.u16()?;
    fields.skip(2)?;
    let root = fields.address()?;
    let root_records = u64::from(fields.u16()?);
    let (Some(root), true) = (root, record_size > 0 && node_size > 10) else { return Ok((kind, Vec::new())) };
    // Widths of the counts in child pointers, by level above the leaves.
    let leaf_max = node_size.saturating_sub(10).checked_div(record_size).unwrap_or_default();
    let count_width = bytes_for(leaf_max);
    let mut total_widths = vec![0];
    let mut cumulative = leaf_max;
    for level in 1..=depth {
        let below = total_widths.last().copied().unwrap_or_default();
        let pointer = to_u64(file.sizes.offsets.saturating_add(count_width).saturating_add(below));
        let most = node_size.saturating_sub(10_u64.saturating_add(pointer));
        let most = most.checked_div(record_size.saturating_add(pointer)).unwrap_or_default();
        cumulative = most.saturating_add(1).saturating_mul(cumulative).saturating_add(most);
        total_widths.push(bytes_for(cumulative));
        cx.charge(u64::from(level), file.place(address))?;
    }
    let mut records = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut nodes = vec![(root, root_records, usize::from(depth))];
    while let Some((node, count, level)) = nodes.pop() {
        cx.charge(count.saturating_add(1), file.place(node))?;
        if !seen.insert(node) {
            return Err(Stop::malformed(file.place(node), "a B-tree node is its own child"));
        }
        let bytes = file.read(node, node_size, cx)?;
        let mut fields = file.fields(&bytes, node);
        fields.signature(if level == 0 { b"BTLF" } else { b"BTIN" })?;
        fields.skip(2)?;
        for _ in 0..count {
            records.push(fields.take(to_usize(record_size))?.to_vec());
        }
        if let Some(below) = level.checked_sub(1) {
            for _ in 0..=count {
                let child = fields.address()?;
                let count = fields.number(count_width)?;
                fields.skip(total_widths.get(below).copied().unwrap_or_default())?;
                if let Some(child) = child {
                    nodes.push((child, count, below));
                }
            }
        }
    }
    Ok((kind, records))
}
