"""Whether the verdict is read as a user's description says: from the last layer, normed, pooled, by the head."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from analyzer.model.anatomy import head_of
from analyzer.model.device import is_out_of_memory
from analyzer.model.norms import is_norm
from analyzer.model.observed import described_family, disturbed, refuse
from analyzer.model.partial_pass import starting_at
from analyzer.model.scoring import pool, score
from analyzer.model.trunk import trunk_of
from shared.errors import reason_of

if TYPE_CHECKING:
    from analyzer.jobs.family import Family
    from analyzer.model.batches import Batch
    from analyzer.model.judge import Judge
    from analyzer.model.observed import Comparison, Observed


def check_verdict_read(judge: Judge, batch: Batch, same: Comparison, seen: Observed, plain: Tensor) -> None:
    """All that comes after the last layer; `plain` (prompts,) are the scores. Raises FamilyError."""
    family, anatomy = described_family(judge), judge.anatomy
    last = seen.out_of(anatomy.layers[-1], "layers")  # (prompts, tokens, d_model)
    if not anatomy.prompted:
        _check_head(judge, family, last)
    if not same.close(_score_from(judge, batch, last), plain):
        refuse(family, f"layers = {family.layers!r} are not all that stands between embeddings and head")
    if anatomy.words_beside:  # a decoder reads what the last layer gives, all of it
        return
    if anatomy.final_norm is not None:
        _check_final_norm(judge, batch, same, seen.inputs.get(anatomy.final_norm), last)
    elif anatomy.head is None:
        _check_no_norm(judge, batch, same, last)
    _check_pooling(judge, batch, same, last)


def _check_head(judge: Judge, family: Family, hidden: Tensor) -> None:
    """The head takes one pooled state a prompt and gives a logit a class."""
    head = head_of(judge.model, family)
    if head is None:
        return
    try:
        logits = head(hidden[:, 0])
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
        if is_out_of_memory(error):
            raise
        reason = reason_of(error).rstrip(".")
        refuse(family, f"head = {list(family.head)} cannot be run on a pooled state ({reason})")
    if not isinstance(logits, Tensor) or logits.shape != (len(hidden), judge.record.classes):
        wanted = {1: "one logit", 2: "two logits"}.get(judge.record.classes, f"{judge.record.classes} logits")
        refuse(family, f"head = {list(family.head)} does not give {wanted} a prompt")


def _check_final_norm(judge: Judge, batch: Batch, same: Comparison, read: Any, last: Tensor) -> None:
    """It reads what the last layer gives, of every token or of the pooled one."""
    fits = isinstance(read, Tensor) and (
        same(read, last) if read.ndim == 3 else same.close(read, pool(judge.anatomy, last, batch))
    )
    if not fits:
        family = described_family(judge)
        refuse(family, f"final_norm = {family.final_norm!r} does not read what the last layer gives")


def _check_no_norm(judge: Judge, batch: Batch, same: Comparison, last: Tensor) -> None:
    """No norm reads what the last layer gives. Only without a head: else the lens would not give the score."""
    family, model = described_family(judge), judge.model
    trunk = trunk_of(model)
    layers = set(trunk.get_submodule(family.layers).modules())
    there = {path: module for path, module in trunk.named_modules() if is_norm(module) and module not in layers}
    read: dict[str, Tensor] = {}

    def keep(path: str) -> Any:
        return lambda _module, args: read.update({path: args[0]}) if args else None

    with ExitStack() as stack:
        for path, module in there.items():
            stack.callback(module.register_forward_pre_hook(keep(path)).remove)
        _score_from(judge, batch, last)
    for path, given in read.items():
        if given.ndim == 3 and same(given, last):
            refuse(family, f"final_norm is not given, and {path!r} norms what the last layer gives")


def _check_pooling(judge: Judge, batch: Batch, same: Comparison, last: Tensor) -> None:
    """Of one token: the others do not change the score. Of a mean: nothing but the mean does."""
    family, anatomy = described_family(judge), judge.anatomy
    real = batch.mask.bool()
    noise = disturbed(last)
    if anatomy.pools_logits:
        return
    if anatomy.pooling == "mean":
        wanted = _score_from(judge, batch, noise)
        with _evened(judge, real):
            found = _score_from(judge, batch, noise if anatomy.final_norm is not None else _even(noise, real))
        problem = "the score is not read from the mean over tokens"
    else:
        places = torch.arange(real.shape[1], device=real.device)
        of_read = pool(anatomy, places.expand_as(real)[..., None], batch)  # (prompts, 1)
        others = real & (places != of_read)
        wanted = _score_from(judge, batch, last)
        found = _score_from(judge, batch, torch.where(others[..., None], noise, last))
        problem = "the score depends on other tokens, too"
    if not same.close(found, wanted):
        refuse(family, f"pooling = {anatomy.pooling!r}, and {problem}")


def _evened(judge: Judge, real: Tensor) -> ExitStack:
    """Inside, the final norm, if there is one, gives every token the mean over real tokens."""
    stack = ExitStack()
    if judge.anatomy.final_norm is not None:
        even = lambda _module, _args, output: _even(output, real)  # noqa: E731
        stack.callback(judge.anatomy.final_norm.register_forward_hook(even).remove)
    return stack


def _even(hidden: Tensor, real: Tensor) -> Tensor:
    """Every token as the mean over real ones."""
    if hidden.ndim != 3:
        return hidden
    mean = (hidden * real[..., None]).sum(1, keepdim=True) / real.sum(1)[:, None, None]
    return mean.to(hidden).expand_as(hidden).contiguous()


def _score_from(judge: Judge, batch: Batch, hidden: Tensor) -> Tensor:
    """(prompts,) the score when this is what the last layer gives."""
    with starting_at(judge, judge.anatomy.depth, hidden):
        return score(judge, batch)
