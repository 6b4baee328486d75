//! Shell commands: what a line of a script, a notebook's `!` line or the
//! argument of `os.system` would do.

/// What a command does that is worth a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Act {
    /// `fetch-run`, `reverse-shell`, `decode-run`, `destroy`, `startup`.
    pub what: &'static str,
    /// Where from, for what is fetched.
    pub source: String,
    /// Whether the source is plain HTTP, a bare address or unknown
    /// (`open`), or named and encrypted (`https`).
    pub transport: &'static str,
}

const FETCHERS: &[&str] = &[
    "curl",
    "curl.exe",
    "wget",
    "fetch",
    "iwr",
    "irm",
    "invoke-webrequest",
    "invoke-restmethod",
    "start-bitstransfer",
    "bitsadmin",
    "certutil",
    "lwp-download",
    "aria2c",
];

/// Words that start what follows them, besides shells.
const STARTERS: &[&str] = &["start", "start-process", "source", ".", "call", "sudo", "nohup", "exec"];
const SHELLS: &[&str] = &[
    "sh",
    "bash",
    "zsh",
    "dash",
    "ksh",
    "ash",
    "python",
    "python3",
    "python2",
    "perl",
    "ruby",
    "node",
    "php",
    "iex",
    "invoke-expression",
    "pwsh",
    "powershell",
];

/// Whether a command line that changes what starts up changes no more than the
/// image that is being built. Keys, preloaded libraries and hooks are a way into
/// the image, too.
pub(crate) fn stays_in_image(line: &str) -> bool {
    let lower = line.to_lowercase();
    let ways = ["authorized_keys", "ld.so.preload", ".git/hooks", ".ssh/", "site-packages", "customize.py"];
    !ways.iter().any(|way| lower.contains(way))
}

/// The acts in `script`, in order, with the offset of their line.
pub(crate) fn acts(script: &str) -> Vec<(usize, Act)> {
    let mut found = Vec::new();
    let mut offset = 0_usize;
    let mut saved: Vec<(String, String)> = Vec::new();
    for line in script.split_inclusive('\n') {
        let text = line.trim();
        if !text.starts_with('#') || text.starts_with("#!") {
            let acts = line_acts(text);
            let lower = text.to_lowercase();
            if acts.is_empty()
                && let Some((_, source)) = saved.iter().find(|(name, _)| starts(&lower, name))
            {
                let transport = transport(source);
                found.push((offset, Act { what: "fetch-run", source: source.clone(), transport }));
            }
            found.extend(acts.into_iter().map(|act| (offset, act)));
            if saved.len() < SAVED {
                saved.extend(saves(&lower));
            }
        }
        offset = offset.saturating_add(line.len());
    }
    found
}

/// Files that a script fetches and that are watched for.
const SAVED: usize = 64;

/// The file that a line fetches without running it, and its address.
fn saves(line: &str) -> Option<(String, String)> {
    if !words(line).any(|word| FETCHERS.contains(&word)) {
        return None;
    }
    let source = address(line)?;
    let mut given = line.split_whitespace().skip_while(|word| {
        !matches!(*word, "-o" | "--output" | "--output-document" | "-outfile" | "-destination" | ">")
    });
    // Of `curl -O`, the next word is the address.
    let named = given.nth(1).filter(|name| !name.contains("://") && !name.starts_with('-'));
    // `certutil` and `bitsadmin` name the file last.
    let last = line.split_whitespace().next_back().filter(|name| !name.contains("://") && !name.starts_with('-'));
    let name = named.or(last).unwrap_or(&source);
    Some((file_name(name).to_owned(), source)).filter(|(name, _)| !name.is_empty())
}

