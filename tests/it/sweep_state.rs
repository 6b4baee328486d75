//! What a sweep remembers: the next one reads only what it must, goes on where
//! one was killed, and judges by new rules without reading.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;

use crate::store::{Fault, Store, Stored};
use crate::sweep::{Swept, sample, sweep, sweeper};

const HONEST: &str = "pickle/honest-dict-p4.pkl";
const EVIL: &str = "pickle/reduce-os-system-p4.pkl";

fn count(swept: &crate::sweep::Swept, what: &str) -> u64 {
    swept.report["sweep"][what].as_u64().expect("a count")
}

#[test]
fn only_what_is_new_or_changed_is_read() {
    let store = Store::new();
    for n in 0..20 {
        store.put(&format!("m/{n}.pkl"), Stored::new(sample(HONEST)));
    }
    store.put("m/evil.pkl", Stored::new(sample(EVIL)));
    store.put("m/fails.pkl", Stored::new(sample(HONEST)).with(Fault::Error));
    let dir = tempfile::tempdir().expect("a directory");
    let state = dir.path().join("state.db").to_string_lossy().into_owned();
    let run = |more: &[&str]| sweep(&store, &[&["s3://bucket/m", "--state", &state], more].concat());
    let first = run(&[]);
    assert_eq!((first.code, count(&first, "examined")), (1, 22), "{}", first.error);
    assert!(first.report["sweep"]["since"].is_null());
    store.got();

    let second = run(&[]);
    assert_eq!((second.code, count(&second, "examined"), count(&second, "unchanged")), (1, 1, 21));
    assert_eq!(second.report["summary"]["files"], 22, "all are in the report");
    assert_eq!(count(&second, "new_findings"), 0);
    let (got, sent) = store.got();
    assert!(got.iter().all(|key| key == "m/fails.pkl"), "{got:?}");
    assert_eq!(sent, got.len() as u64 * sample(HONEST).len() as u64);

    store.put("m/fails.pkl", Stored::new(sample(HONEST)));
    store.put("m/3.pkl", Stored::new(sample(EVIL)));
    store.put("m/new.pkl", Stored::new(sample(HONEST)));
    store.remove("m/4.pkl");
    let third = run(&[]);
    assert_eq!((count(&third, "examined"), count(&third, "unchanged"), count(&third, "gone")), (3, 19, 1));
    let (mut got, _) = store.got();
    got.sort();
    assert_eq!(got, ["m/3.pkl", "m/fails.pkl", "m/new.pkl"]);
    let new = third.report["sweep"]["new"].as_array().expect("a list");
    assert!(!new.is_empty() && new.iter().all(|one| one["place"] == "s3://bucket/m/3.pkl"), "{new:?}");

    let fourth = run(&[]);
    assert_eq!((fourth.code, count(&fourth, "examined"), store.got().0.len()), (1, 0, 0));
    assert_eq!(fourth.report["summary"]["malicious"], 2);
    // Deeper is more than was read; less deep is not.
    assert_eq!(count(&run(&["--depth", "header"]), "examined"), 0);
    assert_eq!(count(&run(&["--again"]), "examined"), 22);
    store.put("m/4.pkl", Stored::new(sample(HONEST)));
    assert_eq!(count(&run(&[]), "examined"), 1, "what was gone and comes back is new");
}

#[test]
fn headers_are_not_enough_when_all_is_asked_for() {
    let store = Store::new();
    store.put("model.safetensors", crate::sweep::safetensors(20 << 20));
    let dir = tempfile::tempdir().expect("a directory");
    let state = dir.path().join("state.db").to_string_lossy().into_owned();
    let run = |depth| sweep(&store, &["s3://bucket", "--state", &state, "--depth", depth]);
    assert_eq!(run("header").code, 3);
    let again = run("header");
    assert_eq!((again.code, count(&again, "examined")), (3, 0), "what is not examined by design is not tried again");
    let full = run("full");
    assert_eq!((full.code, count(&full, "examined")), (0, 1), "{:#}", full.report);
    assert_eq!(run("header").code, 0, "more is known than was asked for");
}

