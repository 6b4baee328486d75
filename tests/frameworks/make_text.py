"""Models of spaCy, gensim and nltk, as folders and as pickles.

    python make_text.py DIRECTORY
"""

import pickle
import random
import sys
from pathlib import Path

import gensim
import nltk
import numpy as np
import spacy
from gensim.corpora import Dictionary
from gensim.models import (
    AuthorTopicModel, CoherenceModel, Doc2Vec, FastText, HdpModel, LdaModel, LdaMulticore, LsiModel, Nmf, Phrases,
    RpModel, TfidfModel, Word2Vec,
)
from gensim.models.phrases import FrozenPhrases
from gensim.similarities import MatrixSimilarity, SparseMatrixSimilarity
from nltk.tag import BigramTagger, DefaultTagger, PerceptronTagger, RegexpTagger, UnigramTagger
from spacy.training import Example

OUT = Path(sys.argv[1])
TEXTS = [["some", "words", "of", "a", "text"], ["other", "words", "of", "that", "text"], ["a", "third", "one"]] * 5
TAGGED = [[(word, "NN" if len(word) > 3 else "IN") for word in text] for text in TEXTS]


def with_spacy():
    for language in ["en", "de", "fr", "es", "zh", "xx"]:
        pipeline = spacy.blank(language)
        pipeline.add_pipe("sentencizer")
        pipeline.to_disk(OUT / f"spacy-{language}")
        (OUT / f"spacy-{language}.pkl").write_bytes(pickle.dumps(pipeline))
        (OUT / f"spacy-{language}.bin").write_bytes(pipeline.to_bytes())
    pipeline = spacy.blank("en")
    ruler = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "ORG", "pattern": "Toys"}, {"label": "GPE", "pattern": [{"LOWER": "toy"}, {"LOWER": "town"}]}])
    for name in ["tagger", "ner", "textcat", "parser", "senter", "morphologizer", "spancat"]:
        pipeline.add_pipe(name)
    pipeline.add_pipe("attribute_ruler")
    marks = {"entities": [(0, 4, "ORG")], "cats": {"GOOD": 1.0, "BAD": 0.0}, "tags": ["NN", "IN", "NN"], "heads": [0, 0, 1],
             "deps": ["ROOT", "prep", "pobj"], "morphs": ["", "", "Number=Sing"], "sent_starts": [1, 0, 0],
             "pos": ["NOUN", "ADP", "NOUN"], "spans": {"sc": [(0, 4, "ORG")]}}
    examples = [Example.from_dict(pipeline.make_doc("Toys of wood"), marks)]
    pipeline.initialize(lambda: examples)
    pipeline.to_disk(OUT / "spacy-trained")
    (OUT / "spacy-trained.pkl").write_bytes(pickle.dumps(pipeline))
    documents = spacy.tokens.DocBin(docs=[pipeline.make_doc("Toys of wood")])
    documents.to_disk(OUT / "documents.spacy")
    (OUT / "document.pkl").write_bytes(pickle.dumps(pipeline.make_doc("Toys of wood")))


def with_gensim():
    words = Dictionary(TEXTS)
    bags = [words.doc2bow(text) for text in TEXTS]
    words.save(str(OUT / "words.dict"))
    words.save_as_text(str(OUT / "words.txt"))
    small = {"vector_size": 8, "min_count": 1, "epochs": 1}
    models = {
        "word2vec": Word2Vec(TEXTS, **small), "doc2vec": Doc2Vec(
            [gensim.models.doc2vec.TaggedDocument(text, [at]) for at, text in enumerate(TEXTS)], **small),
        "fasttext": FastText(TEXTS, bucket=100, **small), "lda": LdaModel(bags, 2, words), "lsi": LsiModel(bags, 2, words),
        "lda-many": LdaMulticore(bags, 2, words, workers=1), "hdp": HdpModel(bags, words), "nmf": Nmf(bags, 2, words),
        "tfidf": TfidfModel(bags), "projections": RpModel(bags, words, num_topics=2), "phrases": Phrases(TEXTS, min_count=1),
        "author": AuthorTopicModel(bags, 2, words, author2doc={"a": [0, 1], "b": [2]}),
    }
    models["frozen"] = FrozenPhrases(models["phrases"])
    models["similar"] = MatrixSimilarity(bags, num_features=len(words))
    models["similar-sparse"] = SparseMatrixSimilarity(bags, num_features=len(words))
    models["coherence"] = CoherenceModel(models["lda"], texts=TEXTS, dictionary=words, coherence="c_v")
    for name, model in models.items():
        model.save(str(OUT / f"gensim-{name}.model"))
        (OUT / f"gensim-{name}.pkl").write_bytes(pickle.dumps(model))
    vectors = models["word2vec"].wv
    vectors.save(str(OUT / "vectors.kv"))
    vectors.save_word2vec_format(str(OUT / "vectors.bin"), binary=True)
    vectors.save_word2vec_format(str(OUT / "vectors.txt"))
    gensim.models.fasttext.save_facebook_model(models["fasttext"], str(OUT / "facebook.bin"))
    # Large arrays go to files beside the model.
    Word2Vec(TEXTS, **small).save(str(OUT / "apart.model"), separately=["wv"], sep_limit=0)
    gensim.corpora.MmCorpus.serialize(str(OUT / "corpus.mm"), bags)


def with_nltk():
    featured = [({"length": len(word), "last": word[-1]}, tag) for text in TAGGED for word, tag in text]
    perceptron = PerceptronTagger(load=False)
    random.seed(0)
    perceptron.train(TAGGED, nr_iter=1)
    models = {
        "bayes": nltk.NaiveBayesClassifier.train(featured),
        "entropy": nltk.MaxentClassifier.train(featured, trace=0, max_iter=2),
        "tree": nltk.DecisionTreeClassifier.train(featured),
        "unigram": UnigramTagger(TAGGED, backoff=DefaultTagger("NN")),
        "bigram": BigramTagger(TAGGED, backoff=UnigramTagger(TAGGED)),
        "regular": RegexpTagger([(r".*s$", "NNS"), (r".*", "NN")]),
        "punkt": nltk.tokenize.punkt.PunktSentenceTokenizer("A text. With Mr. Toy in it. And an end."),
        "stemmer": nltk.stem.PorterStemmer(), "snowball": nltk.stem.SnowballStemmer("english"),
        "tree-of-words": nltk.Tree.fromstring("(S (NP words) (VP are))"), "counts": nltk.FreqDist(TEXTS[0]),
        "conditional": nltk.ConditionalFreqDist((len(word), word) for word in TEXTS[0]),
        "grammar": nltk.CFG.fromstring("S -> NP VP\nNP -> 'words'\nVP -> 'are'"), "perceptron": perceptron,
    }
    for name, model in models.items():
        (OUT / f"nltk-{name}.pickle").write_bytes(pickle.dumps(model))


OUT.mkdir(parents=True)
np.random.seed(0)
with_spacy()
with_gensim()
with_nltk()
