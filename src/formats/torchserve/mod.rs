//! `MAR-INF/MANIFEST.json` of a TorchServe archive: which handler it runs and
//! which packages it installs (pytorch/serve, model-archiver).

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::json::{self, Json};
use crate::stop::Stop;

/// Handlers that TorchServe ships.
const STOCK: &[&str] = &[
    "base_handler",
    "densenet_handler",
    "image_classifier",
    "image_segmenter",
    "object_detector",
    "text_classifier",
    "text_handler",
    "vision_handler",
];

/// The format.
#[derive(Debug)]
pub struct Manifest;

impl Format for Manifest {
    fn name(&self) -> &'static str {
        "torchserve"
    }

    fn about(&self) -> About {
        About {
            title: "TorchServe manifest (MAR-INF/MANIFEST.json)",
            extensions: &["manifest.json"],
            reads: "the handler, the files and the requirements that it names",
            leaves_out: "the members themselves, which are examined as what they are",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let json = matches!(head.first.iter().find(|byte| !byte.is_ascii_whitespace()), Some(b'{'));
        let holds = |key: &[u8]| memchr::memmem::find(head.first, key).is_some();
        if json && holds(b"\"model\"") && holds(b"\"handler\"") { Match::Likely } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let document = json::parse(&input.all(cx.limits().header_bytes)?, cx.limits())?;
        let Some(model) = document.root.get("model") else { return Ok(()) };
        for (key, value) in model.members() {
            let Some(text) = value.as_str() else { continue };
            let span = Span::at(value.offset);
            if matches!(key.as_str(), "handler" | "serializedFile" | "modelFile" | "requirementsFile" | "extraFiles") {
                for path in text.split(',').map(str::trim).filter(|path| super::hdf5::reach(path) != "inside") {
                    let evidence = Evidence::new(Kind::ReferencePath, super::hdf5::reach(path), span);
                    cx.push(evidence.with("path", path).with("by", key.clone()).with("name", path));
                }
            }
            if key == "handler" {
                let stock = STOCK.contains(&text);
                let evidence = Evidence::new(Kind::ReferenceCode, text, span).with("key", "handler");
                cx.push(evidence.with("origin", if stock { "stock" } else { "own" }));
            }
            if key == "requirementsFile" {
                let evidence = Evidence::new(Kind::ReferenceCode, text, span).with("key", "requirements");
                cx.push(evidence.with("origin", "index"));
            }
        }
        let twice = model.get_all("handler").filter_map(Json::as_str).nth(1);
        if let Some(second) = twice {
            let evidence = Evidence::new(Kind::HeaderField, "duplicate-key", Span::at(document.root.offset));
            cx.push(evidence.with("detail", format!("handler, the second time as {second}")));
        }
        Ok(())
    }
}
