"""Does the judge go by something else than what is asked: length, number of sentences, where a word stands?

1. Spearman of the score with each property over the probe set, with its interval over groups of prompts.
2. The same after matching: inside each class, and of the differences between the twins of a contrast pair.
3. Where the score follows a property, the labels may follow it, too, and a saturated judge has no ranks left inside
   a class. So the property alone is changed in the prompts, and they are really scored (`prompt_changes`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from analyzer.attribution.prompt_changes import lengthened, place_of, with_word_moved
from analyzer.attribution.word_kinds import WORD
from analyzer.statistics.folds import independent_groups
from analyzer.statistics.intervals import Clusters
from analyzer.statistics.rank_intervals import FEWEST, spearman_interval, spearman_p_value
from shared.findings.confounds import Confound
from shared.prompts.twins import twin_of

if TYPE_CHECKING:
    from analyzer.session.context import Context

FEWEST_WITH_WORD = 24
"""Prompts that have a word, once, below which its place is not looked at."""
END = re.compile(r"[.!?]+(?=\s|$)")

Change = Callable[[], tuple[np.ndarray, np.ndarray, str]]


def confounds(context: Context, bootstraps: int) -> list[Confound]:
    """Those that can be measured on this probe set."""
    lengths = np.array([len(encoded.content) for encoded in context.forward.encoded], dtype=float)
    sentences = np.array([max(1, len(END.findall(probe.text.strip()))) for probe in context.probes], dtype=float)
    groups = independent_groups(context.probes)

    def longer() -> tuple[np.ndarray, np.ndarray, str]:
        return lengthened(context, lengths, groups)

    found = [
        _confound(context, "length", "length (tokens)", lengths, bootstraps, longer),
        _confound(context, "sentences", "number of sentences", sentences, bootstraps, None),
        *_places(context, groups, bootstraps),
    ]
    return [each for each in found if each is not None]


def _places(context: Context, groups: np.ndarray, bootstraps: int) -> list[Confound | None]:
    """Where the word stands that differs from the twin's, and where the word stands whose place matters most."""
    encoded, twins = context.forward.encoded, twin_of(context.probes)
    first = np.full(len(encoded), np.nan)
    for one, other in twins.items():
        pairs = zip(encoded[one].ids, encoded[other].ids, strict=False)
        differ = [place for place, (a, b) in enumerate(pairs) if a != b]
        if differ and len(encoded[one].ids) > 1:
            first[one] = differ[0] / (len(encoded[one].ids) - 1)
    found = [
        _confound(context, "position", "place of the word that differs from the twin's", first, bootstraps, None)
    ]
    places = _word_places(context)
    tried = {word: _confound(context, "position", "", values, 2, None) for word, values in places.items()}
    able = {word: each for word, each in tried.items() if each is not None}
    if not able:
        return found
    word = max(able, key=lambda word: abs(able[word].spearman.value))

    def moved() -> tuple[np.ndarray, np.ndarray, str]:
        return with_word_moved(context, word, groups)

    best = _confound(
        context, "position", f"place of the word {word!r}", places[word], bootstraps, moved, tries=len(able)
    )
    return [*found, best]


def _word_places(context: Context) -> dict[str, np.ndarray]:
    """Word -> (n,) its place in each prompt, NaN where it does not stand once; of frequent words."""
    texts = [probe.text for probe in context.probes]
    counts: dict[str, int] = {}
    for text in texts:
        for word in {found.group().lower() for found in WORD.finditer(text)}:
            counts[word] = counts.get(word, 0) + 1
    found = {}
    for word in sorted(word for word, count in counts.items() if count >= FEWEST_WITH_WORD):
        values = np.array([np.nan if (at := place_of(text, word)) is None else at for text in texts])
        if np.isfinite(values).sum() >= FEWEST_WITH_WORD:
            found[word] = values
    return found


def _confound(
    context: Context,
    kind: str,
    what: str,
    values: np.ndarray,
    bootstraps: int,
    change: Change | None,
    tries: int = 1,
) -> Confound | None:
    """`values` (n,) may be NaN; None where too few prompts have the property, or it does not vary."""
    rows = np.flatnonzero(np.isfinite(values))
    if len(rows) < FEWEST:
        return None
    scores = context.forward.scores.astype(float)
    groups = independent_groups(context.probes)
    clusters = Clusters(groups[rows].tolist(), bootstraps, context.seed)
    whole = spearman_interval(scores[rows], values[rows], clusters)
    if whole is None:
        return None
    unsafe = np.array([probe.label == "unsafe" for probe in context.probes])
    found = Confound(
        kind=kind,  # type: ignore[arg-type]
        what=what,
        prompts=len(rows),
        groups=clusters.count,
        spearman=whole,
        p_value=min(1.0, tries * spearman_p_value(whole.value, clusters.count)),
        within_labels=spearman_interval(scores[rows], values[rows], clusters, unsafe[rows].astype(int)),
        within_pairs=_within_pairs(context, scores, values, bootstraps),
    )
    return _changed(found, context, change, bootstraps) if change and found.follows else found


def _within_pairs(context: Context, scores: np.ndarray, values: np.ndarray, bootstraps: int):
    """Of the differences between twins, unsafe less safe, where they differ."""
    twins = twin_of(context.probes)
    pairs = [(a, b) for a, b in twins.items() if context.probes[a].label == "unsafe"]
    differ = [(a, b) for a, b in pairs if np.isfinite(values[a] - values[b]) and values[a] != values[b]]
    if len(differ) < FEWEST:
        return None
    first, second = np.array(differ).T
    groups = independent_groups(context.probes)
    clusters = Clusters(groups[first].tolist(), bootstraps, context.seed)
    return spearman_interval(scores[first] - scores[second], values[first] - values[second], clusters)


def _changed(found: Confound, context: Context, change: Change, bootstraps: int) -> Confound:
    """With what becomes of the score when this property alone is changed."""
    changes, groups, how = change()
    if len(changes) < 2:
        return found
    clusters = Clusters(groups.tolist(), bootstraps, context.seed)
    moved = {"moved": clusters.student(changes), "moved_p": clusters.p_value(changes), "moved_how": how}
    return found.model_copy(update=moved)
