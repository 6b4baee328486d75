//! Sweeps of a store on loopback: what is read, at which cost, and that nothing
//! a store does makes a model clean that was not examined.

use std::collections::BTreeMap;

use assert_cmd::Command;
use serde_json::Value;

use crate::check;
use crate::store::{FAULTS, Fault, Store, Stored};
use crate::{elsewhere, sparse};

const HONEST: &str = "pickle/honest-dict-p4.pkl";
const EVIL: &str = "pickle/reduce-os-system-p4.pkl";

pub fn sample(path: &str) -> Vec<u8> {
    std::fs::read(check::corpus().join(path)).expect("a sample")
}

/// The command, told of the store and nothing else.
pub fn sweeper(store: &Store) -> Command {
    let mut command = crate::cli::weighin();
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command
        .env("AWS_ENDPOINT_URL", &store.endpoint)
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_REGION", "us-east-1")
        .env("SOURCE_DATE_EPOCH", "1800000000")
        .args(["sweep", "--no-config", "--retries", "1", "--timeout", "2"]);
    command
}

/// Exit code, the lines of what was examined by URL, and the rest of the report.
pub struct Swept {
    pub code: i32,
    pub lines: BTreeMap<String, Value>,
    pub report: Value,
    pub error: String,
}

pub fn sweep(store: &Store, args: &[&str]) -> Swept {
    swept(sweeper(store), args)
}

fn swept(mut command: Command, args: &[&str]) -> Swept {
    let dir = tempfile::tempdir().expect("a directory");
    let lines = dir.path().join("lines");
    let output = command
        .args(["--format", "json", "--output", &format!("jsonl={}", lines.display())])
        .args(args)
        .output()
        .expect("it runs");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = std::fs::read_to_string(&lines).unwrap_or_default();
    let by_uri = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        (line["path"].as_str().expect("a URL").to_owned(), line)
    };
    Swept {
        code: output.status.code().expect("it exits"),
        lines: text.lines().map(by_uri).collect(),
        report: serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {error}")),
        error,
    }
}

impl Swept {
    fn line(&self, key: &str) -> &Value {
        self.lines.get(&format!("s3://bucket/{key}")).unwrap_or_else(|| panic!("{key} is not there: {}", self.error))
    }

    fn read(&self, key: &str) -> (u64, u64) {
        let fetched = &self.line(key)["fetched"];
        (fetched["bytes_read"].as_u64().expect("bytes"), fetched["requests"].as_u64().expect("requests"))
    }
}

/// Every sample gets in a store the verdict that it gets in a directory, and is
/// read once.
#[test]
fn a_store_is_judged_like_a_directory() {
    let store = Store::new();
    let mut wanted = BTreeMap::new();
    for row in check::samples() {
        for file in check::files_of(&row) {
            let bytes = std::fs::read(&file).expect("readable");
            let key = file.strip_prefix(check::corpus()).expect("below").to_string_lossy().into_owned();
            let report = check::scan(&format!("s3://bucket/{key}"), &bytes);
            wanted.insert(key.clone(), (report, bytes.len() as u64));
            store.put(&key, Stored::new(bytes));
        }
    }
    let swept = sweep(&store, &["s3://bucket"]);
    assert_eq!(swept.code, 1, "{}", swept.error);
    assert_eq!(swept.lines.len(), wanted.len());
    for (key, (report, size)) in &wanted {
        let line = swept.line(key);
        assert_eq!(line["verdict"], report.verdict.name(), "{key}: {line:#}");
        let findings: Vec<&str> =
            line["findings"].as_array().expect("findings").iter().filter_map(|one| one["rule"].as_str()).collect();
        let expected: Vec<&str> = report.findings.iter().map(|finding| finding.rule.as_str()).collect();
        assert_eq!(findings, expected, "{key}");
        assert_eq!(swept.read(key).0, *size, "{key} is read once");
    }
    let summary = &swept.report["summary"];
    assert_eq!(summary["files"], wanted.len());
    assert_eq!(swept.report["sweep"]["examined"], wanted.len());
    // Objects without findings are counted, not listed.
    let listed = swept.report["files"].as_array().expect("files");
    assert!(listed.iter().all(|file| file["verdict"] != "clean" || file["findings"] != Value::Array(Vec::new())));
    let unlisted = swept.report["sweep"]["unlisted"].as_u64().expect("a count");
    assert!(unlisted > 0 && listed.len() as u64 + unlisted == wanted.len() as u64);
}

