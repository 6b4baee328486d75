//! Regular expressions of tokenizers, as a backtracking engine (Oniguruma, which
//! `tokenizers` uses) matches them: what takes time beyond measure for a text
//! that does not fit, and what takes memory. Read as syntax, never matched.

/// Repetitions of repetitions from which on an expression is no tokenizer's:
/// Oniguruma refuses single ones from 100,000 on.
const REPEATS: u64 = 100_000;

/// Groups within groups that are followed.
const DEPTH: usize = 200;

/// What stands behind the other in a sequence.
#[derive(Debug, Clone)]
struct Element<'p> {
    /// The atom, without its quantifier.
    text: &'p str,
    /// It takes characters: anchors and lookarounds do not.
    takes: bool,
    /// It may be left out.
    optional: bool,
    /// What in it may be repeated without end, and given up again one by one.
    stretch: Option<&'p str>,
    /// It matches the same text in more ways than its length.
    ambiguous: bool,
    /// How often at most what is in it is repeated by counts.
    repeats: u64,
}

/// A group that is open.
#[derive(Debug, Default)]
struct Group<'p> {
    start: usize,
    /// A lookaround.
    asserts: bool,
    /// It gives nothing up once it has matched.
    atomic: bool,
    sequence: Vec<Element<'p>>,
    /// Of the alternatives before the present one: what makes it ambiguous to
    /// repeat the group.
    stretch: Option<&'p str>,
    ambiguous: bool,
    repeats: u64,
}

/// What is wrong with an expression: `nested` or `repeats`, and the part that is.
pub(crate) fn slow(pattern: &str) -> Option<(&'static str, String)> {
    let mut open = vec![Group::default()];
    let mut at = 0_usize;
    while let Some(char) = pattern.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = pattern.get(at..).unwrap_or_default();
        let group = open.last_mut()?;
        match char {
            '(' => {
                let (length, asserts, atomic) = opening(rest);
                if open.len() >= DEPTH {
                    return Some(("nested", "groups within groups without end".to_owned()));
                }
                // `(?i)` changes what follows and is none itself; so is a comment.
                if !rest.get(..length).unwrap_or_default().ends_with(')') {
                    open.push(Group { start: at, asserts, atomic, ..Group::default() });
                }
                at = at.saturating_add(length);
            }
            ')' => {
                at = at.saturating_add(1);
                let mut closed = open.pop().filter(|_| !open.is_empty())?;
                if let Some(part) = closed.alternative() {
                    return Some(("nested", part));
                }
                let text = pattern.get(closed.start..at).unwrap_or_default();
                let element = Element {
                    text,
                    takes: !closed.asserts,
                    optional: false,
                    stretch: closed.stretch.filter(|_| !closed.atomic),
                    ambiguous: closed.ambiguous && !closed.atomic && !closed.asserts,
                    repeats: closed.repeats.max(1),
                };
                at = quantified(pattern, at, element, open.last_mut()?);
            }
            '|' => {
                if let Some(part) = group.alternative() {
                    return Some(("nested", part));
                }
                at = at.saturating_add(1);
            }
            _ => {
                let length = atom(rest);
                let text = rest.get(..length).unwrap_or(rest);
                let takes = !matches!(text, "^" | "$" | "\\b" | "\\B" | "\\A" | "\\z" | "\\Z" | "\\G" | "\\K");
                let element = Element { text, takes, optional: false, stretch: None, ambiguous: false, repeats: 1 };
                at = quantified(pattern, at.saturating_add(length), element, group);
            }
        }
        if let Some(worst) = open.last().filter(|group| group.repeats >= REPEATS) {
            return Some(("repeats", format!("{} times", worst.repeats)));
        }
    }
    let mut whole = open.pop()?;
    whole.alternative().map(|part| ("nested", part))
}

/// The length of what opens a group, and whether it is a lookaround or gives
/// nothing up.
fn opening(rest: &str) -> (usize, bool, bool) {
    for (start, asserts, atomic) in [
        ("(?=", true, false),
        ("(?!", true, false),
        ("(?<=", true, false),
        ("(?<!", true, false),
        ("(?>", false, true),
        ("(?:", false, false),
    ] {
        if rest.starts_with(start) {
            return (start.len(), asserts, atomic);
        }
    }
    if rest.starts_with("(?#") {
        return (rest.find(')').map_or(rest.len(), |end| end.saturating_add(1)), false, false);
    }
    // `(?<name>`, `(?'name'`, `(?i)` and `(?i:`.
    let until = |marks: &[char]| rest.get(2..).and_then(|name| name.find(marks)).map(|end| end.saturating_add(3));
    let length = match rest.get(..3) {
        Some("(?<" | "(?P") => until(&['>']),
        Some(flags) if flags.starts_with("(?") => until(&[':', ')']),
        _ => Some(1),
    };
    (length.unwrap_or(rest.len()), false, false)
}

