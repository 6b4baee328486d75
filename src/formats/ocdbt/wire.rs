//! The bytes of OCDBT, in the words of TensorStore's storage format
//! (`tensorstore/kvstore/ocdbt/format`): columns of numbers, and names that
//! share their beginnings with the one before.

use crate::engine::Cx;
use crate::input::{Cursor, Input, to_u64, to_usize};
use crate::stop::Stop;

/// `kManifestMagic`, `kBtreeNodeMagic`, `kVersionTreeNodeMagic`, big-endian.
pub(super) const MANIFEST: [u8; 4] = [0x0c, 0xdb, 0x3a, 0x2a];
pub(super) const BTREE_NODE: [u8; 4] = [0x0c, 0xdb, 0x20, 0xde];
pub(super) const VERSION_NODE: [u8; 4] = [0x0c, 0xdb, 0x12, 0x34];

/// Magic, length and checksum.
pub(super) const FRAME_BYTES: u64 = 16;

/// `kMaxNodeArity`
const MAX_NODE_ARITY: u64 = 1024 * 1024;

/// `kMaxKeyLength`, `kMaxPathLength`
const MAX_NAME: u64 = 65_535;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Manifest,
    BtreeNode,
    VersionNode,
}

impl Kind {
    pub(super) fn of(magic: &[u8]) -> Option<Self> {
        match *magic.first_chunk::<4>()? {
            MANIFEST => Some(Self::Manifest),
            BTREE_NODE => Some(Self::BtreeNode),
            VERSION_NODE => Some(Self::VersionNode),
            _ => None,
        }
    }
}

/// The frame at `offset`: what it holds, and how long it says to be.
pub(super) fn frame(input: &Input, offset: u64) -> Result<Option<(Kind, u64)>, Stop> {
    let mut head = [0; 12];
    if input.read_at(offset, &mut head)? < head.len() {
        return Ok(None);
    }
    let [_, _, _, _, length @ ..] = head;
    Ok(Kind::of(&head).map(|kind| (kind, u64::from_le_bytes(length))))
}

/// CRC-32C (Castagnoli) of some bytes.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            let carried = if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
            (crc >> 1) ^ carried
        })
    };
    !bytes.iter().fold(u32::MAX, step)
}

/// Bytes of a data file.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    /// Index of the file.
    pub file: u64,
    pub offset: u64,
    pub length: u64,
}

/// A value of the store.
#[derive(Debug)]
pub(super) enum Value {
    Inline(Vec<u8>),
    Indirect(Reference),
}

/// What a frame's content says.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// Paths of data files, from the folder of the store.
    pub files: Vec<String>,
    /// Nodes that it refers to.
    pub nodes: Vec<Reference>,
    /// Keys, without what all keys below the node begin with, and their values.
    pub values: Vec<(Vec<u8>, Value)>,
}

/// Reads the content of a frame, which has been unpacked.
pub(super) struct Reader<'i, 'c, 'j, 'e> {
    pub cursor: Cursor<'i>,
    pub cx: &'c mut Cx<'j, 'e>,
    /// Bytes of names that may still be kept.
    pub room: u64,
}

impl Reader<'_, '_, '_, '_> {
    pub(super) fn body(&mut self, kind: Kind) -> Result<Body, Stop> {
        match kind {
            Kind::Manifest => self.manifest(),
            Kind::BtreeNode => self.btree_node(),
            Kind::VersionNode => self.version_node(),
        }
    }

    /// A column of `n` numbers, each of a byte at least.
    fn column(&mut self, n: u64) -> Result<Vec<u64>, Stop> {
        let at = self.cursor.position();
        self.cx.charge(n, at)?;
        if n > self.cursor.remaining() {
            return Err(Stop::Truncated { offset: at, needed: n.saturating_sub(self.cursor.remaining()) });
        }
        (0..n).map(|_| self.cursor.varint()).collect()
    }

    fn count(&mut self, most: u64) -> Result<u64, Stop> {
        let at = self.cursor.position();
        let n = self.cursor.varint()?;
        if n > most { Err(Stop::malformed(at, format!("{n} entries, of which {most} are allowed"))) } else { Ok(n) }
    }

    /// Names, each as a beginning of the one before and what follows it.
    /// `between` is read between lengths and bytes.
    fn names(&mut self, n: u64, between: impl Fn(&mut Self) -> Result<(), Stop>) -> Result<Vec<Vec<u8>>, Stop> {
        let mut shared = vec![0];
        shared.extend(self.column(n.saturating_sub(1))?);
        let suffixes = self.column(n)?;
        between(self)?;
        let mut names: Vec<Vec<u8>> = Vec::new();
        for (shared, suffix) in shared.into_iter().zip(suffixes) {
            let at = self.cursor.position();
            let length = shared.saturating_add(suffix);
            let before = names.last().map_or(&[][..], Vec::as_slice);
            let Some(start) = before.get(..to_usize(shared)).filter(|_| length <= MAX_NAME) else {
                return Err(Stop::malformed(at, "a name that shares more than the one before has"));
            };
            self.room = self
                .room
                .checked_sub(length.saturating_add(32))
                .ok_or(Stop::Limit { offset: at, limit: "header-bytes" })?;
            self.cx.charge(1_u64.saturating_add(length / 64), at)?;
            let mut name = start.to_vec();
            name.extend_from_slice(self.cursor.take(to_usize(suffix))?);
            names.push(name);
        }
        Ok(names)
    }

