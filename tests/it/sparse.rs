//! Models of any size that are mostly zeros: what else is in them, and where.

#![allow(dead_code, reason = "tests and benchmark need different parts")]

use std::collections::BTreeMap;

/// So many bytes, and those that are not zero.
#[derive(Debug, Clone)]
pub struct Sparse {
    pub len: u64,
    pub parts: BTreeMap<u64, Vec<u8>>,
}

/// A safetensors file of `len` bytes with tensors of 64 MiB. It begins like a
/// pickle, by the length of its header, as one in sixteen does.
pub fn safetensors(len: u64) -> Sparse {
    let mut entries = Vec::new();
    let mut at = 0;
    let guess = len - (1 << 20);
    while at < guess {
        let end = (at + (64 << 20)).min(guess);
        entries.push(format!(
            "\"t{}\":{{\"dtype\":\"U8\",\"shape\":[{}],\"data_offsets\":[{at},{end}]}}",
            entries.len(),
            end - at
        ));
        at = end;
    }
    let mut header = format!("{{{}}}", entries.join(",")).into_bytes();
    header.resize(header.len().next_multiple_of(256) + usize::from(b'P'), b' ');
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    Sparse { len: bytes.len() as u64 + guess, parts: [(0, bytes)].into() }
}

/// A GGUF file with one tensor of `len` bytes.
pub fn gguf(len: u64) -> Sparse {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    // Tensors, pairs; then the name, one dimension, bytes, from the start on.
    for field in [1, 0, 1_u64] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend(b"w\x01\0\0\0");
    bytes.extend(len.to_le_bytes());
    bytes.extend(24_u32.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    Sparse { len: bytes.len() as u64 + len, parts: [(0, bytes)].into() }
}

/// A PyTorch archive of `pickle`, with `count` storages of `each` bytes.
pub fn torch(pickle: &[u8], count: u64, each: u32) -> Sparse {
    let mut parts = BTreeMap::new();
    let mut central = Vec::new();
    let mut at: u64 = 0;
    let zeros = crc32fast::hash(&vec![0; each as usize]);
    let pickle = pickle.to_vec();
    let mut members =
        vec![("archive/data.pkl".to_owned(), pickle.len() as u32, crc32fast::hash(&pickle), Some(pickle))];
    members.extend((0..count).map(|n| (format!("archive/data/{n}"), each, zeros, None)));
    members.push(("archive/version".to_owned(), 2, crc32fast::hash(b"3\n"), Some(b"3\n".to_vec())));
    for (name, size, crc, content) in members {
        let mut local = b"PK\x03\x04\0\0\0\0\0\0\0\0\0\0".to_vec();
        for field in [crc, size, size] {
            local.extend(field.to_le_bytes());
        }
        local.extend((name.len() as u16).to_le_bytes());
        // Padding to 64 bytes, as PyTorch does it.
        let padding = (64 - (at + 30 + name.len() as u64 + 4) % 64) % 64;
        local.extend((padding as u16 + 4).to_le_bytes());
        local.extend(name.as_bytes());
        local.extend(b"FB");
        local.extend((padding as u16).to_le_bytes());
        local.extend(vec![b'Z'; padding as usize]);
        let mut entry = b"PK\x01\x02\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
        for field in [crc, size, size] {
            entry.extend(field.to_le_bytes());
        }
        entry.extend((name.len() as u16).to_le_bytes());
        entry.extend([0; 12]);
        entry.extend((at as u32).to_le_bytes());
        entry.extend(name.as_bytes());
        central.push(entry);
        let data = at + local.len() as u64;
        local.extend(content.unwrap_or_default());
        parts.insert(at, local);
        at = data + u64::from(size);
    }
    let directory: Vec<u8> = central.concat();
    let mut end = directory.clone();
    end.extend(b"PK\x05\x06\0\0\0\0");
    for _ in 0..2 {
        end.extend((central.len() as u16).to_le_bytes());
    }
    end.extend((directory.len() as u32).to_le_bytes());
    end.extend((at as u32).to_le_bytes());
    end.extend([0, 0]);
    let len = at + end.len() as u64;
    parts.insert(at, end);
    Sparse { len, parts }
}
