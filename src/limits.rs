//! Every number that bounds work, in one place, each with its reason.
//!
//! A hostile file decides how much it *asks* for; this struct decides how much
//! it *gets*. Reaching a bound is never silent: it becomes a gap that names the
//! limit, and a file with a gap is never clean.

/// How much a [`Cursor`](crate::input::Cursor) keeps in memory of an input
/// that is not held there whole. One positioned read per window: large enough
/// that the system call is free, small enough that every thread can have some.
pub(crate) const WINDOW_BYTES: usize = 256 * 1024;

/// The first bytes that recognition sees. HDF5 may begin at 512 × 2ⁿ, so this
/// finds its signature behind a user block of up to 32 KiB.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;

/// The last bytes that recognition sees: a zip's end record (22 bytes) and the
/// longest comment (65,535) that may follow it, APPNOTE 4.3.16.
pub(crate) const TAIL_BYTES: usize = 65_535 + 22 + 20;

/// Padding between what a format has read and what follows it: a page, to which
/// writers align.
pub(crate) const PADDING_BYTES: u64 = 4096;

macro_rules! limits {
    ($( $(#[doc = $doc:literal])+ $name:ident : $default:expr, $unit:literal; )+) => {
        /// Bounds on the work that one scanned file may cause.
        ///
        /// All are plain counts. Set one by field or, from a command line or
        /// a configuration file, by [`Limits::set`] with its kebab-case name.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Limits {
            $( $(#[doc = $doc])+ pub $name: u64, )+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $( $name: $default, )+ }
            }
        }

        impl Limits {
            /// Each limit as `(name, value, unit, what it protects from)`, in
            /// the order of declaration; help and reports read this.
            pub fn list(&self) -> Vec<(String, u64, &'static str, String)> {
                vec![ $( (
                    stringify!($name).replace('_', "-"),
                    self.$name,
                    $unit,
                    [$($doc),+].iter().map(|line| line.trim()).collect::<Vec<_>>().join(" "),
                ), )+ ]
            }

            /// Sets the limit called `name` (kebab-case).
            ///
            /// # Errors
            /// [`UnknownLimit`] when there is no limit of that name.
            pub fn set(&mut self, name: &str, value: u64) -> Result<(), UnknownLimit> {
                match name.replace('-', "_").as_str() {
                    $( stringify!($name) => self.$name = value, )+
                    _ => return Err(UnknownLimit { name: name.to_owned() }),
                }
                Ok(())
            }
        }
    };
}

/// A limit was set by a name that no limit has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no limit called `{name}`")]
pub struct UnknownLimit {
    /// The name that was given.
    pub name: String,
}

limits! {
    /// How deep archives and payloads may nest. Honest models stay below 5;
    /// every level costs stack, and stack overflow can't be caught.
    depth: 16, "levels";
    /// Artifacts (members, payloads) examined in one file. The largest honest
    /// checkpoints have some 60,000 tensors, each a zip member.
    artifacts: 200_000, "artifacts";
    /// Bytes examined as members, over the bytes that the file has or
    /// decompression made. Honest nesting costs one a level; members that
    /// overlap, inside members that overlap, would multiply without end.
    overlap: 32, "to 1";
    /// Bytes that all decompression of one file may produce. Bounds the time
    /// and the temporary disk space that a compression bomb can take.
    inflated_bytes: 64 << 30, "bytes";
    /// Decompressed size over compressed size of one member, judged only above
    /// `inflate-floor`. Honest sparse weights reach 1000:1 in small files.
    inflate_ratio: 200, "to 1";
    /// Decompressed bytes below which the ratio is not judged; Keras uses the
    /// same 256 MiB for its own bomb guard.
    inflate_floor: 256 << 20, "bytes";
    /// Decompressed bytes held in memory; more goes to an unlinked temporary
    /// file. One per thread, so it bounds memory together with the threads.
    memory_bytes: 16 << 20, "bytes";
    /// Window or dictionary that a compressed stream may ask for. `xz -9` and
    /// 7-Zip's `ultra` ask for 64 MiB, `zstd --long` for 128 MiB.
    dictionary_bytes: 128 << 20, "bytes";
    /// Size of a header, table or document that a parser holds in memory at
    /// once. safetensors refuses headers above 100,000,000 bytes.
    header_bytes: 100_000_000, "bytes";
    /// Length of one name or string that is kept as evidence; longer ones are
    /// shortened for the report, but examined whole.
    string_bytes: 1 << 20, "bytes";
    /// Size of one source text (Python, a template, YAML) that is parsed as a
    /// tree: a tree takes some fifty times the memory of its text, and the
    /// longest honest modules have 3 MB.
    source_bytes: 4 << 20, "bytes";
    /// How deep one document (JSON, protobuf, ...) may nest. Python's own
    /// JSON reader gives up near 1,000, protobuf at 100.
    nesting: 1_000, "levels";
    /// Steps of parsing (opcodes, fields, records) in one file. 2³³ opcodes
    /// are more than an 8 GiB pickle can hold.
    work: 1 << 33, "steps";
    /// Values that the pickle machine keeps apart. 24 bytes each; beyond it,
    /// containers of plain data become opaque, and calls that need their
    /// content are reported as not followed.
    nodes: 2_000_000, "values";
    /// Items of containers that the pickle machine remembers, 8 bytes each.
    items: 8_000_000, "items";
    /// Pickle memo slots, 8 bytes each: 200 MB of short memoised strings need
    /// 20 million. A larger index is legal, and a known way to exhaust memory.
    memo: 64_000_000, "slots";
    /// Bytes that folding pure calls (joins, decoders) may produce for one
    /// pickle stream; payloads hidden this way are a few kilobytes.
    folded_bytes: 16 << 20, "bytes";
    /// Facts kept for one artifact. Repeats are counted, not kept, so honest
    /// files have a few hundred.
    evidence: 20_000, "facts";
    /// Lines that `inspect` shows of one stream or table: what a person can
    /// page through. The largest models have 60,000 tensors.
    listed_lines: 10_000, "lines";
    /// Characters of one string or table cell that `inspect` shows; a chat
    /// template or a script may have any number.
    listed_width: 400, "characters";
    /// Findings of one file that are shown with what stands around them, the
    /// worst first: more than a person reads. 0 shows none.
    excerpts: 100, "findings";
    /// Bytes shown around a finding, 16 a row: the row before and enough to
    /// recognise what follows.
    excerpt_bytes: 96, "bytes";
    /// Lines shown around a finding in a text or in what a pickle does: the
    /// call, and what leads to it.
    excerpt_lines: 9, "lines";
    /// Characters shown of one such line; a script may be all on one.
    excerpt_width: 160, "characters";
    /// Bytes of a pickle that are read a second time to show what it does
    /// around a finding, and of a text to number its lines: a tenth of a
    /// second. What is longer is shown as bytes.
    reread_bytes: 16 << 20, "bytes";
    /// Gaps kept for one artifact: the first of them keeps it from being clean,
    /// and nobody reads a thousand.
    gaps: 1_000, "gaps";
    /// Findings of one file that are all kept, some 4 KB each: nobody reads
    /// ten thousand. Beyond them a rule is told again only where it is worse
    /// than before, so that the verdict is the same.
    findings: 10_000, "findings";
    /// Wall time for one file, in seconds: an hour reads about 3 TB. The only
    /// limit that depends on the machine.
    seconds: 3_600, "seconds";
}
