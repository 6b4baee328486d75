//! The decoder: any bytes are listed to where they end or make no sense.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weighin::formats::pickle::disassemble;
use weighin::input::Input;

fuzz_target!(|data: &[u8]| {
    let limits = weighin_fuzz::limits();
    for json in [false, true] {
        disassemble(&Input::from(data), &limits, json);
    }
});
