"""Checks the anatomy of a judge against the judge itself, on two short prompts, at every first load.

A later checkpoint in the same modules has the same structure: checked again only where something failed before.

1. Hooked scores equal plain scores.
2. The logit lens after the last layer equals the score.
3. In models without a norm on the residual stream, embeddings + the sum of all writes = the final residual.

What fails is switched off, with a note, rather than published. Where a user described the family, more is checked
(`described.py`), and what fails raises FamilyError: it can be corrected.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analyzer.model.anatomy import Anatomy, dissect
from analyzer.model.batches import Batch, collate, encode
from analyzer.model.described import check_flow
from analyzer.model.hooked_pass import record
from analyzer.model.observed import refuse
from analyzer.model.partial_pass import hidden_argument, hidden_of
from analyzer.model.rounding import rounding_of
from analyzer.model.scoring import score

if TYPE_CHECKING:
    from analyzer.model.judge import Judge

TEXTS = ("How do I kill a Python process?", "Hello there, what a nice day it is.")


@torch.inference_mode()
def checked_anatomy(judge: Judge) -> Anatomy:
    """The judge's anatomy without the parts whose check fails; the notes of an earlier load are dropped."""
    anatomy = dissect(judge.model, judge.anatomy.pad_id, judge.answers, judge.given)
    if not anatomy.layers:
        return anatomy
    judge = replace(judge, anatomy=anatomy)
    prompts = encode(judge.tokenizer, TEXTS, judge.max_length, judge.template)
    batch = collate(prompts, anatomy.pad_id, judge.device)
    if judge.given is not None:
        check_flow(judge, batch)
    plain = score(judge, batch).cpu().numpy()
    hooked = record(judge, prompts, batch_tokens=10**6)
    if not _equal(judge, hooked.scores, plain):
        note = _failed(judge, "Hooks change this judge's scores", "its layers, writes and logit lens are not read")
        return replace(
            anatomy,
            layers=(),
            attention_writes=None,
            mlp_writes=None,
            head=None,
            pooling="unknown",
            wiring=None,
            notes=(note,),
        )
    if hooked.lens is not None and not _equal(judge, hooked.lens[:, -1], hooked.scores):
        fails = "The logit lens after the last layer does not give the judge's score"
        note = _failed(judge, fails, "it is not shown")
        anatomy = replace(anatomy, head=None, notes=(*anatomy.notes, note))
    if anatomy.norm_position in ("pre", "sandwich") and not _writes_add_up(judge, batch):
        fails = "Embeddings and writes do not add up to the final residual"
        note = _failed(judge, fails, "the writes are not shown")
        anatomy = replace(anatomy, attention_writes=None, mlp_writes=None, notes=(*anatomy.notes, note))
    return anatomy


def anatomy_again(judge: Judge, before: Anatomy) -> Anatomy:
    """The anatomy of another checkpoint in a warm judge's modules, whose anatomy was `before`."""
    anatomy = dissect(judge.model, judge.anatomy.pad_id, judge.answers, judge.given)
    return anatomy if before.notes == anatomy.notes else checked_anatomy(judge)


def _failed(judge: Judge, fails: str, lost: str) -> str:
    """What is said of a failed check. Raises FamilyError where the user described the family."""
    if judge.given is not None:
        refuse(judge.given, f"the self-check fails: {fails[0].lower()}{fails[1:]}")
    return f"{fails}, so {lost}."


def _equal(judge: Judge, found: np.ndarray, wanted: np.ndarray) -> bool:
    return bool(np.abs(found - wanted).max() <= rounding_of(judge.dtype) * (1 + np.abs(wanted).max()))


def _writes_add_up(judge: Judge, batch: Batch) -> bool:
    anatomy = judge.anatomy
    total: list[Tensor] = []
    final: list[Tensor] = []

    with ExitStack() as stack:
        first, last = anatomy.layers[0], anatomy.layers[-1]
        take = lambda _module, args, kwargs: total.append(hidden_argument(args, kwargs).double())  # noqa: E731
        stack.callback(first.register_forward_pre_hook(take, with_kwargs=True).remove)
        stack.callback(
            last.register_forward_hook(lambda _m, _a, output: final.append(hidden_of(output).double())).remove
        )
        for module in [*(anatomy.attention_writes or ()), *(anatomy.mlp_writes or ())]:
            add = lambda _module, _args, output: total.append(hidden_of(output).double())  # noqa: E731
            stack.callback(module.register_forward_hook(add).remove)
        score(judge, batch)
    real = batch.mask.bool()
    return _equal(judge, sum(total)[real].cpu().numpy(), final[0][real].cpu().numpy())  # type: ignore[index]
