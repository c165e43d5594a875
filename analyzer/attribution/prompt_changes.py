"""Prompts changed in one property alone: made longer by neutral words, or with one word at another place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analyzer.attribution.neutral_words import SENTENCES
from analyzer.attribution.replacement import scores_of
from analyzer.attribution.word_kinds import OWN, WORD, NeutralWords

if TYPE_CHECKING:
    from analyzer.session.context import Context

MOST = 32
"""Prompts that are changed."""
NEAR = 0.3
"""Share of a prompt that a word is moved by at least."""


def lengthened(context: Context, lengths: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """The shorter half of the prompts made as long as the longest quarter by neutral words at their end.

    `lengths` (n,) tokens. Returns (prompts,) changes of the score, nats, their groups, and what was done in words;
    empty where the judge knows no neutral words.
    """
    neutral = NeutralWords(context.judge, context.probes)
    target = float(np.quantile(lengths, 0.75))
    chosen = _one_of_each([int(i) for i in np.argsort(lengths, kind="stable") if lengths[i] < target], groups)
    chosen = [index for index in chosen if lengths[index] <= np.median(lengths)][:MOST]
    rows = [
        (index, _longer(context.probes[index].text, target - lengths[index], neutral, index)) for index in chosen
    ]
    rows = [(index, text) for index, text in rows if text]
    return (*_changes(context, rows, groups), "made as long as the longest quarter by neutral words")


def with_word_moved(context: Context, word: str, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """`word` put to the mirrored place of each prompt: changes of the score when it comes later by that."""
    rows, signs = [], []
    for index in _one_of_each(range(len(context.probes)), groups):
        found = place_of(context.probes[index].text, word)
        if found is None or abs(1 - 2 * found) < NEAR or len(rows) == MOST:
            continue
        rows.append((index, _mirrored(context.probes[index].text, word)))
        signs.append(1.0 if found < 0.5 else -1.0)
    changes, where = _changes(context, rows, groups)
    return changes * np.array(signs), where, "moved to the mirrored place, later less earlier"


def place_of(text: str, word: str) -> float | None:
    """Where `word` stands, 0 for the first word and 1 for the last; None unless it stands there once."""
    words = [found.group().lower() for found in WORD.finditer(text)]
    if words.count(word) != 1 or len(words) < 2:
        return None
    return words.index(word) / (len(words) - 1)


def _changes(
    context: Context, rows: Sequence[tuple[int, str]], groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if not rows:
        return np.zeros(0), np.zeros(0, dtype=int)
    indices = [index for index, _ in rows]
    after = scores_of(context.judge, [text for _, text in rows], context.batch_tokens, context.progress)
    return after - context.forward.scores[indices].astype(float), groups[indices]


def _one_of_each(indices: Sequence[int], groups: np.ndarray) -> list[int]:
    seen: set[int] = set()
    return [i for i in indices if int(groups[i]) not in seen and not seen.add(int(groups[i]))]  # type: ignore[func-returns-value]


def _longer(text: str, missing: float, neutral: NeutralWords, turn: int) -> str:
    """`text` with about `missing` more words; "" where there are none to add."""
    count = max(3, round(missing))
    if OWN in neutral.pools:
        pool = neutral.pools[OWN]
        return " ".join([text, *(pool[(turn + place) % len(pool)] for place in range(count))])
    if not neutral.pools:
        return ""
    found = text
    while len(found.split()) < len(text.split()) + count:
        found += " " + SENTENCES[turn % len(SENTENCES)]
        turn += 1
    return found


def _mirrored(text: str, word: str) -> str:
    """The words of `text` with `word` as far from the end as it was from the start; punctuation goes."""
    words = [found.group() for found in WORD.finditer(text)]
    at = [each.lower() for each in words].index(word)
    moved = words.pop(at)
    words.insert(len(words) - at, moved)
    return " ".join(words)