#[test]
fn a_url_may_be_a_prefix_or_an_object() {
    let store = Store::new();
    for key in ["a/one.pkl", "a/two.pkl", "ab/three.pkl", "four.pkl"] {
        store.put(key, Stored::new(sample(HONEST)));
    }
    let keys = |args: &[&str]| sweep(&store, args).lines.into_keys().collect::<Vec<_>>();
    assert_eq!(keys(&["s3://bucket/a/"]), ["s3://bucket/a/one.pkl", "s3://bucket/a/two.pkl"]);
    assert_eq!(keys(&["s3://bucket/a"]), ["s3://bucket/a/one.pkl", "s3://bucket/a/two.pkl"]);
    assert_eq!(keys(&["s3://bucket/four.pkl", "s3://bucket/ab"]), ["s3://bucket/ab/three.pkl", "s3://bucket/four.pkl"]);
    let empty = sweep(&store, &["s3://bucket/none/"]);
    assert_eq!(empty.code, 3, "nothing is not clean");
    assert_eq!(sweep(&store, &["s3://bucket"]).code, 0);
}

/// An object by plain HTTP, from a server that knows no listing.
#[test]
fn a_web_server_will_do() {
    let store = Store::new();
    store.put("evil.pkl", Stored::new(sample(EVIL)));
    let url = format!("{}/bucket/evil.pkl", store.endpoint);
    let swept = sweep(&store, &[&url]);
    assert_eq!((swept.code, swept.lines.len()), (1, 1), "{}", swept.error);
    assert_eq!(swept.lines[&url]["verdict"], "malicious");
    let absent = format!("{}/bucket/none.pkl", store.endpoint);
    assert_eq!(sweep(&store, &[&absent]).code, 3);
}

#[test]
fn directories_are_targets_too() {
    let store = Store::new();
    let swept = sweep(&store, &["corpus/pickle/reduce-os-system-p4.pkl", "corpus/safetensors"]);
    assert_eq!(swept.code, 1);
    assert_eq!(swept.lines["corpus/pickle/reduce-os-system-p4.pkl"]["verdict"], "malicious");
    assert!(swept.lines.keys().any(|path| path.starts_with("corpus/safetensors/")));
}

/// Threads that scan can do without sockets and files: others have them.
#[cfg(target_os = "linux")]
#[test]
fn scanning_threads_are_confined() {
    let store = Store::new();
    store.put("evil.pkl", Stored::new(sample(EVIL)));
    store.put("model.safetensors", safetensors(20 << 20));
    let swept = sweep(&store, &["s3://bucket", "corpus/safetensors", "--sandbox=require"]);
    assert_eq!((swept.code, &swept.report["sandbox"]["state"]), (1, &"full".into()), "{}", swept.error);
    assert_eq!(swept.line("model.safetensors")["verdict"], "clean");
    let free = sweep(&store, &["s3://bucket", "--sandbox=off"]);
    assert_eq!(free.report["sandbox"]["state"], "off");
}

pub fn safetensors(len: u64) -> Stored {
    sparse::safetensors(len).into()
}

/// A PyTorch archive with `count` storages of `each` bytes.
pub fn torch(count: u64, each: u32) -> Stored {
    sparse::torch(&sample(HONEST), count, each).into()
}

/// At header depth, size does not matter.
#[test]
fn headers_cost_little() {
    let store = Store::new();
    store.put("small.safetensors", safetensors(1 << 30));
    store.put("large.safetensors", safetensors(100 << 30));
    store.put("model.pt", torch(256, 4 << 20));
    let swept = sweep(&store, &["s3://bucket", "--depth", "header"]);
    let (_, sent) = store.got();
    let mut total = 0;
    for (key, most, requests) in
        [("small.safetensors", 160 << 10, 2), ("large.safetensors", 300 << 10, 3), ("model.pt", 1 << 20, 300)]
    {
        let line = swept.line(key);
        let (bytes, asked) = swept.read(key);
        println!("{key}: {bytes} bytes in {asked} requests");
        assert!(bytes < most && asked <= requests, "{key}: {bytes} bytes in {asked} requests");
        // Not all was examined, and that is what it says.
        assert_eq!(line["verdict"], "incomplete", "{line:#}");
        assert_eq!(line["gaps"][0]["reason"], "not-evaluated", "{line:#}");
        assert_eq!(line["gaps"].as_array().map(Vec::len), Some(1), "{line:#}");
        total += bytes;
    }
    assert_eq!(sent, total, "what is reported is what was sent");
}

