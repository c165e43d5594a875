"""A set of prompts that grows keeps its splits: later editions are split by themselves.

A split depends on all prompts that it is made of. So what a later edition adds never takes part in the split of the
earlier ones; what belongs together with an earlier prompt (its group, pair or text) counts as of that edition.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.prompts.groups import components
from shared.records import Prompt


def by_edition(prompts: Sequence[Prompt]) -> list[list[Prompt]]:
    """The prompts of each edition, the earliest first, each in their order."""
    edition: dict[int, int] = {}
    for component in components(prompts):
        edition |= dict.fromkeys(component, min(prompts[index].edition for index in component))
    return [
        [prompt for index, prompt in enumerate(prompts) if edition[index] == number]
        for number in sorted(set(edition.values()))
    ]
