"""The fewest whole-word substitutions that flip a verdict: what the judge hangs on, not what anybody writes.

1. The gradient picks substitutions (`attribution/word_swaps.py`); each is really scored, in the whole text.
2. Where none flips the verdict, the best few are kept, and one more word is replaced in each; at most `MOST`.
3. Beside it as many words, at the same places, are replaced at random, `DRAWS` times.

So fewer may exist than are found, and a flip by one word says little where random words do the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from analyzer.asking.texts import Texts
from analyzer.attribution.word_swaps import SwapWords, best_swaps, gradients
from shared.findings.asked import Flips, Substitution, WordChange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST = 4
"""Words that may be replaced."""
BEAM, PICKED, PER_WORD = 3, 32, 4
"""Texts that are taken on, substitutions tried of each, and of these in one place."""
DRAWS = 20
"""Times that as many words are replaced at random."""


class _Changed(NamedTuple):
    """A text with some words replaced."""

    words: tuple[tuple[int, str, float], ...]
    """(place among the spans, new word, score with it and those before it)."""
    text: str
    score: float

    @property
    def places(self) -> set[int]:
        return {place for place, _, _ in self.words}


def fewest_changes(texts: Texts, score: float, known: SwapWords, seed: int) -> Flips | None:
    """Search from a prompt of that score; None where no word can be replaced."""
    if not known.words or not texts.places:
        return None
    up, tried = score <= 0, 0
    beam = [_Changed((), texts.judged, score)]
    for _ in range(min(MOST, len(texts.places))):
        found = _further(texts, beam, known, up)
        tried += len(found)
        if not found:
            break
        beam = sorted(found, key=lambda each: -each.score if up else each.score)[:BEAM]
        if _flipped(beam[0].score, up):
            break
    best = beam[0]
    if not best.words:
        return None
    random = _random(texts, best, known, seed)
    return Flips(
        found=_substitution(texts, best, up),
        most=MOST,
        tried=tried,
        random_draws=len(random),
        random_flipped=int(sum(_flipped(each, up) for each in random)),
        random_best=float(random.max() if up else random.min()),
    )


def _flipped(score: float, up: bool) -> bool:
    """Whether a verdict that was on the other side is turned."""
    return (score > 0) == up


def _further(texts: Texts, beam: Sequence[_Changed], known: SwapWords, up: bool) -> list[_Changed]:
    """Each text of the beam with one more word replaced, really scored."""
    opened = texts.opened
    encoded = opened.judge.encode([each.text for each in beam])
    slopes = gradients(opened.judge, encoded, opened.batch_tokens)
    wanted: dict[str, tuple[_Changed, int, str]] = {}
    for each, prompt, slope in zip(beam, encoded, slopes, strict=True):
        spans = texts.words(prompt)
        standing = _standing(texts, each)
        found = [(at, standing.get((span.start, span.end))) for at, span in enumerate(spans)]
        back = {at: place for at, place in found if place is not None}
        swaps = best_swaps(opened.judge, prompt, spans, back, slope, known, up=up, count=PICKED, per_word=PER_WORD)
        for swap in swaps:
            place = back[swap.place]
            text = _built(texts, {**{p: word for p, word, _ in each.words}, place: swap.word})
            wanted.setdefault(text, (each, place, swap.word))
    if not wanted:
        return []
    scores = texts.scores([*wanted], "changes that flip")
    return [
        _Changed((*before.words, (place, word, float(value))), text, float(value))
        for (text, (before, place, word)), value in zip(wanted.items(), scores, strict=True)
    ]


def _standing(texts: Texts, changed: _Changed) -> dict[tuple[int, int], int]:
    """Where the words that are not replaced yet stand in a changed text: (start, end) -> their place."""
    new = {place: word for place, word, _ in changed.words}
    found, shift = {}, 0
    for place in texts.places:
        span = texts.spans[place]
        if place in new:
            shift += len(new[place]) - (span.end - span.start)
        else:
            found[span.start + shift, span.end + shift] = place
    return found


def _built(texts: Texts, new: Mapping[int, str]) -> str:
    """The judged text with words at some places replaced."""
    text = texts.judged
    for place in sorted(new, reverse=True):
        span = texts.spans[place]
        text = text[: span.start] + new[place] + text[span.end :]
    return text


def _random(texts: Texts, best: _Changed, known: SwapWords, seed: int) -> np.ndarray:
    """(draws,) scores with random words at the same places."""
    draws = np.random.default_rng(seed).integers(len(known.words), size=(DRAWS, len(best.words)))
    places = [place for place, _, _ in best.words]
    built = [
        _built(texts, {place: known.words[index] for place, index in zip(places, row, strict=True)})
        for row in draws.tolist()
    ]
    return texts.scores(built, "random changes")


def _substitution(texts: Texts, best: _Changed, up: bool) -> Substitution:
    changes = []
    for place, word, value in best.words:
        span = texts.spans[place]
        changes.append(WordChange(start=span.start, end=span.end, old=span.text, new=word, score=value))
    return Substitution(words=changes, text=best.text, score=best.score, flipped=_flipped(best.score, up))
