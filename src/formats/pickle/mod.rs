//! Pickle: protocols 0 to 5, several streams in one file, and the raw data
//! that PyTorch's legacy files and joblib put between and behind them.

mod calls;
mod carried;
mod chain;
mod codecs;
mod constants;
mod fold;
mod formula;
mod given;
mod graph;
mod held;
mod hooks;
mod imports;
mod iterate;
mod joblib;
mod layout;
mod listing;
mod machine;
mod memo;
mod numba;
mod opcodes;
mod payload;
mod program;
mod record;
mod render;
mod search;
mod stack;
mod torch;
mod value;
mod wrapped;

use std::collections::BTreeMap;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind as Fact, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::{Input, to_u64};
use crate::stop::Stop;

pub use listing::disassemble;
pub(crate) use opcodes::{dry_run, dry_run_of};

use machine::Machine;
use memo::Memo;
use value::Kind;

/// Reads pickles: see [`Format`].
#[derive(Debug)]
pub struct Pickle;

impl Format for Pickle {
    fn name(&self) -> &'static str {
        "pickle"
    }

    fn about(&self) -> About {
        About {
            title: "Python pickle, protocols 0 to 5 (CPython `Modules/_pickle.c`)",
            extensions: &[".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib", ".dill", ".ckpt"],
            reads: "every opcode, every stream of the file, imports, calls with their arguments, nested payloads, \
                    joblib's inline arrays, PyTorch's legacy storages",
            leaves_out: "what a called function would do inside",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        match head.first {
            [0x80, 0..=5, next, ..] if opcodes::argument(*next).is_some() => return Match::Magic,
            [0x80, 0..=5] => return Match::Likely,
            _ => {}
        }
        let run = opcodes::dry_run(head.first);
        // A short pickle of protocol 0 that was cut looks like text; the name
        // says what it was to be.
        let whole_in_sight = to_u64(head.first.len()) == head.len && head.len > 0;
        let text = is_text(head.first);
        // What no module is called imports nothing: tables begin with a `c`, too.
        let imports = run.imports.saturating_sub(run.odd_names);
        if whole_in_sight && text && !run.broken && !run.stopped && head.is_named(self.about().extensions) {
            return Match::Magic;
        }
        let saw_all = run.length >= to_u64(head.first.len());
        // `Copyright` begins like a pickle of one string. What imports nothing,
        // and ends in the middle of a text, is that text.
        if text && run.stopped && imports == 0 && !saw_all && !head.is_named(self.about().extensions) {
            return Match::No;
        }
        // What fits as far as can be seen, and goes on: padding comes first.
        let goes_on = !run.broken && !run.stopped && !whole_in_sight && fits(head, run.length);
        let enough = goes_on
            || run.stopped && run.opcodes > 1
            || (run.calls > 0 && run.imports > 0)
            || (!run.broken && saw_all && run.opcodes >= 8 && run.imports > 0)
            || (!run.broken && run.opcodes >= 64);
        if enough { Match::Likely } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut position = 0;
        let mut streams: u32 = 0;
        let mut broken: Option<Stop> = None;
        let mut legacy_torch = false;
        let mut carried: Option<Memo> = None;
        let mut storages: BTreeMap<String, u64> = BTreeMap::new();
        while position < input.len() {
            if streams > 0 {
                let Some(next) = search::next_stream(input, position, cx)? else { break };
                if next > position {
                    unexplained("between", input.window(position, next.saturating_sub(position))?, position, cx)?;
                }
                position = next;
            }
            let mut machine = Machine::new(input, position, cx.limits(), carried.take());
            let result = match machine.run(cx) {
                Ok(result) => result,
                // Loaders end here; a program that seeks past the damage does
                // not, so later streams are looked for.
                Err(stop) => {
                    position = machine.position().max(position.saturating_add(1));
                    broken.get_or_insert(stop);
                    match search::next_program(input, position, cx)? {
                        Some(next) => position = next,
                        None => position = input.len(),
                    }
                    streams = streams.saturating_add(1);
                    continue;
                }
            };
            streams = streams.saturating_add(1);
            if streams == 1 {
                legacy_torch = matches!(result.kind(), Kind::Long(at) if is_legacy_magic(input, at));
            }
            storages.append(&mut machine.storages);
            position = machine.position();
            carried = Some(machine.into_memo());
            if legacy_torch && streams == torch::PICKLES {
                position = torch::storages_end(input, position, &storages)?;
                break;
            }
        }
        if !legacy_torch {
            cx.expect_storages(storages);
        }
        if position < input.len() {
            unexplained("after", input.tail(position), position, cx)?;
        }
        if legacy_torch && streams < torch::PICKLES {
            // A download that ended between two of its pickles.
            broken.get_or_insert(Stop::Truncated { offset: input.len(), needed: 1 });
        }
        broken.map_or(Ok(()), Err)
    }
}

/// Whether the bytes are text, which may end in the middle of a character.
fn is_text(bytes: &[u8]) -> bool {
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            bytes.get(..error.valid_up_to()).and_then(|whole| std::str::from_utf8(whole).ok()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    valid.chars().all(|char| !char.is_control() || char.is_ascii_whitespace())
}

/// Whether the opcode at `at`, whose argument the head cuts, ends in the file.
fn fits(head: &Head<'_>, at: u64) -> bool {
    let rest = head.first.get(crate::input::to_usize(at)..).unwrap_or_default();
    let Some((code, argument)) = rest.split_first() else { return at > 0 };
    match (opcodes::argument(*code), argument) {
        (Some(opcodes::Argument::Counted(4) | opcodes::Argument::SignedCounted), [a, b, c, d, ..]) => {
            u64::from(u32::from_le_bytes([*a, *b, *c, *d])) < head.len
        }
        (Some(opcodes::Argument::Counted(8)), [a, b, c, d, e, f, g, h, ..]) => {
            u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]) < head.len
        }
        (Some(_), _) => true,
        (None, _) => false,
    }
}

fn is_legacy_magic(input: &Input, at: u64) -> bool {
    // LONG1, its length, and the number's little-endian bytes.
    let wanted = [&[opcodes::LONG1, 10][..], &torch::MAGIC[..]].concat();
    input.bytes(at, to_u64(wanted.len()), to_u64(wanted.len())).is_ok_and(|bytes| bytes == wanted)
}

/// Bytes that no pickle loader reads, examined on their own.
fn unexplained(place: &str, bytes: Input, position: u64, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    cx.push(
        Evidence::new(Fact::BytesUnexplained, place, Span::new(position, bytes.len()))
            .with("length", bytes.len().to_string())
            .with("of", "pickle"),
    );
    cx.data(&format!("bytes {place} pickles @ {position:#x}"), bytes)
}
