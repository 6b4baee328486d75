//! What a graph is called, takes and gives: only for who wants to see it.

use crate::formats::protobuf::{Bytes, Message, Value};
use crate::inspect::INTERFACE;
use crate::stop::Stop;

use super::Reader;
use super::tensor::type_name;

impl Reader<'_, '_, '_, '_> {
    /// A header field that is text.
    pub(super) fn header(&mut self, name: &'static str, text: Bytes) -> Result<(), Stop> {
        if self.cx.describes() {
            let text = self.text(text)?;
            self.cx.field(name, || text.into());
        }
        Ok(())
    }

    /// `GraphProto`: its name, inputs and outputs.
    pub(super) fn interface(&mut self, mut graph: Message) -> Result<(), Stop> {
        if !self.cx.describes() {
            return Ok(());
        }
        while let Some(field) = self.walker.next(&mut graph)? {
            match (field.number, field.value) {
                (2, Value::Bytes(text)) => self.header("graph", text)?,
                (11, Value::Bytes(value)) => self.value("inputs", value.message())?,
                (12, Value::Bytes(value)) => self.value("outputs", value.message())?,
                _ => {}
            }
        }
        Ok(())
    }

    /// `ValueInfoProto`
    fn value(&mut self, table: &'static str, mut value: Message) -> Result<(), Stop> {
        let mut name = String::new();
        let (mut elem_type, mut shape) = (0, Vec::new());
        while let Some(field) = self.walker.next(&mut value)? {
            self.cx.charge(1, field.at)?;
            match (field.number, field.value) {
                (1, Value::Bytes(text)) => name = self.text(text)?,
                (2, Value::Bytes(kind)) => (elem_type, shape) = self.tensor_type(kind.message())?,
                _ => {}
            }
        }
        self.cx.row(table, INTERFACE, || vec![name.into(), type_name(elem_type).into(), shape.into()]);
        Ok(())
    }

    /// `TypeProto`, when it is that of a tensor: element type and dimensions.
    fn tensor_type(&mut self, mut kind: Message) -> Result<(u64, Vec<serde_json::Value>), Stop> {
        let (mut elem_type, mut shape) = (0, Vec::new());
        while let Some(field) = self.walker.next(&mut kind)? {
            let (1, Value::Bytes(tensor)) = (field.number, field.value) else { continue };
            let mut tensor = tensor.message();
            while let Some(field) = self.walker.next(&mut tensor)? {
                match (field.number, field.value) {
                    (1, Value::Varint(number)) => elem_type = number,
                    (2, Value::Bytes(dimensions)) => shape = self.dimensions(dimensions.message())?,
                    _ => {}
                }
            }
        }
        Ok((elem_type, shape))
    }

    /// `TensorShapeProto`
    fn dimensions(&mut self, mut shape: Message) -> Result<Vec<serde_json::Value>, Stop> {
        let mut dimensions = Vec::new();
        while let Some(field) = self.walker.next(&mut shape)? {
            let (1, Value::Bytes(dimension)) = (field.number, field.value) else { continue };
            self.cx.charge(1, field.at)?;
            if dimensions.len() >= super::tensor::MAX_DIMS {
                break;
            }
            let mut dimension = dimension.message();
            let mut size = serde_json::Value::from("?");
            while let Some(field) = self.walker.next(&mut dimension)? {
                match (field.number, field.value) {
                    (1, Value::Varint(number)) => size = number.cast_signed().into(),
                    (2, Value::Bytes(text)) => size = self.text(text)?.into(),
                    _ => {}
                }
            }
            dimensions.push(size);
        }
        Ok(dimensions)
    }
}
