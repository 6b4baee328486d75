//! Walking real trees with everything in them that is no plain file.

use std::fs;
use std::path::Path;

use weighin::artifact::GapReason;
use weighin::report::{Report, Verdict};
use weighin::source::Walk;
use weighin::{Limits, Scanner};

use crate::check::rules;

fn scan(dir: &Path, follow: bool) -> Report {
    Scanner::new(rules()).with_walk(Walk::default().following(follow)).scan(&[dir.to_owned()], &())
}

fn reason_at(report: &Report, end: &str) -> Option<GapReason> {
    report.files.iter().find(|file| file.path.ends_with(end)).and_then(|file| file.gaps.first()).map(|gap| gap.reason)
}

const HONEST: &[u8] = b"\x80\x04]\x94(K\x01K\x02e.";
const EVIL: &[u8] = b"cos\nsystem\n(S'echo weighin'\ntR.";

#[test]
fn one_bad_file_hides_no_other() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("a.pkl"), HONEST).expect("written");
    fs::write(dir.path().join("b.pkl"), &EVIL[..9]).expect("written");
    fs::write(dir.path().join("c.pkl"), b"").expect("written");
    fs::create_dir(dir.path().join(".hidden")).expect("made");
    fs::write(dir.path().join(".hidden/z.pkl"), EVIL).expect("written");
    let report = scan(dir.path(), false);
    assert_eq!(report.summary.files, 4);
    let verdicts: Vec<Verdict> = report.files.iter().map(|file| file.verdict).collect();
    assert!(verdicts.contains(&Verdict::Malicious), "the hidden file was not seen");
    assert_eq!(
        report.files.iter().find(|file| file.path.ends_with("a.pkl")).map(|file| file.verdict),
        Some(Verdict::Clean)
    );
    assert_eq!(reason_at(&report, "c.pkl"), Some(GapReason::Empty));
    assert!(report.files.iter().any(|file| file.path.ends_with("b.pkl") && file.verdict != Verdict::Clean));
}

#[cfg(unix)]
#[test]
fn links_sockets_and_pipes_are_reported() {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    let outside = tempfile::tempdir().expect("a directory");
    fs::write(outside.path().join("secret.pkl"), EVIL).expect("written");
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("real.pkl"), HONEST).expect("written");
    symlink(dir.path().join("real.pkl"), dir.path().join("inside.pkl")).expect("linked");
    symlink(outside.path().join("secret.pkl"), dir.path().join("outside.pkl")).expect("linked");
    symlink(dir.path().join("nowhere"), dir.path().join("broken.pkl")).expect("linked");
    symlink(dir.path(), dir.path().join("cycle")).expect("linked");
    let _socket = UnixListener::bind(dir.path().join("socket.pkl")).expect("bound");
    let fifo = dir.path().join("fifo.pkl");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());

    let report = scan(dir.path(), false);
    assert_eq!(reason_at(&report, "outside.pkl"), Some(GapReason::Link));
    assert_eq!(reason_at(&report, "broken.pkl"), Some(GapReason::Link));
    assert_eq!(reason_at(&report, "socket.pkl"), Some(GapReason::SpecialFile));
    assert_eq!(reason_at(&report, "fifo.pkl"), Some(GapReason::SpecialFile));
    assert!(report.files.iter().any(|file| file.path.ends_with("inside.pkl") && file.verdict == Verdict::Clean));
    assert_eq!(report.summary.malicious, 0, "a link was followed out of the tree");
    assert_eq!(scan(dir.path(), true).summary.malicious, 1, "--follow did not follow");
}

#[cfg(unix)]
#[test]
fn devices_and_names_that_are_not_text_are_reported() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join(OsStr::from_bytes(b"bad\xff\x1b[31mname.pkl")), HONEST).expect("written");
    let report = scan(dir.path(), false);
    assert!(report.files[0].path.contains("bad\\xff"), "{}", report.files[0].path);
    let style = weighin::report::Style { verbose: true, ..weighin::report::Style::default() };
    let text = weighin::report::text(&report, style);
    assert!(!text.contains('\u{1b}'), "a name reached the terminal unescaped");

    let device = Scanner::new(rules()).scan(&["/dev/null".into()], &());
    assert_eq!(device.files[0].gaps[0].reason, GapReason::SpecialFile);
}

#[test]
fn a_file_without_end_costs_no_memory() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("sparse.pkl");
    let file = fs::File::create(&path).expect("made");
    file.set_len(10 << 30).expect("sparse");
    let mut limits = Limits::default();
    limits.set("seconds", 2).expect("the limit exists");
    let report = Scanner::new(rules()).with_limits(limits).scan(&[path], &());
    assert_eq!(report.files.len(), 1);
    assert_ne!(report.files[0].verdict, Verdict::Clean);
    assert_eq!(report.files[0].size, 10 << 30);
}

#[test]
fn nothing_to_scan_is_not_clean() {
    let dir = tempfile::tempdir().expect("a directory");
    let report = scan(dir.path(), false);
    assert_eq!(report.exit_code(weighin::rules::Severity::Medium, true), weighin::report::ExitCode::Clean);
    assert_eq!(report.exit_code(weighin::rules::Severity::Medium, false), weighin::report::ExitCode::Incomplete);
    let missing = scan(&dir.path().join("missing"), false);
    assert_eq!(missing.files[0].gaps[0].reason, GapReason::Unreadable);
}
