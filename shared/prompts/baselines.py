"""The trainer's two baselines as plain numbers: what a judge must beat, scored again without scikit-learn.

- length: logistic regression on the standardised numbers of characters and words.
- tfidf: logistic regression on TF-IDF of words and word pairs, with a sublinear term frequency (1 + ln of the
  count), a smoothed inverse document frequency, and rows of length 1 (Manning et al. 2008, ch. 6).

`<run>/baselines.json` holds them: no pickle, nothing of any library's version.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from shared.files import read_record, write_bytes_atomic
from shared.records import Frozen

WORD = r"\w+|[^\w\s]"
"""What counts as a word: single characters too, so that texts of any script have a vocabulary."""


class LengthBaseline(Frozen):
    """Log-odds of unsafe from a prompt's characters and words."""

    mean: tuple[float, float]
    scale: tuple[float, float]
    """Standard deviations of the training prompts; 1 where there is none."""
    weights: tuple[float, float]
    """Nats a standard deviation."""
    intercept: float

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Log-odds of unsafe, in nats, (texts,)."""
        standardised = (text_lengths(texts) - self.mean) / np.asarray(self.scale)
        return standardised @ np.asarray(self.weights) + self.intercept


class WordsBaseline(Frozen):
    """Log-odds of unsafe from the words and word pairs of a prompt."""

    terms: list[str]
    """Vocabulary: words in lower case, and pairs of neighbours with a space between."""
    idf: list[float]
    """Of each term."""
    weights: list[float]
    """Of each term, nats."""
    intercept: float

    @model_validator(mode="after")
    def _of_one_length(self) -> WordsBaseline:
        if not len(self.terms) == len(self.idf) == len(self.weights):
            raise ValueError("terms, idf and weights differ in number")
        return self

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Log-odds of unsafe, in nats, (texts,)."""
        index = {term: i for i, term in enumerate(self.terms)}
        return np.array([self._score(text, index) for text in texts], np.float64)

    def _score(self, text: str, index: dict[str, int]) -> float:
        found = Counter(i for term in terms_of(text) if (i := index.get(term)) is not None)
        values = {i: (1 + math.log(count)) * self.idf[i] for i, count in found.items()}
        length = math.sqrt(sum(value**2 for value in values.values()))
        total = sum(value * self.weights[i] for i, value in values.items())
        return (total / length if length else 0.0) + self.intercept


class Baselines(Frozen):
    """baselines.json: both, as fitted on the training prompts."""

    schema_version: int = 1
    length: LengthBaseline
    tfidf: WordsBaseline

    def scores(self, texts: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        """Baseline ("length", "tfidf") -> log-odds of unsafe, in nats, (texts,)."""
        return {"length": self.length.scores(texts), "tfidf": self.tfidf.scores(texts)}


def text_lengths(texts: Sequence[str]) -> NDArray[np.float64]:
    """(texts, 2): characters and words of each text."""
    return np.array([[len(text), len(text.split())] for text in texts], np.float64).reshape(-1, 2)


def terms_of(text: str) -> list[str]:
    """The words of a text in lower case, then its pairs of neighbouring words."""
    words = re.findall(WORD, text.lower())
    return [*words, *(f"{first} {second}" for first, second in pairwise(words))]


def write_baselines(path: Path, baselines: Baselines) -> None:
    """Replace baselines.json in one step."""
    write_bytes_atomic(path, baselines.model_dump_json().encode("utf-8"))


def read_baselines(path: Path) -> Baselines:
    """Read baselines.json. Raises FileNotFoundError, or SchemaError with the reason."""
    return read_record(path, Baselines)
