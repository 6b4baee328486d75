//! `multipart/form-data` (RFC 7578), as it comes: memory for one piece of the
//! body and one header, whatever the sender does.

use memchr::memmem;

/// Bytes of one part's header.
const HEADER_BYTES: usize = 16 << 10;

/// Bytes of a boundary (RFC 2046 5.1.1).
const BOUNDARY_BYTES: usize = 70;

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A part begins; the name of its file, when it is one.
    Part(Option<String>),
    /// Bytes of the part.
    Data(Vec<u8>),
    /// All parts have come.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Preamble,
    Header,
    Data,
    Delimiter,
    End,
}

/// A reader of one body.
#[derive(Debug)]
pub(super) struct Multipart {
    /// CRLF, two hyphens, and the boundary.
    delimiter: Vec<u8>,
    /// What has come and not been used.
    held: Vec<u8>,
    state: State,
}

impl Multipart {
    /// A reader for a body of this content type, when it is `multipart/form-data`
    /// with a boundary.
    pub(super) fn new(content_type: &str) -> Option<Self> {
        let (kind, parameters) = content_type.split_once(';')?;
        let boundary = parameter(parameters, "boundary")?;
        let sound = (1..=BOUNDARY_BYTES).contains(&boundary.len());
        if !kind.trim().eq_ignore_ascii_case("multipart/form-data") || !sound {
            return None;
        }
        // The first delimiter may stand at the very beginning.
        let held = b"\r\n".to_vec();
        Some(Self { delimiter: format!("\r\n--{boundary}").into_bytes(), held, state: State::Preamble })
    }

    /// Takes a piece of the body.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.held.extend_from_slice(piece);
    }

    /// What has come, if anything has.
    ///
    /// # Errors
    /// In words, when it is no such body.
    pub(super) fn next(&mut self) -> Result<Option<Event>, &'static str> {
        loop {
            match self.state {
                State::Preamble | State::Data => {
                    let found = memmem::find(&self.held, &self.delimiter);
                    // A delimiter may have come in part.
                    let keep = self.delimiter.len().saturating_sub(1);
                    let until = found.unwrap_or(self.held.len().saturating_sub(keep));
                    let before: Vec<u8> = self.held.drain(..until).collect();
                    let wanted = self.state == State::Data && !before.is_empty();
                    if found.is_some() {
                        self.held.drain(..self.delimiter.len());
                        self.state = State::Delimiter;
                    }
                    match (wanted, found) {
                        (true, _) => return Ok(Some(Event::Data(before))),
                        (false, None) => return Ok(None),
                        (false, Some(_)) => {}
                    }
                }
                State::Delimiter => {
                    if self.held.starts_with(b"--") {
                        self.state = State::End;
                        return Ok(Some(Event::End));
                    }
                    match memmem::find(&self.held, b"\r\n") {
                        Some(at) if self.held.iter().take(at).all(|byte| matches!(byte, b' ' | b'\t')) => {
                            // The line's end stays: a header without fields is it and another.
                            self.held.drain(..at);
                            self.state = State::Header;
                        }
                        None if self.held.len() < BOUNDARY_BYTES => return Ok(None),
                        _ => return Err("a delimiter is followed by something else"),
                    }
                }
                State::Header => {
                    let Some(at) = memmem::find(&self.held, b"\r\n\r\n") else {
                        return if self.held.len() > HEADER_BYTES {
                            Err("a part's header is too long")
                        } else {
                            Ok(None)
                        };
                    };
                    if at > HEADER_BYTES {
                        return Err("a part's header is too long");
                    }
                    let header: Vec<u8> = self.held.drain(..at + 4).collect();
                    self.state = State::Data;
                    return Ok(Some(Event::Part(file_name(&header))));
                }
                State::End => return Ok(None),
            }
        }
    }

    /// Whether all parts have come.
    pub(super) fn is_over(&self) -> bool {
        self.state == State::End
    }
}

/// The name of the file that a part with this header is.
fn file_name(header: &[u8]) -> Option<String> {
    let header = String::from_utf8_lossy(header);
    let fields = header.split("\r\n").filter_map(|line| line.split_once(':'));
    let mut dispositions = fields.filter(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition"));
    let (_, value) = dispositions.next()?;
    let (_, parameters) = value.split_once(';')?;
    parameter(parameters, "filename")
}

/// The value of a parameter in `; name=value; name="value"`.
fn parameter(text: &str, wanted: &str) -> Option<String> {
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim_start_matches([';', ' ', '\t']).trim_end();
        let (value, left) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = after.find(';').unwrap_or(after.len());
                let (value, left) = after.split_at(end);
                (value.trim().to_owned(), left)
            }
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = left;
    }
}

/// A string up to its closing quote, and what follows.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return Some((value, quoted.get(at + 1..)?)),
            _ => {
                // Browsers send a backslash of a Windows path as it is.
                if escaped && c != '"' && c != '\\' {
                    value.push('\\');
                }
                value.push(c);
                escaped = false;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Event, Multipart};

    const BODY: &[u8] = b"preamble\r\n--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n\
        --b \r\nContent-Type: x/y\r\ncontent-disposition: form-data; name=\"f\"; filename=\"a \\\"b\\\".pkl\"\r\n\r\n\
        \r\n--c\r\n-data\r\n--b\r\n\r\n\r\n--b--\r\nepilogue";

    /// File name and content of a part.
    type Part = (Option<String>, Vec<u8>);

    /// All events of `body` when it comes in pieces of this size, data joined;
    /// and whether it is over.
    fn read(body: &[u8], size: usize) -> Result<(Vec<Part>, bool), &'static str> {
        let mut reader = Multipart::new("multipart/form-data; charset=x; boundary=\"b\"").expect("a boundary");
        let mut parts: Vec<Part> = Vec::new();
        for piece in body.chunks(size) {
            reader.push(piece);
            while let Some(event) = reader.next()? {
                match event {
                    Event::Part(name) => parts.push((name, Vec::new())),
                    Event::Data(data) => parts.last_mut().expect("a part").1.extend(data),
                    Event::End => {}
                }
            }
        }
        Ok((parts, reader.is_over()))
    }

    #[test]
    fn parts_are_the_same_in_pieces_of_any_size() {
        let wanted = vec![
            (None, b"hello".to_vec()),
            (Some("a \"b\".pkl".to_owned()), b"\r\n--c\r\n-data".to_vec()),
            (None, Vec::new()),
        ];
        for size in 1..BODY.len() {
            assert_eq!(read(BODY, size), Ok((wanted.clone(), true)), "{size}");
        }
        for end in 0..BODY.len() - "\r\nepilogue".len() {
            assert!(read(&BODY[..end], 7).is_ok_and(|(_, over)| !over), "cut at {end}");
        }
    }

    #[test]
    fn what_is_no_such_body_is_refused() {
        assert!(read(b"--bx\r\n\r\n", 100).is_err());
        let mut long = b"--b\r\n".to_vec();
        long.extend(vec![b'x'; 20 << 10]);
        assert!(read(&long, 1000).is_err());
        for kind in [
            "text/plain; boundary=b",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; x=\"b",
        ] {
            assert!(Multipart::new(kind).is_none(), "{kind}");
        }
    }
}
