//! How fast the command sweeps a store of small models, which this process
//! serves: objects a second, bytes an object, and the most memory that the
//! command takes.
//!
//!     cargo bench --bench sweep -- [OBJECTS]

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use serde_json::Value;

fn main() {
    let objects = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(10_000);
    let work = tempfile::tempdir().expect("a directory");
    let root = work.path().join("root");
    fill(&root, objects);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    let endpoint = serve(&runtime, &root);
    for sweep in ["first", "second"] {
        let start = Instant::now();
        let state = work.path().join("state.db");
        let mut command = Command::new(env!("CARGO_BIN_EXE_weighin"));
        command
            .args(["sweep", "--no-config", "--depth", "header", "--format", "json", "s3://models", "--state"])
            .arg(state)
            .env("AWS_ENDPOINT_URL", &endpoint)
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "us-east-1");
        let (stdout, peak) = run(&mut command);
        let took = start.elapsed().as_secs_f64();
        let report: Value = serde_json::from_slice(&stdout).expect("JSON");
        let told = &report["sweep"];
        let count = |what: &str| told[what].as_u64().expect("a count");
        let each = |what: &str| count(what) as f64 / count("examined").max(1) as f64;
        println!(
            "{sweep}: {} examined, {} unchanged in {took:.1} s: {:.0} objects/s; {:.0} bytes and {:.2} requests an object; \
             at most {} MiB of memory",
            count("examined"),
            count("unchanged"),
            objects as f64 / took,
            each("bytes_read"),
            each("requests"),
            peak / 1024,
        );
    }
}

/// Half safetensors of some 14 kB, half pickles of 1.5 kB, in 100 folders.
fn fill(root: &Path, objects: u64) {
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
            let mut bytes = b"\x80\x04]\x94(".to_vec();
            bytes.extend((0..500_u16).flat_map(|n| [b'M', n.to_le_bytes()[0], n.to_le_bytes()[1]]));
            bytes.extend(b"e.");
            (format!("{at}.pkl"), bytes)
        };
        std::fs::write(folder.join(name), bytes).expect("written");
    }
}

fn serve(runtime: &tokio::runtime::Runtime, root: &Path) -> String {
    let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).expect("a directory"));
    service.set_auth(SimpleAuth::from_single("key", "secret"));
    let service = service.build();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let http = hyper::server::conn::http1::Builder::new();
                http.serve_connection(TokioIo::new(stream), service).await.ok();
            });
        }
    });
    endpoint
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