/// The last part of a path or address, without quotes.
fn file_name(path: &str) -> &str {
    let path = path.trim_matches(['"', '\'', '`']);
    let path = path.split(['?', '#']).next().unwrap_or(path);
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Whether a line starts the file called `name`.
fn starts(line: &str, name: &str) -> bool {
    line.split(['&', ';', '|']).any(|part| {
        let mut words = words(part).skip_while(|word| {
            let program = word.rsplit(['/', '\\']).next().unwrap_or(word);
            SHELLS.contains(&program) || STARTERS.contains(word) || word.starts_with('-')
        });
        words.next().is_some_and(|word| file_name(word) == name)
    })
}

/// The acts of one command line.
pub(crate) fn line_acts(line: &str) -> Vec<Act> {
    let lower = line.to_lowercase();
    let mut found = Vec::new();
    let plain = |what: &'static str| Act { what, source: String::new(), transport: "none" };
    if is_reverse_shell(&lower) {
        found.push(plain("reverse-shell"));
    }
    if let Some(source) = fetched_and_run(&lower).or_else(|| run_from_afar(&lower)) {
        let transport = transport(&source);
        found.push(Act { what: "fetch-run", source, transport });
    }
    if is_decoded_and_run(&lower) {
        found.push(plain("decode-run"));
    }
    if lower.contains("rm -rf / ")
        || lower.ends_with("rm -rf /")
        || lower.contains("rm -rf /*")
        || lower.contains("rm -rf ~ ")
        || lower.ends_with("rm -rf ~")
        || lower.contains(":(){ :|:& };:")
        || lower.contains("mkfs.ext") && lower.contains("/dev/sd")
    {
        found.push(plain("destroy"));
    }
    if is_startup_write(&lower) {
        found.push(plain("startup"));
    }
    found
}

fn is_reverse_shell(line: &str) -> bool {
    line.contains("/dev/tcp/")
        || line.contains("/dev/udp/") && line.contains("sh")
        || words(line).any(|word| matches!(word, "nc" | "ncat" | "netcat"))
            && (line.contains(" -e ") || line.contains(" -c ") || line.contains("mkfifo"))
        || line.contains("mkfifo") && line.contains("/bin/sh")
        || line.contains("bash -i") && line.contains(">&")
        || line.contains("socat ") && line.contains("exec:")
}

/// The address of something that is downloaded and handed to an interpreter.
fn fetched_and_run(line: &str) -> Option<String> {
    let fetcher = words(line).any(|word| FETCHERS.contains(&word))
        || line.contains("downloadstring(")
        || line.contains("urlopen(")
        || line.contains("downloadfile(");
    if !fetcher {
        return None;
    }
    let piped = line.split('|').skip(1).any(|part| {
        let mut words = words(part).skip_while(|word| matches!(*word, "sudo" | "env" | "-e" | "tee" | "exec"));
        words.next().is_some_and(|word| SHELLS.contains(&word) && !has_program(word, words.next(), part))
    });
    let substituted = (line.contains("$(") || line.contains("<(") || line.contains('`'))
        && words(line).any(|word| SHELLS.contains(&word) || matches!(word, "eval" | "source"));
    let evaluated = line.contains("iex ") || line.contains("iex(") || line.contains("invoke-expression");
    let saved = line.contains("chmod +x") || line.contains("chmod 7") || line.contains("chmod a+x") || {
        let after = line.split(['&', ';']).skip(1);
        after.into_iter().any(|part| {
            let mut words = words(part);
            let first = words.next().unwrap_or_default();
            let second = words.next().unwrap_or_default();
            first.starts_with("./")
                || first.starts_with(".\\")
                || first.ends_with(".exe") && !FETCHERS.contains(&first)
                || matches!(first, "start" | "start-process")
                || (SHELLS.contains(&first) && second.starts_with(['/', '.']))
        })
    };
    (piped || substituted || evaluated || saved).then(|| address(line).unwrap_or_default())
}

/// The address of a script that a program of Windows fetches and runs itself.
fn run_from_afar(line: &str) -> Option<String> {
    let runs = words(line).any(|word| matches!(word.trim_end_matches(".exe"), "mshta" | "regsvr32" | "rundll32"));
    address(line).filter(|_| runs)
}

/// Whether the interpreter called `shell` is given its program by `flag`, so
/// that what is piped into it is data, unless that program evaluates it.
fn has_program(shell: &str, flag: Option<&str>, command: &str) -> bool {
    let Some(letters) = flag.and_then(|flag| flag.strip_prefix('-')) else { return false };
    let takes: &[char] = if shell.ends_with("sh") { &['c'] } else { &['c', 'e', 'm'] };
    let given = !letters.starts_with('-') && letters.contains(takes);
    given && !command.contains("exec") && !command.contains("eval") && !command.contains("system")
}

fn is_decoded_and_run(line: &str) -> bool {
    (line.contains("base64 -d")
        || line.contains("base64 --decode")
        || line.contains("xxd -r")
        || line.contains("b64decode"))
        && (line.split('|').skip(2).any(|part| words(part).next().is_some_and(|word| SHELLS.contains(&word)))
            || line.contains("eval ")
            || line.contains("eval(")
            || line.contains("exec("))
        || (line.contains("powershell") || line.contains("pwsh"))
            && (line.contains(" -enc ") || line.contains(" -e ") || line.contains(" -encodedcommand"))
}

/// Files that a later login or boot runs.
const STARTUP: &[&str] = &[
    ".bashrc",
    ".bash_profile",
    ".profile",
    ".zshrc",
    ".zprofile",
    "/etc/cron",
    "/var/spool/cron",
    "/etc/rc.local",
    "/etc/profile",
    "/etc/ld.so.preload",
    "authorized_keys",
    "/etc/systemd/system",
    ".config/autostart",
    "launchagents",
    "launchdaemons",
    "sitecustomize.py",
    "usercustomize.py",
    "start menu\\programs\\startup",
    "/etc/init.d",
    ".config/systemd/user",
    ".config/fish/config.fish",
    ".config/fish/conf.d",
    ".ipython/profile_default/startup",
    ".git/hooks",
    ".xprofile",
    ".pam_environment",
    ".ssh/rc",
    "/etc/sudoers",
    ".pip/pip.conf",
    ".config/pip/pip.conf",
];

/// Whether `path` is one that a later login, boot or interpreter start runs.
pub(crate) fn is_startup_path(path: &str) -> bool {
    let lower = path.to_lowercase();
    STARTUP.iter().any(|part| names(&lower, part)) || lower.contains("site-packages") && lower.ends_with(".pth")
}

/// Whether `path` has `part` as a whole: `.profile` is no part of `.profiler`
/// or `run.profile`.
fn names(path: &str, part: &str) -> bool {
    if !part.starts_with('.') {
        return path.contains(part);
    }
    path.match_indices(part).any(|(at, found)| {
        let before = path.get(..at).unwrap_or_default().chars().next_back();
        let after = path.get(at.saturating_add(found.len())..).unwrap_or_default().chars().next();
        !before.is_some_and(|char| char.is_alphanumeric() || char == '_')
            && !after.is_some_and(|char| char.is_alphanumeric() || matches!(char, '_' | '-'))
    })
}

fn is_startup_write(line: &str) -> bool {
    let writes = line.contains('>') || line.contains("tee ") || line.contains("cp ") || line.contains("crontab -");
    line.contains("| crontab")
        || writes && line.split(['>', ' ']).any(|word| is_startup_path(word) && !word.contains("cp"))
        && (line.contains(">>") || line.contains("tee -a") || line.contains("> ~") || line.contains("> /"))
        // Adding to PATH is what installers do, and they set variables.
        && !line.contains("path=")
        && !is_setting(line)
}

/// What a line that is added to a shell's own file begins with when it sets
/// that shell up.
const SETTINGS: &[&str] = &[
    "export ",
    "alias ",
    "source ",
    ". ",
    "conda activate ",
    "cd ",
    "ps1=",
    "set -o ",
    "setopt ",
    "shopt ",
    "stty ",
    "ulimit ",
    "umask ",
    "bindkey ",
    "autoload ",
];

/// Programs that print what sets a shell up for them: `eval "$(pyenv init -)"`.
const INITIALISERS: &[&str] = &[
    "brew",
    "conda",
    "direnv",
    "fnm",
    "mamba",
    "micromamba",
    "mise",
    "nodenv",
    "pyenv",
    "rbenv",
    "starship",
    "zoxide",
];

/// Whether a line only sets up a shell in that shell's own file: every command
/// of it that names a file of that sort adds a variable, an alias, a prompt, or
/// links to conda's.
fn is_setting(line: &str) -> bool {
    let mut about =
        commands(line).into_iter().filter(|command| command.split(['>', ' ']).any(is_startup_path)).peekable();
    about.peek().is_some() && about.all(|command| adds_setting(command) || links_conda(command))
}

fn adds_setting(command: &str) -> bool {
    let written = command.trim_start_matches("run ").trim_start_matches("sudo ").trim_start();
    let Some(text) = written.strip_prefix("echo ").or_else(|| written.strip_prefix("printf ")) else { return false };
    let shells_own = ["bashrc", "zshrc", "bash_profile", ".profile", "/etc/profile"];
    let end = text.rfind(">>").or_else(|| text.rfind("| tee -a ")).or_else(|| text.rfind("| sudo tee -a "));
    let Some((text, to)) = end.and_then(|end| text.split_at_checked(end)) else { return false };
    let text = text.trim_start_matches("-e ").trim_start_matches(['"', '\'', ' ']).trim_end_matches(['"', '\'', ' ']);
    if !shells_own.iter().any(|file| to.contains(file)) {
        return false;
    }
    let more = ["`", "$(", ";", "|", "curl", "wget", "&&", "ld_preload", "prompt_command", "/tmp", "/dev/"];
    let plain = !more.iter().any(|mark| text.contains(mark));
    plain && SETTINGS.iter().any(|start| text.starts_with(start)) || is_initialiser(text)
}

/// `eval "$(pyenv init -)"`: what a known tool prints, and nothing besides.
fn is_initialiser(text: &str) -> bool {
    let inner = text.strip_prefix("eval ").map(|rest| rest.trim_matches(['"', '\\', ' ']));
    let Some(inner) = inner.and_then(|inner| inner.strip_prefix("$(")?.strip_suffix(')')) else { return false };
    let mut words = inner.split(' ');
    let program = words.next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '/' | ' ');
    INITIALISERS.contains(&program) && inner.chars().all(plain) && !inner.contains("/tmp")
}

