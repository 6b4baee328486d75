//! The sandbox: what a scan has no use for is refused, to all threads.
//!
//! Closing it can't be undone, so that what is refused is tried in a process
//! of its own: this test binary again, with a variable that says so.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use weighin::shelter::{self, SandboxState, Wish};

use crate::cli::{output, weighin};

const HONEST: &str = "corpus/pickle/honest-dict-p4.pkl";
const EVIL: &str = "corpus/pickle/reduce-os-system-p4.pkl";

/// Set to a directory in the process that closes the sandbox around itself.
const INSIDE: &str = "WEIGHIN_TEST_INSIDE";

/// Everything that a parser which was taken over might try, by name, and what
/// came of it: the system's error, or `done`.
///
/// Where nothing refuses it (`free`), `exec` is not tried: it would succeed, and
/// nothing would be left to go on.
fn attempts(given: &Path, free: bool) -> BTreeMap<&'static str, String> {
    fn told<T>(result: std::io::Result<T>) -> String {
        result.map_or_else(|error| error.kind().to_string(), |_| "done".to_owned())
    }
    let outside = given.join("outside/secret.txt");
    let root = given.join("root");
    let write = |path: PathBuf| told(File::options().write(true).open(path));
    [
        ("read given", told(fs::read(root.join("model.pkl")))),
        ("list given", told(fs::read_dir(&root))),
        ("exec", if free { "done".to_owned() } else { told(Err::<(), _>(Command::new("/bin/true").exec())) }),
        ("spawn", told(Command::new("/bin/true").status())),
        ("tcp connect", told(TcpStream::connect("127.0.0.1:9"))),
        ("tcp listen", told(TcpListener::bind("127.0.0.1:0"))),
        ("udp", told(UdpSocket::bind("127.0.0.1:0"))),
        ("unix listen", told(UnixListener::bind(root.join("socket")))),
        ("unix pair", told(UnixStream::pair())),
        ("unix datagram", told(UnixDatagram::unbound())),
        ("read /etc/shadow", told(File::open("/etc/shadow"))),
        ("read /proc/self/environ", told(File::open("/proc/self/environ"))),
        ("list /", told(fs::read_dir("/"))),
        ("read outside", told(fs::read(&outside))),
        ("read outside by a link", told(fs::read(root.join("link.txt")))),
        ("write given", write(root.join("model.pkl"))),
        ("write outside", write(outside.clone())),
        ("make in given", told(File::create(root.join("new.txt")))),
        ("make outside", told(File::create(given.join("outside/new.txt")))),
        ("make directory", told(fs::create_dir(root.join("new")))),
        ("link", told(symlink("/etc/shadow", root.join("new-link")))),
        ("hard link", told(fs::hard_link(&outside, root.join("new-hard-link")))),
        ("rename", told(fs::rename(root.join("model.pkl"), root.join("renamed.pkl")))),
        ("remove given", told(fs::remove_file(root.join("other.pkl")))),
        ("remove outside", told(fs::remove_file(&outside))),
        ("permissions", told(fs::metadata(&root).and_then(|meta| fs::set_permissions(&root, meta.permissions())))),
        ("change directory", told(std::env::set_current_dir("/"))),
        ("temporary file", told(tempfile::tempfile().and_then(|mut file| file.write_all(b"spilled")))),
    ]
    .into()
}

/// What must still work. Everything else must be refused.
const KEPT: [&str; 3] = ["read given", "list given", "temporary file"];

#[test]
fn inside() {
    let Some(given) = std::env::var_os(INSIDE).map(PathBuf::from) else { return };
    let before = attempts(&given.join("before"), true);
    let mut closed = shelter::close(Wish::Require).expect("a sandbox");
    assert_eq!(fs::read(given.join("during/outside/secret.txt")).expect("a walk sees everything"), b"N.");
    closed.narrow(&[given.join("during/root")]).expect("a narrower one");
    assert_eq!(closed.sandbox().state, SandboxState::Full);
    let during = given.join("during");
    let here = attempts(&during, false);
    let thread = std::thread::spawn(move || attempts(&during, false)).join().expect("threads can be made");
    let scratch = closed.scratch().map(Path::to_owned).expect("a directory for temporary files");
    drop(closed);
    assert!(fs::metadata(&scratch).is_err(), "the directory for temporary files is left over");
    println!("{}", serde_json::to_string(&[before, here, thread]).expect("strings"));
}

/// A directory to be given and one outside of it, each with a file.
fn tree(top: &Path) {
    for name in ["root/model.pkl", "root/other.pkl", "outside/secret.txt"] {
        let path = top.join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("made");
        fs::write(&path, b"N.").expect("written");
    }
    symlink(top.join("outside/secret.txt"), top.join("root/link.txt")).expect("linked");
}

