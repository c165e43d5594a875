"""The prompts of one training: cleaned, split by group, with the probe set held out.

1. Read every source and remove duplicates (shared.prompts.dedupe).
2. Choose the probe set; every prompt that shares a group, pair or text with a probe leaves the training.
3. Split what is left by group into train, validation and test, unless validation or test have sources of their own:
   then what they share with the training data leaves the training.
4. Contrast pairs whose two twins are held out (validation, test or probe set) are a part of their own.
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from shared.errors import UsageError
from shared.prompts.dedupe import Deduplicated, deduplicate
from shared.prompts.groups import held_out
from shared.prompts.load import load_prompts, require_both_classes
from shared.prompts.probes import choose_probes, further_pairs
from shared.prompts.split import split
from shared.records import Probe, Prompt
from trainer.settings import TrainSettings

FRACTIONS = {"train": 0.8, "val": 0.1, "test": 0.1}
"""Shares of the prompts outside the probe set."""

TRAIN_SAMPLE = 256
"""Training prompts scored at each evaluation, so that train and validation metrics can be compared."""


@dataclass(frozen=True)
class Data:
    """Every prompt of a training, each text in one split only."""

    train: list[Prompt]
    val: list[Prompt]
    test: list[Prompt]
    probes: list[Probe]
    cleaning: str
    """What was removed, as one sentence."""

    @property
    def train_sample(self) -> list[Prompt]:
        """A fixed sample of the training prompts."""
        return random.Random(0).sample(self.train, min(TRAIN_SAMPLE, len(self.train)))

    @property
    def contrast(self) -> list[Prompt]:
        """The twins of the held-out contrast pairs: no training has seen either of them."""
        return whole_pairs([*self.probes, *self.val, *self.test])

    @property
    def pairs(self) -> list[Probe]:
        """Held-out contrast pairs beside the probe set, for the circuits."""
        return further_pairs([*self.val, *self.test], self.probes)

    def describe(self) -> dict[str, Any]:
        """Sizes and fingerprints for run.json."""
        parts: dict[str, Sequence[Prompt]] = {
            "train": self.train,
            "val": self.val,
            "test": self.test,
            "probes": self.probes,
            "contrast": self.contrast,
        }
        return {name: summary(prompts) for name, prompts in parts.items()}

    def __str__(self) -> str:
        return (
            f"{self.cleaning} {len(self.train)} train, {len(self.val)} validation, {len(self.test)} test, "
            f"{len(self.probes)} probes; {len(self.contrast) // 2} contrast pairs held out."
        )


def prepare_data(settings: TrainSettings) -> Data:
    """The data of a training; depends on the sources' contents and on `seed` only.

    Raises UsageError when a source cannot be read or a split would lack a class.
    """
    cleaned = _read(settings.data, settings)
    val, test = _read(settings.val_data, settings).kept, _read(settings.test_data, settings).kept
    test = held_out(test, val)
    pool = held_out(cleaned.kept, [*val, *test])
    require_both_classes(pool, "The training data")
    probes = choose_probes(pool, settings.probes_per_class, settings.seed)
    own = {"val": bool(val), "test": bool(test)}
    fractions = {name: share for name, share in FRACTIONS.items() if not own.get(name)}
    parts = split(held_out(pool, probes), fractions, settings.seed)
    data = Data(parts["train"], val or parts["val"], test or parts["test"], probes, cleaned.summary)
    for name, prompts in (("training", data.train), ("validation", data.val), ("test", data.test)):
        _require_classes(prompts, name)
    return data


def whole_pairs(prompts: Iterable[Prompt]) -> list[Prompt]:
    """The prompts of contrast pairs with exactly one safe and one unsafe twin among `prompts`, pair after pair."""
    twins: dict[str, dict[str, Prompt]] = defaultdict(dict)
    for prompt in prompts:
        if prompt.pair:
            twins[prompt.pair][prompt.label] = prompt
    return [both[label] for both in twins.values() if len(both) == 2 for label in ("safe", "unsafe")]


def summary(prompts: Sequence[Prompt]) -> dict[str, Any]:
    """Number of prompts, of unsafe ones, and SHA-256 over texts and labels in any order."""
    lines = sorted(f"{prompt.label} {prompt.text}" for prompt in prompts)
    digest = hashlib.sha256("\0".join(lines).encode("utf-8", "surrogatepass")).hexdigest()
    return {"count": len(prompts), "unsafe": sum(p.label == "unsafe" for p in prompts), "sha256": digest}


def _read(sources: Sequence[str], settings: TrainSettings) -> Deduplicated:
    return deduplicate([prompt for source in sources for prompt in load_prompts(source, settings)])


def _require_classes(prompts: Sequence[Prompt], name: str) -> None:
    if len({prompt.label for prompt in prompts}) < 2:
        raise UsageError(
            f"The {name} split has {len(prompts)} prompts and not both classes; give more data, a smaller "
            "--probes-per-class, or sources of its own with --val-data and --test-data."
        )
