//! The gate, over real sockets on this machine.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use weighin::Policy;
use weighin::gate::{Config, Gate, Reason, Sink, Tokens, Word, openapi, reason_table};

use crate::check::{golden, root};

const HONEST: &str = "corpus/pickle/honest-dict-p4.pkl";
const EVIL: &str = "corpus/pickle/reduce-os-system-p4.pkl";

pub fn sample(path: &str) -> Vec<u8> {
    std::fs::read(root().join(path)).expect("readable")
}

pub fn none() -> Policy {
    Policy::none(Path::new("/"))
}

/// A gate in a thread of its own, and what it logs.
pub struct Running {
    pub address: SocketAddr,
    pub log: Arc<Mutex<Vec<String>>>,
    pub words: mpsc::Sender<Word>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Running {
    pub fn start(config: Config, policy: Policy) -> Self {
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&log);
        let sink: Sink = Box::new(move |line| kept.lock().expect("unpoisoned").push(line.to_owned()));
        let gate = Gate::new(config, policy, sink).expect("a gate");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (words, told) = mpsc::channel(2);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            let served = runtime.block_on(gate.serve(listener, told));
            runtime.shutdown_timeout(Duration::from_secs(1));
            served
        });
        Self { address, log, words, thread: Some(thread) }
    }

    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).expect("it listens")
    }

    pub fn ask(&self, head: &str, body: &[u8]) -> Response {
        let mut stream = self.connect();
        let more = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let _ = stream.write_all(format!("{head}\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n").as_bytes());
        // It may refuse by the header alone, and take no more.
        let _ = stream.write_all(body);
        Response::read(&mut stream)
    }

    pub fn scan(&self, name: &str, body: &[u8]) -> Response {
        self.ask(&format!("POST /v1/scan?name={name} HTTP/1.1"), body)
    }

    pub fn get(&self, path: &str) -> Response {
        self.ask(&format!("GET {path} HTTP/1.1"), b"")
    }

    /// Lets it end, and waits until it has.
    pub fn end(mut self) -> Vec<String> {
        self.words.blocking_send(Word::End).expect("it serves");
        self.join();
        std::mem::take(&mut self.log.lock().expect("unpoisoned"))
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it does not panic").expect("it ends in good order");
        }
    }

    /// The value of a metric.
    fn metric(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").body;
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// Waits until a metric has a value.
    pub fn wait_for(&self, name: &str, value: f64) {
        while self.metric(name) != Some(value) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for _ in 0..2 {
            let _ = self.words.try_send(Word::End);
        }
        self.join();
    }
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Response {
    /// Reads until the other end closes.
    pub fn read(stream: &mut impl std::io::Read) -> Self {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8(bytes).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
        let body = if head.contains("transfer-encoding: chunked") { unchunk(body) } else { body.to_owned() };
        Self { status, head: head.to_owned(), body }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn reason(&self) -> (u16, String) {
        (self.status, self.json()["reason"].as_str().expect("a reason").to_owned())
    }
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a size");
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

pub fn quick() -> Config {
    let mut config = Config::default();
    config.threads = 2;
    config
}

pub fn said(reason: Reason) -> (u16, String) {
    (reason.status(), reason.name().to_owned())
}

#[test]
fn a_model_is_allowed_or_denied_with_its_report() {
    let gate = Running::start(quick(), none());
    let honest = gate.scan("model.pkl", &sample(HONEST));
    assert_eq!((honest.reason(), honest.json()["decision"].as_str()), (said(Reason::Passed), Some("allow")));
    let evil = gate.scan("model.pkl", &sample(EVIL));
    assert_eq!((evil.reason(), evil.json()["decision"].as_str()), (said(Reason::Findings), Some("deny")));
    let file = &evil.json()["report"]["files"][0];
    assert_eq!((file["path"].as_str(), file["verdict"].as_str()), (Some("model.pkl"), Some("malicious")));
    assert!(evil.json()["message"].as_str().is_some_and(|message| message.contains("PKL002")), "{evil:?}");
    let cut = gate.scan("model.pkl", &sample(HONEST)[..10]);
    assert_eq!((cut.reason(), cut.json()["decision"].as_str()), (said(Reason::Incomplete), Some("deny")));
    let nothing = gate.ask("POST /v1/scan HTTP/1.1", b"");
    assert_eq!(nothing.reason(), said(Reason::Incomplete));
    let sandbox = &evil.json()["report"]["sandbox"];
    assert!(!cfg!(target_os = "linux") || sandbox["state"] == "full", "{sandbox}");
    let sha256 = file["sha256"].as_str().expect("a digest").to_owned();
    let again = gate.get(&format!("/v1/reports/{sha256}"));
    assert_eq!((again.status, again.body), (200, evil.body));
    let page = gate.ask(&format!("GET /v1/reports/{sha256} HTTP/1.1\r\nAccept: text/html"), b"");
    assert!(page.body.starts_with("<!DOCTYPE html>") && page.head.contains("sandbox allow-scripts"), "{page:?}");
    assert_eq!(gate.get(&format!("/v1/reports/{}", "0".repeat(64))).reason(), said(Reason::NotFound));
}

#[test]
fn a_form_carries_one_file() {
    let gate = Running::start(quick(), none());
    let part = |name: &str, bytes: &[u8]| {
        let mut part =
            format!("--xyz\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{name}\"\r\n\r\n").into_bytes();
        part.extend_from_slice(bytes);
        part.extend_from_slice(b"\r\n");
        part
    };
    let send =
        |body: &[u8]| gate.ask("POST /v1/scan HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=xyz", body);
    let one = [part("evil.pkl", &sample(EVIL)), b"--xyz--\r\n".to_vec()].concat();
    let evil = send(&one);
    assert_eq!(evil.reason(), said(Reason::Findings));
    assert_eq!(evil.json()["report"]["files"][0]["path"], "evil.pkl");
    let two = [part("honest.pkl", &sample(HONEST)), part("evil.pkl", &sample(EVIL)), b"--xyz--\r\n".to_vec()].concat();
    let cut = &one[..one.len() - 9];
    for wrong in [two.as_slice(), cut, b"--xyz--\r\n", b"nothing"] {
        assert_eq!(send(wrong).reason(), said(Reason::BadRequest), "{}", String::from_utf8_lossy(wrong));
    }
}

#[test]
fn what_is_too_much_is_refused_and_gives_back_its_room() {
    let mut config = quick();
    (config.max_body, config.spool_bytes) = (100_000, 150_000);
    let gate = Running::start(config, none());
    let large = vec![0; 100_001];
    assert_eq!(gate.scan("a", &large).reason(), said(Reason::TooLarge));
    // Without a length the body is counted as it comes.
    let mut chunked = gate.connect();
    let head = "POST /v1/scan HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    chunked.write_all(head.as_bytes()).expect("sent");
    for _ in 0..11 {
        let piece = [b"2710\r\n".as_slice(), &[0; 10_000], b"\r\n"].concat();
        let _ = chunked.write_all(&piece);
    }
    assert_eq!(Response::read(&mut chunked).reason(), said(Reason::TooLarge));
    // One body is coming, and holds its part of the spool.
    let mut slow = gate.connect();
    slow.write_all(b"POST /v1/scan HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n").expect("sent");
    slow.write_all(&[0; 99_999]).expect("sent");
    gate.wait_for("weighin_gate_spool_bytes ", 99_999.0);
    let full = gate.scan("a", &large[..60_000]);
    assert_eq!(full.reason(), said(Reason::SpoolFull));
    assert!(full.head.contains("retry-after: "), "{full:?}");
    drop(slow);
    gate.wait_for("weighin_gate_spool_bytes ", 0.0);
    gate.wait_for("weighin_gate_places_used ", 0.0);
    assert_eq!(gate.scan("a", &sample(HONEST)).reason(), said(Reason::Passed));
}

#[test]
fn the_queue_is_bounded_and_clients_that_ask_too_often_wait() {
    let mut config = quick();
    config.queue = 1;
    let gate = Running::start(config, none());
    let mut slow = gate.connect();
    slow.write_all(b"POST /v1/scan HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nx").expect("sent");
    gate.wait_for("weighin_gate_places_used ", 1.0);
    let busy = gate.scan("a", &sample(HONEST));
    assert_eq!(busy.reason(), said(Reason::Overloaded));
    assert!(busy.head.contains("retry-after: ") && busy.json()["decision"] == "deny", "{busy:?}");
    drop(slow);
    gate.wait_for("weighin_gate_places_used ", 0.0);
    drop(gate);

    let mut config = quick();
    config.rate = 1;
    let gate = Running::start(config, none());
    let mut reasons: Vec<(u16, String)> = (0..20).map(|_| gate.scan("a", &sample(HONEST)).reason()).collect();
    reasons.sort();
    reasons.dedup();
    assert_eq!(reasons, [said(Reason::Passed), said(Reason::TooManyRequests)]);
}

#[test]
fn clients_that_keep_silent_are_cut() {
    let mut config = quick();
    config.silence = Duration::from_millis(100);
    let gate = Running::start(config, none());
    let mut body = gate.connect();
    body.write_all(b"POST /v1/scan HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nx").expect("sent");
    assert_eq!(Response::read(&mut body).reason(), said(Reason::SlowBody));
    for begun in ["", "POST /v1/scan HTTP/1.1\r\nHost: local"] {
        let mut head = gate.connect();
        head.write_all(begun.as_bytes()).expect("sent");
        let mut rest = Vec::new();
        let _ = head.read_to_end(&mut rest);
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{begun}");
    }
    drop(gate);

    let mut config = quick();
    config.request = Duration::from_millis(100);
    let gate = Running::start(config, none());
    let mut body = gate.connect();
    body.write_all(b"POST /v1/scan HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nx").expect("sent");
    let late = Response::read(&mut body);
    assert_eq!((late.reason(), late.json()["decision"].as_str()), (said(Reason::TimedOut), Some("deny")));
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let gate = Running::start(quick(), none());
    let encoded = gate.ask("POST /v1/scan HTTP/1.1\r\nContent-Encoding: gzip", b"x");
    assert_eq!(encoded.reason(), said(Reason::Encoded));
    let json =
        |text: &str| gate.ask("POST /v1/scan HTTP/1.1\r\nContent-Type: application/json", text.as_bytes()).reason();
    assert_eq!(json("{}"), said(Reason::BadRequest));
    assert_eq!(json("{\"uri\": \"file:///etc/passwd\"}"), said(Reason::UriNotAllowed));
    assert_eq!(json(&" ".repeat(2 << 20)), said(Reason::TooLarge));
    assert_eq!(gate.get("/v1/scan").reason(), said(Reason::MethodNotAllowed));
    assert_eq!(gate.get("/no/such/path").reason(), said(Reason::NotFound));
    let long = format!("GET / HTTP/1.1\r\nX-Long: {}", "x".repeat(200_000));
    assert_eq!(gate.ask(&long, b"").status, 431);
}

#[test]
fn pages_of_other_origins_get_nothing() {
    let gate = Running::start(quick(), none());
    let asked = |headers: &str| {
        let mut stream = gate.connect();
        let head = format!("POST /v1/scan HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: 2\r\n\r\nN.");
        stream.write_all(head.as_bytes()).expect("sent");
        Response::read(&mut stream).reason()
    };
    for foreign in [
        "Host: attacker.invalid\r\n",
        "Host: localhost.attacker.invalid\r\n",
        "Host: localhost\r\nOrigin: https://attacker.invalid\r\n",
        "Host: localhost\r\nOrigin: null\r\n",
        "Host: localhost\r\nOrigin: http://localhost:9\r\n",
        "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n",
    ] {
        assert_eq!(asked(foreign), said(Reason::ForeignOrigin), "{foreign}");
    }
    for own in ["Host: 127.0.0.1:80\r\n", "Host: [::1]:80\r\n", "Host: localhost:80\r\nOrigin: http://localhost:80\r\n"]
    {
        assert_eq!(asked(own), said(Reason::Passed), "{own}");
    }
}

#[test]
fn tokens_are_asked_for_and_never_logged() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("tokens");
    std::fs::write(&file, "# who may ask\nci  s3cret-of-the-pipeline\nteam s3cret-of-the-team-x\n").expect("written");
    let mut config = quick();
    config.tokens = Some(Tokens::load(&file).expect("tokens"));
    let gate = Running::start(config, none());
    let with = |header: &str| gate.ask(&format!("POST /v1/scan?name=s3cret-query HTTP/1.1\r\n{header}"), b"N.");
    for wrong in [
        "X: y",
        "Authorization: Bearer",
        "Authorization: Bearer s3cret-of-the-pipelin",
        "Authorization: Bearer s3cret-of-the-pipeline-",
        "Authorization: Basic s3cret-of-the-pipeline",
    ] {
        let refused = with(wrong);
        assert_eq!(refused.reason(), said(Reason::Unauthorized), "{wrong}");
        assert!(refused.head.contains("www-authenticate: Bearer"), "{refused:?}");
    }
    assert_eq!(with("Authorization: bearer s3cret-of-the-team-x\r\nX-Key: s3cret").reason(), said(Reason::Passed));
    assert_eq!(gate.get("/v1/reports/s3cret-path").reason(), said(Reason::Unauthorized));
    assert_eq!(gate.get("/s3cret-path?s3cret").reason(), said(Reason::NotFound));
    assert_eq!(gate.get("/healthz").status, 200, "probes have no token");
    let log = gate.end().join("\n");
    assert!(log.contains("\"client\":\"team\"") && log.contains("unauthorized"), "{log}");
    let named = log.replace("\"name\":\"s3cret-query\"", "");
    assert!(!named.contains("s3cret"), "a secret, a path or a query is in the log:\n{log}");

    for (wrong, why) in [("ci short", "16 characters"), ("ci", "line 1"), ("a b c", "line 1"), ("", "no token")] {
        std::fs::write(&file, wrong).expect("written");
        let error = Tokens::load(&file).expect_err("wrong").to_string();
        assert!(error.contains(why) && !error.contains("short\n"), "{error}");
    }
}

#[test]
fn others_can_ask_only_with_a_token() {
    let gate = Gate::new(quick(), none(), Box::new(|_| {})).expect("a gate");
    let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
    let (_ends, end) = mpsc::channel(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let refused = runtime.block_on(gate.serve(listener, end)).expect_err("it does not serve");
    assert!(refused.to_string().contains("--tokens"), "{refused}");
}

/// Names come from whoever sends a file.
#[test]
fn names_do_no_harm_in_the_log() {
    let gate = Running::start(quick(), none());
    let name = "a%22%0Ab%1b%5b31m%E2%80%AEc%00";
    assert_eq!(gate.scan(name, &sample(HONEST)).reason(), said(Reason::Passed));
    let header = "POST /v1/scan HTTP/1.1\r\nX-Weighin-Name: caf\u{e9}\u{1b}";
    assert_eq!(gate.ask(header, &sample(HONEST)).status, 400, "no control characters in headers");
    let form = "--x\r\nContent-Disposition: form-data; name=f; filename=\"\u{202e}gpj\u{7}.pkl\"\r\n\r\nN.\r\n--x--";
    let sent = gate.ask("POST /v1/scan HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x", form.as_bytes());
    assert_eq!(sent.json()["report"]["files"][0]["path"], "\u{202e}gpj\u{7}.pkl");
    let log = gate.end();
    for line in &log {
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
    assert!(log.iter().any(|line| line.contains("gpj")));
}

/// A suppression by name would let in whatever is given that name.
#[test]
fn the_policy_decides_by_content_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("weighin.toml");
    let digest = "0".repeat(64);
    let policy = |text: &str| {
        std::fs::write(&file, text).expect("written");
        Policy::load(&file).expect("a policy")
    };
    let by_name = "exclude = [\"**/a\", \"a\"]\n[[suppress]]\nrule = \"PKL002\"\npath = \"**\"\nreason = \"ours\"\n";
    let gate = Running::start(quick(), policy(by_name));
    let evil = gate.scan("a", &sample(EVIL));
    assert_eq!(evil.reason(), said(Reason::Findings));
    let sha256 = evil.json()["report"]["files"][0]["sha256"].as_str().expect("a digest").to_owned();
    let log = gate.end();
    assert!(log[0].contains("suppressions-ignored"), "{log:?}");
    for (sha256, wanted) in [(&sha256, Reason::Passed), (&digest, Reason::Findings)] {
        let rules = evil.json()["report"]["files"][0]["findings"].as_array().expect("findings").clone();
        let entry = |rule: &str| format!("[[suppress]]\nrule = \"{rule}\"\nsha256 = \"{sha256}\"\nreason = \"ours\"\n");
        let text: String = rules.iter().map(|found| entry(found["rule"].as_str().expect("an id"))).collect();
        let gate = Running::start(quick(), policy(&text));
        assert_eq!(gate.scan("a", &sample(EVIL)).reason(), said(wanted));
    }
    let gate = Running::start(quick(), policy("allow-incomplete = true\n"));
    assert_eq!(gate.scan("a", &sample(HONEST)[..10]).reason(), said(Reason::Passed));
    let gate = Running::start(quick(), policy("fail-on = \"critical\"\n"));
    assert_eq!(gate.scan("a", b"cos\nsystem\n.").reason().0, 200, "an import alone is below critical");
}

#[test]
fn when_it_ends_what_is_in_progress_ends_first() {
    let gate = Running::start(quick(), none());
    let honest = sample(HONEST);
    let mut slow = gate.connect();
    let head = format!("POST /v1/scan HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", honest.len());
    slow.write_all(head.as_bytes()).expect("sent");
    gate.wait_for("weighin_gate_places_used ", 1.0);
    assert_eq!(gate.get("/readyz").status, 200);
    gate.words.blocking_send(Word::End).expect("it serves");
    while gate.get("/readyz").status != 503 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let refused = gate.scan("a", &honest);
    assert_eq!(refused.reason(), said(Reason::Draining));
    slow.write_all(&honest).expect("sent");
    let answer = Response::read(&mut slow);
    assert_eq!(answer.reason(), said(Reason::Passed), "it is in progress, and ends well");
    let mut gate = gate;
    gate.join();
    assert!(TcpStream::connect(gate.address).is_err(), "it still listens");
}

#[test]
fn numbers_tell_what_happened() {
    let gate = Running::start(quick(), none());
    gate.scan("a", &sample(HONEST));
    gate.scan("a", &sample(EVIL));
    let mut gone = gate.connect();
    gone.write_all(b"POST /v1/scan HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nx").expect("sent");
    gate.wait_for("weighin_gate_places_used ", 1.0);
    drop(gone);
    gate.wait_for("weighin_gate_places_used ", 0.0);
    let count = |outcome: &str| {
        gate.metric(&format!("weighin_gate_requests_total{{route=\"/v1/scan\",outcome=\"{outcome}\"}}"))
    };
    assert_eq!((count("passed"), count("findings")), (Some(1.0), Some(1.0)));
    assert!(count("client-gone") == Some(1.0) || count("bad-request") == Some(1.0));
    assert_eq!(gate.metric("weighin_gate_scan_seconds_count"), Some(2.0));
    assert_eq!(gate.metric("weighin_gate_scan_seconds_bucket{le=\"+Inf\"}"), Some(2.0));
    assert!(gate.metric("weighin_gate_scanned_bytes_total") > Some(0.0));
}

#[test]
fn the_page_runs_no_script_but_its_own() {
    let gate = Running::start(quick(), none());
    let page = gate.get("/");
    assert_eq!(page.status, 200);
    let policy = page.head.lines().find_map(|line| line.strip_prefix("content-security-policy: ")).expect("a policy");
    for wanted in ["default-src 'none'", "frame-ancestors 'none'", "script-src 'sha256-", "connect-src 'self'"] {
        assert!(policy.contains(wanted), "{policy}");
    }
    assert!(!policy.contains("unsafe") && page.body.contains("sandbox=\"allow-scripts\""), "{policy}");
}

#[test]
fn the_description_is_generated() {
    golden("gate.openapi.json", &openapi());
    let served = Running::start(quick(), none()).get("/openapi.json");
    assert_eq!(served.body, openapi());
}

/// The table of statuses in the documentation is the code's.
#[test]
fn the_documentation_has_the_table() {
    let path = root().join("docs/gate.md");
    let text = std::fs::read_to_string(&path).expect("docs/gate.md is there");
    let (before, rest) = text.split_once("<!-- reasons -->\n").expect("where it begins");
    let (_, after) = rest.split_once("<!-- end of reasons -->\n").expect("where it ends");
    let current = format!("{before}<!-- reasons -->\n{}<!-- end of reasons -->\n{after}", reason_table());
    if std::env::var_os("WEIGHIN_UPDATE").is_some() {
        std::fs::write(&path, &current).expect("writable");
    }
    let kept = std::fs::read_to_string(&path).expect("docs/gate.md is there");
    assert!(kept == current, "docs/gate.md is not current; run WEIGHIN_UPDATE=1 cargo test");
}