/// The tables, without what depends on when and by whom they were written.
fn rows(state: &Path) -> BTreeMap<String, Vec<String>> {
    let database = Connection::open(state).expect("a database");
    let mut tables = BTreeMap::new();
    for (table, columns) in [
        (
            "objects",
            "uri, target, mark, etag, size, sha256, format, verdict, complete, retry, depth, bytes_read, requests, \
             tool_version, ruleset_id, options_hash, error, hex(facts)",
        ),
        ("findings", "uri, fingerprint, position, inner_path, byte_offset, rule_id, severity, evidence, message"),
    ] {
        let mut statement = database.prepare(&format!("SELECT {columns} FROM {table}")).expect("tables");
        let width = statement.column_count();
        let all = statement.query_map([], |row| {
            (0..width).map(|at| row.get_ref(at).map(|value| format!("{value:?}"))).collect::<Result<Vec<_>, _>>()
        });
        let mut rows: Vec<String> = all.expect("rows").map(|row| row.expect("a row").join(" | ")).collect();
        rows.sort();
        tables.insert(table.to_owned(), rows);
    }
    tables
}

/// Killed at any moment, the next sweep goes on, and in the end the tables are
/// those of a sweep that nobody killed.
#[test]
fn a_sweep_that_is_killed_goes_on() {
    let store = Store::new();
    for n in 0..450 {
        store.put(&format!("{n:03}.pkl"), Stored::new(sample(if n % 50 == 0 { EVIL } else { HONEST })));
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (killed, whole) = (dir.path().join("killed.db"), dir.path().join("whole.db"));
    store.delay(Duration::from_millis(10));
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("weighin"))
        .args(["sweep", "--no-config", "-j", "4", "s3://bucket", "--state"])
        .arg(&killed)
        .env("AWS_ENDPOINT_URL", &store.endpoint)
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .current_dir(crate::check::root())
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs");
    let recorded = || {
        let database = Connection::open(&killed).ok()?;
        database.busy_timeout(Duration::from_secs(10)).ok()?;
        database.query_row("SELECT COUNT(*) FROM objects", [], |row| row.get::<_, i64>(0)).ok().map(i64::cast_unsigned)
    };
    while recorded().unwrap_or(0) == 0 {
        assert!(child.try_wait().expect("waited").is_none(), "it ended before it was killed");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("killed");
    child.wait().expect("waited");
    let before = recorded().expect("a database");
    assert!(before > 0 && before < 450 && before % 100 == 0, "whole batches: {before}");
    // Requests that are still on their way.
    std::thread::sleep(Duration::from_millis(200));
    store.delay(Duration::ZERO);
    store.got();
    let next = sweep(&store, &["s3://bucket", "--state", &killed.to_string_lossy()]);
    assert_eq!(next.code, 1, "{}", next.error);
    assert_eq!((count(&next, "examined"), count(&next, "unchanged")), (450 - before, before), "nothing twice");
    assert_eq!(store.got().0.len() as u64, 450 - before);
    assert_eq!(next.report["summary"]["files"], 450, "nothing lost");
    assert_eq!(next.report["summary"]["malicious"], 9);
    assert!(count(&next, "new_findings") >= 9, "what the killed one found has been told by none");
    sweep(&store, &["s3://bucket", "--state", &whole.to_string_lossy()]);
    assert_eq!(rows(&killed), rows(&whole));
}

/// Any number of processes gives the rows that one gives.
#[test]
fn shards_give_the_same_rows() {
    let store = Store::new();
    for n in 0..60 {
        store.put(&format!("{n}.pkl"), Stored::new(sample(if n % 7 == 0 { EVIL } else { HONEST })));
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (one, many) = (dir.path().join("one.db"), dir.path().join("many.db"));
    sweep(&store, &["s3://bucket", "--state", &one.to_string_lossy()]);
    std::thread::scope(|scope| {
        for shard in ["0/3", "1/3", "2/3"] {
            let many = many.to_string_lossy().into_owned();
            let store = &store;
            scope.spawn(move || {
                let swept = sweep(store, &["s3://bucket", "--state", &many, "--shard", shard]);
                assert!(matches!(swept.code, 0 | 1), "{}", swept.error);
                assert!(count(&swept, "examined") > 5);
            });
        }
    });
    assert_eq!(rows(&one), rows(&many));
    assert_eq!(count(&sweep(&store, &["s3://bucket", "--state", &many.to_string_lossy()]), "examined"), 0);
}

/// The corpus judged from kept facts by other rules is what it is when it is
/// read again.
#[test]
fn other_rules_need_no_reading() {
    let store = Store::new();
    for row in crate::check::samples() {
        for file in crate::check::files_of(&row) {
            let key = file.strip_prefix(crate::check::corpus()).expect("below").to_string_lossy().into_owned();
            store.put(&key, Stored::new(std::fs::read(&file).expect("readable")));
        }
    }
    let dir = tempfile::tempdir().expect("a directory");
    let rules = dir.path().join("rules");
    std::fs::create_dir(&rules).expect("made");
    std::fs::write(
        rules.join("HSE001-any-call.toml"),
        "id = \"HSE001\"\ntitle = \"pickle calls something\"\nseverity = \"high\"\nconfidence = \"high\"\n\
         ssdf = [\"PW.4.4\"]\nmessage = \"calls {call}\"\nremediation = \"Ask.\"\nwhy = \"A test.\"\n\
         references = [\"https://wiki.example.invalid/\"]\n[when]\nevidence = \"pickle.call\"\nany = [\"collections.*\"]\n\
         [examples]\nfires = []\nquiet = []\n",
    )
    .expect("written");
    let state = dir.path().join("state.db").to_string_lossy().into_owned();
    let rules = rules.to_string_lossy().into_owned();
    let first = sweep(&store, &["s3://bucket", "--state", &state]);
    store.got();
    let judged = sweep(&store, &["s3://bucket", "--state", &state, "--rules", &rules, "--strict"]);
    assert!(judged.code == 1 && count(&judged, "examined") == 0, "{}{:#}", judged.error, judged.report["sweep"]);
    assert_eq!(count(&judged, "judged_again"), first.lines.len() as u64);
    assert_eq!(store.got(), (Vec::new(), 0));
    let read = sweep(&store, &["s3://bucket", "--rules", &rules, "--strict"]);
    let plain = |lines: &BTreeMap<String, Value>| {
        let mut lines = lines.clone();
        for line in lines.values_mut() {
            line.as_object_mut().expect("an object").remove("fetched");
            for finding in line["findings"].as_array_mut().into_iter().flatten() {
                finding.as_object_mut().expect("an object").remove("excerpt");
            }
        }
        lines
    };
    // What stands around a finding is bytes, which are not kept but of findings.
    let excerpts = |swept: &Swept| -> BTreeMap<(String, String), Value> {
        let findings = swept.lines.values().flat_map(|line| line["findings"].as_array().into_iter().flatten());
        let shown = findings.filter(|finding| !finding["excerpt"].is_null());
        shown.map(|one| ((one["rule"].to_string(), one["location"].to_string()), one["excerpt"].clone())).collect()
    };
    let (kept, shown) = (excerpts(&judged), excerpts(&read));
    assert!(kept.len() * 10 > shown.len() * 9, "{} of {} excerpts are kept", kept.len(), shown.len());
    for (place, excerpt) in &kept {
        assert_eq!(Some(excerpt), shown.get(place), "{place:?}");
    }
    let (judged, read) = (plain(&judged.lines), plain(&read.lines));
    for (uri, line) in &read {
        assert_eq!(&judged[uri], line, "{uri}");
    }
    assert_ne!(plain(&first.lines), read, "the rules make a difference");
}

/// A list of digests is asked again of what is known; a rule over bytes needs
/// them.
#[test]
fn lists_need_no_reading_and_rules_over_bytes_do() {
    let store = Store::new();
    store.put("model.pkl", Stored::new(sample(HONEST)));
    let dir = tempfile::tempdir().expect("a directory");
    let state = dir.path().join("state.db").to_string_lossy().into_owned();
    let list = |name: &str, digest: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, format!("{digest}\n")).expect("written");
        path.to_string_lossy().into_owned()
    };
    let swept = sweep(&store, &["s3://bucket", "--state", &state, "--known-bad", &list("a", &"0".repeat(64))]);
    let sha256 = swept.lines["s3://bucket/model.pkl"]["sha256"].as_str().expect("a digest").to_owned();
    let listed = sweep(&store, &["s3://bucket", "--state", &state, "--known-bad", &list("b", &sha256)]);
    assert_eq!((listed.code, count(&listed, "judged_again"), count(&listed, "examined")), (1, 1, 0));
    let rules = dir.path().join("rules");
    std::fs::create_dir(&rules).expect("made");
    std::fs::write(rules.join("mine.yar"), "rule mine { strings: $a = { 80 04 } condition: $a }").expect("written");
    let rules = rules.to_string_lossy().into_owned();
    let yara = sweep(&store, &["s3://bucket", "--state", &state, "--rules", &rules]);
    assert_eq!(count(&yara, "examined"), 1);
}

