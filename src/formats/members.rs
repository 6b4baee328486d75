//! Names and links of archive members: what an unpacker would do with them.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};

/// The longest path that a Linux system call takes. Longer ones make
/// `realpath` fail, and checks that rely on it (CVE-2025-12638).
const PATH_MAX: usize = 4096;

/// Says in which ways a member's name is unusual.
pub(super) fn check_name(cx: &mut Cx<'_, '_>, name: &[u8], span: Span) {
    for way in unusual(name) {
        let shown = cx.shorten(&String::from_utf8_lossy(name));
        cx.push(Evidence::new(Kind::ContainerMember, way, span).with("name", shown));
    }
}

/// In which ways a name is unusual, most telling first.
fn unusual(name: &[u8]) -> Vec<&'static str> {
    let mut ways = Vec::new();
    let mut say = |holds: bool, way: &'static str| {
        if holds {
            ways.push(way);
        }
    };
    let (climbs, dots) = parents(name);
    say(climbs, "parent");
    say(dots && !climbs, "inner-parent");
    say(matches!(name, [b'/' | b'\\', ..]), "absolute");
    say(matches!(name, [b'A'..=b'Z' | b'a'..=b'z', b':', ..]), "drive");
    say(name.contains(&0), "nul");
    say(name.is_empty(), "empty");
    say(name.len() > PATH_MAX, "long");
    say(name.contains(&b'\\'), "backslash");
    say(name.iter().any(|byte| (1..0x20).contains(byte) || *byte == 0x7f), "control");
    if let Ok(text) = std::str::from_utf8(name) {
        say(text.chars().any(|char| ('\u{80}'..='\u{9f}').contains(&char)), "control");
        say(text.chars().any(|char| matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')), "bidi");
    }
    ways.dedup();
    ways
}

/// Whether a path leaves the folder that it starts in, and whether it has `..`
/// at all. Both separators count: which of them does depends on who unpacks.
fn parents(path: &[u8]) -> (bool, bool) {
    let mut depth: i64 = 0;
    let mut lowest: i64 = 0;
    let mut dots = false;
    for part in path.split(|byte| matches!(byte, b'/' | b'\\')) {
        match part {
            b".." => {
                dots = true;
                depth = depth.saturating_sub(1);
            }
            b"" | b"." => {}
            _ => depth = depth.saturating_add(1),
        }
        lowest = lowest.min(depth);
    }
    (lowest < 0, dots)
}

/// Where a link leads: `absolute`, `outside` or `inside`. The target of a
/// symbolic link starts in the folder of `name`, that of a hard link at the top.
fn leads(name: &[u8], target: &[u8], symbolic: bool) -> &'static str {
    if matches!(target, [b'/' | b'\\', ..] | [b'A'..=b'Z' | b'a'..=b'z', b':', ..]) {
        return "absolute";
    }
    let mut path = Vec::new();
    if symbolic {
        let folder = name.iter().rposition(|byte| matches!(byte, b'/' | b'\\')).and_then(|at| name.get(..at));
        path.extend_from_slice(folder.unwrap_or_default());
        path.push(b'/');
    }
    path.extend_from_slice(target);
    if parents(&path).0 { "outside" } else { "inside" }
}

/// A path with one separator and without empty and `.` parts.
fn tidy(path: &[u8]) -> Vec<u8> {
    let parts = path.split(|byte| matches!(byte, b'/' | b'\\'));
    let kept: Vec<&[u8]> = parts.filter(|part| !matches!(*part, b"" | b".")).collect();
    kept.join(&b'/')
}

/// What the members of one archive are called, seen together.
#[derive(Default)]
pub(super) struct Names {
    /// Every name, tidied, with a mark of its content.
    seen: BTreeMap<Vec<u8>, u64>,
    /// Names in lower case, with the spelling that was first.
    lower: BTreeMap<String, Vec<u8>>,
    links: BTreeSet<Vec<u8>>,
}

impl Names {
    /// Adds a member that is neither a folder nor a link. `content` tells equal
    /// content from different (a checksum will do).
    pub(super) fn member(&mut self, cx: &mut Cx<'_, '_>, name: &[u8], content: u64, span: Span) {
        self.beneath_link(cx, name, span);
        let name = tidy(name);
        let shown = String::from_utf8_lossy(&name).into_owned();
        let first = self.seen.insert(name.clone(), content);
        let collides = if let Some(first) = first {
            Some(if first == content { "duplicate-equal" } else { "duplicate" })
        } else {
            let spelling = self.lower.entry(shown.to_lowercase()).or_insert_with(|| name.clone());
            (*spelling != name).then_some("case-collision")
        };
        if let Some(way) = collides {
            let shown = cx.shorten(&shown);
            cx.push(Evidence::new(Kind::ContainerMember, way, span).with("name", shown));
        }
    }

    /// Adds a link.
    pub(super) fn link(&mut self, cx: &mut Cx<'_, '_>, name: &[u8], target: &[u8], symbolic: bool, span: Span) {
        self.beneath_link(cx, name, span);
        let target = target.strip_suffix(&[0]).unwrap_or(target);
        let (name_shown, target_shown) =
            (cx.shorten(&String::from_utf8_lossy(name)), cx.shorten(&String::from_utf8_lossy(target)));
        cx.push(
            Evidence::new(Kind::ContainerLink, leads(name, target, symbolic), span)
                .with("name", name_shown)
                .with("target", target_shown),
        );
        if target.len() > PATH_MAX {
            check_name(cx, target, span);
        }
        self.links.insert(tidy(name));
    }

    /// Says when a member would be written through a link that stands before it.
    fn beneath_link(&self, cx: &mut Cx<'_, '_>, name: &[u8], span: Span) {
        // A longer path can't be unpacked at all, and would be slow to look up.
        if self.links.is_empty() || name.len() > PATH_MAX {
            return;
        }
        let path = tidy(name);
        let folders = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').filter_map(|(at, _)| path.get(..at));
        let through = folders.chain(std::iter::once(path.as_slice())).find(|folder| self.links.contains(*folder));
        if let Some(link) = through {
            let (name, link) = (cx.shorten(&String::from_utf8_lossy(name)), cx.shorten(&String::from_utf8_lossy(link)));
            cx.push(Evidence::new(Kind::ContainerLink, "through", span).with("name", name).with("target", link));
        }
    }
}
