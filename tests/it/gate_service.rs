//! The gate as a service: what it re-reads while it serves, what it holds on
//! disk, what it fetches from stores, and what is left when it is killed.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use weighin::Policy;
use weighin::gate::{Reason, Tls, Tokens, Word};

use crate::check::root;
use crate::gate::{Response, Running, none, quick, said, sample};

const HONEST: &str = "corpus/pickle/honest-dict-p4.pkl";
const EVIL: &str = "corpus/pickle/reduce-os-system-p4.pkl";

/// An answer over TLS, by somebody who believes in the certificate at `believed`
/// and nothing else.
fn encrypted(gate: &Running, believed: &Path) -> std::io::Result<Response> {
    use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};

    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(believed).expect("a certificate")).expect("added");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = rustls::ClientConnection::new(Arc::new(client), name).expect("a connection");
    let mut stream = rustls::StreamOwned::new(connection, gate.connect());
    stream
        .write_all(b"POST /v1/scan HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\nN.")?;
    Ok(Response::read(&mut stream))
}

/// Certificates are made by `tests/gate/tls/make.sh`; their keys guard nothing.
#[test]
fn connections_can_be_encrypted() {
    let tls = root().join("tests/gate/tls");
    let mut config = quick();
    config.tls = Some(Tls::load(&tls.join("cert.pem"), &tls.join("key.pem")).expect("a certificate"));
    let gate = Running::start(config, none());
    let answer = encrypted(&gate, &tls.join("cert.pem")).expect("an answer");
    assert_eq!(answer.reason(), said(Reason::Passed));
    assert!(encrypted(&gate, &tls.join("next-cert.pem")).is_err(), "another certificate is not believed");
    // Somebody who does not know costs nothing.
    let mut plain = gate.connect();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    assert_ne!(Response::read(&mut plain).status, 200);
    assert!(Tls::load(&tls.join("key.pem"), &tls.join("cert.pem")).is_err());
}

