//! What `weighin inspect` shows: kept in `tests/golden/inspect/`, bounded,
//! harmless for a terminal, and of the shape that its schema says.

use serde_json::json;
use weighin::artifact::{Artifact, GapReason};
use weighin::input::Input;
use weighin::report::{inspect, inspect_imports, inspect_json, inspect_schema};
use weighin::{Limits, Scanner};

use crate::check::{corpus, files_of, golden, root, rules, samples};

fn contents(name: &str, bytes: &[u8], limits: &Limits) -> Artifact {
    Scanner::new(rules()).with_limits(limits.clone()).describing().examine(name, Input::from(bytes))
}

fn sample(path: &str) -> Artifact {
    let bytes = std::fs::read(corpus().join(path)).expect("the sample is there");
    contents(path, &bytes, &Limits::default())
}

fn shown(name: &str, bytes: &[u8]) -> String {
    let limits = Limits::default();
    inspect(&contents(name, bytes, &limits), &limits)
}

/// The statements of a pickle, without their offsets.
fn python(bytes: &[u8]) -> Vec<String> {
    let artifact = contents("model.pkl", bytes, &Limits::default());
    let streams = artifact.contents.expect("a pickle has contents").streams;
    let statements = streams.into_iter().flat_map(|stream| stream.statements);
    statements
        .map(|statement| match statement.note {
            Some(note) => format!("{}  # {note}", statement.code).trim_start().to_owned(),
            None => statement.code,
        })
        .collect()
}

const AS_TEXT: &[&str] = &[
    "pickle/exec-zlib-base64.pkl",
    "pickle/hidden-getattr-import-join.pkl",
    "pickle/honest-shared-and-recursive.pkl",
    "pickle/honest-sklearn-pipeline-p4.pkl",
    "pickle/nested-twice.pkl",
    "pickle/reduce-popped-then-dict.pkl",
    "pickle/three-clean-streams.pkl",
    "pickle/truncated-after-payload.pkl",
    "joblib/model-p4.joblib",
    "torch/legacy.pth",
    "torch/state-dict.pt",
    "safetensors/metadata.safetensors",
    "gguf/model-v3.gguf",
    "onnx/if-subgraphs.onnx",
    "numpy/structured.npy",
    "savedmodel/graph.pb",
    "tflite/add.tflite",
    "keras/sequential.keras",
    "hdf5/weights.h5",
    "archive/honest.tar",
    "zip/honest.zip",
];

const AS_JSON: &[&str] = &[
    "pickle/hidden-getattr-import-join.pkl",
    "safetensors/two-tensors.safetensors",
    "gguf/every-type.gguf",
    "onnx/add.onnx",
    "torch/state-dict.pt",
];

#[test]
fn samples_look_as_they_did() {
    for path in AS_TEXT {
        let text = inspect(&sample(path), &Limits::default());
        golden(&format!("inspect/{}.txt", path.replace('/', "-")), &text);
    }
    for path in AS_JSON {
        let json = inspect_json(&sample(path)).expect("contents are JSON");
        golden(&format!("inspect/{}.json", path.replace('/', "-")), &json);
    }
}

#[test]
fn effects_stand_in_the_order_in_which_they_happen() {
    // A list is handed to a call, then grows.
    let grown = b"\x80\x02]q\x00cbuiltins\nprint\nh\x00\x85R0h\x00K\x07a.";
    assert_eq!(python(grown), ["from builtins import print", "v0 = []", "print(v0)", "v0.append(7)", "result = v0"]);
    // Results that nobody uses have no name; what raises says so.
    let raises = b"\x80\x02cos\ngetpid\n)R0R.";
    let statements = python(raises);
    assert_eq!(statements[..2], ["from os import getpid", "getpid()"]);
    assert!(statements[2].starts_with("# the loader raises here: the stack is empty"), "{statements:?}");
}

#[test]
fn every_way_to_change_an_object_is_a_statement() {
    let built = python(b"\x80\x02cshop\nCart\n)\x81}X\x01\0\0\0nK\x01sbX\x01\0\0\0kK\x02sK\x03a(K\x04K\x05e.");
    assert_eq!(
        built,
        [
            "from shop import Cart",
            "v0 = Cart.__new__(Cart)",
            "v0.__setstate__({'n': 1})",
            "v0['k'] = 2",
            "v0.append(3)",
            "v0.extend([4, 5])",
            "result = v0",
        ]
    );
    let loaded = python(b"\x80\x04X\x02\0\0\0idQ\x85\x82\x07\x86.");
    assert_eq!(loaded, ["v0 = get_extension(7)", "result = ((persistent_load('id'),), v0)"]);
}

#[test]
fn names_that_python_has_not_are_shown_for_what_they_are() {
    let statements = python(b"\x80\x02cshop\nv0\ncshop\nsum\ncbuiltins\nsum\nctwo words\nx\x1b[31m\nt.");
    assert_eq!(
        statements[..4],
        [
            "v0 = find_class('shop', 'v0')",
            "from shop import sum",
            "from builtins import sum as sum_2",
            "v1 = find_class('two words', 'x\\x1b[31m')",
        ]
    );
}

