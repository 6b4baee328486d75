//! The safetensors header: an 8-byte length, then a JSON object of that many
//! bytes. Read step by step, so that memory grows only by 32 bytes a tensor.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::input::to_u64;
use crate::json::{Event, Events};
use crate::limits::Limits;
use crate::stop::Stop;

/// Largest header that the reference implementation reads
/// (`MAX_HEADER_SIZE` in `safetensors/src/tensor.rs`).
pub(super) const MAX_HEADER_SIZE: u64 = 100_000_000;

/// One tensor's place in the data, and where its key stands in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Placed {
    pub begin: u64,
    pub end: u64,
    pub key_at: u64,
}

/// Something that the header says and the specification forbids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// Of the header: which field, where, what it says.
    Field(&'static str, u64, String),
    /// Of a tensor's layout: which way, tensor, where, numbers.
    Layout(&'static str, String, u64, String),
    /// A dtype that is not in the list of this version.
    Dtype(u64, String),
}

/// An entry of `__metadata__` whose value is a string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metadata {
    pub key: String,
    pub text: String,
    pub at: u64,
}

/// What a header says, as far as it could be read.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub tensors: Vec<Placed>,
    pub faults: Vec<Fault>,
    pub metadata: Vec<Metadata>,
    /// Where the object of `__metadata__` begins and ends.
    pub metadata_at: Option<(u64, u64)>,
    /// How many tensors are to be listed, for who wants to see them.
    list: usize,
    /// The first of `tensors`: name, dtype and shape.
    pub listed: Vec<(String, String, Vec<String>)>,
    keys: Vec<(u64, u64)>,
}

