//! Engines and weights of runtimes whose formats are not published or hold
//! nothing but numbers: recognised by their magic, and swept like everything.

mod espresso;
mod ncnn;

pub use espresso::Espresso;
pub use ncnn::Ncnn;

use crate::engine::Cx;
use crate::evidence::{Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::stop::Stop;

/// TensorRT's serialised engines (plans).
pub struct TensorRt;

impl Format for TensorRt {
    fn name(&self) -> &'static str {
        "tensorrt"
    }

    fn about(&self) -> About {
        About {
            title: "TensorRT engines (plans)",
            extensions: &[".engine", ".plan", ".trt"],
            reads: "the magic; programs and libraries anywhere in it are found by the sweep",
            leaves_out: "the layout, which NVIDIA does not publish, and what its GPU code does",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        // `ftrt` for plans; `ptrt` is how it stands in the file.
        if head.starts_with(b"ptrt") || head.starts_with(b"ftrt") { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        cx.evidence(Kind::NativeCode, "tensorrt", Span::new(0, input.len()));
        Ok(())
    }
}

/// Rockchip's compiled models.
pub struct Rknn;

impl Format for Rknn {
    fn name(&self) -> &'static str {
        "rknn"
    }

    fn about(&self) -> About {
        About {
            title: "RKNN models for Rockchip processors",
            extensions: &[".rknn"],
            reads: "the magic; programs anywhere in it are found by the sweep",
            leaves_out: "the layout, which Rockchip does not publish",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if head.starts_with(b"RKNN\0\0\0\0") || head.starts_with(b"CYPTRKNN") { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, _cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        if input.len() >= 8 && input.bytes(0, 8, 8)? == b"CYPTRKNN" {
            return Err(Stop::Encrypted { offset: 0, what: "the RKNN model".into() });
        }
        Ok(())
    }
}