/// `ln -s /opt/conda/etc/profile.d/conda.sh /etc/profile.d/conda.sh`, as conda's
/// own images have it.
fn links_conda(command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().filter(|word| *word != "run" && *word != "sudo").collect();
    matches!(words.as_slice(), ["ln", "-s" | "-sf", from, "/etc/profile.d/conda.sh"] if from.ends_with("conda/etc/profile.d/conda.sh"))
}

/// The commands of a line, as they stand between `&&`, `||` and `;` outside of
/// quotes.
fn commands(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut quote, mut start, mut skipped) = (None, 0_usize, false);
    for (at, letter) in line.char_indices() {
        match (quote, letter) {
            _ if skipped => skipped = false,
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            (None | Some('"'), '\\') => skipped = true,
            (None, '&' | ';') | (None, '|')
                if letter != '|' || line.get(at..).is_some_and(|rest| rest.starts_with("||")) =>
            {
                found.push(line.get(start..at).unwrap_or_default());
                start = at.saturating_add(1);
            }
            _ => {}
        }
    }
    found.push(line.get(start..).unwrap_or_default());
    found
        .into_iter()
        .map(|command| command.trim_matches(['&', '|', ' ']))
        .filter(|command| !command.is_empty())
        .collect()
}

/// The words of a command, without quotes and paths before a program's name.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| {
        char.is_whitespace() || matches!(char, '\'' | '"' | '(' | ')' | '`' | ';' | '&' | '|' | '$')
    })
    .filter(|word| !word.is_empty())
    .map(|word| match word.strip_prefix("/usr/bin/").or_else(|| word.strip_prefix("/bin/")) {
        Some(program) => program,
        None => word,
    })
}

