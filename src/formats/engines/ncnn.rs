//! ncnn: the text half of a model, which says what each layer reads of the
//! other half. That one has no magic.

use std::collections::BTreeMap;

use crate::artifact::{Companion, Load};
use crate::engine::Cx;
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::stop::Stop;

/// Loads of one graph: an honest layer has a dozen at most.
const LOADS: usize = 1 << 16;

/// Reads ncnn graphs: see [`Format`].
pub struct Ncnn;

impl Format for Ncnn {
    fn name(&self) -> &'static str {
        "ncnn"
    }

    fn about(&self) -> About {
        About {
            title: "ncnn graphs (.param, .param.bin)",
            extensions: &[".param", ".param.bin"],
            reads: "the magic number 7767517; how many numbers the layers of a text graph read of the file beside it",
            leaves_out: "layers of the application, binary graphs",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let binary = head.starts_with(&7_767_517_u32.to_le_bytes());
        if head.starts_with(b"7767517\n") || head.starts_with(b"7767517\r\n") || binary {
            Match::Magic
        } else {
            Match::No
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let base = cx.name().rsplit(['/', '\\']).next().unwrap_or_default();
        let Some(stem) = base.strip_suffix(".param") else { return Ok(()) };
        let path = format!("{stem}.bin");
        // A longer graph says nothing of its weights; the weights then stay a gap.
        let Ok(bytes) = input.all(cx.limits().source_bytes) else { return Ok(()) };
        if let Some(loads) = std::str::from_utf8(&bytes).ok().and_then(graph) {
            cx.companion(Companion::Loads { path, loads });
        }
        Ok(())
    }
}

/// What all layers load, in order; nothing when one can't be told.
fn graph(text: &str) -> Option<Vec<Load>> {
    let mut loads = Vec::new();
    for line in text.lines().skip(2).filter(|line| !line.trim().is_empty()) {
        loads.extend(layer(line)?);
        if loads.len() > LOADS {
            return None;
        }
    }
    Some(loads)
}

/// `type name bottoms tops blob... key=value...`
fn layer(line: &str) -> Option<Vec<Load>> {
    let mut words = line.split_ascii_whitespace();
    let kind = words.next()?;
    let _name = words.next()?;
    let (bottoms, tops): (usize, usize) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let mut known = BTreeMap::new();
    for word in words.skip(bottoms.checked_add(tops)?) {
        let (key, value) = word.split_once('=')?;
        // Arrays have keys of their own, and none of them counts what is loaded.
        if let (Ok(key), Ok(value)) = (key.parse::<u32>(), value.parse::<u64>()) {
            known.insert(key, value);
        }
    }
    Parameters(known).loads(kind)
}

/// Parameters of a layer by their numbers (`ParamDict`).
struct Parameters(BTreeMap<u32, u64>);

/// Numbers stored in whichever way the word before them says.
fn tagged(elements: u64) -> Load {
    Load { elements, tagged: true }
}

/// Floats of 32 bits.
fn floats(elements: u64) -> Load {
    Load { elements, tagged: false }
}

impl Parameters {
    fn get(&self, key: u32) -> u64 {
        self.or(key, 0)
    }

    fn or(&self, key: u32, default: u64) -> u64 {
        self.0.get(&key).copied().unwrap_or(default)
    }

    fn has(&self, key: u32) -> bool {
        self.get(key) != 0
    }

    /// `elements` floats for each of the numbered flags that is set.
    fn when(&self, key: u32, elements: u64) -> Option<Load> {
        self.has(key).then(|| floats(elements))
    }

    /// `load_model` of a layer by the name of its type. One that is not named
    /// here loads nothing, or is the application's own; then the sum is wrong.
    fn loads(&self, kind: &str) -> Option<Vec<Load>> {
        let first = self.get(0);
        let mut loads = Vec::new();
        match kind {
            "Convolution" | "ConvolutionDepthWise" | "Convolution1D" | "ConvolutionDepthWise1D" => {
                return self.convolution(kind, 19);
            }
            "Deconvolution" | "DeconvolutionDepthWise" | "Deconvolution1D" | "DeconvolutionDepthWise1D" => {
                return self.convolution(kind, 28);
            }
            "Convolution3D"
            | "ConvolutionDepthWise3D"
            | "Deconvolution3D"
            | "DeconvolutionDepthWise3D"
            | "DeformableConv2D" => {
                loads.push(tagged(self.get(6)));
                loads.extend(self.when(5, first));
            }
            "InnerProduct" => {
                loads.push(tagged(self.get(2)));
                loads.extend(self.when(1, first));
                loads.extend(self.when(8, first));
                loads.extend(self.when(8, 1));
            }
            "Embed" => {
                loads.push(tagged(self.get(3)));
                loads.extend(self.when(2, first));
                loads.extend(self.when(18, 1));
            }
            "BatchNorm" => loads.extend([floats(first); 4]),
            // -233: the scale comes from another layer.
            "Scale" if self.0.contains_key(&0) => {
                loads.push(floats(first));
                loads.extend(self.when(1, first));
            }
            "Bias" | "PReLU" => loads.push(floats(first)),
            "InstanceNorm" | "LayerNorm" if self.or(2, 1) != 0 => loads.extend([floats(first); 2]),
            "GroupNorm" if self.or(3, 1) != 0 => loads.extend([floats(self.get(1)); 2]),
            "RMSNorm" if self.or(2, 1) != 0 => loads.push(floats(first)),
            "Normalize" => loads.push(floats(self.get(3))),
            "Padding" => loads.extend(self.when(6, self.get(6))),
            "Quantize" => loads.push(floats(self.or(0, 1))),
            "Dequantize" => {
                loads.push(floats(self.or(0, 1)));
                loads.extend(self.when(1, self.get(1)));
            }
            "Requantize" => {
                loads.extend([floats(self.or(0, 1)), floats(self.or(1, 1))]);
                loads.extend(self.when(2, self.get(2)));
            }
            "MemoryData" => {
                let elements = [first, self.get(1), self.get(2), self.get(11)];
                let mut elements = elements.iter().filter(|size| **size != 0);
                let elements = elements.try_fold(1_u64, |product, size| product.checked_mul(*size))?;
                loads.push(Load { elements, tagged: self.or(21, 1) == 0 });
            }
            "LSTM" | "GRU" | "RNN" => return self.recurrent(kind),
            "MultiHeadAttention" => return self.attention(),
            "Gemm" => return self.gemm(),
            _ => {}
        }
        Some(loads)
    }

    fn convolution(&self, kind: &str, dynamic: u32) -> Option<Vec<Load>> {
        let outputs = self.get(0);
        if self.has(dynamic) {
            return Some(Vec::new());
        }
        let mut loads = vec![tagged(self.get(6))];
        loads.extend(self.when(5, outputs));
        match (kind, self.get(8)) {
            (_, 0) => {}
            ("Convolution", _) => loads.extend([floats(outputs), floats(1)]),
            ("ConvolutionDepthWise", 1 | 101) => loads.extend([floats(self.get(7)), floats(1)]),
            ("ConvolutionDepthWise", 2 | 102) => loads.extend([floats(1), floats(1)]),
            _ => return None,
        }
        if self.get(8) > 100 {
            loads.push(floats(1));
        }
        Some(loads)
    }

    fn recurrent(&self, kind: &str) -> Option<Vec<Load>> {
        let outputs = self.get(0);
        let directions = if self.get(2) == 2 { 2 } else { 1 };
        let hidden = if kind == "LSTM" { self.or(3, outputs) } else { outputs };
        let (gates, biases) = match kind {
            "LSTM" => (4, 4),
            "GRU" => (3, 4),
            _ => (1, 1),
        };
        let times = |factors: &[u64]| factors.iter().try_fold(directions, |size: u64, by| size.checked_mul(*by));
        let mut loads =
            vec![tagged(self.get(1)), tagged(times(&[hidden, biases])?), tagged(times(&[outputs, hidden, gates])?)];
        if outputs != hidden {
            loads.push(tagged(times(&[hidden, outputs])?));
        }
        match self.get(8) {
            0 => {}
            1..=3 => loads.extend([floats(times(&[hidden, gates])?); 2]),
            _ => return None,
        }
        Some(loads)
    }

    fn attention(&self) -> Option<Vec<Load>> {
        let embed = self.get(0);
        let queries = self.get(2).checked_div(embed)?;
        let weights = |size: u64| embed.checked_mul(size).map(tagged);
        let mut loads = vec![
            weights(queries)?,
            floats(embed),
            weights(self.or(3, embed))?,
            floats(embed),
            weights(self.or(4, embed))?,
            floats(embed),
            weights(queries)?,
            floats(queries),
        ];
        match self.get(18) {
            0 => {}
            1..=3 => loads.extend([floats(embed), floats(embed), floats(embed), floats(1)]),
            _ => return None,
        }
        Some(loads)
    }

    fn gemm(&self) -> Option<Vec<Load>> {
        let (m, n, k) = (self.get(7), self.get(8), self.get(9));
        let mut loads = Vec::new();
        if self.has(4) {
            loads.push(tagged(m.checked_mul(k)?));
        }
        if self.has(5) {
            loads.push(tagged(n.checked_mul(k)?));
        }
        if self.has(6) && self.0.contains_key(&10) {
            loads.push(tagged(match self.get(10) {
                0 => 1,
                1 | 2 => m,
                3 => n.checked_mul(m)?,
                _ => n,
            }));
        }
        match self.get(18) {
            0 => {}
            1..=3 => {
                loads.extend(self.when(4, m));
                loads.extend(self.when(5, 1));
            }
            _ => return None,
        }
        Some(loads)
    }
}
