//! The local cache of the Hugging Face Hub: every blob once, under every name
//! that it has; what was changed, and what is not there.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use weighin::artifact::GapReason;
use weighin::report::{FileReport, Report, Verdict};
use weighin::source::{self, Absent, HfCache, HubName, Walk};
use weighin::{Scanner, report};

use crate::check::rules;
use crate::cli::weighin;

const FIRST: &str = "1111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222";
const HONEST: &[u8] = b"\x80\x04]\x94(K\x01K\x02e.";
/// SHA-256 of [`HONEST`].
const HONEST_SHA256: &str = "9a91928177d1cedb6eb80ca7f3f4f8d08c28b2e8a6ce7faf2f556d14dff310b8";
const CARD: &[u8] = b"---\nlicense: mit\n---\n# Tiny\n";
/// The id that Git gives [`CARD`].
const CARD_ID: &str = "26808e0a4c40b874c52774ff28121f710db0f9e7";
const EVIL: &[u8] = b"cos\nsystem\n(S'echo weighin'\ntR.";

/// A cache in a folder of its own.
struct Cache(TempDir);

impl Cache {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    /// Two revisions of a model that share their weights.
    fn with_model() -> Self {
        let cache = Self::new();
        let model = "models--acme--tiny";
        cache.write(&format!("{model}/blobs/{HONEST_SHA256}"), HONEST);
        cache.write(&format!("{model}/blobs/{CARD_ID}"), CARD);
        cache.write(&format!("{model}/refs/main"), SECOND.as_bytes());
        cache.write(&format!("{model}/refs/refs/pr/1"), FIRST.as_bytes());
        cache.write(&format!("{model}/.no_exist/{FIRST}/tokenizer.json"), b"");
        cache.write(&format!(".locks/{model}/{HONEST_SHA256}.lock"), b"");
        cache.write("CACHEDIR.TAG", b"Signature: 8a477f597d28d172789f06886806bc55\n");
        for commit in [FIRST, SECOND] {
            cache.link(&format!("{model}/snapshots/{commit}/model.bin"), &format!("../../blobs/{HONEST_SHA256}"));
        }
        cache.link(&format!("{model}/snapshots/{SECOND}/README.md"), &format!("../../blobs/{CARD_ID}"));
        cache
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let file = self.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::write(file, bytes).expect("written");
    }

    fn link(&self, name: &str, to: &str) {
        let link = self.path().join(name);
        fs::create_dir_all(link.parent().expect("a folder")).expect("made");
        symlink(to, link).expect("linked");
    }

    fn tree(&self, commit: &str, files: &Value) {
        let tree = json!({ "format_version": 1, "files": files });
        self.write(&format!("models--acme--tiny/trees/{commit}.json"), tree.to_string().as_bytes());
    }

    fn scan(&self, inside: &str) -> Report {
        Scanner::new(rules()).scan(&[self.path().join(inside)], &())
    }
}

/// Reports by path; below the cache for what is not on the Hub.
fn by_path(cache: &Cache, report: &Report) -> BTreeMap<String, FileReport> {
    let own = format!("{}/", cache.path().display());
    report.files.iter().map(|file| (file.path.replace(&own, ""), file.clone())).collect()
}

fn name(commit: &str, file: &str) -> String {
    format!("acme/tiny@{commit}:{file}")
}

#[test]
fn a_blob_is_scanned_once_and_reported_under_each_name() {
    let cache = Cache::with_model();
    let found = source::walk(&[cache.path().to_owned()], Walk::default());
    assert_eq!(found.iter().filter(|found| !found.links.is_empty()).count(), 2, "two blobs: {found:#?}");
    let report = cache.scan("");
    let files = by_path(&cache, &report);
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let wanted =
        ["CACHEDIR.TAG".to_owned(), name(FIRST, "model.bin"), name(SECOND, "README.md"), name(SECOND, "model.bin")];
    assert_eq!(names, wanted);
    assert_eq!(report.summary.clean, 4, "{:#?}", report.files);
    let bytes = HONEST.len() + CARD.len() + files["CACHEDIR.TAG"].size as usize;
    assert_eq!(report.summary.bytes, bytes as u64, "the shared blob counts once");
    let file = &files[&name(FIRST, "model.bin")];
    assert!(file.place().ends_with(HONEST_SHA256), "{}", file.place());
    let hub = file.hub.as_ref().expect("it is on the Hub");
    assert_eq!((hub.repository.as_str(), hub.revision.as_str()), ("acme/tiny", FIRST));
    assert_eq!(hub.refs, ["refs/pr/1"]);
}

