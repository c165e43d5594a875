"""The data card: what a prepared data set holds, what was left out of it and why, and what its parts share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shared.prompts.dedupe import near_copies
from shared.prompts.digest import digest_of
from shared.records import Frozen, Prompt

PARTS = ("train", "val", "test", "probes")
LABELS = ("safe", "unsafe")
CUTS = ("category", "source", "style", "language", "origin")
"""Fields of a prompt by which its parts are counted."""
WHY = {
    "duplicate": "the text of another prompt, but for case and spacing",
    "near-duplicate": "at least 85 % of its words, with repetition, are those of another prompt of its label",
    "conflict": "the same text has both labels, and nobody can say which is right",
    "shared": "shares a group, pair or text with the validation or test data that were given",
    "probe": "shares a group, pair or text with a probe, which no training may see",
    "balance": "of the larger class, drawn by chance until both are equal",
}
"""Reason -> why a prompt was left out."""
EXAMPLES = 3
"""Prompts shown for each reason."""


class LeftOut(Frozen):
    """Prompts left out for one reason."""

    reason: str
    why: str
    count: int
    examples: list[str]


class Lengths(Frozen):
    """Words of a prompt, of one label over all parts."""

    label: str
    prompts: int
    shortest: int
    median: float
    ninth_decile: float
    longest: int


class Leaks(Frozen):
    """What the training prompts share with those held out: counted on the parts as they are written."""

    texts: int
    groups: int
    pairs: int
    near: int
    """Held-out prompts of which a training prompt of their label is a near-duplicate: twins of other pairs,
    mostly."""


class DataCard(Frozen):
    """card.json. Its presence says that the directory was written to its end."""

    schema_version: int = 1
    sources: list[str]
    settings: dict[str, Any]
    """What `midwatch prepare` was told."""
    parts: dict[str, dict[str, Any]]
    """Part -> number of prompts, of unsafe ones, and their SHA-256."""
    pairs: dict[str, int]
    """Whole contrast pairs: "train" and "held out"."""
    counts: dict[str, dict[str, dict[str, dict[str, int]]]]
    """Field -> its value -> part -> label -> prompts."""
    lengths: list[Lengths]
    left_out: list[LeftOut]
    leaks: Leaks
    notes: list[str]
    """What reading the sources noted: sentences."""


def count_by(parts: Mapping[str, Sequence[Prompt]], field: str) -> dict[str, dict[str, dict[str, int]]]:
    """Value of a field -> part -> label -> prompts; the most frequent value first, "" where nothing is said."""
    counts = Counter((getattr(p, field), part, p.label) for part, prompts in parts.items() for p in prompts)
    totals = Counter[str]()
    for (value, _, _), count in counts.items():
        totals[value] += count
    return {
        value: {part: {label: counts[value, part, label] for label in LABELS} for part in parts}
        for value, _ in sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    }


def lengths_of(prompts: Sequence[Prompt]) -> list[Lengths]:
    """Of each label that occurs."""
    found = []
    for label in LABELS:
        words = [len(prompt.text.split()) for prompt in prompts if prompt.label == label]
        if words:
            middle, ninth = np.quantile(words, [0.5, 0.9]).tolist()
            found.append(Lengths(label=label, prompts=len(words), shortest=min(words), median=middle,
                                 ninth_decile=ninth, longest=max(words)))  # fmt: skip
    return found


def leaks_between(train: Sequence[Prompt], held: Sequence[Prompt]) -> Leaks:
    """What the two have in common."""
    seen = [{digest_of(p) for p in train}, {p.group for p in train} - {""}, {p.pair for p in train} - {None}]
    return Leaks(
        texts=sum(digest_of(prompt) in seen[0] for prompt in held),
        groups=len(seen[1] & {prompt.group for prompt in held}),
        pairs=len(seen[2] & {prompt.pair for prompt in held}),
        near=len(near_copies(held, train)),
    )


def left_out_of(left_out: Mapping[str, Sequence[Prompt]]) -> list[LeftOut]:
    """One record a reason for which anything was left out, in the order of WHY."""
    return [
        LeftOut(reason=reason, why=why, count=len(found), examples=[prompt.text for prompt in found[:EXAMPLES]])
        for reason, why in WHY.items()
        if (found := left_out.get(reason))
    ]
