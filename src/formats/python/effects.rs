//! What a call does beyond its name: code that it runs, files that it writes
//! or destroys, secrets that it sends away.

use ruff_text_size::TextRange;

use crate::input::Input;
use crate::stop::Stop;
use crate::text::shell;

use super::reflect::is_dangerous;
use super::statements::Machine;
use super::value::{
    BUILT, DATA, DECODED, ENVIRON, EVERYTHING, FETCHED, GAP, HOST, HUB, PARTIAL, SCATTERED, SECRET, SITE, SOURCE,
    TOKEN, Val, What,
};
use super::{decode, network, watch};

/// A call as it was made.
pub(super) struct Made<'v, 'a> {
    pub name: &'v str,
    pub arguments: &'v [Val<'a>],
    pub keywords: &'v [(String, Val<'a>)],
    /// What is known of everything that it was given.
    pub marks: u16,
    pub range: TextRange,
}

impl<'v, 'a> Made<'v, 'a> {
    fn first(&self) -> Option<&'v Val<'a>> {
        self.arguments.first().or_else(|| self.keywords.first().map(|(_, value)| value))
    }

    /// The argument at `index`, or under one of the names that it may have.
    fn argument(&self, index: usize, name: &str) -> Option<&'v Val<'a>> {
        let named = || self.keywords.iter().find(|(keyword, _)| keyword == name).map(|(_, value)| value);
        self.arguments.get(index).or_else(named)
    }

    fn text(&self, index: usize, name: &str) -> String {
        self.argument(index, name).and_then(Val::as_text).unwrap_or_default()
    }
}

/// Endings of files that hold no code, by their name.
const DATA_FILES: &[&str] = &[
    "bin",
    "pt",
    "pth",
    "ckpt",
    "safetensors",
    "onnx",
    "gguf",
    "h5",
    "hdf5",
    "keras",
    "npy",
    "npz",
    "pkl",
    "pickle",
    "joblib",
    "msgpack",
    "model",
    "tflite",
    "pb",
    "weights",
    "zip",
    "tar",
    "gz",
    "png",
    "jpg",
    "jpeg",
    "gif",
    "bmp",
    "webp",
    "wav",
    "mp3",
    "dat",
    "data",
    "json",
    "txt",
    "md",
    "csv",
    "vocab",
    "spm",
];

/// Whether `path` is named like data: nobody looks for code there.
fn is_data_file(path: &str) -> bool {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    name.rsplit_once('.').is_some_and(|(_, ending)| DATA_FILES.contains(&ending.to_lowercase().as_str()))
}

/// What is known of the content of a file from its path.
pub(super) fn of_file(path: Option<&Val<'_>>) -> u16 {
    let Some(path) = path else { return 0 };
    if path.as_name() == Some("__file__") {
        return DATA;
    }
    let Some(text) = path.as_text() else { return 0 };
    let secret = if network::is_secret_path(&text) { SECRET } else { 0 };
    let source = if text.ends_with(".py") { SOURCE } else { 0 };
    // Libraries that open files open addresses as well.
    if ["http://", "https://", "ftp://"].iter().any(|scheme| text.starts_with(scheme)) {
        return secret | FETCHED;
    }
    secret | source | if is_data_file(&text) { DATA } else { 0 }
}

