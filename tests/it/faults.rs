//! Faults, injected for real: what was found before them is in the report, and
//! what was not examined is a gap.

#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use weighin::artifact::GapReason;
use weighin::input::{Input, ReadAt};
use weighin::report::{FileReport, Verdict};
use weighin::{Limits, RuleSet, Scanner};

use crate::cli::weighin;

const EVIL: &[u8] = b"cos\nsystem\n(S'echo weighin'\ntR.";
const HONEST: &[u8] = b"\x80\x04]\x94(K\x01K\x02e.";

/// More than is read before any test is over.
const ENDLESS: u64 = 64 << 30;

fn program() -> Command {
    Command::new(assert_cmd::cargo::cargo_bin!("weighin"))
}

/// A tree whose second file takes long, and what lies before and behind it.
fn tree(long: u64) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("tree")).expect("made");
    fs::create_dir(dir.path().join("scratch")).expect("made");
    fs::write(dir.path().join("tree/a.pkl"), EVIL).expect("written");
    File::create(dir.path().join("tree/b.bin")).and_then(|file| file.set_len(long)).expect("a sparse file");
    fs::write(dir.path().join("tree/c.pkl"), EVIL).expect("written");
    dir
}

/// Begins to scan a tree on one thread, with a report beside it.
fn begin(dir: &Path) -> Child {
    let output = |format: &str| format!("--output={format}={}", dir.join(format).display());
    program()
        .args(["scan", "-j1", "--limit", "seconds=100"])
        .args([output("json"), output("jsonl")])
        .arg(dir.join("tree"))
        .env("TMPDIR", dir.join("scratch"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs")
}

/// Waits until `child` has read this many bytes in all.
fn until_read(child: &mut Child, bytes: u64) {
    loop {
        let text = fs::read_to_string(format!("/proc/{}/io", child.id())).unwrap_or_default();
        let read = text.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse::<u64>().ok());
        if read.is_some_and(|read| read >= bytes) {
            return;
        }
        assert!(child.try_wait().expect("it can be asked").is_none(), "it ended before the fault came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn send(signal: &str, child: &Child) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill runs");
    assert!(status.success());
}

fn report(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("there is a report");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// The entry of the file whose path ends like this.
fn file<'r>(report: &'r Value, end: &str) -> &'r Value {
    let files = report["files"].as_array().expect("files");
    let found = files.iter().find(|file| file["path"].as_str().is_some_and(|path| path.ends_with(end)));
    found.unwrap_or_else(|| panic!("{end} is missing in {report:#}"))
}

fn reasons(file: &Value) -> Vec<&str> {
    file["gaps"].as_array().into_iter().flatten().filter_map(|gap| gap["reason"].as_str()).collect()
}

fn end(child: Child) -> (ExitStatus, String, String) {
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status, text(output.stdout), text(output.stderr))
}

#[test]
fn a_file_that_shrinks_is_cut_and_changed() {
    let dir = tree(ENDLESS);
    let mut child = begin(dir.path());
    until_read(&mut child, 64 << 20);
    File::options().write(true).open(dir.path().join("tree/b.bin")).and_then(|file| file.set_len(1)).expect("cut");
    let (status, ..) = end(child);
    assert_eq!(status.code(), Some(1));
    let report = report(&dir.path().join("json"));
    let gaps = reasons(file(&report, "b.bin"));
    assert!(gaps.contains(&"truncated") && gaps.contains(&"changed"), "{gaps:?}");
    assert_eq!(report["summary"]["malicious"], 2, "the other files were lost");
}

#[test]
fn a_file_that_grows_is_not_clean() {
    let dir = tree(1 << 30);
    let mut child = begin(dir.path());
    until_read(&mut child, 64 << 20);
    let grown = File::options().append(true).open(dir.path().join("tree/b.bin"));
    grown.and_then(|mut file| file.write_all(EVIL)).expect("grown");
    let (status, ..) = end(child);
    assert_eq!(status.code(), Some(1));
    let report = report(&dir.path().join("json"));
    assert!(reasons(file(&report, "b.bin")).contains(&"changed"), "{report:#}");
    assert_eq!(report["summary"]["malicious"], 2);
}

