//! A store on loopback that speaks as much of S3 as a sweep needs, and fails as
//! stores fail: late, wrongly, in the middle, or by having another object.

#![allow(dead_code, reason = "tests and benchmark need different parts")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What goes wrong with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Every answer is an error of the server.
    Error,
    /// The first `n` answers are.
    ErrorsAtFirst(usize),
    /// The body ends early, and so does the connection.
    Short,
    /// The body is shorter than what was asked for, and says so.
    ShortAndSaysSo,
    /// The answer takes longer than anyone waits.
    Late,
    /// After the first answer, it is another object.
    Replaced,
    /// The same, from a store that does not look at conditions.
    ReplacedUnasked,
    /// The server sends the bytes of another range.
    OtherRange,
    /// It is gone.
    Missing,
}

pub const FAULTS: [Fault; 8] = [
    Fault::Error,
    Fault::Short,
    Fault::ShortAndSaysSo,
    Fault::Late,
    Fault::Replaced,
    Fault::ReplacedUnasked,
    Fault::OtherRange,
    Fault::Missing,
];

/// Bytes at an offset.
type Content = Arc<dyn Fn(u64, &mut [u8]) + Send + Sync>;

#[derive(Clone)]
pub struct Stored {
    pub len: u64,
    content: Content,
    pub etag: String,
    pub fault: Option<Fault>,
    answers: usize,
}

impl From<crate::sparse::Sparse> for Stored {
    fn from(sparse: crate::sparse::Sparse) -> Self {
        Self::sparse(sparse.len, sparse.parts)
    }
}

impl Stored {
    pub fn new(bytes: Vec<u8>) -> Self {
        let etag = format!("\"{:08x}-{}\"", crc32fast::hash(&bytes), bytes.len());
        let len = bytes.len() as u64;
        let content = move |offset: u64, to: &mut [u8]| {
            let from = usize::try_from(offset).expect("small");
            to.copy_from_slice(&bytes[from..from + to.len()]);
        };
        Self { len, content: Arc::new(content), etag, fault: None, answers: 0 }
    }

    /// `parts` where they are, and zeros around them.
    pub fn sparse(len: u64, parts: BTreeMap<u64, Vec<u8>>) -> Self {
        let content = move |offset: u64, to: &mut [u8]| {
            to.fill(0);
            let end = offset + to.len() as u64;
            for (at, bytes) in parts.range(..end) {
                let (from, upto) = (offset.max(*at), end.min(at + bytes.len() as u64));
                if from < upto {
                    let here = |place: u64, base: u64| usize::try_from(place - base).expect("small");
                    to[here(from, offset)..here(upto, offset)]
                        .copy_from_slice(&bytes[here(from, *at)..here(upto, *at)]);
                }
            }
        };
        Self { len, content: Arc::new(content), etag: "\"sparse\"".to_owned(), fault: None, answers: 0 }
    }

    /// The same with `bytes` at `at`.
    pub fn over(mut self, at: u64, bytes: &[u8]) -> Self {
        let (below, bytes) = (self.content, bytes.to_vec());
        self.content = Arc::new(move |offset, to| {
            below(offset, to);
            let from = usize::try_from(at.saturating_sub(offset)).expect("small").min(to.len());
            let skipped = usize::try_from(offset.saturating_sub(at)).expect("small").min(bytes.len());
            let shown = &bytes[skipped..];
            let length = shown.len().min(to.len() - from);
            to[from..from + length].copy_from_slice(&shown[..length]);
        });
        self
    }

    /// All of it.
    pub fn all(&self) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(self.len).expect("small")];
        (self.content)(0, &mut bytes);
        bytes
    }

    pub fn with(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }
}

#[derive(Default)]
struct Shelf {
    objects: BTreeMap<String, Stored>,
    /// Keys that were asked for, in order.
    got: Vec<String>,
    sent: u64,
    listings: usize,
    delay: Duration,
}

/// The store; its one bucket is called `bucket`.
pub struct Store {
    shelf: Arc<Mutex<Shelf>>,
    pub endpoint: String,
}

impl Store {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let served = Arc::clone(&shelf);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shelf = Arc::clone(&served);
                std::thread::spawn(move || serve(stream, &shelf));
            }
        });
        Self { shelf, endpoint }
    }

    pub fn put(&self, key: &str, object: Stored) {
        self.shelf.lock().expect("whole").objects.insert(key.to_owned(), object);
    }

    pub fn remove(&self, key: &str) {
        self.shelf.lock().expect("whole").objects.remove(key);
    }

    /// Every answer about an object takes this long.
    pub fn delay(&self, delay: Duration) {
        self.shelf.lock().expect("whole").delay = delay;
    }

    /// The keys that were read since the last time, and how many bytes were sent.
    pub fn got(&self) -> (Vec<String>, u64) {
        let mut shelf = self.shelf.lock().expect("whole");
        (std::mem::take(&mut shelf.got), std::mem::take(&mut shelf.sent))
    }
}

struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    range: Option<(u64, u64)>,
    if_match: Option<String>,
}