/// Every byte is fetched, and hardly any twice, whatever parsers read before the
/// sweep over all bytes does.
#[test]
fn at_full_depth_every_byte_is_fetched_once() {
    let store = Store::new();
    let evil = sample(EVIL);
    let elf = sample("safetensors/tensor-elf.safetensors");
    let elf = &elf[memchr::memmem::find(&elf, b"\x7fELF").expect("an executable")..];
    let objects = [
        ("small.pt", torch(10, 4 << 20), 100),
        // More than is kept of an object.
        ("large.safetensors", safetensors(200 << 20).over((8 << 20) - 9, &evil).over(130 << 20, elf), 101),
        ("large.pt", torch(50, 4 << 20), 102),
        ("many.pt", torch(800, 128 << 10).over(70 << 20, elf), 105),
        // Members that are not taken into memory.
        ("few.pt", torch(3, 40 << 20).over(100 << 20, elf), 102),
        ("large.gguf", Stored::from(sparse::gguf(80 << 20)).over(60 << 20, &evil), 101),
    ];
    for (key, object, _) in &objects {
        store.put(key, object.clone());
    }
    let swept = sweep(&store, &["s3://bucket"]);
    let (_, sent) = store.got();
    let mut total = 0;
    for (key, object, percent) in objects {
        let line = swept.line(key);
        let (bytes, requests) = swept.read(key);
        println!("{key}: {bytes} of {} bytes in {requests} requests", object.len);
        assert_eq!(line["gaps"], Value::Array(Vec::new()), "{line:#}");
        let most = object.len * percent / 100;
        assert!((object.len..=most).contains(&bytes), "{key}: {bytes} of {} bytes in {requests} requests", object.len);
        total += bytes;
        let here = check::scan(key, &object.all());
        assert_eq!(line["sha256"].as_str(), here.sha256.as_deref(), "{key}");
        let found = |rules: Vec<&str>, offsets: Vec<u64>| rules.into_iter().map(str::to_owned).zip(offsets).collect();
        let wanted: Vec<(String, u64)> = found(
            here.findings.iter().map(|finding| finding.rule.as_str()).collect(),
            here.findings.iter().map(|finding| finding.location.offset).collect(),
        );
        let findings = line["findings"].as_array().expect("findings");
        let told: Vec<(String, u64)> = found(
            findings.iter().filter_map(|finding| finding["rule"].as_str()).collect(),
            findings.iter().filter_map(|finding| finding["location"]["offset"].as_u64()).collect(),
        );
        assert_eq!(told, wanted, "{key}");
        assert_eq!(told.is_empty(), matches!(key, "small.pt" | "large.pt"), "{key}: {told:?}");
    }
    assert_eq!(sent, total, "what is reported is what was sent");
}

/// Whatever a store does, an honest model that could not be read is not clean,
/// and the others are read.
#[test]
fn a_store_that_fails_makes_nothing_clean() {
    let small = sample(HONEST);
    // Larger than what is held in memory, so that it takes many requests.
    let objects = [("small.pkl", Stored::new(small.clone())), ("large.safetensors", safetensors(40 << 20))];
    for depth in ["full", "header"] {
        let store = Store::new();
        for (name, object) in &objects {
            for fault in FAULTS {
                store.put(&format!("{fault:?}/{name}"), object.clone().with(fault));
            }
        }
        store.put("errors-at-first.pkl", Stored::new(small.clone()).with(Fault::ErrorsAtFirst(1)));
        store.put("fine.pkl", Stored::new(small.clone()));
        let swept = sweep(&store, &["s3://bucket", "--depth", depth, "-j", "16"]);
        assert_eq!(swept.code, 3, "{}", swept.error);
        for fault in FAULTS {
            for name in ["small.pkl", "large.safetensors"] {
                let line = swept.line(&format!("{fault:?}/{name}"));
                // One answer is all that a small object needs.
                let once = matches!(fault, Fault::Replaced | Fault::ReplacedUnasked) && name == "small.pkl";
                assert_eq!(line["verdict"], if once { "clean" } else { "incomplete" }, "{line:#}");
                let reasons: Vec<&str> =
                    line["gaps"].as_array().expect("gaps").iter().filter_map(|gap| gap["reason"].as_str()).collect();
                let changed = matches!(fault, Fault::Replaced | Fault::ReplacedUnasked) && !once;
                // An object of another length than was listed is another one.
                let shorter = matches!(fault, Fault::ShortAndSaysSo | Fault::OtherRange) && name == "small.pkl";
                assert_eq!(reasons.contains(&"changed"), changed || shorter, "{line:#}");
                assert!(once || reasons.contains(&"unreadable"), "{line:#}");
            }
        }
        for key in ["fine.pkl", "errors-at-first.pkl"] {
            assert_eq!(swept.line(key)["verdict"], "clean", "{:#}", swept.line(key));
        }
    }
}

