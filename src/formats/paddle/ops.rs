//! Which operators PaddlePaddle has. Facts only.

use std::sync::LazyLock;

/// Every operator that `paddlepaddle` 2.6.2 and 3.3.1 register, sorted.
const REGISTERED: &str = include_str!("ops.txt");

/// How operators begin and end that builds for other devices bring, or passes
/// that fuse others.
const FAMILIES: [&str; 3] = ["fused_", "fusion_", "onednn_"];
const DEVICES: [&str; 6] = ["_engine", "_fusion", "_xpu", "_npu", "_mkldnn", "_onednn"];

/// Where an operator comes from: `core`, or `unknown`.
pub(super) fn origin(name: &str) -> &'static str {
    static SORTED: LazyLock<Vec<&str>> = LazyLock::new(|| REGISTERED.lines().collect());
    let name = name.trim_end_matches('_');
    let plain = name.strip_suffix("_grad").unwrap_or(name);
    let known = |name: &str| SORTED.binary_search(&name).is_ok();
    let family = FAMILIES.iter().any(|family| name.starts_with(family));
    let device = DEVICES.iter().any(|device| name.ends_with(device));
    if known(name) || known(plain) || family || device { "core" } else { "unknown" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_own_names_are_on_none() {
        assert!(REGISTERED.lines().is_sorted(), "it is searched by halves");
        for known in ["conv2d", "py_func", "relu_", "elementwise_add", "tensorrt_engine"] {
            assert_eq!(origin(known), "core", "{known}");
        }
        assert_eq!(origin("weighin_run"), "unknown");
        assert_eq!(origin("paddle.custom_op::relu"), "unknown");
    }
}
