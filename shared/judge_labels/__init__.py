"""Which classes of a classifier are safe and which unsafe: from the names in its config, or from the user's word.

Knows no model, no run and no data set; imports nothing of shared that stands above it.
"""

from __future__ import annotations

from shared.judge_labels.classes import NO_OBJECT, UNREAD_BASE, class_names, listed
from shared.judge_labels.reading import THRESHOLD_ASSUMED, ClassifierRead, Word, read_classifier
from shared.judge_labels.sentence import side_names, sides_sentence
from shared.judge_labels.words import side_of

__all__ = [
    "NO_OBJECT",
    "THRESHOLD_ASSUMED",
    "UNREAD_BASE",
    "ClassifierRead",
    "Word",
    "class_names",
    "listed",
    "read_classifier",
    "side_names",
    "side_of",
    "sides_sentence",
]
