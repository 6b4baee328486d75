//! TensorFlow checkpoints: an index, which is a LevelDB table, and shards of
//! raw tensor bytes. Neither holds anything that runs.

use crate::engine::Cx;
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::stop::Stop;

/// The footer's magic number; `kTableMagicNumber` in `table/format.h`.
const TABLE_MAGIC: [u8; 8] = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];

/// The checkpoint reader.
pub struct Checkpoint;

impl Format for Checkpoint {
    fn name(&self) -> &'static str {
        "tensorflow-checkpoint"
    }

    fn about(&self) -> About {
        About {
            title: "TensorFlow checkpoints: index (a LevelDB table) and data shards; external data of ONNX",
            extensions: &[".index", ".data-00000-of-00001", ".onnx_data"],
            reads: "the index's footer, and its entries for `inspect`; shards are raw data",
            leaves_out: "the numbers in the shards",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if head.len >= 48 && head.last.ends_with(&TABLE_MAGIC) {
            Match::Magic
        } else if is_shard(head.name) || head.is_named(&[".index"]) {
            Match::Name
        } else {
            Match::No
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let name = cx.name().rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
        if is_shard(&name) {
            return Ok(());
        }
        let tail = input.tail(input.len().saturating_sub(8)).all(8)?;
        if tail == TABLE_MAGIC {
            // Nothing in an entry is for a rule.
            return if cx.describes() { super::bundle::entries(input, cx) } else { Ok(()) };
        }
        // An index of a model without variables may be a run of zeros.
        if input.len() <= 4096 && input.all(4096)?.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        Err(Stop::malformed(input.len().saturating_sub(8), "the magic number of a LevelDB table is missing"))
    }
}

/// `<prefix>.data-00000-of-00001`, TensorFlow.js's `group1-shard1of1.bin`, and
/// what ONNX keeps outside of a model's message: raw tensor bytes all.
fn is_shard(name: &str) -> bool {
    let onnx = [".onnx_data", ".onnx.data"].iter().any(|part| name.contains(part));
    let js = name.starts_with("group") && name.contains("-shard");
    if onnx || js {
        return true;
    }
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    name.rsplit_once(".data-")
        .and_then(|(_, shard)| shard.split_once("-of-"))
        .is_some_and(|(index, count)| digits(index) && digits(count))
}
