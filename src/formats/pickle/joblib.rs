//! joblib's arrays: raw bytes between the opcodes, after the BUILD of a
//! `NumpyArrayWrapper` (`joblib/numpy_pickle.py`, `read_array`).

use super::machine::Machine;
use super::record::Effect;
use super::value::{Kind, Node, Shape, Value};
use crate::engine::Cx;
use crate::evidence::{Evidence, Kind as Fact, Span};
use crate::stop::Stop;

/// Whether `class` announces an array inside the stream.
pub(super) fn is_array_wrapper(class: &str) -> bool {
    class == "NumpyArrayWrapper" || class.ends_with("joblib.numpy_pickle.NumpyArrayWrapper")
}

/// Passes over the array that follows, the way joblib reads it.
///
/// # Errors
/// When the array is longer than the file, or its wrapper can't be understood:
/// where the next opcode stands is then unknown.
pub(super) fn inline_array(machine: &mut Machine<'_>, state: Value, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let at = machine.cursor.position();
    let field = |machine: &mut Machine<'_>, name: &str| {
        let key = machine.arena.text(name.to_owned());
        machine.item(state, key)
    };
    let shape = field(machine, "shape").unwrap_or(Value::UNKNOWN);
    let dtype = field(machine, "dtype").unwrap_or(Value::UNKNOWN);
    let aligned = field(machine, "numpy_array_alignment_bytes").is_some_and(|value| value.kind() != Kind::None);
    let unclear = || Stop::malformed(at, "the array wrapper does not say how long its array is");
    let element = element_of(machine, dtype, 0).ok_or_else(unclear)?;
    if element.has_object {
        // joblib's `write_array` pickles such arrays into the same file.
        let outcome = machine.nested_stream(cx);
        replace(machine, format!("the pickle at {at:#x}"));
        return outcome;
    } else {
        let dimensions = if shape.kind() == Kind::EmptyTuple { Vec::new() } else { machine.arena.items(shape, 64) };
        let mut length = element.size;
        for dimension in dimensions {
            let dimension = machine.int_of(dimension).and_then(|n| u64::try_from(n).ok()).ok_or_else(unclear)?;
            length = length.checked_mul(dimension).ok_or_else(unclear)?;
        }
        if aligned {
            let padding = machine.cursor.u8()?;
            machine.cursor.skip(u64::from(padding))?;
        }
        let from = machine.cursor.position();
        if length > machine.cursor.remaining() {
            cx.push(
                Evidence::new(Fact::TensorLayout, "array-beyond-end", Span::new(from, machine.cursor.remaining()))
                    .with("detail", format!("the wrapper announces {length} bytes")),
            );
            let stop = Stop::Truncated { offset: machine.input.len(), needed: length };
            // The file may be cut, or the shape lie: then the stream goes on
            // where the array that is there ends.
            let Some(next) = super::search::continuation(machine.input, from, cx)? else { return Err(stop) };
            cx.gap(&stop);
            machine.cursor.seek(next);
            replace(machine, format!("what there is of {length} bytes at {from:#x}"));
            return Ok(());
        }
        if super::search::is_program(machine.input, from)? {
            cx.data("a pickle in the place of an array", machine.input.window(from, length)?)?;
        }
        machine.cursor.skip(length)?;
        replace(machine, format!("{length} bytes at {from:#x}"));
    }
    Ok(())
}

/// Puts an array in the place of its wrapper.
fn replace(machine: &mut Machine<'_>, detail: String) {
    // joblib writes arrays past the pickler, between and inside its frames.
    machine.leave_frame();
    let Some(wrapper) = machine.stack.last().copied() else { return };
    // Who wants to see it wants to tell one array from another.
    let nodes = machine.arena.len();
    let array = if machine.recorder.is_some() { machine.arena.container(Shape::List, &[]) } else { Value::DATA };
    let result = machine.made(array, nodes);
    machine.record(|| Effect::Array { target: wrapper, detail, result });
    machine.replace_top(array);
}

struct Element {
    size: u64,
    has_object: bool,
}

/// Size of one element of a pickled `numpy.dtype`, and whether it holds Python
/// objects.
fn element_of(machine: &mut Machine<'_>, dtype: Value, depth: u32) -> Option<Element> {
    if depth > 16 {
        return None;
    }
    let Some(Node::Call { callee, args, .. }) = machine.arena.get(dtype).copied() else { return None };
    // numpy 2 pickles some types as a call of their class in `numpy.dtypes`.
    let name = machine.name_of(callee)?.to_owned();
    if name != "numpy.dtype" {
        return Some(Element { size: 0, has_object: name.ends_with("ObjectDType") || name.ends_with("StringDType") });
    }
    let code = machine.arena.items(args, 1).first().and_then(|code| machine.text_of(*code))?;
    let code = code.trim_start_matches(['<', '>', '=', '|']);
    let kind = code.chars().next()?;
    let digits: String = code.chars().skip(1).take_while(char::is_ascii_digit).collect();
    let mut size: u64 = digits.parse().unwrap_or(match kind {
        '?' | 'b' | 'B' => 1,
        _ => 0,
    });
    if kind == 'U' {
        size = size.saturating_mul(4);
    }
    let mut has_object = kind == 'O';
    if kind == 'V' {
        // The state is (version, order, subarray, names, fields, size, ...).
        let state = dtype.as_node().and_then(|index| machine.states.get(&index).copied());
        let state = state.map(|state| machine.arena.items(state, 9)).unwrap_or_default();
        if let Some(fields) = state.get(4) {
            let pairs = machine.arena.items(*fields, 8192);
            for pair in pairs.chunks(2) {
                let inner = pair.get(1).and_then(|field| machine.arena.items(*field, 1).first().copied());
                has_object |= inner
                    .and_then(|inner| element_of(machine, inner, depth.saturating_add(1)))
                    .is_some_and(|inner| inner.has_object);
            }
        }
        if let Some(subarray) = state.get(2) {
            let inner = machine.arena.items(*subarray, 1).first().copied();
            has_object |= inner
                .and_then(|inner| element_of(machine, inner, depth.saturating_add(1)))
                .is_some_and(|inner| inner.has_object);
        }
        if let Some(declared) =
            state.get(5).and_then(|size| machine.int_of(*size)).and_then(|size| u64::try_from(size).ok())
        {
            size = declared;
        }
    }
    Some(Element { size, has_object })
}
