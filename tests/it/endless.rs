//! Content without end: it takes the time that a file may take, and no more,
//! whichever operation it is that never returns; and archives in archives.
//!
//! A test that does not end here has found one that does not ask the clock.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use weighin::artifact::GapReason;
use weighin::input::{Input, ReadAt};
use weighin::report::{FileReport, Verdict};
use weighin::{Limits, Scanner};

use crate::check::rules;

/// Some bytes, and then others for ever.
struct Endless {
    head: Vec<u8>,
    cycle: Vec<u8>,
}

impl ReadAt for Endless {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let head = self.head.len() as u64;
        for (at, byte) in (offset..).zip(buf.iter_mut()) {
            *byte = match at.checked_sub(head) {
                None => self.head[usize::try_from(at).expect("short")],
                Some(behind) => self.cycle[usize::try_from(behind % self.cycle.len() as u64).expect("short")],
            };
        }
        Ok(buf.len())
    }
}

/// As long as a file can be.
const LENGTH: u64 = i64::MAX as u64;

fn limits() -> Limits {
    let mut limits = Limits::default();
    // Time is the only bound.
    for name in ["work", "inflated-bytes", "inflate-ratio", "inflate-floor", "artifacts", "memo", "header-bytes"] {
        limits.set(name, u64::MAX / 4).expect("the limit exists");
    }
    limits.set("seconds", 1).expect("the limit exists");
    limits
}

fn scan(name: &str, head: &[u8], cycle: &[u8]) -> FileReport {
    let source = Endless { head: head.to_vec(), cycle: cycle.to_vec() };
    let scanner = Scanner::new(rules()).with_limits(limits());
    scanner.scan_input(name, Input::positioned(Arc::new(source), LENGTH))
}

fn assert_timed(name: &str, head: &[u8], cycle: &[u8]) {
    let report = scan(name, head, cycle);
    let timed = report.gaps.iter().any(|gap| gap.reason == GapReason::Limit && gap.detail.contains("`seconds`"));
    assert!(timed, "{name}: {:?}", report.gaps);
    assert_ne!(report.verdict, Verdict::Clean, "{name}");
}

const GZIP: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\xff";

#[test]
fn a_decompressor_that_gives_nothing() {
    // Stored blocks of no bytes: one call reads them all, and returns nothing.
    assert_timed("model.gz", GZIP, b"\0\0\0\xff\xff");
    // Blocks with fixed codes that hold only their end.
    assert_timed("model.pkl.gz", GZIP, b"\x02\0\x08\x20\x80\0\x02\x08\x20\x80");
    // Zstandard: frames that are to be skipped.
    assert_timed("model.zst", b"", b"\x50\x2a\x4d\x18\0\0\0\0");
    // LZ4: the same, and blocks of nothing.
    assert_timed("model.lz4", b"", b"\x50\x2a\x4d\x18\0\0\0\0");
}

#[test]
fn a_pickle_that_never_stops() {
    assert_timed("model.pkl", b"\x80\x04", b"N0");
    assert_timed("frames.pkl", b"\x80\x04", b"\x95\x02\0\0\0\0\0\0\0N0");
    assert_timed("memo.pkl", b"\x80\x04N", b"\x94");
    assert_timed("text.pkl", b"", b"I1\n0");
    let report = scan("call.pkl", b"\x80\x03cos\nsystem\nX\x04\0\0\0true\x85R0", b"N0");
    assert_eq!(report.verdict, Verdict::Malicious, "what came before is lost: {:?}", report.gaps);
}

#[test]
fn an_archive_without_end() {
    let mut tar = vec![0; 512];
    tar[..5].copy_from_slice(b"a.bin");
    tar[100..107].copy_from_slice(b"0000644");
    tar[124..135].copy_from_slice(b"00000000000");
    tar[156] = b'0';
    tar[257..265].copy_from_slice(b"ustar\x0000");
    tar[148..156].fill(b' ');
    let sum: u32 = tar.iter().map(|byte| u32::from(*byte)).sum();
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert_timed("model.tar", b"", &tar);
    let local = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0a";
    assert_timed("model.zip", b"", local);
}