#[test]
fn a_signal_ends_the_scan_with_a_report() {
    for (signal, number) in [("-INT", 2), ("-TERM", 15)] {
        let dir = tree(ENDLESS);
        let mut child = begin(dir.path());
        until_read(&mut child, 64 << 20);
        send(signal, &child);
        let (status, text, error) = end(child);
        assert_eq!(status.signal(), Some(number), "a shell sees no signal: {status:?}");
        assert!(text.contains("MALICIOUS") && text.contains("interrupted"), "{text}");
        assert!(error.contains(&signal.replace('-', "stopped by SIG")), "{error}");
        let report = report(&dir.path().join("json"));
        assert_eq!(file(&report, "a.pkl")["verdict"], "malicious");
        assert!(reasons(file(&report, "b.bin")).contains(&"interrupted"));
        assert_eq!(reasons(file(&report, "c.pkl")), ["interrupted"], "it was not examined, and nobody says so");
        let lines = fs::read_to_string(dir.path().join("jsonl")).expect("written");
        assert_eq!(lines.lines().count(), 3, "{lines}");
        assert_eq!(fs::read_dir(dir.path().join("scratch")).expect("readable").count(), 0, "something is left over");
    }
}

/// A limit on processor time is a signal too.
#[test]
fn used_up_processor_time_ends_the_scan_with_a_report() {
    let dir = tree(ENDLESS);
    let path = dir.path().join("tree").to_string_lossy().into_owned();
    let (status, text, error) = limited("-S -t 1", &["scan", "-j1", "--format", "json", &path]);
    assert_eq!(status.signal(), Some(24), "{error}");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(file(&report, "a.pkl")["verdict"], "malicious");
    assert_eq!(reasons(file(&report, "c.pkl")), ["interrupted"]);
}

#[test]
fn a_signal_ends_the_wait_for_standard_input() {
    let scan = ["scan", "--format", "json", "-"];
    let mut child =
        program().args(scan).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    child.stdin.as_mut().expect("piped").write_all(EVIL).expect("written");
    // The pipe is empty once the bytes have been taken, and stays open.
    until_read(&mut child, 0);
    let waits = |pid: u32| {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").flatten();
        tasks.filter_map(|task| fs::read_to_string(task.path().join("wchan")).ok()).any(|at| at.contains("pipe_read"))
    };
    while !waits(child.id()) {
        assert!(child.try_wait().expect("it can be asked").is_none(), "it did not wait for the end");
        std::thread::sleep(Duration::from_millis(1));
    }
    send("-INT", &child);
    let stdin = child.stdin.take();
    let (status, text, _) = end(child);
    drop(stdin);
    assert_eq!(status.signal(), Some(2));
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(report["files"][0]["verdict"], "malicious", "what had come was not examined: {report:#}");
    assert!(reasons(&report["files"][0]).contains(&"interrupted"));
}

#[test]
fn a_scan_that_was_killed_can_be_started_again() {
    let dir = tree(ENDLESS);
    let mut child = begin(dir.path());
    until_read(&mut child, 64 << 20);
    child.kill().expect("killed");
    assert_eq!(end(child).0.signal(), Some(9));
    let lines = fs::read_to_string(dir.path().join("jsonl")).expect("written");
    assert!(lines.lines().count() == 1 && lines.contains("a.pkl"), "what was found is lost: {lines}");
    fs::write(dir.path().join("tree/b.bin"), HONEST).expect("written");
    let (status, ..) = end(begin(dir.path()));
    assert_eq!(status.code(), Some(1));
    let again = report(&dir.path().join("json"));
    assert_eq!((&again["summary"]["malicious"], &again["summary"]["files"]), (&Value::from(2), &Value::from(3)));
}

