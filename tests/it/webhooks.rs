//! The gate's webhooks, against registries that are played on this machine.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use weighin::gate::{Config, Hub, Mlflow};

use crate::gate::{Response, Running, none, sample};

const HONEST: &str = "corpus/pickle/honest-dict-p4.pkl";
const EVIL: &str = "corpus/pickle/reduce-os-system-p4.pkl";
const SILENCE: Duration = Duration::from_secs(5);

/// A request, as a registry gets it.
#[derive(Debug, Clone)]
struct Asked {
    line: String,
    head: String,
    body: String,
}

type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// A registry: answers each request by a function, and remembers it.
pub struct Registry {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Registry {
    fn start(answer: impl Fn(&str) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let kept = Arc::clone(&asked);
        // It ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|n| n > 0) {}
                let lower = head.to_ascii_lowercase();
                let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
                let mut body = vec![0; length.unwrap_or(0)];
                let _ = reader.read_exact(&mut body);
                let line = head.lines().next().unwrap_or_default().to_owned();
                let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
                let body = String::from_utf8_lossy(&body).into_owned();
                kept.lock().expect("unpoisoned").push(Asked { line, head, body });
                let (status, headers, bytes) = answer(&target);
                let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                let head = format!(
                    "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
                    bytes.len()
                );
                let mut stream = reader.into_inner();
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&bytes));
            }
        });
        Self { address, asked }
    }

    pub fn root(&self) -> String {
        format!("http://{}", self.address)
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("unpoisoned").clone()
    }
}

fn found(bytes: impl Into<Vec<u8>>) -> Answer {
    (200, Vec::new(), bytes.into())
}

fn absent() -> Answer {
    (404, Vec::new(), Vec::new())
}

