//! 7z archives, by the `sevenz-rust2` library, behind a look of our own at how
//! much it would be asked to hold.

mod wire;

use std::io::Read as _;

use serde_json::Value;
use sevenz_rust2::{Archive, ArchiveEntry, Block, BlockDecoder, EncoderMethod, Error, Password};

use crate::engine::Cx;
use crate::evidence::Span;
use crate::formats::members::{self, Names};
use crate::formats::stream;
use crate::formats::{About, Format, Head, Match, zstd};
use crate::input::Input;
use crate::inspect::MEMBERS;
use crate::stop::Stop;

/// Reads 7z archives: see [`Format`].
#[derive(Debug)]
pub struct SevenZ;

impl Format for SevenZ {
    fn name(&self) -> &'static str {
        "sevenz"
    }

    fn about(&self) -> About {
        About {
            title: "7z (7zFormat.txt of the LZMA SDK)",
            extensions: &[".7z"],
            reads: "names, links, and the content of every member, solid or not: copy, LZMA, LZMA2, bzip2, deflate, \
                    LZ4, Zstandard, branch filters, delta",
            leaves_out: "encrypted members and headers, PPMd (its memory can't be bounded), Zstandard behind a filter, Brotli, archives in several files",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if head.starts_with(wire::SIGNATURE) { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let end = wire::check(input, cx.limits())?;
        let password = Password::empty();
        let archive = Archive::read(&mut input.reader(), &password).map_err(|error| stop(&error))?;
        let mut names = Names::default();
        let blocks = if cx.describes() { blocks(&archive) } else { Vec::new() };
        for (index, file) in archive.files.iter().enumerate() {
            cx.charge(1, 0)?;
            cx.row("members", MEMBERS, || {
                let block = archive.stream_map.file_block_index.get(index).copied().flatten();
                let [method, stored, offset] = block.and_then(|block| blocks.get(block).cloned()).unwrap_or_default();
                vec![file.name().into(), method, file.size.into(), stored, offset]
            });
            let name = file.name().as_bytes();
            members::check_name(cx, name, Span::at(0));
            if !file.is_directory() && !is_link(file.windows_attributes()) {
                // Only the checksum tells members of one name apart.
                let content = if file.has_crc { file.crc } else { 0 };
                names.member(cx, name, content, Span::at(0));
            }
            if file.has_stream && file.size > 0 || file.is_directory() {
                continue;
            }
            cx.data(file.name(), Vec::new().into())?;
        }
        for index in 0..archive.blocks.len() {
            block(input, &archive, index, &mut names, cx)?;
        }
        stream::trailing("sevenz", input, end, cx)
    }
}

/// Of each block how it is packed, into how many bytes and where they begin;
/// how many is told of a block with one member only, since several share it.
fn blocks(archive: &Archive) -> Vec<[Value; 3]> {
    let map = &archive.stream_map;
    let first = |block: usize| map.block_first_pack_stream_index().get(block).copied();
    let mut members = vec![0_u32; archive.blocks.len()];
    for block in map.file_block_index.iter().flatten() {
        if let Some(count) = members.get_mut(*block) {
            *count = count.saturating_add(1);
        }
    }
    let of = |(index, block): (usize, &Block)| {
        let mut names: Vec<&str> = block
            .ordered_coder_iter()
            .map(|(_, coder)| EncoderMethod::by_id(coder.encoder_method_id()).map_or("unknown", |method| method.name()))
            .collect();
        // As they were applied: the last to unpack has packed first.
        names.reverse();
        let from = first(index).unwrap_or(usize::MAX);
        let until = first(index.saturating_add(1)).unwrap_or(archive.pack_sizes().len());
        let stored =
            archive.pack_sizes().get(from..until).map(|sizes| sizes.iter().fold(0, |a: u64, b| a.saturating_add(*b)));
        let stored = stored.filter(|_| members.get(index) == Some(&1));
        let offset = map
            .pack_stream_offsets()
            .get(from)
            .map(|offset| wire::SIGNATURE_HEADER_LENGTH.saturating_add(archive.pack_pos()).saturating_add(*offset));
        [names.join(" ").into(), stored.into(), offset.into()]
    };
    archive.blocks.iter().enumerate().map(of).collect()
}

/// Examines the members of one block, which are compressed together.
fn block(input: &Input, archive: &Archive, index: usize, names: &mut Names, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    if let Some(packed) = zstd_stream(input, archive, index) {
        return zstd_block(&packed?, archive, index, names, cx);
    }
    let password = Password::empty();
    let mut source = input.reader();
    let decoder = BlockDecoder::new(1, index, archive, &password, &mut source);
    let mut stopped = None;
    let outcome = decoder.for_each_entries(&mut |file, reader| {
        if file.is_directory() || !file.has_stream || file.size == 0 {
            return Ok(true);
        }
        let (content, failed) = cx.inflate(reader, input.len(), 0);
        let whole = failed.is_none();
        stopped = member(file, content, failed, names, cx).err();
        Ok(stopped.is_none() && whole)
    });
    if let Some(stopped) = stopped {
        return Err(stopped);
    }
    if let Err(error) = outcome {
        cx.gap(&stop(&error));
    }
    Ok(())
}

/// Examines what was unpacked of a member.
fn member(
    file: &ArchiveEntry,
    content: Input,
    failed: Option<Stop>,
    names: &mut Names,
    cx: &mut Cx<'_, '_>,
) -> Result<(), Stop> {
    if let Some(failed) = &failed {
        stream::bomb(failed, cx);
        cx.gap(failed);
    }
    if is_link(file.windows_attributes()) {
        let bound = cx.limits().string_bytes;
        let target = content.prefix(bound).all(bound)?;
        names.link(cx, file.name().as_bytes(), &target, true, Span::at(0));
        return cx.data(file.name(), content);
    }
    cx.child(file.name(), content)
}

/// The packed bytes of a block that Zstandard alone has packed. The library has
/// a decoder for it in C only.
fn zstd_stream(input: &Input, archive: &Archive, index: usize) -> Option<Result<Input, Stop>> {
    let mut coders = archive.blocks.get(index)?.ordered_coder_iter();
    let (_, coder) = coders.next()?;
    if coder.encoder_method_id() != EncoderMethod::ID_ZSTD || coders.next().is_some() {
        return None;
    }
    let map = &archive.stream_map;
    let first = *map.block_first_pack_stream_index().get(index)?;
    let offset = archive.pack_pos().checked_add(*map.pack_stream_offsets().get(first)?)?;
    let size = *archive.pack_sizes().get(first)?;
    Some(input.window(wire::SIGNATURE_HEADER_LENGTH.checked_add(offset)?, size))
}

fn zstd_block(
    packed: &Input,
    archive: &Archive,
    index: usize,
    names: &mut Names,
    cx: &mut Cx<'_, '_>,
) -> Result<(), Stop> {
    let mut unpacked = stream::joined(&zstd::WRAPPER, packed, cx.limits());
    let files = archive.files.iter().zip(&archive.stream_map.file_block_index);
    for (file, _) in files.filter(|(file, block)| **block == Some(index) && file.has_stream && file.size > 0) {
        let (content, failed) = cx.inflate(&mut unpacked.by_ref().take(file.size), packed.len(), 0);
        let missing = file.size.saturating_sub(content.len());
        let failed = failed.or((missing > 0).then_some(Stop::Truncated { offset: packed.len(), needed: missing }));
        let whole = failed.is_none();
        member(file, content, failed, names, cx)?;
        if !whole {
            break;
        }
    }
    Ok(())
}

/// p7zip keeps the Unix mode in the upper half of the attributes.
fn is_link(attributes: u32) -> bool {
    attributes & 0x8000 != 0 && (attributes >> 16) & 0o170_000 == 0o120_000
}

fn stop(error: &Error) -> Stop {
    match error {
        Error::PasswordRequired | Error::MaybeBadPassword(_) => encrypted(),
        // The library knows the method and was built without it.
        Error::UnsupportedCompressionMethod(method) if method.contains("AES") => encrypted(),
        Error::UnsupportedCompressionMethod(method) => Stop::unsupported(0, format!("7z method {method}")),
        Error::Unsupported(what) => Stop::unsupported(0, what.clone()),
        Error::Io(error, _) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Stop::Truncated { offset: 0, needed: 1 }
        }
        other => Stop::malformed(0, format!("7z: {other}")),
    }
}

fn encrypted() -> Stop {
    Stop::Encrypted { offset: 0, what: "the 7z archive".into() }
}
