//! Signature search: executables and pickles where none belong, by one
//! multi-pattern search and then by structure, so that random weights raise
//! no alarm.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind, Span as Range, packed};

use crate::artifact::{Artifact, Gap};
use crate::clock::Clock;
use crate::engine::executables;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::pickle::{dry_run, dry_run_of};
use crate::input::{Input, to_u64, to_usize};
use crate::limits::Limits;
use crate::stop::Stop;

/// How what is searched for begins.
const MAGICS: [&[u8]; 10] = [
    b"MZ",
    b"\x7fELF",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"\xca\xfe\xba\xbf",
    b"\0asm",
    b"dex\n",
];

/// PROTO, of the protocols that have it.
const PICKLES: [&[u8]; 4] = [b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"];

/// Length of the longest pattern, less one: a pattern that begins so close to
/// the end of a block is found in the next one.
const PATTERN_TAIL: usize = 3;

/// Opcodes of a candidate for a pickle that are decoded: padding beyond this
/// would need megabytes of it.
const PICKLE_OPCODES: u32 = 1 << 24;

/// Opcodes decoded for each byte searched, on top of [`PICKLE_FLOOR`]. Weights
/// have a candidate in 16,000 bytes, which fails within a few opcodes.
const PICKLE_WORK: u64 = 4;

/// Opcodes decoded in a search of any length.
const PICKLE_FLOOR: u64 = 1 << 20;
/// Opcodes of a candidate from which on the clock is worth a look.
const OPCODES_PER_CLOCK: u32 = 1 << 12;

/// Places kept for one kind of thing; more are told by their number.
const KEPT: u64 = 64;

/// Formats that hold weights, numbers, tables, pictures or text, and no pickles of
/// their own.
const RAW: &[&str] = &[
    "safetensors",
    "gguf",
    "ggml",
    "onnx",
    "ort",
    "tflite",
    "tensorflow",
    "tensorflow-checkpoint",
    "coreml",
    "mil-blob",
    "executorch",
    "tensorrt",
    "rknn",
    "ncnn",
    "xgboost",
    "lightgbm",
    "catboost",
    "mxnet",
    "torch7",
    "paddle",
    "paddle-params",
    "word2vec",
    "json",
    "shards",
    "yaml",
    "xml",
    "markup",
    "text",
    "textproto",
    "requirements",
    "rds",
    "jax-export",
    "modelfile",
    "bson",
    "media",
    "msgpack",
    "other",
    "database",
];

/// Formats whose members are read by themselves; what else is in them belongs to
/// nobody.
const CONTAINERS: [&str; 3] = ["zip", "tar", "ar"];

/// Whether a pickle in content of these formats is out of place.
pub(super) fn without_pickles(formats: &[&str]) -> bool {
    formats.iter().all(|format| RAW.contains(format))
}

/// Where the bytes of `artifact` have no pickles of their own, by start and end:
/// all of it, or in a container what is none of its members that have been read.
pub(super) fn raw(artifact: &Artifact) -> Vec<(u64, u64)> {
    let mut read = Vec::new();
    if !without_pickles(&artifact.formats) {
        known(artifact, 0, &mut read);
    }
    read.sort_unstable();
    let mut raw = Vec::new();
    let mut reached = 0;
    for (start, end) in read {
        if start > reached {
            raw.push((reached, start));
        }
        reached = reached.max(end);
    }
    if reached < artifact.size {
        raw.push((reached, artifact.size));
    }
    raw
}

/// The bytes from `base` on that a format has read which may hold pickles, or
/// that have been searched by themselves.
fn known(artifact: &Artifact, base: u64, found: &mut Vec<(u64, u64)>) {
    if artifact.formats.iter().any(|format| !CONTAINERS.contains(format)) {
        found.push((base, base.saturating_add(artifact.size)));
        return;
    }
    for member in &artifact.members {
        if let Some(within) = member.within {
            known(member, base.saturating_add(within), found);
        }
    }
}

/// Whether a member of `artifact`, which begins at `base`, has been read as the
/// pickle at `offset`.
pub(super) fn is_read(artifact: &Artifact, base: u64, offset: u64) -> bool {
    artifact.members.iter().any(|member| {
        member.within.is_some_and(|within| {
            let base = base.saturating_add(within);
            base == offset && member.formats.contains(&"pickle") || is_read(member, base, offset)
        })
    })
}

/// Something found at an offset of the swept artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignatureHit {
    /// What kind of evidence it is.
    pub kind: Kind,
    /// What it is, in the words of that kind.
    pub value: &'static str,
    /// For which machine, when it is an executable.
    pub machine: String,
    /// Where it begins, and how long it is when that is known.
    pub span: Span,
}

