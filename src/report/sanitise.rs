//! Making strings out of model files harmless for a terminal or a log.

/// `text` with everything escaped that a terminal may obey or that hides what
/// a name really is: control characters, and characters that are invisible or
/// change the direction of writing.
pub fn sanitise(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Whether a terminal obeys `c` or does not show it.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control() || is_deceptive(c)
}

/// Zero-width, bidirectional and other format characters (Unicode categories
/// Cf, Zl, Zp and the tag block), which change how a name looks or not at all.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}
