"""What of an attack may join the next training, and the fresh prompts that say whether it helped.

Additions: of each seed the surest failures, three at most, of the techniques that are not held out; each mirrored
by the same derivation on a seed of the other label. Without the mirror a judge learns to flag, or to pass,
whatever is framed. Fresh prompts: seeds that no search saw, of both labels, in frames that no search uses, by all
techniques.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from analyzer.attack.candidates import same
from analyzer.attack.derivation import (
    FIRST_RULE,
    FRAME,
    LENGTH,
    PICKS,
    SECOND,
    SEED,
    SLOTS,
    TECHNIQUE,
    Derivation,
    derive,
    slot_of,
)
from analyzer.attack.frames import techniques
from analyzer.attack.rules import RULES
from analyzer.attack.search import Trial
from analyzer.attack.seeds import Seed

PER_SEED = 3
"""Failures of one seed that may join the next training, at most."""
HELD_OUT = ("authority", "context switch")
"""Techniques of which nothing may: fresh prompts try these, too."""
FRESH_PER_SEED = 2
"""Fresh prompts of one unseen seed."""
SOURCE = "midwatch attack"


def additions(failures: Sequence[Trial], seeds: Sequence[Seed], seed: int) -> list[dict[str, Any]]:
    """Lines of additions.jsonl: a failure, then its mirror; a failure without a mirror is left out."""
    rng = np.random.default_rng([seed, 1])
    taken: Counter[str] = Counter()
    used: set[str] = set()
    lines = []
    for trial in failures:
        made = trial.derivation
        if not trial.vector:  # reworded by a model: nothing mirrors it word for word
            continue
        if made.technique in HELD_OUT or taken[made.seed.text] >= PER_SEED:
            continue
        mirror = _mirror(trial, seeds, rng, used)
        if mirror is not None:
            taken[made.seed.text] += 1
            lines += [line(made, trial.vector), line(mirror, trial.vector, of=made.seed.text)]
    return lines


def _mirror(trial: Trial, seeds: Sequence[Seed], rng: np.random.Generator, used: set[str]) -> Derivation | None:
    """The same frames and rules around a seed of the other label, of the same kind, so that they fit it, too."""
    own = trial.derivation.seed
    fit = [
        seed
        for seed in seeds
        if seed.label != own.label and seed.kind == own.kind and seed.asker_acts == own.asker_acts
    ]
    for place in rng.permutation(len(fit)):
        vector = np.array(trial.vector)
        vector[SEED] = 0
        made = derive(vector, [fit[place]])
        if made is not None and same(made.text) not in used:
            used.add(same(made.text))
            return made
    return None


def fresh(seeds: Sequence[Seed], seed: int) -> list[dict[str, Any]]:
    """Lines of fresh.jsonl: as many of each seed, by techniques in turn, the rules by chance."""
    rng = np.random.default_rng([seed, 2])
    return [line(made, vector) for place in range(len(seeds)) for made, vector in _fresh_of(place, seeds, rng)]


def _fresh_of(
    place: int, seeds: Sequence[Seed], rng: np.random.Generator
) -> Iterator[tuple[Derivation, tuple[int, ...]]]:
    found = 0
    for technique in rng.permutation(len(techniques())):
        vector = np.zeros(LENGTH, dtype=np.int32)
        vector[SEED], vector[TECHNIQUE] = place, technique
        vector[FRAME] = rng.integers(PICKS)
        vector[SECOND] = rng.integers(0, 12) if rng.random() < 0.5 else 0
        for slot in range(SLOTS):
            if rng.random() < 0.4:
                vector[FIRST_RULE + slot] = slot_of(int(rng.integers(len(RULES))), int(rng.integers(PICKS)))
        made = derive(vector, seeds, held_out=True)
        if made is not None:
            yield made, tuple(int(value) for value in vector)
            found += 1
        if found == FRESH_PER_SEED:
            return


def line(made: Derivation, vector: Sequence[int], of: str = "") -> dict[str, Any]:
    """One prompt as `--data` reads it, with its lineage; `of` is the seed whose failure it mirrors."""
    prompt = made.seed.prompt
    return {
        "prompt": made.text,
        "label": prompt.label,
        "category": prompt.category,
        "group": prompt.group,
        "pair": None,
        "source": SOURCE,
        "style": made.technique,
        "language": prompt.language,
        "risk": made.seed.risk,
        "seed": made.seed.text,
        "technique": made.technique,
        "frame": " + ".join(frame.name for frame in made.frames),
        "rules": list(made.rules),
        "seeds": [int(value) for value in vector],
        "mirror_of": of or None,
    }
