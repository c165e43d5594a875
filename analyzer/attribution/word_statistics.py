"""What attributions say over many prompts: which words, which share on filler, and whether to raise an alarm."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analyzer.attribution.integrated_gradients import Attribution, BaselinePath
from analyzer.attribution.words import WordSpan, is_filler
from analyzer.statistics.ties import largest_first
from shared.findings.tokens import CellCount, TopWord
from shared.records import Probe

CELLS = ("true_positive", "false_positive", "true_negative", "false_negative")
TOP_WORDS = 12
"""Words listed a direction."""
MIN_OTHERS = 4
"""Fewer prompts than this without a twin baseline are too few for the shortcut share."""
ALARM_FILLER = 0.5
"""Share of |attribution| on filler words above which there is an alarm, if it exceeds their share of words too."""
ALARM_WORD = 0.5
"""Mean share of a prompt's |attribution| on one word above which that word is called a keyword ..."""
ALARM_WORD_SPREAD = 0.25
"""... when it occurs in at least this share of the prompts."""


@dataclass(frozen=True)
class Attributed:
    """One attributed prompt."""

    index: int
    """Into the probe set."""
    probe: Probe
    path: BaselinePath
    score: float
    baseline_score: float
    attribution: Attribution
    words: list[WordSpan]

    def of_words(self, values: np.ndarray) -> np.ndarray:
        """(tokens,) -> (words,) sums."""
        return np.array([values[list(word.tokens)].sum() for word in self.words])


def _filler_share(one: Attributed) -> float | None:
    """Share of |attribution| on filler words; None without any attribution."""
    sizes = np.abs(one.of_words(one.attribution.values))
    total = sizes.sum()
    if total <= 0:
        return None
    return float(sizes[[is_filler(word) for word in one.words]].sum() / total)


def shortcuts(attributed: Sequence[Attributed]) -> tuple[float, str | None]:
    """Mean share of |attribution| on filler words, and an alarm.

    Prompts attributed from their twin are left out while at least MIN_OTHERS others remain: a twin shares the
    filler words, which therefore get nothing by construction.
    """
    others = [one for one in attributed if one.path.baseline != "twin"]
    counted = others if len(others) >= MIN_OTHERS else list(attributed)
    shares = [share for share in map(_filler_share, counted) if share is not None]
    filler = float(np.mean(shares)) if shares else 0.0
    expected = float(
        np.mean([np.mean([is_filler(word) for word in one.words if not word.special] or [0.0]) for one in counted])
    )
    if filler > ALARM_FILLER and filler > expected:
        return filler, (
            f"Stop words, punctuation and special tokens carry {filler:.0%} of the attribution, but are "
            f"{expected:.0%} of the words: the judge may read a template instead of the request."
        )
    return filler, _keyword_alarm(counted)


def _keyword_alarm(attributed: Sequence[Attributed]) -> str | None:
    """A sentence when one word carries most of the attribution wherever it occurs, and occurs often."""
    shares: dict[str, list[float]] = defaultdict(list)
    for one in attributed:
        for text, value in _lexemes(one).items():
            shares[text].append(abs(value) / max(np.abs(one.of_words(one.attribution.values)).sum(), 1e-12))
    texts = sorted(shares)
    for place in largest_first([float(np.mean(shares[text])) for text in texts]):
        text, found = texts[place], shares[texts[place]]
        if float(np.mean(found)) > ALARM_WORD and len(found) >= max(2, ALARM_WORD_SPREAD * len(attributed)):
            return (
                f"The word {text!r} occurs in {len(found)} of {len(attributed)} prompts and carries "
                f"{float(np.mean(found)):.0%} of their attribution: the judge may have learned a keyword."
            )
    return None


def _lexemes(one: Attributed) -> dict[str, float]:
    """Attribution of each different word of a prompt, lower case; special tokens left out."""
    sums: dict[str, float] = defaultdict(float)
    for word, value in zip(one.words, one.of_words(one.attribution.values), strict=True):
        if not word.special and word.text:
            sums[word.text.lower()] += float(value)
    return sums


def top_words(attributed: Sequence[Attributed], sign: int) -> list[TopWord]:
    """Words by mean attribution over the prompts they occur in, in one direction; punctuation is left out.

    In nats, not as a share: a share would put the words of prompts whose score hardly moves first.
    """
    values: dict[str, list[float]] = defaultdict(list)
    for one in attributed:
        for text, value in _lexemes(one).items():
            if any(character.isalnum() for character in text):
                values[text].append(value)
    means = [(text, float(np.mean(found)), len(found)) for text, found in values.items()]
    entries = sorted(entry for entry in means if sign * entry[1] > 0)
    ranked = [entries[place] for place in largest_first([sign * value for _, value, _ in entries])]
    return [TopWord(text=text, value=value, count=count) for text, value, count in ranked[:TOP_WORDS]]


def cells(attributed: Sequence[Attributed]) -> list[CellCount]:
    """Share of |attribution| on content words by confusion cell."""
    shares: dict[str, list[float]] = {cell: [] for cell in CELLS}
    counts: dict[str, int] = defaultdict(int)
    for one in attributed:
        flagged = one.score > 0
        right = flagged == (one.probe.label == "unsafe")
        cell = f"{'true' if right else 'false'}_{'positive' if flagged else 'negative'}"
        counts[cell] += 1
        filler = _filler_share(one)
        if filler is not None:
            shares[cell].append(1 - filler)
    return [
        CellCount(cell=cell, count=counts[cell], content_share=float(np.mean(found)) if found else None)  # type: ignore[arg-type]
        for cell, found in shares.items()
    ]