/// Waits for the `count`th line about reading again; what it says.
fn reloaded(gate: &Running, count: usize) -> Value {
    loop {
        let log = gate.log.lock().expect("unpoisoned").clone();
        let mut told = log.iter().filter(|line| line.contains("\"event\":\"reload\""));
        if let Some(line) = told.nth(count - 1) {
            return serde_json::from_str(line).expect("JSON");
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn tokens_and_certificates_are_read_again() {
    let tls = root().join("tests/gate/tls");
    let dir = tempfile::tempdir().expect("a directory");
    let [cert, key, tokens] = ["cert", "key", "tokens"].map(|name| dir.path().join(name));
    let put = |from: &str, to: &Path| std::fs::copy(tls.join(from), to).map(|_| ()).expect("copied");
    put("cert.pem", &cert);
    put("key.pem", &key);
    let mut config = quick();
    config.tls = Some(Tls::load(&cert, &key).expect("a certificate"));
    let gate = Running::start(config, none());
    put("next-cert.pem", &cert);
    put("next-key.pem", &key);
    assert!(encrypted(&gate, &tls.join("cert.pem")).is_ok(), "nobody has said a word yet");
    gate.words.blocking_send(Word::Reload).expect("it serves");
    assert_eq!(reloaded(&gate, 1)["certificate"], "read again");
    assert!(encrypted(&gate, &tls.join("cert.pem")).is_err(), "the old certificate is gone");
    assert_eq!(encrypted(&gate, &tls.join("next-cert.pem")).expect("an answer").reason(), said(Reason::Passed));
    // A key that belongs to another certificate: what held goes on to hold.
    put("key.pem", &key);
    gate.words.blocking_send(Word::Reload).expect("it serves");
    let told = reloaded(&gate, 2);
    assert!(told["certificate"].as_str().expect("words").starts_with("the old ones stay"), "{told}");
    assert!(encrypted(&gate, &tls.join("next-cert.pem")).is_ok());
    drop(gate);

    std::fs::write(&tokens, "team s3cret-of-the-team-1\n").expect("written");
    let mut config = quick();
    config.tokens = Some(Tokens::load(&tokens).expect("tokens"));
    let gate = Running::start(config, none());
    let with = |token: &str| {
        let head = format!("POST /v1/scan HTTP/1.1\r\nAuthorization: Bearer {token}");
        gate.ask(&head, &sample(HONEST)).reason()
    };
    std::fs::write(&tokens, "team s3cret-of-the-team-2\n").expect("written");
    assert_eq!(with("s3cret-of-the-team-1"), said(Reason::Passed));
    gate.words.blocking_send(Word::Reload).expect("it serves");
    reloaded(&gate, 1);
    assert_eq!(with("s3cret-of-the-team-1"), said(Reason::Unauthorized));
    assert_eq!(with("s3cret-of-the-team-2"), said(Reason::Passed));
    for broken in [Some("team short"), Some(""), None] {
        match broken {
            Some(text) => std::fs::write(&tokens, text).expect("written"),
            None => std::fs::remove_file(&tokens).expect("removed"),
        }
        let before = gate.log.lock().expect("unpoisoned").iter().filter(|line| line.contains("reload")).count();
        gate.words.blocking_send(Word::Reload).expect("it serves");
        assert!(reloaded(&gate, before + 1)["tokens"].as_str().expect("words").starts_with("the old ones stay"));
        assert_eq!(with("s3cret-of-the-team-2"), said(Reason::Passed), "{broken:?}");
    }
    assert!(!gate.end().join("\n").contains("s3cret"));
}

/// What a scan unpacks is in the spool, as a body is.
#[test]
fn what_is_unpacked_takes_room() {
    let dir = tempfile::tempdir().expect("a directory");
    let policy = dir.path().join("weighin.toml");
    std::fs::write(&policy, "[limits]\nmemory-bytes = 65536\n").expect("written");
    let mut pickle = b"\x80\x04B\x40\x42\x0f\0".to_vec();
    pickle.resize(pickle.len() + 1_000_000, 0);
    pickle.push(b'.');
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let packed = gzip.write_all(&pickle).and_then(|()| gzip.finish()).expect("packed");
    for (room, wanted) in [(2_000_000, Reason::Passed), (500_000, Reason::Incomplete)] {
        let spool = dir.path().join(room.to_string());
        std::fs::create_dir(&spool).expect("made");
        let mut config = quick();
        (config.spool_bytes, config.spool) = (room, Some(spool.clone()));
        let gate = Running::start(config, Policy::load(&policy).expect("a policy"));
        let answer = gate.scan("model.pkl.gz", &packed);
        assert_eq!(answer.reason(), said(wanted), "{answer:?}");
        assert_eq!(answer.body.contains("the spool is full"), wanted == Reason::Incomplete, "{answer:?}");
        gate.wait_for("weighin_gate_spool_bytes ", 0.0);
        assert_eq!(std::fs::read_dir(&spool).expect("readable").count(), 0);
    }
}

/// The command line as a service.
#[cfg(all(unix, feature = "sweep"))]
struct Service {
    child: std::process::Child,
    address: SocketAddr,
}

#[cfg(all(unix, feature = "sweep"))]
impl Service {
    fn start(mut command: std::process::Command) -> Self {
        use std::io::BufRead as _;

        let mut child = command.stderr(std::process::Stdio::piped()).spawn().expect("it runs");
        let mut lines = std::io::BufReader::new(child.stderr.take().expect("piped")).lines();
        let listening = lines.find_map(|line| {
            let line: Value = serde_json::from_str(&line.ok()?).ok()?;
            line["address"].as_str()?.strip_prefix("http://")?.parse().ok()
        });
        // It goes on to log, and somebody must read that.
        std::thread::spawn(move || lines.count());
        Self { child, address: listening.expect("it says where") }
    }

    fn ask(&self, uri: &str) -> Response {
        let body = format!("{{\"uri\": \"{uri}\"}}");
        self.send("POST /v1/scan HTTP/1.1\r\nContent-Type: application/json", &body)
    }

    fn send(&self, head: &str, body: &str) -> Response {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        let head = format!("{head}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).expect("sent");
        Response::read(&mut stream)
    }

    /// Kills it, so that it can do nothing more.
    fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("it ends");
    }

    fn end(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(std::process::Command::new("kill").arg(pid).status().expect("it runs").success());
        self.child.wait().expect("it ends").code()
    }
}

/// A gate that finds `store` by the environment.
#[cfg(all(unix, feature = "sweep"))]
fn command(store: &crate::store::Store) -> std::process::Command {
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("weighin"));
    for (name, value) in [
        ("AWS_ENDPOINT_URL", store.endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", "us-east-1"),
    ] {
        command.env(name, value);
    }
    command.args(["gate", "--no-config", "--listen", "127.0.0.1:0"]);
    command
}

/// Objects of a store are read by closed threads, over connections of others.
#[test]
#[cfg(all(unix, feature = "sweep"))]
fn objects_are_scanned_by_their_uri() {
    use crate::store::{Fault, Store, Stored};

    let store = Store::new();
    store.put("models/honest.pkl", Stored::new(sample(HONEST)));
    store.put("models/evil.pkl", Stored::new(sample(EVIL)));
    store.put("models/short.pkl", Stored::new(sample(HONEST)).with(Fault::OtherRange));
    store.put("other/honest.pkl", Stored::new(sample(HONEST)));
    let mut command = command(&store);
    command.args(["--uri-prefix", "s3://bucket/models/"]);
    let service = Service::start(command);
    assert_eq!(service.ask("s3://bucket/models/honest.pkl").reason(), said(Reason::Passed));
    let evil = service.ask("s3://bucket/models/evil.pkl");
    assert_eq!(evil.reason(), said(Reason::Findings));
    let report = &evil.json()["report"];
    assert_eq!(report["files"][0]["path"], "s3://bucket/models/evil.pkl");
    assert!(!cfg!(target_os = "linux") || report["sandbox"]["state"] == "full", "{report}");
    assert_eq!(service.ask("s3://bucket/models/none.pkl").reason(), said(Reason::Unreachable));
    assert_eq!(service.ask("s3://bucket/models/short.pkl").json()["decision"], "deny");
    assert_eq!(service.ask("s3://bucket/other/honest.pkl").reason(), said(Reason::UriNotAllowed));
    assert_eq!(service.end(), Some(0));
}

/// MLflow without its artifact proxy: clients go to the store, and so does the
/// gate, as far as it may.
#[test]
#[cfg(all(unix, feature = "sweep"))]
fn artifacts_in_a_store_are_scanned_where_they_are() {
    use crate::store::{Store, Stored};
    use crate::webhooks::{CREATED, result, signed, tags, tracking};

    let store = Store::new();
    store.put("models/1/a/MLmodel", Stored::new(b"a: 1\n".to_vec()));
    store.put("models/1/a/data/model.pkl", Stored::new(sample(HONEST)));
    store.put("models/1/ab/evil.pkl", Stored::new(sample(EVIL)));
    store.put("models/2/evil.pkl", Stored::new(sample(EVIL)));
    store.put("other/honest.pkl", Stored::new(sample(HONEST)));
    let dir = tempfile::tempdir().expect("a directory");
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "s3cret-hmac\n").expect("written");
    for (uri, reason, files) in [
        ("s3://bucket/models/1/a", "passed", 2),
        ("s3://bucket/models/2/", "findings", 1),
        ("s3://bucket/models/none", "unreachable", 0),
        ("s3://bucket/other", "unreachable", 0),
        ("s3://bucket/models/../other", "unreachable", 0),
    ] {
        let registry = tracking(uri, Vec::new());
        let mut command = command(&store);
        command.args(["--uri-prefix", "s3://bucket/models/", "--mlflow", &registry.root(), "--mlflow-secret"]);
        command.arg(&secret);
        let service = Service::start(command);
        let taken = service.send(&signed("s3cret-hmac", "d-1", CREATED), CREATED);
        assert_eq!(taken.status, 202, "{taken:?}");
        let answer = result(|path| service.send(&format!("GET {path} HTTP/1.1"), ""), "/v1/deliveries/mlflow-d-1");
        assert_eq!(answer["reason"], reason, "{uri}: {answer}");
        let told = answer["report"]["files"].as_array().map_or(0, Vec::len);
        assert_eq!(told, files, "{answer}");
        assert!(files != 2 || answer["report"]["files"][1]["path"] == "models:/my model/3/data/model.pkl", "{answer}");
        let decision = if reason == "passed" { "allow" } else { "deny" };
        assert_eq!(tags(&registry).last().map(|(_, value)| value.as_str()), Some(decision));
        assert_eq!(service.end(), Some(0));
    }
    assert!(!store.got().0.iter().any(|key| key.starts_with("other/")));
}

/// A gate without a spool of its own leaves nothing, however it ends.
#[test]
#[cfg(all(unix, feature = "sweep"))]
fn a_gate_that_is_killed_leaves_nothing() {
    let store = crate::store::Store::new();
    let place = tempfile::tempdir().expect("a directory");
    let mut command = command(&store);
    command.env("TMPDIR", place.path());
    let service = Service::start(command);
    let mut coming = TcpStream::connect(service.address).expect("it listens");
    coming.write_all(b"POST /v1/scan HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n").expect("sent");
    coming.write_all(&[0; 50_000]).expect("sent");
    while !service.send("GET /metrics HTTP/1.1", "").body.contains("weighin_gate_spool_bytes 50000") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    service.kill();
    let left: Vec<_> = std::fs::read_dir(place.path()).expect("readable").collect();
    assert!(left.is_empty(), "{left:?}");
}
