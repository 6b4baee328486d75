//! The machine. Half of the inputs are pickles as they are; from the others one
//! is assembled, so that valid streams come up, and the rest of the bytes are
//! written over it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weighin_fuzz::{assembler, scan};

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    if first % 2 == 0 {
        scan("model.pkl", rest);
        return;
    }
    let (choices, changes) = rest.split_at(rest.len() * 3 / 4);
    let mut bytes = assembler::assemble(choices, true).bytes;
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len();
        bytes[at] = change[2];
    }
    scan("model.pkl", &bytes);
});
