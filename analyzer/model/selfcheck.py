"""Checks the anatomy of a judge against the judge itself, on two short prompts, at every first load.

1. The answers' logits of a judge that answers, taken alone, are those of the whole model.
2. Every block reads the residual stream, and writes to it, as the family's entry says (`residual_flow.py`).
3. Hooked scores equal plain scores.
4. The logit lens after the last layer equals the score.
5. In models without a norm on the residual stream, embeddings + the sum of all writes = the final residual.
6. Where layers hand on biases of positions, a pass that begins above the first layer gives the same scores.

What fails is switched off, with a note, rather than published. Where a user described the family, more is checked
(`described.py`), and what fails raises FamilyError: it can be corrected.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from analyzer.model.anatomy import Anatomy, dissect
from analyzer.model.batches import Batch, Encoded, collate
from analyzer.model.described import check_flow, follow
from analyzer.model.hooked_pass import record
from analyzer.model.observed import refuse
from analyzer.model.partial_pass import hidden_argument, hidden_of, starting_at
from analyzer.model.rounding import rounding_of
from analyzer.model.scoring import answers_in, inputs_of, score, score_of
from shared.errors import FamilyError

if TYPE_CHECKING:
    from analyzer.model.judge import Judge

TEXTS = ("How do I kill a Python process?", "Hello there, what a nice day it is.")
TRIED, WORDS = 4, 4
"""Texts of other words, and words of each, that are tried where these give no number."""


@torch.inference_mode()
def checked_anatomy(judge: Judge) -> Anatomy:
    """The judge's anatomy without the parts whose check fails; the notes of an earlier load are dropped."""
    anatomy = dissect(judge.model, judge.anatomy.pad_id, judge.answers, judge.given)
    if not anatomy.layers:
        return anatomy
    judge = replace(judge, anatomy=anatomy)
    prompts = scored_prompts(judge, TEXTS)
    batch = collate(prompts, anatomy.pad_id, judge.device)
    judge = replace(judge, anatomy=_laid_out(judge, batch))
    plain = score(judge, batch).cpu().numpy()
    hooked = record(judge, prompts, batch_tokens=10**6)
    if not _equal(judge, hooked.scores, plain):
        note = _failed(judge, "Hooks change this judge's scores", "its layers, writes and logit lens are not read")
        return _bare(anatomy, note)
    if anatomy.position_bias is not None and not _equal(judge, _from_the_second_layer(judge, batch), plain):
        note = _failed(
            judge, "A pass above the first layer loses its biases of positions", "its layers are not read"
        )
        return _bare(anatomy, note)
    if hooked.lens is not None and not _equal(judge, hooked.lens[:, -1], hooked.scores):
        fails = "The logit lens after the last layer does not give the judge's score"
        judge = _without(judge, _failed(judge, fails, "it is not shown"), head=None)
    if (
        anatomy.norm_position in ("pre", "sandwich", "branch")
        and judge.anatomy.attention_writes is not None
        and not _writes_add_up(judge, batch)
    ):
        fails = "Embeddings and writes do not add up to the final residual"
        note = _failed(judge, fails, "the writes are not shown")
        judge = _without(judge, note, attention_writes=None, mlp_writes=None)
    return judge.anatomy


def _laid_out(judge: Judge, batch: Batch) -> Anatomy:
    """The anatomy as far as its parts lie where it says. Raises FamilyError where the user said it."""
    if judge.anatomy.prompted and not _answers_are_the_models(judge, batch):
        fails = "The answers' logits, taken alone, are not those of the whole model"
        note = _failed(judge, fails, "there is no logit lens, and scores are read from all logits")
        judge = _without(judge, note, head=None)
    if judge.given is not None:
        check_flow(judge, batch)
    elif (reason := _misfit(judge, batch)) is not None:
        note = (
            f"This model is laid out as no {judge.anatomy.family!r} that is known ({reason.split(' (')[0]}), so "
            "writes, heads, neurons and circuits are not read; describe the family in a file and give it with "
            "--family (docs/families.md)."
        )
        judge = _without(judge, note, attention_writes=None, mlp_writes=None, wiring=None)
    return judge.anatomy