/// Nothing that a terminal obeys or hides, whatever the file.
#[test]
fn hostile_text_is_harmless() {
    let hidden = |text: &str| {
        let odd =
            |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{200b}'..='\u{200f}');
        text.chars().find(|c| odd(*c))
    };
    let mut pickle = b"\x80\x04\x95\0\0\0\0\0\0\0\0(X\x0d\0\0\0\x1b]0;a\x07\xe2\x80\xaeb\x7fc\nS'\\x1b[2J'\n".to_vec();
    pickle.extend_from_slice(b"c\x1b[31mred\nn\xe2\x80\xaeme\n)RB\x04\0\0\0\x1b[0mt.");
    assert_eq!(hidden(&shown("a\u{1b}[2J\u{202e}.pkl", &pickle)), None);
    for sample in samples().iter().filter(|sample| !sample.path.starts_with("zip/nested")) {
        for file in files_of(sample) {
            let bytes = std::fs::read(&file).expect("readable");
            let text = shown(&file.to_string_lossy(), &bytes);
            assert_eq!(hidden(&text), None, "{}", file.display());
        }
    }
}

#[test]
fn what_is_shown_is_bounded_and_says_so() {
    let mut limits = Limits::default();
    limits.set("listed-lines", 3).expect("a limit");
    limits.set("listed-width", 10).expect("a limit");
    let text = |name: &str, bytes: &[u8]| inspect(&contents(name, bytes, &limits), &limits);

    let mut calls = b"\x80\x02cos\ngetpid\nq\x00".to_vec();
    calls.extend_from_slice(&b"h\x00)R0".repeat(50));
    calls.extend_from_slice(b"X\x14\0\0\0aaaaaaaaaaaaaaaaaaaa.");
    let calls = text("model.pkl", &calls);
    assert_eq!(calls.matches("getpid()").count(), 2, "{calls}");
    assert!(calls.contains("… 48 more") && calls.contains("result = 'aaaaaaaaaa… 10 more'"), "{calls}");

    let tensors = std::fs::read(corpus().join("gguf/every-type.gguf")).expect("readable");
    let tensors = text("model.gguf", &tensors);
    assert!(tensors.contains("… 11 more"), "{tensors}");

    // A list of a million numbers, and lists a thousand deep.
    let long = [&b"\x80\x02]("[..], &b"K\x01".repeat(1_000_000), b"e."].concat();
    let long = shown("model.pkl", &long);
    assert!(long.contains("… 999984 more") && long.len() < 1000, "{long}");
    let deep = [&b"\x80\x02"[..], &b"]".repeat(1000), &b"a".repeat(999), b"."].concat();
    let deep = shown("model.pkl", &deep);
    assert!(deep.contains('…') && deep.len() < 1000, "{deep}");
}

/// Whatever is shown, a scan that shows nothing finds the same.
#[test]
fn showing_changes_no_finding() {
    for sample in
        samples().iter().filter(|sample| sample.path.starts_with("pickle/") || sample.path.starts_with("joblib/"))
    {
        for file in files_of(sample) {
            let bytes = std::fs::read(&file).expect("readable");
            let name = file.to_string_lossy();
            let plain = Scanner::new(rules()).keeping_evidence().examine(&name, Input::from(bytes.as_slice()));
            let described = contents(&name, &bytes, &Limits::default());
            assert_eq!(plain.findings, described.findings, "{name}");
            assert_eq!(plain.evidence, described.evidence, "{name}");
            assert!(plain.contents.is_none());
        }
    }
}

#[test]
fn imports_are_listed_once() {
    let names = inspect_imports(&sample("pickle/nested-twice.pkl"), false).expect("a list");
    assert_eq!(names, "os.system\npickle.loads\n");
    let json = inspect_imports(&sample("pickle/nested-twice.pkl"), true).expect("a list");
    assert_eq!(serde_json::from_str::<Vec<String>>(&json).expect("JSON"), ["os.system", "pickle.loads"]);
}

#[test]
fn the_json_has_the_shape_that_is_documented() {
    let schema = inspect_schema().expect("a schema is JSON");
    let path = root().join("inspect.schema.json");
    if std::env::var_os("WEIGHIN_UPDATE").is_some() {
        std::fs::write(&path, &schema).expect("writable");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == schema, "inspect.schema.json is not current; run WEIGHIN_UPDATE=1 cargo test");
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("it parses");
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    for path in AS_JSON.iter().chain(AS_TEXT) {
        let json = inspect_json(&sample(path)).expect("contents are JSON");
        let json: serde_json::Value = serde_json::from_str(&json).expect("it parses");
        let errors: Vec<String> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{path}: {}", errors.join("\n"));
    }
}

