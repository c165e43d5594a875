"""Integrated gradients of the score on the word embeddings (Sundararajan, Taly, Yan 2017, arXiv 1703.01365).

A_t = sum_d (e - e0)_{t,d} * integral over alpha in [0, 1] of ds/de_{t,d} at e0 + alpha (e - e0)

1. Every prompt gets a path: its embeddings e, and a baseline e0 that shares the special tokens.
2. (prompt, node) rows of all prompts are packed by length into batches; each runs forward and backward once, and
   only the gradient at the word embeddings is computed.
3. The gap |sum A - (s(e) - s(e0))| / max(|s(e) - s(e0)|, 0.1) is measured; prompts that miss the bound go again
   with more nodes, placed where their own score was seen to change, up to the last count.

Positions, types and special tokens stay as they are. Sums are in float64 whatever the model's precision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from analyzer.attribution.quadrature import Rule, concentrated, refined
from analyzer.model.batches import Encoded, collate, fits
from analyzer.model.differentiated import tokens_at_once
from analyzer.model.hooked_pass import Progress, unwatched
from analyzer.model.partial_pass import embeddings_replaced
from analyzer.model.scoring import finite_scores
from analyzer.model.verdict_token import score_alone

if TYPE_CHECKING:
    from analyzer.model.judge import Judge

BaselineKind = Literal["twin", "mask", "space", "mean"]
MIN_SHIFT = 0.1
"""Smallest difference of scores, in nats, that a gap is divided by."""


@dataclass(frozen=True)
class BaselinePath:
    """One prompt, and where its attribution starts from."""

    encoded: Encoded
    start: Tensor
    """(tokens, d_model) baseline embeddings."""
    end: Tensor
    """(tokens, d_model) the prompt's own."""
    baseline: BaselineKind


@dataclass(frozen=True)
class Attribution:
    """Attributions of one prompt's tokens, nats."""

    values: np.ndarray
    """(tokens,) integrated gradients."""
    gradient_x_input: np.ndarray
    """(tokens,) gradient at the prompt times its embedding."""
    gap: float
    nodes: int
    """Nodes of the rule that gave the values."""


def embed(judge: Judge, ids: Sequence[int]) -> Tensor:
    """(tokens, d_model) word embeddings as the model reads them, scaled where it scales them."""
    with torch.no_grad():
        return judge.anatomy.embeddings(torch.tensor([ids], device=judge.device))[0]


def neutral_embedding(judge: Judge) -> tuple[Tensor, BaselineKind]:
    """(d_model,) the embedding that stands for "no word", and its name.

    Encoders have a mask token, or else a padding token, that training made neutral. Decoders have neither, and take
    a space where that is one token: of all that was tried on two SmolLM2 judges it has the smallest gaps (medians
    0.05 and 0.005 at 32 nodes), while mean, end of text, PAD and zero leave a multiple (docs/decoders.md). Else the
    mean of all embeddings.
    """
    tokenizer, pooling = judge.tokenizer, judge.anatomy.pooling
    rows = int(getattr(judge.anatomy.embeddings, "num_embeddings", 0))
    mask, pad = tokenizer.mask_token_id, tokenizer.pad_token_id
    if pooling != "last_token" and isinstance(mask, int) and mask < rows:
        return embed(judge, [mask])[0], "mask"
    if pooling in ("cls", "mean") and isinstance(pad, int) and pad < rows:
        return embed(judge, [pad])[0], "mask"
    space = tokenizer(" ", add_special_tokens=False)["input_ids"] if pooling == "last_token" else []
    if isinstance(space, list) and len(space) == 1 and space[0] not in {*tokenizer.all_special_ids}:
        return embed(judge, space)[0], "space"
    return _mean_embedding(judge), "mean"


