//! Code of a traced module: torch.fx pickles a graph as the text of its
//! `forward`, which loading executes and then calls on placeholders
//! (`torch/fx/graph_module.py`, `reduce_graph_module`). What torch.fx writes
//! itself only passes values between submodules and functions of tensors; that
//! it does no more is decided here, by what is allowed, not by what is known to
//! be bad. Submodules are leaves to the tracer: it notes a call of one, and does
//! not make it.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::{Expr, Mod, Parameters, Stmt, StmtFunctionDef};
use ruff_python_parser::{Mode, ParseOptions};

use super::fold::{Folded, settled};
use super::machine::Machine;
use super::value::{Node, Shape, Value};
use crate::engine::Cx;
use crate::input::to_u64;
use crate::stop::Stop;

/// The callable that executes such text.
pub(super) const REDUCE: &str = "torch.fx.graph_module.reduce_graph_module";

/// Items of one dictionary of a module that are looked at.
const ITEMS: usize = 65_536;

/// Brackets, blocks and operators that stand in each other: a graph has one
/// operation a line.
const NESTING: u64 = 40;

/// The longest text among the arguments of a function of tensors: the subscripts
/// of `einsum`, the name of a mode.
const WORD: usize = 64;

/// Classes that record a graph in the way described above.
const TRACERS: &[&str] = &["torch.fx.Tracer", "torch.fx._symbolic_trace.Tracer"];

/// Modules that the text imports; importing them does nothing else.
const MODULES: &[&str] = &[
    "math",
    "operator",
    "torch",
    "torch.fx._pytree",
    "torch.nn",
    "torch.nn.functional",
    "torch.utils._pytree",
    "typing",
];

/// Where functions of tensors lie.
const PLACES: &[&str] = &[
    "torch.",
    "torch._C._fft.",
    "torch._C._linalg.",
    "torch._C._nn.",
    "torch._C._special.",
    "torch.fft.",
    "torch.functional.",
    "torch.linalg.",
    "torch.nn.functional.",
    "torch.ops.aten.",
    "torch.special.",
];

/// Functions and methods of tensors: arithmetic, shapes, choices. None opens,
/// loads, calls what it is handed or leads out of tensors.
const TENSOR: &str = "abs absolute acos acosh adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d \
    adaptive_max_pool1d adaptive_max_pool2d add addcdiv addcmul addmm alias all alpha_dropout amax amin any arange \
    arccos arcsin arctan arctan2 argmax argmin argsort as_tensor asin asinh atan atan2 atanh avg_pool1d avg_pool2d \
    avg_pool3d baddbmm batch_norm bernoulli bilinear bitwise_and bitwise_not bitwise_or bitwise_xor bmm bool \
    broadcast_to bucketize byte cat cdist ceil celu channel_shuffle chunk clamp clamp_max clamp_min clip clone \
    complex concat conj constant_pad_nd contiguous conv1d conv2d conv3d conv_transpose1d conv_transpose2d \
    conv_transpose3d convolution copysign cos cosh cosine_similarity count_nonzero cpu cross cummax cumprod cumsum \
    deg2rad detach device diag diagonal diff dim dist div divide dot double dropout dropout2d einsum elu embedding \
    embedding_bag empty empty_like eq equal erf erfc exp exp2 expand expand_as expm1 eye fill finfo flatten flip float \
    float_power floor floor_divide fmod fold frac full full_like gather ge gelu get_default_dtype glu greater \
    greater_equal grid_sample group_norm gt half hardshrink hardsigmoid hardswish hardtanh hstack iinfo index_add \
    index_select instance_norm int interpolate inverse is_floating_point isfinite isinf isnan item kthvalue layer_norm \
    le leaky_relu lerp less less_equal linear linspace log log10 log1p log2 log_sigmoid log_softmax logaddexp \
    logical_and logical_not logical_or logical_xor logit logsigmoid logsumexp long lt masked_fill masked_select matmul \
    max max_pool1d max_pool2d max_pool3d maximum mean median meshgrid min minimum mish mm movedim mul multinomial \
    multiply mv narrow native_batch_norm native_layer_norm ndim ndimension ne neg negative new_empty new_full new_ones \
    new_tensor new_zeros nonzero norm normalize not_equal numel one_hot ones ones_like outer pad permute pixel_shuffle \
    pixel_unshuffle pow prelu prod rand rand_like randint randn randn_like reciprocal relu relu6 remainder repeat \
    repeat_interleave requires_grad_ reshape reshape_as roll rot90 round rrelu rsqrt rsub scalar_tensor \
    scaled_dot_product_attention scatter scatter_add searchsorted select selu shape short sigmoid sign silu sin sinh \
    size slice softmax softmin softplus softshrink softsign sort split sqrt square squeeze stack std stride sub \
    subtract sum sym_size swapaxes swapdims sym_int symint t take take_along_dim tan tanh tensor tensor_split \
    threshold tile to topk transpose tril triu true_divide trunc type_as unbind unflatten unfold unique unsqueeze \
    unsqueeze_copy upsample upsample_bilinear2d upsample_nearest2d var vector_norm view view_as vstack where zeros \
    zeros_like Size";