fn serve(stream: TcpStream, shelf: &Mutex<Shelf>) {
    stream.set_nodelay(true).expect("set");
    let mut reader = BufReader::new(stream.try_clone().expect("cloned"));
    let mut stream = stream;
    while let Some(request) = read(&mut reader) {
        let went_on = if request.path == "/bucket" || request.path == "/bucket/" {
            list(&request, shelf, &mut stream)
        } else {
            object(&request, shelf, &mut stream)
        };
        if went_on.is_none() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name.to_owned(), decode(value))
    });
    let mut request = Request { method, path: decode(path), query: query.collect(), range: None, if_match: None };
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        let value = value.trim();
        match name.to_lowercase().as_str() {
            "range" => {
                let (from, to) = value.strip_prefix("bytes=")?.split_once('-')?;
                request.range = Some((from.parse().ok()?, to.parse::<u64>().ok()?));
            }
            "if-match" => request.if_match = Some(value.to_owned()),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink()).ok()?;
    Some(request)
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

fn answer(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> Option<()> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).ok()
}

fn list(request: &Request, shelf: &Mutex<Shelf>, stream: &mut TcpStream) -> Option<()> {
    let mut shelf = shelf.lock().expect("whole");
    shelf.listings += 1;
    let of = |name: &str| request.query.get(name).cloned().unwrap_or_default();
    let (prefix, after) = (of("prefix"), of("continuation-token").max(of("start-after")));
    let most = of("max-keys").parse().unwrap_or(1000);
    let mut found = shelf.objects.iter().filter(|(key, _)| key.starts_with(&prefix) && **key > after);
    let mut xml = String::from("<ListBucketResult>");
    let mut last = String::new();
    for (key, object) in found.by_ref().take(most) {
        let escaped = key.replace('&', "&amp;").replace('<', "&lt;");
        xml.push_str(&format!(
            "<Contents><Key>{escaped}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>\
             <ETag>{}</ETag><Size>{}</Size></Contents>",
            object.etag.replace('"', "&quot;"),
            object.len
        ));
        last.clone_from(key);
    }
    if found.next().is_some() {
        xml.push_str(&format!("<NextContinuationToken>{last}</NextContinuationToken><IsTruncated>true</IsTruncated>"));
    }
    xml.push_str("</ListBucketResult>");
    answer(stream, "200 OK", "Content-Type: application/xml\r\n", xml.as_bytes())
}

fn object(request: &Request, shelf: &Mutex<Shelf>, stream: &mut TcpStream) -> Option<()> {
    let key = request.path.strip_prefix("/bucket/").unwrap_or_default();
    let mut shelf = shelf.lock().expect("whole");
    let delay = shelf.delay;
    let Some(stored) = shelf.objects.get_mut(key).filter(|stored| stored.fault != Some(Fault::Missing)) else {
        return answer(stream, "404 Not Found", "", b"");
    };
    if request.method == "GET" {
        stored.answers += 1;
    }
    let mut stored = stored.clone();
    if request.method == "GET" {
        shelf.got.push(key.to_owned());
    }
    let replaced = matches!(stored.fault, Some(Fault::Replaced | Fault::ReplacedUnasked)) && stored.answers > 1;
    if replaced {
        stored.etag = "\"another\"".to_owned();
    }
    let asked = stored.fault != Some(Fault::ReplacedUnasked);
    if asked && request.if_match.as_ref().is_some_and(|tag| *tag != stored.etag) {
        return answer(stream, "412 Precondition Failed", "", b"");
    }
    let (from, mut to) = request.range.map_or((0, stored.len), |(from, to)| (from, (to + 1).min(stored.len)));
    let headers = |from: u64, to: u64| {
        let range = match request.range {
            Some(_) => format!("Content-Range: bytes {from}-{}/{}\r\n", to.saturating_sub(1), stored.len),
            None => String::new(),
        };
        format!("ETag: {}\r\nLast-Modified: Fri, 02 Jan 2026 03:04:05 GMT\r\n{range}", stored.etag)
    };
    let status = if request.range.is_some() { "206 Partial Content" } else { "200 OK" };
    if request.method == "HEAD" {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{}\r\n", stored.len, headers(0, 0));
        return stream.write_all(head.as_bytes()).ok();
    }
    let mut body = vec![0; usize::try_from(to - from).expect("a range that fits")];
    (stored.content)(from, &mut body);
    shelf.sent += body.len() as u64;
    drop(shelf);
    std::thread::sleep(delay);
    match stored.fault {
        Some(Fault::Error) => return answer(stream, "500 Internal Server Error", "", b"secret=no"),
        Some(Fault::ErrorsAtFirst(n)) if stored.answers <= n => {
            return answer(stream, "503 Slow Down", "", b"");
        }
        Some(Fault::Late) => std::thread::sleep(Duration::from_secs(20)),
        Some(Fault::Short) => {
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{}\r\n", body.len(), headers(from, to));
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body[..body.len() / 2])).ok()?;
            return None;
        }
        Some(Fault::ShortAndSaysSo) => {
            body.truncate(body.len() / 2);
            // An end that is half of what was asked for, told honestly.
            to = from + body.len() as u64;
        }
        Some(Fault::OtherRange) if request.range.is_some() => {
            let shift = if from > 0 { 1 } else { 0 };
            return answer(stream, status, &headers(from - shift, to - shift.max(1)), &body);
        }
        Some(Fault::OtherRange) => body.push(b'.'),
        _ => {}
    }
    answer(stream, status, &headers(from, to), &body)
}
