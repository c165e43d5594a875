"""What needs no transformer: the length of a prompt, and its words.

A judge that does not beat these has learned keywords at most. Both are logistic regressions fitted on the training
prompts only (shared.prompts.baselines says on what); what was fitted is handed on as plain numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from shared.prompts.baselines import WORD, Baselines, LengthBaseline, WordsBaseline, text_lengths
from shared.records import Prompt

MAX_TERMS = 200_000
"""Words and word pairs of the vocabulary, the most frequent ones: only very large training sets have more."""


def fit_baselines(train: Sequence[Prompt]) -> Baselines:
    """Both baselines fitted on `train`, which holds both classes."""
    texts = [prompt.text for prompt in train]
    unsafe = [prompt.label == "unsafe" for prompt in train]
    return Baselines(length=_length(fit_length(texts, unsafe)), tfidf=_words(fit_words(texts, unsafe)))


def fit_length(texts: Sequence[str], unsafe: Sequence[bool]) -> Pipeline:
    """On the numbers of characters and words."""
    return _fitted([FunctionTransformer(text_lengths), StandardScaler(), LogisticRegression()], texts, unsafe)


def fit_words(texts: Sequence[str], unsafe: Sequence[bool]) -> Pipeline:
    """On TF-IDF of words and word pairs."""
    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORD, max_features=MAX_TERMS)
    return _fitted([vectors, LogisticRegression(C=10, max_iter=1000)], texts, unsafe)


def _fitted(steps: Sequence[Any], texts: Sequence[str], unsafe: Sequence[bool]) -> Pipeline:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a baseline near its optimum is as good
        return make_pipeline(*steps).fit(texts, unsafe)


def _length(fitted: Pipeline) -> LengthBaseline:
    _, scaler, regression = _steps(fitted)
    return LengthBaseline(
        mean=tuple(scaler.mean_.tolist()),
        scale=tuple(scaler.scale_.tolist()),
        weights=tuple(regression.coef_[0].tolist()),
        intercept=float(regression.intercept_[0]),
    )


def _steps(fitted: Pipeline) -> list[Any]:
    return list(fitted.named_steps.values())


def _words(fitted: Pipeline) -> WordsBaseline:
    vectors, regression = _steps(fitted)
    return WordsBaseline(
        terms=vectors.get_feature_names_out().tolist(),
        idf=vectors.idf_.tolist(),
        weights=regression.coef_[0].tolist(),
        intercept=float(regression.intercept_[0]),
    )
