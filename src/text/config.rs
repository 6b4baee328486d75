//! Configurations, whatever their syntax: keys whose value names code that a
//! loader imports, constructs or fetches, templates, and encoded payloads.
//!
//! JSON and YAML readers drive a [`Walk`] through the document; it keeps only
//! the path to where it is.

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{jinja, requirements};
use crate::input::Input;
use crate::stop::Stop;
use crate::text::encoded::{self, Nature};
use crate::text::pattern;
use crate::text::shell;

/// Where a walk is: the keys and indices from the root.
#[derive(Debug)]
pub(crate) struct Walk {
    path: Vec<Level>,
    /// The file's name in lower case, without folders.
    file: String,
    /// Base64 payloads handed on so far, so that their names differ.
    payloads: u64,
}

#[derive(Debug)]
struct Level {
    key: String,
    /// Index of the next item; `None` in an object.
    index: Option<u64>,
}

/// How many characters of a path are shown.
const PATH_SHOWN: usize = 120;

/// Keys whose value a tool hands to a shell.
const COMMANDS: &[&str] = &[
    "before_script",
    "cmd",
    "command",
    "entry",
    "entrypoint",
    "initializeCommand",
    "onCreateCommand",
    "postCreateCommand",
    "postStartCommand",
    "run",
    "script",
];

/// Keys of an `MLmodel` whose values are joined to its folder.
const MLFLOW_PATHS: &[&str] = &["code", "data", "model_data", "model_path", "pickled_model", "python_model"];

/// Where the manifests of registries (OCI, Ollama) name content by its digest.
const LAYERS: &[&str] = &["blobs", "config", "layers", "manifests"];

/// Parts of a tokenizer that rewrite text on its way to the model and back.
const REWRITERS: &[&str] = &["decoder", "normalizer", "post_processor", "pre_tokenizer"];

/// Characters that a tokenizer has reason to put in the place of others: marks
/// of spaces and quotes are shorter.
const REWRITTEN: usize = 24;

/// Keys of jsonpickle: any of them makes `jsonpickle.decode` import the name,
/// and most construct or call it.
const JSONPICKLE: &[&str] = &[
    "py/object",
    "py/type",
    "py/function",
    "py/class",
    "py/reduce",
    "py/newobj",
    "py/newargs",
    "py/repr",
    "py/ref",
    "py/mod",
];

impl Walk {
    /// A walk through the file called `name`.
    pub(crate) fn new(name: &str) -> Self {
        let file = name.rsplit(['/', '\\']).next().unwrap_or(name).to_lowercase();
        Self { path: Vec::new(), file, payloads: 0 }
    }

    /// An object begins.
    pub(crate) fn open_object(&mut self) {
        self.count();
        self.path.push(Level { key: String::new(), index: None });
    }

    /// An array begins.
    pub(crate) fn open_array(&mut self) {
        self.count();
        self.path.push(Level { key: String::new(), index: Some(0) });
    }

    /// The object or array ends.
    pub(crate) fn close(&mut self) {
        self.path.pop();
    }

    /// The key of what comes next.
    pub(crate) fn key(&mut self, key: &str) {
        if let Some(level) = self.path.last_mut() {
            key.clone_into(&mut level.key);
        }
    }

    /// Whether a scalar comes where an array has its items.
    fn count(&mut self) {
        if let Some(level) = self.path.last_mut()
            && let Some(index) = &mut level.index
        {
            *index = index.saturating_add(1);
        }
    }

    /// The key of the innermost object on the path, `up` levels out.
    fn key_at(&self, up: usize) -> &str {
        self.path.iter().rev().filter(|level| level.index.is_none()).nth(up).map_or("", |level| level.key.as_str())
    }

    /// Whether `key` is on the path.
    fn is_below(&self, key: &str) -> bool {
        self.path.iter().any(|level| level.key == key)
    }

    fn shown(&self) -> String {
        let parts: Vec<&str> =
            self.path.iter().filter(|level| level.index.is_none()).map(|level| level.key.as_str()).collect();
        super::excerpt(&parts.join("."), PATH_SHOWN)
    }

