//! Formulas of statistical models: `y ~ x + np.log(z)`. What looks like
//! arithmetic is Python, which patsy and formulaic hand to `eval`.

/// Transforms that formulas call: of patsy and formulaic, and the arithmetic
/// of numpy. None of them runs, opens or looks up more than a column.
const TRANSFORMS: &[&str] = &[
    "C",
    "Q",
    "I",
    "abs",
    "bs",
    "bool",
    "cc",
    "center",
    "cr",
    "cs",
    "cubic_spline",
    "exp",
    "exp10",
    "float",
    "hashed",
    "int",
    "lag",
    "log",
    "log10",
    "log2",
    "max",
    "min",
    "poly",
    "pow",
    "round",
    "scale",
    "standardize",
    "te",
    "Diff",
    "Helmert",
    "Poly",
    "Sum",
    "Treatment",
    "contr.custom",
    "contr.diff",
    "contr.helmert",
    "contr.poly",
    "contr.SAS",
    "contr.sum",
    "contr.treatment",
];

/// Functions and constants of numpy that formulas name.
const NUMPY: &[&str] = &[
    "abs",
    "absolute",
    "arcsinh",
    "cbrt",
    "ceil",
    "clip",
    "cos",
    "e",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "floor",
    "isfinite",
    "isnan",
    "log",
    "log10",
    "log1p",
    "log2",
    "maximum",
    "minimum",
    "mod",
    "nan",
    "pi",
    "power",
    "reciprocal",
    "rint",
    "round",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
    "where",
];

/// Words of Python that make more than an expression of columns.
const KEYWORDS: &[&str] = &["lambda", "for", "if", "else", "async", "await", "yield", "import", "from"];

/// Builtins that do something when called without arguments, which patsy does
/// with a contrast: `C(x, breakpoint)`.
const CONTRASTS: &[&str] = &["breakpoint", "copyright", "credits", "exit", "help", "input", "license", "quit"];

/// One piece of a formula.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    /// A name, dots included.
    Name(String),
    /// A number, a text or a quoted column.
    Constant,
    Open(char),
    Close(char),
    Sign(char),
}

/// The first thing in `formula` that is more than names, numbers, operators
/// and listed transforms.
pub(super) fn foreign(formula: &str) -> Option<String> {
    let tokens = match tokens(formula) {
        Ok(tokens) => tokens,
        Err(rest) => return Some(rest),
    };
    let mut before: Option<&Token> = None;
    // Whether each open bracket is that of a call, and what it is in has had a comma.
    let mut open: Vec<(bool, bool)> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Token::Name(name) => {
                let called = tokens.get(index.saturating_add(1)) == Some(&Token::Open('('));
                let handed = open.last().is_some_and(|(call, comma)| *call && *comma);
                if !is_plain(name, called) || handed && (CONTRASTS.contains(&name.as_str()) || !name.is_ascii()) {
                    return Some(name.clone());
                }
            }
            Token::Open(bracket) => {
                // Only a name may be called: not a result, an item or a text.
                if matches!(before, Some(Token::Close(_) | Token::Constant)) {
                    return Some(format!("{bracket} behind a value"));
                }
                open.push((*bracket == '(' && matches!(before, Some(Token::Name(_))), false));
            }
            Token::Close(_) => {
                open.pop();
            }
            Token::Sign(',') => {
                if let Some((_, comma)) = open.last_mut() {
                    *comma = true;
                }
            }
            Token::Sign(_) | Token::Constant => {}
        }
        before = Some(token);
    }
    None
}

fn is_plain(name: &str, called: bool) -> bool {
    let numpy = ["np.", "numpy."].iter().find_map(|prefix| name.strip_prefix(prefix));
    if numpy.is_some_and(|function| NUMPY.contains(&function)) || TRANSFORMS.contains(&name) {
        return true;
    }
    if called {
        return matches!(name, "in" | "not" | "and" | "or");
    }
    name == "." || !name.contains('.') && !name.starts_with("__") && !KEYWORDS.contains(&name)
}