/// Functions of the module `operator` that compute. None gets at an attribute,
/// or calls.
const OPERATOR: &str = "abs add and_ concat contains eq floordiv ge getitem gt iadd imul index invert is_ is_not isub \
    itruediv le lshift lt matmul mod mul ne neg not_ or_ pos pow rshift sub truediv truth xor";

/// Functions and constants of `math`.
const MATH: &str = "ceil cos exp floor inf isqrt log nan pi pow prod sin sqrt tan trunc";

/// Builtin functions of numbers and sequences.
const BUILTIN: &str = "abs bool float int len list max min range round slice sum tuple";

/// Constants of torch, besides its types of numbers.
const CONSTANT: &str = "bfloat16 bool channels_last channels_last_3d complex128 complex64 contiguous_format double \
    float float16 float32 float64 half int int16 int32 int64 int8 long preserve_format short strided uint8";

/// Attributes of tensors that are read.
const ATTRIBUTE: &str = "T H dtype device imag is_cuda layout mT ndim real requires_grad shape";

fn listed(list: &str, name: &str) -> bool {
    list.split_ascii_whitespace().any(|known| known == name)
}

fn is_builtin(name: &str) -> bool {
    name == "getattr" || listed(BUILTIN, name)
}

/// Whether `name`, written out in full, is a function of tensors or numbers.
fn computes(name: &str) -> bool {
    if let Some(function) = name.strip_prefix("operator.") {
        return listed(OPERATOR, function);
    }
    if let Some(function) = name.strip_prefix("math.") {
        return listed(MATH, function);
    }
    PLACES.iter().any(|place| {
        name.strip_prefix(place).is_some_and(|function| {
            // An overload of an operator: `add.Tensor`.
            let function = if *place == "torch.ops.aten." { function.split('.').next() } else { Some(function) };
            function.is_some_and(tensor_function)
        })
    })
}

fn tensor_function(name: &str) -> bool {
    listed(TENSOR, name) || name.strip_suffix('_').is_some_and(|name| listed(TENSOR, name))
}

impl Machine<'_> {
    /// What executing the text of a traced module amounts to, when it only
    /// computes: the module.
    ///
    /// # Errors
    /// When the file's work is used up.
    pub(super) fn fold_graph(&mut self, args: &[Value], cx: &mut Cx<'_, '_>) -> Result<Option<Folded>, Stop> {
        let [body, imports] = args else { return Ok(None) };
        if !self.has_plain_keys(*body) {
            return Ok(None);
        }
        // `body.get("_code") or body["code"]`
        let code = self.field(*body, "_code").filter(|code| *code != Value::NONE).or_else(|| self.field(*body, "code"));
        let code = code.and_then(|code| self.text_of(code)).filter(|code| !code.is_empty());
        let (Some(code), Some(imports)) = (code, self.text_of(*imports)) else { return Ok(None) };
        let tracer = self.field(*body, "_tracer_cls").filter(|tracer| *tracer != Value::NONE);
        let known = tracer.is_none_or(|tracer| self.name_of(tracer).is_some_and(|name| TRACERS.contains(&name)));
        let extras = self.field(*body, "_tracer_extras").is_none_or(|extras| {
            matches!(self.arena.get(extras), Some(Node::Container { shape: Shape::Dict, .. }))
                && self.arena.items(extras, 1).is_empty()
        });
        let source = imports + &code;
        cx.charge(to_u64(source.len()), self.at)?;
        // Python reads names that are not ASCII in their compatible form.
        if !known || !extras || !source.is_ascii() || to_u64(source.len()) > self.limits.source_bytes {
            return Ok(None);
        }
        if crate::formats::python::depth::nesting(&source) > NESTING {
            return Ok(None);
        }
        let parsed = ruff_python_parser::parse_unchecked(&source, ParseOptions::from(Mode::Module));
        let Mod::Module(module) = parsed.syntax() else { return Ok(None) };
        let plain = parsed.errors().is_empty() && Graph::default().module(&module.body).is_some();
        Ok(if plain && self.names.functions().all(is_at_home) { settled(Value::ABSENT) } else { None })
    }

    /// Whether this is a dictionary whose keys are all known, and so is what
    /// stands for each.
    fn has_plain_keys(&self, value: Value) -> bool {
        let items = self.arena.items(value, ITEMS);
        let dictionary = matches!(self.arena.get(value), Some(Node::Container { shape: Shape::Dict, .. }));
        dictionary
            && items.len() < ITEMS
            && items.chunks(2).all(|pair| pair.first().is_some_and(|key| self.text_of(*key).is_some()))
    }

    /// The last value of `key` in a dictionary.
    fn field(&self, dictionary: Value, key: &str) -> Option<Value> {
        let items = self.arena.items(dictionary, ITEMS);
        items.chunks(2).rev().find_map(|pair| match pair {
            [known, value] if self.text_of(*known).as_deref() == Some(key) => Some(*value),
            _ => None,
        })
    }
}

