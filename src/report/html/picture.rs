//! Pictures as inline SVG: where the bytes are, and which rules fired.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::report::escape::{cut, markup};
use crate::report::html::{Numbered, counted, details, rest};
use crate::report::text::{plural, size};
use crate::report::{FileReport, Report, Verdict, sanitise};
use crate::rules::Severity;

/// Size of the treemap in units of its view box.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 300.0;

/// Files drawn by themselves; the others share a box.
const BOXES: usize = 80;

/// Smallest share of the picture: of a file that is not clean, so that it can
/// be seen and touched however small it is, and of any other.
const SEEN: f64 = 0.02;
const LEAST: f64 = 0.003;

/// Rules in the list before the rest is only counted.
const RULES: usize = 12;

/// Width of a character of a label, and what a label needs around it.
const LETTER: f64 = 7.6;
const MARGIN: f64 = 9.0;

#[derive(Clone)]
struct Tile {
    class: &'static str,
    link: Option<String>,
    label: String,
    small: String,
    tip: String,
    area: f64,
}

#[derive(Clone, Copy)]
struct Rect {
    x: f64,
    y: f64,
    w: f64,
    h: f64,
}

/// Where the bytes are: a box per file, as large as the file.
pub(super) fn treemap(order: &[Numbered<'_>]) -> String {
    if order.len() < 2 {
        return String::new();
    }
    let tiles = tiles(order);
    let mut out = String::from("<section class=\"picture\">\n<h2>Where the bytes are</h2>\n");
    let _ = writeln!(
        out,
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Files by size and verdict; the table below says the same\">"
    );
    let areas: Vec<f64> = tiles.iter().map(|tile| tile.area).collect();
    for (tile, rect) in tiles.iter().zip(squarify(&areas)) {
        draw(&mut out, tile, rect);
    }
    out.push_str("</svg>\n<p class=\"note\">A box is a file, coloured by its verdict. Small files are drawn larger than they are.</p>\n</section>");
    out
}

fn tiles(order: &[Numbered<'_>]) -> Vec<Tile> {
    let total: u64 = order.iter().map(|(_, file)| file.size).fold(0, u64::saturating_add);
    let share = |bytes: u64, least: f64| (bytes as f64 / total.max(1) as f64).max(least);
    // The worst first, then the largest: those must not be lost in the rest.
    let mut chosen: Vec<&Numbered<'_>> = order.iter().collect();
    chosen.sort_by_key(|(_, file)| (std::cmp::Reverse(file.verdict), std::cmp::Reverse(file.size)));
    let (drawn, left) = chosen.split_at(chosen.len().min(BOXES));
    let mut tiles: Vec<Tile> = drawn
        .iter()
        .map(|(number, file)| {
            let findings = counted(file);
            let name = file.path.rsplit('/').next().unwrap_or(&file.path);
            let tip = [file.path.as_str(), file.verdict.name(), &size(file.size), &findings];
            Tile {
                class: file.verdict.name(),
                link: details::worth(file).then(|| format!("#f{number}")),
                label: sanitise(name),
                small: size(file.size),
                tip: tip.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", "),
                area: share(file.size, if file.verdict == Verdict::Clean { LEAST } else { SEEN }),
            }
        })
        .collect();
    tiles.sort_by(|a, b| b.area.total_cmp(&a.area));
    if !left.is_empty() {
        let bytes = left.iter().map(|(_, file)| file.size).fold(0, u64::saturating_add);
        let label = format!("{} more", plural(left.len(), "file"));
        tiles.push(Tile {
            class: "rest",
            link: None,
            tip: format!("{label}, {}", size(bytes)),
            label,
            small: size(bytes),
            area: share(bytes, SEEN),
        });
    }
    tiles
}

fn draw(out: &mut String, tile: &Tile, rect: Rect) {
    let Rect { x, y, w, h } = rect;
    let link = tile.link.as_ref().map(|link| format!("<a href=\"{link}\">"));
    let _ = write!(
        out,
        "<g class=\"{}\">{}<title>{}</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\"/>",
        tile.class,
        link.as_deref().unwrap_or_default(),
        markup(&tile.tip),
    );
    let room = ((w - 2.0 * MARGIN) / LETTER).max(0.0) as usize;
    let left = x + MARGIN;
    if room >= 4 && h >= 24.0 {
        let _ = write!(out, "<text x=\"{left:.1}\" y=\"{:.1}\">{}</text>", y + 19.0, markup(&cut(&tile.label, room)));
        if h >= 44.0 && room >= tile.small.chars().count() {
            let small = markup(&tile.small);
            let _ = write!(out, "<text class=\"size\" x=\"{left:.1}\" y=\"{:.1}\">{small}</text>", y + 36.0);
        }
    }
    out.push_str(if link.is_some() { "</a></g>\n" } else { "</g>\n" });
}

/// Rectangles for areas in falling order, each as square as can be: rows are
/// laid along the shorter side of what is left, and a row ends when one more
/// box would make its boxes longer (Bruls, Huizing, van Wijk: *Squarified
/// treemaps*).
fn squarify(areas: &[f64]) -> Vec<Rect> {
    let sum: f64 = areas.iter().sum();
    let scaled: Vec<f64> = areas.iter().map(|area| area / sum * WIDTH * HEIGHT).collect();
    let mut rects = Vec::with_capacity(areas.len());
    let mut room = Rect { x: 0.0, y: 0.0, w: WIDTH, h: HEIGHT };
    let mut rest = scaled.as_slice();
    while !rest.is_empty() {
        let side = room.w.min(room.h);
        let mut count = 1;
        while count < rest.len() && longest(&rest[..=count], side) <= longest(&rest[..count], side) {
            count += 1;
        }
        let (row, after) = rest.split_at(count);
        lay(row, &mut room, &mut rects);
        rest = after;
    }
    rects
}

/// The worst ratio of sides in a row along `side`.
fn longest(row: &[f64], side: f64) -> f64 {
    let depth = row.iter().sum::<f64>() / side;
    row.iter().map(|area| (area / depth / depth).max(depth * depth / area)).fold(0.0, f64::max)
}

fn lay(row: &[f64], room: &mut Rect, rects: &mut Vec<Rect>) {
    let sum: f64 = row.iter().sum();
    let mut along = 0.0;
    if room.w >= room.h {
        let depth = sum / room.h;
        for area in row {
            rects.push(Rect { x: room.x, y: room.y + along, w: depth, h: area / depth });
            along += area / depth;
        }
        room.x += depth;
        room.w -= depth;
    } else {
        let depth = sum / room.w;
        for area in row {
            rects.push(Rect { x: room.x + along, y: room.y, w: area / depth, h: depth });
            along += area / depth;
        }
        room.y += depth;
        room.h -= depth;
    }
}

/// Which rules fired, the most severe first; what is accepted does not count.
pub(super) fn rules(report: &Report) -> String {
    let mut fired: BTreeMap<(std::cmp::Reverse<Severity>, &str, &str), usize> = BTreeMap::new();
    for finding in report.files.iter().flat_map(FileReport::counted) {
        *fired.entry((std::cmp::Reverse(finding.severity), &finding.rule, &finding.title)).or_default() += 1;
    }
    if fired.is_empty() {
        return String::new();
    }
    let mut fired: Vec<_> = fired.into_iter().collect();
    fired.sort_by_key(|((severity, ..), count)| (*severity, std::cmp::Reverse(*count)));
    let most = fired.iter().map(|(_, count)| *count).max().unwrap_or(1);
    let mut out = String::from("<section>\n<h2>Rules that fired</h2>\n<ul class=\"bars\">\n");
    for ((severity, rule, title), count) in fired.iter().take(RULES) {
        let name = severity.0.name();
        let _ = writeln!(
            out,
            "<li><span>{} <span class=\"muted\">{}</span></span><svg viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" \
             aria-hidden=\"true\"><rect class=\"{name}\" width=\"{:.1}\" height=\"8\" rx=\"1\"/></svg>\
             <span class=\"count\">{count}</span></li>",
            markup(title),
            markup(rule),
            *count as f64 / most as f64 * 100.0,
        );
    }
    out.push_str("</ul>\n");
    out.push_str(&rest(fired.len(), RULES, "rules"));
    out.push_str("</section>");
    out
}
