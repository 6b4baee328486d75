//! Pure operations on known values: joins, slices, decoders. What they give
//! is bounded; anything unknown stays unknown.

use std::rc::Rc;

use crate::text::encoded;

use super::decode::{codec_decode, decodes};
use super::value::{BUILT, CARRIED, DECODED, GAP, PARTIAL, SCATTERED, Val, What};

/// Longest value that is followed: a payload in source is a few kilobytes.
pub(super) const LONGEST: usize = 4 << 20;

/// `left + right`
pub(super) fn add<'a>(left: &Val<'a>, right: &Val<'a>) -> Val<'a> {
    let marks = (left.marks | right.marks) & CARRIED | BUILT;
    match (&left.what, &right.what) {
        (What::Str(a), What::Str(b)) if a.len().saturating_add(b.len()) <= LONGEST => {
            Val::text(format!("{a}{b}"), marks)
        }
        (What::Bytes(a), What::Bytes(b)) if a.len().saturating_add(b.len()) <= LONGEST => {
            Val::bytes([a.as_ref(), b.as_ref()].concat(), marks)
        }
        (What::Int(a), What::Int(b)) => a.checked_add(*b).map_or_else(Val::unknown, Val::int),
        (What::List(a), What::List(b)) if a.len().saturating_add(b.len()) <= LONGEST => {
            Val::list(a.iter().chain(b.iter()).cloned().collect())
        }
        // What is known of a path or a command is worth keeping.
        (What::Str(a), What::Unknown | What::Name(_)) if a.len() < LONGEST => {
            Val::text(format!("{a}{GAP}"), marks | PARTIAL)
        }
        (What::Unknown | What::Name(_), What::Str(b)) if b.len() < LONGEST => {
            Val::text(format!("{GAP}{b}"), marks | PARTIAL)
        }
        _ => Val::marked(marks & CARRIED),
    }
}

/// Any other arithmetic, and `%` of a format.
pub(super) fn arithmetic<'a>(left: &Val<'a>, operator: ruff_python_ast::Operator, right: &Val<'a>) -> Val<'a> {
    use ruff_python_ast::Operator;
    let marks = (left.marks | right.marks) & CARRIED;
    if operator == Operator::Add {
        return add(left, right);
    }
    if let (What::Int(a), What::Int(b)) = (&left.what, &right.what) {
        let value = match operator {
            Operator::Sub => a.checked_sub(*b),
            Operator::Mult => a.checked_mul(*b),
            Operator::Mod => a.checked_rem_euclid(*b),
            Operator::FloorDiv => a.checked_div_euclid(*b),
            Operator::BitXor => Some(a ^ b),
            Operator::BitAnd => Some(a & b),
            Operator::BitOr => Some(a | b),
            Operator::LShift => u32::try_from(*b).ok().filter(|by| *by < 32).and_then(|by| a.checked_shl(by)),
            Operator::RShift => u32::try_from(*b).ok().and_then(|by| a.checked_shr(by)),
            _ => None,
        };
        return value.map_or_else(Val::unknown, Val::int).with(marks);
    }
    match (&left.what, operator, &right.what) {
        (What::Str(format), Operator::Mod, _) => {
            let arguments = match &right.what {
                What::List(items) => items.as_ref().clone(),
                _ => vec![right.clone()],
            };
            let partial = if arguments.iter().all(|argument| shown(argument).is_some()) { 0 } else { PARTIAL };
            let text = percent(format, &arguments);
            text.map_or_else(|| Val::marked(marks), |text| Val::text(text, marks | BUILT | partial))
        }
        (What::Str(text), Operator::Mult, What::Int(times)) => {
            let times = usize::try_from(*times).unwrap_or(0);
            if text.len().saturating_mul(times) > LONGEST {
                return Val::marked(marks);
            }
            Val::text(text.repeat(times), marks | BUILT)
        }
        // `Path.home() / ".bashrc"`: what is known of the path is its end.
        (_, Operator::Div, What::Str(_)) => join_path("", &[left.clone(), right.clone()], marks),
        (What::Str(_), Operator::Div, What::Unknown) => join_path("", &[left.clone(), right.clone()], marks),
        _ => Val::marked(marks),
    }
}

/// `'%s%c' % arguments`
fn percent(format: &str, arguments: &[Val<'_>]) -> Option<String> {
    let mut out = String::new();
    let mut arguments = arguments.iter();
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            out.push(char);
            continue;
        }
        match chars.next()? {
            '%' => out.push('%'),
            's' | 'd' | 'r' => out.push_str(&shown_or_gap(arguments.next()?)),
            'c' => {
                let argument = arguments.next()?;
                match argument.as_int() {
                    Some(code) => out.push(char::from_u32(u32::try_from(code).ok()?)?),
                    None => out.push_str(argument.as_str()?),
                }
            }
            _ => return None,
        }
    }
    Some(out)
}