/// Bits of one element, by the name of the type; `Dtype` in `tensor.rs`.
pub(super) fn bits(dtype: &str) -> Option<u128> {
    Some(match dtype {
        "F4" => 4,
        "F6_E2M3" | "F6_E3M2" => 6,
        "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" | "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ" => 8,
        "U16" | "I16" | "F16" | "BF16" => 16,
        "U32" | "I32" | "F32" => 32,
        "U64" | "I64" | "F64" | "C64" => 64,
        _ => return None,
    })
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

impl Header {
    /// A header that lists this many tensors.
    pub(super) fn listing(list: usize) -> Self {
        Self { list, ..Self::default() }
    }

    /// Reads the header's bytes into `self`, which keeps what was read when
    /// this ends early. Returns where the JSON document ends.
    pub(super) fn read(&mut self, bytes: &[u8], limits: &Limits) -> Result<u64, Stop> {
        let mut events = Events::new(bytes, limits.nesting);
        let outcome = self.read_object(&mut events, limits);
        for (at, oddity) in events.oddities() {
            self.faults.push(Fault::Field(oddity.name(), *at, String::new()));
        }
        outcome?;
        self.find_duplicates(bytes);
        Ok(events.after())
    }

    fn read_object(&mut self, events: &mut Events<'_>, limits: &Limits) -> Result<(), Stop> {
        match events.next()? {
            Some((_, Event::BeginObject)) => {}
            Some((at, _)) => return Err(Stop::malformed(at, "the header is not a JSON object")),
            None => return Err(Stop::malformed(0, "the header is empty")),
        }
        while let Some((key_at, event)) = events.next()? {
            let Event::Key(key) = event else { break };
            self.keys.push((hash(&key), key_at));
            let Some((at, value)) = events.next()? else { break };
            if key == "__metadata__" {
                self.read_metadata(events, at, &value, limits)?;
            } else if matches!(value, Event::BeginObject) {
                self.read_tensor(events, &key, key_at)?;
            } else {
                self.faults.push(Fault::Field("entry-type", at, format!("the entry `{key}` is not an object")));
                events.skip(&value)?;
            }
        }
        Ok(())
    }

    /// `__metadata__`: an object of strings.
    fn read_metadata(
        &mut self,
        events: &mut Events<'_>,
        at: u64,
        value: &Event<'_>,
        limits: &Limits,
    ) -> Result<(), Stop> {
        if !matches!(value, Event::BeginObject) {
            self.faults.push(Fault::Field("metadata-type", at, "`__metadata__` is not an object".to_owned()));
            return events.skip(value);
        }
        let mut kept: u64 = 0;
        let mut keys = Vec::new();
        while let Some((key_at, event)) = events.next()? {
            let Event::Key(key) = event else { break };
            keys.push((hash(&key), key_at));
            let Some((value_at, value)) = events.next()? else { break };
            if let Event::String(text) = &value {
                // Beyond this, metadata is no longer told one by one.
                kept = kept.saturating_add(to_u64(text.len()));
                if kept <= limits.memory_bytes {
                    self.metadata.push(Metadata { key: key.into_owned(), text: text.to_string(), at: value_at });
                }
            } else {
                let detail = format!("the metadata `{key}` is not a string");
                self.faults.push(Fault::Field("metadata-type", value_at, detail));
                events.skip(&value)?;
            }
        }
        self.metadata_at = Some((at, events.position()));
        for key_at in repeated(keys) {
            self.faults.push(Fault::Field("duplicate-key", key_at, "in `__metadata__`".to_owned()));
        }
        Ok(())
    }

    /// `{"dtype": ..., "shape": [...], "data_offsets": [begin, end]}`
    fn read_tensor(&mut self, events: &mut Events<'_>, name: &str, key_at: u64) -> Result<(), Stop> {
        let mut dtype: Option<(u64, String)> = None;
        let mut shape: Option<Vec<String>> = None;
        let mut offsets: Option<(u64, Vec<String>)> = None;
        while let Some((field_at, event)) = events.next()? {
            let Event::Key(field) = event else { break };
            let Some((at, value)) = events.next()? else { break };
            let twice = match (field.as_ref(), value) {
                ("dtype", Event::String(text)) => dtype.replace((at, text.into_owned())).is_some(),
                ("shape", Event::BeginArray) => {
                    let numbers = numbers(events)?;
                    shape.replace(numbers).is_some()
                }
                ("data_offsets", Event::BeginArray) => {
                    let numbers = numbers(events)?;
                    offsets.replace((at, numbers)).is_some()
                }
                (_, value) => {
                    let detail = format!("`{field}` of tensor `{name}`");
                    self.faults.push(Fault::Field("unknown-field", field_at, detail));
                    events.skip(&value)?;
                    false
                }
            };
            if twice {
                self.faults.push(Fault::Field("duplicate-key", field_at, format!("`{field}` of tensor `{name}`")));
            }
        }
        let (Some((dtype_at, dtype)), Some(shape), Some((at, offsets))) = (dtype, shape, offsets) else {
            let detail = format!("tensor `{name}` lacks a dtype, a shape or offsets");
            self.faults.push(Fault::Field("missing-field", key_at, detail));
            return Ok(());
        };
        let bits = bits(&dtype);
        if bits.is_none() {
            self.faults.push(Fault::Dtype(dtype_at, dtype.clone()));
        }
        let placed = self.tensors.len();
        self.place(name, key_at, at, bits, product(&shape), &offsets);
        if placed < self.tensors.len() && placed < self.list {
            self.listed.push((name.to_owned(), dtype, shape));
        }
        Ok(())
    }

    fn place(
        &mut self,
        name: &str,
        key_at: u64,
        at: u64,
        bits: Option<u128>,
        elements: Option<u128>,
        offsets: &[String],
    ) {
        let mut fault = |what, detail| self.faults.push(Fault::Layout(what, name.to_owned(), at, detail));
        let [begin, end] = offsets else {
            fault("offsets", format!("{} numbers instead of 2", offsets.len()));
            return;
        };
        let (Ok(begin), Ok(end)) = (begin.parse::<u64>(), end.parse::<u64>()) else {
            fault("offsets", format!("[{begin}, {end}]"));
            return;
        };
        let Some(length) = end.checked_sub(begin) else {
            fault("reversed", format!("begins at {begin} and ends at {end}"));
            return;
        };
        let Some(elements) = elements else {
            fault("shape", "the number of elements is no 64-bit number".to_owned());
            return;
        };
        if let Some(bits) = bits {
            let needed = elements.saturating_mul(bits);
            if needed != u128::from(length).saturating_mul(8) {
                fault("size", format!("{length} bytes are given to {needed} bits of elements"));
            }
        }
        self.tensors.push(Placed { begin, end, key_at });
    }

    fn find_duplicates(&mut self, bytes: &[u8]) {
        for at in repeated(std::mem::take(&mut self.keys)) {
            self.faults.push(Fault::Field("duplicate-key", at, format!("`{}`", key_text(bytes, at))));
        }
    }
}

/// The offsets at which a hash occurs that occurred before.
fn repeated(mut keys: Vec<(u64, u64)>) -> Vec<u64> {
    keys.sort_unstable();
    let pairs = keys.windows(2).filter_map(|pair| match pair {
        [a, b] if a.0 == b.0 => Some(b.1),
        _ => None,
    });
    let mut repeated: Vec<u64> = pairs.collect();
    repeated.sort_unstable();
    repeated
}

/// The numbers of an array that has been opened, as they are spelt; what is
/// not a number stands there as it is shown.
fn numbers(events: &mut Events<'_>) -> Result<Vec<String>, Stop> {
    let mut numbers = Vec::new();
    while let Some((_, event)) = events.next()? {
        match event {
            Event::EndArray => break,
            Event::Number(text) => numbers.push(text.to_owned()),
            other => {
                events.skip(&other)?;
                numbers.push("?".to_owned());
            }
        }
    }
    Ok(numbers)
}

/// How many elements a shape has; nothing when that is no 64-bit number, or a
/// dimension is none.
fn product(shape: &[String]) -> Option<u128> {
    let mut product: u64 = 1;
    for dimension in shape {
        product = product.checked_mul(dimension.parse::<u64>().ok()?)?;
    }
    Some(u128::from(product))
}

/// The key that begins at `at`.
pub(super) fn key_text(bytes: &[u8], at: u64) -> String {
    let mut events = Events::new(bytes.get(crate::input::to_usize(at)..).unwrap_or_default(), 1);
    match events.next() {
        Ok(Some((_, Event::String(text)))) => text.chars().take(200).collect(),
        _ => String::new(),
    }
}
