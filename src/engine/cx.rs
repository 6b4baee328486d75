//! [`Cx`]: all that a format may do besides reading its input.

use std::io::Read;

use serde_json::Value;

use crate::artifact::{Artifact, Checksum, Companion, Gap, GapReason};
use crate::engine::Job;
use crate::engine::spill::Spill;
use crate::evidence::{CARRIED, Evidence, Kind, Span};
use crate::input::{Input, to_u64, to_usize};
use crate::inspect::{Contents, Field, Stream};
use crate::limits::Limits;
use crate::stop::Stop;

/// What a format speaks to while it reads one artifact.
pub struct Cx<'j, 'e> {
    job: &'j mut Job<'e>,
    artifact: &'j mut Artifact,
    input: Input,
    depth: u64,
    /// What was read before is read again, only to say what it contains.
    again: bool,
}

impl std::fmt::Debug for Cx<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cx").field("artifact", &self.artifact.name).field("depth", &self.depth).finish_non_exhaustive()
    }
}

/// How a child artifact is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// By every format that recognises it; unrecognised content is a gap.
    Recognise,
    /// The same, but content that nothing recognises is raw data.
    Data,
    /// By the named format whatever it looks like, and by every other format
    /// that recognises it.
    As(&'static str),
}

impl<'j, 'e> Cx<'j, 'e> {
    pub(super) fn new(job: &'j mut Job<'e>, artifact: &'j mut Artifact, input: Input, depth: u64) -> Self {
        Self { job, artifact, input, depth, again: false }
    }

    /// One for reading `input` again: facts, gaps and children were told the
    /// first time, and what it contains goes to `artifact`.
    pub(super) fn again(job: &'j mut Job<'e>, artifact: &'j mut Artifact, input: Input) -> Self {
        Self { job, artifact, input, depth: 0, again: true }
    }

