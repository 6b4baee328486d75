//! DVC: `.dvc` files and `dvc.lock`, which stand for data that is kept
//! elsewhere (<https://dvc.org/doc/user-guide/project-structure/dvc-files>).
//! What they stand for is a gap each; whoever sees the folder around them may
//! know that it is there.

use saphyr_parser::{Event, Parser};

use crate::artifact::GapReason;
use crate::engine::Cx;
use crate::formats::{About, Format, Head, Match};
use crate::input::{Input, to_u64};
use crate::stop::Stop;
use crate::text;

/// Reads DVC files: see [`Format`].
#[derive(Debug)]
pub struct Dvc;

/// Digests that DVC names content by: its own cache's and those of storages.
const DIGESTS: &[&str] = &["md5", "etag", "checksum", "version_id"];

impl Format for Dvc {
    fn name(&self) -> &'static str {
        "dvc"
    }

    fn about(&self) -> About {
        About {
            title: "DVC files and dvc.lock",
            extensions: &[".dvc"],
            reads: "what data they stand for",
            leaves_out: "the data; where it lies beside the file, it is scanned by itself",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let named = head.is_named(&[".dvc"]) || head.name == "dvc.lock";
        let says = |word: &[u8]| memchr::memmem::find(head.first, word).is_some();
        if named && says(b"outs:") && says(b"path:") { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let bytes = text::source(input, cx.limits().source_bytes)?;
        let source = text::decode(&bytes).into_owned();
        let mut reader = Reader::default();
        for event in Parser::new_from_str(&source) {
            let (event, span) = event.map_err(|error| {
                let at = to_u64(error.marker().index());
                Stop::malformed(at, format!("not YAML: {}", text::excerpt(error.info(), 120)))
            })?;
            let at = to_u64(span.start.index());
            cx.charge(1, at)?;
            if to_u64(reader.open.len()) > cx.limits().nesting {
                return Err(Stop::Limit { offset: at, limit: "nesting" });
            }
            reader.event(&event, at);
        }
        for out in reader.outs {
            let Some(path) = out.path else { continue };
            let path = match &reader.folder {
                Some(folder) if folder != "." => format!("{folder}/{path}"),
                _ => path,
            };
            let size = out.size.map_or_else(String::new, |size| format!(", {} bytes", text::excerpt(&size, 20)));
            let digest = out.digest.map_or_else(String::new, |digest| format!(", {}", text::excerpt(&digest, 80)));
            let shown = text::excerpt(&path, 200);
            let detail = format!("DVC keeps {shown} elsewhere{size}{digest}; `dvc pull` fetches it");
            cx.gap_in(GapReason::NotFetched, path, detail, out.at);
        }
        Ok(())
    }
}

/// One thing that is kept elsewhere.
#[derive(Default)]
struct Out {
    path: Option<String>,
    size: Option<String>,
    digest: Option<String>,
    at: u64,
}

/// Collects the mappings in lists called `outs`, wherever they are.
#[derive(Default)]
struct Reader {
    open: Vec<Level>,
    outs: Vec<Out>,
    /// `wdir`: what the paths of a `.dvc` file are relative to.
    folder: Option<String>,
}

struct Level {
    /// The key whose value is next; nothing in a list, and before a key.
    key: Option<String>,
    list: bool,
    /// It is an item of `outs`.
    out: bool,
}

impl Reader {
    fn event(&mut self, event: &Event<'_>, at: u64) {
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                self.begin(matches!(event, Event::SequenceStart(..)), at)
            }
            Event::MappingEnd | Event::SequenceEnd => {
                self.open.pop();
                self.read_value();
            }
            Event::Scalar(value, ..) => self.scalar(value),
            Event::Alias(_) => self.read_value(),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {}
        }
    }

    fn begin(&mut self, list: bool, at: u64) {
        let in_list = self.open.last().is_some_and(|level| level.list);
        let around = self.open.iter().rev().nth(1).and_then(|level| level.key.as_deref());
        let out = !list && in_list && around == Some("outs");
        if out {
            self.outs.push(Out { at, ..Out::default() });
        }
        self.open.push(Level { key: None, list, out });
    }

    fn scalar(&mut self, value: &str) {
        let top = self.open.len() == 1;
        let Some(level) = self.open.last_mut() else { return };
        if level.list {
            return;
        }
        let Some(key) = level.key.take() else {
            level.key = Some(value.to_owned());
            return;
        };
        if let Some(out) = self.outs.last_mut().filter(|_| level.out) {
            match key.as_str() {
                "path" => out.path = Some(value.to_owned()),
                "size" => out.size = Some(value.to_owned()),
                digest if DIGESTS.contains(&digest) => out.digest = Some(format!("{digest} {value}")),
                _ => {}
            }
        } else if top && key == "wdir" {
            self.folder = Some(value.trim_end_matches('/').to_owned());
        }
    }

    /// The value of a key has been read.
    fn read_value(&mut self) {
        if let Some(level) = self.open.last_mut() {
            level.key = None;
        }
    }
}
