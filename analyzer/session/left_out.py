"""Prompts for which the judge gives no number: left out of every analysis, named and counted in every result.

A prompt that overflows, in float16 say, says nothing about the others, and its NaN would spread to every mean, sum
and gradient that it enters. So it is taken out before any analysis begins, and nothing has to step around it later.
Where that is a large share of the probe set, or leaves too few of a class, the judge has diverged and is refused:
the prompts that are left would be no sample of anything.

Its contrast twin stays, without a twin; of a further contrast pair (only circuits are run on these) both go.
Another prompt of its class takes a display sample's place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import torch

from analyzer.model.batches import Encoded, collate, fits
from analyzer.model.judge import Judge
from analyzer.model.scoring import score
from analyzer.session.context import Context
from shared.errors import JudgeError, ScoresNotFinite
from shared.findings.text import clean, percent
from shared.prompts.display import DISPLAY_PER_CLASS, LABELS, another_display
from shared.prompts.twins import twin_of
from shared.records import Probe

MOST = 0.25
"""Share of the probe set that may be left out, at most."""
NAMED = 3
"""Prompts that are named in a warning; the others are counted."""
NAME_CHARS = 40
ON_FURTHER_PAIRS = frozenset({"circuits", "evolution"})
"""Analyses that run the judge on further contrast pairs."""


def without_unscored(context: Context) -> Context:
    """The same context, or one without the prompts for which the judge gives NaN or infinity.

    Makes the shared forward pass. Raises JudgeError where more than `MOST` of them or most of a class would go, and
    what that pass raises.
    """
    try:
        _ = context.forward
    except ScoresNotFinite as error:
        context = _without(context, error)
        _ = context.forward
    if context.pairs and context.pair_scores is None and context.suite & ON_FURTHER_PAIRS:
        context.pair_scores = aligned_scores(context)
        context = _without_pairs(context, context.pair_scores)
    return context


def _without(context: Context, error: ScoresNotFinite) -> Context:
    whole, lost = context.probes, set(error.rows)
    left = Counter(probe.label for index, probe in enumerate(whole) if index not in lost)
    few = [label for label in LABELS if left[label] < DISPLAY_PER_CLASS]
    if len(lost) > MOST * len(whole) or few:
        left_over = f"leaves {left[few[0]]} {few[0]}" if few else f"is more than {percent(MOST)} of the probe set"
        raise JudgeError(
            f"{str(error).removesuffix('.')}. That {left_over}: too little to say anything of the rest."
        )
    places, shown = _places(whole, lost)
    gone = [whole[index] for index in error.rows]
    said = _sentence(gone, len(whole), ("probe prompt", "probe prompts"), context.judge)
    if shown:
        said += f" Shown in place of a display sample: {_names(shown)}."
    return replace(
        context,
        probes=[
            whole[index].model_copy(update={"display": True}) if whole[index] in shown else whole[index]
            for index in places
        ],
        whole=whole,
        places=places,
        left_out=[*context.left_out, said],
    )


def _places(whole: Sequence[Probe], lost: Collection[int]) -> tuple[list[int], list[Probe]]:
    """The prompts that stay, in their order, and which of them are shown in place of display samples.

    These stand where the samples stood, so that all others keep their numbers.
    """
    free = [probe for index, probe in enumerate(whole) if index not in lost and not probe.display]
    place = {probe.id: index for index, probe in enumerate(whole)}
    kept: list[int] = []
    shown: list[Probe] = []
    for index, probe in enumerate(whole):
        if index not in lost:
            kept.append(index)
        elif probe.display:
            other = another_display(probe, [each for each in free if each not in shown])
            if other is not None:
                shown.append(other)
                kept.append(place[other.id])
    return list(dict.fromkeys(kept)), shown


def aligned_scores(context: Context) -> np.ndarray:
    """(further prompts,) scores of the further contrast pairs that align token by token, nats; of others NaN."""
    return plain_scores(context.judge, context.encoded_pairs, _aligned(context), context.batch_tokens)


def _aligned(context: Context) -> list[int]:
    encoded = context.encoded_pairs
    return [one for one, other in twin_of(context.pairs).items() if fits(encoded[one], encoded[other])]


@torch.inference_mode()
def plain_scores(judge: Judge, encoded: Sequence[Encoded], rows: Sequence[int], batch_tokens: int) -> np.ndarray:
    """(encoded,) scores of the prompts at `rows`, as they are, in nats; NaN for the others."""
    found = np.full(len(encoded), np.nan)
    for chosen in judge.batches([encoded[row] for row in rows], batch_tokens):
        places = [rows[number] for number in chosen]
        batch = collate([encoded[place] for place in places], judge.anatomy.pad_id, judge.device)
        found[places] = score(judge, batch).double().cpu().numpy()
    return found


def _without_pairs(context: Context, scores: np.ndarray) -> Context:
    """Without both twins of a pair of which one has no number."""
    lost = [index for index in sorted(_aligned(context)) if not np.isfinite(scores[index])]
    if not lost:
        return context
    gone = {context.pairs[index].pair for index in lost}
    kept = [index for index, probe in enumerate(context.pairs) if probe.pair not in gone]
    what = ("prompt of the further contrast pairs", "prompts of the further contrast pairs")
    said = _sentence([context.pairs[index] for index in lost], len(context.pairs), what, context.judge)
    return replace(
        context,
        pairs=[context.pairs[index] for index in kept],
        pair_scores=scores[kept],
        left_out=[*context.left_out, said],
    )


def _sentence(lost: Sequence[Probe], of: int, what: tuple[str, str], judge: Judge) -> str:
    """Which prompts are left out, of how many, and why."""
    one = len(lost) == 1
    cause = ": float16 ends at 65504" if judge.dtype == "float16" else ""
    return (
        f"This judge's score of {len(lost):,} of {of:,} {what[1]} is not finite (NaN or infinity{cause}); "
        f"{'it is' if one else 'they are'} left out of everything here: {_names(lost)}."
    )


def _names(prompts: Sequence[Probe]) -> str:
    named = ", ".join(f"“{clean(probe.text, NAME_CHARS)}”" for probe in prompts[:NAMED])
    more = len(prompts) - NAMED
    return named if more <= 0 else f"{named} and {more:,} more"
