//! Chat templates: Jinja, rendered by whoever uses the model. The sandbox that
//! renders them is not always there (CVE-2024-34359), so what a template
//! reaches for is what counts. Parsed, never rendered.

mod fold;
mod lexer;
mod tree;
mod trigger;

use minijinja::machinery::{self, ast};
use minijinja::syntax::SyntaxConfig;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::{Input, to_u64};
use crate::stop::Stop;
use crate::text;

/// Reads Jinja templates: see [`Format`].
#[derive(Debug)]
pub struct Jinja;

const NAMED: &[&str] = &[".jinja", ".jinja2", ".j2"];

/// Names of templates of any language.
const TEMPLATES: &[&str] = &[".template", ".tmpl", ".tpl"];

/// Stack for templates that nest deeply, in an unoptimised build.
const STACK: usize = 32 << 20;

/// Nesting up to which a string is parsed only to see whether it is a template:
/// the parser calls itself.
const PROBED_NESTING: u64 = 32;

/// Tags that transformers and others add to Jinja; what stands between them is
/// read like the rest.
const ADDED_TAGS: &[&str] = &["generation", "endgeneration", "trans", "endtrans", "pluralize", "debug"];

impl Format for Jinja {
    fn name(&self) -> &'static str {
        "jinja"
    }

    fn about(&self) -> About {
        About {
            title: "Jinja chat templates (Jinja2 3.1 as transformers and llama-cpp-python render it)",
            extensions: NAMED,
            reads: "every expression: attributes, items, filters, names put together from pieces, loops",
            leaves_out: "what the prompt says to the model, but for what it adds when a message has a certain word",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let named = head.is_named(NAMED);
        let is_template = named && head.len > 0 && text::encoding(head.first, true).is_some()
            || (head.is_named(TEMPLATES) || head.name.starts_with("chat_template"))
                && is_template(&String::from_utf8_lossy(head.first));
        if is_template { Match::Likely } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let outcome = read(input, cx);
        text::keep_limit(outcome, cx)
    }
}

/// Whether a string of a configuration, whatever its key, is a Jinja template:
/// it has marks of one and either parses, or reaches for what no template needs.
/// Braces in prose, LaTeX and other template languages are none.
pub(crate) fn is_template(text: &str) -> bool {
    if !(text.contains("{{") || text.contains("{%")) {
        return false;
    }
    let tokens = lexer::tokens(text);
    let named = |token: &lexer::Token<'_>| match token.kind {
        lexer::Kind::Word => names_internals(token.text),
        lexer::Kind::Text => names_internals(&lexer::unescape(token.text)),
        _ => false,
    };
    tokens.iter().any(named)
        || lexer::nesting(&tokens) <= PROBED_NESTING
            && machinery::parse(&lexer::without_tags(text, ADDED_TAGS), "template", SyntaxConfig::default()).is_ok()
}

fn read(input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let bytes = text::source(input, cx.limits().source_bytes)?;
    if let Err(error) = std::str::from_utf8(&bytes)
        && !bytes.starts_with(b"\xff\xfe")
        && !bytes.starts_with(b"\xfe\xff")
    {
        cx.gap(&Stop::malformed(to_u64(error.valid_up_to()), "the template is not UTF-8"));
    }
    let source = text::decode(&bytes).into_owned();
    cx.charge(to_u64(source.len()), 0)?;
    let tokens = lexer::tokens(&source);
    let nesting = lexer::nesting(&tokens);
    scan(&tokens, cx);
    if nesting > cx.limits().nesting {
        return Err(Stop::Limit { offset: 0, limit: "nesting" });
    }
    stacker::maybe_grow(2 << 20, STACK, || parse(&lexer::without_tags(&source, ADDED_TAGS), cx))
}

/// The tree, by a parser that knows less than Jinja2 does; the tokens have
/// been looked at before.
fn parse(source: &str, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    match machinery::parse(source, "template", SyntaxConfig::default()) {
        Ok(tree) => tree::examine(&tree, source, cx),
        Err(error) => {
            let line = error.line().unwrap_or(1).saturating_sub(1);
            let at = to_u64(source.split_inclusive('\n').take(line).map(str::len).sum());
            let detail = error.detail().unwrap_or("not a Jinja template").to_owned();
            cx.push(
                Evidence::new(Kind::TemplateAnomaly, "unparsed", Span::at(at))
                    .with("detail", text::excerpt(&detail, 160)),
            );
            cx.gap(&Stop::malformed(at, format!("not a Jinja template: {}", text::excerpt(&detail, 160))));
        }
    }
    Ok(())
}

/// What the tokens alone tell, whether or not they make a template.
fn scan(tokens: &[lexer::Token<'_>], cx: &mut Cx<'_, '_>) {
    for (index, token) in tokens.iter().enumerate() {
        let span = Span::new(to_u64(token.at), to_u64(token.text.len()));
        match token.kind {
            lexer::Kind::Word if names_internals(token.text) => {
                cx.push(
                    Evidence::new(Kind::TemplateAccess, token.text, span)
                        .with("expression", lexer::around(tokens, index)),
                );
            }
            lexer::Kind::Text => {
                let meant = lexer::unescape(token.text);
                if names_internals(&meant) {
                    let disguised = meant != *token.text;
                    if disguised {
                        cx.push(
                            Evidence::new(Kind::TemplateAnomaly, "escaped-name", span)
                                .with("detail", text::excerpt(&meant, 80)),
                        );
                    }
                    cx.push(
                        Evidence::new(Kind::TemplateAccess, text::excerpt(&meant, 80), span)
                            .with("expression", lexer::around(tokens, index))
                            .with("how", "text"),
                    );
                }
            }
            _ => {}
        }
    }
}

/// Whether `name` is one through which any object leads to any other: special
/// names, and what frames and functions are made of.
pub(super) fn names_internals(name: &str) -> bool {
    let special = |part: &str| {
        part.len() > 4
            && part.starts_with("__")
            && part.ends_with("__")
            && part.trim_matches('_').chars().all(|char| char.is_alphanumeric() || char == '_')
            && part.trim_matches('_').len() > 1
    };
    name.split(|char: char| !(char.is_alphanumeric() || char == '_')).any(|part| {
        special(part)
            || matches!(
                part,
                "func_globals"
                    | "func_code"
                    | "f_globals"
                    | "f_builtins"
                    | "f_locals"
                    | "f_back"
                    | "gi_frame"
                    | "gi_code"
                    | "cr_frame"
                    | "tb_frame"
                    | "ag_frame"
                    | "im_func"
                    | "co_consts"
            )
    })
}

/// What an expression of the tree looks like in the source.
pub(super) fn shown(source: &str, expression: &ast::Expr<'_>) -> String {
    let span = expression.span();
    let from = usize::try_from(span.start_offset).unwrap_or(usize::MAX);
    let to = usize::try_from(span.end_offset).unwrap_or(usize::MAX);
    text::excerpt(source.get(from..to).unwrap_or_default(), 160)
}
