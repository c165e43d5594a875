"""The prompts of one training: cleaned, split by group, with the probe set held out.

1. Read every source and remove duplicates (shared.prompts.dedupe).
2. Choose the probe set; every prompt that shares a group, pair or text with a probe leaves the training.
3. Split what is left by group into train, validation and test, unless validation or test have sources of their own:
   then what they share with the training data leaves the training. Later editions of a set are split by themselves
   (shared.prompts.editions), and no probe is chosen of them.
4. Contrast pairs whose two twins are held out (validation, test or probe set) are a part of their own.
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from shared.errors import UsageError
from shared.prompts.dedupe import Deduplicated, deduplicate
from shared.prompts.digest import digest_of
from shared.prompts.editions import by_edition
from shared.prompts.groups import held_out
from shared.prompts.load import load_any, load_prompts, require_both_classes
from shared.prompts.probes import choose_probes, further_pairs
from shared.prompts.source_settings import SourceSettings
from shared.prompts.split import split
from shared.records import Probe, Prompt
from trainer.settings import DataSettings

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
    left_out: dict[str, list[Prompt]] = field(default_factory=dict)
    """Reason -> prompts that were read and are in no split."""
    notes: list[str] = field(default_factory=list)
    """What reading the sources noted: sentences."""

    @property
    def held(self) -> list[Prompt]:
        """Everything that no training sees."""
        return [*self.probes, *self.val, *self.test]

    @property
    def train_sample(self) -> list[Prompt]:
        """A fixed sample of the training prompts."""
        return random.Random(0).sample(self.train, min(TRAIN_SAMPLE, len(self.train)))

    @property
    def contrast(self) -> list[Prompt]:
        """The twins of the held-out contrast pairs: no training has seen either of them."""
        return whole_pairs(self.held)

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


def prepare_data(settings: DataSettings) -> Data:
    """The data of a training; depends on the sources' contents and on `seed` only.

    Raises UsageError when a source cannot be read or a split would lack a class.
    """
    notes: list[str] = []
    cleaned, val, test = (
        _read(sources, settings, notes) for sources in (settings.data, settings.val_data, settings.test_data)
    )
    own = {"val": val.kept, "test": held_out(test.kept, val.kept)}
    pool = held_out(cleaned.kept, [*own["val"], *own["test"]])
    require_both_classes(pool, "The training data")
    first, *later = by_edition(pool)
    probes = choose_probes(first, settings.probes_per_class, settings.seed)
    fractions = {name: share for name, share in FRACTIONS.items() if not own.get(name)}
    free = held_out(first, probes)
    splits = [split(prompts, fractions, settings.seed) for prompts in (free, *later)]
    parts = own | {name: [*chain.from_iterable(each[name] for each in splits)] for name in fractions}
    shared = [*_missing(cleaned.kept, pool), *_missing(test.kept, own["test"])]
    left_out = _removed([cleaned, val, test]) | {"shared": shared, "probe": _missing(first, [*probes, *free])}
    data = Data(parts["train"], parts["val"], parts["test"], probes, cleaned.summary, left_out, notes)
    require_classes(data)
    return data


def with_added(data: Data, sources: Sequence[str], settings: SourceSettings) -> Data:
    """`data` with further training prompts: those of `sources` that share no group, pair or text with what is held
    out, and are not there yet. The groups they name are those of the data.

    Raises UsageError for a source that cannot be read.
    """
    if not sources:
        return data
    found = [_as_grouped(prompt, source) for source in sources for prompt in load_prompts(source, settings)]
    there = {prompt.text for prompt in data.train}
    fit = [prompt for prompt in held_out(found, data.held) if prompt.text not in there]
    said = f"{data.cleaning} {len(fit)} of {len(found)} added prompts joined the training split."
    return replace(data, train=[*data.train, *fit], cleaning=said)


def require_classes(data: Data) -> None:
    """Raise UsageError unless each split has both classes."""
    for name, prompts in (("training", data.train), ("validation", data.val), ("test", data.test)):
        if len({prompt.label for prompt in prompts}) < 2:
            raise UsageError(
                f"The {name} split has {len(prompts)} prompts and not both classes; give more data, a smaller "
                "--probes-per-class, or sources of its own with --val-data and --test-data."
            )


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


def _read(sources: Sequence[str], settings: SourceSettings, notes: list[str]) -> Deduplicated:
    loaded = [load_any(source, settings, unlabelled=False) for source in sources]
    notes += chain.from_iterable(source.notes for source in loaded)
    return deduplicate([prompt for source in loaded for prompt in source.labelled])


def _removed(cleaned: Iterable[Deduplicated]) -> dict[str, list[Prompt]]:
    """Reason -> prompts that de-duplication removed."""
    found: dict[str, list[Prompt]] = defaultdict(list)
    for removal in chain.from_iterable(each.removed for each in cleaned):
        found[removal.reason].append(removal.prompt)
    return dict(found)


def _missing(before: Sequence[Prompt], after: Iterable[Prompt]) -> list[Prompt]:
    """Those of `before`, each of its own text, whose text is not among `after`."""
    left = {digest_of(prompt) for prompt in after}
    return [prompt for prompt in before if digest_of(prompt) not in left]


def _as_grouped(prompt: Prompt, source: str) -> Prompt:
    """With group and pair as the file names them, without the file's own name before it."""
    before = f"{Path(source).name}:"
    pair = prompt.pair.removeprefix(before) if prompt.pair else None
    return prompt.model_copy(update={"group": prompt.group.removeprefix(before), "pair": pair})
