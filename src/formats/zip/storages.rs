//! PyTorch's tensors against the records that hold them: `data.pkl` says how
//! long each storage is, and the archive how long the record really is
//! (CVE-2026-24747 trusts the former).

use std::collections::BTreeMap;

use super::layouts::Layouts;
use crate::artifact::GapReason;
use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};

/// Compares every storage that a `data.pkl` names with its record.
pub(super) fn compare(layouts: &Layouts, cx: &mut Cx<'_, '_>) {
    let roots: Vec<String> =
        layouts.list().filter(|(_, layout)| *layout == "torch").map(|(root, _)| root.to_owned()).collect();
    for root in roots {
        let pickle = format!("{root}data.pkl");
        let expected: BTreeMap<String, u64> = cx
            .members()
            .iter()
            .filter(|member| member.name == pickle)
            .flat_map(|member| member.storages.clone())
            .collect();
        let records: BTreeMap<String, u64> =
            cx.members().iter().map(|member| (member.name.clone(), member.size)).collect();
        for (key, wanted) in expected {
            let record = format!("{root}data/{key}");
            match records.get(&record) {
                Some(held) if *held >= wanted => {}
                Some(held) => cx.push(
                    Evidence::new(Kind::TensorLayout, "storage-too-short", Span::at(0))
                        .with("tensor", record)
                        .with("detail", format!("{wanted} bytes are expected, {held} are there")),
                ),
                None if wanted == 0 => {}
                None => cx.gap_because(GapReason::Truncated, format!("the storage {record} is not there"), 0),
            }
        }
    }
}
