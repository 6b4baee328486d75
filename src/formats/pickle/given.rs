//! What the texts among a call's arguments look like. Numbers, shapes and the
//! names of things are what honest calls are given; a command line, source
//! code or an address says what the caller is after, whatever the callable.

use super::machine::Machine;
use super::value::{Kind, Node, Shape, Value};
use crate::input::to_u64;
use crate::text::shell;

/// Texts of one call that are looked at, lists within lists included.
const TEXTS: usize = 256;

/// Bytes of a text that is looked at; longer ones are data.
const LENGTH: u64 = 65_536;

/// Programs that a command line begins with and a sentence or label does not.
const PROGRAMS: &[&str] = &[
    "ash",
    "awk",
    "base64",
    "bash",
    "bitsadmin",
    "busybox",
    "calc",
    "cat",
    "certutil",
    "chmod",
    "chown",
    "cmd",
    "cp",
    "crontab",
    "cscript",
    "curl",
    "dash",
    "dd",
    "docker",
    "echo",
    "env",
    "find",
    "gcc",
    "git",
    "id",
    "kill",
    "killall",
    "ksh",
    "kubectl",
    "launchctl",
    "ls",
    "mkdir",
    "mkfifo",
    "mshta",
    "msiexec",
    "mv",
    "nc",
    "ncat",
    "netcat",
    "node",
    "nohup",
    "npm",
    "npx",
    "nslookup",
    "open",
    "osascript",
    "perl",
    "php",
    "ping",
    "pip",
    "pip3",
    "pkill",
    "powershell",
    "printf",
    "ps",
    "pwsh",
    "python",
    "python2",
    "python3",
    "reg",
    "regsvr32",
    "rm",
    "ruby",
    "rundll32",
    "schtasks",
    "scp",
    "setsid",
    "sh",
    "sleep",
    "socat",
    "ssh",
    "start",
    "sudo",
    "systemctl",
    "tar",
    "tee",
    "touch",
    "uname",
    "wget",
    "whoami",
    "wmic",
    "wscript",
    "xargs",
    "xcalc",
    "xdg-open",
    "xterm",
    "zsh",
];

/// Those of them that are ordinary words too: labels of classes, animals,
/// stones. The first of a list is one of these programs only when something
/// behind it looks like its argument.
const WORDS: &[&str] = &[
    "ash", "calc", "cat", "dash", "docker", "env", "find", "git", "id", "kill", "node", "open", "perl", "php", "ping",
    "python", "reg", "ruby", "sleep", "start", "tar", "tee", "touch",
];

/// What stands in Python source and hardly in anything else.
const SOURCE: &[&str] = &[
    "__import__(",
    "os.system",
    "os.popen",
    "subprocess.",
    "exec(",
    "eval(",
    "compile(",
    "open(",
    "print(",
    "lambda:",
    "__class__",
    "__globals__",
    "__builtins__",
    "__subclasses__",
];

