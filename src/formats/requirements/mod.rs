//! Lists of packages for pip and conda: where they come from. A package runs
//! code of its own when it is installed.

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::{Input, to_u64};
use crate::stop::Stop;
use crate::text;

/// Reads package lists: see [`Format`].
#[derive(Debug)]
pub struct Requirements;

/// Indices that pip asks by default, and those of frameworks' own builds.
const KNOWN: &[&str] = &[
    "https://pypi.org/",
    "https://pypi.python.org/",
    "https://files.pythonhosted.org/",
    "https://download.pytorch.org/",
    "https://pypi.nvidia.com",
    "https://pypi.ngc.nvidia.com",
    "https://data.pyg.org/",
    "https://test.pypi.org/",
    "https://storage.googleapis.com/jax-releases",
    "https://storage.googleapis.com/libtpu-releases",
    "https://developer.download.nvidia.com/",
    "https://download.openmmlab.com/",
    "https://huggingface.co/",
    "https://paddle-wheel.bj.bcebos.com",
    "https://www.paddlepaddle.org.cn/",
];

/// Where the largest forge has files as they are.
const FORGE_FILES: &str = "https://raw.githubusercontent.com/";

/// Settings of tools that install packages, and of projects that need some.
const SETTINGS: &[&str] = &["pyproject.toml", "pipfile", "setup.cfg", "uv.toml", "pip.conf", "pip.ini"];

impl Format for Requirements {
    fn name(&self) -> &'static str {
        "requirements"
    }

    fn about(&self) -> About {
        About {
            title: "Package lists of pip (requirements file format), settings of pip, uv and Pipenv, projects",
            extensions: &["requirements.txt", "pyproject.toml"],
            reads: "indices, addresses, repositories and paths that packages are taken from",
            leaves_out: "what the packages do",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let list = (head.name.contains("requirement") || head.name.starts_with("constraints"))
            && head.is_named(&[".txt", ".in", ".pip"]);
        let settings = SETTINGS.contains(&head.name) || is_metadata(head.first);
        let text = head.len > 0 && text::encoding(head.first, true).is_some();
        if (list || settings) && text { Match::Likely } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let outcome = read(input, cx);
        text::keep_limit(outcome, cx)
    }
}

fn read(input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let bytes = text::source(input, cx.limits().source_bytes)?;
    let source = text::decode(&bytes).into_owned();
    let mut offset = 0;
    let base = cx.name().rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
    let settings = SETTINGS.contains(&base.as_str());
    let metadata = is_metadata(source.as_bytes());
    for line in source.split_inclusive('\n') {
        cx.charge(1, offset)?;
        if metadata {
            if let Some(needed) = line.trim().strip_prefix("Requires-Dist:") {
                requirement(needed.trim(), offset, cx);
            }
        } else if settings {
            setting(line.trim(), offset, cx);
        } else {
            requirement(line.trim(), offset, cx);
        }
        offset = offset.saturating_add(to_u64(line.len()));
    }
    Ok(())
}

/// Whether this is what a built package says of itself (core metadata, PEP 566).
fn is_metadata(first: &[u8]) -> bool {
    first.starts_with(b"Metadata-Version: ")
}

/// One line of a settings file: an index by its key, and packages with an
/// address, in quotes or not.
fn setting(line: &str, at: u64, cx: &mut Cx<'_, '_>) {
    if line.starts_with('#') || line.starts_with(';') {
        return;
    }
    if let Some((key, value)) = line.split_once('=') {
        let key = key.trim().trim_matches('"').replace('_', "-");
        let value = value.trim().trim_matches(['"', '\'', '[', ']']);
        match key.as_str() {
            "index-url" | "extra-index-url" | "find-links" | "trusted-host" => {
                return requirement(&format!("--{key} {value}"), at, cx);
            }
            // Sources of Pipenv and Poetry.
            "url" if value.ends_with("/simple") || value.ends_with("/simple/") => {
                return requirement(&format!("--index-url {value}"), at, cx);
            }
            _ => {}
        }
    }
    // `setup_requires = name @ address`, or items of a list.
    let quoted: Vec<&str> = line.split(['"', '\'']).collect();
    let items = if quoted.len() > 2 { quoted } else { vec![line.rsplit_once("= ").map_or(line, |(_, value)| value)] };
    for item in items.into_iter().filter(|item| item.contains(" @ ") || item.starts_with("git+")) {
        requirement(item.trim(), at, cx);
    }
}

