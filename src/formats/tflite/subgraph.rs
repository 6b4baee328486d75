//! Subgraphs: tensors and operators, with the indices that tie them together.

use crate::formats::flatbuffers::{Table, Vector};
use crate::stop::Stop;

use super::{Reader, anomaly};

/// Union types of `BuiltinOptions` whose tables name subgraphs, and in which
/// fields; `StablehloWhileOptions` is of `BuiltinOptions2`.
const CALLS: [(u8, &[u16]); 4] = [(16, &[0]), (92, &[0, 1]), (93, &[0, 1]), (103, &[0])];
const STABLEHLO_WHILE: u8 = 15;

/// `TensorType`, by number.
const TYPES: &[&str] = &[
    "FLOAT32",
    "FLOAT16",
    "INT32",
    "UINT8",
    "INT64",
    "STRING",
    "BOOL",
    "INT16",
    "COMPLEX64",
    "INT8",
    "FLOAT64",
    "COMPLEX128",
    "UINT64",
    "RESOURCE",
    "VARIANT",
    "UINT32",
    "UINT16",
    "INT4",
    "BFLOAT16",
    "INT2",
];

/// Dimensions of one tensor that are kept to be shown; interpreters take 8.
const DIMENSIONS: usize = 64;

impl Reader<'_, '_, '_, '_> {
    /// `SubGraph`
    pub(super) fn subgraph(&mut self, subgraph: Table, index: u64, subgraphs: u64) -> Result<(), Stop> {
        let tensors = self.flat.tables(subgraph, 0)?;
        for number in 0..tensors.len {
            let tensor = self.flat.item(tensors, number)?;
            self.tensor(tensor, index)?;
        }
        for id in [1, 2] {
            let indices = self.flat.vector(subgraph, id, 4)?;
            self.check_tensors(indices, tensors.len, subgraph.at, 0)?;
        }
        let operators = self.flat.tables(subgraph, 3)?;
        for number in 0..operators.len {
            let operator = self.flat.item(operators, number)?;
            self.operator(operator, tensors.len, index, subgraphs)?;
        }
        self.flat.text(subgraph, 4, 256)?;
        Ok(())
    }

    /// `Tensor`
    fn tensor(&mut self, tensor: Table, subgraph: u64) -> Result<(), Stop> {
        self.cx.charge(8, tensor.at)?;
        let shape = self.flat.vector(tensor, 0, 4)?;
        let mut product: u64 = 1;
        let mut dimensions: Vec<i32> = Vec::new();
        for index in 0..shape.len {
            self.cx.charge(1, tensor.at)?;
            // -1 stands for a dimension that is known later.
            let dimension = self.flat.int(shape, index)?;
            if dimensions.len() < DIMENSIONS {
                dimensions.push(dimension);
            }
            let size = u64::try_from(dimension).ok().or((dimension == -1).then_some(1));
            // The interpreter counts elements in a C int, and bytes in size_t.
            let next = size.and_then(|size| product.checked_mul(size)).filter(|product| *product <= 1 << 48);
            let Some(next) = next else {
                anomaly(self.cx, "shape", tensor.at, format!("dimension {index} is {dimension}"));
                break;
            };
            product = next;
        }
        let buffer = self.flat.number(tensor, 2, 0)?;
        self.check_buffer(buffer, tensor.at);
        let name = self.flat.text(tensor, 3, 256)?;
        let kind = match self.flat.field(tensor, 1)? {
            Some(at) => self.flat.u8(at)?,
            None => 0,
        };
        self.cx.row("tensors", &["subgraph", "name", "type", "shape", "buffer"], || {
            let kind = TYPES.get(usize::from(kind)).map_or_else(|| kind.to_string(), |name| (*name).to_owned());
            vec![subgraph.into(), name.into(), kind.into(), dimensions.into(), buffer.into()]
        });
        self.flat.vector(tensor, 7, 4)?;
        // `QuantizationParameters`: min, max, scale and zero_point.
        if let Some(quantization) = self.flat.child(tensor, 4)? {
            for (id, width) in [(0, 4), (1, 4), (2, 4), (3, 8)] {
                self.flat.vector(quantization, id, width)?;
            }
        }
        // `SparsityParameters`
        if let Some(sparsity) = self.flat.child(tensor, 6)? {
            self.flat.vector(sparsity, 0, 4)?;
            self.flat.vector(sparsity, 1, 4)?;
        }
        Ok(())
    }

    /// Indices of tensors; -1, where `least` allows it, is one left out.
    fn check_tensors(&mut self, indices: Vector, tensors: u64, at: u64, least: i32) -> Result<(), Stop> {
        for number in 0..indices.len {
            self.cx.charge(1, at)?;
            let index = self.flat.int(indices, number)?;
            let fits = index >= least && u64::try_from(index).is_ok_and(|index| index < tensors);
            let left_out = index == -1 && least == -1;
            if !fits && !left_out {
                anomaly(self.cx, "index", at, format!("tensor {index} of {tensors}"));
                return Ok(());
            }
        }
        Ok(())
    }

    /// `Operator`
    fn operator(&mut self, operator: Table, tensors: u64, index: u64, subgraphs: u64) -> Result<(), Stop> {
        self.cx.charge(8, operator.at)?;
        let code = self.flat.number(operator, 0, 0)?;
        match self.codes.get(crate::input::to_usize(u64::from(code))) {
            Some(name) => {
                if let Some((count, _)) = self.uses.get_mut(name) {
                    *count = count.saturating_add(1);
                }
            }
            None => {
                let detail = format!("operator code {code} of {}", self.codes.len());
                anomaly(self.cx, "index", operator.at, detail);
            }
        }
        // Inputs may be left out, outputs may not.
        for (id, least) in [(1, -1), (2, 0), (8, 0)] {
            let indices = self.flat.vector(operator, id, 4)?;
            self.check_tensors(indices, tensors, operator.at, least)?;
        }
        self.flat.vector(operator, 5, 1)?;
        self.flat.vector(operator, 7, 1)?;
        let (offset, size) = (self.flat.long(operator, 9)?, self.flat.long(operator, 10)?);
        if offset > 1 && offset.saturating_add(size) > self.flat.input().len() {
            anomaly(self.cx, "buffer", operator.at, format!("custom options end beyond the file: {offset} + {size}"));
        }
        for (type_id, options_id, second) in [(3, 4, false), (11, 12, true)] {
            let Some(at) = self.flat.field(operator, type_id)? else { continue };
            let kind = self.flat.u8(at)?;
            let fields = CALLS.iter().find(|(number, _)| !second && *number == kind).map(|(_, fields)| *fields);
            let fields = if second && kind == STABLEHLO_WHILE { Some(&[0_u16, 1][..]) } else { fields };
            let (Some(fields), Some(options)) = (fields, self.flat.child(operator, options_id)?) else { continue };
            for field in fields {
                let called = u64::from(self.flat.number(options, *field, 0)?);
                if called >= subgraphs {
                    anomaly(self.cx, "index", operator.at, format!("subgraph {called} of {subgraphs}"));
                } else {
                    self.calls.entry(index).or_default().push(called);
                }
            }
        }
        Ok(())
    }
}
