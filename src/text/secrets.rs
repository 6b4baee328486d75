//! Live credentials and private keys: only kinds that are exact by a prefix,
//! an alphabet and a length. Never a guess by entropy.

use std::ops::Range;

/// A kind of credential: how it begins, what follows, and how much of it.
struct Shape {
    kind: &'static str,
    prefix: &'static [u8],
    alphabet: fn(u8) -> bool,
    least: usize,
    most: usize,
}

fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn dashed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte)
}

const SHAPES: &[Shape] = &[
    Shape { kind: "Hugging Face token", prefix: b"hf_", alphabet: alphanumeric, least: 34, most: 34 },
    Shape { kind: "GitHub token", prefix: b"ghp_", alphabet: alphanumeric, least: 36, most: 36 },
    Shape { kind: "GitHub token", prefix: b"gho_", alphabet: alphanumeric, least: 36, most: 36 },
    Shape { kind: "GitHub token", prefix: b"ghs_", alphabet: alphanumeric, least: 36, most: 36 },
    Shape { kind: "GitHub token", prefix: b"github_pat_", alphabet: word, least: 82, most: 82 },
    Shape { kind: "GitLab token", prefix: b"glpat-", alphabet: dashed, least: 20, most: 20 },
    Shape { kind: "PyPI token", prefix: b"pypi-AgEIcHlwaS5vcmc", alphabet: dashed, least: 50, most: 400 },
    Shape { kind: "OpenAI key", prefix: b"sk-proj-", alphabet: dashed, least: 70, most: 200 },
    Shape { kind: "OpenAI key", prefix: b"sk-", alphabet: alphanumeric, least: 48, most: 48 },
    Shape { kind: "Anthropic key", prefix: b"sk-ant-api03-", alphabet: dashed, least: 90, most: 110 },
    Shape { kind: "Slack token", prefix: b"xoxb-", alphabet: dashed, least: 40, most: 80 },
    Shape { kind: "Slack token", prefix: b"xoxp-", alphabet: dashed, least: 40, most: 90 },
    Shape { kind: "Google API key", prefix: b"AIza", alphabet: dashed, least: 35, most: 35 },
    Shape { kind: "Stripe key", prefix: b"sk_live_", alphabet: alphanumeric, least: 24, most: 99 },
    Shape { kind: "AWS key", prefix: b"AKIA", alphabet: upper, least: 16, most: 16 },
];

/// PEM armour of private keys, RFC 7468 and OpenSSH.
const KEYS: &[&[u8]] = &[
    b"-----BEGIN PRIVATE KEY-----",
    b"-----BEGIN RSA PRIVATE KEY-----",
    b"-----BEGIN EC PRIVATE KEY-----",
    b"-----BEGIN DSA PRIVATE KEY-----",
    b"-----BEGIN OPENSSH PRIVATE KEY-----",
    b"-----BEGIN PGP PRIVATE KEY BLOCK-----",
];

/// Longest token and PEM block that are looked at.
const LONGEST: usize = 512;

/// A credential that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Secret {
    /// What it opens.
    pub kind: &'static str,
    /// Offset in the text that was searched.
    pub at: usize,
    /// Its beginning, the rest hidden.
    pub masked: String,
}

/// Every credential in `text`.
pub(crate) fn find(text: &[u8]) -> Vec<Secret> {
    let mut found = Vec::new();
    for shape in SHAPES {
        for at in memchr::memmem::find_iter(text, shape.prefix) {
            let before = at.checked_sub(1).and_then(|at| text.get(at));
            if before.is_some_and(|byte| dashed(*byte)) {
                continue;
            }
            let from = at.saturating_add(shape.prefix.len());
            let body: &[u8] = text.get(from..).unwrap_or_default();
            let len = body.iter().take(LONGEST).take_while(|byte| (shape.alphabet)(**byte)).count();
            let body = body.get(..len).unwrap_or_default();
            let ends = text.get(from.saturating_add(len)).is_none_or(|byte| !word(*byte));
            if len < shape.least || len > shape.most || !ends || is_placeholder(body) {
                continue;
            }
            // An access key id alone opens nothing: its secret must be near.
            if shape.kind == "AWS key" && !has_aws_secret(text, from) {
                continue;
            }
            found.push(Secret { kind: shape.kind, at, masked: mask(shape.prefix) });
        }
    }
    for armour in KEYS {
        for at in memchr::memmem::find_iter(text, armour) {
            let from = at.saturating_add(armour.len());
            if has_key_body(text.get(from..).unwrap_or_default()) {
                found.push(Secret { kind: "private key", at, masked: mask(armour) });
            }
        }
    }
    found.sort_by_key(|secret| secret.at);
    found
}