#[test]
fn a_part_of_a_cache_has_its_names_too() {
    let cache = Cache::with_model();
    for (inside, names) in [
        ("models--acme--tiny", 3),
        ("models--acme--tiny/snapshots", 3),
        (&format!("models--acme--tiny/snapshots/{SECOND}"), 2),
        (&format!("models--acme--tiny/snapshots/{SECOND}/model.bin"), 1),
        (&format!("models--acme--tiny/blobs/{HONEST_SHA256}"), 2),
    ] {
        let report = cache.scan(inside);
        assert_eq!(report.files.len(), names, "{inside}: {:#?}", report.files);
        assert!(report.files.iter().all(|file| file.hub.is_some() && file.verdict == Verdict::Clean), "{inside}");
    }
    // Both are the same files, once.
    let paths = [cache.path().to_owned(), cache.path().join("models--acme--tiny/snapshots").join(FIRST)];
    assert_eq!(Scanner::new(rules()).scan(&paths, &()).files.len(), 4);
}

#[test]
fn the_shared_store_is_scanned_once() {
    let cache = Cache::new();
    let hash = "ab".repeat(32);
    cache.write("blobs/.huggingface-shared-blobs", b"1\n");
    cache.write(&format!("blobs/ab/{hash}"), EVIL);
    cache.write(&format!("blobs/ab/{hash}.refs"), b"models--acme--tiny/blobs/x\n");
    for (model, commit) in [("models--acme--tiny", FIRST), ("datasets--acme--words", SECOND)] {
        cache.link(&format!("{model}/blobs/{HONEST_SHA256}"), &format!("../../blobs/ab/{hash}"));
        cache.link(&format!("{model}/snapshots/{commit}/deep/model.bin"), &format!("../../../blobs/{HONEST_SHA256}"));
    }
    let found = source::walk(&[cache.path().to_owned()], Walk::default());
    assert_eq!(found.iter().filter(|found| found.size == EVIL.len() as u64).count(), 1, "{found:#?}");
    for inside in ["", "models--acme--tiny"] {
        let report = cache.scan(inside);
        let file = &by_path(&cache, &report)[&name(FIRST, "deep/model.bin")];
        assert_eq!(file.verdict, Verdict::Malicious);
        assert!(file.findings.iter().any(|finding| finding.rule == "HFR006"), "{:#?}", file.findings);
        assert!(report.files.iter().all(|file| file.gaps.is_empty()), "{:#?}", report.files);
        assert_eq!(file.findings[0].location.path, file.path);
    }
    let dataset = format!("datasets/acme/words@{SECOND}:deep/model.bin");
    assert!(by_path(&cache, &cache.scan("")).contains_key(&dataset));
}

fn tampered(file: &FileReport) -> Option<&str> {
    let finding = file.findings.iter().find(|finding| finding.rule == "HFR006")?;
    Some(finding.evidence.attributes["by"].as_str())
}

#[test]
fn what_was_changed_is_tampered() {
    let cache = Cache::with_model();
    cache.write(&format!("models--acme--tiny/blobs/{HONEST_SHA256}"), EVIL);
    cache.write(&format!("models--acme--tiny/blobs/{CARD_ID}"), b"---\nlicense: mit\n---\n# tiny\n");
    let files = by_path(&cache, &cache.scan(""));
    for file in ["model.bin", "README.md"] {
        assert_eq!(tampered(&files[&name(SECOND, file)]), Some("blob-name"), "{file}");
        assert_eq!(files[&name(SECOND, file)].verdict, Verdict::Malicious);
    }
    // A blob that nothing links to is still examined.
    cache.write(&format!("models--acme--tiny/blobs/{}", "a".repeat(64)), HONEST);
    let files = by_path(&cache, &cache.scan(""));
    assert!(tampered(&files[&format!("models--acme--tiny/blobs/{}", "a".repeat(64))]).is_some());
}

