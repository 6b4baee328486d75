//! Compressed streams: reading them out of an [`Input`] while knowing where
//! each one ends, several in a row, and what is left behind them.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::input::{Cursor, Input, to_u64, to_usize};
use crate::limits::Limits;
use crate::stop::Stop;

/// Compressed bytes held at a time. Decoders take a few kilobytes per call.
const BLOCK: usize = 64 * 1024;

/// Feeds an input to a decoder. Every clone of its position says exactly how
/// much the decoder has consumed, whatever it keeps inside.
pub(super) struct Feed {
    input: Input,
    block: Vec<u8>,
    at: usize,
    position: Rc<Cell<u64>>,
}

impl Feed {
    /// Feeds `input` from where `position` points; consuming moves it.
    pub(super) fn new(input: &Input, position: Rc<Cell<u64>>) -> Self {
        Self { input: input.clone(), block: Vec::new(), at: 0, position }
    }

    /// The four bytes that stand `back` bytes before the position.
    pub(super) fn consumed(&self, back: u64) -> io::Result<[u8; 4]> {
        let mut bytes = [0xff; 4];
        if let Some(at) = self.position.get().checked_sub(back) {
            self.input.read_at(at, &mut bytes).map_err(io::Error::other)?;
        }
        Ok(bytes)
    }

    /// Gives back `n` bytes that a decoder took and did not need.
    fn give_back(&mut self, n: usize) {
        self.position.set(self.position.get().saturating_sub(to_u64(n)));
        self.block.clear();
        self.at = 0;
    }
}

impl BufRead for Feed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let position = self.position.get();
        if let Some(whole) = self.input.as_slice() {
            return Ok(whole.get(to_usize(position)..).unwrap_or_default());
        }
        if self.at >= self.block.len() {
            self.block.resize(BLOCK, 0);
            let n = self.input.read_at(position, &mut self.block).map_err(io::Error::other)?;
            self.block.truncate(n);
            self.at = 0;
        }
        Ok(self.block.get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, n: usize) {
        self.at = self.at.saturating_add(n);
        self.position.set(self.position.get().saturating_add(to_u64(n)));
    }
}

impl Read for Feed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let held = self.fill_buf()?;
        let n = held.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), held.get(..n)) {
            to.copy_from_slice(from);
        }
        self.consume(n);
        Ok(n)
    }
}

/// Opens the decoder of one stream at the feed's position.
pub(super) type Open = fn(Feed, &Limits) -> io::Result<Box<dyn Read>>;

/// What a compressed file format is.
pub(super) struct Wrapper {
    /// Its name.
    pub format: &'static str,
    /// File name endings that it adds, and what the name ends in without it.
    pub extensions: &'static [(&'static str, &'static str)],
    /// Whether a stream begins with these bytes.
    pub begins: fn(&[u8]) -> bool,
    /// The decoder of one stream.
    pub open: Open,
    /// Whether readers of the format read one stream after another as one.
    pub several: bool,
    /// Where something begins that decoders pass over: how long its head is,
    /// and how long what follows the head.
    pub skipped: fn(&[u8]) -> Option<(u64, u64)>,
}

/// The decompressed bytes of streams that follow one another, zero bytes
/// between them passed over.
struct Streams<'w> {
    wrapper: &'w Wrapper,
    limits: &'w Limits,
    input: Input,
    position: Rc<Cell<u64>>,
    current: Option<Box<dyn Read>>,
    opened: u64,
    /// Where the current stream began.
    started: u64,
    /// What decoders pass over, by offset and length.
    skipped: Vec<(u64, u64)>,
}

impl Streams<'_> {
    /// Opens the next stream when there is one.
    fn next(&mut self) -> io::Result<Option<Box<dyn Read>>> {
        let at = loop {
            if self.opened > 0 && !self.wrapper.several {
                return Ok(None);
            }
            let at = after_zeros(&self.input, self.position.get()).map_err(io::Error::other)?;
            let mut head = [0; 32];
            let n = self.input.read_at(at, &mut head).map_err(io::Error::other)?;
            let head = head.get(..n).unwrap_or_default();
            // Opening costs time and yields nothing by itself.
            self.opened = self.opened.saturating_add(1);
            if self.opened > self.limits.artifacts {
                return Err(io::Error::other(Stop::Limit { offset: at, limit: "artifacts" }));
            }
            if let Some((before, length)) = (self.wrapper.skipped)(head) {
                let start = at.saturating_add(before);
                let end = start.saturating_add(length);
                if end > self.input.len() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.skipped.push((start, length));
                self.position.set(end);
                continue;
            }
            if !(self.wrapper.begins)(head) {
                return Ok(None);
            }
            break at;
        };
        self.position.set(at);
        let opened = (self.wrapper.open)(Feed::new(&self.input, Rc::clone(&self.position)), self.limits)?;
        self.started = at;
        Ok(Some(opened))
    }
}

impl Read for Streams<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut stream = match self.current.take() {
                Some(stream) => stream,
                None => match self.next()? {
                    Some(stream) => stream,
                    None => return Ok(0),
                },
            };
            let n = stream.read(buf)?;
            if n > 0 {
                self.current = Some(stream);
                return Ok(n);
            }
            // A stream takes at least its own mark, or there is no end to them.
            if self.position.get() <= self.started && !buf.is_empty() {
                return Ok(0);
            }
        }
    }
}

