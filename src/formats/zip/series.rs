//! Whole archives back to back in one file: `torch.distributed.checkpoint`
//! writes every item of a shard (`.distcp`) as an archive of its own, and keeps
//! their offsets in `.metadata` (`FileSystemWriter`, `_split_by_size_and_type`).

use crate::engine::Cx;
use crate::formats::zip::wire;
use crate::input::{Cursor, Input, to_u64};
use crate::stop::Stop;

/// Whether a file of this name is read item by item, never as one archive.
pub(super) fn is_shard(name: &str) -> bool {
    name.to_lowercase().ends_with(".distcp")
}

/// Where whole archives begin and end, in order. An archive that lies in
/// another is part of that one.
pub(super) fn archives(input: &Input, cx: &mut Cx<'_, '_>) -> Result<Vec<(u64, u64)>, Stop> {
    let mut ends = Vec::new();
    let mut cursor = Cursor::new(input);
    while cursor.remaining() >= wire::END_LENGTH {
        cursor.fill(4)?;
        let (base, held) = (cursor.position(), cursor.buffered());
        let length = to_u64(held.len());
        let fresh = memchr::memmem::find_iter(held, &wire::END);
        ends.extend(fresh.map(|at| base.saturating_add(to_u64(at))));
        cx.charge(1_u64.saturating_add(length / 4096).saturating_add(to_u64(ends.len()) / 64), base)?;
        // Three bytes again, for a signature across the edge.
        let step = if length >= cursor.remaining() { length } else { length.saturating_sub(3).max(1) };
        cursor.skip(step)?;
    }
    ends.dedup();
    let mut found = Vec::new();
    let mut before = input.len();
    for at in ends.into_iter().rev() {
        cx.charge(1, at)?;
        let end = at.saturating_add(wire::END_LENGTH);
        if end <= before
            && let Some(start) = wire::start_of(input, at)
        {
            found.push((start, end));
            before = start;
        }
    }
    found.reverse();
    Ok(found)
}

/// Reads every archive as a child of its own, and what lies between them as
/// what it is.
pub(super) fn read(archives: &[(u64, u64)], input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let mut at = 0;
    for (start, end) in archives.iter().copied().chain([(input.len(), input.len())]) {
        if start > at {
            cx.child(&format!("item @ {at:#x}"), input.window(at, start.saturating_sub(at))?)?;
        }
        if end > start {
            let archive = input.window(start, end.saturating_sub(start))?;
            cx.child_as("zip", &format!("archive @ {start:#x}"), archive)?;
        }
        at = end;
    }
    Ok(())
}
