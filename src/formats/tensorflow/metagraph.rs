//! What is around a graph: SavedModel, MetaGraphDef, saver, collections,
//! assets and Keras's metadata.

use crate::evidence::{Evidence, Kind, Span};
use crate::formats::protobuf::{Bytes, Message, Value};
use crate::formats::reference;
use crate::stop::Stop;

use super::graph::Reader;

impl Reader<'_, '_, '_, '_> {
    /// `SavedModel`
    pub(super) fn saved_model(&mut self, mut message: Message) -> Result<(), Stop> {
        while let Some(field) = self.walker.next(&mut message)? {
            if let (2, Value::Bytes(graph)) = (field.number, field.value) {
                self.meta_graph(graph.message())?;
            }
        }
        Ok(())
    }

    /// `MetaGraphDef`. Savers and assets name nodes of the graph, and stand
    /// after it: they are read first.
    pub(super) fn meta_graph(&mut self, message: Message) -> Result<(), Stop> {
        let mut rest = message;
        while let Some(field) = self.walker.next(&mut rest)? {
            match (field.number, field.value) {
                (3, Value::Bytes(saver)) => self.saver(saver.message())?,
                (6, Value::Bytes(asset)) => self.asset(asset.message())?,
                _ => {}
            }
        }
        let mut rest = message;
        let mut graph: Vec<Message> = Vec::new();
        while let Some(field) = self.walker.next(&mut rest)? {
            self.cx.charge(1, field.at)?;
            match (field.number, field.value) {
                (2, Value::Bytes(part)) => graph.push(part.message()),
                (4, Value::Bytes(collection)) => self.collection(collection.message())?,
                (7, Value::Bytes(objects)) => self.objects(objects.message())?,
                _ => {}
            }
        }
        self.graph_def(&graph)
    }

    /// `SaverDef`: the tensors that save and restore hang on.
    fn saver(&mut self, mut message: Message) -> Result<(), Stop> {
        while let Some(field) = self.walker.next(&mut message)? {
            if let (1..=3, Value::Bytes(text)) = (field.number, field.value) {
                let tensor = self.text(text)?;
                let node = tensor.split(':').next().unwrap_or_default().trim_start_matches('^');
                self.savers.insert(node.to_owned());
            }
        }
        Ok(())
    }

    /// `AssetFileDef`: a file of the folder `assets`, put into a constant.
    fn asset(&mut self, mut message: Message) -> Result<(), Stop> {
        let mut filename = None;
        while let Some(field) = self.walker.next(&mut message)? {
            match (field.number, field.value) {
                (1, Value::Bytes(info)) => {
                    let mut info = info.message();
                    while let Some(field) = self.walker.next(&mut info)? {
                        if let (1, Value::Bytes(text)) = (field.number, field.value) {
                            let tensor = self.text(text)?;
                            self.assets.insert(tensor.split(':').next().unwrap_or_default().to_owned());
                        }
                    }
                }
                (2, Value::Bytes(text)) => filename = Some((text, self.text(text)?)),
                _ => {}
            }
        }
        if let Some((text, path)) = filename {
            let evidence = Evidence::new(Kind::ReferencePath, reference::classify(&path), Span::new(text.at, text.len));
            self.cx.push(evidence.with("path", path).with("by", "asset"));
        }
        Ok(())
    }

    /// An entry of `collection_def`: a name and lists of bytes that belong to
    /// whoever put them there.
    fn collection(&mut self, mut message: Message) -> Result<(), Stop> {
        let mut key = String::new();
        let mut lists: Vec<Bytes> = Vec::new();
        while let Some(field) = self.walker.next(&mut message)? {
            match (field.number, field.value) {
                (1, Value::Bytes(text)) => key = self.text(text)?,
                (2, Value::Bytes(collection)) => {
                    let mut collection = collection.message();
                    while let Some(field) = self.walker.next(&mut collection)? {
                        if let (2 | 5, Value::Bytes(list)) = (field.number, field.value) {
                            lists.push(list);
                        }
                    }
                }
                _ => {}
            }
        }
        for list in lists {
            let mut list = list.message();
            while let Some(field) = self.walker.next(&mut list)? {
                if let (1, Value::Bytes(value)) = (field.number, field.value)
                    && value.len >= 16
                {
                    let name = format!("collection {}", self.cx.shorten(&key));
                    self.cx.data(&name, self.input.window(value.at, value.len)?)?;
                }
            }
        }
        Ok(())
    }

    /// `SavedObjectGraph`: objects, of which Keras's carry a configuration.
    fn objects(&mut self, mut message: Message) -> Result<(), Stop> {
        while let Some(field) = self.walker.next(&mut message)? {
            self.cx.charge(1, field.at)?;
            let (1, Value::Bytes(node)) = (field.number, field.value) else { continue };
            let mut node = node.message();
            while let Some(field) = self.walker.next(&mut node)? {
                if let (4, Value::Bytes(object)) = (field.number, field.value) {
                    self.object_metadata(object.message(), 3)?;
                }
            }
        }
        Ok(())
    }

    /// `SavedMetadata`
    pub(super) fn keras_metadata(&mut self, mut message: Message) -> Result<(), Stop> {
        while let Some(field) = self.walker.next(&mut message)? {
            self.cx.charge(1, field.at)?;
            if let (1, Value::Bytes(object)) = (field.number, field.value) {
                self.object_metadata(object.message(), 5)?;
            }
        }
        Ok(())
    }

    /// The JSON in field `number`: the configuration of a layer or a model.
    fn object_metadata(&mut self, mut message: Message, number: u32) -> Result<(), Stop> {
        while let Some(field) = self.walker.next(&mut message)? {
            let Value::Bytes(text) = field.value else { continue };
            if field.number == number && text.len > 2 {
                self.cx.data("keras metadata", self.input.window(text.at, text.len)?)?;
            }
        }
        Ok(())
    }
}