    /// The bounds that apply.
    pub fn limits(&self) -> &'e Limits {
        self.job.limits
    }

    /// Whether content in `input` should be left unread when no structure leads
    /// there: the scan is to read headers only, and it is not in memory anyway.
    pub fn leaves_unread(&self, input: &Input) -> bool {
        self.job.headers_only() && input.as_slice().is_none()
    }

    /// Name of the artifact: a path, a member name. Hostile.
    pub fn name(&self) -> &str {
        &self.artifact.name
    }

    /// Records a fact.
    pub fn evidence(&mut self, kind: Kind, value: impl Into<String>, span: Span) {
        self.push(Evidence::new(kind, value, span));
    }

    /// Records a fact that has attributes.
    pub fn push(&mut self, evidence: Evidence) {
        if self.again {
            return;
        }
        let evidence = if self.artifact.carried { evidence.with(CARRIED, "true") } else { evidence };
        let kept = to_u64(self.artifact.evidence.len());
        if kept < self.job.limits.evidence {
            self.artifact.evidence.push(evidence);
        } else if kept == self.job.limits.evidence {
            let at = evidence.span.offset;
            self.artifact.evidence.push(evidence);
            self.gap(&Stop::Limit { offset: at, limit: "evidence" });
        }
    }

    /// Records that something was not examined, and goes on.
    pub fn gap(&mut self, stop: &Stop) {
        self.note_gap(stop.into());
    }

    /// Records that something was not examined, for a reason that is not a
    /// reader's [`Stop`].
    pub fn gap_because(&mut self, reason: GapReason, detail: impl Into<String>, offset: u64) {
        let mut gap = Gap::new(reason, detail);
        gap.offset = Some(offset);
        self.note_gap(gap);
    }

    /// Records that something which belongs to this artifact, and is not in it,
    /// was not examined.
    pub fn gap_in(&mut self, reason: GapReason, member: String, detail: impl Into<String>, offset: u64) {
        self.note_gap(Gap { members: vec![member], offset: Some(offset), ..Gap::new(reason, detail) });
    }

    fn note_gap(&mut self, gap: Gap) {
        let kept = to_u64(self.artifact.gaps.len());
        if self.again || kept > self.job.limits.gaps || self.artifact.gaps.contains(&gap) {
            return;
        }
        let full = kept == self.job.limits.gaps;
        let last = || Gap::from(&Stop::Limit { offset: gap.offset.unwrap_or(0), limit: "gaps" });
        self.artifact.gaps.push(if full { last() } else { gap });
    }

    /// Whether any gap has been recorded for this artifact.
    pub fn has_gaps(&self) -> bool {
        !self.artifact.gaps.is_empty()
    }

    /// The children examined so far.
    pub fn members(&self) -> &[Artifact] {
        &self.artifact.members
    }

    /// Says which tensor storages this artifact expects beside it: key to
    /// length in bytes.
    pub fn expect_storages(&mut self, storages: impl IntoIterator<Item = (String, u64)>) {
        self.artifact.storages.extend(storages);
    }

    /// Says which checksum bytes of this artifact must have; the sweep, which
    /// reads them anyway, tells when they don't.
    pub(crate) fn checksum(&mut self, sum: Checksum) {
        if !self.again {
            self.artifact.checksums.push(sum);
        }
    }

    /// Says which file beside this artifact holds numbers of it.
    pub(crate) fn companion(&mut self, companion: Companion) {
        if to_u64(self.artifact.companions.len()) < self.job.limits.artifacts {
            self.artifact.companions.push(companion);
        }
    }

    /// Whether somebody wants to see what the artifact contains. The three
    /// that follow do nothing when nobody does.
    pub fn describes(&self) -> bool {
        self.job.options.describe || self.again
    }

    /// Says what a header field is.
    pub fn field(&mut self, name: &'static str, value: impl FnOnce() -> Value) {
        if let Some(contents) = self.contents() {
            contents.header.push(Field { name, value: value() });
        }
    }

    /// Adds a row to the table called `table`, a cell for each of `columns`.
    pub fn row(&mut self, table: &'static str, columns: &[&'static str], row: impl FnOnce() -> Vec<Value>) {
        let most = self.job.limits.listed_lines;
        let Some(table) = self.contents().and_then(|contents| contents.table(table, columns)) else { return };
        if to_u64(table.rows.len()) < most {
            table.rows.push(row());
        } else {
            table.more = table.more.saturating_add(1);
        }
    }

    /// Adds what a pickle does.
    pub(crate) fn stream(&mut self, stream: Stream) {
        if let Some(contents) = self.contents() {
            contents.streams.push(stream);
        }
    }

    fn contents(&mut self) -> Option<&mut Contents> {
        self.describes().then(|| &mut **self.artifact.contents.get_or_insert_default())
    }

    /// Pays for `steps` of work at `offset`.
    ///
    /// # Errors
    /// [`Stop::Limit`] when the file's work or time is used up.
    pub fn charge(&mut self, steps: u64, offset: u64) -> Result<(), Stop> {
        self.job.charge(steps, offset)
    }

    /// Examines `input` as a child artifact called `name`.
    ///
    /// # Errors
    /// [`Stop::Limit`] when no more artifacts may be examined. Whatever goes
    /// wrong inside the child is recorded there.
    pub fn child(&mut self, name: &str, input: Input) -> Result<(), Stop> {
        self.examine(name, input, Reading::Recognise)
    }

    /// Examines `input` as a child that may be raw data: content that no
    /// format recognises is no gap, since the sweep has seen its bytes.
    ///
    /// # Errors
    /// As [`child`](Self::child).
    pub fn data(&mut self, name: &str, input: Input) -> Result<(), Stop> {
        self.examine(name, input, Reading::Data)
    }

    /// Examines `input` as [`data`](Self::data) that this artifact holds and
    /// does nothing with: what it would do is not what loading the file does.
    ///
    /// # Errors
    /// As [`child`](Self::child).
    pub fn carried(&mut self, name: &str, input: Input) -> Result<(), Stop> {
        let around = std::mem::replace(&mut self.artifact.carried, true);
        let outcome = self.examine(name, input, Reading::Data);
        self.artifact.carried = around;
        outcome
    }

    /// Examines what follows the content of a format from `from` on, as
    /// [`data`](Self::data): padding between the two belongs to neither.
    ///
    /// # Errors
    /// As [`child`](Self::child).
    pub fn behind(&mut self, name: &str, input: &Input, from: u64) -> Result<(), Stop> {
        let rest = input.tail(from);
        let shown = rest.len().min(crate::limits::PADDING_BYTES);
        let padding = rest.bytes(0, shown, shown)?;
        let padded = padding.iter().take_while(|byte| **byte == 0 || byte.is_ascii_whitespace()).count();
        let rest = rest.tail(to_u64(padded));
        if rest.is_empty() { Ok(()) } else { self.data(name, rest) }
    }

    /// Examines `input` as a child of a format that is known from where it was
    /// found, whatever its bytes look like.
    ///
    /// # Errors
    /// As [`child`](Self::child).
    pub fn child_as(&mut self, format: &'static str, name: &str, input: Input) -> Result<(), Stop> {
        self.examine(name, input, Reading::As(format))
    }

    fn examine(&mut self, name: &str, input: Input, reading: Reading) -> Result<(), Stop> {
        if self.again {
            return Ok(());
        }
        let shared = input.shares_storage_with(&self.input);
        let within = shared.then(|| input.storage_offset().saturating_sub(self.input.storage_offset()));
        let forced = match reading {
            Reading::As(format) => Some(format),
            Reading::Recognise | Reading::Data => None,
        };
        let request = super::examine::Request {
            name,
            input,
            depth: self.depth.saturating_add(1),
            within,
            found: false,
            forced,
            data: reading == Reading::Data,
            carried: self.artifact.carried,
        };
        let member = self.job.examine(request)?;
        self.artifact.members.push(member);
        Ok(())
    }

    /// Decompresses from `reader` under the limits, to memory or, when large,
    /// to an unlinked temporary file. `compressed` is the length of what is
    /// being decompressed, for the ratio.
    ///
    /// What was produced before a failure is returned with the reason: an
    /// attacker's payload may well stand before the damage.
    pub fn inflate(&mut self, reader: &mut dyn Read, compressed: u64, offset: u64) -> (Input, Option<Stop>) {
        let limits = self.job.limits;
        let ratio_bound = compressed.saturating_mul(limits.inflate_ratio).max(limits.inflate_floor);
        let mut memory: Vec<u8> = Vec::new();
        let mut spilled: Option<Spill> = None;
        let mut produced: u64 = 0;
        let mut block = vec![0; crate::limits::WINDOW_BYTES];
        let stop = loop {
            let n = match reader.read(&mut block) {
                Ok(0) => break None,
                Ok(n) => n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => break Some(Stop::of_decoder(&error, offset)),
            };
            let fresh = block.get(..n).unwrap_or_default();
            produced = produced.saturating_add(to_u64(n));
            if let Err(stop) = self.job.charge_inflated(to_u64(n), offset) {
                break Some(stop);
            }
            if produced > ratio_bound {
                break Some(Stop::Limit { offset, limit: "inflate-ratio" });
            }
            if spilled.is_none() && produced > limits.memory_bytes {
                match Spill::with(&memory, self.job.options.room.as_ref()) {
                    Ok(file) => {
                        spilled = Some(file);
                        memory = Vec::new();
                    }
                    Err(error) => break Some(Stop::Unreadable { offset, error: format!("temporary file: {error}") }),
                }
            }
            match &mut spilled {
                Some(file) => {
                    if let Err(error) = file.write(fresh) {
                        produced = produced.saturating_sub(to_u64(n));
                        break Some(Stop::Unreadable { offset, error: format!("temporary file: {error}") });
                    }
                }
                None => memory.extend_from_slice(fresh),
            }
        };
        let input = match spilled {
            Some(file) => {
                let written = file.len();
                self.job.temporary(file, written.min(produced))
            }
            None => memory.into(),
        };
        (input, stop)
    }

    /// Reads `input` for an answer alone: what is in it is told by who examines
    /// it. Nothing when this is such a reading itself, which bounds them.
    pub(crate) fn aside<T>(&mut self, input: &Input, read: impl FnOnce(&mut Cx<'_, '_>) -> T) -> Option<T> {
        if self.again {
            return None;
        }
        let mut artifact = Artifact::new(String::new(), input.len());
        Some(read(&mut Cx::again(self.job, &mut artifact, input.clone())))
    }

    /// Shortens a string to what is kept as evidence.
    pub fn shorten(&self, text: &str) -> String {
        let bound = to_usize(self.job.limits.string_bytes);
        text.chars().take(bound).collect()
    }
}