#[test]
fn bytes_without_end() {
    assert_timed("model.bin", b"", b"\0");
    assert_timed("candidates.bin", b"", b"\x80\x04\x95");
    assert_timed("executables.bin", b"", b"MZ\x7fELF");
    assert_timed("model.json", b"{\"a\":", b"[1,");
    assert_timed("model.py", b"", b"x = 1\n");
    assert_timed("model.npy", b"\x93NUMPY\x01\0\x76\0", b" ");
}

#[test]
fn the_word_to_stop_is_heard_in_the_middle() {
    struct Asks(Arc<AtomicBool>);
    impl ReadAt for Asks {
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
            buf.fill(b'0');
            if offset == 0 {
                let call = b"\x80\x03cos\nsystem\nX\x04\0\0\0true\x85R0";
                buf[..call.len()].copy_from_slice(call);
                buf[call.len()..].fill(b'N');
            } else if (64 << 20..1 << 40).contains(&offset) {
                // The reading has come so far; the end is looked at before.
                self.0.store(true, Ordering::Relaxed);
            }
            Ok(buf.len())
        }
    }
    let stop = Arc::new(AtomicBool::new(false));
    let scanner = Scanner::new(rules()).stopped_by(Arc::clone(&stop));
    let input = Input::positioned(Arc::new(Asks(Arc::clone(&stop))), LENGTH);
    let report = scanner.scan_input("model.pkl", input);
    assert!(report.gaps.iter().any(|gap| gap.reason == GapReason::Interrupted), "{:?}", report.gaps);
    assert_eq!(report.verdict, Verdict::Malicious, "what came before is lost: {:?}", report.gaps);
}

/// A zip with stored members.
fn zip(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in members {
        let length = u32::try_from(content.len()).expect("short").to_le_bytes();
        let mut fields = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        fields.extend_from_slice(&crc32fast::hash(content).to_le_bytes());
        fields.extend_from_slice(&length);
        fields.extend_from_slice(&length);
        fields.extend_from_slice(&u16::try_from(name.len()).expect("short").to_le_bytes());
        fields.extend_from_slice(&[0, 0]);
        directory.extend_from_slice(b"PK\x01\x02\x14\0");
        directory.extend_from_slice(&fields);
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&u32::try_from(bytes.len()).expect("short").to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b"PK\x03\x04");
        bytes.extend_from_slice(&fields);
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(content);
    }
    let at = u32::try_from(bytes.len()).expect("short").to_le_bytes();
    let count = u16::try_from(members.len()).expect("few").to_le_bytes();
    let length = u32::try_from(directory.len()).expect("short").to_le_bytes();
    bytes.extend_from_slice(&directory);
    bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    bytes.extend_from_slice(&count);
    bytes.extend_from_slice(&count);
    bytes.extend_from_slice(&length);
    bytes.extend_from_slice(&at);
    bytes.extend_from_slice(&[0, 0]);
    bytes
}

const EVIL: &[u8] = b"cos\nsystem\n(S'echo weighin'\ntR.";

#[test]
fn thousands_of_archives_beside_each_other_are_all_opened() {
    let members: Vec<(String, Vec<u8>)> = (0..4_000)
        .map(|number| {
            let content = if number == 3_999 { EVIL } else { b"N." };
            (format!("{number}.zip"), zip(&[("model.pkl".to_owned(), content.to_vec())]))
        })
        .collect();
    let report = Scanner::new(rules()).scan_bytes("models.zip", &zip(&members));
    assert_eq!(report.verdict, Verdict::Malicious);
    assert!(report.findings.iter().any(|finding| finding.location.members == ["3999.zip", "model.pkl"]));
    assert_eq!(report.members.len(), 8_000);
}

#[test]
fn thousands_of_archives_inside_each_other_end_at_a_limit() {
    let mut bytes = EVIL.to_vec();
    for level in 0..3_000 {
        let content = std::mem::take(&mut bytes);
        bytes = zip(&[(format!("{level}.zip"), content), ("evil.pkl".to_owned(), EVIL.to_vec())]);
    }
    let report = Scanner::new(rules()).scan_bytes("models.zip", &bytes);
    assert_eq!(report.verdict, Verdict::Malicious, "what lies above the limit is lost");
    let named = report.gaps.iter().any(|gap| gap.reason == GapReason::Limit && gap.detail.contains("`depth`"));
    assert!(named, "{:?}", report.gaps);
}