/// Shortest beginning of a credential that is hidden: what is cut off behind it
/// may be the rest.
const BEGINNING: usize = 12;

/// Where in `text` credentials stand, their beginnings aside. Takes more for
/// one than [`find`] does, since a text that is shown may end within it.
pub(crate) fn spans(text: &[u8]) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    for shape in SHAPES {
        for at in memchr::memmem::find_iter(text, shape.prefix) {
            let before = at.checked_sub(1).and_then(|at| text.get(at));
            let from = at.saturating_add(shape.prefix.len());
            let body = text.get(from..).unwrap_or_default();
            let len = body.iter().take_while(|byte| (shape.alphabet)(**byte)).count();
            if len < BEGINNING || before.is_some_and(|byte| dashed(*byte)) {
                continue;
            }
            spans.push(from..from.saturating_add(len));
            if shape.kind == "AWS key" {
                let near = body.get(..LONGEST.min(body.len())).unwrap_or_default();
                let mut start = from;
                for part in near.split(|byte| !is_aws_digit(*byte)) {
                    let end = start.saturating_add(part.len());
                    if part.len() > 2 * BEGINNING {
                        spans.push(start..end);
                    }
                    start = end.saturating_add(1);
                }
            }
        }
    }
    for armour in KEYS {
        for at in memchr::memmem::find_iter(text, armour) {
            let from = at.saturating_add(armour.len());
            let body = text.get(from..).unwrap_or_default();
            // Quotes and commas stand between the lines of a key in a program.
            let fits =
                |byte: u8| super::encoded::is_base64(byte) || byte.is_ascii_whitespace() || b"=\\\"',".contains(&byte);
            let len = body.iter().take_while(|byte| fits(**byte)).count();
            if len >= BEGINNING {
                spans.push(from..from.saturating_add(len));
            }
        }
    }
    spans
}

/// `text` with an asterisk for each character of a credential; as long as
/// before.
pub(crate) fn hidden(text: &[u8]) -> Vec<u8> {
    let mut hidden = text.to_vec();
    for span in spans(text) {
        for byte in hidden.get_mut(span).unwrap_or_default() {
            if !byte.is_ascii_whitespace() {
                *byte = b'*';
            }
        }
    }
    hidden
}

/// `text`, credentials hidden.
pub(crate) fn hidden_text(text: &str) -> String {
    String::from_utf8(hidden(text.as_bytes())).unwrap_or_default()
}

fn mask(prefix: &[u8]) -> String {
    format!("{}…", String::from_utf8_lossy(prefix))
}

/// `xxxx…`, `0123456789…`, `EXAMPLE` and other stand-ins of documentation.
fn is_placeholder(body: &[u8]) -> bool {
    let mut kinds: Vec<u8> = body.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    let text = body.to_ascii_lowercase();
    let says = |word: &[u8]| memchr::memmem::find(&text, word).is_some();
    kinds.len() < (body.len().min(40) / 4).saturating_add(2)
        || says(b"example")
        || says(b"xxxx")
        || says(b"yourtoken")
        || says(b"your_token")
        || says(b"placeholder")
        || says(b"12345678")
        || says(b"redacted")
}

fn is_aws_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

/// Forty characters of a secret access key within a few lines of the key id.
fn has_aws_secret(text: &[u8], at: usize) -> bool {
    let near = text.get(at..at.saturating_add(LONGEST).min(text.len())).unwrap_or_default();
    near.split(|byte| !is_aws_digit(*byte))
        .skip(1)
        .any(|part| part.len() == 40 && !is_placeholder(part) && part.iter().any(u8::is_ascii_lowercase))
}

/// At least two lines' worth of base64 after the armour. The line end may be
/// the two characters `\n`, as in JSON.
fn has_key_body(text: &[u8]) -> bool {
    let near = text.get(..LONGEST.min(text.len())).unwrap_or_default();
    let mut digits = 0_usize;
    let mut at = 0_usize;
    while let Some(byte) = near.get(at) {
        match byte {
            b'\\' => at = at.saturating_add(1),
            b'-' => break,
            byte if super::encoded::is_base64(*byte) || *byte == b'=' => digits = digits.saturating_add(1),
            byte if byte.is_ascii_whitespace() => {}
            _ => return false,
        }
        at = at.saturating_add(1);
    }
    digits >= 64
}
