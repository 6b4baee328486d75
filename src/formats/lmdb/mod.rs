//! LMDB databases (`libraries/liblmdb/mdb.c` of OpenLDAP): pages of nodes, each
//! a key and a value. Data sets keep their rows this way, as pickles more often
//! than not; a loader unpickles every value that it reads.

use std::collections::BTreeSet;

use crate::engine::Cx;
use crate::formats::{About, Format, Head, Match, hdf5};
use crate::input::{Input, to_u64};
use crate::stop::Stop;

/// `MDB_MAGIC`, behind the header of the first page.
const MAGIC: &[u8; 4] = b"\xde\xc0\xef\xbe";

/// `PAGEHDRSZ` where pages have numbers of 64 bits.
const HEADER: u64 = 16;

/// `MAX_PAGESIZE`, and the smallest that systems have.
const PAGES: std::ops::RangeInclusive<u64> = 512..=65_536;

/// `P_BRANCH`, `P_LEAF` and `P_LEAF2`, which has keys only.
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const LEAF2: u16 = 0x20;

/// `F_BIGDATA`: the value has pages of its own. `F_SUBDATA`, `F_DUPDATA`: it is
/// a database, or a page of several values.
const BIG: u16 = 0x01;
const SUB: u16 = 0x02;
const DUPLICATES: u16 = 0x04;

/// Bytes that tell whether a value is worth a look.
const LOOK: u64 = 16;

/// The format.
#[derive(Debug)]
pub struct Lmdb;

impl Format for Lmdb {
    fn name(&self) -> &'static str {
        "lmdb"
    }

    fn about(&self) -> About {
        About {
            title: "LMDB databases, as mdb.c of OpenLDAP lays them out on 64-bit machines",
            extensions: &[".mdb", ".lmdb"],
            reads: "every node of the tree and of the databases in it; values that hold something to load",
            leaves_out: "numbers and pictures in values; databases of 32-bit machines",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        // The version has been 1 since the format was published, 999 between releases.
        let version = head.first.get(20..24).is_some_and(|version| matches!(version, [1, 0, 0, 0] | [0xe7, 3, 0, 0]));
        if head.has_at(16, MAGIC) && version { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut cursor = input.cursor();
        cursor.skip(HEADER.saturating_add(24))?;
        let size = u64::from(cursor.u32_le()?);
        if !PAGES.contains(&size) || !size.is_power_of_two() {
            return Err(Stop::malformed(40, format!("pages of {size} bytes")));
        }
        cx.field("page_size", || size.into());
        // Of the two meta pages the newer one counts; what the other leads to is
        // what it was before.
        let (mut last, mut roots) = (1, Vec::new());
        for page in [0, size] {
            // `md_root` of the main database, then `mm_last_pg`.
            cursor.seek(page.saturating_add(HEADER).saturating_add(112));
            roots.push(cursor.u64_le()?);
            last = last.max(cursor.u64_le()?);
        }
        let mut tree = Tree { input, size, waiting: roots, seen: BTreeSet::new() };
        let outcome = tree.walk(cx);
        let end = last.saturating_add(1).saturating_mul(size);
        if end > input.len() {
            outcome?;
            return Err(Stop::Truncated { offset: input.len(), needed: end.saturating_sub(input.len()) });
        }
        cx.behind("behind the pages", input, end)?;
        outcome
    }
}

/// The pages that the roots lead to.
struct Tree<'i> {
    input: &'i Input,
    size: u64,
    waiting: Vec<u64>,
    seen: BTreeSet<u64>,
}

impl Tree<'_> {
    /// Reads all of them; the first thing that was wrong.
    fn walk(&mut self, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut outcome = Ok(());
        while let Some(page) = self.waiting.pop() {
            // `P_INVALID`: there is none.
            if page == u64::MAX || !self.seen.insert(page) {
                continue;
            }
            let at = page.saturating_mul(self.size);
            cx.charge(1, at)?;
            if to_u64(self.seen.len().saturating_add(self.waiting.len())) > cx.limits().nodes {
                return Err(Stop::Limit { offset: at, limit: "nodes" });
            }
            match self.page(at, cx) {
                Err(stop @ Stop::Limit { .. }) => return Err(stop),
                read => outcome = outcome.and(read),
            }
        }
        outcome
    }

    fn page(&mut self, at: u64, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let held = self.input.window(at, self.size.min(self.input.len().saturating_sub(at)))?;
        let mut cursor = held.cursor();
        cursor.skip(10)?;
        let flags = cursor.u16_le()?;
        if flags & LEAF != 0 {
            return if flags & LEAF2 == 0 { self.leaf(&held, at, false, cx) } else { Ok(()) };
        }
        if flags & BRANCH == 0 {
            return Err(Stop::malformed(at, "a page that is neither branch nor leaf"));
        }
        for place in places(&held)? {
            cx.charge(1, at)?;
            cursor.seek(place);
            // `NODEPGNO`: 48 bits.
            let (low, high, top) = (cursor.u16_le()?, cursor.u16_le()?, cursor.u16_le()?);
            self.waiting.push(u64::from(top) << 32 | u64::from(high) << 16 | u64::from(low));
        }
        Ok(())
    }

    /// `MDB_node`s of a leaf page, which begins at `base` in the file. Those of a
    /// page within a node have values for keys.
    fn leaf(&mut self, page: &Input, base: u64, within: bool, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut cursor = page.cursor();
        for at in places(page)? {
            cx.charge(1, base)?;
            cursor.seek(at);
            let (low, high) = (cursor.u16_le()?, cursor.u16_le()?);
            let (flags, keys) = (cursor.u16_le()?, u64::from(cursor.u16_le()?));
            let length = u64::from(high) << 16 | u64::from(low);
            let key = cursor.sub(keys)?;
            let place = base.saturating_add(at);
            if within {
                value(key, place, cx)?;
            } else if flags & BIG != 0 {
                let page = cursor.u64_le()?;
                let from = page.saturating_mul(self.size).saturating_add(HEADER);
                value(self.input.window(from, length)?, place, cx)?;
            } else if flags & SUB != 0 {
                // `MDB_db`, of which the root is the last field.
                cursor.skip(40)?;
                self.waiting.push(cursor.u64_le()?);
            } else {
                let held = cursor.sub(length)?;
                if flags & DUPLICATES != 0 {
                    let inner = place.saturating_add(8).saturating_add(keys);
                    self.leaf(&held, inner, true, cx)?;
                } else {
                    value(held, place, cx)?;
                }
            }
        }
        Ok(())
    }
}

/// Where the nodes of a page begin, from its start: `mp_ptrs`, as many as there
/// is room for up to `mp_lower`.
fn places(page: &Input) -> Result<Vec<u64>, Stop> {
    let mut cursor = page.cursor();
    cursor.skip(12)?;
    let count = u64::from(cursor.u16_le()?).saturating_sub(HEADER) / 2;
    cursor.seek(HEADER);
    (0..count).map(|_| cursor.u16_le().map(u64::from)).collect()
}

/// A value that begins like something to load is examined.
fn value(held: Input, at: u64, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let head = held.prefix(LOOK).all(LOOK)?;
    if to_u64(head.len()) > 4
        && (hdf5::looks_loaded(&head) || matches!(head.as_slice(), [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..]))
    {
        return cx.data(&format!("value @ {at:#x}"), held);
    }
    Ok(())
}