/// Whether a function that the stream names may be among the attributes that the
/// text calls. Those of other packages may not: nobody knows what they do with a
/// number. The dangerous ones of these are told by their names.
fn is_at_home(name: &str) -> bool {
    const HOMES: &[&str] = &["_codecs", "builtins", "collections", "copyreg", "math", "numpy", "operator", "torch"];
    HOMES.contains(&name.split('.').next().unwrap_or(name))
}

/// The text, being gone through. Every step gives nothing where it meets what
/// torch.fx does not write.
#[derive(Default)]
struct Graph {
    /// What imports have bound, written out in full.
    names: BTreeMap<String, String>,
    locals: BTreeSet<String>,
}

/// What stands before a call or an attribute.
enum Root {
    /// The module, or something within it.
    Module,
    /// A name that was imported, written out in full.
    Name(String),
    /// A value of the graph.
    Value,
}

impl Graph {
    /// Imports, then one `forward`.
    fn module(&mut self, body: &[Stmt]) -> Option<()> {
        let mut forward = false;
        for statement in body {
            match statement {
                Stmt::Import(import) if !forward => {
                    for alias in &import.names {
                        let module = alias.name.as_str();
                        let (bound, full) = match &alias.asname {
                            Some(name) => (name.as_str(), module),
                            None => (module.split('.').next()?, module.split('.').next()?),
                        };
                        self.bind(MODULES.contains(&module), bound, full)?;
                    }
                }
                Stmt::ImportFrom(import) if !forward && import.level == 0 => {
                    let module = import.module.as_ref()?.as_str();
                    for alias in &import.names {
                        let name = alias.asname.as_ref().unwrap_or(&alias.name);
                        // `from builtins import getattr as getattr`
                        let same = name.as_str() == alias.name.as_str();
                        if module == "builtins" && same && is_builtin(name.as_str()) {
                            continue;
                        }
                        let full = format!("{module}.{}", alias.name.as_str());
                        self.bind(MODULES.contains(&module) && alias.name.as_str() != "*", name.as_str(), &full)?;
                    }
                }
                // `NoneType = type(None)`
                Stmt::Assign(assign) if !forward => match (assign.targets.as_slice(), &*assign.value) {
                    ([Expr::Name(name)], Expr::Call(call)) if name.id.as_str() == "NoneType" => {
                        let none = matches!(&*call.arguments.args, [Expr::NoneLiteral(_)]);
                        let of_type = matches!(&*call.func, Expr::Name(name) if name.id.as_str() == "type");
                        self.bind(none && of_type && call.arguments.keywords.is_empty(), "NoneType", "NoneType")?;
                    }
                    _ => return None,
                },
                Stmt::FunctionDef(function) if !forward => {
                    self.forward(function)?;
                    forward = true;
                }
                _ => return None,
            }
        }
        forward.then_some(())
    }

