//! Where a path that a model names leads: seen from the model's folder, by
//! every system's rules at once, since the file does not know who loads it.

/// `url`, `drive`, `absolute`, `parent` or `inside`.
pub(crate) fn classify(path: &str) -> &'static str {
    let path = path.trim();
    if let Some((scheme, _)) = path.split_once("://")
        && !scheme.is_empty()
        && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.'))
    {
        return "url";
    }
    let mut letters = path.chars();
    let (first, second) = (letters.next(), letters.next());
    if first.is_some_and(|first| first.is_ascii_alphabetic()) && second == Some(':') {
        return "drive";
    }
    // `\\server\share`
    if path.starts_with("\\\\") {
        return "drive";
    }
    if matches!(first, Some('/' | '\\' | '~')) {
        return "absolute";
    }
    let mut depth: u64 = 0;
    for component in path.split(['/', '\\']) {
        // Windows drops spaces and dots at the end of a component.
        let component = component.trim();
        if component == ".." || (component.starts_with("..") && component.trim_matches(['.', ' ']).is_empty()) {
            match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return "parent",
            }
        } else if !component.is_empty() && component != "." {
            depth = depth.saturating_add(1);
        }
    }
    "inside"
}