fn json(row: &parquet::record::Row) -> Value {
    use parquet::record::Field;
    let value = |field: &Field| match field {
        Field::Null => Value::Null,
        Field::Bool(is) => (*is).into(),
        Field::Long(number) | Field::TimestampMillis(number) => (*number).into(),
        Field::Str(text) => text.as_str().into(),
        other => panic!("no such column: {other:?}"),
    };
    row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect::<serde_json::Map<_, _>>().into()
}

/// Tables for lakehouses: every row once, whatever was killed.
#[test]
fn parquet_has_the_rows_of_each_sweep() {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    let store = Store::new();
    for n in 0..10 {
        store.put(&format!("{n}.pkl"), Stored::new(sample(if n == 3 { EVIL } else { HONEST })));
    }
    let dir = tempfile::tempdir().expect("a directory");
    let state = dir.path().join("state.db").to_string_lossy().into_owned();
    let lake = dir.path().join("lake");
    let output = format!("parquet={}", lake.display());
    let run = || sweep(&store, &["s3://bucket", "--state", &state, "--output", &output]);
    let read = |table: &str| {
        let mut rows = Vec::new();
        let folder = lake.join(table).join("date=2027-01-15");
        let mut files: Vec<_> =
            std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("one").path()).collect();
        files.sort();
        for file in &files {
            let reader = SerializedFileReader::new(std::fs::File::open(file).expect("opened")).expect("Parquet");
            rows.extend(reader.get_row_iter(None).expect("rows").map(|row| json(&row.expect("a row"))));
        }
        (files.len(), rows)
    };
    assert_eq!(run().code, 1);
    let (files, objects) = read("objects");
    assert_eq!((files, objects.len()), (1, 10));
    let evil = objects.iter().find(|row| row["uri"] == "s3://bucket/3.pkl").expect("there");
    assert_eq!(
        (&evil["verdict"], &evil["complete"], &evil["depth"]),
        (&"malicious".into(), &true.into(), &"full".into())
    );
    assert_eq!(evil["bytes_read"], sample(EVIL).len());
    let (_, findings) = read("findings");
    assert!(findings.iter().any(|row| row["rule_id"] == "PKL002" && row["uri"] == "s3://bucket/3.pkl"), "{findings:?}");
    run();
    assert_eq!(read("objects").1.len(), 10, "nothing changed, nothing added");
    store.put("11.pkl", Stored::new(sample(HONEST)));
    run();
    let (files, objects) = read("objects");
    assert_eq!((files, objects.len()), (2, 11));
}

