//! LightGBM models: text, a block of `key=value` lines for each tree
//! (`src/boosting/gbdt_model_text.cpp`, `src/io/tree.cpp`).

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::{Input, to_usize};
use crate::stop::Stop;
use crate::text::config::Walk;

/// Anomalies that are reported one by one.
const SHOWN: u32 = 4;

/// The format.
#[derive(Debug)]
pub struct Lightgbm;

impl Format for Lightgbm {
    fn name(&self) -> &'static str {
        "lightgbm"
    }

    fn about(&self) -> About {
        About {
            title: "LightGBM model (text, versions 2 to 4)",
            extensions: &[".txt", ".lgb"],
            reads: "children and features of every tree",
            leaves_out: "thresholds, and the parameters at the end, which are text for people",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let version = head.first.strip_prefix(b"tree").map(|rest| rest.strip_prefix(b"\r").unwrap_or(rest));
        if version.is_some_and(|rest| rest.starts_with(b"\nversion=v")) { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut cursor = input.cursor();
        let bound = to_usize(cx.limits().header_bytes);
        let mut most_feature = i64::MAX;
        let mut leaves = 0_i64;
        let mut shown = 0_u32;
        loop {
            let offset = cursor.position();
            let line = match cursor.until(b'\n', bound) {
                Ok(line) => String::from_utf8_lossy(line).into_owned(),
                Err(Stop::Truncated { .. }) => return cx.behind("last line", input, offset),
                Err(stop) => return Err(stop),
            };
            cx.charge(1, offset)?;
            let Some((key, value)) = line.trim_end().split_once('=') else {
                if is_foreign(&line) {
                    return cx.behind("behind the model", input, offset);
                }
                continue;
            };
            if value.contains("__import__(") {
                let mut walk = Walk::new(cx.name());
                walk.open_object();
                walk.key(key);
                walk.string(value, offset, cx)?;
            }
            let number = || value.trim().parse::<i64>().ok();
            let range = match key {
                "max_feature_idx" => {
                    most_feature = number().unwrap_or(i64::MAX);
                    continue;
                }
                "num_leaves" => {
                    leaves = number().unwrap_or_default();
                    continue;
                }
                // Leaves are counted down from -1, inner nodes up from 0.
                "left_child" | "right_child" => (leaves.saturating_neg(), leaves.saturating_sub(2)),
                "split_feature" => (0, most_feature),
                _ => continue,
            };
            cx.charge(crate::input::to_u64(value.len()) / 64, offset)?;
            let mut numbers = value.split_ascii_whitespace().map(|word| word.parse::<i64>().ok());
            let wrong = numbers.find(|number| number.is_none_or(|number| number < range.0 || number > range.1));
            if let Some(wrong) = wrong.filter(|_| shown < SHOWN) {
                shown = shown.saturating_add(1);
                let what = if key == "split_feature" { "feature-out-of-range" } else { "child-out-of-range" };
                let text = wrong.map_or("no number".to_owned(), |number| number.to_string());
                let detail = format!("{key} is {text}, beyond {} to {}", range.0, range.1);
                cx.push(Evidence::new(Kind::GraphAnomaly, what, Span::at(offset)).with("detail", detail));
            }
        }
    }
}

/// Whether a line without a value is none of those that LightGBM writes: marks
/// of the parts, parameters in brackets, what Python adds.
fn is_foreign(line: &str) -> bool {
    let line = line.trim();
    let marked =
        ["tree", "average_output", "linear_tree", "end of ", "feature", "parameters", "pandas_categorical", "["];
    !line.is_empty() && !marked.iter().any(|mark| line.starts_with(mark))
}
