//! Files without content, where none is usual: package markers, placeholders,
//! modules and documents that say nothing. Nothing is promised that is missing.

use crate::engine::Cx;
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::stop::Stop;

/// Reads empty files: see [`Format`].
#[derive(Debug)]
pub struct Empty;

/// Names that are normally empty.
const MARKERS: &[&str] = &[
    "__init__.py",
    ".gitkeep",
    ".keep",
    ".gitignore",
    ".gitattributes",
    ".gitmodules",
    "py.typed",
    ".nojekyll",
    ".npmignore",
    ".dockerignore",
    ".no_exist",
    "not-zip-safe",
    "zip-safe",
    "requested",
    ".placeholder",
    ".done",
    "_success",
    ".lock",
];

/// Endings of texts, which may be empty like any text.
const TEXTS: &[&str] = &[
    ".py",
    ".pyi",
    ".txt",
    ".md",
    ".rst",
    ".csv",
    ".tsv",
    ".yaml",
    ".yml",
    ".toml",
    ".ini",
    ".cfg",
    ".conf",
    ".log",
    ".jsonl",
    ".ndjson",
    ".sh",
    ".bat",
    ".ps1",
    ".html",
    ".css",
    ".js",
    ".lock",
    ".typed",
    ".in",
    ".jinja",
    ".j2",
    ".c",
    ".h",
    ".cc",
    ".cpp",
    ".pyx",
    ".pxd",
    ".lst",
    ".list",
    ".vocab",
    ".merges",
    ".metadata",
    ".env",
];

/// Names of packages' and repositories' texts without an ending.
const DOCUMENTS: &[&str] = &[
    "readme",
    "license",
    "notice",
    "authors",
    "changelog",
    "copying",
    "record",
    "installer",
    "makefile",
    "codeowners",
];

impl Format for Empty {
    fn name(&self) -> &'static str {
        "empty"
    }

    fn about(&self) -> About {
        About {
            title: "Files without content, by names for which that is usual",
            extensions: &[".gitkeep", ".typed"],
            reads: "that there is nothing",
            leaves_out: "nothing; an empty file with a model's name is a gap",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let usual = MARKERS.contains(&head.name) || DOCUMENTS.contains(&head.name) || head.is_named(TEXTS);
        if head.len == 0 && usual { Match::Magic } else { Match::No }
    }

    fn read(&self, _input: &Input, _cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        Ok(())
    }
}
