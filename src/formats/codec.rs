//! Decoders for one compressed stream each, by algorithm.

use std::io::{self, BufRead as _, Read};

use crate::formats::stream::{Feed, Lzma};
use crate::input::{to_u64, to_usize};
use crate::limits::Limits;

fn dictionary_kib(limits: &Limits) -> u32 {
    u32::try_from(limits.dictionary_bytes / 1024).unwrap_or(u32::MAX)
}

/// Raw deflate, RFC 1951.
pub(super) fn deflate(feed: Feed, _limits: &Limits) -> io::Result<Box<dyn Read>> {
    Ok(Box::new(Inflate::new(feed, false)))
}

/// Deflate with a window of 64 KiB (APPNOTE 4.4.5, method 9).
pub(super) fn deflate64(feed: Feed, _limits: &Limits) -> io::Result<Box<dyn Read>> {
    Ok(Box::new(deflate64::Deflate64Decoder::with_buffer(feed)))
}

/// zlib, RFC 1950.
pub(super) fn zlib(feed: Feed, _limits: &Limits) -> io::Result<Box<dyn Read>> {
    Ok(Box::new(Inflate::new(feed, true)))
}

/// One gzip member, RFC 1952.
pub(super) fn gzip(mut feed: Feed, limits: &Limits) -> io::Result<Box<dyn Read>> {
    super::gzip::header(&mut feed, limits)?;
    Ok(Box::new(Gzip { inflate: Inflate::new(feed, false), crc: crc32fast::Hasher::new(), length: 0, checked: false }))
}

/// Deflate that loses nothing: what was produced before damage is given out
/// before the error is, and an end that comes too early is an error.
struct Inflate {
    feed: Feed,
    state: flate2::Decompress,
    done: bool,
    failed: Option<String>,
}

impl Inflate {
    fn new(feed: Feed, zlib: bool) -> Self {
        Self { feed, state: flate2::Decompress::new(zlib), done: false, failed: None }
    }
}

impl Read for Inflate {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while !self.done && !buf.is_empty() {
            if let Some(error) = self.failed.take() {
                self.done = true;
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            let (taken, made) = (self.state.total_in(), self.state.total_out());
            let held = self.feed.fill_buf()?;
            let at_end = held.is_empty();
            match self.state.decompress(held, buf, flate2::FlushDecompress::None) {
                Ok(status) => self.done = status == flate2::Status::StreamEnd,
                Err(error) => self.failed = Some(error.to_string()),
            }
            self.feed.consume(to_usize(self.state.total_in().saturating_sub(taken)));
            let made = to_usize(self.state.total_out().saturating_sub(made));
            if made > 0 {
                return Ok(made);
            }
            if at_end && !self.done && self.failed.is_none() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}

/// A gzip member behind its header.
struct Gzip {
    inflate: Inflate,
    crc: crc32fast::Hasher,
    length: u32,
    checked: bool,
}

impl Read for Gzip {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inflate.read(buf)?;
        if n > 0 || buf.is_empty() {
            let made = buf.get(..n).unwrap_or_default();
            self.crc.update(made);
            // ISIZE is the length modulo 2^32.
            self.length = self.length.wrapping_add(u32::try_from(n).unwrap_or(u32::MAX));
            return Ok(n);
        }
        if !self.checked {
            self.checked = true;
            let mut trailer = [0; 8];
            self.inflate.feed.read_exact(&mut trailer)?;
            let [a, b, c, d, length @ ..] = trailer;
            if u32::from_le_bytes([a, b, c, d]) != self.crc.clone().finalize() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the gzip checksum does not fit the content"));
            }
            if u32::from_le_bytes(length) != self.length {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the gzip length does not fit the content"));
            }
        }
        Ok(0)
    }
}

/// One bzip2 stream.
pub(super) fn bzip2(feed: Feed, _limits: &Limits) -> io::Result<Box<dyn Read>> {
    Ok(Box::new(bzip2::bufread::BzDecoder::new(feed)))
}

/// One xz stream.
pub(super) fn xz(feed: Feed, limits: &Limits) -> io::Result<Box<dyn Read>> {
    Ok(Box::new(lzma_rust2::XzReader::new_mem_limit(feed, false, dictionary_kib(limits))))
}

