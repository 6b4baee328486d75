//! NumPy's data types as a `.npy` header describes them (`numpy/lib/format.py`,
//! `descr_to_dtype`): how large an element is, and whether it is an object.

use super::literal::Literal;

/// What is known of a data type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Dtype {
    /// Bytes of one element; `None` when the description is not understood.
    pub size: Option<u64>,
    /// Some part of it is a Python object, so the data is a pickle.
    pub object: bool,
}

impl Dtype {
    fn sized(size: u64) -> Self {
        Self { size: Some(size), object: false }
    }

    fn unknown(text: &str) -> Self {
        // `numpy.dtype` takes any spelling that begins with the kind.
        Self { size: None, object: text.contains(['O', 'o']) }
    }
}

/// Reads a description. The literal's depth is bounded by its parser.
pub(super) fn read(descr: &Literal) -> Dtype {
    match descr {
        Literal::Text(text) => simple(text),
        Literal::Sequence(items) if matches!(items.first(), Some(Literal::Sequence(_))) => structured(items),
        // A type and the shape of a subarray of it.
        Literal::Sequence(items) => match items.as_slice() {
            [] => Dtype::sized(0),
            [base, shape] => {
                let base = read(base);
                let count = self::count(shape);
                Dtype { size: base.size.zip(count).and_then(|(size, count)| size.checked_mul(count)), ..base }
            }
            _ => unknown_items(items),
        },
        Literal::Dict(items) => {
            let object = items.iter().any(|(key, value)| read(key).object || read(value).object);
            Dtype { size: None, object }
        }
        Literal::Number(_) | Literal::Bool(_) | Literal::None => Dtype::default(),
    }
}

fn unknown_items(items: &[Literal]) -> Dtype {
    Dtype { size: None, object: items.iter().any(|item| read(item).object) }
}

/// Fields, each a tuple of name, type and perhaps the shape of a subarray.
fn structured(fields: &[Literal]) -> Dtype {
    let mut whole = Dtype::sized(0);
    for field in fields {
        let (base, count) = match field {
            Literal::Sequence(parts) => match parts.as_slice() {
                [_, descr] => (read(descr), Some(1)),
                [_, descr, shape] => (read(descr), count(shape)),
                _ => (unknown_items(parts), None),
            },
            other => (read(other), None),
        };
        let size = base.size.zip(count).and_then(|(size, count)| size.checked_mul(count));
        whole.size = whole.size.zip(size).and_then(|(sum, size)| sum.checked_add(size));
        whole.object |= base.object;
    }
    whole
}

/// The number of elements in a shape.
pub(super) fn count(shape: &Literal) -> Option<u64> {
    let one = |item: &Literal| match item {
        Literal::Number(Some(number)) => u64::try_from(*number).ok(),
        Literal::Bool(flag) => Some(u64::from(*flag)),
        _ => None,
    };
    match shape {
        Literal::Sequence(items) => {
            // A zero anywhere makes the array empty, however large the rest.
            let numbers: Option<Vec<u64>> = items.iter().map(one).collect();
            let numbers = numbers?;
            if numbers.contains(&0) {
                return Some(0);
            }
            numbers.into_iter().try_fold(1_u64, u64::checked_mul)
        }
        other => one(other),
    }
}

/// A type in one string: byte order, kind, size, and for times a unit.
fn simple(text: &str) -> Dtype {
    let bare = text.trim_start_matches(['<', '>', '=', '|']);
    let mut characters = bare.chars();
    let Some(kind) = characters.next() else { return Dtype::unknown(text) };
    let rest = characters.as_str();
    let (digits, unit) = rest.split_at(rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len()));
    let size: Option<u64> = digits.parse().ok();
    match (kind, size, unit) {
        ('O', _, "") => Dtype { size: Some(8), object: true },
        ('b' | 'i' | 'u' | 'f' | 'c' | 'V' | 'S' | 'a', Some(size), "") => Dtype::sized(size),
        ('U', Some(size), "") => Dtype { size: size.checked_mul(4), object: false },
        ('m' | 'M', Some(size), unit) if unit.is_empty() || (unit.starts_with('[') && unit.ends_with(']')) => {
            Dtype::sized(size)
        }
        ('?' | 'b' | 'B', None, "") => Dtype::sized(1),
        ('h' | 'H' | 'e', None, "") => Dtype::sized(2),
        ('i' | 'I' | 'f', None, "") => Dtype::sized(4),
        ('l' | 'L' | 'q' | 'Q' | 'd' | 'F', None, "") => Dtype::sized(8),
        ('D' | 'g', None, "") => Dtype::sized(16),
        // Variable-length strings of NumPy 2 are stored as objects.
        ('T', _, "") => Dtype { size: Some(16), object: true },
        _ => Dtype::unknown(text),
    }
}
