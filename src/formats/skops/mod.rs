//! skops: scikit-learn models as a tree of typed nodes, `schema.json` in a zip
//! (skops/io/_audit.py, _general.py, _sklearn.py).
//!
//! Each node names a type by module and class, and the loader that constructs
//! it. skops asks its user to trust the types; nodes that name one type and
//! construct another got around that (CVE-2025-54412, CVE-2025-54413).

use std::collections::BTreeSet;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::json::{self, Json};
use crate::names;
use crate::stop::Stop;

/// Loaders of skops 0.1 to 0.14.
const LOADERS: &[&str] = &[
    "BytearrayNode",
    "BytesNode",
    "CachedNode",
    "ConstructorFromReduceNode",
    "DTypeNode",
    "DatetimeNode",
    "DefaultDictNode",
    "DictNode",
    "FunctionNode",
    "JsonNode",
    "ListNode",
    "LossNode",
    "MaskedArrayNode",
    "MethodNode",
    "NamedTupleNode",
    "NdArrayNode",
    "ObjectNode",
    "OperatorFuncNode",
    "PandasNode",
    "PartialNode",
    "QuantileForestNode",
    "RandomGeneratorNode",
    "RandomStateNode",
    "ReduceNode",
    "SGDNode",
    "SetNode",
    "SliceNode",
    "SparseMatrixNode",
    "TreeNode",
    "TupleNode",
    "TypeNode",
    "UfuncNode",
    "_DictWithDeprecatedKeysNode",
];

/// Types that a loader constructs whatever the node says, or that skops itself
/// names there: nothing that a file chooses.
const OWN: &[(&str, &str)] = &[
    ("PartialNode", "functools.partial"),
    ("OperatorFuncNode", "operator.attrgetter"),
    ("OperatorFuncNode", "operator.itemgetter"),
    ("OperatorFuncNode", "operator.methodcaller"),
    ("JsonNode", "builtins.str"),
    ("ListNode", "builtins.list"),
    ("TupleNode", "builtins.tuple"),
    ("SetNode", "builtins.set"),
    ("DictNode", "builtins.dict"),
    ("SliceNode", "builtins.slice"),
    ("BytesNode", "builtins.bytes"),
    ("BytearrayNode", "builtins.bytearray"),
    ("DefaultDictNode", "collections.defaultdict"),
];

/// Modules whose loss classes a `LossNode` may import.
const LOSSES: &[&str] =
    &["sklearn._loss", "sklearn.ensemble._gb", "sklearn.linear_model._sgd_fast", "sklearn.linear_model"];

/// The format.
#[derive(Debug)]
pub struct Skops;

impl Format for Skops {
    fn name(&self) -> &'static str {
        "skops"
    }

    fn about(&self) -> About {
        About {
            title: "skops schema (schema.json of a .skops file, skops/io/_persist.py)",
            extensions: &["schema.json"],
            reads: "every node: its type, its loader, methods, operators, files",
            leaves_out: "whether a user told skops to trust a type",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if !matches!(head.first.iter().find(|byte| !byte.is_ascii_whitespace()), Some(b'{')) {
            return Match::No;
        }
        let holds = |key: &[u8]| [head.first, head.last].iter().any(|part| memchr::memmem::find(part, key).is_some());
        if holds(b"\"__loader__\"") && (holds(b"\"__module__\"") || holds(b"\"__class__\"")) {
            return Match::Magic;
        }
        if head.name == "schema.json" { Match::Likely } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let bytes = input.all(cx.limits().header_bytes)?;
        let document = json::parse(&bytes, cx.limits())?;
        let mut seen = BTreeSet::new();
        let mut outcome = Ok(());
        document.root.walk(&mut |path, value| {
            if outcome.is_ok() {
                outcome = cx.charge(1, value.offset);
            }
            if value.get("__loader__").is_some()
                || value.get("__class__").is_some() && value.get("__module__").is_some()
            {
                node(value, &json::path_text(path), &mut seen, cx);
            }
        });
        outcome
    }
}

fn text<'j>(value: &'j Json, key: &str) -> &'j str {
    value.get(key).and_then(Json::as_str).unwrap_or_default()
}

/// The dotted type that a node names.
fn named(value: &Json) -> String {
    names::resolve(text(value, "__module__"), text(value, "__class__")).canonical
}

fn node(value: &Json, path: &str, seen: &mut BTreeSet<(String, String)>, cx: &mut Cx<'_, '_>) {
    let loader = text(value, "__loader__");
    let span = Span::at(value.offset);
    let name = named(value);
    let odd = |cx: &mut Cx<'_, '_>, what: &'static str, detail: String| {
        cx.push(Evidence::new(Kind::HeaderField, what, span).with("detail", detail).with("name", path.to_owned()));
    };
    if !LOADERS.contains(&loader) {
        odd(cx, "unknown-loader", format!("{loader} for {name}"));
    }
    for key in ["__loader__", "__module__", "__class__", "content"] {
        if value.get_all(key).nth(1).is_some() {
            odd(cx, "duplicate-key", format!("{key} at {path}"));
        }
    }
    let file = text(value, "file");
    if !file.is_empty() && super::hdf5::reach(file) != "inside" {
        let evidence = Evidence::new(Kind::ReferencePath, super::hdf5::reach(file), span);
        cx.push(evidence.with("path", file).with("by", format!("{loader} at {path}")).with("name", file));
    }
    match loader {
        "MethodNode" => {
            let content = value.get("content");
            let owner = content.and_then(|content| content.get("obj")).map(named).unwrap_or_default();
            let method = content.map_or("", |content| text(content, "func"));
            if owner != name {
                odd(cx, "node-mismatch", format!("a method of {name} that is bound to {owner}"));
            }
            if method.starts_with('_') || method.contains('.') {
                found(&format!("{owner}.{method}"), loader, path, span, seen, cx);
            }
        }
        "OperatorFuncNode" if text(value, "__module__") != "operator" => {
            odd(cx, "node-mismatch", format!("an operator that is {name}"));
            // The loader takes the class's name and looks it up in `operator`.
            let taken = format!("operator.{}", text(value, "__class__"));
            if !OWN.contains(&(loader, taken.as_str())) {
                found(&taken, loader, path, span, seen, cx);
            }
        }
        "LossNode" if !LOSSES.iter().any(|module| name.starts_with(module)) => {
            odd(cx, "node-mismatch", format!("a loss that is {name}"));
        }
        _ => {}
    }
    // `TypeNode` names the types of what arrays and dictionaries hold.
    let plain = |class: &str| crate::names::PLAIN_TYPES.contains(&class) || class == "NoneType";
    let plain = loader == "TypeNode" && name.strip_prefix("builtins.").is_some_and(plain);
    if !plain && !OWN.contains(&(loader, name.as_str())) {
        found(&name, loader, path, span, seen, cx);
    }
}

/// Evidence of a type that is looked up, once for each loader.
fn found(name: &str, loader: &str, path: &str, span: Span, seen: &mut BTreeSet<(String, String)>, cx: &mut Cx<'_, '_>) {
    if seen.insert((name.to_owned(), loader.to_owned())) {
        let evidence = Evidence::new(Kind::ObjectType, name, span).with("loader", "skops");
        cx.push(evidence.with("how", loader.to_owned()).with("key", path.to_owned()));
    }
}
