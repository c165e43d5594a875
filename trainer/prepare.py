"""`midwatch prepare`, top to bottom: read, clean and split; balance and enlarge the training split; write.

What is held out is what `midwatch train` would hold out of the same sources with the same seed, and stays as
somebody wrote it: prompts are left out of, made for, and added to the training split alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from shared.prompts.augment import augmented
from shared.prompts.balance import surplus
from shared.prompts.card import CUTS, DataCard, count_by, leaks_between, left_out_of, lengths_of
from shared.prompts.made_twins import made_twins
from shared.records import Prompt
from shared.user_paths import expanded
from trainer.data import Data, prepare_data, summary, whole_pairs
from trainer.prepared import refuse_taken, write_prepared
from trainer.settings import PrepareSettings


def run_prepare(settings: PrepareSettings) -> None:
    """Write the directory and say what is in it. Raises UsageError for what a user can change."""
    folder = expanded(settings.out).absolute()
    refuse_taken(folder)
    data = enlarged(balanced(prepare_data(settings), settings), settings)
    write_prepared(folder, data, card_of(data, settings))
    console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
    console.print(str(data))
    console.print(f"Data card: {folder / 'card.html'}")
    console.print(f"Train on it: midwatch train --prepared {folder}")


def balanced(data: Data, settings: PrepareSettings) -> Data:
    """With as many safe as unsafe training prompts, where that is asked for."""
    if not settings.balance:
        return data
    gone = surplus(data.train, settings.seed)
    texts = {prompt.text for prompt in gone}
    kept = [prompt for prompt in data.train if prompt.text not in texts]
    return replace(data, train=kept, left_out=data.left_out | {"balance": gone})


def enlarged(data: Data, settings: PrepareSettings) -> Data:
    """With twins and variants of the training prompts, as many as are asked for; never with a held-out text."""
    train = data.train
    if settings.twins:
        train = with_twins(train, data.held, settings.seed)
    more = augmented(train, settings.augment, settings.seed)
    held = {prompt.text for prompt in data.held}
    return replace(data, train=[*train, *(prompt for prompt in more if prompt.text not in held)])


def with_twins(train: Sequence[Prompt], held: Sequence[Prompt], seed: int) -> list[Prompt]:
    """Each seed of a twin in its place, its twin behind it."""
    taken = {prompt.text for prompt in held}
    twin_of = {first.text: (first, twin) for first, twin in made_twins(train, seed) if twin.text not in taken}
    return [each for prompt in train for each in twin_of.get(prompt.text, (prompt,))]


def card_of(data: Data, settings: PrepareSettings) -> DataCard:
    """The data card of what is about to be written."""
    parts: dict[str, Sequence[Prompt]] = {
        "train": data.train, "val": data.val, "test": data.test, "probes": data.probes
    }  # fmt: skip
    told = settings.model_dump(mode="json", exclude={"out", "data"}, exclude_defaults=True)
    return DataCard(
        sources=[*settings.data, *settings.val_data, *settings.test_data],
        settings={"seed": settings.seed, "probes_per_class": settings.probes_per_class} | told,
        parts={name: summary(prompts) for name, prompts in parts.items()},
        pairs={"train": len(whole_pairs(data.train)) // 2, "held out": len(data.contrast) // 2},
        counts={field: count_by(parts, field) for field in CUTS},
        lengths=lengths_of([prompt for prompts in parts.values() for prompt in prompts]),
        left_out=left_out_of(data.left_out),
        leaks=leaks_between(data.train, data.held),
        notes=data.notes,
    )