#[test]
fn what_a_scan_has_no_use_for_is_refused() {
    let given = tempfile::tempdir().expect("a directory");
    tree(&given.path().join("before"));
    tree(&given.path().join("during"));
    let mut child = Command::new(std::env::current_exe().expect("this binary"));
    child.args(["--exact", "sandbox::inside", "--nocapture"]).env(INSIDE, given.path());
    let output = child.output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let line = text.lines().find_map(|line| line.find("[{").map(|at| &line[at..])).expect("a line of JSON");
    let [before, here, thread]: [BTreeMap<String, String>; 3] = serde_json::from_str(line).expect("it parses");
    for (name, free) in &before {
        // What fails anyway proves nothing; nobody listens at that port.
        let proves = name == "tcp connect" || free == "done";
        assert!(proves, "{name} fails without a sandbox: {free}");
        for outcome in [&here[name], &thread[name]] {
            let wanted = if KEPT.contains(&name.as_str()) { "done" } else { "permission denied" };
            assert_eq!(outcome, wanted, "{name}");
        }
    }
}

/// The state of every thread of a process, from `/proc`.
fn threads(pid: u32, field: &str) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let statuses = tasks.filter_map(|task| fs::read_to_string(task.path().join("status")).ok());
    statuses
        .filter_map(|text| text.lines().find_map(|line| Some(line.strip_prefix(field)?.trim().to_owned())))
        .collect()
}

#[test]
fn the_command_line_closes_it_before_it_reads() {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("weighin"))
        .args(["scan", "-", HONEST, EVIL, "--format", "jsonl"])
        .current_dir(crate::check::root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    // A line for a file that was scanned, while standard input is waited for:
    // every thread there is has scanned or will.
    let mut first = [0; 1];
    child.stdout.as_mut().expect("piped").read_exact(&mut first).expect("a line");
    let filters = threads(child.id(), "Seccomp:");
    let privileges = threads(child.id(), "NoNewPrivs:");
    drop(child.stdin.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    assert!(!filters.is_empty() && filters.iter().all(|mode| mode == "2"), "threads without a filter: {filters:?}");
    assert!(privileges.iter().all(|set| set == "1"), "threads that can gain privileges: {privileges:?}");
}

fn json(args: &[&str]) -> (i32, Value) {
    let (code, text, error) = output(&[&["scan", "--format", "json"], args].concat());
    (code, serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}{error}")))
}

#[test]
fn the_report_says_what_was_in_force() {
    let (_, report) = json(&[HONEST]);
    assert_eq!(report["sandbox"]["state"], "full");
    assert!(report["sandbox"]["landlock"].as_u64().is_some_and(|abi| abi > 0));
    assert_eq!(report["sandbox"]["seccomp"], true);
    assert_eq!(json(&["--sandbox=off", HONEST]).1["sandbox"]["state"], "off");
    assert_eq!(json(&["--sandbox=require", HONEST]).0, 0);
    let (_, text, error) = output(&["scan", "-v", HONEST]);
    assert!(text.contains("sandbox: Landlock (ABI "), "{text}");
    assert!(error.is_empty(), "{error}");
    assert!(!output(&["scan", HONEST]).1.contains("sandbox"), "it is told without being asked for");
}

/// Everything else in the reports is the same with and without it.
#[test]
fn it_changes_no_verdict() {
    let both = ["--sandbox=require", "--sandbox=off"].map(|sandbox| {
        let (code, mut report) = json(&[sandbox, "corpus"]);
        report.as_object_mut().expect("an object").remove("sandbox");
        (code, report)
    });
    assert_eq!(both[0], both[1]);
}

/// The blobs of a model in the cache lie outside of what is named.
#[test]
fn models_of_the_cache_can_be_read() {
    let cache = tempfile::tempdir().expect("a directory");
    let repository = cache.path().join("models--weighin--demo");
    let snapshot = repository.join("snapshots").join("0".repeat(40));
    for folder in [&repository.join("blobs"), &repository.join("refs"), &snapshot] {
        fs::create_dir_all(folder).expect("made");
    }
    fs::write(repository.join("refs/main"), "0".repeat(40)).expect("written");
    fs::copy(crate::check::root().join(EVIL), repository.join("blobs/one")).expect("copied");
    symlink("../../blobs/one", snapshot.join("model.pkl")).expect("linked");
    let flag = format!("--hf-cache={}", cache.path().display());
    let snapshot = snapshot.to_string_lossy();
    for args in [&["weighin/demo", &flag][..], &[&snapshot]] {
        let (code, report) = json(&[&["--sandbox=require"], args].concat());
        assert_eq!((code, &report["summary"]["malicious"]), (1, &Value::from(1)), "{report:#}");
        assert_eq!(report["summary"]["with_gaps"], 0, "{report:#}");
    }
}

#[test]
fn links_that_are_followed_can_be_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let (root, other) = (dir.path().join("root"), dir.path().join("other"));
    fs::create_dir_all(&root).expect("made");
    fs::create_dir_all(other.join("deep")).expect("made");
    fs::copy(crate::check::root().join(EVIL), other.join("blob")).expect("copied");
    fs::copy(crate::check::root().join(EVIL), other.join("deep/blob")).expect("copied");
    symlink(other.join("blob"), root.join("file.pkl")).expect("linked");
    symlink(other.join("deep"), root.join("folder")).expect("linked");
    symlink(&root, dir.path().join("root-by-link")).expect("linked");
    for start in ["root", "root-by-link"] {
        let start = dir.path().join(start).to_string_lossy().into_owned();
        let (_, followed) = json(&["--sandbox=require", "--follow", &start]);
        assert_eq!(followed["summary"]["malicious"], 2, "{followed:#}");
        let (_, not) = json(&["--sandbox=require", &start]);
        assert_eq!(not["summary"]["incomplete"], 2, "{not:#}");
    }
}