/// One line of a list, in the words of pip.
pub(crate) fn requirement(line: &str, at: u64, cx: &mut Cx<'_, '_>) {
    if line.is_empty() || line.starts_with('#') {
        return;
    }
    if let Some(way) = way(line) {
        let span = Span::new(at, to_u64(line.len()));
        cx.push(Evidence::new(Kind::ReferenceUnpinned, way, span).with("line", text::excerpt(line, 200)));
    }
}

/// What a command line has pip install.
pub(crate) fn installed(line: &str, at: u64, cx: &mut Cx<'_, '_>) {
    let Some((_, rest)) = ["pip install ", "pip3 install "].iter().find_map(|call| line.split_once(call)) else {
        return;
    };
    let command = rest.split(['|', '&', ';', '#']).next().unwrap_or_default();
    let mut words = command.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
    while let Some(word) = words.next() {
        match word {
            "-i" | "--index-url" | "--extra-index-url" | "-f" | "--find-links" | "--trusted-host" => {
                requirement(&format!("{word} {}", words.next().unwrap_or_default()), at, cx);
            }
            // Files and folders of one's own are what people install by hand.
            _ if word.contains("://") || word.starts_with('-') => requirement(word, at, cx),
            _ => {}
        }
    }
}

fn way(line: &str) -> Option<&'static str> {
    let mut words = line.split(['=', ' ', '\t']).filter(|word| !word.is_empty());
    let option = words.next().unwrap_or_default();
    let address = line.find("http").and_then(|from| line.get(from..)).unwrap_or_default();
    let known = KNOWN.iter().any(|known| address.starts_with(known));
    match option {
        "--index-url" | "-i" | "--extra-index-url" | "--find-links" | "-f" => {
            return if known {
                Some("known-index")
            } else if address.is_empty() && option.contains('f') {
                Some("local-path")
            } else {
                Some("other-index")
            };
        }
        "--trusted-host" => return Some("trusted-host"),
        // A list that is fetched says what is installed.
        "-r" | "--requirement" | "-c" | "--constraint" if line.contains("://") => {
            return Some(if known || address.starts_with(FORGE_FILES) { "known-address" } else { "address" });
        }
        "-r" | "--requirement" | "-c" | "--constraint" => return None,
        _ => {}
    }
    let target = line.trim_start_matches("-e").trim_start_matches("--editable").trim();
    let target = target.split_once(" @ ").map_or(target, |(_, target)| target.trim());
    let target = target.split_once(" #").map_or(target, |(target, _)| target);
    if target.starts_with("git+")
        || target.starts_with("hg+")
        || target.starts_with("svn+")
        || target.starts_with("bzr+")
    {
        let encrypted = target.starts_with("git+https://") || target.starts_with("git+ssh://");
        let host = target.split("://").nth(1).unwrap_or_default().trim_start_matches("git@");
        let forge = ["github.com/", "gitlab.com/", "huggingface.co/", "bitbucket.org/", "github.com:"]
            .iter()
            .any(|forge| host.starts_with(forge));
        return Some(if encrypted && forge { "repository" } else { "odd-repository" });
    }
    if target.starts_with("http://") || target.starts_with("ftp://") {
        return Some("open-address");
    }
    if target.starts_with("https://") {
        let at = KNOWN.iter().any(|known| target.starts_with(known)) || target.starts_with("https://github.com/");
        return Some(if at {
            "known-address"
        } else if crate::text::shell::transport(target) == "https" {
            "address"
        } else {
            "open-address"
        });
    }
    if target.starts_with("file:") || target.starts_with("../") || target.starts_with('/') {
        return Some("local-path");
    }
    None
}
