//! CatBoost models: a magic, a length and a FlatBuffer of numbers
//! (`catboost/libs/model/model.cpp`).

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::stop::Stop;

/// The format.
#[derive(Debug)]
pub struct Catboost;

impl Format for Catboost {
    fn name(&self) -> &'static str {
        "catboost"
    }

    fn about(&self) -> About {
        About {
            title: "CatBoost model (CBM1)",
            extensions: &[".cbm"],
            reads: "the frame of the model and what follows it",
            leaves_out: "the trees, which are numbers",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if head.starts_with(b"CBM1") { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut cursor = input.cursor();
        cursor.skip(4)?;
        let size = u64::from(cursor.u32_le()?);
        let root = u64::from(cursor.u32_le()?);
        if root >= size {
            cx.push(
                Evidence::new(Kind::HeaderField, "root-out-of-range", Span::at(8))
                    .with("detail", format!("the root table is at {root} of {size} bytes")),
            );
        }
        cursor.seek(8);
        cursor.skip(size)?;
        // Behind the core stand the parts that text and embedding features need.
        cx.behind("model parts", input, cursor.position())
    }
}