#[test]
fn a_snapshot_that_links_elsewhere_is_tampered() {
    let cache = Cache::with_model();
    let evil = "1ee17da56e4e3cf464aeb2c61f4743050574100969859324d7ec5e535bef403f";
    cache.write(&format!("models--acme--tiny/blobs/{evil}"), EVIL);
    let link = cache.path().join(format!("models--acme--tiny/snapshots/{SECOND}/model.bin"));
    fs::remove_file(&link).expect("removed");
    symlink(format!("../../blobs/{evil}"), &link).expect("linked");
    let readme = json!({ "size": CARD.len(), "blob_id": CARD_ID });
    let weights = json!({ "size": HONEST.len(), "blob_id": FIRST, "lfs_sha256": HONEST_SHA256 });
    cache.tree(SECOND, &json!({ "README.md": readme, "model.bin": weights }));
    let files = by_path(&cache, &cache.scan(""));
    assert_eq!(tampered(&files[&name(SECOND, "model.bin")]), Some("file-list"));
    assert_eq!(tampered(&files[&name(SECOND, "README.md")]), None);
    assert_eq!(tampered(&files[&name(FIRST, "model.bin")]), None, "the other revision is as it was");
}

#[test]
fn files_without_links_are_checked_against_the_list() {
    let cache = Cache::new();
    cache.write(&format!("models--acme--tiny/snapshots/{FIRST}/model.bin"), EVIL);
    cache.write(&format!("models--acme--tiny/snapshots/{FIRST}/README.md"), CARD);
    let files = by_path(&cache, &cache.scan(""));
    assert_eq!(tampered(&files[&name(FIRST, "model.bin")]), None, "nothing tells what it should be");
    let readme = json!({ "size": CARD.len(), "blob_id": CARD_ID });
    cache.tree(FIRST, &json!({ "README.md": readme, "model.bin": { "size": 1, "blob_id": CARD_ID } }));
    let files = by_path(&cache, &cache.scan(""));
    assert_eq!(tampered(&files[&name(FIRST, "model.bin")]), Some("file-list"));
    assert_eq!(tampered(&files[&name(FIRST, "README.md")]), None);
}

#[test]
fn what_is_not_there_is_a_gap() {
    let cache = Cache::with_model();
    let file = json!({ "size": 440_473_133, "blob_id": FIRST });
    cache.tree(SECOND, &json!({ "model.bin": file, "unet/../../../../etc/passwd": file, "unet/more.bin": file }));
    cache.tree(FIRST, &json!("no list"));
    cache.link(&format!("models--acme--tiny/snapshots/{FIRST}/gone.bin"), "../../blobs/gone");
    cache.link(&format!("models--acme--tiny/snapshots/{FIRST}/outside.bin"), "/etc/hostname");
    cache.write(&format!("models--acme--tiny/blobs/{}.0a1b2c3d.incomplete", "c".repeat(64)), &HONEST[..4]);
    let report = cache.scan("");
    let files = by_path(&cache, &report);
    let reason = |path: &str| files[path].gaps.first().map(|gap| gap.reason);
    assert_eq!(reason(&name(SECOND, "unet/more.bin")), Some(GapReason::NotFetched));
    assert!(files[&name(SECOND, "unet/more.bin")].gaps[0].detail.contains("440473133"));
    assert_eq!(reason(&name(FIRST, "gone.bin")), Some(GapReason::NotFetched));
    assert_eq!(reason(&name(FIRST, "outside.bin")), Some(GapReason::Link));
    let partial = format!("models--acme--tiny/blobs/{}.0a1b2c3d.incomplete", "c".repeat(64));
    assert!(files[&partial].gaps.iter().any(|gap| gap.reason == GapReason::PartialDownload), "{:?}", files[&partial]);
    assert_eq!(files[&name(SECOND, "model.bin")].gaps, [], "it is there");
    assert!(!report::text(&report, report::Style::default()).contains("root:"), "a list's path was opened");
    // Another revision's gaps are not this one's.
    assert_eq!(cache.scan(&format!("models--acme--tiny/snapshots/{FIRST}")).summary.incomplete, 2);
}