    /// `ReadDataFileTable`: the paths, with the length of what is the folder
    /// of each.
    fn files(&mut self) -> Result<Vec<String>, Stop> {
        let n = self.cursor.varint()?;
        if n == 0 {
            return Ok(Vec::new());
        }
        let names = self.names(n, |reader| reader.column(n).map(|_| ()))?;
        Ok(names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect())
    }

    fn references(&mut self, n: u64) -> Result<Vec<Reference>, Stop> {
        let (files, offsets, lengths) = (self.column(n)?, self.column(n)?, self.column(n)?);
        let places = files.into_iter().zip(offsets).zip(lengths);
        Ok(places.map(|((file, offset), length)| Reference { file, offset, length }).collect())
    }

    fn btree_node(&mut self) -> Result<Body, Stop> {
        let height = self.cursor.u8()?;
        let files = self.files()?;
        let n = self.count(MAX_NODE_ARITY)?;
        if height > 0 {
            // `subtree_common_prefix_length`
            self.names(n, |reader| reader.column(n).map(|_| ()))?;
            let nodes = self.references(n)?;
            self.statistics(n)?;
            return Ok(Body { files, nodes, values: Vec::new() });
        }
        let keys = self.names(n, |_| Ok(()))?;
        let lengths = self.column(n)?;
        let mut kinds = Vec::new();
        for _ in 0..n {
            kinds.push(self.cursor.u8()?);
        }
        let indirect = to_u64(kinds.iter().filter(|kind| **kind != 0).count());
        let mut places = self.column(indirect)?.into_iter().zip(self.column(indirect)?);
        let mut values = Vec::new();
        for ((key, length), kind) in keys.into_iter().zip(lengths).zip(kinds) {
            let value = match kind {
                0 => {
                    let at = self.cursor.position();
                    if length > self.cursor.remaining() {
                        return Err(Stop::Truncated { offset: at, needed: length });
                    }
                    Value::Inline(self.cursor.take(to_usize(length))?.to_vec())
                }
                _ => {
                    let (file, offset) = places.next().unwrap_or_default();
                    Value::Indirect(Reference { file, offset, length })
                }
            };
            values.push((key, value));
        }
        Ok(Body { files, nodes: Vec::new(), values })
    }

    /// `num_keys`, `num_tree_bytes`, `num_indirect_value_bytes`
    fn statistics(&mut self, n: u64) -> Result<(), Stop> {
        (0..3).try_for_each(|_| self.column(n).map(|_| ()))
    }

    /// `VersionTreeLeafNodeEntryArrayCodec`
    fn versions(&mut self, nodes: &mut Vec<Reference>) -> Result<(), Stop> {
        let n = self.count(MAX_NODE_ARITY)?;
        self.column(n)?;
        self.cursor.skip(n)?; // root_height
        nodes.extend(self.references(n)?);
        self.statistics(n)?;
        self.cursor.skip(n.saturating_mul(8)) // commit_time
    }

    /// `VersionTreeInteriorNodeEntryArrayCodec`
    fn version_nodes(&mut self, nodes: &mut Vec<Reference>, heights: bool) -> Result<(), Stop> {
        let n = self.count(MAX_NODE_ARITY)?;
        self.column(n)?;
        nodes.extend(self.references(n)?);
        self.column(n)?;
        self.cursor.skip(n.saturating_mul(8))?;
        self.cursor.skip(if heights { n } else { 0 })
    }

    /// The configuration, then the versions that the store has.
    fn manifest(&mut self) -> Result<Body, Stop> {
        self.cursor.skip(16)?; // uuid
        let kind = self.cursor.varint()?;
        self.cursor.varint()?; // max_inline_value_bytes
        self.cursor.varint()?; // max_decoded_node_bytes
        self.cursor.skip(1)?; // version_tree_arity_log2
        if self.cursor.varint()? == 1 {
            self.cursor.skip(4)?; // zstd's level
        }
        let mut body = Body::default();
        if kind == 0 {
            body.files = self.files()?;
            self.versions(&mut body.nodes)?;
            self.version_nodes(&mut body.nodes, true)?;
        }
        Ok(body)
    }

    fn version_node(&mut self) -> Result<Body, Stop> {
        self.cursor.skip(1)?; // version_tree_arity_log2
        let height = self.cursor.u8()?;
        let mut body = Body { files: self.files()?, ..Body::default() };
        match height {
            0 => self.versions(&mut body.nodes)?,
            _ => self.version_nodes(&mut body.nodes, false)?,
        }
        Ok(body)
    }
}
