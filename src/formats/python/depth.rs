//! How deep the tree of a source would be, told from its tokens alone: a tree
//! must not be built, walked or dropped deeper than the stack is.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::{Mode, lexer};

/// An upper bound for the depth of the syntax tree of `source`.
///
/// Brackets and blocks nest; within one bracket, operators, dots and calls
/// chain to one side until a comma or a line's end begins a new chain.
pub(in crate::formats) fn nesting(source: &str) -> u64 {
    let mut lexer = lexer::lex(source, Mode::Module);
    let mut chains: Vec<u64> = vec![0];
    let (mut chained, mut blocks, mut deepest) = (0_u64, 0_u64, 0_u64);
    loop {
        let kind = lexer.next_token();
        match kind {
            TokenKind::EndOfFile => break,
            TokenKind::Indent => blocks = blocks.saturating_add(1),
            TokenKind::Dedent => blocks = blocks.saturating_sub(1),
            TokenKind::Lpar
            | TokenKind::Lsqb
            | TokenKind::Lbrace
            | TokenKind::FStringStart
            | TokenKind::TStringStart => {
                // Part of the chain outside (a call, a subscript), and a level.
                add(&mut chains, &mut chained);
                chains.push(0);
            }
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace | TokenKind::FStringEnd | TokenKind::TStringEnd => {
                if chains.len() > 1 {
                    chained = chained.saturating_sub(chains.pop().unwrap_or(0));
                }
            }
            TokenKind::Comma | TokenKind::Semi => reset(&mut chains, &mut chained),
            TokenKind::Newline => {
                reset(&mut chains, &mut chained);
            }
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::FStringMiddle
            | TokenKind::TStringMiddle
            | TokenKind::NonLogicalNewline
            | TokenKind::Comment
            | TokenKind::Colon
            | TokenKind::Equal
            | TokenKind::None
            | TokenKind::True
            | TokenKind::False => {}
            // Operators and keywords.
            _ => add(&mut chains, &mut chained),
        }
        let levels = crate::input::to_u64(chains.len());
        deepest = deepest.max(chained.saturating_add(levels).saturating_add(blocks));
    }
    deepest
}

fn add(chains: &mut [u64], chained: &mut u64) {
    if let Some(last) = chains.last_mut() {
        *last = last.saturating_add(1);
        *chained = chained.saturating_add(1);
    }
}

fn reset(chains: &mut [u64], chained: &mut u64) {
    if let Some(last) = chains.last_mut() {
        *chained = chained.saturating_sub(*last);
        *last = 0;
    }
}
