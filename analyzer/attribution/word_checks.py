"""The interventional check of many words at once: those of the display samples, and those that lists name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from analyzer.attribution.replacement import Replaced, effect, scores_of, versions
from analyzer.attribution.word_kinds import NeutralWords
from analyzer.attribution.word_statistics import Attributed, Ranked, kinds_of_baseline
from analyzer.attribution.words import is_filler
from analyzer.model.hooked_pass import Progress, unwatched
from analyzer.statistics.intervals import Clusters
from analyzer.statistics.rank_intervals import spearman_interval
from shared.findings.word_checks import Agreement, WordCheck

if TYPE_CHECKING:
    from analyzer.model.judge import Judge

LISTED_PROMPTS, LISTED_DRAWS = 12, 4
"""Prompts in which a listed word is checked, and neutral words in each: its mean over prompts is shown."""
FEWEST_WORDS = 8
"""Checked words below which no correlation is published."""


class Place(NamedTuple):
    """One word of one attributed prompt."""

    prompt: int
    word: int


def words_to_check(one: Attributed, most: int) -> list[int]:
    """Up to `most` words of a prompt: by |attribution|, those that say what is asked before the others."""
    sizes = np.abs(one.of_words(one.attribution.values))
    able = [place for place, word in enumerate(one.words) if not word.special and _says(word.text)]
    return sorted(able, key=lambda place: (-sizes[place], is_filler(one.words[place]), place))[:most]


def places_of(ranked: Ranked, attributed: Sequence[Attributed]) -> list[Place]:
    """Where a listed word stands, in up to LISTED_PROMPTS prompts."""
    return [
        Place(prompt, next(i for i, w in enumerate(attributed[prompt].words) if w.text.lower() == ranked.text))
        for prompt in ranked.places[:LISTED_PROMPTS]
    ]


def check_words(
    judge: Judge,
    attributed: Sequence[Attributed],
    draws: Mapping[Place, int],
    neutral: NeutralWords,
    batch_tokens: int,
    progress: Progress = unwatched,
) -> tuple[dict[Place, WordCheck], int]:
    """The check of each word that has neutral words of its kind, and how many prompts were scored for all.

    `draws` says how many of them stand in each word's place.
    """
    tried: dict[Place, Replaced] = {}
    for place, count in draws.items():
        one = attributed[place.prompt]
        tried[place] = versions(one.probe.text, one.words, place.word, neutral, count)
    texts = list(dict.fromkeys(text for found in tried.values() for text in found.texts))
    scores = dict(zip(texts, scores_of(judge, texts, batch_tokens, progress), strict=True))
    checks = {}
    for place, found in tried.items():
        value = effect(attributed[place.prompt].score, np.array([scores[text] for text in found.texts]))
        if value is not None:
            checks[place] = WordCheck(effect=value, kind=found.kind, draws=len(found.texts))
    return checks, len(texts)


def agreement(
    attributed: Sequence[Attributed], checks: dict[Place, WordCheck], groups: Sequence[int], draws: int, seed: int
) -> list[Agreement]:
    """Spearman of attribution and check, for each kind of baseline; bootstrap `draws` over groups of prompts."""
    found = []
    for baseline in kinds_of_baseline(attributed):
        places = [place for place in checks if attributed[place.prompt].path.baseline == baseline]
        prompts = len({place.prompt for place in places})
        if len(places) < FEWEST_WORDS:
            found.append(Agreement(baseline=baseline, words=len(places), prompts=prompts, spearman=None))
            continue
        said = [attributed[p.prompt].of_words(attributed[p.prompt].attribution.values)[p.word] for p in places]
        done = [checks[place].effect.value for place in places]
        clusters = Clusters([groups[place.prompt] for place in places], draws, seed)
        found.append(
            Agreement(
                baseline=baseline,
                words=len(places),
                prompts=prompts,
                spearman=spearman_interval(np.array(said), np.array(done), clusters),
            )
        )
    return found


def _says(text: str) -> bool:
    return any(character.isalnum() for character in text)
