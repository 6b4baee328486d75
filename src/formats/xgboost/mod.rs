//! XGBoost models: JSON, UBJSON and the old binary form. Boosters are numbers;
//! what can be wrong with them are indices that lead outside, and text.

mod binary;
mod model;
mod ubjson;

use crate::engine::Cx;
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::json::{Event, Events};
use crate::stop::Stop;

use model::{Model, Piece};

/// The format.
#[derive(Debug)]
pub struct Xgboost;

impl Format for Xgboost {
    fn name(&self) -> &'static str {
        "xgboost"
    }

    fn about(&self) -> About {
        About {
            title: "XGBoost model (JSON and UBJSON schema of XGBoost 1.0 to 3, binary form before)",
            extensions: &[".json", ".ubj", ".bin", ".model"],
            reads: "parameters, attributes, and the children and features of every tree",
            leaves_out: "weights of the linear booster",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if ubjson::looks_like_model(head.first) {
            return Match::Magic;
        }
        if binary::looks_like_model(head.first) {
            return Match::Likely;
        }
        let holds = |key: &[u8]| [head.first, head.last].iter().any(|part| memchr::memmem::find(part, key).is_some());
        let json = matches!(head.first.iter().find(|byte| !byte.is_ascii_whitespace()), Some(b'{'));
        if json && holds(b"\"learner\"") && (holds(b"\"gradient_booster\"") || holds(b"\"learner_model_param\"")) {
            return Match::Magic;
        }
        if head.is_named(&[".ubj"]) { Match::Name } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let first = input.prefix(1 << 12).all(1 << 12)?;
        let mut model = Model::default();
        let outcome = if ubjson::looks_like_model(&first) {
            ubjson::read(input, &mut model, cx)
        } else if binary::looks_like_model(&first) {
            return binary::read(input, cx);
        } else {
            json(input, &mut model, cx)
        };
        model.finish(cx);
        outcome
    }
}

fn json(input: &Input, model: &mut Model, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let bytes = input.all(cx.limits().header_bytes)?;
    let mut events = Events::new(&bytes, cx.limits().nesting);
    while let Some((offset, event)) = events.next()? {
        cx.charge(1, offset)?;
        let piece = match &event {
            Event::BeginObject => Piece::BeginObject,
            Event::BeginArray => Piece::BeginArray,
            Event::EndObject | Event::EndArray => Piece::End,
            Event::Key(key) => Piece::Key(key),
            Event::String(text) => Piece::Text(text),
            Event::Number(text) => match text.parse::<i64>() {
                Ok(number) => Piece::Integer(number),
                // Whole numbers are written as floats by some versions.
                Err(_) => text.parse::<f64>().ok().and_then(whole).map_or(Piece::Other, Piece::Integer),
            },
            Event::Bool(_) | Event::Null => Piece::Other,
        };
        model.piece(piece, offset, cx);
    }
    Ok(())
}

/// A float as the whole number it is, if it is one that fits.
fn whole(number: f64) -> Option<i64> {
    if number.fract() != 0.0 || number.abs() > 9e15 {
        return None;
    }
    format!("{number:.0}").parse().ok()
}
