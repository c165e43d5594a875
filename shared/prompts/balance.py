"""As many safe as unsafe prompts, by leaving out some of the larger class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from shared.prompts.groups import drawn
from shared.records import Prompt


def surplus(prompts: Sequence[Prompt], seed: int = 0) -> list[Prompt]:
    """What to leave out of the larger class until both are equal: drawn by chance, twins of contrast pairs last.

    The outcome depends on `seed` and the prompts, not on their order.
    """
    sizes = Counter(prompt.label for prompt in prompts)
    larger = max(sorted(sizes), key=sizes.__getitem__, default=None)
    mine = [prompt for prompt in prompts if prompt.label == larger]
    mine.sort(key=lambda prompt: (prompt.pair is not None, drawn(seed, prompt.text)))
    return mine[: 2 * len(mine) - len(prompts)]