    fn bind(&mut self, known: bool, name: &str, full: &str) -> Option<()> {
        let free = name != "self" && !is_builtin(name);
        (known && free).then(|| self.names.insert(name.to_owned(), full.to_owned()))?;
        Some(())
    }

    fn forward(&mut self, function: &StmtFunctionDef) -> Option<()> {
        let plain = function.decorator_list.is_empty() && !function.is_async && function.type_params.is_none();
        if !plain || function.name.as_str() != "forward" {
            return None;
        }
        self.parameters(&function.parameters)?;
        if let Some(returns) = &function.returns {
            self.hint(returns)?;
        }
        for statement in &function.body {
            match statement {
                Stmt::Assign(assign) => {
                    self.value(&assign.value, false)?;
                    assign.targets.iter().try_for_each(|target| self.target(target))?;
                }
                Stmt::AnnAssign(assign) => {
                    self.hint(&assign.annotation)?;
                    self.value(assign.value.as_deref()?, false)?;
                    self.target(&assign.target)?;
                }
                Stmt::Expr(expression) => self.value(&expression.value, false)?,
                Stmt::Return(result) => {
                    result.value.iter().try_for_each(|value| self.value(value, false))?;
                }
                Stmt::Pass(_) => {}
                _ => return None,
            }
        }
        Some(())
    }

    fn parameters(&mut self, parameters: &Parameters) -> Option<()> {
        for (index, parameter) in parameters.iter().enumerate() {
            if let Some(hint) = parameter.annotation() {
                self.hint(hint)?;
            }
            if let Some(default) = parameter.default() {
                self.value(default, false)?;
            }
            let name = parameter.name().as_str();
            if index == 0 {
                (name == "self").then_some(())?;
            } else {
                self.local(name)?;
            }
        }
        (!parameters.is_empty()).then_some(())
    }

    fn local(&mut self, name: &str) -> Option<()> {
        let taken = self.names.contains_key(name) || name == "self" || is_builtin(name);
        (!taken && !name.starts_with("__")).then(|| self.locals.insert(name.to_owned()))?;
        Some(())
    }

    fn target(&mut self, target: &Expr) -> Option<()> {
        match target {
            Expr::Name(name) => self.local(name.id.as_str()),
            Expr::Tuple(tuple) => tuple.elts.iter().try_for_each(|item| self.target(item)),
            // `x[0] = y`
            Expr::Subscript(item) => {
                self.value(&item.value, false)?;
                self.value(&item.slice, false)
            }
            _ => None,
        }
    }

    /// A type hint, which is evaluated as well: names, and items of names.
    fn hint(&self, hint: &Expr) -> Option<()> {
        match hint {
            Expr::NoneLiteral(_) | Expr::EllipsisLiteral(_) => Some(()),
            Expr::Name(name) => {
                let name = name.id.as_str();
                (self.names.contains_key(name) || listed(BUILTIN, name) || matches!(name, "str" | "dict")).then_some(())
            }
            Expr::Attribute(_) => matches!(self.root(hint)?, Root::Name(_)).then_some(()),
            Expr::Subscript(item) => {
                self.hint(&item.value)?;
                self.hint(&item.slice)
            }
            Expr::Tuple(tuple) => tuple.elts.iter().try_for_each(|item| self.hint(item)),
            _ => None,
        }
    }

    /// What an expression without a call leads to.
    fn root(&self, expression: &Expr) -> Option<Root> {
        match expression {
            Expr::Name(name) => {
                let name = name.id.as_str();
                Some(match self.names.get(name) {
                    _ if name == "self" => Root::Module,
                    Some(full) => Root::Name(full.clone()),
                    None => return self.locals.contains(name).then_some(Root::Value),
                })
            }
            Expr::Attribute(attribute) => self.member(self.root(&attribute.value)?, attribute.attr.as_str()),
            Expr::Call(call) => {
                // `getattr(self, "0")`, where the name is no identifier.
                let (object, name) = literal_attribute(call)?;
                self.member(self.root(object)?, name)
            }
            _ => None,
        }
    }

    fn member(&self, of: Root, name: &str) -> Option<Root> {
        let constant = name.strip_prefix("_tensor_constant").is_some_and(|number| number.parse::<u32>().is_ok());
        if name.is_empty() || name.starts_with('_') && !constant && !matches!(&of, Root::Name(_)) {
            return None;
        }
        Some(match of {
            Root::Module => Root::Module,
            Root::Name(full) => Root::Name(format!("{full}.{name}")),
            Root::Value => return listed(ATTRIBUTE, name).then_some(Root::Value),
        })
    }