impl SignatureHit {
    pub(super) fn evidence(&self, count: u64) -> Evidence {
        let mut evidence = Evidence::new(self.kind, self.value, self.span);
        if !self.machine.is_empty() {
            evidence = evidence.with("machine", self.machine.clone());
        }
        if count > 1 { evidence.with("count", count.to_string()) } else { evidence }
    }
}

/// What a search came to.
pub(super) struct Found {
    /// What was found, and of how many like it.
    pub hits: Vec<(SignatureHit, u64)>,
    /// What could not be judged.
    pub gap: Option<Gap>,
}

/// The search for patterns: vectorised where the processor can.
struct Searcher {
    packed: Option<packed::Searcher>,
    automaton: AhoCorasick,
}

impl Searcher {
    fn new(patterns: &[&[u8]]) -> Option<Self> {
        let packed = packed::Config::new().builder().extend(patterns).build();
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(patterns).ok()?;
        Some(Self { packed, automaton })
    }

    /// Where the first pattern at or after `from` begins.
    fn find(&self, block: &[u8], from: usize) -> Option<usize> {
        let range = Range { start: from, end: block.len() };
        match &self.packed {
            Some(packed) => packed.find_in(block, range).map(|found| found.start()),
            None => self.automaton.find(aho_corasick::Input::new(block).span(range)).map(|found| found.start()),
        }
    }
}

static EXECUTABLES: LazyLock<Option<Searcher>> = LazyLock::new(|| Searcher::new(&MAGICS));
static ALL: LazyLock<Option<Searcher>> = LazyLock::new(|| Searcher::new(&[&MAGICS[..], &PICKLES].concat()));

/// The search over one artifact, block by block.
pub(super) struct Signatures<'c> {
    clock: &'c Clock,
    searcher: Option<&'static Searcher>,
    /// Where a pickle is out of place, by start and end, in order.
    raw: Vec<(u64, u64)>,
    hits: Vec<(SignatureHit, u64)>,
    kept: BTreeMap<(Kind, &'static str, String), u64>,
    /// Everything that begins before this has been judged.
    judged: u64,
    /// Steps of work left for telling pickles from chance.
    work: u64,
    gap: Option<Gap>,
}

impl<'c> Signatures<'c> {
    /// A search, for pickles too in what is `raw`.
    pub(super) fn new(raw: Vec<(u64, u64)>, length: u64, limits: &Limits, clock: &'c Clock) -> Self {
        Self {
            clock,
            searcher: if raw.is_empty() { EXECUTABLES.as_ref() } else { ALL.as_ref() },
            raw,
            hits: Vec::new(),
            kept: BTreeMap::new(),
            judged: 0,
            work: length.saturating_mul(PICKLE_WORK).saturating_add(PICKLE_FLOOR).min(limits.work),
            gap: None,
        }
    }

    /// Looks through `block`, which is what `input` has at `offset` and
    /// follows, overlapping or not, the block before.
    pub(super) fn search(&mut self, offset: u64, block: &[u8], input: &Input) {
        let Some(searcher) = self.searcher else { return };
        let mut from = to_usize(self.judged.saturating_sub(offset));
        while from < block.len() {
            let Some(start) = searcher.find(block, from) else { break };
            let at = offset.saturating_add(to_u64(start));
            let past = self.judge(at, block.get(start..).unwrap_or_default(), input).max(1);
            from = start.saturating_add(to_usize(past));
        }
        let end = if offset.saturating_add(to_u64(block.len())) >= input.len() {
            block.len()
        } else {
            block.len().saturating_sub(PATTERN_TAIL)
        };
        self.judged = offset.saturating_add(to_u64(from.max(end)));
    }

