//! The binary form of XGBoost before 2.1 (`src/learner.cc`, `src/gbm/gbtree_model.h`,
//! `include/xgboost/tree_model.h`): structures written as they lie in memory.

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::input::{Cursor, Input};
use crate::stop::Stop;

/// Length of `LearnerModelParamLegacy`.
const LEARNER: usize = 136;

/// Longest name of an objective or a booster.
const NAME: u64 = 64;

/// Whether the two names stand where the learner's parameters end.
pub(super) fn looks_like_model(bytes: &[u8]) -> bool {
    let body = bytes.strip_prefix(b"binf").unwrap_or(bytes);
    let Some((length, rest)) = body.get(LEARNER..).and_then(<[u8]>::split_first_chunk::<8>) else { return false };
    let length = u64::from_le_bytes(*length);
    let name =
        usize::try_from(length).ok().filter(|_| (3..=NAME).contains(&length)).and_then(|length| rest.get(..length));
    name.is_some_and(|name| {
        name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_' | b'-'))
            && [&b"binary:"[..], b"reg:", b"multi:", b"rank:", b"count:", b"survival:", b"gpu:"]
                .iter()
                .any(|family| name.starts_with(family))
    })
}

fn name(cursor: &mut Cursor<'_>) -> Result<String, Stop> {
    let offset = cursor.position();
    let length = cursor.u64_le()?;
    if length > NAME {
        return Err(Stop::malformed(offset, "the name of an objective or booster is too long"));
    }
    let bytes = cursor.take(crate::input::to_usize(length))?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

/// Reads the header and every tree's nodes.
pub(super) fn read(input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let mut cursor = input.cursor();
    if cursor.peek(4)? == b"binf" {
        cursor.skip(4)?;
    }
    cursor.skip(4)?;
    let features = cursor.u32_le()?;
    cursor.skip(4)?;
    let (attributes, metrics) = (cursor.u32_le()? != 0, cursor.u32_le()? != 0);
    cursor.skip(116)?;
    name(&mut cursor)?;
    let offset = cursor.position();
    let booster = name(&mut cursor)?;
    if !matches!(booster.as_str(), "gbtree" | "dart") {
        if booster != "gblinear" {
            let detail = format!("the booster is called {booster}");
            cx.push(Evidence::new(Kind::HeaderField, "unknown-booster", Span::at(offset)).with("detail", detail));
        }
        return Ok(());
    }
    let trees = cursor.i32_le()?;
    cursor.skip(156)?;
    let mut shown = 0_u32;
    for _ in 0..trees.max(0) {
        let offset = cursor.position();
        cx.charge(1, offset)?;
        cursor.skip(4)?;
        let nodes = cursor.i32_le()?;
        cursor.skip(12)?;
        let leaf_vector = cursor.i32_le()?;
        cursor.skip(124)?;
        let mut wrong = None;
        for _ in 0..nodes.max(0) {
            cx.charge(1, offset)?;
            cursor.skip(4)?;
            let (left, right) = (cursor.i32_le()?, cursor.i32_le()?);
            let feature = cursor.u32_le()? & 0x7fff_ffff;
            cursor.skip(4)?;
            let inside = |child: i32| (-1..nodes).contains(&child);
            if !inside(left) || !inside(right) {
                wrong = Some(("child-out-of-range", format!("children {left} and {right} in a tree of {nodes} nodes")));
            } else if left != -1 && feature >= features.max(1) {
                wrong = Some(("feature-out-of-range", format!("feature {feature} of {features}")));
            }
        }
        cursor.skip(u64::try_from(nodes).unwrap_or_default().saturating_mul(16))?;
        if leaf_vector != 0 {
            let length = cursor.u64_le()?;
            cursor.skip(length.saturating_mul(4))?;
        }
        if let Some((what, detail)) = wrong.filter(|_| shown < 4) {
            shown = shown.saturating_add(1);
            cx.push(Evidence::new(Kind::GraphAnomaly, what, Span::at(offset)).with("detail", detail));
        }
    }
    let end = cursor.position();
    let behind = match extras(&mut cursor, &booster, trees, [attributes, metrics], cx) {
        Ok(behind) => behind,
        Err(stop @ Stop::Limit { .. }) => return Err(stop),
        Err(_) => end,
    };
    cx.behind("behind the trees", input, behind)
}

/// `tree_info`, the weights of dropped trees, then pairs of names and values:
/// where what belongs to the model ends. Versions differ in what they write.
fn extras(
    cursor: &mut Cursor<'_>,
    booster: &str,
    trees: i32,
    [attributes, metrics]: [bool; 2],
    cx: &mut Cx<'_, '_>,
) -> Result<u64, Stop> {
    cursor.skip(u64::try_from(trees).unwrap_or_default().saturating_mul(4))?;
    if booster == "dart" && trees > 0 {
        let weights = cursor.u64_le()?;
        cursor.skip(weights.saturating_mul(4))?;
    }
    for (written, each) in [(attributes, 2), (metrics, 1)] {
        let count = if written { cursor.u64_le()?.saturating_mul(each) } else { 0 };
        for _ in 0..count {
            cx.charge(1, cursor.position())?;
            let length = cursor.u64_le()?;
            cursor.skip(length)?;
        }
    }
    Ok(cursor.position())
}
