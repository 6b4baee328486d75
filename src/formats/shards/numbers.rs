//! How many bytes the raw parts of a model have, by the document that lists
//! them: TensorFlow.js' weights manifest, MLC-LLM's parameter cache.

use serde::Deserialize;

use crate::artifact::Companion;
use crate::engine::Cx;

/// `model.json` of TensorFlow.js.
#[derive(Deserialize)]
struct Model {
    #[serde(rename = "weightsManifest")]
    weights_manifest: Vec<Group>,
}

/// `WeightsManifestGroupConfig`: weights that lie behind each other in the files
/// at `paths`, which are cut anywhere.
#[derive(Deserialize)]
struct Group {
    paths: Vec<String>,
    weights: Vec<Weight>,
}

/// `WeightsManifestEntry`
#[derive(Deserialize)]
struct Weight {
    shape: Vec<u64>,
    dtype: String,
    quantization: Option<Quantization>,
}

#[derive(Deserialize)]
struct Quantization {
    dtype: String,
}

/// `NDArrayCacheMetadata` of TVM.
#[derive(Deserialize)]
struct Cache {
    records: Vec<FileRecord>,
}

#[derive(Deserialize)]
struct FileRecord {
    #[serde(rename = "dataPath")]
    data_path: String,
    format: String,
    nbytes: u64,
}

/// Tells what the document accounts for. A document of another kind, or one that
/// can't be read to its end, accounts for nothing.
pub(super) fn tell(document: &[u8], cx: &mut Cx<'_, '_>) {
    let groups = match serde_json::from_slice(document) {
        Ok(Model { weights_manifest }) => weights_manifest,
        Err(_) => serde_json::from_slice::<Vec<Group>>(document).unwrap_or_default(),
    };
    for group in groups {
        if let Some(bytes) = group.weights.iter().try_fold(0_u64, |sum, weight| sum.checked_add(weight.bytes()?)) {
            cx.companion(Companion::Split { paths: group.paths.iter().map(|path| plain(path)).collect(), bytes });
        }
    }
    if let Ok(Cache { records }) = serde_json::from_slice(document) {
        for record in records.iter().filter(|record| record.format == "raw-shard") {
            cx.companion(Companion::Split { paths: vec![plain(&record.data_path)], bytes: record.nbytes });
        }
    }
}

fn plain(path: &str) -> String {
    path.trim_start_matches("./").to_owned()
}

impl Weight {
    /// Bytes that the weight takes; nothing where its values tell (strings).
    fn bytes(&self) -> Option<u64> {
        let stored = self.quantization.as_ref().map_or(&self.dtype, |quantization| &quantization.dtype);
        let element = match stored.as_str() {
            "float32" | "int32" => 4,
            "complex64" => 8,
            "uint16" | "float16" => 2,
            "uint8" | "bool" => 1,
            _ => return None,
        };
        self.shape.iter().try_fold(element, |bytes: u64, size| bytes.checked_mul(*size))
    }
}