#[test]
fn outputs_are_written_wherever_they_are() {
    let dir = tempfile::tempdir().expect("a directory");
    let models = dir.path().join("models");
    fs::create_dir(&models).expect("made");
    fs::copy(crate::check::root().join(HONEST), models.join("model.pkl")).expect("copied");
    let old = models.join("old.json");
    fs::write(&old, "x".repeat(1 << 20)).expect("written");
    let at = |name: &str| models.join(name).to_string_lossy().into_owned();
    let outputs = [
        format!("json={}", at("old.json")),
        format!("sarif={}", at("new.sarif")),
        format!("jsonl={}", at("new.jsonl")),
        "markdown=/dev/null".to_owned(),
    ];
    let mut args = vec!["--sandbox=require", "--write-baseline", "/dev/null"];
    args.extend(outputs.iter().flat_map(|output| ["--output", output]));
    let models = models.to_string_lossy().into_owned();
    args.push(&models);
    let (code, report) = json(&args);
    assert_eq!((code, &report["summary"]["files"]), (0, &Value::from(1)), "an output was scanned: {report:#}");
    for name in ["old.json", "new.sarif"] {
        let written: Value = serde_json::from_str(&fs::read_to_string(at(name)).expect("written")).expect("it parses");
        assert!(written.is_object());
    }
    assert_eq!(fs::read_to_string(at("new.jsonl")).expect("written").lines().count(), 1);
}

/// As `weighin scan --format json . > report.json` does.
#[test]
fn standard_output_may_lie_in_what_is_scanned() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::copy(crate::check::root().join(HONEST), dir.path().join("model.pkl")).expect("copied");
    let report = File::create(dir.path().join("report.json")).expect("made");
    let mut scan = Command::new(assert_cmd::cargo::cargo_bin!("weighin"));
    scan.args(["scan", "--format", "json", "."]).current_dir(dir.path()).stdout(report);
    assert_eq!(scan.status().expect("it runs").code(), Some(0), "the report was scanned while it was empty");
    let report: Value =
        serde_json::from_slice(&fs::read(dir.path().join("report.json")).expect("written")).expect("JSON");
    assert_eq!(report["summary"]["files"], 1);
}

#[test]
fn large_members_are_spilled_inside_it() {
    let dir = tempfile::tempdir().expect("a directory");
    // More than is held in memory, and behind it what is to be found.
    let mut pickle = b"\x80\x03B".to_vec();
    pickle.extend_from_slice(&(20_u32 << 20).to_le_bytes());
    pickle.resize(pickle.len() + (20 << 20), 0);
    pickle.extend_from_slice(b"0cos\nsystem\nX\x04\0\0\0true\x85R.");
    let model = dir.path().join("model.pkl.gz");
    let mut gzip = flate2::write::GzEncoder::new(File::create(&model).expect("made"), flate2::Compression::fast());
    gzip.write_all(&pickle).and_then(|()| gzip.finish().map(drop)).expect("written");
    let scratch = dir.path().join("scratch");
    fs::create_dir(&scratch).expect("made");
    let mut weighin = weighin();
    let scan = weighin.args(["scan", "--sandbox=require", "--format", "json"]).arg(&model);
    let run = scan.env("TMPDIR", &scratch).output().expect("it runs");
    let report: Value = serde_json::from_slice(&run.stdout).expect("JSON");
    assert_eq!(report["files"][0]["verdict"], "malicious", "{report:#}");
    assert_eq!(report["files"][0]["gaps"], Value::Array(Vec::new()));
    assert_eq!(fs::read_dir(&scratch).expect("readable").count(), 0, "something is left over");
}

#[test]
fn inspect_is_confined_too() {
    assert_eq!(output(&["inspect", "--sandbox=require", EVIL]).0, 0);
    assert_eq!(output(&["inspect", "--sandbox=require", "--opcodes", EVIL]).0, 0);
}
