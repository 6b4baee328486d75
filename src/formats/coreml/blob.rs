//! `weight.bin` of an ML program: blobs of numbers.

use crate::engine::Cx;
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::stop::Stop;

/// The reader of an ML program's weights.
pub struct MilBlob;

impl Format for MilBlob {
    fn name(&self) -> &'static str {
        "mil-blob"
    }

    fn about(&self) -> About {
        About {
            title: "Weights of Core ML programs (MIL blob storage, version 2)",
            extensions: &[".bin"],
            reads: "the header and the place of every blob",
            leaves_out: "the numbers",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        // `storage_header`: count, version; then `blob_metadata`.
        let header = head.has_at(4, &[2, 0, 0, 0]) && head.has_at(8, &[0; 56]);
        if header && head.has_at(64, &[0xef, 0xbe, 0xad, 0xde]) { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut cursor = input.cursor();
        let count = cursor.u32_le()?;
        cursor.seek(64);
        for _ in 0..count {
            let at = cursor.position();
            cx.charge(1, at)?;
            if cursor.u32_le()? != 0xdead_beef {
                return Err(Stop::malformed(at, "a blob's sentinel is missing"));
            }
            cursor.skip(4)?;
            let size = cursor.u64_le()?;
            let offset = cursor.u64_le()?;
            input.window(offset, size)?;
            let end = offset.saturating_add(size);
            cursor.seek(end.checked_next_multiple_of(64).unwrap_or(end));
        }
        Ok(())
    }
}
