//! Tensor headers, and whether the tensors lie where the loader wants them:
//! one after the other, padded to the alignment, within the file.

use std::collections::BTreeSet;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::input::{Input, to_u64, to_usize};
use crate::stop::Stop;

use super::types;
use super::wire::{TensorInfo, Wire};
use super::{field, shown};

/// Zeros behind the data that a writer may leave to fill a page up: they hold
/// nothing.
const PAGE: u64 = 4096;

/// `GGML_MAX_NAME`, `GGML_MAX_DIMS`
const MAX_NAME: u64 = 64;
const MAX_DIMS: usize = 4;

/// Reads all tensor headers and then judges where the data lie.
pub(super) fn read(
    wire: &mut Wire<'_>,
    n_tensors: u64,
    alignment: u64,
    input: &Input,
    cx: &mut Cx<'_, '_>,
) -> Result<(), Stop> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    let mut kept: u64 = 0;
    let mut reached: u64 = 0;
    let mut last: Option<(u64, String)> = None;
    let mut faults: Vec<Evidence> = Vec::new();
    let mut known = true;
    for _ in 0..n_tensors {
        let position = wire.cursor.position();
        cx.charge(1, position)?;
        let tensor = match wire.tensor(cx) {
            Ok(tensor) => tensor,
            Err(stop) => {
                if let Stop::Malformed { offset, what } = &stop {
                    field(cx, "dimensions", *offset, what.to_string());
                }
                return Err(stop);
            }
        };
        kept = kept.saturating_add(to_u64(tensor.name.len()));
        if kept > cx.limits().header_bytes {
            return Err(Stop::Limit { offset: position, limit: "header-bytes" });
        }
        check(&tensor, &names, cx);
        let size = size(&tensor, cx);
        // Offsets count from where the data begin, which the header decides.
        cx.row("tensors", &["name", "type", "ne", "offset", "bytes"], || {
            let kind = types::name(tensor.kind);
            vec![tensor.name.clone().into(), kind.into(), tensor.ne.clone().into(), tensor.offset.into(), size.into()]
        });
        match size {
            Some(bytes) => {
                if known && tensor.offset != reached {
                    let what = if tensor.offset < reached { "overlap" } else { "hole" };
                    faults.push(fault(
                        what,
                        &tensor,
                        format!("its data are at {}, and the ones before end at {reached}", tensor.offset),
                    ));
                }
                let end = tensor.offset.checked_add(bytes).and_then(|end| end.checked_next_multiple_of(alignment));
                let Some(end) = end else {
                    cx.push(fault("overflow", &tensor, format!("{bytes} bytes at {}", tensor.offset)));
                    return Err(Stop::malformed(tensor.at, "a tensor ends beyond 64 bits"));
                };
                if end >= reached {
                    last = Some((tensor.offset.saturating_add(bytes), shown(&tensor.name)));
                }
                reached = reached.max(end);
            }
            None => known = false,
        }
        names.insert(tensor.name);
    }
    for evidence in faults {
        cx.push(evidence);
    }
    if n_tensors == 0 && wire.cursor.is_at_end() {
        return Ok(());
    }
    place(wire, alignment, last, known, input, cx)
}

fn fault(what: &'static str, tensor: &TensorInfo, detail: String) -> Evidence {
    Evidence::new(Kind::TensorLayout, what, Span::at(tensor.at))
        .with("tensor", shown(&tensor.name))
        .with("detail", detail)
}

/// The loader's rules for one tensor's header.
fn check(tensor: &TensorInfo, names: &BTreeSet<String>, cx: &mut Cx<'_, '_>) {
    let name = shown(&tensor.name);
    if tensor.name_length >= MAX_NAME {
        field(cx, "tensor-name", tensor.at, format!("`{name}` has {} bytes", tensor.name_length));
    }
    if names.contains(&tensor.name) {
        field(cx, "duplicate-tensor", tensor.at, format!("`{name}`"));
    }
    if tensor.ne.len() > MAX_DIMS {
        field(cx, "dimensions", tensor.at, format!("`{name}` has {} dimensions", tensor.ne.len()));
    }
}

/// Bytes of a tensor's data; nothing when its type is not known or its shape
/// is none, which is recorded.
fn size(tensor: &TensorInfo, cx: &mut Cx<'_, '_>) -> Option<u64> {
    let Some((elements, bytes)) = types::block(tensor.kind) else {
        // Programs derived from llama.cpp have some hundred types of their own.
        if tensor.kind >= 1024 {
            field(cx, "tensor-type", tensor.at, format!("`{}` has type {}", shown(&tensor.name), tensor.kind));
        }
        cx.gap(&Stop::unsupported(tensor.at, format!("the tensor type {}", tensor.kind)));
        return None;
    };
    let limit = u64::MAX >> 1;
    let product = tensor.ne.iter().try_fold(1_u64, |product, n| product.checked_mul(*n)).filter(|n| *n <= limit);
    let Some(product) = product else {
        cx.push(fault("overflow", tensor, format!("the dimensions {:?} multiply to more than 63 bits", tensor.ne)));
        return None;
    };
    let row = tensor.ne.first().copied().unwrap_or(1);
    if row.checked_rem(elements) != Some(0) {
        cx.push(fault("block", tensor, format!("a row of {row} is not made of blocks of {elements}")));
        return None;
    }
    let size = product.checked_div(elements).and_then(|blocks| blocks.checked_mul(bytes)).filter(|n| *n <= limit);
    if size.is_none() {
        cx.push(fault("overflow", tensor, format!("{product} elements take more than 63 bits of bytes")));
    }
    size
}

/// Whether the data end where the file ends.
fn place(
    wire: &Wire<'_>,
    alignment: u64,
    last: Option<(u64, String)>,
    known: bool,
    input: &Input,
    cx: &mut Cx<'_, '_>,
) -> Result<(), Stop> {
    let end_of_header = wire.cursor.position();
    let data_at = end_of_header.checked_next_multiple_of(alignment).unwrap_or(u64::MAX);
    cx.field("alignment", || alignment.into());
    cx.field("data_offset", || data_at.into());
    let (length, name) = last.unwrap_or_default();
    let end = data_at.saturating_add(length);
    if end > input.len() {
        cx.push(
            Evidence::new(Kind::TensorLayout, "beyond-data", Span::at(data_at.min(input.len())))
                .with("tensor", name)
                .with("detail", format!("its data end at byte {end}, and the file at {}", input.len())),
        );
        return Err(Stop::Truncated { offset: input.len(), needed: end.saturating_sub(input.len()) });
    }
    // Writers pad the last tensor too, or do not.
    let padded = length.checked_next_multiple_of(alignment).map_or(end, |padded| data_at.saturating_add(padded));
    let rest = input.len().saturating_sub(end);
    let mut padding = vec![0; to_usize(padded.saturating_sub(end).min(rest).min(PAGE))];
    input.read_at(end, &mut padding)?;
    let mut from = if padding.iter().any(|byte| *byte != 0) { end } else { padded };
    if rest <= PAGE && input.tail(end).all(PAGE)?.iter().all(|byte| *byte == 0) {
        from = input.len();
    }
    if known && input.len() > from {
        let span = Span::new(from, input.len().saturating_sub(from));
        cx.push(
            Evidence::new(Kind::BytesUnexplained, "after", span)
                .with("length", span.length.to_string())
                .with("of", "gguf"),
        );
        cx.behind("behind the tensors", input, from)?;
    }
    Ok(())
}
