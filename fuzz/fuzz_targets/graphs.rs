//! Computation graphs and configurations of layers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weighin_fuzz::scan_as;

const NAMES: &[&str] = &[
    "m.onnx", "saved_model.pb", "m.pb", "m.meta", "m.tflite", "m.ort", "m.pte", "m.mlmodel", "m.pdmodel", "m.h5",
    "m.hdf5", "config.json", "m.index", "m.params", "m.t7", "m.ubj", "m.model", "m.msgpack",
];

fuzz_target!(|data: &[u8]| scan_as(NAMES, data));
