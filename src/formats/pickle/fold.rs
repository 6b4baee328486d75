//! Folding: pure functions are computed, so that no name hides behind them.
//!
//! Only functions whose result is decided by their arguments are here, and
//! nothing is imported or run: `__import__("os")` becomes the *name* `os`.

use base64::Engine as _;

use super::codecs::{decode_text, encode_text, rot13, unbase64, unhex};
use super::machine::Machine;
use super::value::{How, Kind, Node, Shape, Value};
use crate::engine::Cx;
use crate::formats::unpack;
use crate::input::to_u64;
use crate::stop::Stop;
use crate::text::digits::{self, Base85};

/// The result of a folded call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Folded {
    pub value: Value,
    /// The call amounts to nothing but its result, which is evidence itself.
    pub settled: bool,
}

/// Lookups, and what has been looked through: what they are handed is not called.
pub(super) const IS_LOOKUP: &[&str] = &[
    "builtins.getattr",
    "operator.attrgetter",
    "operator.itemgetter",
    "operator.methodcaller",
    "builtins.type",
    "numba.core.serialize._CustomPickled._rebuild",
    "numba.core.serialize._rebuild_reduction",
    "numba.core.serialize.custom_rebuild",
];

/// Items of one sequence that folding looks at.
const ITEMS: usize = 65_536;

pub(super) fn pure(value: Value) -> Option<Folded> {
    Some(Folded { value, settled: false })
}

pub(super) fn settled(value: Value) -> Option<Folded> {
    Some(Folded { value, settled: true })
}

/// A name such as `typing.Union`, of which an item is a type hint.
fn is_type_hint(name: &str) -> bool {
    name.strip_prefix("typing.")
        .is_some_and(|hint| hint.starts_with(|c: char| c.is_ascii_uppercase()) && !hint.contains('.'))
}

