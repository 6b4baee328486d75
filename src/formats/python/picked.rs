//! Objects that are picked out of a namespace by searching it: out of
//! `vars(os)`, of every module, of every object there is. Which one it is stays
//! unknown; that it was searched for, and called, says enough.

use super::names;
use super::value::{Val, What};
use super::watch;

/// Modules whose only reason to be looked through by a computed name is that
/// the name must not be read.
pub(super) const PROGRAMS: &[&str] = &["os", "subprocess", "posix", "nt", "pty", "runpy"];

/// What stands for a member of such a module, or of another namespace, whose
/// name is not known.
pub(super) const UNKNOWN: &str = ".?";

/// What a call gives that lists a namespace.
pub(super) fn listed<'a>(name: &str, arguments: &[Val<'a>]) -> Option<Val<'a>> {
    let base = match name {
        "inspect.getmembers" | "inspect.getmembers_static" => {
            let of = arguments.first().and_then(Val::as_name).map(names::canonical)?;
            PROGRAMS.contains(&of.as_str()).then_some(of)?
        }
        "gc.get_objects" | "gc.get_referrers" | "gc.get_referents" => "gc".to_owned(),
        _ => {
            let (base, method) = name.rsplit_once('.')?;
            let searched = PROGRAMS.contains(&base) || base == "sys.modules";
            (searched && matches!(method, "items" | "values")).then(|| base.to_owned())?
        }
    };
    Some(Val::name(format!("{base}{UNKNOWN}")))
}

/// What a call gives that only goes through what it is handed.
pub(super) fn passed<'a>(name: &str, arguments: &[Val<'a>]) -> Option<Val<'a>> {
    const THROUGH: &[&str] = &["dict", "filter", "iter", "list", "next", "reversed", "set", "sorted", "tuple"];
    let through = name.strip_prefix("builtins.").is_some_and(|function| THROUGH.contains(&function));
    // A copy of a module's names has them all.
    let copied = |value: &&Val<'a>| name == "builtins.dict" && value.as_name().is_some_and(|of| PROGRAMS.contains(&of));
    let copy = arguments.first().filter(copied).cloned();
    copy.or_else(|| arguments.iter().take(2).filter(|_| through).find_map(any))
}

/// The member of a namespace that this is, or holds: a pair of name and object.
pub(super) fn any<'a>(value: &Val<'a>) -> Option<Val<'a>> {
    let one = |value: &Val<'a>| value.as_name().is_some_and(|name| name.ends_with(UNKNOWN)).then(|| value.clone());
    match &value.what {
        What::List(items) => items.iter().take(4).find_map(one),
        _ => one(value),
    }
}

/// `value[key]` of a namespace, or of what was picked out of one.
pub(super) fn item<'a>(path: &str, key: Option<&str>) -> Option<Val<'a>> {
    let base = path.strip_suffix(UNKNOWN);
    let Some(key) = key else {
        let searched = base.is_some() || PROGRAMS.contains(&path) || path == "sys.modules";
        return searched.then(|| Val::name(format!("{}{UNKNOWN}", base.unwrap_or(path))));
    };
    match base? {
        "gc" => Some(names::builtin(key).map_or_else(|| member_of_any(key), Val::name)),
        "sys.modules" => Some(Val::name(names::canonical(key))),
        base => Some(Val::name(names::canonical(&names::attribute(base, key)))),
    }
}

/// An attribute of an object that may be any module.
pub(super) fn member_of_any<'a>(name: &str) -> Val<'a> {
    let of_system = format!("os.{name}");
    if watch::is_process(&of_system) { Val::name(of_system) } else { Val::unknown() }
}