/// An LZMA-alone file: 13 bytes of header, then the stream.
pub(super) fn lzma_alone(feed: Feed, limits: &Limits) -> io::Result<Box<dyn Read>> {
    let stream = lzma_rust2::LzmaStream::new_mem_limit(dictionary_kib(limits), None);
    Ok(Box::new(Lzma::new(feed, stream)))
}

/// LZMA as a zip member has it (APPNOTE 5.8.8): two bytes of version, the
/// length of the properties, the properties, then the stream. `size` is that
/// of the content, or nothing when an end marker says it.
pub(super) fn zip_lzma(mut feed: Feed, size: Option<u64>, limits: &Limits) -> io::Result<Box<dyn Read>> {
    let mut head = [0; 9];
    feed.read_exact(&mut head)?;
    let [_, _, 5, 0, properties, dictionary @ ..] = head else {
        return Err(io::Error::other("LZMA properties are not five bytes long"));
    };
    let dictionary = u32::from_le_bytes(dictionary);
    let needed = lzma_rust2::lzma_get_memory_usage_by_props(dictionary, properties)?;
    let size = size.unwrap_or(u64::MAX);
    if needed > dictionary_kib(limits) && size > limits.dictionary_bytes {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    let stream = lzma_rust2::LzmaStream::new_with_props(size, properties, dictionary, None)?;
    Ok(Box::new(Lzma::new(feed, stream)))
}

/// One Zstandard frame, RFC 8878.
pub(super) fn zstd(feed: Feed, limits: &Limits) -> io::Result<Box<dyn Read>> {
    use ruzstd::decoding::errors::FrameDecoderError;
    let decoder = ruzstd::decoding::StreamingDecoder::new_with_max_window_size(feed, limits.dictionary_bytes);
    match decoder {
        Ok(decoder) => Ok(Box::new(decoder)),
        Err(FrameDecoderError::WindowSizeTooBig { .. }) => Err(io::ErrorKind::OutOfMemory.into()),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// One LZ4 frame.
pub(super) fn lz4(mut feed: Feed, _limits: &Limits) -> io::Result<Box<dyn Read>> {
    let behind = match feed.fill_buf()? {
        // The legacy frame has no end mark.
        [0x02, ..] => None,
        // FLG bit 2: a checksum of the content follows the end mark.
        [_, _, _, _, flags, ..] if flags & 0x04 != 0 => Some(4),
        _ => Some(0),
    };
    Ok(Box::new(Lz4 { inner: lz4_flex::frame::FrameDecoder::new(feed), behind, done: false }))
}

/// `lz4_flex` goes on to the next frame when it is asked again after the end,
/// and takes the end of its input for the end of the frame.
struct Lz4 {
    inner: lz4_flex::frame::FrameDecoder<Feed>,
    /// Bytes of the frame behind its end mark, when it has one.
    behind: Option<u64>,
    done: bool,
}

impl Read for Lz4 {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.done {
            return Ok(0);
        }
        let n = self.inner.read(buf)?;
        if n == 0 && !buf.is_empty() {
            self.done = true;
            // The end mark is a block of length zero.
            if let Some(behind) = self.behind
                && self.inner.get_ref().consumed(behind.saturating_add(4))? != [0; 4]
            {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(n)
    }
}

/// Whether the first bytes of `data` decode without a contradiction: tells
/// a stream from bytes that only begin like one.
pub(super) fn plausible(open: super::stream::Open, data: &[u8]) -> bool {
    let limits = Limits::default();
    let input = crate::input::Input::from(data.get(..4096).unwrap_or(data));
    let feed = Feed::new(&input, std::rc::Rc::new(std::cell::Cell::new(0)));
    let Ok(mut reader) = open(feed, &limits) else { return false };
    let mut block = [0; 4096];
    let mut produced = 0;
    while produced < to_u64(block.len()) {
        match reader.read(&mut block) {
            Ok(0) => return produced > 0,
            Ok(n) => produced = produced.saturating_add(to_u64(n)),
            // Cut off, but nothing was wrong until then.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return produced > 0,
            Err(_) => return false,
        }
    }
    true
}
