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


@dataclass
class PaidScorer:
    """A scorer that remembers."""

    scorer: Scorer
    path: Path
    key: str
    paid: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take over what a search with the same key left; anything else in the file is of no use."""
        try:
            found = read_record(self.path, Paid)
        except (FileNotFoundError, SchemaError):
            return
        if found.key == self.key:
            self.paid = dict(found.scores)

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(texts,) scores. A batch is scored whole or not at all, for it was written down whole."""
        if any(text not in self.paid for text in texts):
            scored = dict(zip(texts, map(float, self.scorer(texts)), strict=True))
            self.paid = scored | self.paid  # what was told once stays: another batch would round it otherwise
            write_record(self.path, Paid(key=self.key, scores=self.paid), durable=False)
        return np.array([self.paid[text] for text in texts], dtype=np.float32)