/// A key that can't be asked for hides no other one.
#[test]
fn strange_keys_hide_nothing() {
    let store = Store::new();
    for n in 0..40 {
        store.put(&format!("k{n:02}.pkl"), Stored::new(sample(HONEST)));
    }
    store.put("k17//evil.pkl", Stored::new(sample(EVIL)));
    store.put("k23/../evil.pkl", Stored::new(sample(EVIL)));
    store.put("k30.pkl/", Stored::new(Vec::new()));
    store.put("k39 ü&<%41>?#.pkl", Stored::new(sample(EVIL)));
    let swept = sweep(&store, &["s3://bucket"]);
    assert_eq!(swept.code, 1, "{}", swept.error);
    assert_eq!(swept.line("k17//evil.pkl")["gaps"][0]["reason"], "unreadable");
    assert_eq!(swept.line("k23/../evil.pkl")["verdict"], "incomplete");
    assert_eq!(swept.line("k39 ü&<%41>?#.pkl")["verdict"], "malicious");
    for n in (0..40).filter(|n| *n != 30) {
        assert_eq!(swept.line(&format!("k{n:02}.pkl"))["verdict"], "clean");
    }
    // Told by one name, and so not clean by it.
    assert!(swept.lines.contains_key("s3://bucket/k30.pkl"));
}

