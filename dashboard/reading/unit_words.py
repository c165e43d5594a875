"""What the panel of one neuron or head says of it in words: its effect, what is lost without it, its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.figures.units.words import nats
from shared.findings.rates import share
from shared.findings.text import clean, shorten
from shared.findings.unit_sentences import share_words

if TYPE_CHECKING:
    from shared.findings.heads import HeadRow
    from shared.findings.neurons import NeuronRow, TokenInContext
    from shared.findings.parts import Interval
    from shared.findings.units import UnitAblation

AROUND = 60
"""Characters shown before and after a token in its context."""
ATTENDED = 5
"""Tokens named that a head looks for."""


def neuron_lines(row: NeuronRow) -> list[str]:
    """Of a neuron that was removed alone; its tokens in context stand last, one a line."""
    towards = "unsafe" if row.auroc > 0.5 else "safe"
    more = "" if row.auroc == 0.5 else f", more active on {towards} prompts"
    told = [*_effect(row), removal(row.ablation)]
    told.append(
        f"Tells the classes apart: AUROC {row.auroc:.2f} (q = {row.q_value:.2g}){more}; "
        f"mean {nats(row.mean_safe)} on safe, {nats(row.mean_unsafe)} on unsafe."
    )
    return told + [in_context(each) for each in row.tokens]


def in_context(token: TokenInContext) -> str:
    """ "unsafe, 3.2: …how do I [kill] a Python…" """
    before, after = clean(token.before), clean(token.after)
    before = "…" + before[-AROUND:] if len(before) > AROUND else before
    return f"{token.label}, {token.activation:.3g}: {before}[{clean(token.token, 60)}]{shorten(after, AROUND)}"


def head_lines(row: HeadRow | None, analysed: bool) -> list[str]:
    """What removing the head costs and what it looks for, where the analysis of heads measured it."""
    if row is None:
        return [
            "Not among the heads that were removed one by one."
            if analysed
            else "Heads are not analysed at this checkpoint."
        ]
    lines = [removal(row.ablation)]
    looks = ", ".join(f"“{clean(each.token, 30)}” ×{each.lift:.1f}" for each in row.attends[:ATTENDED])
    lines += [f"Looks for (lift over even attention): {looks}."] if looks else []
    if row.sink_share is not None:
        lines.append(f"{share(row.sink_share)} of its attention rests on special and first tokens.")
    return lines


def head_facts(row: HeadRow) -> list[str]:
    """The same with its effect, for the tab of the heads."""
    return [*_effect(row), *head_lines(row, analysed=True)]


def elsewhere(noun: str, values: Mapping[str, Any]) -> list[str]:
    """Of a unit that was not removed alone: the numbers that its layer's tensors hold, `values` by name."""
    told = [f"Not among the {noun} that were removed one by one at this checkpoint."]
    if (effect := values.get("effect")) is not None:
        told.append(f"Effect by attribution {nats(effect)} nats.")
    if (auroc := values.get("auroc")) is not None:
        told.append(f"Tells the classes apart: AUROC {auroc:.2f}.")
    return told


def _effect(row: NeuronRow | HeadRow) -> list[str]:
    doubt = "; the two gradients disagree ⚠" if row.disputed else ""
    frozen = " Its layer is frozen." if row.frozen else ""
    integrated = f"by the integrated gradient {nats(row.effect_integrated)}"
    return [f"Effect by attribution {_spanned(row.effect)} nats, {integrated}{doubt}.{frozen}"]


def removal(ablation: UnitAblation) -> str:
    """ "Removed alone: 0.31 nats of the separation lost [0.20, 0.42], 12 % [8 %, 17 %] of it; ..." """
    part = "" if ablation.share is None else f", {share_words(ablation.share)} of it"
    carries = "carries the verdict" if ablation.carries else "not clear of random ones"
    flips = f"{ablation.flips:,} of {ablation.n:,} verdicts flip"
    low, high = nats(ablation.drop.low), nats(ablation.drop.high)
    lost = f"{nats(ablation.drop.value)} nats of the separation lost [{low}, {high}]"
    return f"Removed alone: {lost}{part}; {carries}; {flips}."


def _spanned(found: Interval) -> str:
    return f"{nats(found.value)} [{nats(found.low)}, {nats(found.high)}]"
