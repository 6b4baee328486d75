//! Stand-ins for content that is elsewhere: Git LFS, git-annex and Xet
//! pointers, downloads that have not finished. What they stand for is a gap.

use crate::artifact::GapReason;
use crate::engine::Cx;
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::stop::Stop;
use crate::text;

/// Reads stand-ins: see [`Format`].
#[derive(Debug)]
pub struct Lfs;

/// No pointer is as long as this; those of Git LFS stay below 1024 bytes
/// (`docs/spec.md`).
const LONGEST: u64 = 4096;

/// Endings that browsers and downloaders give to what is not complete.
const PARTIAL: &[&str] = &[".incomplete", ".part", ".partial", ".crdownload", ".aria2", ".download"];

fn is_pointer(first: &[u8]) -> bool {
    first.starts_with(b"version https://git-lfs.github.com/spec/")
        || first.starts_with(b"version https://hawser.github.com/spec/")
        || first.starts_with(b"version http://git-media.io/")
}

fn is_annex(first: &[u8]) -> bool {
    memchr::memmem::find(first.get(..first.len().min(256)).unwrap_or_default(), b".git/annex/objects/").is_some()
        || first.starts_with(b"/annex/objects/")
}

fn is_xet(first: &[u8]) -> bool {
    first.starts_with(b"# xet version ")
}

impl Format for Lfs {
    fn name(&self) -> &'static str {
        "lfs"
    }

    fn about(&self) -> About {
        About {
            title: "Pointers of Git LFS, git-annex and Xet; unfinished downloads",
            extensions: &[".incomplete", ".part", ".crdownload"],
            reads: "what the pointer stands for",
            leaves_out: "the content, which is not there",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let pointer = head.len <= LONGEST && (is_pointer(head.first) || is_annex(head.first) || is_xet(head.first));
        if pointer || head.is_named(PARTIAL) { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let first = input.prefix(LONGEST).all(LONGEST)?;
        if is_pointer(&first) {
            let content = text::decode(&first);
            let field = |name: &str| {
                let value = content.lines().find_map(|line| line.strip_prefix(name));
                text::excerpt(value.unwrap_or("unknown").trim(), 80)
            };
            let detail =
                format!("a Git LFS pointer stands in for {} bytes with digest {}", field("size"), field("oid"));
            cx.gap_because(GapReason::NotFetched, detail, 0);
        } else if is_annex(&first) {
            cx.gap_because(GapReason::NotFetched, "a git-annex pointer stands in for the content", 0);
        } else if is_xet(&first) {
            cx.gap_because(GapReason::NotFetched, "a Xet pointer stands in for the content", 0);
        } else {
            cx.gap_because(GapReason::PartialDownload, "the name says that the download has not finished", input.len());
        }
        Ok(())
    }
}