/// Asks for the result until there is one.
pub fn result(get: impl Fn(&str) -> Response, path: &str) -> Value {
    loop {
        let response = get(path);
        if response.status != 202 {
            assert_eq!(response.status, 200, "{response:?}");
            return response.json();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn results(response: &Response) -> Vec<String> {
    let results = response.json()["results"].as_array().expect("results").clone();
    results.iter().map(|path| path.as_str().expect("a path").to_owned()).collect()
}

pub const CREATED: &str = r#"{"entity": "model_version", "action": "created", "data": {"name": "my model", "version": "3", "source": "file:///etc"}}"#;

pub fn signed(secret: &str, id: &str, body: &str) -> String {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    format!(
        "POST /v1/webhooks/mlflow HTTP/1.1\r\nX-MLflow-Delivery-Id: {id}\r\nX-MLflow-Timestamp: {at}\r\n\
         X-MLflow-Signature: v1,{signature}"
    )
}

/// A tracking server with one version, whose model is at `uri`.
pub fn tracking(uri: &'static str, model: Vec<u8>) -> Registry {
    Registry::start(move |target| {
        let files = |files: Value| found(json!({ "files": files }).to_string());
        match target {
            "/api/2.0/mlflow/model-versions/get-download-uri?name=my+model&version=3" => {
                found(json!({ "artifact_uri": uri }).to_string())
            }
            "/api/2.0/mlflow-artifacts/artifacts?path=1%2Fa" => files(json!([
                { "path": "MLmodel", "is_dir": false, "file_size": 6 },
                { "path": "data", "is_dir": true },
            ])),
            "/api/2.0/mlflow-artifacts/artifacts?path=1%2Fa%2Fdata" => {
                files(json!([{ "path": "m 1.pkl", "is_dir": false, "file_size": model.len().to_string() }]))
            }
            "/api/2.0/mlflow-artifacts/artifacts/1/a/MLmodel" => found("a: 1\n\n"),
            "/api/2.0/mlflow-artifacts/artifacts/1/a/data/m%201.pkl" => found(model.clone()),
            "/api/2.0/mlflow/model-versions/set-tag" => found("{}"),
            _ => absent(),
        }
    })
}

fn listening(registry: &Registry) -> Running {
    let mut config = Config::default();
    config.threads = 1;
    let mlflow = Mlflow::new(&registry.root(), "s3cret-hmac".to_owned(), Some("Bearer s3cret-mlflow"), SILENCE);
    config.mlflow = Some(mlflow.expect("an address"));
    Running::start(config, none())
}

/// The tags that were set, in their order.
pub fn tags(registry: &Registry) -> Vec<(String, String)> {
    let asked = registry.asked();
    let set = asked.iter().filter(|asked| asked.line.contains("set-tag"));
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    set.map(|asked| {
        let tag: Value = serde_json::from_str(&asked.body).expect("JSON");
        assert_eq!((&tag["name"], &tag["version"]), (&json!("my model"), &json!("3")));
        (text(&tag["key"]), text(&tag["value"]))
    })
    .collect()
}

#[test]
fn a_version_of_mlflow_is_scanned_and_tagged() {
    for (model, decision, reason) in [(HONEST, "allow", "passed"), (EVIL, "deny", "findings")] {
        let registry = tracking("mlflow-artifacts:/1/a", sample(model));
        let gate = listening(&registry);
        let head = signed("s3cret-hmac", "d-1", CREATED);
        let taken = gate.ask(&head, CREATED.as_bytes());
        assert_eq!((taken.status, results(&taken)), (202, vec!["/v1/deliveries/mlflow-d-1".to_owned()]));
        let answer = result(|path| gate.get(path), "/v1/deliveries/mlflow-d-1");
        assert_eq!(
            (answer["decision"].as_str(), answer["reason"].as_str()),
            (Some(decision), Some(reason)),
            "{answer}"
        );
        let paths: Vec<&str> = answer["report"]["files"]
            .as_array()
            .expect("files")
            .iter()
            .filter_map(|file| file["path"].as_str())
            .collect();
        assert_eq!(paths, ["models:/my model/3/MLmodel", "models:/my model/3/data/m 1.pkl"]);
        let tags = tags(&registry);
        assert_eq!(tags.last(), Some(&("weighin.decision".to_owned(), decision.to_owned())), "{tags:?}");
        assert!(tags.contains(&("weighin.reason".to_owned(), reason.to_owned())), "{tags:?}");
        assert!(tags.iter().any(|(key, value)| key == "weighin.content" && value.len() == 64), "{tags:?}");
        assert!(registry.asked().iter().all(|asked| asked.head.contains("s3cret-mlflow")));
        // A delivery counts once.
        let before = registry.asked().len();
        assert_eq!(gate.ask(&head, CREATED.as_bytes()).status, 202);
        result(|path| gate.get(path), "/v1/deliveries/mlflow-d-1");
        assert_eq!(registry.asked().len(), before);
        let log = gate.end().join("\n");
        assert!(log.contains("\"event\":\"delivery\"") && !log.contains("s3cret"), "{log}");
    }
}

#[test]
fn what_is_not_signed_is_not_obeyed() {
    let registry = tracking("mlflow-artifacts:/1/a", sample(HONEST));
    let gate = listening(&registry);
    for head in
        [signed("another", "d-1", CREATED), signed("s3cret-hmac", "d-1", "{}"), signed("s3cret-hmac", "../d", CREATED)]
    {
        assert_eq!(gate.ask(&head, CREATED.as_bytes()).status, 401, "{head}");
    }
    assert_eq!(gate.ask("POST /v1/webhooks/huggingface HTTP/1.1", b"{}").status, 404, "it is not configured");
    let other = CREATED.replace("created", "deleted");
    let ignored = gate.ask(&signed("s3cret-hmac", "d-2", &other), other.as_bytes());
    assert_eq!((ignored.status, results(&ignored)), (200, vec![]));
    assert!(registry.asked().is_empty());
}

#[test]
fn artifacts_elsewhere_are_not_fetched() {
    let other = Registry::start(|_| found("N."));
    let there: &'static str = format!("{}/api/2.0/mlflow-artifacts/artifacts/1/a", other.root()).leak();
    for uri in [there, "file:///etc", "mlflow-artifacts:/1/%2e%2e/a"] {
        let registry = tracking(uri, sample(HONEST));
        let gate = listening(&registry);
        gate.ask(&signed("s3cret-hmac", "d-1", CREATED), CREATED.as_bytes());
        assert_eq!(result(|path| gate.get(path), "/v1/deliveries/mlflow-d-1")["reason"], "unreachable", "{uri}");
        assert_eq!(tags(&registry).last().map(|(_, value)| value.as_str()), Some("deny"));
    }
    // A redirect leads nowhere either, nor does a file that is shorter than promised.
    let to = other.root();
    let redirecting = Registry::start(move |_| (302, vec![("Location", to.clone())], Vec::new()));
    let shorter = Registry::start(|target| match target {
        target if target.contains("get-download-uri") => {
            found(json!({ "artifact_uri": "mlflow-artifacts:/1" }).to_string())
        }
        target if target.contains("?path=") => {
            found(r#"{"files": [{"path": "a.pkl", "is_dir": false, "file_size": 3}]}"#)
        }
        _ => found("N."),
    });
    for registry in [redirecting, shorter] {
        let gate = listening(&registry);
        gate.ask(&signed("s3cret-hmac", "d-1", CREATED), CREATED.as_bytes());
        assert_eq!(result(|path| gate.get(path), "/v1/deliveries/mlflow-d-1")["reason"], "unreachable");
    }
    assert!(other.asked().is_empty());
}

/// A mirror of the Hub with one revision; large files are on another host.
fn mirror(sha: &str, model: Vec<u8>, large: String) -> Registry {
    let (listing, sha) = (format!("/api/models/org/name/revision/{sha}"), sha.to_owned());
    let siblings = json!([{ "rfilename": "config.json" }, { "rfilename": "weights/model.pkl" }]);
    Registry::start(move |target| match target.strip_prefix(&format!("/org/name/resolve/{sha}")) {
        Some("/config.json") => found("{}"),
        Some("/weights/model.pkl") if large.is_empty() => found(model.clone()),
        Some("/weights/model.pkl") => (302, vec![("Location", format!("{large}/blob?signature=s3cret"))], Vec::new()),
        None if target == listing => found(json!({ "sha": sha, "siblings": siblings }).to_string()),
        _ => absent(),
    })
}

#[test]
fn a_revision_of_the_hub_is_scanned() {
    let sha = "0123456789abcdef0123456789abcdef01234567";
    let event = json!({
        "event": { "action": "update", "scope": "repo.content" },
        "repo": { "type": "model", "name": "org/name", "headSha": sha },
    })
    .to_string();
    let model = sample(EVIL);
    let blobs = Registry::start(move |_| found(model.clone()));
    // The same host, by another name.
    let elsewhere = format!("http://localhost:{}", blobs.address.port());
    for (large, hosts, reason) in [
        (String::new(), vec![], "findings"),
        (elsewhere.clone(), vec!["localhost".to_owned()], "findings"),
        (elsewhere, vec![], "unreachable"),
    ] {
        let registry = mirror(sha, sample(EVIL), large);
        let mut config = Config::default();
        config.threads = 1;
        let hub = Hub::new(&registry.root(), "s3cret-hub".to_owned(), Some("Bearer s3cret-token"), &hosts, SILENCE);
        config.hub = Some(hub.expect("an address"));
        let gate = Running::start(config, none());
        for wrong in ["", "X-Webhook-Secret: s3cret-hu", "X-Webhook-Secret: S3cret-hub"] {
            let head = format!("POST /v1/webhooks/huggingface HTTP/1.1\r\nX: y\r\n{wrong}");
            assert_eq!(gate.ask(head.trim_end(), event.as_bytes()).status, 401, "{wrong}");
        }
        assert!(registry.asked().is_empty());
        let head = "POST /v1/webhooks/huggingface HTTP/1.1\r\nX-Webhook-Secret: s3cret-hub";
        let taken = gate.ask(head, event.as_bytes());
        let answer = result(|path| gate.get(path), &results(&taken)[0]);
        assert_eq!(answer["reason"], reason, "{answer}");
        if reason == "findings" {
            let path = format!("org/name@{sha}:weights/model.pkl");
            let files = answer["report"]["files"].as_array().expect("files");
            let file = files.iter().find(|file| file["path"] == path.as_str()).expect("the model");
            assert_eq!((&file["verdict"], &file["hub"]["revision"]), (&json!("malicious"), &json!(sha)));
        }
        assert!(registry.asked().iter().all(|asked| asked.head.contains("s3cret-token")));
        assert!(!gate.end().join("\n").contains("s3cret"));
    }
    assert!(!blobs.asked().is_empty());
    assert!(blobs.asked().iter().all(|asked| !asked.head.contains("s3cret-token")), "a token went to another host");
}
