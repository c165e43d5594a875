"""The bare model passes that a computation needs: recorded from a real one, replayed with nothing around them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from analyzer.model.judge import Judge
from analyzer.model.partial_pass import starting_at


class Pass(NamedTuple):
    """One call of the model."""

    inputs: dict[str, torch.Tensor]
    differentiated: bool
    start: int
    """First layer that ran."""

    @property
    def rows(self) -> int:
        return len(self.inputs["input_ids"])


def recorded(judge: Judge, compute: Callable[[], Any]) -> list[Pass]:
    """Every call of the model that `compute` makes: ids, mask, first layer, whether differentiated."""
    passes: list[Pass] = []

    def keep(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        inputs = {name: value.clone() for name, value in kwargs.items() if isinstance(value, torch.Tensor)}
        start = sum("forward" in layer.__dict__ for layer in judge.anatomy.layers)  # skipped: has one of its own
        passes.append(Pass(inputs, torch.is_grad_enabled(), start))

    hook = judge.model.register_forward_pre_hook(keep, with_kwargs=True)
    try:
        compute()
    finally:
        hook.remove()
    return passes


def replayed(judge: Judge, passes: Sequence[Pass]) -> float:
    """Seconds of the same calls and nothing else; a differentiated one goes back to the word embeddings."""
    model: Any = judge.model
    embeddings: Any = model.get_input_embeddings()
    started = time.perf_counter()
    for inputs, differentiated, start in passes:
        if start:
            hidden = torch.zeros(*inputs["input_ids"].shape, model.config.hidden_size).to(model.device, model.dtype)
            with torch.inference_mode(), starting_at(judge, start, hidden):
                model(**inputs)
        elif differentiated:
            words = embeddings(inputs["input_ids"]).detach().requires_grad_()
            logits = model(inputs_embeds=words, attention_mask=inputs["attention_mask"]).logits
            torch.autograd.grad((logits[:, 1] - logits[:, 0]).sum(), words)
        else:
            with torch.inference_mode():
                model(**inputs)
    if judge.device != "cpu":
        torch.cuda.synchronize(judge.device)
    return time.perf_counter() - started
