//! Archives that are assembled, so that both directories of a zip agree but for
//! what the input changes.

use crate::scan::{overwrite, scan};

const NAMES: &[&str] =
    &["data.pkl", "a/data.pkl", "config.json", "code/m.py", "x.npy", "../up", "A/DATA.PKL", "inner.zip"];
const CONTENTS: &[&[u8]] =
    &[b"cos\nsystem\n(S'echo'\ntR.", b"\x80\x02}q\0.", b"{\"auto_map\": {}}", b"import os\nos.getcwd()\n", b""];

/// A zip whose members, fields and order the first half of `data` chooses, and
/// over which the second half writes. Bytes that begin a zip are one.
pub fn assembled(data: &[u8]) {
    if data.starts_with(b"PK") {
        return scan("model.pt", data);
    }
    let (choices, changes) = data.split_at(data.len() / 2);
    let mut choices = choices.iter().copied();
    let mut next = || choices.next().unwrap_or(0);
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    let count = next() % 6 + 1;
    for _ in 0..count {
        let (name, content, odd) = (next(), next(), next());
        let name = NAMES[usize::from(name) % NAMES.len()].as_bytes();
        let content = CONTENTS[usize::from(content) % CONTENTS.len()];
        let at = as_u32(archive.len());
        // One bit each: another method, sizes after the data, encrypted, an
        // offset that points elsewhere.
        let method = if odd & 1 == 0 { 0u16 } else { u16::from(next()) };
        let flags = u16::from(odd & 2) << 2 | u16::from(odd & 4) >> 2;
        let fields = header(method, flags, content, name);
        archive.extend(b"PK\x03\x04\x14\0");
        archive.extend(&fields);
        archive.extend([0, 0]);
        archive.extend(name);
        archive.extend(content);
        directory.extend(b"PK\x01\x02\x14\0\x14\0");
        directory.extend(&fields);
        directory.extend([0; 12]);
        directory.extend((if odd & 8 == 0 { at } else { u32::from(next()) }).to_le_bytes());
        directory.extend(name);
    }
    let start = as_u32(archive.len());
    let size = as_u32(directory.len());
    archive.extend(directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend([count, 0, count, 0]);
    archive.extend(size.to_le_bytes());
    archive.extend(start.to_le_bytes());
    archive.extend([0, 0]);
    overwrite(&mut archive, changes);
    scan("model.pt", &archive);
}

/// The fields that both headers have: flags, method, time, CRC, sizes, length
/// of the name, of which the central one is followed by more.
fn header(method: u16, flags: u16, content: &[u8], name: &[u8]) -> Vec<u8> {
    let size = as_u32(content.len()).to_le_bytes();
    let mut fields = Vec::new();
    fields.extend(flags.to_le_bytes());
    fields.extend(method.to_le_bytes());
    fields.extend([0; 4]);
    fields.extend(crc32(content).to_le_bytes());
    fields.extend(size);
    fields.extend(size);
    fields.extend(u16::try_from(name.len()).unwrap_or(0).to_le_bytes());
    fields
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

fn as_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