@torch.no_grad()
def _mean_embedding(judge: Judge) -> Tensor:
    """(d_model,) mean over the vocabulary, in slices, so that a large one needs no second copy."""
    weight = judge.model.get_input_embeddings().weight
    rows = int(weight.shape[0])  # type: ignore[arg-type]
    total = torch.zeros(int(weight.shape[1]), dtype=torch.float64, device=judge.device)  # type: ignore[arg-type]
    for start in range(0, rows, 8192):
        ids = torch.arange(start, min(start + 8192, rows), device=judge.device)
        total += judge.anatomy.embeddings(ids[None])[0].double().sum(0)
    return (total / rows).to(judge.model.dtype)


def path_to(
    judge: Judge, encoded: Encoded, twin: Encoded | None, neutral: tuple[Tensor, BaselineKind]
) -> BaselinePath:
    """The path of one prompt: from its contrast twin where that fits token by token, else from "no words"."""
    end = embed(judge, encoded.ids)
    if twin is not None and fits(encoded, twin):
        return BaselinePath(encoded, embed(judge, twin.ids), end, "twin")
    start = end.clone()
    start[replaced(judge, encoded)] = neutral[0]
    return BaselinePath(encoded, start, end, neutral[1])


def replaced(judge: Judge, encoded: Encoded) -> list[int]:
    """Positions that "no words" takes: the content, but for a decoder's very first token.

    Every later token of a decoder rests its spare attention on the first one (an attention sink). Take that away,
    and somewhere on the path the whole residual stream jumps, which no rule integrates: on SmolLM2-135M with a mean
    embedding the gap was 13 times the difference of scores at 96 nodes (tests/bench/decoder_baseline.py). So the
    first word gets no attribution, unless a special token or a template stands before it.
    """
    content = encoded.content
    sink = judge.anatomy.pooling == "last_token" and content[:1] == [0] and len(content) > 1
    return content[1:] if sink else content


def attribute(
    judge: Judge,
    paths: Sequence[BaselinePath],
    ends: np.ndarray,
    counts: Sequence[Sequence[int]],
    gap_bound: float,
    batch_tokens: int,
    first: Callable[[int], Rule] = concentrated,
    progress: Progress = unwatched,
) -> list[Attribution]:
    """Integrated gradients of every path.

    `ends` (n, 2) are the scores of baseline and prompt, nats. `counts[i]` are the numbers of nodes tried for path
    i: the `first` rule with the first of them, then rules refined to where that path's score was seen to change.
    Raises CannotCompute where a score or gradient on the way is not finite.
    """
    rules = [first(tried[0]) for tried in counts]
    found: dict[int, Attribution] = {}
    open_ = list(range(len(paths)))
    attempt = 0
    while open_:
        chosen = [paths[i] for i in open_]
        sums = _integrate(judge, chosen, [rules[i] for i in open_], batch_tokens, attempt == 0, progress)
        for index, sum_ in zip(open_, sums, strict=True):
            slope = sum_.gradient_x_input if attempt == 0 else found[index].gradient_x_input
            gap = _gap(sum_.values, ends[index])
            found[index] = Attribution(sum_.values, slope, gap, len(rules[index].nodes))
        attempt += 1
        left = [i for i in range(len(open_)) if attempt < len(counts[open_[i]]) and found[open_[i]].gap > gap_bound]
        for place in left:
            index = open_[place]
            tried = np.concatenate([[0.0], rules[index].nodes, [1.0]])
            seen = np.concatenate([ends[index, :1], sums[place].scores, ends[index, 1:]])
            rules[index] = refined(counts[index][attempt], tried, seen)
        open_ = [open_[place] for place in left]
    finite_scores(np.array([found[index].gap for index in range(len(paths))]), "paths from baseline to prompt")
    return [found[index] for index in range(len(paths))]


def counts_for(path: BaselinePath, nodes: Sequence[int], twin_nodes: int) -> list[int]:
    """Nodes tried in turn. Twins are near each other, so their paths are smooth and start with fewer."""
    return [twin_nodes if path.baseline == "twin" else nodes[0], *nodes[1:]]


