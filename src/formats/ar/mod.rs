//! Archives of `ar`: static libraries, and Debian packages (`ar.h`; the GNU and
//! the BSD way to write long names).

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::members;
use crate::formats::{About, Format, Head, Match};
use crate::input::{Input, to_usize};
use crate::inspect::MEMBERS;
use crate::stop::Stop;

/// `ARMAG`
const MAGIC: &[u8] = b"!<arch>\n";

/// `struct ar_hdr`: name 16, date 12, uid 6, gid 6, mode 8, size 10, `ARFMAG` 2.
const HEADER: u64 = 60;

/// The format.
#[derive(Debug)]
pub struct Ar;

impl Format for Ar {
    fn name(&self) -> &'static str {
        "ar"
    }

    fn about(&self) -> About {
        About {
            title: "ar archives: static libraries, Debian packages",
            extensions: &[".a", ".lib", ".deb"],
            reads: "every member, by GNU's and BSD's long names",
            leaves_out: "the table of symbols; thin archives, which hold no members",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if head.starts_with(MAGIC) { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut long: Option<Input> = None;
        let mut at = 8;
        while at < input.len() {
            cx.charge(1, at)?;
            let header = input.bytes(at, HEADER, HEADER)?;
            let (Some(name), Some(size), Some(b"`\n")) =
                (header.get(..16), number(header.get(48..58)), header.get(58..))
            else {
                return Err(Stop::malformed(at, "this is no header of ar"));
            };
            let span = Span::new(at, HEADER);
            let data = at.saturating_add(HEADER);
            let content = match input.window(data, size) {
                Ok(content) => content,
                Err(stop) => {
                    cx.gap(&stop);
                    input.tail(data)
                }
            };
            let field = name.trim_ascii_end();
            let (name, content) = self::name(field, content, long.as_ref())?;
            cx.row("members", MEMBERS, || {
                let (shown, size) = (String::from_utf8_lossy(&name).into_owned(), content.len());
                vec![shown.into(), "stored".into(), size.into(), size.into(), data.into()]
            });
            match field {
                b"//" => long = Some(content),
                // Tables of symbols: GNU's, its 64-bit form, Windows', BSD's.
                b"/" | b"/SYM64/" | b"/<ECSYMBOLS>/" => cx.data("symbols", content)?,
                _ if name.starts_with(b"__.SYMDEF") => cx.data("symbols", content)?,
                _ => {
                    // Linkers take members by place: equal names are common.
                    members::check_name(cx, &name, span);
                    cx.child(&String::from_utf8_lossy(&name), content)?;
                }
            }
            // Members begin at even offsets.
            at = data.saturating_add(size).next_multiple_of(2);
        }
        if input.len() == 8 {
            cx.push(Evidence::new(Kind::ContainerAnomaly, "empty", Span::at(0)));
        }
        Ok(())
    }
}

/// A decimal number with spaces behind it.
fn number(field: Option<&[u8]>) -> Option<u64> {
    std::str::from_utf8(field?).ok()?.trim_end().parse().ok()
}

/// The name that a header's field stands for, and the content without what of
/// it is the name.
fn name(field: &[u8], content: Input, long: Option<&Input>) -> Result<(Vec<u8>, Input), Stop> {
    // BSD: `#1/LENGTH`, and the name before the content.
    if let Some(length) = field.strip_prefix(b"#1/").and_then(|length| number(Some(length))) {
        let name = content.bytes(0, length, 1 << 16)?;
        let end = name.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
        return Ok((name.get(..end).unwrap_or_default().to_vec(), content.tail(length)));
    }
    // GNU: `/OFFSET` into the member `//`, where names end in `/` and a line feed.
    if let (Some(offset), Some(long)) = (field.strip_prefix(b"/").and_then(|offset| number(Some(offset))), long) {
        let rest = long.tail(offset);
        let rest = rest.prefix(1 << 16).all(1 << 16)?;
        let end = memchr::memchr2(b'\n', 0, &rest).unwrap_or(rest.len());
        let name = rest.get(..to_usize(crate::input::to_u64(end))).unwrap_or_default();
        return Ok((name.strip_suffix(b"/").unwrap_or(name).to_vec(), content));
    }
    Ok((field.strip_suffix(b"/").filter(|name| !name.is_empty()).unwrap_or(field).to_vec(), content))
}