/// The length of the atom that `rest` begins with.
fn atom(rest: &str) -> usize {
    let first = rest.chars().next().map_or(1, char::len_utf8);
    match rest.as_bytes().first() {
        Some(b'\\') => {
            let escaped = rest.get(1..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
            let braced = rest.get(2..).is_some_and(|rest| rest.starts_with('{'))
                && matches!(rest.as_bytes().get(1), Some(b'p' | b'P' | b'x' | b'u' | b'k' | b'g'));
            let length = if braced { rest.find('}').map(|end| end.saturating_add(1)) } else { None };
            length.unwrap_or_else(|| escaped.saturating_add(1))
        }
        Some(b'[') => {
            let (mut depth, mut escaped) = (0_usize, false);
            for (at, char) in rest.char_indices() {
                match char {
                    _ if escaped => escaped = false,
                    '\\' => escaped = true,
                    '[' => depth = depth.saturating_add(1),
                    // The first of a class is one of its characters.
                    ']' if !matches!(rest.get(..at), Some("[" | "[^")) => {
                        depth = depth.saturating_sub(1);
                        if depth == 0 {
                            return at.saturating_add(1);
                        }
                    }
                    _ => {}
                }
            }
            rest.len()
        }
        _ => first,
    }
}

/// Reads the quantifiers at `at` and adds the element to its sequence; where
/// they end.
fn quantified<'p>(pattern: &'p str, mut at: usize, mut element: Element<'p>, group: &mut Group<'p>) -> usize {
    while let Some((length, least, most)) = quantifier(pattern.get(at..).unwrap_or_default()) {
        at = at.saturating_add(length);
        let possessive = most.is_none() && pattern.get(at..).is_some_and(|rest| rest.starts_with('+'));
        let lazy = pattern.get(at..).is_some_and(|rest| rest.starts_with('?'));
        at = at.saturating_add(usize::from(possessive || lazy));
        element.optional |= least == 0;
        if most.is_none() && !possessive {
            element.ambiguous |= element.stretch.is_some();
            element.stretch = element.stretch.or(Some(element.text));
        }
        element.ambiguous &= !possessive;
        element.repeats = element.repeats.saturating_mul(most.unwrap_or(least).max(1));
    }
    group.repeats = group.repeats.max(element.repeats);
    group.sequence.push(element);
    at
}

/// Length, least and most of the quantifier that `rest` begins with.
fn quantifier(rest: &str) -> Option<(usize, u64, Option<u64>)> {
    match rest.chars().next()? {
        '*' => Some((1, 0, None)),
        '+' => Some((1, 1, None)),
        '?' => Some((1, 0, Some(1))),
        '{' => {
            let (counts, _) = rest.get(1..)?.split_once('}')?;
            let length = counts.len().saturating_add(2);
            let number = |text: &str| text.parse::<u64>().ok();
            match counts.split_once(',') {
                None => number(counts).map(|count| (length, count, Some(count))),
                Some(("", "")) => None,
                Some((least, "")) => number(least).map(|least| (length, least, None)),
                Some(("", most)) => number(most).map(|most| (length, 0, Some(most))),
                Some((least, most)) => number(least).zip(number(most)).map(|(least, most)| (length, least, Some(most))),
            }
        }
        _ => None,
    }
}

impl<'p> Group<'p> {
    /// Ends an alternative; the part of it that takes time beyond measure
    /// because something has to follow it that may not be there.
    fn alternative(&mut self) -> Option<String> {
        let sequence = std::mem::take(&mut self.sequence);
        let first = sequence.iter().position(|element| element.ambiguous);
        let followed = first.and_then(|first| {
            let mut behind = sequence.iter().skip(first.saturating_add(1));
            behind.any(|later| !later.takes || !later.optional).then(|| sequence.get(first)).flatten()
        });
        self.ambiguous |= first.is_some();
        let needed: Vec<&Element<'p>> = sequence.iter().filter(|element| element.takes && !element.optional).collect();
        let stretches = sequence.iter().filter(|element| element.takes).find_map(|element| {
            let stretch = element.stretch?;
            let others = needed.iter().filter(|needed| !std::ptr::eq(**needed, element));
            others.clone().all(|needed| overlap(needed.text, stretch)).then_some(stretch)
        });
        self.stretch = self.stretch.or(stretches);
        followed.map(|element| super::excerpt(element.text, 80))
    }
}

/// Whether two atoms may match the same character, as far as their text tells.
fn overlap(a: &str, b: &str) -> bool {
    let excluded =
        |class: &str, char: &str| class.starts_with("[^") && char.chars().count() == 1 && class.contains(char);
    a == b
        || a == "."
        || b == "."
        || a.starts_with("[^") && !excluded(a, b)
        || b.starts_with("[^") && !excluded(b, a)
        || matches!((a, b), ("\\w", "\\d") | ("\\d", "\\w"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tokenizers_have_is_quick() {
        for honest in [
            r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*",
            r"\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$))",
            r" ?[^(\s|[.,!?…。，、।۔،])]+",
            r"[!\x22#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+| ?[\p{P}\p{S}]+[\r\n]*",
            r"(?:[A-Z][a-z]+)+$",
            r"(?:,[^,]+)*$",
            r"(?>a+)+b",
            r"(?:a++)+b",
            r"(?:\r?\n)+$",
            r"(a+)+",
            r"▁+| {2,}",
        ] {
            assert_eq!(slow(honest), None, "{honest}");
        }
    }

    #[test]
    fn what_never_ends_is_told() {
        for hostile in [
            r"(a+)+$",
            r"(?:\s*)*x",
            r"((\w+)\s?)+!",
            r"(?:a|a+)+b",
            r"(.*)*\z",
            r"(?:x(a+)+)y",
            r"([a-z][a-z]+)+$",
            r"(?:a+){2,}b",
            r"(?i)(\d+|\w+)*;",
            r"a**b",
        ] {
            assert_eq!(slow(hostile).map(|(what, _)| what), Some("nested"), "{hostile}");
        }
        assert_eq!(slow(r"(?:a{1000}){1000}").map(|(what, _)| what), Some("repeats"));
        assert_eq!(slow(&"(".repeat(5000)).map(|(what, _)| what), Some("nested"));
    }
}
