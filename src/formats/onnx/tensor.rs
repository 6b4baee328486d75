//! Tensors: what they say of their size, and where their data lie.

use crate::artifact::Companion;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::protobuf::{Message, Value};
use crate::formats::reference;
use crate::inspect::TENSORS;
use crate::stop::Stop;

use super::Reader;

/// Dimensions that are kept of one tensor; numpy stops at 64.
pub(super) const MAX_DIMS: usize = 1024;

/// The last `TensorProto.DataType` of ONNX 1.20: `INT2`.
const LAST_TYPE: u64 = 26;

/// `TensorProto`, as far as it is looked at.
#[derive(Debug, Default)]
struct Tensor {
    name: String,
    dims: Vec<i64>,
    data_type: u64,
    raw_data: Option<(u64, u64)>,
    external: Vec<(String, String)>,
    at: u64,
}

/// What a `TensorProto.DataType` is called.
pub(super) fn type_name(data_type: u64) -> String {
    const NAMES: &[&str] = &[
        "UNDEFINED",
        "FLOAT",
        "UINT8",
        "INT8",
        "UINT16",
        "INT16",
        "INT32",
        "INT64",
        "STRING",
        "BOOL",
        "FLOAT16",
        "DOUBLE",
        "UINT32",
        "UINT64",
        "COMPLEX64",
        "COMPLEX128",
        "BFLOAT16",
        "FLOAT8E4M3FN",
        "FLOAT8E4M3FNUZ",
        "FLOAT8E5M2",
        "FLOAT8E5M2FNUZ",
        "UINT4",
        "INT4",
        "FLOAT4E2M1",
        "FLOAT8E8M0",
        "UINT2",
        "INT2",
    ];
    let name = usize::try_from(data_type).ok().and_then(|number| NAMES.get(number));
    name.map_or_else(|| data_type.to_string(), |name| (*name).to_owned())
}

/// Bits of one element; `TensorProto.DataType`.
fn bits(data_type: u64) -> Option<u128> {
    Some(match data_type {
        25 | 26 => 2,
        21..=23 => 4,
        2 | 3 | 9 | 17..=20 | 24 => 8,
        4 | 5 | 10 | 16 => 16,
        1 | 6 | 12 => 32,
        7 | 11 | 13 | 14 => 64,
        15 => 128,
        _ => return None,
    })
}

impl Reader<'_, '_, '_, '_> {
    pub(super) fn tensor(&mut self, mut message: Message) -> Result<(), Stop> {
        let mut tensor = Tensor::default();
        while let Some(field) = self.walker.next(&mut message)? {
            if tensor.at == 0 {
                tensor.at = field.at;
            }
            self.cx.charge(1, field.at)?;
            match (field.number, field.value) {
                (1, value) => self.walker.numbers(value, &mut tensor.dims, MAX_DIMS)?,
                (2, Value::Varint(data_type)) => tensor.data_type = data_type,
                (8, Value::Bytes(text)) => tensor.name = self.text(text)?,
                (9, Value::Bytes(raw)) => tensor.raw_data = Some((raw.at, raw.len)),
                (13, Value::Bytes(entry)) => {
                    let entry = self.entry(entry.message())?;
                    tensor.external.push(entry);
                }
                (16, Value::Bytes(entry)) => self.metadata(entry.message())?,
                _ => {}
            }
        }
        if tensor.data_type > LAST_TYPE {
            self.cx.gap(&Stop::unsupported(tensor.at, format!("the element type {}", tensor.data_type)));
        }
        let length = self.size(&tensor);
        self.cx.row("tensors", TENSORS, || {
            let (offset, bytes) = tensor.raw_data.unzip();
            let bytes = bytes.or(length.and_then(|length| u64::try_from(length).ok()));
            let (name, dims) = (tensor.name.clone(), tensor.dims.clone());
            vec![name.into(), type_name(tensor.data_type).into(), dims.into(), offset.into(), bytes.into()]
        });
        if let (Some((at, len)), Some(length)) = (tensor.raw_data, length)
            && tensor.external.is_empty()
            && length != u128::from(len)
        {
            let detail = format!("its shape takes {length} bytes, and it has {len}");
            self.layout("size", &tensor, at, detail);
        }
        self.external(&tensor, length);
        Ok(())
    }

    /// Bytes that the tensor's shape and type take.
    fn size(&mut self, tensor: &Tensor) -> Option<u128> {
        let mut elements: u64 = 1;
        for dimension in &tensor.dims {
            let product = u64::try_from(*dimension).ok().and_then(|dimension| elements.checked_mul(dimension));
            let Some(product) = product else {
                self.layout("shape", tensor, tensor.at, format!("the dimensions are {:?}", tensor.dims));
                return None;
            };
            elements = product;
        }
        bits(tensor.data_type).map(|bits| u128::from(elements).saturating_mul(bits).div_ceil(8))
    }

    fn layout(&mut self, what: &'static str, tensor: &Tensor, at: u64, detail: String) {
        let name = self.cx.shorten(&tensor.name);
        self.cx.push(Evidence::new(Kind::TensorLayout, what, Span::at(at)).with("tensor", name).with("detail", detail));
    }

    /// `external_data`: only `location` is needed; the loader sets whatever
    /// other key stands here as an attribute (GHSA-538c-55jv-c5g9).
    fn external(&mut self, tensor: &Tensor, length: Option<u128>) {
        let value = |key: &str| tensor.external.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let number = |key: &str| value(key).and_then(|value| value.parse::<u64>().ok());
        let length_of = number("length").or(length.and_then(|length| u64::try_from(length).ok()));
        if let (Some(path), Some(length)) = (value("location"), length_of) {
            let path = path.trim_start_matches("./").to_owned();
            self.cx.companion(Companion::Part { path, offset: number("offset").unwrap_or(0), length });
        }
        for (key, value) in &tensor.external {
            match key.as_str() {
                "location" => {
                    self.cx.push(
                        Evidence::new(Kind::ReferencePath, reference::classify(value), Span::at(tensor.at))
                            .with("path", value.clone())
                            .with("by", tensor.name.clone()),
                    );
                }
                "offset" | "length" => match value.parse::<u64>() {
                    Ok(number) if key == "length" && length.is_some_and(|length| length != u128::from(number)) => {
                        let detail = format!("its shape takes another size than the {number} bytes of external data");
                        self.layout("size", tensor, tensor.at, detail);
                    }
                    // Behind the end of any file: sums with it overflow.
                    Ok(number) if number > 1 << 56 => self.external_key("external-number", tensor, key, value),
                    Ok(_) => {}
                    Err(_) => self.external_key("external-number", tensor, key, value),
                },
                "checksum" | "basepath" => {}
                // ONNX Runtime notes weights here that it has laid out for a device.
                _ if key.starts_with("prepacked") => {}
                _ => self.external_key("external-key", tensor, key, value),
            }
        }
    }

    fn external_key(&mut self, what: &'static str, tensor: &Tensor, key: &str, value: &str) {
        let shown: String = value.chars().take(200).collect();
        let key: String = key.chars().take(200).collect();
        let detail = format!("`{key}` is `{shown}`");
        self.cx.push(Evidence::new(Kind::GraphAnomaly, what, Span::at(tensor.at)).with("detail", detail));
    }
}
