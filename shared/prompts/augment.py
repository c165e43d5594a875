"""More training prompts from those there are, by rules that keep the label (shared.prompts.rewording).

A variant keeps label, category and group of the prompt it was made of, and says by which rule (`origin`). The twins
of a contrast pair are reworded by the same rules, or not at all: they differ in what they differed in.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from shared.prompts.groups import drawn
from shared.prompts.rewording import RULES
from shared.records import Prompt

ORIGIN = "augment"


def augmented(prompts: Sequence[Prompt], count: int, seed: int = 0) -> list[Prompt]:
    """Up to `count` variants of each prompt, none with a text that is there already.

    The outcome depends on `seed` and the prompts, not on their order; prompts with a response have none, for it
    answers the words they have.
    """
    taken = {prompt.text for prompt in prompts}
    made: list[Prompt] = []
    for members in _alike(prompts):
        for variants in _variants(members, count, seed, taken):
            taken |= {variant.text for variant in variants}
            made += variants
    return made


def _alike(prompts: Sequence[Prompt]) -> list[list[Prompt]]:
    """Prompts that get the same rules: the twins of a pair, and each other prompt by itself."""
    found: dict[str, list[Prompt]] = defaultdict(list)
    for prompt in prompts:
        found[f"pair {prompt.pair}" if prompt.pair else f"text {prompt.text}"].append(prompt)
    return sorted(found.values(), key=lambda members: min(prompt.text for prompt in members))


def _variants(members: list[Prompt], count: int, seed: int, taken: set[str]) -> Iterator[list[Prompt]]:
    """Up to `count` rewordings of all members, the rules in an order drawn for them."""
    if any(prompt.response for prompt in members):
        return
    key = min(prompt.text for prompt in members)
    used: set[str] = set()
    for name in sorted(RULES, key=lambda name: drawn(seed, f"{name}:{key}")):
        texts = [RULES[name](prompt.text) for prompt in members]
        new = {text for text in texts if text is not None} - taken - used
        wanted = len(used) < count * len(members)
        if wanted and len(new) == len(members) and _keep_apart(members, texts):
            used |= new
            yield [_variant(prompt, text or "", name) for prompt, text in zip(members, texts, strict=True)]


def _keep_apart(members: list[Prompt], texts: list[str | None]) -> bool:
    """Whether each text has the words by which its prompt differs from the other members, as they were."""
    before = [set(_words(prompt.text)) for prompt in members]
    shared = set[str].intersection(*before)
    return all(words - shared <= {*_words(text)} for words, text in zip(before, map(str, texts), strict=True))


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.lower())


def _variant(prompt: Prompt, text: str, rule: str) -> Prompt:
    pair = f"{prompt.pair} {rule}" if prompt.pair else None
    return prompt.model_copy(update={"text": text, "pair": pair, "origin": f"{ORIGIN}: {rule}"})