#[test]
fn exclusions_and_suppressions_know_the_names() {
    let cache = Cache::with_model();
    let project = tempfile::tempdir().expect("a directory");
    let policy = project.path().join("weighin.toml");
    let run = |text: &str| -> Value {
        fs::write(&policy, text).expect("written");
        let mut command = weighin();
        command.current_dir(project.path()).args(["scan", "--format", "json", "--hf-cache"]).arg(cache.path());
        serde_json::from_slice(&command.output().expect("it runs").stdout).expect("a report")
    };
    let excluded = run(&format!("exclude = [\"**/snapshots/{FIRST}/**\"]\n"));
    assert_eq!((excluded["summary"]["files"].as_u64(), excluded["summary"]["excluded"].as_u64()), (Some(3), Some(1)));
    cache.write(&format!("models--acme--tiny/blobs/{HONEST_SHA256}"), EVIL);
    let text = "[[suppress]]\nrule = \"HFR006\"\npath = \"acme/tiny@*:*.bin\"\nreason = \"known\"\n";
    let report = run(text);
    assert_eq!(report["triage"]["suppressed"].as_u64(), Some(2), "{}", report["triage"]);
}

#[test]
fn names_lead_into_the_cache() {
    let cache = Cache::with_model();
    let here = HfCache { root: cache.path().to_owned() };
    let find = |name: &str| here.find(&name.parse::<HubName>().expect("a name"));
    let model = cache.path().join("models--acme--tiny");
    assert_eq!(find("acme/tiny"), Ok(model.clone()));
    assert_eq!(find("acme/tiny@main"), Ok(model.join("snapshots").join(SECOND)));
    assert_eq!(find("acme/tiny@refs/pr/1"), Ok(model.join("snapshots").join(FIRST)));
    assert_eq!(find(&name(FIRST, "model.bin")), Ok(model.join(format!("snapshots/{FIRST}/model.bin"))));
    assert_eq!(find("acme/tiny:README.md"), Ok(model.join(format!("snapshots/{SECOND}/README.md"))));
    assert_eq!(find("acme/huge"), Err(Absent::Repository));
    assert_eq!(find("datasets/acme/tiny"), Err(Absent::Repository));
    assert_eq!(find("acme/tiny@v2"), Err(Absent::Revision(vec!["main".to_owned(), "refs/pr/1".to_owned()])));
    assert_eq!(find("acme/tiny@main:absent.bin"), Err(Absent::File));
    for wrong in ["", "a/b/c", "../x", "a b", "acme/tiny@../..", "acme/tiny@main:../x", "/etc/passwd", "x/.", "-x"] {
        assert!(wrong.parse::<HubName>().is_err(), "{wrong} is no name");
    }
}

#[test]
fn the_cache_is_where_the_environment_says() {
    let root = |set: &[(&str, &str)]| {
        let set: BTreeMap<String, String> = set.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        HfCache::from_env(|name| set.get(name).map(Into::into)).map(|cache| cache.root)
    };
    let home = ("HOME", "/home/me");
    assert_eq!(root(&[home]), Some(PathBuf::from("/home/me/.cache/huggingface/hub")));
    assert_eq!(root(&[home, ("XDG_CACHE_HOME", "/c")]), Some(PathBuf::from("/c/huggingface/hub")));
    assert_eq!(root(&[home, ("HF_HOME", "~/hf")]), Some(PathBuf::from("/home/me/hf/hub")));
    assert_eq!(root(&[home, ("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/hub")]), Some(PathBuf::from("/hub")));
    assert_eq!(root(&[]), None);
}

#[test]
fn the_command_line_finds_models_and_says_what_to_do_about_others() {
    let cache = Cache::with_model();
    let elsewhere = tempfile::tempdir().expect("a directory");
    let run = |args: &[&str]| {
        let mut command = weighin();
        command.current_dir(elsewhere.path()).env("HF_HUB_CACHE", cache.path()).arg("scan").args(args);
        let output = command.output().expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, text, _) = run(&["-v", "acme/tiny"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(&name(SECOND, "model.bin")) && text.contains("3 clean"), "{text}");
    assert!(run(&["acme/tiny@main"]).1.contains("2 clean"));
    assert!(run(&["--hf-cache"]).1.contains("4 clean"));
    assert!(run(&["--hf-cache", "."]).1.contains("Nothing was scanned"));
    let (code, _, error) = run(&["acme/huge"]);
    assert_eq!(code, Some(3));
    assert!(error.contains("hf download acme/huge") && error.contains(&cache.path().display().to_string()), "{error}");
    let (_, _, error) = run(&["acme/tiny@v2"]);
    assert!(error.contains("main, refs/pr/1"), "{error}");
    let (code, _, error) = run(&["--hf-cache", "no/such/cache"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("HF_HUB_CACHE"), "{error}");
}