    /// A truth value.
    pub(crate) fn truth(&mut self, value: bool, at: u64, cx: &mut Cx<'_, '_>) {
        self.count();
        if value && self.key_at(0) == "trust_remote_code" {
            cx.evidence(Kind::HuggingFaceFile, "trust-remote-code", Span::at(at));
        }
    }

    /// A number or null.
    pub(crate) fn other(&mut self) {
        self.count();
    }

    /// A string value at `at`.
    ///
    /// # Errors
    /// [`Stop::Limit`] when no more payloads may be examined.
    pub(crate) fn string(&mut self, text: &str, at: u64, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        self.count();
        let span = Span::new(at, crate::input::to_u64(text.len()));
        self.constructed(text, span, cx);
        self.code(text, span, cx);
        self.template(text, cx)?;
        // What spaCy has pip install with a pipeline.
        if self.file == "meta.json" && self.key_at(0) == "requirements" {
            requirements::requirement(text.trim(), span.offset, cx);
        }
        self.command(text, span, cx);
        self.pattern(text, span, cx)?;
        self.paths(text, span, cx);
        self.rewritten(text, span, cx);
        self.payload(text, span, cx)
    }

    /// Keys by which a loader is told what to import and call.
    fn constructed(&self, text: &str, span: Span, cx: &mut Cx<'_, '_>) {
        let key = self.key_at(0);
        let found = match key {
            "_target_" => Some(("hydra", "call")),
            "class_path" | "_class_path" if is_dotted(text) => Some(("jsonargparse", "call")),
            "_instantiator" if is_dotted(text) => Some(("lightning", "call")),
            // The flavours that MLflow itself ships lie below its own name.
            "loader_module" if !text.starts_with("mlflow.") => Some(("mlflow", "import")),
            "type"
                if self.file == "modules.json"
                    && self.path.len() == 2
                    && !text.starts_with("sentence_transformers.") =>
            {
                Some(("sentence-transformers", "call"))
            }
            "flow_class" | "custom_class_path" if is_dotted(text) => Some(("config", "call")),
            // The library of a pipeline's part is imported, whichever it is.
            _ if self.is_component() && crate::names::is_stdlib(text) => Some(("diffusers", "import")),
            _ if JSONPICKLE.contains(&key) => Some((
                "jsonpickle",
                if matches!(key, "py/type" | "py/class" | "py/mod" | "py/ref") { "import" } else { "call" },
            )),
            _ => None,
        };
        let Some((loader, how)) = found else { return };
        if key == "py/repr" || key == "py/ref" && text.parse::<u64>().is_ok() {
            if key == "py/repr" {
                cx.push(
                    Evidence::new(Kind::ObjectType, "builtins.eval", span)
                        .with("loader", loader)
                        .with("how", "call")
                        .with("name", super::excerpt(text, PATH_SHOWN)),
                );
            }
            return;
        }
        let inside = JSONPICKLE.contains(&self.key_at(1));
        let how = if inside { "call" } else { how };
        let written = text.trim();
        let canonical =
            if loader == "mlflow" { crate::names::canonical_module(written).to_owned() } else { canonical(written) };
        cx.push(
            Evidence::new(Kind::ObjectType, canonical, span)
                .with("loader", loader)
                .with("how", how)
                .with("key", self.shown())
                .with("written", super::excerpt(written, PATH_SHOWN)),
        );
    }

    /// Whether this is the library of a part of a diffusers pipeline.
    fn is_component(&self) -> bool {
        self.file == "model_index.json"
            && self.path.len() == 2
            && self.path.last().is_some_and(|level| level.index == Some(1))
    }

