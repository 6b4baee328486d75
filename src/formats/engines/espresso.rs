//! Weights of a compiled Core ML network: blobs behind a table of their sizes.

use crate::engine::Cx;
use crate::formats::{About, Format, Head, Match};
use crate::input::{Cursor, Input};
use crate::stop::Stop;

/// Bytes before the table, and of one row.
const COUNT: u64 = 8;
const ROW: u64 = 16;

/// What may follow the last blob: it is padded.
const PADDING: u64 = 64;

/// Reads `*.espresso.weights`: see [`Format`].
pub struct Espresso;

impl Format for Espresso {
    fn name(&self) -> &'static str {
        "espresso"
    }

    fn about(&self) -> About {
        About {
            title: "Weights of compiled Core ML networks (model.espresso.weights)",
            extensions: &[".espresso.weights"],
            reads: "the table of blobs, whose sizes make up the file",
            leaves_out: "the numbers; the layout is not published",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let Some((count, _)) = head.first.split_first_chunk::<8>() else { return Match::No };
        let count = u64::from_le_bytes(*count);
        let table = count.checked_mul(ROW).and_then(|table| table.checked_add(COUNT));
        let fits = count > 0 && table.is_some_and(|table| table <= head.len);
        if head.is_named(&[".espresso.weights"]) && fits { Match::Likely } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut cursor = Cursor::new(input);
        let count = u64::from_le_bytes(cursor.array()?);
        let mut end = count.saturating_mul(ROW).saturating_add(COUNT);
        for _ in 0..count {
            let at = cursor.position();
            cx.charge(1, at)?;
            let _index: [u8; 8] = cursor.array()?;
            end = end.saturating_add(u64::from_le_bytes(cursor.array()?));
        }
        if end > input.len() || input.len().saturating_sub(end) >= PADDING {
            let detail = format!("its blobs end at {end}, the file at {}", input.len());
            return Err(Stop::malformed(COUNT, detail));
        }
        Ok(())
    }
}