    /// Judges the candidate at `at`; how many bytes need no further look.
    fn judge(&mut self, at: u64, bytes: &[u8], input: &Input) -> u64 {
        if bytes.first() == Some(&0x80) {
            let next = self.raw.partition_point(|(_, end)| *end <= at);
            let is_raw = self.raw.get(next).is_some_and(|(start, _)| *start <= at);
            return if is_raw { self.pickle(at, bytes, input) } else { 1 };
        }
        if !plausible(bytes) {
            return 1;
        }
        if let Some(found) = executables::recognise(input, at) {
            self.keep(SignatureHit {
                kind: Kind::EmbeddedExecutable,
                value: found.kind,
                machine: found.machine.into_owned(),
                span: Span::at(at),
            });
        }
        1
    }

    /// A pickle: its opcodes must fit the stack up to STOP, import something by
    /// a name, and call. Nearly all candidates fail within a few opcodes, so a
    /// few bytes of the block are looked at first.
    fn pickle(&mut self, at: u64, bytes: &[u8], input: &Input) -> u64 {
        let Some(left) = self.work.checked_sub(8) else {
            let stop = Stop::Limit { offset: at, limit: "work" };
            self.gap.get_or_insert_with(|| (&stop).into());
            return 1;
        };
        let mut run = dry_run(bytes.get(..256).unwrap_or(bytes));
        if !run.broken && !run.stopped {
            let most = u32::try_from(left).unwrap_or(u32::MAX).min(PICKLE_OPCODES);
            run = dry_run_of(&input.tail(at), most);
        }
        self.work = left.saturating_sub(u64::from(run.opcodes));
        if run.opcodes > OPCODES_PER_CLOCK
            && let Err(stop) = self.clock.check(at)
        {
            self.gap.get_or_insert_with(|| (&stop).into());
            self.work = 0;
            return 1;
        }
        // One that goes on for longer than is looked at is a pickle too.
        let long = !run.broken && run.opcodes >= PICKLE_OPCODES;
        if !(run.stopped || long) || run.imports == 0 || run.calls == 0 || run.names < 2 {
            return 1;
        }
        self.keep(SignatureHit {
            kind: Kind::EmbeddedPickle,
            value: "pickle",
            machine: String::new(),
            span: Span::new(at, if long { 0 } else { run.length }),
        });
        run.length
    }

    fn keep(&mut self, hit: SignatureHit) {
        let seen = self.kept.entry((hit.kind, hit.value, hit.machine.clone())).or_default();
        *seen = seen.saturating_add(1);
        if *seen <= KEPT {
            self.hits.push((hit, 1));
            return;
        }
        let total = *seen;
        let first = self
            .hits
            .iter_mut()
            .find(|(kept, _)| kept.kind == hit.kind && kept.value == hit.value && kept.machine == hit.machine);
        if let Some((_, count)) = first {
            *count = total;
        }
    }

    /// All that was found.
    pub(super) fn finish(self) -> Found {
        Found { hits: self.hits, gap: self.gap }
    }
}

/// A look at the bytes in hand, to spare reading more: every 64 KiB of weights
/// has an `MZ`, and few of them are followed by a possible `e_lfanew`.
fn plausible(bytes: &[u8]) -> bool {
    let Some(dos) = bytes.first_chunk::<0x40>().filter(|bytes| bytes.starts_with(b"MZ")) else { return true };
    let &[.., a, b, c, d] = dos;
    if dos.starts_with(b"MZqFpD='") {
        return true;
    }
    let e_lfanew = u32::from_le_bytes([a, b, c, d]);
    match bytes.get(to_usize(u64::from(e_lfanew))..).and_then(|header| header.first_chunk::<4>()) {
        Some(header) => header == b"PE\0\0",
        None => true,
    }
}