    /// Python that a hub's loader imports because a configuration says so.
    fn code(&self, text: &str, span: Span, cx: &mut Cx<'_, '_>) {
        let reference = if self.is_below("auto_map") {
            // `repository--module.Class`: transformers, dynamic_module_utils.
            Some(if text.contains("--") { "remote" } else { "local" })
        } else if self.is_below("custom_pipelines") && matches!(self.key_at(0), "impl" | "type") {
            (self.key_at(0) == "impl").then(|| if text.contains("--") { "remote" } else { "local" })
        } else if self.is_below("auto_mapping") && self.key_at(0) == "parent_library" {
            (!text.starts_with("transformers") && !text.starts_with("diffusers")).then_some("library")
        } else if self.file == "modules.json" && self.key_at(0) == "type" && self.path.len() == 2 {
            (!text.starts_with("sentence_transformers.")).then_some("local")
        } else if self.is_component() {
            is_foreign_component(text).then_some("local")
        } else if self.key_at(0) == "custom_pipeline" || self.key_at(0) == "custom_generate" {
            Some("remote")
        } else {
            None
        };
        if let Some(place) = reference {
            cx.push(
                Evidence::new(Kind::ReferenceCode, super::excerpt(text, PATH_SHOWN), span)
                    .with("key", self.shown())
                    .with("where", place),
            );
        }
    }

    /// Chat templates: a string, a list of `{name, template}`, or an object.
    fn template(&self, text: &str, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let key = self.key_at(0);
        let is_template = matches!(key, "chat_template" | "chat_templates" | "default_chat_template")
            || key == "template" && (self.is_below("chat_template") || self.is_below("chat_templates"))
            || self.is_below("chat_template") && key != "name"
            || self.is_below("chat_templates") && key != "name"
            || !self.is_below("vocab") && jinja::is_template(text);
        if is_template && !text.is_empty() {
            let name = self.shown();
            return cx.child_as("jinja", &name, Input::from(text.as_bytes()));
        }
        Ok(())
    }

    /// Commands that a tool runs for whoever opens, builds or tests the project:
    /// steps of workflows, tasks of editors, hooks, entry points of MLflow.
    fn command(&self, text: &str, span: Span, cx: &mut Cx<'_, '_>) {
        // The scripts of a `package.json` have any name.
        let node = self.file == "package.json" && self.is_below("scripts");
        if !node && !COMMANDS.contains(&self.key_at(0)) {
            return;
        }
        for (_, act) in shell::acts(text) {
            // These are run where a project is at home, and may clean up there.
            if matches!(act.what, "fetch-run" | "reverse-shell" | "decode-run") {
                cx.push(
                    Evidence::new(Kind::ShellCommand, act.what, span)
                        .with("command", super::excerpt(text, 160))
                        .with("source", act.source)
                        .with("transport", act.transport)
                        .with("where", "config"),
                );
            }
        }
    }

    /// Where a tokenizer splits a text, and what it replaces.
    fn pattern(&self, text: &str, span: Span, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let key = self.key_at(0);
        if !(key == "Regex" && self.key_at(1) == "pattern" || matches!(key, "pat_str" | "split_pattern")) {
            return Ok(());
        }
        cx.charge(span.length, span.offset)?;
        if let Some((what, detail)) = pattern::slow(text) {
            let evidence = Evidence::new(Kind::PatternAnomaly, what, span).with("detail", detail);
            cx.push(evidence.with("pattern", super::excerpt(text, PATH_SHOWN)));
        }
        Ok(())
    }

    /// Where shards are said to be.
    fn paths(&self, text: &str, span: Span, cx: &mut Cx<'_, '_>) {
        let is_path = self.is_below("weight_map") && self.path.len() == 2
            || self.path.len() == 2 && self.file == "modules.json" && self.key_at(0) == "path"
            || self.file == "mlmodel" && self.is_below("flavors") && MLFLOW_PATHS.contains(&self.key_at(0))
            // A registry's client makes a path of it (CVE-2024-37032).
            || self.key_at(0) == "digest" && LAYERS.iter().any(|list| self.is_below(list)) && text.contains(['/', '\\']);
        if !is_path {
            return;
        }
        let place = if text.contains("://") {
            "url"
        } else if text.starts_with(['/', '\\']) {
            "absolute"
        } else if text.as_bytes().get(1) == Some(&b':') {
            "drive"
        } else if text.split(['/', '\\']).any(|part| part == "..") {
            "parent"
        } else {
            return;
        };
        cx.push(
            Evidence::new(Kind::ReferencePath, place, span)
                .with("path", super::excerpt(text, PATH_SHOWN))
                .with("by", self.shown()),
        );
    }

