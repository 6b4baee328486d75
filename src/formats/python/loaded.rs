//! Functions that loaders call without being asked.

/// Functions and methods that a loader calls by itself: PyTorch modules,
/// transformers, TorchServe and other servers' handlers, pickle's hooks.
const LOADED: &[&str] = &[
    "__init__",
    "__new__",
    "__call__",
    "__init_subclass__",
    "__class_getitem__",
    "__set_name__",
    "__prepare__",
    "__del__",
    "__getattr__",
    "__getattribute__",
    "__reduce__",
    "__reduce_ex__",
    "__setstate__",
    "__getstate__",
    "__post_init__",
    "__enter__",
    "__exit__",
    "__len__",
    "__iter__",
    "__getitem__",
    "__repr__",
    "__str__",
    "forward",
    "from_pretrained",
    "_from_config",
    "from_config",
    "get_config",
    "_init_weights",
    "_load_from_state_dict",
    "load_state_dict",
    "handle",
    "initialize",
    "preprocess",
    "inference",
    "postprocess",
    "load_model",
    "load_context",
    "load",
    "model_fn",
    "input_fn",
    "predict_fn",
    "output_fn",
    "predict",
    "generate",
    "prepare_inputs_for_generation",
    "build",
    "call",
    "setup",
    "tokenize",
    "_tokenize",
    "encode",
    "execute",
    "_sanitize_parameters",
    "_forward",
    "postprocess_fn",
    "init",
    "run",
    "_load_pyfunc",
    "load_pyfunc",
    "entry_points",
    "configure",
    "on_load",
    "_split_generators",
    "_generate_examples",
    "_info",
    "convert_tokens_to_string",
    "_convert_token_to_id",
    "get_model",
    "create_model",
    "__torch_function__",
];

/// Whether a loader calls a function of this name without being asked, in a
/// file of this name.
pub(super) fn is_loaded(function: &str, is_method: bool, file: &str) -> bool {
    if file == "hubconf.py" && !is_method {
        return !function.starts_with('_');
    }
    let handler = matches!(
        file,
        "handler.py"
            | "inference.py"
            | "model.py"
            | "pipeline.py"
            | "score.py"
            | "predict.py"
            | "custom_handler.py"
            | "service.py"
    );
    match function {
        "run" => handler || file == "setup.py",
        "load" | "init" | "setup" | "configure" | "execute" | "build" | "encode" | "predict" | "get_model"
        | "create_model" | "load_model" => is_method || handler,
        _ => (is_method || handler) && LOADED.contains(&function),
    }
}
