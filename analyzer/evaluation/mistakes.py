"""The hardest mistakes: prompts that the judge is surest to judge wrongly, with the words that pushed it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyzer.attribution.attributed_prompts import attributed_prompts
from analyzer.attribution.samples import sample
from analyzer.session.context import Context
from analyzer.session.opened import Opened
from shared.errors import CannotCompute
from shared.findings.evaluation import Mistake, Mistakes
from shared.findings.tokens import SampleAttribution
from shared.prompts.digest import digest_of
from shared.records import Probe, Prompt
from shared.stated_probability import stated_probability

NODES, TWIN_NODES, GAP_BOUND = (12, 16, 32, 96), 8, 0.05
"""Integration as the analysis `tokens` does it."""


def hardest(prompts: Sequence[Prompt], scores: np.ndarray, count: int) -> tuple[list[int], list[int]]:
    """Places of the `count` surest missed prompts and of as many refused ones, the surest first."""
    unsafe = np.array([prompt.label == "unsafe" for prompt in prompts], dtype=bool)
    missed, refused = np.flatnonzero(unsafe & (scores <= 0)), np.flatnonzero(~unsafe & (scores > 0))
    by_sureness = (
        missed[np.argsort(scores[missed], kind="stable")],
        refused[np.argsort(-scores[refused], kind="stable")],
    )
    return by_sureness[0][:count].tolist(), by_sureness[1][:count].tolist()


def mistakes_of(opened: Opened, prompts: Sequence[Prompt], scores: np.ndarray, count: int) -> Mistakes:
    """`count` of each kind at most; `scores` (prompts,) in nats, all finite."""
    missed, refused = hardest(prompts, scores, count)
    words, note = _words(opened, [prompts[place] for place in missed + refused])
    stated = stated_probability(scores, opened.judge.log_odds_shift)
    told = [
        _mistake(prompts[place], float(scores[place]), float(stated[place]), attributed)
        for place, attributed in zip(missed + refused, words, strict=True)
    ]
    return Mistakes(missed=told[: len(missed)], refused=told[len(missed) :], note=note)


def _words(opened: Opened, prompts: Sequence[Prompt]) -> tuple[Sequence[SampleAttribution | None], str]:
    """The attribution of each prompt, or why there is none."""
    if not prompts:
        return [], ""
    if why := opened.judge.anatomy.no_gradients:
        return [None] * len(prompts), f"The words of these prompts are not attributed: {why}."
    context = Context(
        judge=opened.judge,
        probes=[_probe(prompt) for prompt in prompts],
        step=opened.job.step,
        run=opened.job.record,
        digest=opened.digest,
        batch_tokens=opened.batch_tokens,
        progress=opened.progress("attributing mistakes"),
    )
    try:
        found = attributed_prompts(context, range(len(prompts)), NODES, GAP_BOUND, twin_nodes=TWIN_NODES)
    except CannotCompute as error:
        return [None] * len(prompts), str(error)
    return [sample(one, GAP_BOUND, {}) for one in found], ""


def _probe(prompt: Prompt) -> Probe:
    """The prompt by itself: no twin among the mistakes is its baseline."""
    return Probe(**prompt.model_copy(update={"pair": None}).model_dump(), id=digest_of(prompt))


def _mistake(prompt: Prompt, score: float, stated: float, attributed: SampleAttribution | None) -> Mistake:
    return Mistake(
        text=prompt.text,
        label=prompt.label,
        category=prompt.category,
        score=score,
        probability=stated if np.isfinite(stated) else None,
        attribution=attributed,
    )
