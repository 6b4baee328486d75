//! Chains: by which lookups and folded calls a stream gets at what it calls,
//! so that the call tells all of it and is one finding.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::machine::Machine;
use super::record::Made;
use super::value::{Node, Value};
use crate::evidence::Evidence;

/// Steps of one chain that are told.
const STEPS: usize = 16;

/// Values that are looked through for steps.
const SEARCHED: usize = 1024;

/// How something came about that a later call uses.
#[derive(Debug, Clone, Copy)]
enum How {
    /// By a call that was folded.
    Call { callee: Value, args: Value },
    /// By an import whose name was put together.
    Computed { module: Value, name: Value },
    /// By an import that goes through another module.
    Walk,
}

/// What came about, and where.
#[derive(Debug, Default)]
pub(super) struct Steps {
    made: HashMap<u32, (u64, How)>,
}

impl Machine<'_> {
    /// Notes the result of a call that was folded.
    pub(super) fn step_of_call(&mut self, callee: Value, args: Value, made: Made) {
        if made.fresh {
            self.step(made.value, How::Call { callee, args });
        }
    }

    /// Notes an import whose names were computed.
    pub(super) fn step_of_computed(&mut self, value: Value, module: Value, name: Value) {
        self.step(value, How::Computed { module, name });
    }

    /// Notes an import of another module's name.
    pub(super) fn step_of_walk(&mut self, value: Value) {
        if self.walked_name(value).is_some() {
            self.step(value, How::Walk);
        }
    }

    fn step(&mut self, value: Value, how: How) {
        if let Some(node) = value.as_node() {
            self.steps.made.entry(node).or_insert((self.at, how));
        }
    }

    /// `evidence` with the chain that leads to these values, when there is one.
    pub(super) fn with_chain(&self, evidence: Evidence, values: &[Value]) -> Evidence {
        if self.steps.made.is_empty() {
            return evidence;
        }
        let mut steps: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        let mut seen: HashSet<u32> = HashSet::new();
        let mut waiting = values.to_vec();
        while let Some(value) = waiting.pop() {
            let Some(node) = value.as_node().filter(|node| seen.len() < SEARCHED && seen.insert(*node)) else {
                continue;
            };
            match self.arena.get(value) {
                Some(Node::Container { .. }) => waiting.extend(self.arena.items(value, SEARCHED)),
                Some(Node::Attribute { object, .. }) => waiting.push(*object),
                _ => {}
            }
            let Some((at, how)) = self.steps.made.get(&node).filter(|_| steps.len() < STEPS) else { continue };
            let text = match *how {
                How::Call { callee, args } => {
                    waiting.extend([callee, args]);
                    let shown = self.render(callee);
                    self.render_call(&shown, args)
                }
                How::Computed { module, name } => {
                    waiting.extend([module, name]);
                    format!("import {}.{}", self.render(module), self.render(name))
                }
                How::Walk => format!("import {}", self.walked_name(value).unwrap_or_default()),
            };
            // Operands stand before what is made of them.
            steps.entry(*at).or_default().push(text);
        }
        if steps.is_empty() {
            return evidence;
        }
        let places: Vec<String> = steps.keys().map(|at| format!("{at:#x}")).collect();
        let chain: Vec<String> = steps.into_values().flatten().collect();
        evidence.with("chain", chain.join(" → ")).with("steps", places.join(" "))
    }
}