fn shown(value: &Val<'_>) -> Option<String> {
    match &value.what {
        What::Str(text) => Some(text.to_string()),
        What::Int(value) => Some(value.to_string()),
        _ => None,
    }
}

fn shown_or_gap(value: &Val<'_>) -> String {
    shown(value).unwrap_or_else(|| GAP.to_string())
}

/// `'{}{}'.format(...)`: positional fields only.
fn braces(format: &str, arguments: &[Val<'_>]) -> Option<String> {
    let mut out = String::new();
    let mut next = 0_usize;
    let mut rest = format;
    while let Some(at) = rest.find('{') {
        out.push_str(rest.get(..at)?);
        let after = rest.get(at.saturating_add(1)..)?;
        let end = after.find('}')?;
        let field = after.get(..end)?;
        let index = if field.is_empty() { next } else { field.parse().ok()? };
        next = next.saturating_add(1);
        out.push_str(&shown_or_gap(arguments.get(index)?));
        rest = after.get(end.saturating_add(1)..)?;
    }
    out.push_str(rest);
    Some(out)
}

/// `value[index]`
pub(super) fn index<'a>(value: &Val<'a>, index: &Val<'a>) -> Option<Val<'a>> {
    if let What::Dict(pairs) = &value.what {
        let found = pairs.iter().rev().find(|(key, _)| match (&key.what, &index.what) {
            (What::Str(a), What::Str(b)) => a == b,
            (What::Int(a), What::Int(b)) => a == b,
            _ => false,
        });
        return found.map(|(_, value)| value.clone());
    }
    let at = index.as_int()?;
    let items = value.items()?;
    let at = if at < 0 {
        items.len().checked_sub(usize::try_from(at.unsigned_abs()).ok()?)?
    } else {
        usize::try_from(at).ok()?
    };
    items.get(at).cloned().map(|item| item.with(value.marks))
}

/// `value[start:stop:step]`; `None` for a bound that is left out.
pub(super) fn slice<'a>(value: &Val<'a>, start: Option<i64>, stop: Option<i64>, step: Option<i64>) -> Val<'a> {
    let turned = if step.is_some_and(|step| step < 0) { SCATTERED } else { 0 };
    let marks = value.marks | BUILT | turned;
    let Some(items) = value.items() else { return Val::marked(value.marks & CARRIED) };
    let len = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let step = step.unwrap_or(1);
    if step == 0 {
        return Val::marked(marks);
    }
    let clamp = |bound: i64, low: i64, high: i64| {
        let bound = if bound < 0 { bound.saturating_add(len) } else { bound };
        bound.clamp(low, high)
    };
    let (low, high) = if step > 0 { (0, len) } else { (-1, len.saturating_sub(1)) };
    let (first, last) = if step > 0 { (0, len) } else { (len.saturating_sub(1), -1) };
    let mut at = start.map_or(first, |start| clamp(start, low, high));
    let end = stop.map_or(last, |stop| clamp(stop, low, high));
    let mut picked = Vec::new();
    while (step > 0 && at < end) || (step < 0 && at > end) {
        picked.extend(usize::try_from(at).ok().and_then(|at| items.get(at)).cloned());
        at = at.saturating_add(step);
    }
    gather(value, picked, marks)
}

/// Items back into the kind of sequence that `like` is.
fn gather<'a>(like: &Val<'a>, items: Vec<Val<'a>>, marks: u16) -> Val<'a> {
    match &like.what {
        What::Str(_) => Val::text(items.iter().filter_map(Val::as_str).collect::<String>(), marks),
        What::Bytes(_) => Val::bytes(octets(&items).unwrap_or_default(), marks),
        _ => Val::list(items).with(marks),
    }
}

