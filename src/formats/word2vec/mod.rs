//! Word vectors as word2vec writes them (`word2vec.c`, gensim's
//! `save_word2vec_format`): the number of words and of dimensions in a line of
//! text, then each word, a space, its numbers as 32-bit floats, and in some
//! files a line feed.

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::{Input, to_u64, to_usize};
use crate::stop::Stop;

/// Bytes of the longest first line: two numbers.
const FIRST_LINE: usize = 42;

/// Bytes of the longest word; `word2vec.c` has 50, phrases and other languages
/// more.
const WORD: usize = 1 << 12;

/// The format.
#[derive(Debug)]
pub struct Word2Vec;

/// What the first line says, and its length.
fn first_line(first: &[u8]) -> Option<(u64, u64, usize)> {
    let end = memchr::memchr(b'\n', first.get(..first.len().min(FIRST_LINE))?)?;
    let line = std::str::from_utf8(first.get(..end)?).ok()?;
    let (words, size) = line.trim_end_matches('\r').split_once(' ')?;
    let (words, size): (u64, u64) = (words.parse().ok()?, size.trim_end().parse().ok()?);
    (words > 0 && size > 0).then_some((words, size, end.saturating_add(1)))
}

impl Format for Word2Vec {
    fn name(&self) -> &'static str {
        "word2vec"
    }

    fn about(&self) -> About {
        About {
            title: "Word vectors (word2vec's binary form)",
            extensions: &[".bin"],
            reads: "every word, and the place of its numbers",
            leaves_out: "the numbers",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let Some((words, size, line)) = first_line(head.first) else { return Match::No };
        let least = size.saturating_mul(4).saturating_add(2).saturating_mul(words);
        let rest = head.first.get(line..).unwrap_or_default();
        let Some(word) = memchr::memchr(b' ', rest.get(..rest.len().min(WORD)).unwrap_or_default()) else {
            return Match::No;
        };
        // The same in text has numbers in digits.
        let numbers = rest.get(word.saturating_add(1)..).unwrap_or_default();
        let numbers = numbers.get(..to_usize(size.saturating_mul(4)).min(numbers.len())).unwrap_or_default();
        let is_text = numbers.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
        let fits = least.saturating_add(to_u64(line)) <= head.len.saturating_add(words);
        if word > 0 && fits && !is_text { Match::Likely } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let first = input.prefix(to_u64(FIRST_LINE)).all(to_u64(FIRST_LINE))?;
        let Some((words, size, line)) = first_line(&first) else {
            return Err(Stop::malformed(0, "no number of words and of dimensions"));
        };
        let mut cursor = input.cursor();
        cursor.skip(to_u64(line))?;
        for _ in 0..words {
            cx.charge(1, cursor.position())?;
            if cursor.peek(1)?.first() == Some(&b'\n') {
                cursor.skip(1)?;
            }
            cursor.until(b' ', WORD)?;
            cursor.skip(size.saturating_mul(4))?;
        }
        if cursor.remaining() > 0 && cursor.peek(1)?.first() == Some(&b'\n') {
            cursor.skip(1)?;
        }
        cx.field("words", || words.into());
        cx.field("size", || size.into());
        if !cursor.is_at_end() {
            let rest = input.tail(cursor.position());
            let evidence = Evidence::new(Kind::BytesUnexplained, "after", Span::new(cursor.position(), rest.len()));
            cx.push(evidence.with("length", rest.len().to_string()).with("of", "word2vec"));
            cx.behind("behind the last word", input, cursor.position())?;
        }
        Ok(())
    }
}