/// What the arguments of a call hold that gives it away: `command`, `source`,
/// `address` or `path`, the most telling first.
pub(super) fn kind(machine: &Machine<'_>, args: &[Value]) -> Option<&'static str> {
    let mut waiting: Vec<(Value, Option<Listed>)> = args.iter().rev().map(|arg| (*arg, None)).collect();
    // Words of a command may be the arguments themselves.
    if let [rest @ .., (program, listed)] = waiting.as_mut_slice()
        && is_argv(machine, *program, rest.iter().map(|(value, _)| *value))
    {
        *listed = Some(Listed { operands: true });
    }
    let mut found: Option<&'static str> = None;
    let mut looked = 0_usize;
    while let Some((value, listed)) = waiting.pop() {
        looked = looked.saturating_add(1);
        if looked > TEXTS {
            break;
        }
        if matches!(machine.arena.get(value), Some(Node::Container { .. })) {
            let items = machine.arena.items(value, TEXTS);
            let several = items.len() > 1;
            let operands = items.iter().skip(1).any(|item| is_operand(machine, *item));
            let listed = several.then_some(Listed { operands });
            let first = items.iter().take(1).map(|item| (*item, listed));
            let rest = items.iter().skip(1).map(|item| (*item, None));
            waiting.extend(first.chain(rest));
            continue;
        }
        let short = |span: (u64, u64)| span.1 <= LENGTH;
        let text = machine.text_within(value, LENGTH).or_else(|| {
            machine.bytes_span(value).filter(|span| short(*span))?;
            String::from_utf8(machine.bytes_of(value)?).ok()
        });
        let Some(text) = text else { continue };
        let kind = of_text(&text, listed);
        match (kind, found) {
            (Some("command" | "source"), _) => return kind,
            (Some("address"), _) | (Some(_), None) => found = kind,
            _ => {}
        }
    }
    found
}

/// Whether arguments are the words of a command: what is a name too has an
/// option behind it, every other program an option, a path or an address.
fn is_argv(machine: &Machine<'_>, program: Value, mut rest: impl Iterator<Item = Value>) -> bool {
    let Some(program) = machine.text_within(program, LENGTH) else { return false };
    let named = WORDS.contains(&program.as_str()) || program.contains(char::is_uppercase);
    rest.any(|word| {
        machine
            .text_within(word, LENGTH)
            .is_some_and(|word| if named { word.starts_with('-') } else { looks_like_operand(&word) })
    })
}

/// How the name of an enumeration ends whose members are texts.
const ENUMERATIONS: &[&str] = &[
    "Category",
    "Choice",
    "Choices",
    "Color",
    "Enum",
    "Flag",
    "Flags",
    "Kind",
    "Level",
    "Mode",
    "Option",
    "Options",
    "Phase",
    "Position",
    "Precision",
    "Reduction",
    "Role",
    "Side",
    "Status",
    "Strategy",
    "Style",
    "Type",
    "Types",
    "Unit",
];

/// The longest text that is taken for the value of a member.
const MEMBER: usize = 32;

/// Whether a call tells a class nothing that code could run, open or fetch: it
/// has no argument, or is what `Enum.__reduce_ex__` writes, the class and the
/// value of a member. A word may be the name of a module or file to another
/// class, so the class has to be called like an enumeration as well.
pub(super) fn is_bland(machine: &Machine<'_>, class: &str, args: &[Value]) -> bool {
    let class = class.rsplit('.').next().unwrap_or(class);
    if !class.trim_start_matches('_').starts_with(char::is_uppercase) {
        return false;
    }
    let [value] = args else { return args.is_empty() };
    let number = |value: Value| {
        matches!(value.kind(), Kind::None | Kind::Bool(_) | Kind::Int(_) | Kind::Long(_) | Kind::Float(_))
    };
    let word = |text: &str| {
        text.len() <= MEMBER && text.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-'))
    };
    if let Some(text) = machine.text_within(*value, to_u64(MEMBER).saturating_mul(4)) {
        return ENUMERATIONS.iter().any(|end| class.ends_with(end)) && word(&text) && of_text(&text, None).is_none();
    }
    match machine.arena.get(*value) {
        Some(Node::Container { shape: Shape::Tuple, .. }) => {
            let items = machine.arena.items(*value, TEXTS);
            items.len() < TEXTS && items.into_iter().all(number)
        }
        Some(_) => false,
        None => number(*value),
    }
}

/// A text is the first of several, as the program is among the words of a
/// command.
#[derive(Clone, Copy)]
struct Listed {
    /// One of the others looks like an argument of a program.
    operands: bool,
}

/// An option, a path or an address.
fn is_operand(machine: &Machine<'_>, value: Value) -> bool {
    machine.text_within(value, LENGTH).is_some_and(|text| looks_like_operand(&text))
}

fn looks_like_operand(word: &str) -> bool {
    word.starts_with(['-', '/', '~', '.', '$']) || word.contains('/') || word.trim_end_matches('.').contains('.')
}

/// What one text is.
fn of_text(text: &str, listed: Option<Listed>) -> Option<&'static str> {
    let text = text.trim();
    let program = shell::program(text);
    let alone = !text.contains(char::is_whitespace);
    let known = PROGRAMS.contains(&program.as_str());
    let plain = WORDS.contains(&program.as_str());
    let listed = listed.is_some_and(|listed| listed.operands || !plain);
    let line = !alone && (!plain || text.split_whitespace().skip(1).any(looks_like_operand));
    if known && (listed || line || text.starts_with(['/', '\\'])) || is_script(text) || text.starts_with("sudo ") {
        return Some("command");
    }
    let imports = text.lines().flat_map(|line| line.split(';')).any(|statement| is_import(statement, text));
    let function = text.split_once("lambda ").is_some_and(|(_, rest)| rest.contains(':'));
    if imports || function || SOURCE.iter().any(|part| text.contains(part)) {
        return Some("source");
    }
    if is_address(text) {
        return Some("address");
    }
    is_path(text).then_some("path")
}

/// A statement of `text` that imports a module; "import duties rose" is none.
fn is_import(statement: &str, text: &str) -> bool {
    let mut words = statement.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some("import"), Some(module), next) if is_module(module) => {
            let goes_on = module.ends_with(',') || next.is_none_or(|next| next == "as");
            goes_on && (crate::names::is_stdlib(module) || text.contains(['(', ';', '\n', '=']))
        }
        (Some("from"), Some(_), next) => next == Some("import"),
        _ => false,
    }
}

/// Words that a shell would take apart.
fn is_script(text: &str) -> bool {
    let any = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let certain = any(&["$(", "`", " && ", " || ", " >> ", " 2>", "/dev/tcp/"]);
    // These stand between labels and in sentences as well.
    let doubtful = any(&[" | ", "; ", " > "]);
    (certain || doubtful)
        && text.split(['|', ';', '&', '(', ')', '`']).any(|part| {
            let program = shell::program(part);
            let plain = WORDS.contains(&program.as_str());
            PROGRAMS.contains(&program.as_str())
                && (certain || !plain || part.split_whitespace().skip(1).any(looks_like_operand))
        })
}

fn is_module(word: &str) -> bool {
    word.trim_end_matches(',')
        .split('.')
        .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

fn is_address(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let scheme = scheme.rsplit(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-' | '.')).next();
    scheme.is_some_and(|scheme| (2..=16).contains(&scheme.len()))
        && rest.chars().next().is_some_and(|c| !c.is_whitespace())
}

fn is_path(text: &str) -> bool {
    const ENDINGS: &[&str] = &[
        ".py", ".pyc", ".pyd", ".so", ".dll", ".dylib", ".sh", ".bat", ".ps1", ".exe", ".pkl", ".pickle", ".joblib",
        ".pt", ".pth", ".yaml", ".yml", ".json", ".txt", ".csv", ".zip", ".tar", ".gz", ".h5", ".keras", ".onnx",
    ];
    if text.contains('\n') || text.len() > 1024 {
        return false;
    }
    let drive = text.get(1..3).is_some_and(|start| matches!(start, ":\\" | ":/"));
    text.starts_with(['/', '~']) && text.len() > 1
        || drive
        || text.contains("../")
        || ENDINGS.iter().any(|ending| text.ends_with(ending)) && !text.contains(' ')
}