/// The first address in `text`.
pub(crate) fn address(text: &str) -> Option<String> {
    let at = text.find("http://").or_else(|| text.find("https://")).or_else(|| text.find("ftp://"))?;
    let rest = text.get(at..)?;
    let end =
        rest.find(|char: char| char.is_whitespace() || matches!(char, '\'' | '"' | '|' | ')' | '`' | ';' | '<' | '>'));
    Some(rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest).to_owned())
}

/// `https` for a named host reached by TLS, else `open`.
pub(crate) fn transport(address: &str) -> &'static str {
    let Some(rest) = address.strip_prefix("https://") else { return "open" };
    let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
    let numeric = host.starts_with('[') || host.chars().all(|char| char.is_ascii_digit() || char == '.');
    if numeric || host.is_empty() { "open" } else { "https" }
}

/// The program that a command line starts, without its folder.
pub(crate) fn program(command: &str) -> String {
    let mut words = command.split_whitespace().filter(|word| !word.contains('=') && !matches!(*word, "sudo" | "env"));
    let first = words.next().unwrap_or_default().trim_matches(['\'', '"']);
    first.rsplit(['/', '\\']).next().unwrap_or(first).trim_end_matches(".exe").to_lowercase()
}

/// Programs that only turn the text of the one before them.
const FILTERS: &[&str] = &[
    "grep", "egrep", "head", "tail", "wc", "cut", "awk", "sort", "uniq", "tr", "cat", "echo", "true", "cd", "sed",
    "test", "[", "printf", "set", "export", "source", "exit", "less", "pushd", "popd", "column", "dirname", "basename",
];

