"""What is seen of a judge at every first load, on two short prompts, before anything is computed with it.

1. Its anatomy is held against itself (`selfcheck`).
2. One pass tells how many positions it has (`positions`), and how its words are looked up.
3. The shorter prompt alone tells whether padding changes what is read (`padding_check`).
4. Of an unknown family: whether its score can be differentiated by its word embeddings (`embedding_check`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from analyzer.model.anatomy import dissect
from analyzer.model.batches import collate
from analyzer.model.embedding_check import no_gradients
from analyzer.model.hooked_pass import record
from analyzer.model.padding_check import differs_with_padding
from analyzer.model.positions import PositionTables, of_one_word
from analyzer.model.selfcheck import checked_anatomy, scored_prompts

if TYPE_CHECKING:
    from analyzer.model.batches import Encoded
    from analyzer.model.judge import Judge

TEXTS = ("How do I kill a Python process?", "Hello there, what a nice day it is, and what shall we do with it?")
"""Of different lengths, so that one of them is padded."""


@torch.inference_mode()
def checked(judge: Judge) -> Judge:
    """The judge with what was found, without the parts whose check fails; what an earlier load found is dropped.

    Raises FamilyError where a user's description fails, and JudgeError for a judge that scores at random.
    """
    judge = replace(judge, anatomy=checked_anatomy(judge), apart=False)
    prompts = scored_prompts(judge, TEXTS)
    longest = max(prompts, key=lambda prompt: len(prompt.ids))
    with PositionTables(len(prompts), len(longest.ids)) as tables, _looked_up(judge) as words:
        together = record(judge, prompts, 10**6)
    batch = collate(prompts, judge.anatomy.pad_id, judge.device)
    positions = tables.positions
    if tables.not_understood and longest.content:
        positions = _positions_of_one_word(judge, longest)
    if positions is not None:
        judge = replace(judge, max_length=max(1, min(judge.max_length, positions)))
    if words and words[0] == (*reversed(batch.ids.shape),):
        judge = replace(judge, anatomy=replace(judge.anatomy, tokens_first=True))
    if not judge.anatomy.layers:
        why = no_gradients(judge, batch, torch.from_numpy(together.scores).to(judge.device))
        judge = replace(judge, anatomy=replace(judge.anatomy, no_gradients=why))
    padding = differs_with_padding(judge, prompts, together)
    return replace(judge, apart=True, warnings=(*judge.warnings, padding)) if padding else judge


def checked_again(judge: Judge, before: Judge) -> Judge:
    """Another checkpoint in the modules of a judge that was checked: what was found of it holds again.

    It is checked anew where something had failed, or the verdict is read in another way.
    """
    anatomy = dissect(judge.model, judge.anatomy.pad_id, judge.answers, judge.given)
    if before.apart or before.record != judge.record or before.anatomy.notes != anatomy.notes:
        return checked(judge)
    found = before.anatomy
    anatomy = replace(anatomy, tokens_first=found.tokens_first, no_gradients=found.no_gradients)
    return replace(judge, anatomy=anatomy, max_length=before.max_length)


def _positions_of_one_word(judge: Judge, prompt: Encoded) -> int | None:
    """Positions counted in a prompt of no word that a judge could skip; None where none are looked up."""
    with PositionTables(1, len(prompt.ids)) as tables:
        record(judge, [of_one_word(prompt)], 10**6)
    return tables.positions


@contextmanager
def _looked_up(judge: Judge) -> Iterator[list[tuple[int, ...]]]:
    """Inside, the shapes of the ids that words are looked up by."""
    found: list[tuple[int, ...]] = []
    module = judge.anatomy.embeddings
    if not isinstance(module, nn.Module):  # a parameter, as Perceiver has for characters
        yield found
        return

    def keep(_module: nn.Module, args: tuple[Any, ...]) -> None:
        found.extend(tuple(given.shape) for given in args[:1] if isinstance(given, Tensor))

    handle = module.register_forward_pre_hook(keep)
    try:
        yield found
    finally:
        handle.remove()
