//! Which formats an artifact could be, by its content first.

use crate::artifact::{Gap, GapReason};
use crate::formats::{self, Format, Head, Match};
use crate::input::{Input, to_u64, to_usize};
use crate::limits::{HEAD_BYTES, TAIL_BYTES};

/// How much of an end is tried again after a fault: what most signatures need.
const FEW_BYTES: u64 = 4096;

/// A format that is to read an artifact, and how sure it is.
pub(super) struct Candidate {
    pub format: &'static dyn Format,
    pub certainty: Match,
}

/// What recognition is shown of content that is not in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// As much of both as a format may need.
    Both,
    /// The first bytes only: members of a large archive whose headers alone are
    /// to be read.
    First,
}

/// The first bytes that tell most formats.
const FIRST_BYTES: u64 = 512;

/// Every format that answers, most certain first. Names are asked only when
/// the content says nothing: a name can add a format to try, never remove one.
///
/// An end that can't be read counts as empty and is `unread`: what the other
/// end tells is not lost by it.
pub(super) fn recognise(
    input: &Input,
    name: &str,
    forced: Option<&'static str>,
    seen: Ends,
    unread: &mut Vec<Gap>,
) -> Vec<Candidate> {
    let ends;
    let (first, last) = if let Some(whole) = input.as_slice() {
        let tail_at = whole.len().saturating_sub(TAIL_BYTES);
        (whole.get(..HEAD_BYTES).unwrap_or(whole), whole.get(tail_at..).unwrap_or_default())
    } else {
        let (head_len, tail_len) = match seen {
            Ends::Both => (input.len().min(to_u64(HEAD_BYTES)), input.len().min(to_u64(TAIL_BYTES))),
            Ends::First => (input.len().min(FIRST_BYTES), 0),
        };
        ends = (end(input, 0, head_len, unread), end(input, input.len().saturating_sub(tail_len), tail_len, unread));
        (&ends.0[..], &ends.1[..])
    };
    let base = name.rsplit(['/', '\\']).next().unwrap_or(name).to_lowercase();
    let head = Head { first, last, len: input.len(), name: &base };
    let mut candidates: Vec<Candidate> = formats::ALL
        .iter()
        .map(|format| Candidate { format: *format, certainty: format.recognise(&head) })
        .filter(|candidate| candidate.certainty > Match::No)
        .collect();
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.certainty));
    let best = candidates.first().map_or(Match::No, |candidate| candidate.certainty);
    if best > Match::Name {
        candidates.retain(|candidate| candidate.certainty > Match::Name);
    }
    if let Some(format) = forced.and_then(formats::by_name) {
        candidates.retain(|candidate| candidate.format.name() != format.name() && candidate.certainty == Match::Magic);
        candidates.insert(0, Candidate { format, certainty: Match::Magic });
    }
    candidates
}

/// The bytes of one end, or the few at its start before the fault.
fn end(input: &Input, offset: u64, len: u64, unread: &mut Vec<Gap>) -> Vec<u8> {
    input.bytes(offset, len, len).unwrap_or_else(|stop| {
        unread.push((&stop).into());
        let few = len.min(FEW_BYTES);
        input.bytes(offset, few, few).unwrap_or_default()
    })
}

/// The gap of content that no format recognises, with its first bytes shown.
pub(super) fn unrecognised(input: &Input) -> Gap {
    let shown = input.len().min(16);
    let mut first = vec![0; to_usize(shown)];
    let detail = match input.read_at(0, &mut first) {
        Ok(0) => return Gap::new(GapReason::Empty, "there is no content"),
        Ok(_) => {
            let hex: Vec<String> = first.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("no known format begins with {}", hex.join(" "))
        }
        Err(stop) => stop.to_string(),
    };
    Gap::new(GapReason::Unrecognised, detail)
}