    /// An expression that is computed. `word` allows it to be a text, where a
    /// function of tensors gets it.
    fn value(&self, value: &Expr, word: bool) -> Option<()> {
        let plain = |value: &Expr| self.value(value, word);
        match value {
            Expr::NumberLiteral(_) | Expr::BooleanLiteral(_) | Expr::NoneLiteral(_) | Expr::EllipsisLiteral(_) => {
                Some(())
            }
            Expr::StringLiteral(text) => {
                let text = text.value.to_str();
                let said = |letter: char| letter.is_ascii_alphanumeric() || "_,-> .()".contains(letter);
                (word && text.len() <= WORD && text.chars().all(said)).then_some(())
            }
            Expr::Name(_) | Expr::Attribute(_) => match self.root(value)? {
                Root::Module | Root::Value => Some(()),
                Root::Name(full) => is_constant(&full).then_some(()),
            },
            Expr::Tuple(tuple) => tuple.elts.iter().try_for_each(plain),
            Expr::List(list) => list.elts.iter().try_for_each(plain),
            Expr::Dict(dictionary) => dictionary.items.iter().try_for_each(|item| {
                // Keys of what is returned, and of nothing that is called.
                match item.key.as_ref()? {
                    Expr::StringLiteral(_) => {}
                    key => plain(key)?,
                }
                plain(&item.value)
            }),
            Expr::UnaryOp(operation) => plain(&operation.operand),
            Expr::BinOp(operation) => {
                plain(&operation.left)?;
                plain(&operation.right)
            }
            Expr::Compare(comparison) => {
                plain(&comparison.left)?;
                comparison.comparators.iter().try_for_each(plain)
            }
            Expr::Subscript(item) => {
                self.value(&item.value, false)?;
                self.value(&item.slice, false)
            }
            Expr::Slice(slice) => {
                [&slice.lower, &slice.upper, &slice.step].into_iter().flatten().try_for_each(|bound| plain(bound))
            }
            Expr::Call(call) => self.call(call),
            _ => None,
        }
    }

    fn call(&self, call: &ruff_python_ast::ExprCall) -> Option<()> {
        if let Some((object, name)) = literal_attribute(call) {
            return match self.root(object) {
                Some(root) => self.member(root, name).filter(|root| !matches!(root, Root::Name(_))).map(|_| ()),
                // An attribute of what a call gave.
                None => listed(ATTRIBUTE, name).then(|| self.value(object, false)).flatten(),
            };
        }
        let word = match &*call.func {
            Expr::Name(name) if listed(BUILTIN, name.id.as_str()) => false,
            Expr::Attribute(method) if !matches!(self.root(&method.value), Some(Root::Module | Root::Name(_))) => {
                self.value(&method.value, false)?;
                tensor_function(method.attr.as_str()).then_some(true)?
            }
            function => match self.root(function)? {
                // A submodule gets what the graph has computed, and no text.
                Root::Module => (!matches!(function, Expr::Name(_))).then_some(false)?,
                Root::Name(full) => computes(&full).then_some(true)?,
                Root::Value => return None,
            },
        };
        call.arguments.args.iter().try_for_each(|value| self.value(value, word))?;
        call.arguments.keywords.iter().try_for_each(|keyword| {
            keyword.arg.as_ref()?;
            self.value(&keyword.value, word)
        })
    }
}

/// The object and the name of `getattr(object, "name")`.
fn literal_attribute(call: &ruff_python_ast::ExprCall) -> Option<(&Expr, &str)> {
    let is = matches!(&*call.func, Expr::Name(name) if name.id.as_str() == "getattr");
    match &*call.arguments.args {
        [object, Expr::StringLiteral(name)] if is && call.arguments.keywords.is_empty() => {
            Some((object, name.value.to_str()))
        }
        _ => None,
    }
}

/// Whether a name is that of a number, a type of numbers or a layout.
fn is_constant(full: &str) -> bool {
    match full.split_once('.') {
        Some(("math", name)) => matches!(name, "inf" | "nan" | "pi"),
        Some(("torch", name)) => listed(CONSTANT, name),
        _ => false,
    }
}