#[test]
fn a_store_that_can_t_be_listed_is_not_clean() {
    let store = Store::new();
    let output = sweeper(&store).arg("s3://other").output().expect("it runs");
    assert_eq!(output.status.code(), Some(3));
    for wrong in ["ftp://bucket/a", "s3://bucket?versionId=1", "https://me:secret@host/a", "s3://"] {
        let output = sweeper(&store).arg(wrong).output().expect("it runs");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{wrong}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

/// Signatures, paging and the rest by somebody else's server.
#[test]
fn another_server_is_understood() {
    let root = tempfile::tempdir().expect("a directory");
    let bucket = root.path().join("bucket/deep");
    std::fs::create_dir_all(&bucket).expect("made");
    for n in 0..1100 {
        std::fs::write(bucket.join(format!("{n}.pkl")), sample(HONEST)).expect("written");
    }
    std::fs::write(bucket.join("evil.pkl"), sample(EVIL)).expect("written");
    let (_runtime, endpoint) = elsewhere::serve(root.path(), true);
    let mut store = Store::new();
    store.endpoint = endpoint;
    let state = root.path().join("state.db").to_string_lossy().into_owned();
    let swept = sweep(&store, &["s3://bucket/deep", "--state", &state]);
    assert_eq!((swept.code, swept.lines.len()), (1, 1101), "{}", swept.error);
    assert_eq!(swept.report["summary"]["clean"], 1100);
    let again = sweep(&store, &["s3://bucket/deep", "--state", &state]);
    assert_eq!((again.code, again.lines.len()), (1, 0), "listings without tags go by the time");
    let output = sweeper(&store).env("AWS_SECRET_ACCESS_KEY", "wrong").arg("s3://bucket").output().expect("it runs");
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A sweep of Google's store, which is said to be at `endpoint`.
fn google(endpoint: &str, args: &[&str]) -> Swept {
    let mut command = sweeper(&Store::new());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GOOGLE_")) {
        command.env_remove(name);
    }
    command.env("GOOGLE_BASE_URL", endpoint);
    swept(command, args)
}

/// The XML API of Google is that of S3, but for signatures.
#[test]
fn google_is_understood() {
    let store = Store::new();
    store.put("a/evil.pkl", Stored::new(sample(EVIL)));
    store.put("a/large.safetensors", safetensors(80 << 20));
    store.put("a/model.pt", torch(24, 4 << 20));
    store.put("a/replaced.safetensors", safetensors(80 << 20).with(Fault::Replaced));
    let dir = tempfile::tempdir().expect("a directory");
    // The library's own way to speak to a server that wants no token.
    let key = dir.path().join("key.json");
    let text = r#"{"private_key": "none", "private_key_id": "none", "client_email": "none", "disable_oauth": true}"#;
    std::fs::write(&key, text).expect("written");
    let state = dir.path().join("state.db").to_string_lossy().into_owned();
    let mut command = sweeper(&store);
    command.env("GOOGLE_BASE_URL", &store.endpoint).env("GOOGLE_SERVICE_ACCOUNT", &key);
    let first = swept(command, &["gs://bucket/a", "--depth", "header"]);
    assert_eq!((first.code, first.lines.len()), (1, 4), "{}", first.error);
    for (key, most) in [("large.safetensors", 160 << 10), ("model.pt", 1 << 20)] {
        let read = first.lines[&format!("gs://bucket/a/{key}")]["fetched"]["bytes_read"].as_u64();
        assert!(read.is_some_and(|read| read < most), "{key}: {read:?}");
    }
    let full = google(&store.endpoint, &["gs://bucket/a", "--anonymous", "--state", &state]);
    assert_eq!(full.code, 1, "{}", full.error);
    let verdict = |key: &str| full.lines[&format!("gs://bucket/a/{key}")]["verdict"].as_str().map(str::to_owned);
    for (key, wanted) in [
        ("evil.pkl", "malicious"),
        ("large.safetensors", "clean"),
        ("model.pt", "clean"),
        ("replaced.safetensors", "incomplete"),
    ] {
        assert_eq!(verdict(key).as_deref(), Some(wanted), "{key}");
    }
    let again = google(&store.endpoint, &["gs://bucket/a", "--anonymous", "--state", &state]);
    assert_eq!(again.lines.into_keys().collect::<Vec<_>>(), ["gs://bucket/a/replaced.safetensors"]);

    let root = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(root.path().join("bucket")).expect("made");
    std::fs::write(root.path().join("bucket/evil.pkl"), sample(EVIL)).expect("written");
    let (_runtime, endpoint) = elsewhere::serve(root.path(), false);
    let other = google(&endpoint, &["gs://bucket", "--anonymous"]);
    assert_eq!(other.lines["gs://bucket/evil.pkl"]["verdict"], "malicious", "{}", other.error);
}

/// Files in the cache of the Hub are known by their names there, and have to be
/// what they are called by.
#[test]
#[cfg(unix)]
fn a_cache_of_the_hub_is_told_by_its_names() {
    let dir = tempfile::tempdir().expect("a directory");
    let repository = dir.path().join("models--org--name");
    let snapshot = repository.join("snapshots/0123456789abcdef0123456789abcdef01234567");
    std::fs::create_dir_all(&snapshot).expect("made");
    std::fs::create_dir_all(repository.join("blobs")).expect("made");
    std::fs::create_dir_all(repository.join("refs")).expect("made");
    let wrong = "0".repeat(64);
    std::fs::write(repository.join("blobs").join(&wrong), sample(EVIL)).expect("written");
    std::os::unix::fs::symlink(format!("../../blobs/{wrong}"), snapshot.join("model.pkl")).expect("linked");
    let swept = sweep(&Store::new(), &[&dir.path().to_string_lossy()]);
    let name = "org/name@0123456789abcdef0123456789abcdef01234567:model.pkl";
    let line = swept.lines.get(name).unwrap_or_else(|| panic!("{:?} {}", swept.lines.keys(), swept.error));
    assert_eq!((&line["verdict"], &line["hub"]["repository"]), (&"malicious".into(), &"org/name".into()));
    assert!(line["stored_at"].as_str().is_some_and(|place| place.ends_with(&wrong)), "{line:#}");
    let findings = line["findings"].as_array().expect("findings");
    assert!(findings.iter().any(|finding| finding["evidence"]["kind"] == "digest.mismatch"), "{line:#}");
}