    /// Text that a tokenizer puts in.
    fn rewritten(&self, text: &str, span: Span, cx: &mut Cx<'_, '_>) {
        let rewriter = self.file == "tokenizer.json"
            && matches!(self.key_at(0), "content" | "prepend")
            && REWRITERS.iter().any(|part| self.is_below(part));
        if rewriter && (text.contains("://") || text.chars().count() > REWRITTEN) {
            cx.push(
                Evidence::new(Kind::HuggingFaceFile, "tokenizer-rewrites", span)
                    .with("detail", super::excerpt(text, PATH_SHOWN)),
            );
        }
    }

    /// Encoded pickles, documents inside strings, and expressions.
    fn payload(&mut self, text: &str, span: Span, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        if let Some((bytes, nature)) = encoded::payload(text.trim().as_bytes()) {
            self.payloads = self.payloads.saturating_add(1);
            let name = format!("{} (decoded, {})", self.shown(), self.payloads);
            return match nature {
                Nature::Certain => cx.child(&name, bytes.into()),
                Nature::Possible => cx.data(&name, bytes.into()),
            };
        }
        let start = text.trim_start();
        if start.starts_with(['{', '['])
            && (text.contains("\"_target_\"") || text.contains("\"py/") || text.contains("\"class_path\""))
        {
            let name = format!("{} (JSON)", self.shown());
            return cx.child_as("json", &name, Input::from(text.as_bytes()));
        }
        // Cells of a notebook are code, and are read as such.
        let cell = self.file.ends_with(".ipynb") && self.is_below("cells");
        if !self.is_below("vocab") && !cell && is_code_expression(text) {
            cx.push(
                Evidence::new(Kind::PythonAnomaly, "code-in-data", span)
                    .with("detail", super::excerpt(text, PATH_SHOWN)),
            );
        }
        Ok(())
    }
}

/// A dotted name with its aliases folded, as hydra's `_locate` would find it.
pub(crate) fn canonical(written: &str) -> String {
    match written.rsplit_once('.') {
        Some((module, name)) => crate::names::resolve(module, name).canonical,
        None => crate::names::resolve("builtins", written).canonical,
    }
}

/// Whether `text` is a dotted Python name.
pub(crate) fn is_dotted(text: &str) -> bool {
    text.contains('.')
        && text.split('.').all(|part| {
            !part.is_empty()
                && part.chars().all(|char| char.is_alphanumeric() || char == '_')
                && !part.starts_with(|char: char| char.is_ascii_digit())
        })
}

/// Libraries whose classes a diffusers pipeline may list without fetching
/// code: diffusers, `pipeline_utils.py`, `LOADABLE_CLASSES`.
fn is_foreign_component(library: &str) -> bool {
    let root = library.split('.').next().unwrap_or(library);
    !matches!(
        root,
        "diffusers"
            | "transformers"
            | "onnxruntime"
            | "optimum"
            | "flax"
            | "jax"
            | "torch"
            | "sentence_transformers"
            | "k_diffusion"
            | "peft"
            | "stable_diffusion"
            | "latent_diffusion"
            | "paint_by_example"
            | "audioldm2"
            | "stable_cascade"
            | "kandinsky"
            | "wuerstchen"
            | "deepfloyd_if"
            | "unidiffuser"
            | "gligen"
            | "musicldm"
            | "shap_e"
            | "pixart_alpha"
            | "aura_flow"
            | "flux"
            | "hunyuan_video"
            | "cogvideo"
            | "kolors"
            | "ltx"
            | "lumina"
            | "optimum_intel"
            | "openvino"
            | "sdnext"
    ) && root.chars().next().is_some_and(|char| char.is_ascii_lowercase() || char == '_')
}

/// A Python expression that runs a command or imports to call, in full: a
/// vocabulary may well hold its pieces.
fn is_code_expression(text: &str) -> bool {
    let Some(at) = text.find("__import__(") else { return false };
    let rest = text.get(at..).unwrap_or_default();
    let Some(close) = rest.find(')') else { return false };
    rest.get(close..).is_some_and(|rest| rest.starts_with(").") && rest.get(2..).is_some_and(|rest| rest.contains('(')))
}
