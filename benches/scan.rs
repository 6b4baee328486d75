//! The two inner loops that everything waits for: the pickle machine and the
//! sweep over every byte. Whole processes are compared by `compare.py`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use weighin::{RuleSet, Scanner};

/// A list of dictionaries of small objects with memoised keys.
fn objects(size: usize) -> Vec<u8> {
    let mut stream = b"\x80\x04](\x8c\x04name\x94\x8c\x05value\x94".to_vec();
    let mut number: u16 = 0;
    while stream.len() < size {
        let [low, high] = number.to_le_bytes();
        stream.extend_from_slice(&[b'}', 0x94, b'(', b'h', 0, b'M', low, high, b'h', 1, b']', 0x94, b'(']);
        stream.extend_from_slice(&[b'K', low, b'N', 0x88, b'G', 0x3f, 0xf0, low, 0, 0, 0, 0, 0, b'e', b'u']);
        number = number.wrapping_add(1);
    }
    stream.extend_from_slice(b"e.");
    stream
}

/// Short strings, each in the memo and fetched again.
fn strings(size: usize) -> Vec<u8> {
    let mut stream = b"\x80\x04](".to_vec();
    let mut slot: u32 = 0;
    while stream.len() < size {
        let text = format!("token {slot}");
        stream.push(0x8c);
        stream.extend(u8::try_from(text.len()));
        stream.extend_from_slice(text.as_bytes());
        stream.extend_from_slice(&[0x94, b'j']);
        stream.extend_from_slice(&(slot / 2).to_le_bytes());
        slot += 1;
    }
    stream.extend_from_slice(b"e.");
    stream
}

/// One tensor of random-looking floats below one.
fn weights(size: usize) -> Vec<u8> {
    let header = format!("{{\"w\":{{\"dtype\":\"F32\",\"shape\":[{}],\"data_offsets\":[0,{size}]}}}}", size / 4);
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    let mut state: u32 = 1;
    for _ in 0..size / 4 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        file.extend_from_slice(&(0x3c00_0000 | (state >> 7)).to_le_bytes());
    }
    file
}

fn scans(criterion: &mut Criterion) {
    let rules = RuleSet::embedded().expect("the embedded rules load");
    let scanner = Scanner::new(&rules);
    let mut worker = scanner.worker();
    let mut group = criterion.benchmark_group("scan");
    group.sample_size(20);
    let inputs = [
        ("pickle of objects", "model.pkl", objects(8 << 20)),
        ("pickle of strings", "model.pkl", strings(8 << 20)),
        ("safetensors", "model.safetensors", weights(16 << 20)),
        ("tiny pickle", "model.pkl", objects(16)),
    ];
    for (what, name, bytes) in &inputs {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(*what, |bencher| bencher.iter(|| worker.scan_bytes(name, black_box(bytes))));
    }
    group.finish();
}

criterion_group!(benches, scans);
criterion_main!(benches);