/// The programs that a line starts, one name when they are all the same; what
/// only filters does not count beside another.
pub(crate) fn programs(line: &str) -> String {
    let parts = line.split(['|', ';', '&', '\n', '`']).flat_map(|part| part.split("$("));
    let started: Vec<String> = parts
        .map(str::trim)
        // What is left of `2>&1` and `&>file`.
        .filter(|part| !part.is_empty() && !part.starts_with(['>', '1', '2', ')']))
        .map(|part| {
            let program = program(part);
            let words: Vec<&str> = part.split_whitespace().skip(1).collect();
            named(&program, &words)
        })
        .filter(|program| !program.is_empty())
        .collect();
    let mut telling: Vec<&String> = started.iter().filter(|program| !FILTERS.contains(&program.as_str())).collect();
    telling.dedup();
    match telling.as_slice() {
        [] => started.first().cloned().unwrap_or_default(),
        telling => telling.iter().map(|program| program.as_str()).collect::<Vec<_>>().join("+"),
    }
}

/// What a program is called that does something else with these words than
/// its name tells: `python -m pip` is `pip`, and `git` runs what some of its
/// settings name.
pub(crate) fn named(program: &str, words: &[&str]) -> String {
    let version = |rest: &str| rest.chars().all(|char| char.is_ascii_digit() || char == '.');
    if program.strip_prefix("python").is_some_and(version)
        && let ["-m", module, ..] = words
        && matches!(*module, "pip" | "ensurepip")
    {
        return "pip".to_owned();
    }
    if program == "git" {
        let line = words.join(" ").to_lowercase();
        let runs =
            ["core.sshcommand", "core.fsmonitor", "core.hookspath", "core.pager", "core.editor", "core.gitproxy"];
        if runs.iter().any(|setting| line.contains(setting))
            || ["--upload-pack", "--receive-pack", "ext::", "alias.", "--exec="].iter().any(|part| line.contains(part))
        {
            return "git with a command of its own".to_owned();
        }
    }
    // A makefile that lies elsewhere, or stands in the command, is a script.
    if matches!(program, "make" | "gmake" | "nmake") {
        let elsewhere = |path: &str| path.starts_with(['/', '~']) || path.contains("tmp") || path == "-";
        let given = words.windows(2).any(|pair| {
            let [option, path] = pair else { return false };
            matches!(*option, "-f" | "--file" | "--makefile" | "-C" | "--directory") && elsewhere(path)
        });
        let joined = words.iter().any(|word| {
            word.starts_with("--eval")
                || word.split_once('=').is_some_and(|(option, path)| option.starts_with("--") && elsewhere(path))
                || word.strip_prefix("-f").is_some_and(|path| !path.is_empty() && elsewhere(path))
        });
        if given || joined {
            return "make with a makefile of its own".to_owned();
        }
    }
    program.to_owned()
}

/// Whether a line installs Python packages; `true` when from an address rather
/// than from the usual index.
pub(crate) fn installs(line: &str) -> Option<bool> {
    let words: Vec<&str> = words(line).collect();
    let at = words.windows(2).position(|pair| matches!(pair, ["pip" | "pip3" | "uv" | "easy_install", "install"]))?;
    let rest = words.get(at..).unwrap_or_default();
    let known = |address: &str| {
        [
            "https://download.pytorch.org/",
            "https://pypi.org/",
            "https://pypi.nvidia.com",
            "https://storage.googleapis.com/",
        ]
        .iter()
        .any(|known| address.starts_with(known))
    };
    let open = rest.iter().any(|word| {
        word.find("http://").is_some()
            || word.find("https://").is_some_and(|at| {
                let address = word.get(at..).unwrap_or_default();
                !word.contains("git+https://github.com/")
                    && !known(address)
                    && !address.starts_with("https://github.com/")
                    && !address.starts_with("https://huggingface.co/")
            })
    });
    Some(open)
}
