//! Stand-ins for content that is elsewhere: Git LFS and git-annex pointers,
//! DVC files, downloads that have not finished. What they stand for is a gap.

use crate::artifact::GapReason;
use crate::engine::Cx;
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::stop::Stop;
use crate::text;

/// Reads stand-ins: see [`Format`].
#[derive(Debug)]
pub struct Lfs;

/// Longest pointer that Git LFS accepts (`docs/spec.md`), with room for DVC's.
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

fn is_dvc(head: &Head<'_>) -> bool {
    let says = |word: &[u8]| memchr::memmem::find(head.first, word).is_some();
    head.len <= LONGEST
        && says(b"outs:")
        && says(b"path:")
        && (says(b"md5:") || says(b"etag:") || says(b"checksum:"))
        && head.is_named(&[".dvc"])
}

impl Format for Lfs {
    fn name(&self) -> &'static str {
        "lfs"
    }

    fn about(&self) -> About {
        About {
            title: "Pointers of Git LFS, git-annex and DVC; unfinished downloads",
            extensions: &[".dvc", ".incomplete", ".part", ".crdownload"],
            reads: "what the pointer stands for",
            leaves_out: "the content, which is not there",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let pointer = head.len <= LONGEST && (is_pointer(head.first) || is_annex(head.first));
        if pointer || is_dvc(head) || head.is_named(PARTIAL) { Match::Magic } else { Match::No }
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
        } else if memchr::memmem::find(&first, b"outs:").is_some() {
            cx.gap_because(GapReason::NotFetched, "a DVC file stands in for the content", 0);
        } else {
            cx.gap_because(GapReason::PartialDownload, "the name says that the download has not finished", input.len());
        }
        Ok(())
    }
}
