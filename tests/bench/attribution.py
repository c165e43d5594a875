"""Token attribution against Captum's LayerIntegratedGradients, on a MiniLM judge, one thread.

Captum is used as its documentation shows: one prompt a call, `n_steps` of them in one batch, on the model as it
loads. Both attribute the same prompts from the same baselines (mask tokens), turn about.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from captum.attr import LayerIntegratedGradients
from transformers import AutoModelForSequenceClassification

from analyzer.analyses.tokens import TokensSettings
from analyzer.attribution.integrated_gradients import MIN_SHIFT, Attribution, attribute, neutral_embedding, path_to
from analyzer.attribution.quadrature import concentrated, legendre
from analyzer.model.batches import Encoded, encode
from analyzer.model.hooked_pass import record
from analyzer.model.judge import Judge
from analyzer.session.probe_choice import spread
from shared.prompts.display import display_indices
from tests.bench import Figure, Size, median_figure
from tests.bench._judge import trained_judge

PROMPTS = {Size.FULL: 32, Size.TINY: 6}
ROUNDS = {Size.FULL: 7, Size.TINY: 1}
EQUAL_NODES = 12
CAPTUM_DEFAULT = 50


def measure(size: Size = Size.FULL) -> list[Figure]:
    torch.set_num_threads(1)
    with trained_judge(size) as (judge, probes, checkpoint):
        shown = display_indices(probes)
        chosen = [probes[i].text for i in shown + spread(probes, PROMPTS[size] - len(shown), shown)]
        prompts = encode(judge.tokenizer, chosen, judge.max_length)
        theirs = captum(judge, checkpoint)
        return [*_speed(judge, prompts, theirs, ROUNDS[size]), *_exactness(judge, prompts, theirs)]


def _speed(
    judge: Judge, prompts: list[Encoded], theirs: Callable[[Encoded, int], np.ndarray], rounds: int
) -> list[Figure]:
    found = ours(judge, prompts, list(TokensSettings().nodes), concentrated)
    gaps = [one.gap for one in found]
    default, equal = [], []
    for _ in range(rounds):
        adaptive_s = seconds(lambda: ours(judge, prompts, list(TokensSettings().nodes), concentrated))
        default_s = seconds(lambda: [theirs(prompt, CAPTUM_DEFAULT) for prompt in prompts])
        ours_s = seconds(lambda: ours(judge, prompts, [EQUAL_NODES], legendre))
        equal_s = seconds(lambda: [theirs(prompt, EQUAL_NODES) for prompt in prompts])
        default.append(default_s / adaptive_s)
        equal.append(equal_s / ours_s)
    nodes = f"{statistics.mean(one.nodes for one in found):.0f} nodes on average"
    return [
        median_figure(
            f"Captum's default ({CAPTUM_DEFAULT} steps) / ours at a gap <= 0.05",
            default,
            "x",
            bar=">= 3",
            note=nodes,
        ),
        Figure(name="our worst gap", value=max(gaps), bar="<= 0.05", note=f"of {len(prompts)} prompts; {nodes}"),
        median_figure(
            f"Captum / ours at {EQUAL_NODES} equal nodes",
            equal,
            "x",
            bar=">= 1.1",
            note="ours with gradient x input, one more row a prompt",
        ),
    ]


def _exactness(judge: Judge, prompts: list[Encoded], theirs: Callable[[Encoded, int], np.ndarray]) -> list[Figure]:
    mine = ours(judge, prompts, [EQUAL_NODES], legendre)
    worst = max(
        float(np.abs(one.values - theirs(prompt, EQUAL_NODES)).max())
        for one, prompt in zip(mine, prompts, strict=True)
    )
    scores, starts = ends(judge, prompts).T[::-1]
    shift = np.maximum(np.abs(scores - starts), MIN_SHIFT)
    off = [
        abs(theirs(prompt, CAPTUM_DEFAULT).sum() - s + b)
        for prompt, s, b in zip(prompts, scores, starts, strict=True)
    ]
    return [
        Figure(name="largest difference to Captum at equal nodes", value=worst, unit="nats", bar="<= 1e-4"),
        Figure(name="Captum's worst gap at its default", value=float((np.array(off) / shift).max())),
    ]


def ours(judge: Judge, prompts: list[Encoded], counts: list[int], first: Callable) -> list[Attribution]:
    """From tokens to attributions, all that the analysis pays for but the scores it has anyway."""
    neutral = neutral_embedding(judge)
    paths = [path_to(judge, prompt, None, neutral) for prompt in prompts]
    return attribute(judge, paths, ends(judge, prompts), [counts] * len(paths), 0.05, 2048, first)


def ends(judge: Judge, prompts: list[Encoded], known: dict[int, np.ndarray] = {}) -> np.ndarray:  # noqa: B006 (a cache)
    """(prompts, 2) scores of baseline and prompt; measured once, as the analysis gets them from the shared pass."""
    if id(prompts) not in known:
        mask = int(judge.tokenizer.mask_token_id)  # type: ignore[arg-type]
        empty = [replace(one, ids=tuple(_masked(one, mask))) for one in prompts]
        both = [record(judge, list(which), 2048).scores for which in (empty, prompts)]
        known[id(prompts)] = np.column_stack(both).astype(float)
    return known[id(prompts)]


def _masked(prompt: Encoded, mask: int) -> list[int]:
    return [token if special else mask for token, special in zip(prompt.ids, prompt.special, strict=True)]


def captum(judge: Judge, checkpoint: Path) -> Callable[[Encoded, int], np.ndarray]:
    """(prompt, steps) -> (tokens,) attributions by Captum, on its own copy of the model."""
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()

    def score(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        logits = model(input_ids=ids, attention_mask=mask).logits
        return logits[:, 1] - logits[:, 0]

    explainer = LayerIntegratedGradients(score, model.bert.embeddings.word_embeddings)

    def attributions(prompt: Encoded, steps: int) -> np.ndarray:
        ids = torch.tensor([prompt.ids])
        baseline = torch.where(torch.tensor([prompt.special]), ids, judge.tokenizer.mask_token_id)
        found = explainer.attribute(
            ids,
            baselines=baseline,
            additional_forward_args=(torch.ones_like(ids),),
            n_steps=steps,
            method="gausslegendre",
        )
        return found.sum(-1)[0].detach().numpy()

    return attributions


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
