"""Words that act only together: where single words explain little of the score, and two of them do.

Attribution and single replacements miss exclusive or: each word's effect has either sign, depending on the other.

1. Candidates, without a pass: for each pair of words of the probe set the interaction of the judge's own scores
   over prompts that have both, one, the other or neither of them, as a t value; and the strongest pair by
   attribution.
2. Each candidate in up to some prompts that have both words: neutral words in the place of one, of the other, and
   of both, several draws, all really scored (a design of two by two).
3. Effects of the design, averaged over prompts: each word over the other's presence, and what is beyond their sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from analyzer.attribution.replacement import scores_of
from analyzer.attribution.word_kinds import WORD, NeutralWords
from analyzer.statistics.intervals import Clusters
from shared.findings.claims import FEWEST_GROUPS, LEAST_NATS
from shared.findings.word_checks import WordPair

if TYPE_CHECKING:
    from analyzer.session.context import Context

MOST_WORDS = 300
"""Words of the probe set of which pairs are formed, the most frequent first."""
FEWEST_CELL = 3
"""Prompts of each of the four kinds (both, one, the other, neither) for an interaction of scores."""
WORTH_TRYING = 4.0
"""t value of the interaction of scores from which a pair is tried."""
BY_SCORES = 2
"""Pairs tried at most by the interaction of scores; one more may come from attribution."""
DRAWS = 4
"""Neutral words in each place."""


class Trial(NamedTuple):
    """One prompt with both words, and its versions."""

    probe: int
    texts: list[list[str]]
    """Without the first word, without the second, without both; each several draws."""


def word_sets(texts: Sequence[str]) -> list[dict[str, int]]:
    """How often each lower-case word stands in each text."""
    found = []
    for text in texts:
        counts: dict[str, int] = {}
        for word in WORD.findall(text.lower()):
            counts[word] = counts.get(word, 0) + 1
        found.append(counts)
    return found


def candidates(texts: Sequence[str], scores: np.ndarray, groups: np.ndarray) -> list[tuple[str, str]]:
    """Up to BY_SCORES pairs whose words' presence acts on the (n,) scores otherwise than by a sum."""
    sets = word_sets(texts)
    totals: dict[str, int] = {}
    for found in sets:
        for word in found:
            totals[word] = totals.get(word, 0) + 1
    able = [word for word, count in totals.items() if FEWEST_GROUPS <= count <= len(texts) - FEWEST_CELL]
    names = sorted(able, key=lambda word: (-totals[word], word))[:MOST_WORDS]
    if len(names) < 2:
        return []
    has = np.array([[word in found for word in names] for found in sets], dtype=float)  # (n, words)
    strength = interaction_t(has, scores)
    strength[_groups_with_both(has, groups) < FEWEST_GROUPS] = 0
    upper = np.triu(strength, 1)
    order = np.argsort(-upper, axis=None, kind="stable")[:BY_SCORES]
    pairs = [(int(place) // len(names), int(place) % len(names)) for place in order]
    return [(names[i], names[j]) for i, j in pairs if upper[i, j] >= WORTH_TRYING]


def interaction_t(has: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(words, words) |t| of mean(both) - mean(one) - mean(other) + mean(neither) of the (n,) scores.

    `has` (n, words) is 1 where a prompt has the word. 0 where one of the four kinds has too few prompts, and where
    the interaction is too small to move a verdict.
    """
    values = scores - scores.mean()
    lacks = 1 - has
    contrast, variance, inside = (np.zeros((has.shape[1], has.shape[1])) for _ in range(3))
    enough = contrast == 0
    for one, other, sign in ((has, has, 1), (has, lacks, -1), (lacks, has, -1), (lacks, lacks, 1)):
        count = one.T @ other
        enough = enough & (count >= FEWEST_CELL)
        safe = np.maximum(count, 1)
        mean = (one * values[:, None]).T @ other / safe
        inside = inside + (one * values[:, None] ** 2).T @ other - safe * mean**2
        contrast = contrast + sign * mean
        variance = variance + 1 / safe
    spread = np.maximum(inside, 0) / max(len(scores) - 4, 1)
    floor = 1e-12 * float(values @ values) / max(len(scores), 1)
    found = np.abs(contrast) / np.sqrt(variance * np.maximum(spread, max(floor, 1e-300)))
    return np.where(enough & (np.abs(contrast) >= LEAST_NATS), found, 0.0)


def _groups_with_both(has: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(words, words) independent groups that have a prompt with both words."""
    both = np.zeros((has.shape[1], has.shape[1]))
    for group in np.unique(groups):
        rows = has[groups == group]
        both += (rows.T @ rows) > 0
    return both


def co_occurring(
    texts: Sequence[str], groups: np.ndarray, words: Sequence[str], taken: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Of `words`, strongest first, the first two that stand together often enough to be tried; at most one pair."""
    sets = word_sets(texts)
    for place, one in enumerate(words):
        for other in words[place + 1 :]:
            both = {
                int(group) for found, group in zip(sets, groups, strict=True) if one in found and other in found
            }
            if len(both) >= FEWEST_GROUPS and {one, other} not in [set(pair) for pair in taken]:
                return [(one, other)]
    return []


def try_pairs(
    context: Context,
    texts: Sequence[str],
    scores: np.ndarray,
    groups: np.ndarray,
    pairs: Sequence[tuple[str, str]],
    neutral: NeutralWords,
    prompts: int,
    bootstraps: int,
) -> tuple[list[WordPair], int]:
    """Each pair in up to `prompts` prompts, one a group; the strongest combination first. And the rows scored."""
    trials = [_trials(texts, groups, pair, neutral, prompts) for pair in pairs]
    flat = list(dict.fromkeys(text for some in trials for t in some for kind in t.texts for text in kind))
    known = dict(zip(flat, _scores(context, flat), strict=True))
    found = []
    for pair, some in zip(pairs, trials, strict=True):
        if len(some) < 2:
            continue
        cells = np.array(
            [[scores[t.probe], *(np.mean([known[text] for text in kind]) for kind in t.texts)] for t in some]
        )
        clusters = Clusters([int(groups[t.probe]) for t in some], bootstraps, context.seed)
        found.append(_effects(pair, cells, clusters, len(pairs)))
    return sorted(found, key=lambda each: -abs(each.together.value)), len(flat)


def _scores(context: Context, texts: Sequence[str]) -> np.ndarray:
    return scores_of(context.judge, texts, context.batch_tokens, context.progress)


def _effects(pair: tuple[str, str], cells: np.ndarray, clusters: Clusters, tried: int) -> WordPair:
    """`cells` (prompts, 4): scores with both words, without the first, without the second, without both."""
    both, without_first, without_second, neither = cells.T
    first = (both - without_first + without_second - neither) / 2
    second = (both - without_second + without_first - neither) / 2
    together = (both - without_first - without_second + neither) / 2
    squares = np.array([first.mean(), second.mean(), together.mean()]) ** 2
    return WordPair(
        words=pair,
        prompts=len(cells),
        groups=clusters.count,
        alone=(clusters.student(first), clusters.student(second)),
        together=clusters.student(together),
        share=float(squares[2] / max(squares.sum(), 1e-300)),
        p_value=min(1.0, tried * clusters.p_value(together)),
    )


def _trials(
    texts: Sequence[str], groups: np.ndarray, pair: tuple[str, str], neutral: NeutralWords, most: int
) -> list[Trial]:
    """Prompts that have each word once, one of every group."""
    found: list[Trial] = []
    seen: set[int] = set()
    for place, counts in enumerate(word_sets(texts)):
        if len(found) == most:
            break
        if int(groups[place]) in seen or any(counts.get(word) != 1 for word in pair):
            continue
        versions = _versions(texts[place], pair, neutral)
        if versions is not None:
            seen.add(int(groups[place]))
            found.append(Trial(place, versions))
    return found


def _versions(text: str, pair: tuple[str, str], neutral: NeutralWords) -> list[list[str]] | None:
    """The prompt without one word, without the other, without both; None where a word has no neutral ones."""
    spans = list(WORD.finditer(text))
    taken = [span.group() for span in spans]
    places, drawn = [], []
    for word in pair:
        at = next(i for i, span in enumerate(spans) if span.group().lower() == word)
        before = taken[at - 1] if at else ""
        words = neutral.draws(spans[at].group(), before, 2 * DRAWS, taken).words
        if len(words) < 2:
            return None
        places.append(spans[at].span())
        drawn.append(words)
    one, other = drawn[0][:DRAWS], drawn[1][-DRAWS:]  # two words of one kind get different ones
    return [
        [_put(text, {places[0]: a}) for a in one],
        [_put(text, {places[1]: b}) for b in other],
        [_put(text, {places[0]: a, places[1]: b}) for a, b in zip(one, other, strict=False)],
    ]


def _put(text: str, changes: dict[tuple[int, int], str]) -> str:
    """`text` with other words at these character spans."""
    for (start, end), word in sorted(changes.items(), reverse=True):
        text = text[:start] + word + text[end:]
    return text
