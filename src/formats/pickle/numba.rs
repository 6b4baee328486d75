//! Functions that numba compiled. They are saved as their Python function, in a
//! pickle within the pickle, and put together when the outer one is loaded
//! (`numba/core/serialize.py`).

use super::fold::Folded;
use super::machine::Machine;
use super::value::{How, Kind, Node, Shape, Value};
use crate::engine::Cx;
use crate::stop::Stop;

/// The class that compiles a function when it is first called.
const DISPATCHER: &str = "numba.core.registry.CPUDispatcher";

/// Options of one function that are looked at.
const OPTIONS: usize = 64;

impl Machine<'_> {
    /// What numba's helpers give: they call `_rebuild` of the class that they
    /// are handed, which is harmless for [`DISPATCHER`] and a function whose
    /// code the file carries.
    ///
    /// # Errors
    /// When no more artifacts may be examined.
    pub(super) fn fold_numba(
        &mut self,
        name: &str,
        args: &[Value],
        depth: u32,
        cx: &mut Cx<'_, '_>,
    ) -> Result<Option<Folded>, Stop> {
        let function = name.strip_prefix("numba.core.serialize.").unwrap_or_default();
        let harmless = match (function, args) {
            ("custom_rebuild", [wrapped]) => self.wraps_dispatcher(*wrapped, cx),
            ("_CustomPickled._rebuild", [class, states]) => self.is_dispatcher(*class, *states),
            // Before numba 0.50: the class, an identifier, what makes the function, options.
            ("_rebuild_reduction", [class, id, parts, options @ ..]) => {
                let plain = id.is_constant() && !options.iter().any(|option| self.arena.is_live(*option));
                let tuple = matches!(self.arena.get(*parts), Some(Node::Container { shape: Shape::Tuple, .. }));
                let harmless = plain && tuple && self.name_of(*class) == Some(DISPATCHER);
                if harmless {
                    // The table's name, as of dill's types: what it makes is carried code.
                    let maker = self.import("numba.core.serialize", "_rebuild_reduction.CPUDispatcher", "call");
                    self.call(maker, *parts, How::Folded, depth.saturating_add(1), cx)?;
                }
                harmless
            }
            _ => false,
        };
        Ok(harmless.then_some(Folded { value: Value::ABSENT, settled: true }))
    }

    /// Whether this is numba's wrapper of a pickled (class, options), and the
    /// two are a dispatcher's.
    fn wraps_dispatcher(&mut self, wrapped: Value, cx: &mut Cx<'_, '_>) -> bool {
        if wrapped.as_node().is_none_or(|node| self.states.contains_key(&node)) {
            return false;
        }
        let Some(Node::Call { callee, args, .. }) = self.arena.get(wrapped).copied() else { return false };
        let args = self.arena.items(args, 3);
        match (self.name_of(callee), args.as_slice()) {
            // Within another pickle of numba's.
            (Some("numba.core.serialize._CustomPickled._rebuild"), [class, states]) => {
                self.is_dispatcher(*class, *states)
            }
            (Some("numba.core.serialize._unpickle__CustomPickled"), [bytes]) => {
                let Some((input, _)) = self.payload(*bytes) else { return false };
                let limits = self.limits.clone();
                let harmless = cx.aside(&input, |cx| {
                    let mut inner = Machine::new(&input, 0, &limits, None);
                    let Ok(pair) = inner.result(cx) else { return false };
                    let items = inner.arena.items(pair, 3);
                    matches!(items.as_slice(), [class, states] if inner.is_dispatcher(*class, *states))
                });
                harmless.unwrap_or(false)
            }
            _ => false,
        }
    }

    /// Whether `CPUDispatcher._rebuild(**states)` only wraps a function: it
    /// compiles nothing before that is called, and no option is code.
    fn is_dispatcher(&self, class: Value, states: Value) -> bool {
        if self.name_of(class) != Some(DISPATCHER) {
            return false;
        }
        if !matches!(self.arena.get(states), Some(Node::Container { shape: Shape::Dict, .. })) {
            return false;
        }
        let items = self.arena.items(states, OPTIONS);
        items.len() < OPTIONS
            && items.chunks(2).all(|pair| {
                let [key, value] = pair else { return false };
                match self.text_of(*key).as_deref() {
                    Some("py_func") => self.is_plain_function(*value),
                    Some("uuid") => matches!(value.kind(), Kind::Str(_)),
                    Some("can_compile") => matches!(value.kind(), Kind::Bool(_)),
                    Some("targetoptions") => !self.arena.is_live(*value),
                    // Types that it would compile for right away.
                    Some("locals" | "sigs") => {
                        matches!(self.arena.get(*value), Some(Node::Container { .. }))
                            && self.arena.items(*value, 1).is_empty()
                    }
                    _ => false,
                }
            })
    }
}