/// A 7z archive of two members that are stored as they are, one in a block of
/// its own and two in another.
fn seven_zip() -> Vec<u8> {
    let crc = |bytes: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum().to_le_bytes()
    };
    let names: Vec<u8> = "a.txt\0b.txt\0c.txt\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let names_size = u8::try_from(names.len() + 1).expect("small");
    let header = [
        // Two packed streams of 5 and 8 bytes.
        &[0x01, 0x04, 0x06, 0, 2, 0x09, 5, 8, 0][..],
        // Two folders of one coder, which copies.
        &[0x07, 0x0b, 2, 0, 1, 1, 0, 1, 1, 0, 0x0c, 5, 8, 0],
        // One member of the first, two of the second: 3 bytes and the rest.
        &[0x08, 0x0d, 1, 2, 0x09, 3, 0, 0],
        &[0x05, 3, 0x11, names_size, 0],
        &names,
        &[0, 0],
    ]
    .concat();
    let packed = b"hello123world";
    let start = [
        u64::try_from(packed.len()).expect("small").to_le_bytes(),
        u64::try_from(header.len()).expect("small").to_le_bytes(),
    ]
    .concat();
    let start = [&start[..], &crc(&header)].concat();
    [b"7z\xbc\xaf\x27\x1c\0\x04", &crc(&start)[..], &start, packed, &header].concat()
}

#[test]
fn members_of_a_seven_zip_say_how_and_where_they_are_stored() {
    let artifact = contents("model.7z", &seven_zip(), &Limits::default());
    assert_eq!(artifact.gaps, [], "{artifact:?}");
    let table = artifact.contents.expect("a table").tables.remove(0);
    assert_eq!(table.columns, ["name", "method", "size", "stored", "offset"]);
    let wanted = [
        json!(["a.txt", "COPY", 5, 5, 32]),
        json!(["b.txt", "COPY", 3, null, 37]),
        json!(["c.txt", "COPY", 5, null, 37]),
    ];
    assert_eq!(table.rows.into_iter().map(serde_json::Value::from).collect::<Vec<_>>(), wanted);
}

/// A LevelDB table with one block of entries, each of which shares the
/// beginning of its key with the one before.
fn checkpoint(compression: u8) -> Vec<u8> {
    let block = |entries: &[(u8, &[u8], &[u8])]| {
        let mut block = Vec::new();
        for (shared, key, value) in entries {
            let length = |bytes: &[u8]| u8::try_from(bytes.len()).expect("small");
            block.extend([*shared, length(key), length(value)]);
            block.extend([*key, *value].concat());
        }
        block.extend([0, 0, 0, 0, 1, 0, 0, 0]);
        block
    };
    // dtype, shape {dim {size}}, shard_id, offset, size.
    let kernel = [0x08, 1, 0x12, 8, 0x12, 2, 0x08, 3, 0x12, 2, 0x08, 4, 0x20, 7, 0x28, 48];
    let bias = [0x08, 9, 0x12, 0, 0x18, 1, 0x28, 8];
    let data = block(&[(0, b"", &[0x08, 1]), (0, b"dense/kernel", &kernel), (6, b"bias\x1b", &bias)]);
    let size = u8::try_from(data.len()).expect("small");
    let index = block(&[(0, b"e", &[0, size])]);
    let at = u8::try_from(data.len() + 5).expect("small");
    let mut table = [&data[..], &[compression, 0, 0, 0, 0], &index, &[0; 5]].concat();
    table.extend([0, 0, at, u8::try_from(index.len()).expect("small")]);
    table.extend([0; 36]);
    table.extend([0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]);
    table
}

#[test]
fn a_checkpoint_lists_its_tensors() {
    let shown = |bytes: &[u8]| contents("variables.index", bytes, &Limits::default());
    let artifact = shown(&checkpoint(0));
    assert_eq!(artifact.gaps, [], "{artifact:?}");
    let table = artifact.contents.expect("a table").tables.remove(0);
    assert_eq!(table.columns, ["name", "dtype", "shape", "shard", "offset", "bytes"]);
    let wanted =
        [json!(["dense/kernel", "FLOAT", [3, 4], 0, 7, 48]), json!(["dense/bias\u{1b}", "INT64", [], 1, 0, 8])];
    assert_eq!(table.rows.into_iter().map(serde_json::Value::from).collect::<Vec<_>>(), wanted);
    // What can't be shown is said; no damage is more than a gap.
    assert!(shown(&checkpoint(1)).gaps[0].detail.contains("compressed"));
    for at in 0..checkpoint(0).len() {
        let mut broken = checkpoint(0);
        broken[at] ^= 0xff;
        assert!(shown(&broken).gaps.iter().all(|gap| gap.reason != GapReason::Panic), "byte {at}");
    }
    assert_eq!(crate::check::scan("variables.index", &checkpoint(1)).gaps, []);
}
