//! Names that spaCy and the packages of its makers register.

/// Factories of components (`spacy/language.py`, `spacy.pipeline`, and the
/// packages `spacy-transformers`, `spacy-curated-transformers`, `spacy-llm`,
/// `spacy-experimental`).
const FACTORIES: &[&str] = &[
    "attribute_ruler",
    "beam_ner",
    "beam_parser",
    "curated_transformer",
    "doc_cleaner",
    "entity_linker",
    "entity_ruler",
    "experimental_arc_labeler",
    "experimental_arc_predicter",
    "experimental_char_ner_tokenizer",
    "experimental_char_tagger_tokenizer",
    "experimental_coref",
    "experimental_edit_tree_lemmatizer",
    "experimental_span_finder_component",
    "experimental_span_resolver",
    "future_entity_ruler",
    "lemmatizer",
    "llm",
    "llm_entitylinker",
    "llm_ner",
    "llm_rel",
    "llm_sentiment",
    "llm_spancat",
    "llm_summarization",
    "llm_textcat",
    "merge_entities",
    "merge_noun_chunks",
    "merge_subtokens",
    "morphologizer",
    "ner",
    "nn_labeller",
    "parser",
    "senter",
    "sentencizer",
    "span_cleaner",
    "span_finder",
    "span_ruler",
    "spancat",
    "spancat_singlelabel",
    "tagger",
    "textcat",
    "textcat_multilabel",
    "tok2vec",
    "token_splitter",
    "trainable_lemmatizer",
    "transformer",
];

/// Packages before the first dot of a registered function's name.
const PACKAGES: &[&str] = &[
    "spacy",
    "spacy-curated-transformers",
    "spacy-experimental",
    "spacy-legacy",
    "spacy-loggers",
    "spacy-transformers",
    "spacy_lookups_data",
    "srsly",
    "thinc",
];

/// Whether a component of this factory needs no other package.
pub(super) fn is_factory(name: &str) -> bool {
    FACTORIES.contains(&name)
}

/// Whether one of these packages registers the function: `package.Name.v1`, or
/// Thinc's own, `Name.v1`.
pub(super) fn is_function(name: &str) -> bool {
    let (first, rest) = name.split_once('.').unwrap_or((name, ""));
    // A reference to another section is no name.
    PACKAGES.contains(&first)
        || name.starts_with("${")
        || rest.strip_prefix('v').is_some_and(|version| version.parse::<u32>().is_ok())
}
