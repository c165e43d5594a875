"""What attributions say over many prompts: which words, which share on filler, and whether to raise an alarm."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from analyzer.attribution.integrated_gradients import Attribution, BaselinePath
from analyzer.attribution.words import WordSpan, is_filler
from analyzer.statistics.ties import largest_first
from shared.findings.claims import LEAST_NATS
from shared.findings.tokens import CellCount
from shared.findings.word_checks import Baseline
from shared.records import Probe

CELLS = ("true_positive", "false_positive", "true_negative", "false_negative")
BASELINES: tuple[Baseline, ...] = ("mask", "mean", "space", "twin")
TOP_WORDS = 8
"""Words listed a direction and baseline."""
FEWEST_GROUPS = 2
"""Independent groups of prompts below which a word is not listed: it was seen once."""
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
    instead_of: tuple[str | None, ...] = ()
    """Where the baseline is the twin: for each word the twin's word there, None where it is the same."""

    @property
    def shift(self) -> float:
        """|score - baseline score|, nats."""
        return abs(self.score - self.baseline_score)

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


def shortcuts(attributed: Sequence[Attributed], combined: Collection[str] = ()) -> tuple[float, str | None]:
    """Mean share of |attribution| on filler words, and an alarm.

    Prompts attributed from their twin are left out while at least MIN_OTHERS others remain: a twin shares the
    filler words, which therefore get nothing by construction. An alarm never counts them: they concentrate on the
    word that differs. Nor does it count prompts whose score is where the baseline's is. Words that act in
    combination (`combined`) are no keywords.
    """
    others = [one for one in attributed if one.path.baseline != "twin"]
    counted = others if len(others) >= MIN_OTHERS else list(attributed)
    filler, _ = _filler(counted)
    moved = [one for one in others if one.shift >= LEAST_NATS]
    return filler, _alarm(moved, len(others), combined) if moved else None


def _filler(counted: Sequence[Attributed]) -> tuple[float, float]:
    """Mean share of |attribution| on filler words, and their mean share of the words."""
    shares = [share for share in map(_filler_share, counted) if share is not None]
    filler = float(np.mean(shares)) if shares else 0.0
    expected = float(
        np.mean([np.mean([is_filler(word) for word in one.words if not word.special] or [0.0]) for one in counted])
    )
    return filler, expected


def _alarm(moved: Sequence[Attributed], of: int, combined: Collection[str]) -> str | None:
    """Over the prompts whose score moved, `of` that many."""
    filler, expected = _filler(moved)
    if filler > ALARM_FILLER and filler > expected:
        return (
            f"Stop words, punctuation and special tokens carry {filler:.0%} of the attribution, but are "
            f"{expected:.0%} of the words: the judge may read a template instead of the request."
        )
    return _keyword_alarm(moved, of, combined)


def _keyword_alarm(attributed: Sequence[Attributed], of: int, combined: Collection[str]) -> str | None:
    """A sentence when one word carries most of the attribution wherever it occurs, and occurs often."""
    shares: dict[str, list[float]] = defaultdict(list)
    for one in attributed:
        for text, value in _lexemes(one).items():
            shares[text].append(abs(value) / max(np.abs(one.of_words(one.attribution.values)).sum(), 1e-12))
    texts = sorted(shares.keys() - set(combined))
    for place in largest_first([float(np.mean(shares[text])) for text in texts]):
        text, found = texts[place], shares[texts[place]]
        if float(np.mean(found)) > ALARM_WORD and len(found) >= max(2, ALARM_WORD_SPREAD * of):
            return (
                f"The word {text!r} occurs in {len(found)} of {of} prompts and carries "
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


@dataclass(frozen=True)
class Ranked:
    """A word over the prompts it occurs in."""

    text: str
    values: tuple[float, ...]
    """Its attribution in each of them, nats."""
    places: tuple[int, ...]
    """These prompts, as indices into the attributed ones."""
    instead_of: tuple[str, ...]
    """The twins' words, the most frequent first."""


def top_words(
    attributed: Sequence[Attributed], baseline: Baseline, sign: int, groups: Sequence[int]
) -> list[Ranked]:
    """Words by mean attribution over the prompts they occur in, in one direction; punctuation is left out.

    In nats, not as a share: a share would put the words of prompts whose score hardly moves first. Only prompts of
    one kind of baseline, and only words of at least two of the `groups` (one for each prompt).
    """
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    twins: dict[str, Counter[str]] = defaultdict(Counter)
    for place, one in enumerate(attributed):
        if one.path.baseline != baseline:
            continue
        for text, value in _lexemes(one).items():
            if any(character.isalnum() for character in text) and (baseline != "twin" or text in _changed(one)):
                found[text].append((place, value))
                twins[text].update(_changed(one).get(text, ()))
    means = {
        text: float(np.mean([value for _, value in seen]))
        for text, seen in found.items()
        if len({groups[place] for place, _ in seen}) >= FEWEST_GROUPS
    }
    texts = sorted(text for text, mean in means.items() if sign * mean > 0)
    ranked = [texts[place] for place in largest_first([sign * means[text] for text in texts])]
    return [
        Ranked(
            text,
            tuple(value for _, value in found[text]),
            tuple(place for place, _ in found[text]),
            tuple(name for name, _ in twins[text].most_common(3)),
        )
        for text in ranked[:TOP_WORDS]
    ]


def kinds_of_baseline(attributed: Sequence[Attributed]) -> list[Baseline]:
    """Those that are in use, by name."""
    used = {one.path.baseline for one in attributed}
    return [kind for kind in BASELINES if kind in used]


def _changed(one: Attributed) -> dict[str, list[str]]:
    """Word (lower case) -> the twin's words in its places."""
    found: dict[str, list[str]] = defaultdict(list)
    for word, other in zip(one.words, one.instead_of, strict=False):
        if other is not None and not word.special:
            found[word.text.lower()].append(other.lower())
    return found


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
