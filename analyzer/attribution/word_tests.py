"""Everything on the words page that rests on really replacing words: checks, lists with checks, pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from analyzer.attribution.word_checks import LISTED_DRAWS, Place, agreement, check_words, places_of, words_to_check
from analyzer.attribution.word_kinds import NeutralWords
from analyzer.attribution.word_pairs import candidates, co_occurring, try_pairs
from analyzer.attribution.word_statistics import Attributed, Ranked, kinds_of_baseline, top_words
from analyzer.statistics.folds import independent_groups
from analyzer.statistics.intervals import Clusters
from shared.findings.claims import ToExplain
from shared.findings.parts import Interval
from shared.findings.word_checks import Agreement, Baseline, TopWord, TopWords, WordCheck, WordPair

if TYPE_CHECKING:
    from analyzer.session.context import Context


class WordTests(NamedTuple):
    """What the replacements found."""

    checks: dict[Place, WordCheck]
    top: list[TopWords]
    agreement: list[Agreement]
    pairs: list[WordPair]
    rows: int
    """Prompts with replaced words that were scored."""


class Amount(NamedTuple):
    """How much is replaced."""

    draws: int
    words: int
    """Of a display sample."""
    pair_prompts: int
    bootstraps: int


def word_tests(
    context: Context,
    attributed: Sequence[Attributed],
    shown: int,
    gates: tuple[ToExplain, ToExplain],
    amount: Amount,
) -> WordTests:
    """The first `shown` prompts are display samples. `gates` are the separation of the classes and the shift of the
    scores: without the first nothing is paired, without either nothing is listed.
    """
    apart, shift = (gate.claimable for gate in gates)
    groups = independent_groups(context.probes)
    texts = [probe.text for probe in context.probes]
    scores = context.forward.scores.astype(float)
    mine = groups[[one.index for one in attributed]]
    pairs = candidates(texts, scores, groups) if apart else []
    lists = _ranked(attributed, mine) if apart and shift else {}
    pairs += co_occurring(texts, groups, _strongest(lists), pairs)
    neutral = NeutralWords(context.judge, context.probes, never={word for pair in pairs for word in pair})
    listed = [place for ranked in lists.values() for word in ranked for place in places_of(word, attributed)]
    shown_words = [Place(i, word) for i in range(shown) for word in words_to_check(attributed[i], amount.words)]
    draws = dict.fromkeys(listed, LISTED_DRAWS) | dict.fromkeys(shown_words, amount.draws)
    checks, rows = check_words(context.judge, attributed, draws, neutral, context.batch_tokens, context.progress)
    tried, more = try_pairs(context, texts, scores, groups, pairs, neutral, amount.pair_prompts, amount.bootstraps)
    return WordTests(
        checks,
        _lists(attributed, lists, checks, mine, amount.bootstraps, context.seed),
        agreement(attributed, checks, mine.tolist(), amount.bootstraps, context.seed),
        tried,
        rows + more,
    )


Lists = dict[tuple[Baseline, int], list[Ranked]]
"""(kind of baseline, direction) -> words."""


def _ranked(attributed: Sequence[Attributed], groups: np.ndarray) -> Lists:
    return {
        (kind, sign): top_words(attributed, kind, sign, groups.tolist())
        for kind in kinds_of_baseline(attributed)
        for sign in (1, -1)
    }


def _strongest(lists: Lists) -> list[str]:
    """The first words of every list."""
    return list(dict.fromkeys(word.text for ranked in lists.values() for word in ranked[:3]))


def _lists(
    attributed: Sequence[Attributed],
    lists: Lists,
    checks: dict[Place, WordCheck],
    groups: np.ndarray,
    draws: int,
    seed: int,
) -> list[TopWords]:
    def top(word: Ranked) -> TopWord:
        done = [(place, checks[place]) for place in places_of(word, attributed) if place in checks]
        return TopWord(
            text=word.text,
            value=_mean(word.values, groups[list(word.places)], draws, seed),
            count=len(word.places),
            groups=len(set(groups[list(word.places)])),
            instead_of=list(word.instead_of),
            check=_mean_check([(int(groups[place.prompt]), check) for place, check in done], draws, seed),
            checked=len(done),
        )

    return [
        TopWords(
            baseline=kind,
            prompts=sum(one.path.baseline == kind for one in attributed),
            unsafe=[top(word) for word in lists.get((kind, 1), [])],
            safe=[top(word) for word in lists.get((kind, -1), [])],
        )
        for kind in kinds_of_baseline(attributed)
    ]


def _mean(values: Sequence[float], groups: np.ndarray, draws: int, seed: int) -> Interval:
    return Clusters(groups.tolist(), draws, seed).student(np.asarray(values, dtype=float))


def _mean_check(found: Sequence[tuple[int, WordCheck]], draws: int, seed: int) -> Interval | None:
    """Over prompts; of one prompt its own interval over draws."""
    if not found:
        return None
    if len({group for group, _ in found}) == 1:
        return found[0][1].effect
    return _mean([check.effect.value for _, check in found], np.array([group for group, _ in found]), draws, seed)