/// The pieces of a formula, or what stands where none is.
fn tokens(formula: &str) -> Result<Vec<Token>, String> {
    let mut rest = formula;
    let mut found = Vec::new();
    while let Some(c) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        let strange = || rest.chars().take(64).collect::<String>();
        match c {
            _ if c.is_whitespace() => rest = after,
            '"' | '\'' | '`' => {
                let (inside, behind) = after.split_once(c).ok_or_else(strange)?;
                // Readers differ about these, and a letter before a quote may
                // make its text an expression (`f"{...}"`).
                let odd = inside.contains(['"', '\'', '`', '\\', '\n', '\r']) || behind.starts_with(['"', '\'', '`']);
                if odd || formula.len() > rest.len() && ends_in_word(formula, rest.len()) {
                    return Err(strange());
                }
                found.push(Token::Constant);
                rest = behind;
            }
            _ if is_word(c) => {
                let word: String = rest.chars().take_while(|c| is_word(*c)).collect();
                rest = rest.get(word.len()..).unwrap_or_default();
                let number = word.starts_with(|c: char| c.is_ascii_digit())
                    || word.strip_prefix('.').is_some_and(|digits| digits.starts_with(|c: char| c.is_ascii_digit()));
                let simple = word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_'));
                let behind_value = found.last().is_some_and(Token::is_value);
                // `1 .real` and `(x).real` are attributes; `.` alone is all columns.
                let attribute = word.starts_with('.') && (behind_value || !number && word != ".");
                if attribute || number && !simple {
                    return Err(word);
                }
                found.push(if number { Token::Constant } else { Token::Name(word) });
            }
            '(' | '[' | '{' => {
                found.push(Token::Open(c));
                rest = after;
            }
            ')' | ']' | '}' => {
                found.push(Token::Close(c));
                rest = after;
            }
            '~' | '+' | '-' | '*' | '/' | ':' | '^' | '%' | ',' | '=' | '<' | '>' | '&' | '|' | '!' => {
                found.push(Token::Sign(c));
                rest = after;
            }
            _ => return Err(strange()),
        }
    }
    Ok(found)
}

impl Token {
    /// Something that an attribute, an item or a call could be taken of.
    fn is_value(&self) -> bool {
        matches!(self, Self::Name(_) | Self::Constant | Self::Close(_))
    }
}

/// Whether a letter or digit stands right before the last `left` bytes.
fn ends_in_word(formula: &str, left: usize) -> bool {
    let before = formula.len().checked_sub(left).and_then(|at| formula.get(..at)).unwrap_or_default();
    before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::foreign;

    #[test]
    fn honest_formulas_are_plain() {
        for formula in [
            "y ~ x",
            "a ~ b + C(group) + np.log(c ** 2 + 1)",
            "np.log10(price) ~ C(region, Treatment(reference='west')) * x1:x2 - 1",
            "Lottery ~ Q('Literacy rate') + I(Wealth > 0.5e3) + bs(age, df=4, degree=3)",
            "`the y` ~ 0 + {x + 1} + x[0] + poly(x, 3) + .5 * z",
            "y ~ (a + b)**2 + type + id + input",
            "y ~ .",
        ] {
            assert_eq!(foreign(formula), None, "{formula}");
        }
    }

    #[test]
    fn everything_else_is_told() {
        for formula in [
            "y ~ __import__('os').system('echo weighin')",
            "y ~ eval('1')",
            "y ~ x.apply(abs)",
            "y ~ C(x)(y)",
            "y ~ C(x)[0](y)",
            "y ~ 'a'.join(x)",
            "y ~ 'a' .join(x)",
            "y ~ 1 .real",
            "y ~ f'{exit()}'",
            "y ~ '' f'{exit()}'",
            "y ~ '''a'''",
            "y ~ \"a'b\"",
            "y ~ (lambda: x)",
            "y ~ [a for a in b]",
            "y ~ {exit()}",
            "y ~ C(x, breakpoint)",
            "y ~ np.load('x')",
            "y ~ np",
            "y ~ x; z",
            "y ~ x\\\n",
            "y ~ (x)\n(y)",
            "y ~ 1.0.real()",
            "y ~ 1or(exit)()",
        ] {
            // A module by itself is a name like any other.
            assert_eq!(foreign(formula).is_some(), formula != "y ~ np", "{formula}");
        }
    }
}