fn octets(items: &[Val<'_>]) -> Option<Vec<u8>> {
    items.iter().map(|item| item.as_int().and_then(|value| u8::try_from(value).ok())).collect()
}

/// A method of a known string, bytes object or list.
pub(super) fn method<'a>(value: &Val<'a>, name: &str, arguments: &[Val<'a>]) -> Option<Val<'a>> {
    let marks = value.marks & CARRIED;
    let first = arguments.first();
    if name == "join" {
        let items = first?.items()?;
        let marks = marks | first?.marks | BUILT | items.iter().fold(0, |marks, item| marks | item.marks);
        return match &value.what {
            What::Str(by) => {
                let parts: Option<Vec<&str>> = items.iter().map(Val::as_str).collect();
                Some(Val::text(parts?.join(by), marks))
            }
            What::Bytes(by) => {
                let parts: Option<Vec<&[u8]>> = items.iter().map(Val::as_bytes).collect();
                Some(Val::bytes(parts?.join(by.as_ref()), marks))
            }
            _ => None,
        };
    }
    match (&value.what, name) {
        (What::Dict(pairs), _) => table_method(value, pairs, name, arguments),
        (What::Bytes(bytes), "decode") => {
            let codec = first.and_then(Val::as_str).unwrap_or("utf-8");
            codec_decode(bytes, codec, value.marks)
        }
        (What::Bytes(bytes), "hex") => Some(Val::text(crate::rules::hex(bytes), marks)),
        (What::Str(text), "encode") => match first.and_then(Val::as_str).unwrap_or("utf-8") {
            "latin-1" | "latin1" | "iso-8859-1" => {
                let bytes: Option<Vec<u8>> = text.chars().map(|char| u8::try_from(u32::from(char)).ok()).collect();
                Some(Val::bytes(bytes?, value.marks))
            }
            _ => Some(Val::bytes(text.as_bytes(), value.marks)),
        },
        (What::Str(text), _) => text_method(text, name, arguments, value.marks),
        (What::Bytes(bytes), "strip" | "replace" | "rstrip" | "lstrip") => {
            let text = std::str::from_utf8(bytes).ok()?;
            let out = text_method(text, name, arguments, value.marks)?;
            Some(Val::bytes(out.as_bytes()?, out.marks))
        }
        _ => None,
    }
}

fn table_method<'a>(
    value: &Val<'a>,
    pairs: &Rc<Vec<(Val<'a>, Val<'a>)>>,
    name: &str,
    arguments: &[Val<'a>],
) -> Option<Val<'a>> {
    match name {
        "get" | "pop" | "setdefault" | "__getitem__" => {
            index(value, arguments.first()?).or_else(|| arguments.get(1).cloned())
        }
        "items" => Some(Val::list(pairs.iter().map(|(key, of)| Val::list(vec![key.clone(), of.clone()])).collect())),
        "keys" => Some(Val::list(pairs.iter().map(|(key, _)| key.clone()).collect())),
        "values" => Some(Val::list(pairs.iter().map(|(_, of)| of.clone()).collect())),
        "copy" => Some(value.clone()),
        _ => None,
    }
}

/// `Path(start, …).joinpath(…)`, of which the unknown parts stay open.
pub(super) fn join_path<'a>(start: &str, parts: &[Val<'a>], marks: u16) -> Val<'a> {
    let mut path = start.to_owned();
    let mut marks = marks;
    for part in parts {
        marks |= part.marks & CARRIED;
        if !path.is_empty() {
            path.push('/');
        }
        match part.as_str() {
            Some(part) => path.push_str(part),
            None => {
                path.push(GAP);
                marks |= PARTIAL;
            }
        }
    }
    Val::text(path, marks)
}

fn text_method<'a>(text: &str, name: &str, arguments: &[Val<'a>], marks: u16) -> Option<Val<'a>> {
    let built = marks | BUILT;
    let given = |index: usize| arguments.get(index).and_then(Val::as_text);
    Some(match name {
        "lower" | "casefold" => Val::text(text.to_lowercase(), marks),
        "upper" => Val::text(text.to_uppercase(), marks),
        "swapcase" => {
            let swapped =
                |char: char| if char.is_lowercase() { char.to_ascii_uppercase() } else { char.to_ascii_lowercase() };
            Val::text(text.chars().map(swapped).collect::<String>(), built)
        }
        "strip" | "lstrip" | "rstrip" => {
            let set: Vec<char> = given(0).map_or_else(|| vec![' ', '\t', '\n', '\r'], |set| set.chars().collect());
            let cut = match name {
                "strip" => text.trim_matches(set.as_slice()),
                "lstrip" => text.trim_start_matches(set.as_slice()),
                _ => text.trim_end_matches(set.as_slice()),
            };
            Val::text(cut, marks)
        }
        "replace" => {
            let out = text.replace(&given(0)?, &given(1)?);
            if out.len() > LONGEST {
                return None;
            }
            Val::text(out, built)
        }
        "split" => match given(0) {
            Some(by) if !by.is_empty() => Val::list(text.split(&by).map(|part| Val::text(part, built)).collect()),
            _ => Val::list(text.split_whitespace().map(|part| Val::text(part, built)).collect()),
        },
        "format" => {
            let partial = if arguments.iter().all(|argument| shown(argument).is_some()) { 0 } else { PARTIAL };
            let given = arguments.iter().fold(0, |marks, argument| marks | argument.marks) & CARRIED;
            Val::text(braces(text, arguments)?, built | given | partial)
        }
        // A path is kept as its text.
        "expanduser" | "resolve" | "absolute" | "as_posix" => Val::text(text, marks),
        "joinpath" => join_path(text, arguments, marks),
        "removeprefix" => Val::text(text.strip_prefix(&given(0)?).unwrap_or(text), built),
        "removesuffix" => Val::text(text.strip_suffix(&given(0)?).unwrap_or(text), built),
        "translate" | "zfill" | "ljust" | "rjust" | "center" => return None,
        _ => return None,
    })
}