/// Where the first byte that is not zero stands, from `offset` on.
pub(super) fn after_zeros(input: &Input, offset: u64) -> Result<u64, Stop> {
    let mut cursor = Cursor::at(input, offset);
    loop {
        cursor.fill(1)?;
        let held = cursor.buffered();
        if held.is_empty() {
            return Ok(input.len());
        }
        match held.iter().position(|byte| *byte != 0) {
            Some(at) => return Ok(cursor.position().saturating_add(to_u64(at))),
            None => {
                let n = to_u64(held.len());
                cursor.skip(n)?;
            }
        }
    }
}

/// Reads a file of compressed streams: its content as one child, then whatever
/// stands behind the last stream.
pub(super) fn unwrap(wrapper: &Wrapper, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let position = Rc::new(Cell::new(0));
    let limits = cx.limits();
    let mut streams = Streams {
        wrapper,
        limits,
        input: input.clone(),
        position: Rc::clone(&position),
        current: None,
        opened: 0,
        started: 0,
        skipped: Vec::new(),
    };
    let (content, stop) = cx.inflate(&mut streams, input.len(), 0);
    let skipped = std::mem::take(&mut streams.skipped);
    let name = inner_name(cx.name(), wrapper.extensions);
    if !content.is_empty() || stop.is_none() {
        content_child(cx, &name, content)?;
    }
    for (offset, length) in skipped {
        if length > 0 {
            cx.data(&format!("skipped frame @ {offset:#x}"), input.window(offset, length)?)?;
        }
    }
    let end = position.get();
    if let Some(stop) = stop {
        bomb(&stop, cx);
        return Err(at_offset(stop, end, input.len()));
    }
    trailing(wrapper.format, input, end, cx)
}

/// The content of streams that follow one another in `input`, as one.
pub(super) fn joined<'w>(wrapper: &'w Wrapper, input: &Input, limits: &'w Limits) -> impl Read + 'w {
    Streams {
        wrapper,
        limits,
        input: input.clone(),
        position: Rc::new(Cell::new(0)),
        current: None,
        opened: 0,
        started: 0,
        skipped: Vec::new(),
    }
}

/// Content that is nothing but zeros, or nothing at all, needs no reader.
fn content_child(cx: &mut Cx<'_, '_>, name: &str, content: Input) -> Result<(), Stop> {
    if content.is_empty() { cx.data(name, content) } else { cx.child(name, content) }
}

/// Says that `stop` was the bound on decompression.
pub(super) fn bomb(stop: &Stop, cx: &mut Cx<'_, '_>) {
    if let Stop::Limit { offset, limit: limit @ ("inflate-ratio" | "inflated-bytes") } = stop {
        cx.push(Evidence::new(Kind::ContainerAnomaly, "bomb", Span::at(*offset)).with("detail", *limit));
    }
}

/// The stop with the offset that it happened at. A decoder that fails where the
/// input ends was cut off, whatever it calls that.
fn at_offset(stop: Stop, at: u64, len: u64) -> Stop {
    match stop {
        Stop::Malformed { .. } if at >= len => Stop::Truncated { offset: len, needed: 1 },
        Stop::Malformed { what, .. } => Stop::Malformed { offset: at, what },
        Stop::Truncated { needed, .. } => Stop::Truncated { offset: at, needed },
        other => other,
    }
}

/// Examines what stands behind the end of a format's content; zeros are padding.
pub(super) fn trailing(format: &'static str, input: &Input, end: u64, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    if after_zeros(input, end)? >= input.len() {
        return Ok(());
    }
    let rest = input.tail(end);
    cx.push(
        Evidence::new(Kind::BytesUnexplained, "after", Span::new(end, rest.len()))
            .with("length", rest.len().to_string())
            .with("of", format),
    );
    cx.data(&format!("bytes after the {format} data @ {end:#x}"), rest)
}

/// The name of the content: the last part of the wrapper's, without its ending.
pub(super) fn inner_name(name: &str, extensions: &[(&str, &str)]) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let lower = base.to_lowercase();
    for (ending, instead) in extensions {
        // Lower case can change a name's length; then its ending is not ASCII.
        if lower.ends_with(ending)
            && let Some(stem) = base.len().checked_sub(ending.len()).and_then(|to| base.get(..to))
            && !stem.is_empty()
        {
            return format!("{stem}{instead}");
        }
    }
    base.to_owned()
}

/// LZMA without a container: `lzma_rust2`'s push decoder over a [`Feed`], which
/// says exactly where the stream ends.
pub(super) struct Lzma {
    feed: Feed,
    stream: lzma_rust2::LzmaStream,
    done: bool,
}

impl Lzma {
    /// Over `stream`, fed from `feed`.
    pub(super) fn new(feed: Feed, stream: lzma_rust2::LzmaStream) -> Self {
        Self { feed, stream, done: false }
    }
}

impl Read for Lzma {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while !self.done && !buf.is_empty() {
            let held = self.feed.fill_buf()?;
            let at_end = held.is_empty();
            let action = if at_end { lzma_rust2::Action::Finish } else { lzma_rust2::Action::Run };
            let made = self.stream.process(held, buf, action)?;
            self.feed.consume(made.bytes_consumed);
            if made.status == lzma_rust2::Status::StreamEnd {
                self.done = true;
                let unused = self.stream.unused_input().len();
                self.feed.give_back(unused);
            }
            if made.bytes_produced > 0 {
                return Ok(made.bytes_produced);
            }
            if at_end && !self.done {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}
