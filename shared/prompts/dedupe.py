"""Removing duplicates and near-duplicates.

1. Exact: prompts with one digest (shared.prompts.digest) are one prompt. With different labels all of them go,
   for nobody can say which is right.
2. Near: two prompts with one label whose words overlap by Jaccard >= 0.85, words counted with repetition. The
   join is exact and fast: sets that similar share a word among their rarest |x| - ceil(0.85 |x|) + 1 words
   (prefix filtering, Chaudhuri et al. 2006; Bayardo et al. 2007), so only those are looked up: 100,000 prompts of
   twenty words take some 8 s.

Twins of contrast pairs are near-duplicates by intention and are kept; so are prompts of one group, because they
never end up in different splits.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal, NamedTuple

from shared.prompts.digest import digest_of, normalise
from shared.records import Prompt

THRESHOLD = 0.85
"""Word Jaccard of near-duplicates, at least: one word added to six is 0.86, one swapped in ten is 0.82."""

Reason = Literal["duplicate", "near-duplicate", "conflict"]
Word = tuple[str, int]
"""A word and which repetition of it in its prompt this is."""


class Removal(NamedTuple):
    """One prompt that was removed, and why."""

    prompt: Prompt
    reason: Reason
    like: Prompt
    """The prompt it repeats or contradicts."""


class Deduplicated(NamedTuple):
    """What is left, in order, and what was removed."""

    kept: list[Prompt]
    removed: list[Removal]

    def count(self, reason: Reason) -> int:
        return sum(removal.reason == reason for removal in self.removed)

    @property
    def summary(self) -> str:
        """One sentence for people."""
        return (
            f"{len(self.kept)} prompts kept; removed {self.count('duplicate')} duplicates, "
            f"{self.count('near-duplicate')} near-duplicates and {self.count('conflict')} with conflicting labels."
        )


def deduplicate(prompts: Sequence[Prompt], threshold: float = THRESHOLD) -> Deduplicated:
    """Remove exact and near duplicates; of several the twin of a pair is kept, else the first."""
    chosen, removed = _exact(prompts)
    near = _near(chosen, threshold)
    kept = [prompt for index, prompt in enumerate(chosen) if index not in near]
    return Deduplicated(kept, removed + [Removal(chosen[i], "near-duplicate", chosen[j]) for i, j in near.items()])


def near_copies(prompts: Sequence[Prompt], others: Sequence[Prompt], threshold: float = THRESHOLD) -> list[Prompt]:
    """Those of `prompts` that are a near-duplicate of one of `others` with their label, be they twins or not."""
    lone = [prompt.model_copy(update={"pair": None, "group": ""}) for prompt in [*others, *prompts]]
    found = _near(lone, threshold, first=len(others))
    return [prompts[index - len(others)] for index in found]


def _exact(prompts: Sequence[Prompt]) -> tuple[list[Prompt], list[Removal]]:
    same: dict[str, list[int]] = defaultdict(list)
    for index, prompt in enumerate(prompts):
        same[digest_of(prompt)].append(index)
    keep: list[int] = []
    removed: list[Removal] = []
    for indices in same.values():
        best = min(indices, key=lambda index: (prompts[index].pair is None, index))
        labels = {prompts[index].label for index in indices}
        if len(labels) == 1:
            keep.append(best)
            removed += [Removal(prompts[i], "duplicate", prompts[best]) for i in indices if i != best]
        else:
            removed += [Removal(prompts[i], "conflict", _opponent(prompts, indices, i)) for i in indices]
    return [prompts[index] for index in sorted(keep)], removed


def _opponent(prompts: Sequence[Prompt], indices: list[int], index: int) -> Prompt:
    return next(prompts[other] for other in indices if prompts[other].label != prompts[index].label)


def _near(prompts: Sequence[Prompt], threshold: float, first: int | None = None) -> dict[int, int]:
    """Index of each near-duplicate -> index of the earlier prompt it repeats.

    With `first`, only prompts from there on are looked up, and only among those before it.
    """
    words = [_words(f"{prompt.text}\n{prompt.response}") for prompt in prompts]
    frequency = Counter(word for each in words for word in each)
    index: dict[tuple[str, Word], list[int]] = defaultdict(list)
    found: dict[int, int] = {}
    for i, prompt in enumerate(prompts):
        prefix = sorted(words[i], key=lambda word: (frequency[word], word))[
            : _prefix_length(len(words[i]), threshold)
        ]
        if prompt.pair is None and (first is None or i >= first):
            candidates = sorted({j for word in prefix for j in index[prompt.label, word]})
            match = next((j for j in candidates if _repeats(prompts, words, i, j, threshold)), None)
            if match is not None:
                found[i] = match
                continue
        for word in prefix if first is None or i < first else ():
            index[prompt.label, word].append(i)
    return found


def _words(text: str) -> frozenset[Word]:
    seen: Counter[str] = Counter()
    words = []
    for word in re.findall(r"\w+", normalise(text)):
        words.append((word, seen[word]))
        seen[word] += 1
    return frozenset(words)


def _prefix_length(size: int, threshold: float) -> int:
    return size - math.ceil(threshold * size) + 1 if size else 0


def _repeats(prompts: Sequence[Prompt], words: list[frozenset[Word]], i: int, j: int, threshold: float) -> bool:
    if prompts[i].group and prompts[i].group == prompts[j].group:
        return False
    small, large = sorted((len(words[i]), len(words[j])))
    if small < threshold * large:
        return False
    common = len(words[i] & words[j])
    return common >= threshold * (small + large - common)