/// A function of the standard library that only computes.
pub(super) fn function<'a>(name: &str, arguments: &[Val<'a>]) -> Option<Val<'a>> {
    let first = arguments.first();
    let marks = first.map_or(0, |first| first.marks);
    let decoded = marks | DECODED;
    let bytes = || first.filter(|first| first.marks & PARTIAL == 0).and_then(Val::as_bytes);
    match name {
        "builtins.chr" => {
            let char = char::from_u32(u32::try_from(first?.as_int()?).ok()?)?;
            Some(Val::text(char.to_string(), marks | BUILT | SCATTERED))
        }
        "builtins.ord" => first?.as_str()?.chars().next().map(|char| Val::int(i64::from(u32::from(char)))),
        "builtins.bytes" | "builtins.bytearray" => match &first?.what {
            What::List(items) => Some(Val::bytes(octets(items)?, marks | BUILT | SCATTERED)),
            What::Str(text) => Some(Val::bytes(text.as_bytes(), marks)),
            What::Bytes(_) => first.cloned(),
            _ => None,
        },
        "builtins.str" => match arguments.get(1) {
            Some(codec) => codec_decode(bytes()?, codec.as_str()?, marks),
            None => shown(first?).map(|text| Val::text(text, marks)),
        },
        "builtins.int" => {
            let radix =
                arguments.get(1).and_then(Val::as_int).and_then(|radix| u32::try_from(radix).ok()).unwrap_or(10);
            if !(2..=36).contains(&radix) {
                return None;
            }
            match &first?.what {
                What::Int(value) => Some(Val::int(*value)),
                What::Str(text) => i64::from_str_radix(text.trim_start_matches("0x"), radix).ok().map(Val::int),
                _ => None,
            }
        }
        "builtins.list" | "builtins.tuple" | "builtins.sorted" | "builtins.iter" | "builtins.set" => {
            first?.items().map(|items| Val::list(items).with(marks))
        }
        "builtins.reversed" => {
            let mut items = first?.items()?;
            items.reverse();
            Some(Val::list(items).with(marks | BUILT | SCATTERED))
        }
        "builtins.len" => i64::try_from(first?.items()?.len()).ok().map(Val::int),
        "builtins.range" => range(arguments),
        "builtins.bytes.fromhex" | "builtins.bytearray.fromhex" => Some(Val::bytes(encoded::hex(bytes()?)?, decoded)),
        "codecs.decode" => codec_decode(bytes()?, arguments.get(1).and_then(Val::as_str).unwrap_or("utf-8"), decoded),
        "os.path.expanduser"
        | "os.path.expandvars"
        | "os.path.abspath"
        | "os.path.realpath"
        | "os.fspath"
        | "pathlib.Path.expanduser"
        | "io.BytesIO"
        | "io.StringIO" => first.filter(|first| first.as_bytes().is_some()).cloned(),
        "pathlib.Path" | "pathlib.PosixPath" if arguments.len() == 1 => {
            first.filter(|first| first.as_bytes().is_some()).cloned()
        }
        "os.path.join" | "pathlib.Path" | "pathlib.PosixPath" | "pathlib.PurePath" if !arguments.is_empty() => {
            Some(join_path("", arguments, 0))
        }
        _ if decodes(name) => {
            let second = arguments.get(1).and_then(Val::as_int);
            Some(Val::bytes(super::decode::decoded(name, bytes()?, second)?, decoded))
        }
        _ => None,
    }
}

fn range<'a>(arguments: &[Val<'a>]) -> Option<Val<'a>> {
    let numbers: Option<Vec<i64>> = arguments.iter().map(Val::as_int).collect();
    let (start, stop, step) = match numbers?.as_slice() {
        [stop] => (0, *stop, 1),
        [start, stop] => (*start, *stop, 1),
        [start, stop, step] => (*start, *stop, *step),
        _ => return None,
    };
    if step == 0 {
        return None;
    }
    let mut items = Vec::new();
    let mut at = start;
    while (step > 0 && at < stop) || (step < 0 && at > stop) {
        if items.len() > 1 << 16 {
            return None;
        }
        items.push(Val::int(at));
        at = at.checked_add(step)?;
    }
    Some(Val::list(items))
}
