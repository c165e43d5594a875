"""Scores that a search has paid for, kept so that a killed one goes on where it stood.

A search draws everything from one seed, so run again it asks for the same texts in the same order; those that are
written down are not scored anew. After each batch the file is replaced in one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import Field

from analyzer.attack.picked import Estimator
from analyzer.attack.search import Scorer
from shared.errors import SchemaError
from shared.files import read_record, write_record
from shared.records import Frozen


class Paid(Frozen):
    """search.json."""

    key: str
    """Of the search; another one begins anew."""
    scores: dict[str, float] = Field(default_factory=dict)
    """Text -> nats, float32."""
    changes: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Text -> variant -> what the judge's gradient estimates of its change, nats."""


@dataclass
class PaidScorer:
    """A scorer that remembers; `changes` remembers in the same file what the gradient says."""

    scorer: Scorer
    path: Path
    key: str
    estimator: Estimator | None = None
    paid: dict[str, float] = field(default_factory=dict)
    estimated: dict[str, dict[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take over what a search with the same key left; anything else in the file is of no use."""
        try:
            found = read_record(self.path, Paid)
        except (FileNotFoundError, SchemaError):
            return
        if found.key == self.key:
            self.paid, self.estimated = dict(found.scores), dict(found.changes)

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(texts,) scores. A batch is scored whole or not at all, for it was written down whole."""
        if any(text not in self.paid for text in texts):
            scored = dict(zip(texts, map(float, self.scorer(texts)), strict=True))
            self.paid = scored | self.paid  # what was told once stays: another batch would round it otherwise
            self._write()
        return np.array([self.paid[text] for text in texts], dtype=np.float32)

    def changes(self, texts: Sequence[str], variants: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """As `picked.Estimator`; a batch is estimated whole or not at all."""
        if self.estimator is not None and any(text not in self.estimated for text in texts):
            found = self.estimator(texts, variants)
            told = {
                text: dict(zip(own, map(float, values), strict=True))
                for text, own, values in zip(texts, variants, found, strict=True)
            }
            self.estimated = told | self.estimated
            self._write()
        return [
            np.array([self.estimated[text][variant] for variant in own])
            for text, own in zip(texts, variants, strict=True)
        ]

    def _write(self) -> None:
        write_record(self.path, Paid(key=self.key, scores=self.paid, changes=self.estimated), durable=False)
