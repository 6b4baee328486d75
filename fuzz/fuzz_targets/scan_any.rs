//! Any bytes under names that promise something.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weighin_fuzz::scan_as;

const NAMES: &[&str] = &[
    "model", "model.pkl", "pytorch_model.bin", "model.pt", "model.safetensors", "model.gguf", "model.onnx", "model.h5",
    "model.keras", "model.npz", "saved_model.pb", "model.tflite", "model.joblib", "model.skops", "config.json",
    "tokenizer_config.json", "modeling.py", "requirements.txt", "model.7z", "model.rds", "model.tar", "notebook.ipynb",
];

fuzz_target!(|data: &[u8]| scan_as(NAMES, data));
