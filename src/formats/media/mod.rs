//! Pictures, sound, video, fonts, documents: what lies beside models. Their
//! structure is walked as far as it takes to see what is put behind it.

mod walk;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::stop::Stop;

/// Reads media files: see [`Format`].
#[derive(Debug)]
pub struct Media;

/// The kind of media by its signature.
fn kind(first: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, magic: &[u8]| first.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    Some(match first {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => "png",
        [0xff, 0xd8, 0xff, ..] => "jpeg",
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => "gif",
        [b'R', b'I', b'F', b'F', ..] if at(8, b"WEBP") || at(8, b"WAVE") || at(8, b"AVI ") => "riff",
        [b'B', b'M', ..] if at(6, b"\0\0\0\0") && first.len() > 26 => "bmp",
        [0, 0, 1 | 2, 0, count, 0, ..] if *count > 0 && *count < 64 && first.get(9) == Some(&0) => "ico",
        [b'I', b'D', b'3', 2..=4, ..] => "mp3",
        [0xff, 0xfb | 0xf3 | 0xfa | 0xf2, ..] if first.len() > 512 => "mp3",
        [b'f', b'L', b'a', b'C', ..] => "flac",
        [b'O', b'g', b'g', b'S', 0, ..] => "ogg",
        [0, 0, 0, _, b'f', b't', b'y', b'p', ..] => "mp4",
        [0x1a, 0x45, 0xdf, 0xa3, ..] => "matroska",
        [0, 1, 0, 0, 0, tables, ..] if *tables > 0 && *tables < 64 && first.len() > 12 && is_table(first) => "font",
        [b'O', b'T', b'T', b'O', 0, ..] | [b't', b't', b'c', b'f', 0, ..] | [b'w', b'O', b'F', b'F' | b'2', ..] => {
            "font"
        }
        [b'%', b'P', b'D', b'F', b'-', ..] => "pdf",
        [b'I', b'I', 0x2a, 0, ..] | [b'M', b'M', 0, 0x2a, ..] => "tiff",
        [b'8', b'B', b'P', b'S', 0, ..] => "psd",
        [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] => "jpeg2000",
        [0x76, 0x2f, 0x31, 0x01, ..] => "exr",
        [b'F', b'O', b'R', b'M', ..] if at(8, b"AIF") => "aiff",
        [b'.', b's', b'n', b'd', 0, ..] => "au",
        [b'M', b'T', b'h', b'd', 0, 0, 0, 6, ..] => "midi",
        [b'P', b'4'..=b'6', b'\n' | b' ', b'0'..=b'9' | b'#', ..] => "pnm",
        [b'#', b'?', b'R', b'A', b'D', b'I', b'A', b'N', b'C', b'E', ..] => "hdr",
        _ => return None,
    })
}

/// The first table's tag of an OpenType font is four printable characters.
fn is_table(first: &[u8]) -> bool {
    first.get(12..16).is_some_and(|tag| tag.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' '))
}

impl Format for Media {
    fn name(&self) -> &'static str {
        "media"
    }

    fn about(&self) -> About {
        About {
            title: "Pictures, sound, video, fonts and PDF",
            extensions: &[".png", ".jpg", ".gif", ".webp", ".wav", ".mp3", ".mp4", ".ttf", ".pdf"],
            reads: "the structure, where it says how long the file should be; what follows it",
            leaves_out: "the picture, the sound",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if kind(head.first).is_some() { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let first = input.prefix(64).all(64)?;
        let kind =
            kind(&first).or_else(|| if first.starts_with(&[0xff]) { Some("mp3") } else { None }).unwrap_or("media");
        let end = match kind {
            "png" => walk::png(input, cx)?,
            "jpeg" => walk::jpeg(input, cx)?,
            "gif" => walk::gif(input, cx)?,
            "riff" => walk::riff(input)?,
            "bmp" => walk::bmp(input)?,
            _ => return Ok(()),
        };
        let after = input.len().saturating_sub(end);
        if after > 0 && !is_padding(input, end)? {
            cx.push(
                Evidence::new(Kind::BytesUnexplained, "after", Span::new(end, after))
                    .with("length", after.to_string())
                    .with("of", kind),
            );
            cx.behind("after the end", input, end)?;
        }
        Ok(())
    }
}

/// Whether what follows `end` is short and all zero or white space.
fn is_padding(input: &Input, end: u64) -> Result<bool, Stop> {
    const SHOWN: u64 = 4096;
    let tail = input.tail(end);
    let bytes = tail.prefix(SHOWN).all(SHOWN)?;
    Ok(tail.len() <= SHOWN && bytes.iter().all(|byte| *byte == 0 || byte.is_ascii_whitespace()))
}
