"""What chosen heads attend to: weights computed again with the eager kernel, reduced to shares by token.

Attention weights come only from the eager kernel, so that the fast one stays on for everything else. Of each prompt
only sums by token text are kept, over real queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from analyzer.model.attention_weights import eager
from analyzer.model.batches import Encoded, collate, token_names
from analyzer.model.judge import known_wiring
from analyzer.model.scoring import score
from analyzer.statistics.ties import largest_first
from shared.findings.heads import AttendedToken

if TYPE_CHECKING:
    from analyzer.model.judge import Judge
    from analyzer.session.context import Context

MIN_PROMPTS = 2
"""A token of one prompt alone says nothing about what a head looks for."""
SHOWN = 8
ROUNDING = 1e-2
"""How far a row of attention may be from 1 in half precision."""


@dataclass
class Tally:
    """Attention of one head, over prompts."""

    shares: dict[str, list[float]] = field(default_factory=dict)
    """Token -> [sum of its share, sum of its share under even attention, prompts, sink (1) or not (0)]."""
    read: dict[str, list[float]] = field(default_factory=dict)
    """The same from the position at which the verdict is read."""
    sink: float = 0.0
    itself: float = 0.0
    previous: float = 0.0
    prompts: int = 0


@torch.inference_mode()
def attention_of(context: Context, heads: Sequence[tuple[int, int]]) -> list[Tally] | None:
    """One tally for each (layer, head); None where this family gives no weights."""
    judge, encoded = context.judge, context.encoded
    tallies = [Tally() for _ in heads]
    with eager(judge):
        for rows in judge.batches(encoded, context.batch_tokens):
            batch = collate([encoded[row] for row in rows], judge.anatomy.pad_id, judge.device)
            with _weights(judge, sorted({layer for layer, _ in heads})) as found:
                score(judge, batch)
            if any(weights is None for weights in found.values()):
                return None
            for place, row in enumerate(rows):
                size = len(encoded[row].ids)
                names = [_name(context, encoded[row], token) for token in range(size)]
                for tally, (layer, head) in zip(tallies, heads, strict=True):
                    weights = found[layer]
                    assert weights is not None  # noqa: S101 (looked at above)
                    own = weights[place, head, :size, :size].float().cpu()
                    _add(tally, context, encoded[row], names, own, learned_sink=_learned_sink(judge, layer))
    return tallies


@torch.inference_mode()
def weights_on(
    judge: Judge, prompt: Encoded, heads: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], Tensor] | None:
    """(queries, keys) weights of each (layer, head) on one prompt, float32; None where this family gives none."""
    batch = collate([prompt], judge.anatomy.pad_id, judge.device)
    with eager(judge), _weights(judge, sorted({layer for layer, _ in heads})) as found:
        score(judge, batch)
    size = len(prompt.ids)
    known = {layer: weights for layer, weights in found.items() if weights is not None}
    if len(known) < len(found):
        return None
    return {(layer, head): known[layer][0, head, :size, :size].float().cpu() for layer, head in heads}


@contextmanager
def _weights(judge: Judge, layers: Sequence[int]) -> Iterator[dict[int, Tensor | None]]:
    """Layer -> (prompts, heads, tokens, tokens) attention weights of the call inside; None where there are none."""
    found: dict[int, Tensor | None] = dict.fromkeys(layers)
    wiring = known_wiring(judge)

    def asking(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Some give their weights only to who asks for them (MPNet)."""
        return (args, kwargs | {"output_attentions": True}) if "output_attentions" in kwargs else None

    def keeping(layer: int) -> Any:
        def hook(_module: nn.Module, _args: Any, output: Any) -> None:
            parts = output if isinstance(output, tuple) else ()
            fits = [p for p in parts if isinstance(p, Tensor) and p.ndim == 4 and p.shape[1] == wiring.heads]
            found[layer] = fits[-1] if fits else None  # biases of positions, which T5 returns, come before

        return hook

    with ExitStack() as stack:
        for layer in layers:
            inlet = wiring.layers[layer].attention.inlet
            stack.callback(inlet.register_forward_pre_hook(asking, with_kwargs=True).remove)
            stack.callback(inlet.register_forward_hook(keeping(layer)).remove)
        yield found


