//! Core ML: a model specification as a protobuf message, and the weights of an
//! ML program.

mod blob;

pub use blob::MilBlob;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::protobuf::{self, Bytes, Message, Shape, Value, Walker, is_name};
use crate::formats::{About, Format, Head, Match, reference};
use crate::input::{Input, to_u64};
use crate::stop::Stop;

/// The Core ML reader.
pub struct CoreMl;

/// `Model.Type` in `Model.proto`, and the wrapper of an older encoding.
fn is_type(number: u32) -> bool {
    matches!(number, 200..=560 | 600..=620 | 900..=920 | 2000..=2010 | 3000)
}

impl Format for CoreMl {
    fn name(&self) -> &'static str {
        "coreml"
    }

    fn about(&self) -> About {
        About {
            title: "Core ML models, as coremltools/mlmodel/format/Model.proto defines them",
            extensions: &[".mlmodel"],
            reads: "the kind of model, pipelines, custom models and layers by class, linked models, metadata, \
                    files that an ML program refers to",
            leaves_out: "weights, and what a model computes",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let named = if head.is_named(&[".mlmodel"]) { Match::Name } else { Match::No };
        let Some(shape) = Shape::of(head.first, head.len) else { return named };
        // `specificationVersion`, `description`, and one kind of model.
        let version = shape.number(1).is_some_and(|version| (1..=64).contains(&version));
        let description = matches!(shape.first(2), Some(Value::Bytes(_)));
        let only = shape.fields.iter().all(|(number, _)| matches!(number, 1 | 2 | 10 | 11) || is_type(*number));
        let kind = shape.fields.iter().any(|(number, _)| is_type(*number));
        match (version && description && only, kind) {
            (true, true) => Match::Magic,
            (true, false) if named == Match::Name => Match::Likely,
            _ => named,
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut reader = Reader { walker: Walker::new(input), cx };
        let whole = reader.walker.whole();
        let outcome = reader.model(whole, 0);
        protobuf::behind(outcome, input, cx)
    }
}

struct Reader<'r, 'i, 'j, 'e> {
    walker: Walker<'i>,
    cx: &'r mut Cx<'j, 'e>,
}

impl Reader<'_, '_, '_, '_> {
    fn text(&mut self, bytes: Bytes) -> Result<String, Stop> {
        let bound = self.cx.limits().string_bytes;
        self.walker.text(bytes, bound)
    }

    /// `Model`
    fn model(&mut self, mut message: Message, at: u64) -> Result<(), Stop> {
        let mut version = false;
        while let Some(field) = self.walker.next(&mut message)? {
            self.cx.charge(1, field.at)?;
            match (field.number, field.value) {
                (1, Value::Varint(_)) => version = true,
                (2, Value::Bytes(description)) => self.description(description.message())?,
                // `PipelineClassifier`, `PipelineRegressor`: a `Pipeline`.
                (200 | 201, Value::Bytes(wrapper)) => self.pipelines(wrapper.message())?,
                (202, Value::Bytes(pipeline)) => self.pipeline(pipeline.message())?,
                (555, Value::Bytes(custom)) => self.custom(custom.message(), "model")?,
                (556, Value::Bytes(linked)) => self.linked(linked.message())?,
                (300 | 303 | 403 | 500, Value::Bytes(network)) => self.network(network.message())?,
                (502, Value::Bytes(program)) => self.program(program.message())?,
                _ => {}
            }
        }
        if version {
            return Ok(());
        }
        Err(Stop::malformed(at, "a Core ML model without a version"))
    }

    fn pipelines(&mut self, mut message: Message) -> Result<(), Stop> {
        while let Some(field) = self.walker.next(&mut message)? {
            if let (1, Value::Bytes(pipeline)) = (field.number, field.value) {
                self.pipeline(pipeline.message())?;
            }
        }
        Ok(())
    }

    fn pipeline(&mut self, mut message: Message) -> Result<(), Stop> {
        while let Some(field) = self.walker.next(&mut message)? {
            if let (1, Value::Bytes(model)) = (field.number, field.value) {
                self.model(model.message(), field.at)?;
            }
        }
        Ok(())
    }

    /// `ModelDescription`, of which the metadata are told.
    fn description(&mut self, mut message: Message) -> Result<(), Stop> {
        while let Some(field) = self.walker.next(&mut message)? {
            if let (100, Value::Bytes(metadata)) = (field.number, field.value) {
                self.metadata(metadata.message())?;
            }
        }
        Ok(())
    }

    /// `Metadata`
    fn metadata(&mut self, mut message: Message) -> Result<(), Stop> {
        while let Some(field) = self.walker.next(&mut message)? {
            let Value::Bytes(bytes) = field.value else { continue };
            let span = Span::new(bytes.at, bytes.len);
            let key = match field.number {
                1 => "shortDescription",
                2 => "versionString",
                3 => "author",
                4 => "license",
                100 => {
                    let (mut key, mut text) = (String::new(), String::new());
                    let mut entry = bytes.message();
                    while let Some(field) = self.walker.next(&mut entry)? {
                        match (field.number, field.value) {
                            (1, Value::Bytes(bytes)) => key = self.text(bytes)?,
                            (2, Value::Bytes(bytes)) => text = self.text(bytes)?,
                            _ => {}
                        }
                    }
                    self.cx.push(Evidence::new(Kind::MetadataValue, key, span).with("text", text));
                    continue;
                }
                _ => continue,
            };
            let text = self.text(bytes)?;
            self.cx.push(Evidence::new(Kind::MetadataValue, key, span).with("text", text));
        }
        Ok(())
    }

    /// `CustomModel` and `CustomLayerParams`: a class of the application.
    fn custom(&mut self, mut message: Message, what: &str) -> Result<(), Stop> {
        while let Some(field) = self.walker.next(&mut message)? {
            if let (10, Value::Bytes(class)) = (field.number, field.value) {
                let name = self.text(class)?;
                let evidence = Evidence::new(Kind::ObjectType, name, Span::new(class.at, class.len));
                self.cx.push(evidence.with("loader", "coreml").with("how", what.to_owned()));
            }
        }
        Ok(())
    }

    /// `LinkedModel`: another model, found by its file's name and a path.
    fn linked(&mut self, mut message: Message) -> Result<(), Stop> {
        while let Some(field) = self.walker.next(&mut message)? {
            let (1, Value::Bytes(file)) = (field.number, field.value) else { continue };
            let mut file = file.message();
            while let Some(field) = self.walker.next(&mut file)? {
                // `StringParameter`
                let (1 | 2, Value::Bytes(parameter)) = (field.number, field.value) else { continue };
                let mut parameter = parameter.message();
                while let Some(field) = self.walker.next(&mut parameter)? {
                    if let (1, Value::Bytes(text)) = (field.number, field.value) {
                        self.path(text, "linkedModel")?;
                    }
                }
            }
        }
        Ok(())
    }

    fn path(&mut self, text: Bytes, by: &'static str) -> Result<(), Stop> {
        let path = self.text(text)?;
        let evidence = Evidence::new(Kind::ReferencePath, reference::classify(&path), Span::new(text.at, text.len));
        self.cx.push(evidence.with("path", path).with("by", by));
        Ok(())
    }

    /// The neural networks: layers, of which field 500 is a custom one.
    fn network(&mut self, mut message: Message) -> Result<(), Stop> {
        while let Some(field) = self.walker.next(&mut message)? {
            self.cx.charge(1, field.at)?;
            let (1, Value::Bytes(layer)) = (field.number, field.value) else { continue };
            let mut layer = layer.message();
            while let Some(field) = self.walker.next(&mut layer)? {
                if let (500, Value::Bytes(custom)) = (field.number, field.value) {
                    self.custom(custom.message(), "layer")?;
                }
            }
        }
        Ok(())
    }

    /// `MILSpec.Program`: any value may lie in a file (`BlobFileValue`), whose
    /// name begins with `@model_path` when it is in the package. Found by that
    /// shape wherever it stands: a name and an offset.
    fn program(&mut self, message: Message) -> Result<(), Stop> {
        let mut open = vec![message];
        while let Some(mut message) = open.pop() {
            while let Some(field) = self.walker.next(&mut message)? {
                self.cx.charge(1, field.at)?;
                let Value::Bytes(bytes) = field.value else { continue };
                // `Value.blobFileValue`
                if field.number == 5 && bytes.len < 4096 && self.blob_file(bytes)? {
                    continue;
                }
                let inner = bytes.message();
                if bytes.len >= 2 && self.is_message(inner) {
                    if to_u64(open.len()) >= self.cx.limits().nodes {
                        return Err(Stop::Limit { offset: field.at, limit: "nodes" });
                    }
                    open.push(inner);
                }
            }
        }
        Ok(())
    }

    /// Whether all of some bytes can be read as fields: a string seldom can,
    /// and reading one as a message tells nothing wrong.
    fn is_message(&mut self, mut message: Message) -> bool {
        loop {
            match self.walker.next(&mut message) {
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    fn blob_file(&mut self, bytes: Bytes) -> Result<bool, Stop> {
        let mut message = bytes.message();
        let mut name = None;
        while let Ok(Some(field)) = self.walker.next(&mut message) {
            match (field.number, field.value) {
                (1, Value::Bytes(text)) => name = Some(text),
                (2, Value::Varint(_)) => {}
                _ => return Ok(false),
            }
        }
        let Some(text) = name else { return Ok(false) };
        let path = self.text(text)?;
        if !is_name(path.as_bytes()) {
            return Ok(false);
        }
        let inside = path.strip_prefix("@model_path").map_or(path.as_str(), |rest| rest.trim_start_matches('/'));
        let evidence = Evidence::new(Kind::ReferencePath, reference::classify(inside), Span::new(text.at, text.len));
        self.cx.push(evidence.with("path", path.clone()).with("by", "blobFileValue"));
        Ok(true)
    }
}