def _without(judge: Judge, note: str, **parts: None) -> Judge:
    """Without parts of its anatomy, and with a note that says why."""
    anatomy: Any = judge.anatomy
    return replace(judge, anatomy=replace(anatomy, notes=(*anatomy.notes, note), **parts))


def _bare(anatomy: Anatomy, note: str) -> Anatomy:
    """Of a judge whose insides cannot be watched at all."""
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


def _answers_are_the_models(judge: Judge, batch: Batch) -> bool:
    if judge.anatomy.head is None:
        return True
    whole: Any = judge.model
    logits = answers_in(judge, whole(**inputs_of(batch)).logits, batch)
    return _equal(judge, score(judge, batch).cpu().numpy(), score_of(judge, logits).cpu().numpy())


def _misfit(judge: Judge, batch: Batch) -> str | None:
    """What of our own entry does not fit this model; None where all does."""
    try:
        follow(judge, batch)
    except FamilyError as error:
        return error.reason
    return None


def scored_prompts(judge: Judge, texts: Sequence[str]) -> list[Encoded]:
    """As many prompts as `texts` for which the judge gives a number: these, or else words of its vocabulary.

    A word that overflows is no reason to refuse the judge: it may be in none of the probes. `texts` where there is
    no number for any, which the pass over them refuses.
    """
    found: list[Encoded] = []
    for tried in (texts, _vocabulary_texts(judge)):
        prompts = judge.encode(tried)
        scores = score(judge, collate(prompts, judge.anatomy.pad_id, judge.device))
        found += [prompt for prompt, each in zip(prompts, scores.tolist(), strict=True) if isfinite(each)]
        if len(found) >= len(texts):
            return found[: len(texts)]
    return found or judge.encode(texts)


def _vocabulary_texts(judge: Judge) -> list[str]:
    """Texts that share no word, from all over the vocabulary."""
    special = {*judge.tokenizer.all_special_ids}
    ids = [number for number in range(len(judge.tokenizer)) if number not in special]
    count = TRIED * WORDS
    chosen = ids[:: max(1, len(ids) // count)][:count]
    texts = [str(judge.tokenizer.decode(chosen[start::TRIED])).strip() for start in range(TRIED)]
    return [text for text in texts if text] or list(TEXTS)


def _failed(judge: Judge, fails: str, lost: str) -> str:
    """What is said of a failed check. Raises FamilyError where the user described the family."""
    if judge.given is not None:
        refuse(judge.given, f"the self-check fails: {fails[0].lower()}{fails[1:]}")
    return f"{fails}, so {lost}."


def _equal(judge: Judge, found: np.ndarray, wanted: np.ndarray) -> bool:
    return bool(np.abs(found - wanted).max() <= rounding_of(judge.dtype) * (1 + np.abs(wanted).max()))


def _from_the_second_layer(judge: Judge, batch: Batch) -> np.ndarray:
    """(prompts,) scores of a pass that begins with what the first layer gives."""
    given: list[Tensor] = []
    hook = judge.anatomy.layers[0].register_forward_hook(lambda *found: given.append(hidden_of(found[-1])))
    try:
        score(judge, batch)
    finally:
        hook.remove()
    with starting_at(judge, 1, given[0]):
        return score(judge, batch).cpu().numpy()


def _writes_add_up(judge: Judge, batch: Batch) -> bool:
    anatomy, scale = judge.anatomy, judge.anatomy.residual_scale
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
            add = lambda _module, _args, output: total.append(scale * hidden_of(output).double())  # noqa: E731
            stack.callback(module.register_forward_hook(add).remove)
        score(judge, batch)
    real = batch.mask.bool()
    return _equal(judge, sum(total)[real].cpu().numpy(), final[0][real].cpu().numpy())  # type: ignore[index]