impl Machine<'_> {
    /// What calling `name` with `args` gives, when that can be known.
    pub(super) fn fold(
        &mut self,
        name: &str,
        args: &[Value],
        depth: u32,
        cx: &mut Cx<'_, '_>,
    ) -> Result<Option<Folded>, Stop> {
        if let Some(higher) = self.fold_higher(name, args, depth, cx)? {
            return Ok(Some(higher));
        }
        let folded = match name.split_once('.').map_or("", |(module, _)| module) {
            "builtins" => self.fold_builtin(name, args),
            "operator" => self.fold_operator(name, args),
            "importlib" | "pkgutil" | "pydoc" | "sys" | "types" | "logging" | "imp" => self.fold_import(name, args),
            "codecs" | "_codecs" | "base64" | "binascii" | "zlib" | "bz2" | "lzma" | "gzip" => {
                self.fold_decoder(name, args)
            }
            "functools" => match (name, args) {
                ("functools.partial", [inner, ..]) if self.target(*inner).name.is_some() || self.is_carried(*inner) => {
                    Some(Folded { value: Value::ABSENT, settled: true })
                }
                _ => None,
            },
            "dill" | "cloudpickle" => self.fold_carrier(name, args, depth, cx)?,
            "numba" => self.fold_numba(name, args, depth, cx)?,
            "deap" if name == "deap.creator.meta_create" => self.fold_creator(args),
            "torch" if name == super::graph::REDUCE => self.fold_graph(args, cx)?,
            "numpy" | "fastcore" | "pytz" | "zoneinfo" => self.fold_conditional(name, args),
            _ => None,
        };
        // A settled call whose result is an object of its own keeps its node.
        Ok(folded.map(|folded| if folded.value == Value::ABSENT { self.keep_call(name, args, folded) } else { folded }))
    }

    fn keep_call(&mut self, name: &str, args: &[Value], folded: Folded) -> Folded {
        let (module, rest) = name.split_once('.').unwrap_or((name, ""));
        let callee = self.import(module, rest, "call");
        self.mark_used(callee);
        let args = self.args_of(args);
        Folded { value: self.arena.add(Node::Call { callee, args, how: How::Reduce }), ..folded }
    }

    /// Functions that call what they are handed.
    fn fold_higher(
        &mut self,
        name: &str,
        args: &[Value],
        depth: u32,
        cx: &mut Cx<'_, '_>,
    ) -> Result<Option<Folded>, Stop> {
        let deeper = depth.saturating_add(1);
        match (name, args) {
            ("builtins.map", [function, items]) => {
                let Some(items) = self.sequence(*items) else { return Ok(None) };
                let mut results = Vec::new();
                for item in items {
                    let args = self.args_of(&[item]);
                    results.push(self.call(*function, args, How::Folded, deeper, cx)?);
                }
                Ok(pure(self.arena.container(Shape::List, &results)))
            }
            ("itertools.starmap", [function, items]) => {
                let Some(items) = self.sequence(*items) else { return Ok(None) };
                let mut results = Vec::new();
                for item in items {
                    results.push(self.call(*function, item, How::Folded, deeper, cx)?);
                }
                Ok(pure(self.arena.container(Shape::List, &results)))
            }
            ("functools.reduce", [function, items, rest @ ..]) => {
                let Some(mut items) = self.sequence(*items) else { return Ok(None) };
                if let Some(first) = rest.first() {
                    items.insert(0, *first);
                }
                let mut items = items.into_iter();
                let Some(mut total) = items.next() else { return Ok(None) };
                for item in items {
                    let args = self.args_of(&[total, item]);
                    total = self.call(*function, args, How::Folded, deeper, cx)?;
                }
                Ok(pure(total))
            }
            ("operator.call" | "builtins.apply", [function, rest @ ..]) => {
                let args = match (name, rest) {
                    ("builtins.apply", [args, ..]) => *args,
                    _ => self.args_of(rest),
                };
                Ok(pure(self.call(*function, args, How::Folded, deeper, cx)?))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn fold_builtin(&mut self, name: &str, args: &[Value]) -> Option<Folded> {
        match (name, args) {
            ("builtins.getattr", [object, attribute, ..]) => {
                let attribute = self.text_of(*attribute)?;
                let known = self.name_of(*object).is_some() || self.type_name(*object).is_some();
                let value = self.attribute(*object, &attribute, "getattr");
                // dill writes what older versions of it lack with what stands in for it.
                if let Some(default) = args.get(2).copied()
                    && self.name_of(value) == Some("dill._dill._setattr")
                    && self.name_of(default) == Some("builtins.setattr")
                {
                    self.mark_used(default);
                }
                Some(Folded { value, settled: known })
            }
            ("builtins.__import__", [module, ..]) => {
                let module = self.text_of(*module)?;
                // Without a fromlist the top package is returned.
                let top = module.split('.').next().unwrap_or(&module).to_owned();
                pure(self.import(&top, "", "__import__"))
            }
            ("builtins.vars", [object]) => pure(self.attribute(*object, "__dict__", "vars")),
            ("builtins.globals" | "builtins.locals", []) => pure(self.import("builtins", "__dict__", "globals")),
            ("builtins.setattr", [object, _, value]) => self.fold_setattr(*object, *value),
            ("builtins.type", [_]) => settled(Value::UNKNOWN),
            ("builtins.str", [object]) => {
                let text = self.text_of(*object).or_else(|| self.number_text(*object))?;
                self.folded_text(text)
            }
            ("builtins.str" | "builtins.bytes.decode" | "builtins.bytearray.decode", [bytes, ..]) => {
                let bytes = self.bytes_of(*bytes)?;
                let encoding = args.get(1).and_then(|encoding| self.text_of(*encoding));
                self.folded_text(decode_text(&bytes, encoding.as_deref()))
            }
            ("builtins.bytes" | "builtins.bytearray", [source, ..]) => {
                if let Some(text) = self.text_of(*source) {
                    return self.folded_blob(encode_text(&text, None));
                }
                if let Some(bytes) = self.bytes_of(*source) {
                    return self.folded_blob(bytes);
                }
                let numbers = self.sequence(*source)?;
                let bytes: Option<Vec<u8>> = numbers
                    .iter()
                    .map(|number| self.int_of(*number).and_then(|number| u8::try_from(number).ok()))
                    .collect();
                self.folded_blob(bytes?)
            }
            ("builtins.bytes.fromhex" | "builtins.bytearray.fromhex", [.., hex]) => {
                let text = self.text_of(*hex)?;
                self.folded_blob(unhex(text.as_bytes())?)
            }
            ("builtins.chr", [code]) => {
                let c = char::from_u32(u32::try_from(self.int_of(*code)?).ok()?)?;
                self.folded_text(c.to_string())
            }
            ("builtins.ord", [text]) => {
                let first = self.text_of(*text)?.chars().next()?;
                pure(Value::int(i64::from(u32::from(first))))
            }
            ("builtins.int", [number]) => {
                let number = match self.int_of(*number) {
                    Some(number) => number,
                    None => self.text_of(*number)?.trim().parse().ok()?,
                };
                pure(Value::int(number))
            }
            ("builtins.len", [items]) => {
                let len = match self.text_of(*items) {
                    Some(text) => text.chars().count(),
                    None => self.sequence(*items)?.len(),
                };
                pure(Value::int(i64::try_from(len).ok()?))
            }
            (
                "builtins.list" | "builtins.tuple" | "builtins.iter" | "builtins.reversed" | "builtins.sorted",
                [items],
            ) => {
                let mut items = self.sequence(*items)?;
                if name == "builtins.reversed" {
                    items.reverse();
                }
                let shape = if name == "builtins.tuple" { Shape::Tuple } else { Shape::List };
                pure(self.arena.container(shape, &items))
            }
            ("builtins.next", [items, ..]) => pure(self.sequence(*items)?.first().copied()?),
            _ => self.fold_str_method(
                name.strip_prefix("builtins.str.").or_else(|| name.strip_prefix("builtins.bytes."))?,
                args,
            ),
        }
    }

    fn fold_str_method(&mut self, method: &str, args: &[Value]) -> Option<Folded> {
        let text = |machine: &Self, at: usize| args.get(at).and_then(|value| machine.text_of(*value));
        let this = args.first().copied()?;
        match method {
            "join" => {
                let items = self.sequence(args.get(1).copied()?)?;
                if let Some(separator) = self.text_of(this) {
                    let parts: Option<Vec<String>> = items.iter().map(|item| self.text_of(*item)).collect();
                    return self.folded_text(parts?.join(&separator));
                }
                let separator = self.bytes_of(this)?;
                let parts: Option<Vec<Vec<u8>>> = items.iter().map(|item| self.bytes_of(*item)).collect();
                self.folded_blob(parts?.join(&separator[..]))
            }
            "lower" | "casefold" => self.folded_text(self.text_of(this)?.to_lowercase()),
            "upper" => self.folded_text(self.text_of(this)?.to_uppercase()),
            "title" | "capitalize" => self.folded_text(self.text_of(this)?),
            "swapcase" => {
                let swapped = self
                    .text_of(this)?
                    .chars()
                    .map(|c| if c.is_ascii_uppercase() { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() })
                    .collect();
                self.folded_text(swapped)
            }
            "strip" | "lstrip" | "rstrip" => {
                let chars = text(self, 1).unwrap_or_else(|| " \t\r\n".to_owned());
                let whole = self.text_of(this)?;
                let cut = match method {
                    "lstrip" => whole.trim_start_matches(|c| chars.contains(c)),
                    "rstrip" => whole.trim_end_matches(|c| chars.contains(c)),
                    _ => whole.trim_matches(|c| chars.contains(c)),
                };
                self.folded_text(cut.to_owned())
            }
            "replace" => {
                let replaced = self.text_of(this)?.replace(&text(self, 1)?, &text(self, 2)?);
                self.folded_text(replaced)
            }
            "removeprefix" => self.folded_text(self.text_of(this)?.trim_start_matches(&text(self, 1)?).to_owned()),
            "removesuffix" => self.folded_text(self.text_of(this)?.trim_end_matches(&text(self, 1)?).to_owned()),
            "encode" => {
                let encoding = text(self, 1);
                let encoded = encode_text(&self.text_of(this)?, encoding.as_deref());
                self.folded_blob(encoded)
            }
            "decode" => {
                let encoding = text(self, 1);
                let decoded = decode_text(&self.bytes_of(this)?, encoding.as_deref());
                self.folded_text(decoded)
            }
            "format" | "__mod__" | "format_map" => {
                let mut whole = self.text_of(this)?;
                let marker = if method == "__mod__" { "%s" } else { "{}" };
                let parts = match args.get(1) {
                    Some(only) if method == "__mod__" && self.text_of(*only).is_none() => self.sequence(*only)?,
                    _ => args.get(1..)?.to_vec(),
                };
                for (index, part) in parts.iter().enumerate() {
                    let part = self.text_of(*part).or_else(|| self.number_text(*part))?;
                    whole = whole.replace(&format!("{{{index}}}"), &part).replacen(marker, &part, 1);
                }
                self.folded_text(whole)
            }
            "split" | "rsplit" | "splitlines" | "partition" => {
                let whole = self.text_of(this)?;
                let parts: Vec<String> = match text(self, 1) {
                    Some(separator) if !separator.is_empty() => whole.split(&separator).map(str::to_owned).collect(),
                    _ => whole.split_whitespace().map(str::to_owned).collect(),
                };
                let values: Vec<Value> = parts.into_iter().map(|part| self.arena.text(part)).collect();
                pure(self.arena.container(Shape::List, &values))
            }
            "__add__" => self.add(this, args.get(1).copied()?),
            "__getitem__" => self.subscript(this, args.get(1).copied()?),
            "translate" | "zfill" | "ljust" | "rjust" | "center" | "expandtabs" | "__str__" => {
                self.folded_text(self.text_of(this)?)
            }
            _ => None,
        }
    }

    fn fold_operator(&mut self, name: &str, args: &[Value]) -> Option<Folded> {
        match (name.strip_prefix("operator.")?, args) {
            ("add" | "concat" | "iadd" | "iconcat" | "__add__" | "__concat__", [a, b]) => self.add(*a, *b),
            ("mod" | "__mod__" | "imod", [_, _]) => self.fold_str_method("__mod__", args),
            ("mul" | "__mul__" | "imul", [text, times]) => {
                let repeated = self.text_of(*text)?.repeat(usize::try_from(self.int_of(*times)?).ok()?.min(4096));
                self.folded_text(repeated)
            }
            // `Union[int, str]`: a type hint is an object of its own.
            ("getitem", [object, _]) if self.name_of(*object).is_some_and(is_type_hint) => {
                Some(Folded { value: Value::ABSENT, settled: true })
            }
            ("getitem" | "__getitem__", [object, key]) => self.subscript(*object, *key),
            ("or_", [_, _]) if self.are_flags(args) => settled(Value::ABSENT),
            ("itemgetter", [_, ..]) if args.iter().all(|key| self.is_key(*key)) => settled(Value::ABSENT),
            ("attrgetter", [_, ..]) if args.iter().all(|key| self.text_of(*key).is_some() && self.is_key(*key)) => {
                settled(Value::ABSENT)
            }
            ("methodcaller", [method, ..]) if self.text_of(*method).is_some() && self.is_key(*method) => {
                settled(Value::ABSENT)
            }
            _ => None,
        }
    }

    fn subscript(&mut self, object: Value, key: Value) -> Option<Folded> {
        if let Some(text) = self.text_of(object) {
            let c = self.index_of(key, text.chars().count()).and_then(|at| text.chars().nth(at));
            return match c {
                Some(c) => self.folded_text(c.to_string()),
                None => self
                    .slice(key, &text.chars().collect::<Vec<_>>())
                    .and_then(|chars| self.folded_text(chars.into_iter().collect())),
            };
        }
        if let Some(bytes) = self.bytes_of(object) {
            return match self.index_of(key, bytes.len()).and_then(|at| bytes.get(at)) {
                Some(byte) => pure(Value::int(i64::from(*byte))),
                None => self.slice(key, &bytes).and_then(|bytes| self.folded_blob(bytes)),
            };
        }
        if let Some(items) = self.slice_of_sequence(object, key) {
            return pure(self.arena.container(Shape::List, &items));
        }
        self.item(object, key).and_then(pure)
    }

    fn slice_of_sequence(&self, object: Value, key: Value) -> Option<Vec<Value>> {
        self.slice(key, &self.sequence(object)?)
    }

    fn index_of(&self, key: Value, len: usize) -> Option<usize> {
        let index = self.int_of(key)?;
        if index < 0 {
            len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
        } else {
            usize::try_from(index).ok()
        }
    }

    /// `items[slice(start, stop, step)]`.
    fn slice<T: Clone>(&self, key: Value, items: &[T]) -> Option<Vec<T>> {
        let Some(Node::Call { callee, args, .. }) = self.arena.get(key) else { return None };
        if self.name_of(*callee) != Some("builtins.slice") {
            return None;
        }
        let bounds = self.arena.items(*args, 3);
        let (start, stop, step) = match bounds.as_slice() {
            [stop] => (Value::NONE, *stop, Value::NONE),
            [start, stop] => (*start, *stop, Value::NONE),
            [start, stop, step] => (*start, *stop, *step),
            _ => return None,
        };
        let step = self.int_of(step).unwrap_or(1);
        let at = |value: Value, default: usize| match self.int_of(value) {
            None => default,
            Some(index) if index < 0 => {
                items.len().saturating_sub(usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX))
            }
            Some(index) => usize::try_from(index).unwrap_or(usize::MAX).min(items.len()),
        };
        let stride = usize::try_from(step.unsigned_abs()).ok().filter(|stride| *stride > 0)?;
        if step > 0 {
            let (from, to) = (at(start, 0), at(stop, items.len()));
            return Some(items.get(from..to.max(from)).unwrap_or_default().iter().step_by(stride).cloned().collect());
        }
        let from = at(start, items.len().saturating_sub(1)).min(items.len().saturating_sub(1));
        let kept = items.get(..=from).unwrap_or_default();
        let skip_to = self.int_of(stop).map(|_| at(stop, 0));
        Some(
            kept.iter()
                .enumerate()
                .rev()
                .take_while(|(index, _)| skip_to.is_none_or(|stop| *index > stop))
                .map(|(_, item)| item.clone())
                .step_by(stride)
                .collect(),
        )
    }

    fn add(&mut self, a: Value, b: Value) -> Option<Folded> {
        if let (Some(a), Some(b)) = (self.text_of(a), self.text_of(b)) {
            return self.folded_text(a + &b);
        }
        if let (Some(mut a), Some(b)) = (self.bytes_of(a), self.bytes_of(b)) {
            a.extend_from_slice(&b);
            return self.folded_blob(a);
        }
        let mut items = self.sequence(a)?;
        items.extend(self.sequence(b)?);
        pure(self.arena.container(Shape::List, &items))
    }

    fn fold_import(&mut self, name: &str, args: &[Value]) -> Option<Folded> {
        let first = args.first().copied();
        match name {
            "importlib.import_module"
            | "importlib.__import__"
            | "imp.load_module"
            | "importlib._bootstrap._gcd_import"
            | "importlib._bootstrap.__import__"
            | "importlib._bootstrap._find_and_load" => {
                let module = self.text_of(first?)?;
                pure(self.import(&module, "", "import_module"))
            }
            "pkgutil.resolve_name" | "pydoc.locate" | "logging.config._resolve" => {
                let text = self.text_of(first?)?;
                match text.split_once(':').or_else(|| text.rsplit_once('.')) {
                    Some((module, name)) => pure(self.import(module, name, "resolve_name")),
                    None => pure(self.import(&text, "", "resolve_name")),
                }
            }
            "sys.modules.get" | "sys.modules.__getitem__" => {
                let module = self.text_of(first?)?;
                pure(self.import(&module, "", "sys.modules"))
            }
            // Nothing is called by binding; a function with a name is reported as handed over.
            "types.MethodType" if matches!(self.arena.get(first?), Some(Node::Global(_) | Node::Call { .. })) => {
                Some(Folded { value: Value::ABSENT, settled: true })
            }
            // A view of the dictionary.
            "types.MappingProxyType" if self.sequence(first?).is_some() => {
                Some(Folded { value: Value::ABSENT, settled: true })
            }
            "types.SimpleNamespace" | "types.GenericAlias" | "logging.getLogger" => {
                Some(Folded { value: Value::ABSENT, settled: true })
            }
            _ => None,
        }
    }

    fn fold_decoder(&mut self, name: &str, args: &[Value]) -> Option<Folded> {
        let source = args.first().copied()?;
        let bytes = self.bytes_of(source).or_else(|| self.text_of(source).map(String::into_bytes));
        match name {
            "codecs.decode" | "codecs.encode" | "_codecs.encode" | "_codecs.decode" => {
                let encoding = args.get(1).and_then(|encoding| self.text_of(*encoding));
                self.fold_codec(name.ends_with("encode"), source, &bytes?, encoding.as_deref())
            }
            "base64.b64decode"
            | "base64.standard_b64decode"
            | "base64.urlsafe_b64decode"
            | "base64.decodebytes"
            | "base64.decodestring"
            | "binascii.a2b_base64" => self.folded_blob(unbase64(&bytes?)?),
            "base64.b16decode" | "binascii.unhexlify" | "binascii.a2b_hex" => self.folded_blob(unhex(&bytes?)?),
            "base64.b64encode" => {
                self.folded_blob(base64::engine::general_purpose::STANDARD.encode(bytes?).into_bytes())
            }
            "base64.b32decode" => self.folded_blob(digits::base32(&bytes?, false)?),
            "base64.b32hexdecode" => self.folded_blob(digits::base32(&bytes?, true)?),
            "base64.b85decode" => self.folded_blob(digits::base85(&bytes?, Base85::Rfc1924)?),
            "base64.z85decode" => self.folded_blob(digits::base85(&bytes?, Base85::Z85)?),
            "base64.a85decode" => self.folded_blob(digits::base85(&bytes?, Base85::Ascii85)?),
            "binascii.a2b_uu" => self.folded_blob(digits::uuencode(&bytes?)?),
            "zlib.decompress" => {
                let wbits = args.get(1).and_then(|wbits| self.int_of(*wbits));
                self.unpacked(unpack::zlib(&bytes?, wbits, self.room()))
            }
            "gzip.decompress" => self.unpacked(unpack::gzip(&bytes?, self.room())),
            "bz2.decompress" => self.unpacked(unpack::bzip2(&bytes?, self.room())),
            "lzma.decompress" => self.unpacked(unpack::lzma(&bytes?, self.room())),
            _ => None,
        }
    }

    fn fold_codec(&mut self, encode: bool, source: Value, bytes: &[u8], encoding: Option<&str>) -> Option<Folded> {
        let name = encoding.unwrap_or("utf-8").to_ascii_lowercase().replace(['-', ' '], "_");
        match name.as_str() {
            "rot13" | "rot_13" => self.folded_text(String::from_utf8_lossy(bytes).chars().map(rot13).collect()),
            "base64" | "base64_codec" | "base_64" if !encode => self.folded_blob(unbase64(bytes)?),
            "uu" | "uu_codec" if !encode => self.folded_blob(digits::uuencode(bytes)?),
            "hex" | "hex_codec" if !encode => self.folded_blob(unhex(bytes)?),
            "zlib" | "zip" | "zlib_codec" if !encode => self.unpacked(unpack::zlib(bytes, None, self.room())),
            "bz2" | "bz2_codec" if !encode => self.unpacked(unpack::bzip2(bytes, self.room())),
            _ if encode => {
                // numpy writes its raw data this way at protocol 2; large ones
                // are left where they are.
                let text = self.text_of(source)?;
                self.folded_blob(encode_text(&text, encoding))
            }
            _ => self.folded_text(decode_text(bytes, encoding)),
        }
    }

    /// Calls that amount to what they are handed, which is judged by itself.
    fn fold_conditional(&mut self, name: &str, args: &[Value]) -> Option<Folded> {
        let itself = Some(Folded { value: Value::ABSENT, settled: true });
        match name {
            "numpy.vectorize"
            | "numpy.lib.function_base.vectorize"
            | "numpy.lib._function_base_impl.vectorize"
            | "fastcore.basics.partialler"
            | "fastcore.xtras.partialler" => itself,
            "pytz._p" | "zoneinfo.ZoneInfo" | "zoneinfo.ZoneInfo._unpickle" => {
                // Zone names become paths below the time-zone database.
                let names = args.iter().filter_map(|arg| self.text_of(*arg));
                let mut names = names;
                let stays_inside = |name: String| !name.starts_with('/') && !name.contains("..");
                if names.all(stays_inside) { itself } else { None }
            }
            _ => None,
        }
    }

    /// Bytes that may still be made. One byte more than there is room for tells
    /// that there was more.
    fn room(&self) -> u64 {
        self.limits.folded_bytes.saturating_sub(self.folded_bytes).saturating_add(1)
    }

    fn unpacked(&mut self, out: Option<Vec<u8>>) -> Option<Folded> {
        self.folded_blob(out?)
    }

    /// The items of a sequence: a container, or the characters of a string.
    fn sequence(&self, value: Value) -> Option<Vec<Value>> {
        match value.kind() {
            Kind::EmptyTuple => Some(Vec::new()),
            Kind::Node(_) => match self.arena.get(value)? {
                Node::Container { shape: Shape::Dict, .. } => {
                    Some(self.arena.items(value, ITEMS).into_iter().step_by(2).collect())
                }
                Node::Container { .. } => Some(self.arena.items(value, ITEMS)),
                _ => None,
            },
            _ => None,
        }
    }

    fn afford(&mut self, bytes: usize) -> bool {
        self.folded_bytes = self.folded_bytes.saturating_add(to_u64(bytes));
        self.folded_bytes <= self.limits.folded_bytes
    }

    fn folded_text(&mut self, text: String) -> Option<Folded> {
        if !self.afford(text.len()) {
            return pure(Value::UNKNOWN);
        }
        pure(self.arena.text(text))
    }

    fn folded_blob(&mut self, bytes: Vec<u8>) -> Option<Folded> {
        if !self.afford(bytes.len()) {
            return pure(Value::UNKNOWN);
        }
        pure(self.arena.blob(bytes))
    }
}
