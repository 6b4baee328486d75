//! Payloads: bytes and text that a stream hands to a loader or an interpreter
//! become child artifacts, and are examined in turn.

use super::machine::Machine;
use super::value::{Kind, Node, Value};
use crate::engine::Cx;
use crate::evidence::{Evidence, Kind as Fact, Span};
use crate::input::Input;
use crate::stop::Stop;

/// What a callable does with the bytes that it is handed.
fn reads_as(name: &str) -> Option<Option<&'static str>> {
    Some(match name {
        "marshal.loads"
        | "marshal.load"
        | "types.CodeType"
        | "numba.core.serialize._rebuild_reduction.CPUDispatcher" => Some("marshal"),
        "builtins.exec"
        | "builtins.eval"
        | "builtins.compile"
        | "builtins.execfile"
        | "timeit.timeit"
        | "timeit.repeat"
        | "cProfile.run"
        | "profile.run"
        | "trace.Trace.run"
        | "bdb.Bdb.run"
        | "pdb.run"
        | "doctest.debug_script"
        | "code.InteractiveInterpreter.runsource"
        | "code.InteractiveInterpreter.runcode"
        | "code.InteractiveConsole.push"
        | "torch._dynamo.guards.GuardBuilder.get"
        | "runpy._run_code" => Some("python"),
        "pickle.loads"
        | "pickle.load"
        | "pickle._loads"
        | "pickle._load"
        | "dill.loads"
        | "dill._dill.loads"
        | "dill.load"
        | "cloudpickle.loads"
        | "cloudpickle.cloudpickle.loads"
        | "torch.load"
        | "torch.serialization.load"
        | "torch.storage._load_from_bytes"
        | "joblib.load"
        | "joblib.numpy_pickle.load"
        | "numpy.load"
        | "numpy.lib.npyio.load"
        | "pandas.read_pickle"
        | "pandas.io.pickle.read_pickle"
        | "pickle.Unpickler"
        | "io.BytesIO"
        | "torch.jit.load"
        | "keras.src.saving.keras_saveable.KerasSaveable._unpickle_model"
        | "keras.saving.keras_saveable.KerasSaveable._unpickle_model"
        | "keras.saving.pickle_utils.deserialize_model_from_bytecode"
        | "keras.src.saving.pickle_utils.deserialize_model_from_bytecode"
        | "tf_keras.saving.pickle_utils.deserialize_model_from_bytecode"
        | "tf_keras.src.saving.pickle_utils.deserialize_model_from_bytecode"
        | "keras.src.models.functional.Functional._unpickle_model"
        | "keras.src.models.sequential.Sequential._unpickle_model"
        | "spacy.tokens.doc.unpickle_doc"
        | "spacy.vocab.unpickle_vocab"
        | "numba.core.serialize._numba_unpickle"
        | "numba.core.serialize._unpickle__CustomPickled"
        | "keras.src.models.model.Model._unpickle_model" => None,
        _ => return None,
    })
}

/// Loaders whose call amounts to what they are handed, which is examined.
const AMOUNTS_TO_PAYLOAD: &[&str] = &[
    "_load_from_bytes",
    "_unpickle_model",
    "deserialize_model_from_bytecode",
    "unpickle_doc",
    "unpickle_vocab",
    "_numba_unpickle",
    "_unpickle__CustomPickled",
];

/// Whether a call of `name` is settled once its payload has been examined.
pub(super) fn amounts_to_payload(name: &str) -> bool {
    name.rsplit('.').next().is_some_and(|last| AMOUNTS_TO_PAYLOAD.contains(&last))
}

/// Bytes below which an argument is no payload of its own.
const SMALLEST: u64 = 4;

impl Machine<'_> {
    /// Examines what `name` is handed, when it loads or runs it.
    /// Whether any was found.
    ///
    /// # Errors
    /// When no more artifacts may be examined.
    pub(super) fn follow_payloads(&mut self, name: &str, args: &[Value], cx: &mut Cx<'_, '_>) -> Result<bool, Stop> {
        let Some(format) = reads_as(name) else { return Ok(false) };
        let mut found = false;
        // numba's function has its code in a tuple, beside versions.
        let parts = args.first().map(|code| self.arena.items(*code, 4)).unwrap_or_default();
        let args = if name.starts_with("numba.core.serialize._rebuild_reduction.") { parts.as_slice() } else { args };
        for arg in args {
            let Some((input, offset)) = self.payload(*arg) else { continue };
            if input.len() < SMALLEST {
                continue;
            }
            found = true;
            self.followed_into(*arg);
            let label = format!("argument of {name} @ {offset:#x}");
            cx.push(
                Evidence::new(Fact::PickleNested, name, Span::new(offset, input.len()))
                    .with("length", input.len().to_string()),
            );
            match format {
                Some(format) if crate::formats::by_name(format).is_some() => cx.child_as(format, &label, input)?,
                _ => cx.data(&label, input)?,
            }
        }
        Ok(found)
    }

    /// The bytes of an argument, and where they come from.
    pub(super) fn payload(&self, value: Value) -> Option<(Input, u64)> {
        if let Some((offset, length)) = self.bytes_span(value) {
            return self.input.window(offset, length).ok().map(|input| (input, offset));
        }
        match value.kind() {
            Kind::Str(_) => self.text_of(value).map(|text| (text.into_bytes().into(), self.at)),
            Kind::Node(_) => match self.arena.get(value)? {
                Node::Text(_) => self.text_of(value).map(|text| (text.into_bytes().into(), self.at)),
                Node::Blob(_) => self.bytes_of(value).map(|bytes| (bytes.into(), self.at)),
                // A buffer pickles as (content, position, attributes), its state.
                Node::Call { callee, .. } if self.name_of(*callee) == Some("io.BytesIO") => {
                    let state = self.states.get(&value.as_node()?)?;
                    let content = self.arena.items(*state, 1).first().copied()?;
                    let plain = content.is_constant() || matches!(self.arena.get(content), Some(Node::Blob(_)));
                    plain.then(|| self.payload(content)).flatten()
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// A pickle that stands inside this one; its values are its own.
    ///
    /// # Errors
    /// When it can't be decoded to its end.
    pub(super) fn nested_stream(&mut self, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let at = self.cursor.position();
        let mut inner = Machine::new(self.input, at, &self.limits, None);
        let outcome = inner.run(cx);
        self.cursor.seek(at.saturating_add(inner.stream_length()));
        outcome.map(|_| ())
    }

    /// Where the next opcode stands.
    pub(super) fn position(&self) -> u64 {
        self.cursor.position()
    }
}
