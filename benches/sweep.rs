//! What a sweep costs, by a store in this process: how many small models it
//! examines in a second, and again when nothing has changed; what it reads of
//! large ones; and the most memory that the command takes. Prints a table, and
//! fails where more is read than should be.
//!
//!     cargo bench --bench sweep -- [OBJECTS]

#[path = "../tests/it/elsewhere.rs"]
mod elsewhere;
#[path = "../tests/it/sparse.rs"]
mod sparse;
#[path = "../tests/it/store.rs"]
mod store;

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn main() {
    let objects: u64 = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(10_000);
    let work = tempfile::tempdir().expect("a directory");
    let root = work.path().join("root");
    fill(&root, objects);
    let (_runtime, endpoint) = elsewhere::serve(&root, true);
    let state = work.path().join("state.db");
    let sweep = |target: &str, depth: &str, state: Option<&Path>| Cost::of(&endpoint, target, depth, state);
    println!(
        "{:<34} {:>8} {:>8} {:>10} {:>13} {:>9} {:>11}",
        "sweep", "examined", "seconds", "objects/s", "bytes/object", "requests", "memory, MiB"
    );
    let first = sweep("s3://models", "header", Some(&state));
    first.print("small models, header", objects);
    assert_eq!(first.count("examined"), objects, "the first sweep examines all");
    let second = sweep("s3://models", "header", Some(&state));
    second.print("the same, nothing changed", objects);
    assert_eq!((second.count("examined"), second.count("unchanged")), (0, objects));
    assert_eq!((second.count("requests"), second.count("bytes_read")), (0, 0), "a listing and no reads");
    // The other server reads all of an object for each part of it.
    let large = store::Store::new();
    let models =
        [("model.safetensors", sparse::safetensors(1 << 30)), ("model.pt", sparse::torch(&pickle(), 256, 4 << 20))];
    for (name, model) in models {
        let size = model.len;
        large.put(name, model.into());
        for (depth, most) in [("header", 1 << 20), ("full", size + size / 20)] {
            let one = Cost::of(&large.endpoint, &format!("s3://bucket/{name}"), depth, None);
            one.print(&format!("{name} of 1 GiB, {depth}"), 1);
            assert!(one.count("bytes_read") < most, "more than {most} bytes are read");
        }
    }
}

/// Half safetensors of some 14 kB, half pickles of 1.5 kB, in 100 folders.
fn fill(root: &Path, objects: u64) {
    let pickle = pickle();
    for at in 0..objects {
        let folder = root.join(format!("models/{:02}", at % 100));
        std::fs::create_dir_all(&folder).expect("made");
        let (name, bytes) = if at % 2 == 0 {
            let tensors = (0..12).map(|n| {
                let (begin, end) = (n * 1024, (n + 1) * 1024);
                format!("\"layer.{n}.weight\":{{\"dtype\":\"F32\",\"shape\":[256],\"data_offsets\":[{begin},{end}]}}")
            });
            let mut header = format!("{{{}}}", tensors.collect::<Vec<_>>().join(",")).into_bytes();
            header.resize(header.len().next_multiple_of(8), b' ');
            let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
            bytes.extend(header);
            bytes.extend((0..12 * 1024_u64).map(|n| ((n * 31 + at * 17) % 251) as u8));
            (format!("{at}.safetensors"), bytes)
        } else {
            (format!("{at}.pkl"), pickle.clone())
        };
        std::fs::write(folder.join(name), bytes).expect("written");
    }
}

/// A list of 500 numbers.
fn pickle() -> Vec<u8> {
    let mut bytes = b"\x80\x04]\x94(".to_vec();
    bytes.extend((0..500_u16).flat_map(|n| [b'M', n.to_le_bytes()[0], n.to_le_bytes()[1]]));
    bytes.extend(b"e.");
    bytes
}

/// What one sweep cost.
struct Cost {
    seconds: f64,
    told: Value,
    /// The most memory, in KiB.
    peak: u64,
}

impl Cost {
    fn of(endpoint: &str, target: &str, depth: &str, state: Option<&Path>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weighin"));
        command
            .args(["sweep", "--no-config", "--depth", depth, "--format", "json", "--exit-zero", target])
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_ACCESS_KEY_ID", elsewhere::KEY.0)
            .env("AWS_SECRET_ACCESS_KEY", elsewhere::KEY.1)
            .env("AWS_REGION", "us-east-1");
        if let Some(state) = state {
            command.arg("--state").arg(state);
        }
        let start = Instant::now();
        let (stdout, peak) = run(&mut command);
        let seconds = start.elapsed().as_secs_f64();
        let mut report: Value = serde_json::from_slice(&stdout).expect("JSON");
        Self { seconds, told: report["sweep"].take(), peak }
    }

    fn count(&self, what: &str) -> u64 {
        self.told[what].as_u64().expect("a count")
    }

    fn print(&self, what: &str, objects: u64) {
        println!(
            "{what:<34} {:>8} {:>8.1} {:>10.0} {:>13.0} {:>9} {:>11}",
            self.count("examined"),
            self.seconds,
            objects as f64 / self.seconds,
            self.count("bytes_read") as f64 / objects as f64,
            self.count("requests"),
            self.peak / 1024,
        );
    }
}

/// Runs the command; what it prints, and the most memory that it took, in KiB.
fn run(command: &mut Command) -> (Vec<u8>, u64) {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it runs");
    let mut stdout = child.stdout.take().expect("piped");
    let status = format!("/proc/{}/status", child.id());
    let reading = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stdout.read_to_end(&mut bytes).map(|_| bytes)
    });
    let mut peak = 0;
    while child.try_wait().expect("waited").is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let high = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(high.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    (reading.join().expect("read").expect("readable"), peak)
}
