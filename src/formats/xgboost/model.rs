//! What is checked of a booster, whichever way it is written: the pieces of
//! the document go by, and only a tree's extremes are kept.

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};

/// Anomalies of each sort that are reported one by one.
const SHOWN: usize = 4;

/// A piece of the document, in order.
#[derive(Debug)]
pub(super) enum Piece<'p> {
    BeginObject,
    BeginArray,
    End,
    Key(&'p str),
    Text(&'p str),
    Integer(i64),
    Other,
}

/// The extremes of an array of whole numbers.
#[derive(Debug, Clone, Copy, Default)]
struct Range {
    count: i64,
    least: i64,
    most: i64,
}

impl Range {
    fn add(&mut self, number: i64) {
        if self.count == 0 {
            (self.least, self.most) = (number, number);
        }
        self.least = self.least.min(number);
        self.most = self.most.max(number);
        self.count = self.count.saturating_add(1);
    }
}

/// One tree, while it goes by.
#[derive(Debug, Default)]
struct Tree {
    offset: u64,
    left: Range,
    right: Range,
    features: Range,
    /// How many nodes its header says that it has.
    nodes: Option<i64>,
}

/// The model, as far as it has gone by.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// Keys of the open containers; an array's is its own.
    path: Vec<String>,
    key: String,
    tree: Tree,
    anomalies: usize,
    features: Option<u64>,
    highest: Option<(i64, u64)>,
    /// How many trees the header says that there are, and where.
    trees_told: Option<(i64, u64)>,
    trees: i64,
}

impl Model {
    /// Takes the next piece.
    pub(super) fn piece(&mut self, piece: Piece<'_>, offset: u64, cx: &mut Cx<'_, '_>) {
        match piece {
            Piece::Key(key) => {
                self.key.clear();
                self.key.push_str(key);
            }
            Piece::BeginObject | Piece::BeginArray => {
                if self.path.last().is_some_and(|parent| parent == "trees") {
                    self.tree = Tree { offset, ..Tree::default() };
                }
                self.path.push(std::mem::take(&mut self.key));
            }
            Piece::End => {
                self.path.pop();
                if self.path.last().is_some_and(|parent| parent == "trees") {
                    self.judge_tree(cx);
                }
            }
            Piece::Integer(number) => self.integer(number, offset, cx),
            Piece::Text(text) => self.text(text, offset, cx),
            Piece::Other => {}
        }
    }

    fn integer(&mut self, number: i64, offset: u64, cx: &mut Cx<'_, '_>) {
        match self.path.last().map(String::as_str) {
            Some("left_children") => self.tree.left.add(number),
            Some("right_children") => self.tree.right.add(number),
            Some("split_indices") => self.tree.features.add(number),
            Some("learner_model_param") => self.parameter(u64::try_from(number).ok(), offset, cx),
            Some(_) => self.count(Some(number), offset),
            None => {}
        }
    }

    /// A number of things that the document lists as well.
    fn count(&mut self, value: Option<i64>, offset: u64) {
        // What is no number counts as none of them.
        let value = value.unwrap_or(-1);
        match (self.path.last().map(String::as_str), self.key.as_str()) {
            (Some("tree_param"), "num_nodes") => self.tree.nodes = Some(value),
            (Some("gbtree_model_param"), "num_trees") => self.trees_told = Some((value, offset)),
            _ => {}
        }
    }

    fn parameter(&mut self, value: Option<u64>, offset: u64, cx: &mut Cx<'_, '_>) {
        if self.key != "num_feature" {
            return;
        }
        self.features = value;
        // `bst_feature_t` has 32 bits.
        if value.is_none_or(|value| value > u64::from(u32::MAX)) {
            let detail = format!("num_feature is {}", value.map_or("negative".to_owned(), |value| value.to_string()));
            cx.push(Evidence::new(Kind::HeaderField, "feature-count", Span::at(offset)).with("detail", detail));
        }
    }

    fn text(&mut self, text: &str, offset: u64, cx: &mut Cx<'_, '_>) {
        match self.path.last().map(String::as_str) {
            Some("learner_model_param") => self.parameter(text.trim().parse().ok(), offset, cx),
            Some("attributes") => {
                let shown = cx.shorten(text);
                let evidence = Evidence::new(Kind::MetadataValue, self.key.clone(), Span::at(offset));
                cx.push(evidence.with("text", shown));
            }
            Some("gradient_booster") if self.key == "name" && !matches!(text, "gbtree" | "gblinear" | "dart") => {
                let detail = format!("the booster is called {text}");
                cx.push(Evidence::new(Kind::HeaderField, "unknown-booster", Span::at(offset)).with("detail", detail));
            }
            Some("tree_param" | "gbtree_model_param") => self.count(text.trim().parse().ok(), offset),
            _ => {}
        }
    }

    fn judge_tree(&mut self, cx: &mut Cx<'_, '_>) {
        let Tree { offset, left, right, features, nodes: told } = std::mem::take(&mut self.tree);
        let nodes = left.count;
        self.trees = self.trees.saturating_add(1);
        if let Some(told) = told.filter(|told| left.count > 0 && *told != nodes) {
            let detail = format!("num_nodes is {told} for a tree of {nodes} nodes");
            self.miscount(detail, offset, cx);
        }
        let outside = |range: Range| range.count > 0 && (range.least < -1 || range.most >= nodes);
        if outside(left) || outside(right) {
            let most = left.most.max(right.most);
            let least = left.least.min(right.least);
            self.anomaly(
                "child-out-of-range",
                format!("children from {least} to {most} in a tree of {nodes} nodes"),
                offset,
                cx,
            );
        }
        if left.count != right.count {
            let detail = format!("{} left children and {} right ones", left.count, right.count);
            self.anomaly("children-differ", detail, offset, cx);
        }
        if features.count > 0 && features.least < 0 {
            self.anomaly("feature-out-of-range", format!("feature {}", features.least), offset, cx);
        }
        if features.count > 0 && self.highest.is_none_or(|(highest, _)| features.most > highest) {
            self.highest = Some((features.most, offset));
        }
    }

    fn anomaly(&mut self, what: &'static str, detail: String, offset: u64, cx: &mut Cx<'_, '_>) {
        self.anomalies = self.anomalies.saturating_add(1);
        if self.anomalies <= SHOWN {
            cx.push(Evidence::new(Kind::GraphAnomaly, what, Span::at(offset)).with("detail", detail));
        }
    }

    fn miscount(&mut self, detail: String, offset: u64, cx: &mut Cx<'_, '_>) {
        self.anomalies = self.anomalies.saturating_add(1);
        if self.anomalies <= SHOWN {
            cx.push(Evidence::new(Kind::HeaderField, "count-differs", Span::at(offset)).with("detail", detail));
        }
    }

    /// Checks what needs the whole.
    pub(super) fn finish(&mut self, cx: &mut Cx<'_, '_>) {
        if let Some((told, offset)) = self.trees_told.filter(|(told, _)| *told != self.trees) {
            self.miscount(format!("num_trees is {told}, and there are {}", self.trees), offset, cx);
        }
        if let (Some((highest, offset)), Some(features)) = (self.highest, self.features) {
            let over = u64::try_from(highest).is_ok_and(|highest| highest >= features.max(1));
            if over {
                self.anomaly("feature-out-of-range", format!("feature {highest} of {features}"), offset, cx);
            }
        }
    }
}