#[test]
fn summaries_say_what_is_new() {
    let store = Store::new();
    store.put("old.pkl", Stored::new(sample(EVIL)));
    let dir = tempfile::tempdir().expect("a directory");
    let state = dir.path().join("state.db");
    let page = dir.path().join("page.html");
    let markdown = dir.path().join("page.md");
    let run = || {
        let mut command = sweeper(&store);
        command.arg("s3://bucket").arg("--state").arg(&state);
        command.arg("--output").arg(format!("html={}", page.display()));
        command.arg("--output").arg(format!("markdown={}", markdown.display()));
        let output = command.output().expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        let file = |path| std::fs::read_to_string(path).expect("written");
        [String::from_utf8(output.stdout).expect("UTF-8"), file(&page), file(&markdown)]
    };
    for text in run() {
        assert!(text.contains("the first sweep"), "{text}");
    }
    for text in run() {
        assert!(text.contains("nothing new since the last sweep") && text.contains("1 unchanged"), "{text}");
        assert!(text.contains("PKL002"), "what is old is still told: {text}");
    }
    store.put("<b>new</b>.pkl", Stored::new(sample(EVIL)));
    for text in run() {
        assert!(text.contains("new since the last sweep"), "{text}");
        let spelled = ["new</b>.pkl", "new&lt;/b&gt;.pkl", "new&#60;/b&#62;.pkl"];
        assert!(spelled.into_iter().any(|name| text.contains(name)), "{text}");
    }
    assert!(!run()[1].contains("<b>new"), "markup is text");
}

/// The state is somebody's work: another program's file is left alone.
#[test]
fn a_state_that_is_none_is_refused() {
    let store = Store::new();
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("notes.txt");
    std::fs::write(&file, "not a database, but somebody's notes, which are longer than a header").expect("written");
    let output = sweeper(&store).arg("s3://bucket").arg("--state").arg(&file).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(std::fs::read_to_string(&file).expect("there").starts_with("not a database"));
    let newer = dir.path().join("newer.db");
    Connection::open(&newer)
        .and_then(|database| {
            database.execute_batch(
                "CREATE TABLE weighin_state (version BIGINT PRIMARY KEY); INSERT INTO weighin_state VALUES (99)",
            )
        })
        .expect("made");
    let output = sweeper(&store).arg("s3://bucket").arg("--state").arg(&newer).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}