#[test]
fn a_reader_that_goes_away_changes_no_exit_code() {
    let dir = tempfile::tempdir().expect("a directory");
    for number in 0..2_000 {
        fs::write(dir.path().join(format!("{number}.pkl")), EVIL).expect("written");
    }
    for format in ["jsonl", "json", "text"] {
        let mut child = program()
            .args(["scan", "--verbose", "--format", format])
            .arg(dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let (status, _, error) = end(child);
        assert_eq!(status.code(), Some(1), "{format}: {error}");
        assert_eq!(error, "", "{format}");
    }
}

/// Runs the command line under a limit of the shell, and returns its report.
fn limited(limit: &str, args: &[&str]) -> (ExitStatus, String, String) {
    let program = assert_cmd::cargo::cargo_bin!("weighin");
    let mut bash = Command::new("bash");
    bash.args(["-c", &format!("ulimit {limit}; exec \"$@\""), "bash"]).arg(program).args(args);
    end(bash.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs"))
}

/// A gzip of a pickle that runs a command, and then has more bytes than are
/// held in memory.
fn inflates(path: &Path) {
    let mut pickle = b"\x80\x03cos\nsystem\nX\x04\0\0\0true\x85R0B".to_vec();
    pickle.extend_from_slice(&(64_u32 << 20).to_le_bytes());
    pickle.resize(pickle.len() + (64 << 20), 0);
    pickle.push(b'.');
    let mut gzip = flate2::write::GzEncoder::new(File::create(path).expect("made"), flate2::Compression::fast());
    gzip.write_all(&pickle).and_then(|()| gzip.finish().map(drop)).expect("written");
}

#[test]
fn a_full_disk_for_temporary_files_is_a_gap() {
    let dir = tempfile::tempdir().expect("a directory");
    let model = dir.path().join("model.pkl.gz");
    inflates(&model);
    let path = model.to_string_lossy();
    // In KiB: nothing, less than is held in memory, and more.
    for limit in ["-f 0", "-f 4096", "-f 32768"] {
        let (status, text, error) = limited(limit, &["scan", "--format", "json", &path]);
        assert_eq!(status.code(), Some(1), "{limit}: {status:?} {error}");
        let report: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(report["files"][0]["verdict"], "malicious", "{limit}: what fitted was not examined");
        assert!(text.contains("temporary file"), "{limit}: {text}");
    }
    let (_, text, _) = limited("-f unlimited", &["scan", "--format", "json", &path]);
    assert!(!text.contains("temporary file"));
}

#[test]
fn an_output_that_fails_takes_no_other_with_it() {
    let dir = tree(1);
    let models = dir.path().join("tree").to_string_lossy().into_owned();
    let good = dir.path().join("good.json");
    let good_output = format!("json={}", good.display());
    let args =
        ["scan", "--output", "sarif=/dev/full", "--output", "jsonl=/dev/full", "--output", &good_output, &models];
    let (status, text, error) = limited("-c 0", &args);
    assert_eq!(status.code(), Some(2), "an output is missing, and nobody says so");
    assert!(error.contains("No space left"), "{error}");
    assert!(text.contains("2 malicious"), "{text}");
    assert_eq!(report(&good)["summary"]["malicious"], 2);
}

#[test]
fn without_descriptors_nothing_is_called_clean() {
    let dir = tempfile::tempdir().expect("a directory");
    for number in 0..50 {
        fs::create_dir(dir.path().join(format!("{number}"))).expect("made");
        fs::write(dir.path().join(format!("{number}/model.pkl")), HONEST).expect("written");
        fs::write(dir.path().join(format!("{number}/evil.pkl")), EVIL).expect("written");
    }
    let path = dir.path().to_string_lossy();
    let mut opened = 0;
    for limit in 3..12 {
        let (status, text, error) = limited(&format!("-n {limit}"), &["scan", "--format", "json", "-j4", &path]);
        // Too few to start at all is an error of the loader, or exit code 2.
        let Ok(report) = serde_json::from_str::<Value>(&text) else {
            assert!(!status.success(), "-n {limit}: {error}");
            continue;
        };
        opened += 1;
        let files = report["files"].as_array().expect("files");
        let evil = files.iter().filter(|file| file["path"].as_str().is_some_and(|path| path.ends_with("evil.pkl")));
        for file in evil {
            let known = file["verdict"] == "malicious" || !reasons(file).is_empty();
            assert!(known, "-n {limit}: {file:#}");
        }
        let missed = files.iter().any(|file| !reasons(file).is_empty());
        assert!(missed || files.len() == 100, "-n {limit}: files are missing without a word");
    }
    assert!(opened > 0, "no limit let it start");
}

#[test]
fn what_may_not_be_read_is_a_gap() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("set");
    fs::create_dir(dir.path().join("models")).expect("made");
    let models = dir.path().join("models");
    fs::write(models.join("a.pkl"), EVIL).expect("written");
    fs::write(models.join("b.pkl"), EVIL).expect("written");
    fs::create_dir(models.join("closed")).expect("made");
    fs::write(models.join("closed/c.pkl"), EVIL).expect("written");
    for (name, mode) in [("b.pkl", 0o000), ("closed", 0o000), ("a.pkl", 0o644)] {
        fs::set_permissions(models.join(name), fs::Permissions::from_mode(mode)).expect("set");
    }
    // Root reads everything; nobody does not, and may not enter a closed
    // directory in which the program was built.
    let root = fs::read(models.join("b.pkl")).is_ok();
    let mut command = program();
    if root {
        let copy = dir.path().join("weighin");
        fs::copy(command.get_program(), &copy).expect("copied with its mode");
        command = Command::new(copy);
        command.uid(65_534).gid(65_534);
    }
    command.args(["scan", "--format", "json", "--no-config"]).arg(&models).current_dir("/");
    let output = command.output().expect("it runs");
    fs::set_permissions(models.join("closed"), fs::Permissions::from_mode(0o755)).expect("set");
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(file(&report, "a.pkl")["verdict"], "malicious");
    assert_eq!(reasons(file(&report, "b.pkl")), ["unreadable"]);
    assert_eq!(reasons(file(&report, "closed")), ["unreadable"]);
}

#[test]
fn a_read_error_keeps_what_came_before() {
    // A connection that is reset: whoever closes it without having read what
    // was sent to it resets it, and what it sent before can still be read.
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let mut far = TcpStream::connect(listener.local_addr().expect("it has one")).expect("connected");
    let (mut near, _) = listener.accept().expect("accepted");
    near.write_all(b"unread").expect("written");
    far.peek(&mut [0]).expect("it arrives");
    far.write_all(EVIL).expect("written");
    near.peek(&mut [0]).expect("it arrives");
    drop(far);
    let output = program()
        .args(["scan", "--format", "json", "-"])
        .stdin(Stdio::from(OwnedFd::from(near)))
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["files"][0]["verdict"], "malicious");
    assert!(reasons(&report["files"][0]).contains(&"unreadable"), "{report:#}");

    // A directory opens like a file, and can't be read.
    let directory = File::open("/").expect("opened");
    let output = program().args(["scan", "-"]).stdin(directory).output().expect("it runs");
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn time_ends_one_long_rule() {
    let dir = tempfile::tempdir().expect("a directory");
    let rule = "rule endless { condition: for all i in (0..9000000000000000) : ( i >= 0 ) }";
    fs::create_dir(dir.path().join("rules")).expect("made");
    fs::write(dir.path().join("rules/endless.yar"), rule).expect("written");
    let big = dir.path().join("big.bin");
    File::create(&big).and_then(|file| file.set_len(32 << 20)).expect("a sparse file");
    let small = dir.path().join("small.pkl");
    fs::write(&small, EVIL).expect("written");
    let output = weighin()
        .args(["scan", "--format", "json", "--limit", "seconds=1", "--rules"])
        .arg(dir.path().join("rules"))
        .args([&big, &small])
        .output()
        .expect("it runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for name in ["big.bin", "small.pkl"] {
        assert!(reasons(file(&report, name)).contains(&"limit"), "{report:#}");
    }
    assert_eq!(file(&report, "small.pkl")["verdict"], "malicious", "what the reader found is lost");
    let mut rest = String::new();
    output.stderr.as_slice().read_to_string(&mut rest).expect("UTF-8");
    assert_eq!(rest, "");
}

/// A disk that answers, but slowly, and one that fails from some offset on.
struct Ailing {
    content: Vec<u8>,
    wait: Duration,
    fails_from: u64,
}

impl ReadAt for Ailing {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<usize> {
        std::thread::sleep(self.wait);
        if offset >= self.fails_from {
            return Err(std::io::Error::other("the server is gone"));
        }
        let from = usize::try_from(offset).map_or(&[][..], |at| self.content.get(at..).unwrap_or_default());
        let n = from.len().min(buf.len());
        buf[..n].copy_from_slice(&from[..n]);
        Ok(n)
    }
}

/// What a scan makes of a pickle that runs a command, and of 8 MiB after it,
/// from such a disk.
fn from_ailing(wait: Duration, fails_from: u64) -> FileReport {
    let rules = RuleSet::embedded().expect("the rules load");
    let mut limits = Limits::default();
    limits.set("seconds", 1).expect("the limit exists");
    limits.set("memory-bytes", 1 << 16).expect("the limit exists");
    let mut content = EVIL.to_vec();
    content.resize(8 << 20, 0);
    let len = content.len() as u64;
    let input = Input::positioned(Arc::new(Ailing { content, wait, fails_from }), len);
    Scanner::new(&rules).with_limits(limits).scan_input("model.pkl", input)
}

#[test]
fn a_slow_disk_is_left_when_the_time_is_up() {
    let report = from_ailing(Duration::from_millis(300), u64::MAX);
    assert_eq!(report.verdict, Verdict::Malicious, "what the reader found is lost");
    assert!(report.gaps.iter().any(|gap| gap.detail.contains("seconds")), "{:?}", report.gaps);
}

#[test]
fn a_disk_that_fails_in_the_middle_keeps_what_came_before() {
    let report = from_ailing(Duration::ZERO, 1 << 20);
    assert_eq!(report.verdict, Verdict::Malicious, "what the reader found is lost");
    let gap = report.gaps.iter().find(|gap| gap.reason == GapReason::Unreadable).expect("a gap");
    assert!(gap.detail.contains("the server is gone"), "{gap:?}");
}