def _learned_sink(judge: Judge, layer: int) -> bool:
    """Whether a part of the attention goes to no token, but to a number that is learned (gpt-oss)."""
    return hasattr(known_wiring(judge).layers[layer].attention.inlet, "sinks")


def _add(
    tally: Tally,
    context: Context,
    prompt: Encoded,
    names: Sequence[str],
    weights: Tensor,
    *,
    learned_sink: bool,
) -> None:
    """One prompt's (queries, keys) weights, without padding; `names` of its tokens.

    What goes to a learned sink counts as what goes to special tokens does.
    """
    missing = 1 - weights.sum(-1)
    if float(missing.max()) > (1 if learned_sink else 0) + ROUNDING or float(missing.min()) < -ROUNDING:
        raise ValueError("attention weights do not add up to 1")
    tally.sink += float(missing.mean()) if learned_sink else 0.0
    size = len(weights)
    causal = context.judge.anatomy.pooling == "last_token"
    visible = torch.tril(torch.ones(size, size)) if causal else torch.ones(size, size)
    even = visible / visible.sum(-1, keepdim=True)
    sinks = [special or place == 0 for place, special in enumerate(prompt.special)]
    _count(tally.shares, names, sinks, weights.mean(0), even.mean(0))
    if (read := _read_from(context, size)) is not None:
        _count(tally.read, names, sinks, weights[read], even[read])
    tally.sink += float(weights[:, sinks].sum(-1).mean())
    tally.itself += float(weights.diagonal().mean())
    tally.previous += float(weights.diagonal(-1).sum()) / size
    tally.prompts += 1


def _count(
    into: dict[str, list[float]], names: Sequence[str], sinks: Sequence[bool], share: Tensor, even: Tensor
) -> None:
    """Add one prompt: a token that it holds twice counts with both places together."""
    seen: dict[str, list[float]] = {}
    for name, sink, part, level in zip(names, sinks, share.tolist(), even.tolist(), strict=True):
        entry = seen.setdefault(name, [0.0, 0.0, 1.0, float(sink)])
        entry[0] += part
        entry[1] += level
    for name, entry in seen.items():
        total = into.setdefault(name, [0.0, 0.0, 0.0, entry[3]])
        for place in range(3):
            total[place] += entry[place]


def _name(context: Context, prompt: Encoded, place: int) -> str:
    start, end = prompt.offsets[place]
    text = prompt.text[start:end].strip().lower()
    if text and not prompt.special[place]:
        return text
    tokenizer, token = context.judge.tokenizer, prompt.ids[place]
    (name,) = token_names(tokenizer, [token])
    of_template = prompt.special[place] and token not in tokenizer.all_special_ids
    return f"template: {name}" if of_template else name  # else it would count with the prompt's own words


def _read_from(context: Context, size: int) -> int | None:
    """Position at which the verdict is read; None where it is a mean."""
    return {"cls": 0, "last_token": size - 1}.get(context.judge.anatomy.pooling)


def attended(counts: dict[str, list[float]]) -> list[AttendedToken]:
    """The tokens that a head looks for: in at least two prompts, by lift, equal ones by name."""
    found = [
        AttendedToken(
            token=name,
            share=total / prompts,
            lift=total / even if even > 0 else 0.0,
            prompts=int(prompts),
            sink=bool(sink),
        )
        for name, (total, even, prompts, sink) in sorted(counts.items())
        if prompts >= MIN_PROMPTS
    ]
    return [found[place] for place in largest_first([token.lift for token in found])[:SHOWN]]