/// What the name of a call tells of what it gives.
pub(super) fn of_result(name: &str, arguments: &[Val<'_>]) -> u16 {
    const WEIGHTS: &[&str] = &[
        "torch.load",
        "pickle.load",
        "joblib.load",
        "numpy.load",
        "numpy.fromfile",
        "safetensors.safe_open",
        "safetensors.torch.load_file",
        "safetensors.numpy.load_file",
        "PIL.Image.open",
        "cv2.imread",
        "imageio.imread",
        "h5py.File",
        "gguf.GGUFReader",
        "onnx.load",
    ];
    const HUBS: &[&str] = &[
        "huggingface_hub.hf_hub_download",
        "huggingface_hub.file_download.hf_hub_download",
        "huggingface_hub.cached_download",
        "huggingface_hub.snapshot_download",
        "transformers.utils.cached_file",
        "transformers.utils.hub.cached_file",
    ];
    const LISTINGS: &[&str] = &["os.walk", "os.listdir", "os.scandir", "glob.glob", "glob.iglob"];
    const TOKENS: &[&str] = &[
        "huggingface_hub.get_token",
        "huggingface_hub.HfFolder.get_token",
        "huggingface_hub.utils.get_token",
        "huggingface_hub.hf_api.HfFolder.get_token",
    ];
    let mut marks = 0;
    if decode::decodes(name) {
        marks |= DECODED;
    }
    if network::fetches(name) {
        marks |= FETCHED;
    }
    if HUBS.contains(&name) {
        marks |= HUB;
    }
    if name.starts_with("fsspec.") {
        marks |= of_file(arguments.first()) & (FETCHED | SECRET);
    }
    if WEIGHTS.contains(&name) {
        marks |= DATA;
    }
    if TOKENS.contains(&name) {
        marks |= TOKEN;
    }
    if name.starts_with("site.get") || name.starts_with("sysconfig.get_path") || name.ends_with("get_python_lib") {
        marks |= SITE;
    }
    if LISTINGS.contains(&name) {
        marks |= arguments.first().map_or(0, of_listing);
    }
    if name == "tempfile.NamedTemporaryFile" && arguments.iter().any(|argument| argument.as_str() == Some(".py")) {
        marks |= SOURCE;
    }
    marks
}

/// What is known of the files below a path.
fn of_listing(path: &Val<'_>) -> u16 {
    let Some(text) = path.as_text() else { return 0 };
    let everything = path.marks & PARTIAL == 0 && network::is_everything(&text);
    let secret = network::is_secret_folder(&text);
    (if everything { EVERYTHING } else { 0 }) | (if secret { SECRET } else { 0 })
}

impl<'a> Machine<'a, '_, '_, '_> {
    /// Notes what is wrong with a call beyond its name.
    pub(super) fn judge(&mut self, made: &Made<'_, 'a>) -> Result<(), Stop> {
        let executes = watch::is_execute(made.name);
        let starts = watch::is_process(made.name);
        let first = made.first();
        let given = first.map_or(0, |first| first.marks);
        if executes || starts {
            self.hidden(made, executes, given);
        }
        if executes {
            self.run_text(made)?;
        }
        self.text_within(made)?;
        if starts && let Some(first) = first {
            self.command(first, made.range);
        }
        if let (Some(format), Some(What::Bytes(bytes))) =
            (watch::loads_bytes(made.name), first.map(|first| &first.what))
            && self.quiet == 0
        {
            let child = format!("bytes given to {}, byte {}", made.name, made.range.start().to_u32());
            self.cx.child_as(format, &child, Input::from(bytes.as_ref()))?;
        }
        if watch::loads_bytes(made.name).is_some() && given & FETCHED != 0 {
            self.anomaly("fetched-objects", made.name, made.range);
        }
        if made.name == "pip.main" {
            let words = first.and_then(Val::items).unwrap_or_default();
            let words: Vec<String> = words.iter().filter_map(Val::as_text).collect();
            let line = format!("pip {}", words.join(" "));
            let open = shell::installs(&line).unwrap_or(false);
            self.anomaly(if open { "installs-open" } else { "installs" }, &line, made.range);
        }
        if made.name.starts_with("git.")
            && let Some(command) =
                first.and_then(Val::as_text).and_then(|text| Some(text.strip_prefix("ext::")?.to_owned()))
        {
            self.note("subprocess.run", &[Val::text(command, 0)], made.range, Some("through git".to_owned()));
        }
        if made.name == "logging.config.dictConfig"
            && let Some(first) = first
        {
            self.factories(first, made.range, 0);
        }
        self.sends(made);
        self.loads_data(made);
        self.writes(made)?;
        self.destroys(made);
        self.memory(made);
        Ok(())
    }

    /// Code and commands that no reader of the source sees.
    fn hidden(&mut self, made: &Made<'_, 'a>, executes: bool, given: u16) {
        let kind = |code: &'static str, command: &'static str| if executes { code } else { command };
        if given & FETCHED != 0 || given & HUB != 0 && executes {
            self.anomaly(kind("fetched-exec", "fetched-command"), made.name, made.range);
        } else if given & DECODED != 0 {
            self.anomaly(kind("encoded-exec", "encoded-command"), made.name, made.range);
        } else if given & DATA != 0 && executes && !made.name.starts_with("runpy.") {
            self.anomaly("data-exec", made.name, made.range);
        } else if executes
            && made.name != "types.FunctionType"
            && given & SCATTERED != 0
            && made.first().is_some_and(|first| first.as_whole().is_some())
        {
            self.anomaly("built-exec", made.name, made.range);
        }
    }

    /// `logging` calls what a configuration names under `()`.
    fn factories(&mut self, value: &Val<'a>, range: TextRange, depth: u32) {
        let What::Dict(pairs) = &value.what else { return };
        for (key, value) in pairs.iter().filter(|_| depth < 6) {
            let named = value.as_text().or_else(|| value.as_name().map(str::to_owned));
            match (key.as_str(), named) {
                (Some("()"), Some(name)) if is_dangerous(&name) => self.note(&name, &[], range, None),
                _ => self.factories(value, range, depth.saturating_add(1)),
            }
        }
    }

    /// Credentials that leave.
    fn sends(&mut self, made: &Made<'_, 'a>) {
        let uploads = network::uploads(made.name);
        if !network::is_network(made.name) && !uploads {
            return;
        }
        let mut given = made.arguments.iter().chain(made.keywords.iter().map(|(_, value)| value));
        if uploads && given.any(|value| value.as_text().is_some_and(|path| network::is_secret_path(&path))) {
            self.anomaly("credentials-sent", "a file of credentials", made.range);
            return;
        }
        if made.marks & (ENVIRON | SECRET) != 0 {
            let what = if made.marks & SECRET != 0 { "a credential" } else { "the whole environment" };
            self.anomaly("credentials-sent", what, made.range);
            return;
        }
        // A key in a header is how one's own service is asked.
        let headers = |name: &str| matches!(name, "headers" | "auth" | "cookies" | "token" | "params");
        let named = made.keywords.iter().filter(|(name, _)| !headers(name)).map(|(_, value)| value);
        let own = made.first().and_then(Val::as_text).is_some_and(|address| address.contains("huggingface.co"));
        let given: Vec<u16> = made.arguments.iter().chain(named).map(|value| value.marks).collect();
        if !own && given.iter().any(|marks| marks & TOKEN != 0) {
            self.anomaly("token-sent", "a token of the environment", made.range);
        }
        // A machine asks for its own address by its own name; made part of
        // another's name or of a message, it is told.
        let asks = |marks: u16| made.name.starts_with("socket.gethostby") && marks & (BUILT | PARTIAL) == 0;
        if !own && given.iter().any(|marks| marks & HOST != 0 && !asks(*marks)) {
            self.anomaly("host-sent", "who runs the model, or where", made.range);
        }
    }

    /// Code that is imported from a file that is named like data.
    fn loads_data(&mut self, made: &Made<'_, 'a>) {
        let file = match made.name {
            "runpy.run_path" => made.argument(0, "path_name"),
            "importlib.util.spec_from_file_location" => made.argument(1, "location"),
            "importlib.machinery.SourceFileLoader" | "imp.load_source" => made.argument(1, "path"),
            _ => None,
        };
        if file.is_some_and(|file| file.marks & HUB != 0) {
            self.anomaly("fetched-exec", made.name, made.range);
        }
        let path = match made.name {
            "runpy.run_path" | "zipimport.zipimporter" | "builtins.execfile" => made.text(0, "path_name"),
            "importlib.util.spec_from_file_location" => made.text(1, "location"),
            "importlib.machinery.SourceFileLoader"
            | "importlib.machinery.SourcelessFileLoader"
            | "importlib.machinery.ExtensionFileLoader"
            | "imp.load_source"
            | "imp.load_compiled"
            | "imp.load_dynamic" => made.text(1, "path"),
            "sys.path.insert" => made.text(1, "object"),
            "sys.path.append" | "site.addsitedir" => made.text(0, "object"),
            _ => return,
        };
        let anyone = ["/tmp/", "/var/tmp/", "/dev/shm/"].iter().any(|folder| path.starts_with(folder));
        if is_data_file(&path) || anyone && !made.name.starts_with("sys.") {
            self.anomaly("data-exec", &path, made.range);
        }
    }

    /// Files that a later login, boot or interpreter start runs.
    fn writes(&mut self, made: &Made<'_, 'a>) -> Result<(), Stop> {
        let (index, keyword) = match made.name {
            "builtins.open" | "io.open" | "codecs.open" => {
                if !made.text(1, "mode").contains(['w', 'a', 'x', '+']) {
                    return Ok(());
                }
                (0, "file")
            }
            "os.open" => {
                let shown = self.rendered(made.range);
                if !["O_WRONLY", "O_RDWR", "O_APPEND", "O_CREAT"].iter().any(|flag| shown.contains(flag)) {
                    return Ok(());
                }
                (0, "path")
            }
            "shutil.copy" | "shutil.copyfile" | "shutil.copy2" | "shutil.move" | "os.rename" | "os.replace"
            | "os.symlink" | "os.link" => (1, "dst"),
            "urllib.request.urlretrieve" => (1, "filename"),
            "wget.download" | "gdown.download" => (1, "out"),
            "tensorflow.io.write_file" => (0, "filename"),
            "tensorflow.io.gfile.copy" | "tensorflow.io.gfile.rename" => (1, "dst"),
            "logging.FileHandler" | "logging.handlers.RotatingFileHandler" | "numpy.savetxt" => (0, "filename"),
            name if name.starts_with("fsspec.") => match name.rsplit('.').next() {
                Some("pipe" | "pipe_file" | "write_text" | "write_bytes" | "touch") => (0, "path"),
                Some("get" | "get_file" | "download" | "cp" | "cp_file" | "copy" | "mv" | "move" | "rename") => {
                    (1, "path2")
                }
                _ => return Ok(()),
            },
            "winreg.OpenKey" | "winreg.OpenKeyEx" | "winreg.CreateKey" | "winreg.CreateKeyEx" => {
                let key = made.text(1, "sub_key").to_lowercase();
                if key.contains("currentversion\\run") {
                    self.anomaly("startup-write", &key, made.range);
                }
                return Ok(());
            }
            "builtins.open.write" | "tempfile.NamedTemporaryFile.write" if made.marks & SOURCE != 0 => {
                return self.written_source(made.arguments.first(), made.range);
            }
            _ => return Ok(()),
        };
        if let Some(target) = made.argument(index, keyword) {
            self.written(target, made.range);
        }
        Ok(())
    }

    fn written(&mut self, target: &Val<'a>, range: TextRange) {
        if target.marks & EVERYTHING != 0 {
            self.anomaly("destroys", "whatever it finds", range);
        }
        let Some(path) = target.as_text() else { return };
        if shell::is_startup_path(&path) || target.marks & SITE != 0 && path.ends_with(".pth") {
            self.anomaly("startup-write", &path, range);
        }
    }

    /// Source that the module writes is run by what it starts or imports next.
    fn written_source(&mut self, text: Option<&Val<'a>>, range: TextRange) -> Result<(), Stop> {
        let Some(code) = text.and_then(Val::as_text) else { return Ok(()) };
        if self.quiet == 0 && self.current.is_none() && !self.main && code.contains('(') {
            let child = format!("source written to a file, byte {}", range.start().to_u32());
            self.cx.child_as("python", &child, Input::from(code.replace(GAP, "_").as_bytes()))?;
        }
        Ok(())
    }

    /// A method of a path that is known, at least in part.
    pub(super) fn path_method(
        &mut self,
        path: &Val<'a>,
        method: &str,
        arguments: &[Val<'a>],
        keywords: &[(String, Val<'a>)],
        range: TextRange,
    ) -> Result<Option<Val<'a>>, Stop> {
        let each = path.marks & EVERYTHING != 0;
        if each && matches!(method, "unlink" | "rmdir" | "write_text" | "write_bytes" | "rename" | "replace") {
            self.anomaly("destroys", "whatever it finds", range);
        }
        let Some(text) = path.as_str() else { return Ok(None) };
        let made = Made { name: method, arguments, keywords, marks: path.marks, range };
        let file = || Val::name("builtins.open").with(path.marks | of_file(Some(path)));
        match method {
            "open" => {
                if made.text(0, "mode").contains(['w', 'a', 'x', '+']) {
                    self.written(path, range);
                }
                Ok(Some(file()))
            }
            "read_text" | "read_bytes" => Ok(Some(file())),
            "write_text" | "write_bytes" | "touch" | "symlink_to" | "hardlink_to" => {
                self.written(path, range);
                if text.ends_with(".py") {
                    self.written_source(arguments.first(), range)?;
                }
                Ok(Some(Val::unknown()))
            }
            "rename" => {
                if let Some(target) = arguments.first() {
                    self.written(target, range);
                }
                Ok(None)
            }
            "glob" | "rglob" | "iterdir" => Ok(Some(Val::marked(path.marks | of_listing(path)))),
            _ => Ok(None),
        }
    }

    /// What removes a home, or all that can be found.
    fn destroys(&mut self, made: &Made<'_, 'a>) {
        const REMOVERS: &[&str] = &["os.remove", "os.unlink", "os.rmdir", "os.removedirs", "os.truncate", "os.rename"];
        let Some(path) = made.first() else { return };
        // In a function, what a path is told to be may be one of several.
        let shown = self.rendered(made.range).to_lowercase();
        let written = self.current.is_none() || shown.contains(['\'', '"', '~']) || shown.contains("home");
        let tree = made.name == "shutil.rmtree"
            && written
            && path.as_whole().is_some_and(|text| network::is_everything(&text));
        let each = (made.name == "shutil.rmtree" || REMOVERS.contains(&made.name)) && path.marks & EVERYTHING != 0;
        if tree || each {
            let what = path.as_whole().unwrap_or_else(|| "whatever it finds".to_owned());
            self.anomaly("destroys", &what, made.range);
        }
    }

    /// Memory that is made to run.
    fn memory(&mut self, made: &Made<'_, 'a>) {
        const NATIVE: &[&str] = &[
            "VirtualAlloc",
            "VirtualAllocEx",
            "VirtualProtect",
            "VirtualProtectEx",
            "WriteProcessMemory",
            "CreateRemoteThread",
            "NtAllocateVirtualMemory",
            "NtCreateThreadEx",
            "RtlMoveMemory",
            "QueueUserAPC",
            "mprotect",
            "memfd_create",
        ];
        let last = made.name.rsplit('.').next().unwrap_or_default();
        let native = (made.name.starts_with("ctypes.") || made.name.starts_with("cffi.")) && NATIVE.contains(&last);
        let mapped = made.name == "mmap.mmap"
            && (made.argument(3, "prot").and_then(Val::as_int).is_some_and(|protection| protection & 4 != 0)
                || self.rendered(made.range).contains("PROT_EXEC"));
        if native || mapped {
            self.anomaly("executable-memory", last, made.range);
        }
    }
}