def _gap(values: np.ndarray, ends: np.ndarray) -> float:
    shift = float(ends[1] - ends[0])
    return abs(float(values.sum()) - shift) / max(abs(shift), MIN_SHIFT)


@dataclass
class _Sum:
    """What one rule gives for one path."""

    values: np.ndarray
    """(tokens,) the integral, float64."""
    gradient_x_input: np.ndarray
    """(tokens,) zero unless asked for."""
    scores: np.ndarray
    """(nodes,) score at each node."""


def _integrate(
    judge: Judge,
    paths: Sequence[BaselinePath],
    rules: Sequence[Rule],
    batch_tokens: int,
    slope: bool,
    progress: Progress,
) -> list[_Sum]:
    """Apply each path's rule; with `slope` also gradient x input, which is one more row at alpha = 1."""
    sums = [
        _Sum(np.zeros(len(path.encoded.ids)), np.zeros(len(path.encoded.ids)), np.zeros(len(rule.nodes)))
        for path, rule in zip(paths, rules, strict=True)
    ]
    rows = [
        _Row(index, node, float(rule.nodes[node]))
        for index, rule in enumerate(rules)
        for node in range(len(rule.nodes))
    ]
    rows += [_Row(index, None, 1.0) for index in range(len(paths) if slope else 0)]
    done = 0
    at_once = tokens_at_once(judge, batch_tokens)
    for chosen in judge.batches([paths[row.path].encoded for row in rows], at_once):
        batch = [rows[i] for i in chosen]
        products, scores = _products(judge, paths, batch)
        for row, product, score_ in zip(batch, products, scores, strict=True):
            sum_ = sums[row.path]
            product = product[: len(sum_.values)]
            if row.node is None:
                sum_.gradient_x_input += product
            else:
                sum_.values += rules[row.path].weights[row.node] * product
                sum_.scores[row.node] = score_
        done += len(chosen)
        progress(done, len(rows))
    return sums


class _Row(NamedTuple):
    """One point of one path in a batch."""

    path: int
    node: int | None
    """Of its rule; None for the prompt itself."""
    alpha: float


def _products(judge: Judge, paths: Sequence[BaselinePath], rows: Sequence[_Row]) -> tuple[np.ndarray, np.ndarray]:
    """(rows, tokens) gradient . (e - e0), or gradient . e for the prompt itself, and (rows,) scores."""
    used = {index: place for place, index in enumerate(dict.fromkeys(row.path for row in rows))}
    width = max(len(paths[index].encoded.ids) for index in used)
    start = torch.stack([_widen(paths[index].start, width) for index in used])  # (paths, tokens, d_model)
    step = torch.stack([_widen(paths[index].end, width) for index in used]) - start
    place = torch.tensor([used[row.path] for row in rows], device=judge.device)
    alpha = torch.tensor([row.alpha for row in rows], device=judge.device, dtype=start.dtype)
    batch = collate([paths[row.path].encoded for row in rows], judge.anatomy.pad_id, judge.device)
    step = step[place]  # (rows, tokens, d_model)
    point = torch.addcmul(start[place], alpha[:, None, None], step).requires_grad_()
    with torch.enable_grad(), embeddings_replaced(judge, point):
        scores = score_alone(judge, batch)
        (gradient,) = torch.autograd.grad(scores.sum(), point)
    whole = [i for i, row in enumerate(rows) if row.node is None]
    step[whole] = point.detach()[whole]
    products = torch.einsum("rtd,rtd->rt", gradient.float(), step.float())
    return products.double().cpu().numpy(), scores.detach().double().cpu().numpy()


def _widen(embeddings: Tensor, width: int) -> Tensor:
    """Pad with zeros, which are masked."""
    return torch.nn.functional.pad(embeddings, (0, 0, 0, width - embeddings.shape[0]))
