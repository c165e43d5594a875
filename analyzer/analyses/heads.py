"""Attention heads: which of them carry the verdict, checked by ablation, and what they attend to.

1. Effect of every head: class-signed attribution patching, plain and integrated
   (`analyzer/patching/gradient_pass.py`).
2. True ablation to the mean of the strongest ones, each alone, and those that support the verdict together, beside
   random heads of the same layers.
3. What these few attend to: weights computed again for them alone (`analyzer/units/attended_tokens.py`).

Summary: heads_joint_drop, heads_control_drop, head_strongest_share, head_agreement; only what is defined. Tensors,
(layers, heads): "effect", "effect_integrated", "effect_error".
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from analyzer.analyses import Outcome, computes
from analyzer.model.judge import known_wiring
from analyzer.patching.ablation import Ablation
from analyzer.patching.gradient_pass import GradientPass, shared_gradients
from analyzer.session.context import Context
from analyzer.statistics.ranks import spearman
from analyzer.units.attended_tokens import Tally, attended, attention_of
from analyzer.units.effects import (
    Ablator,
    by_layer,
    disputed,
    interval,
    joint,
    random_like,
    same_layers,
    strongest_units,
    supporting,
)
from shared.findings.heads import HeadRow, HeadsResult
from shared.findings.units import UnitAblation
from shared.settings import Settings


class HeadsSettings(Settings):
    """How heads are judged."""

    top: int = Field(8, ge=1, le=100)
    """Heads that are shown and ablated, the strongest first."""
    controls: int = Field(20, ge=1)
    """Random draws of equally many heads of the same layers (or the nearest), ablated beside the strongest."""
    steps: int = Field(5, ge=1)
    """Steps of the integrated gradient."""
    prompts: int = Field(128, ge=2)
    """Prompts whose effects are measured, at most."""
    ablated: int = Field(64, ge=2)
    """Of these, prompts that units are ablated on, at most."""


@computes("heads", HeadsSettings, version=5)
def heads(context: Context, settings: HeadsSettings) -> Outcome:
    """Map the heads of this checkpoint."""
    wiring = known_wiring(context.judge)
    found = shared_gradients(context, settings.steps, settings.prompts)
    effect = found.heads.plain
    ablator = Ablator(context, found.references, settings.ablated)
    top = strongest_units(effect, min(settings.top, max(1, effect.size // 2)))
    carriers = supporting(effect, top)
    controls = random_like(carriers, top, effect.shape, settings.controls, context.seed)
    ablations = [Ablation(heads=by_layer([unit])) for unit in top]
    ablations += [Ablation(heads=chosen) for chosen in (by_layer(carriers), *controls) if carriers]
    ablated = ablator.run(ablations)
    tallies = attention_of(context, top) if top else []
    rows = [
        _row(context, found, unit, ablation, tallies[place] if tallies else Tally())
        for place, (unit, ablation) in enumerate(zip(top, ablated, strict=False))
    ]
    together = joint(len(carriers), ablated[len(top)], ablated[len(top) + 1 :]) if carriers else None
    labels = [probe.label for probe in context.probes]
    result = HeadsResult(
        layers=len(effect),
        heads=wiring.heads,
        kv_heads=wiring.kv_heads,
        frozen_boundary=context.frozen_boundary,
        n_safe=labels.count("safe"),
        n_unsafe=labels.count("unsafe"),
        n_effect=found.references.n,
        n_pairs=found.references.n_pairs if found.references.kind == "twin" else 0,
        reference=found.references.kind,
        steps=settings.steps,
        effect=effect.tolist(),
        top=rows,
        joint=together,
        agreement=spearman([row.effect.value for row in rows], [row.ablation.drop.value for row in rows]),
        notes=_notes(context, found, top, carriers, len(controls), settings.controls, tallies is None),
    )
    tensors = {"effect": effect, "effect_integrated": found.heads.integrated, "effect_error": found.heads.error}
    return Outcome(result, _summary(result), tensors)


def _row(
    context: Context, found: GradientPass, unit: tuple[int, int], ablation: UnitAblation, tally: Tally
) -> HeadRow:
    layer, head = unit
    share = lambda total: total / tally.prompts if tally.prompts else None  # noqa: E731 (not known is no 0)
    return HeadRow(
        layer=layer,
        head=head,
        frozen=layer < context.frozen_boundary,
        effect=interval(found.heads, layer, head),
        effect_integrated=float(found.heads.integrated[unit]),
        disputed=disputed(found.heads, layer, head),
        ablation=ablation,
        attends=attended(tally.shares),
        sink_share=share(tally.sink),
        self_share=share(tally.itself),
        previous_share=share(tally.previous),
        read_attends=attended(tally.read),
    )


def _notes(
    context: Context,
    found: GradientPass,
    top: list[tuple[int, int]],
    carriers: list[tuple[int, int]],
    drawn: int,
    wanted: int,
    blind: bool,
) -> list[str]:
    notes = [*context.judge.anatomy.notes, *found.references.notes]
    shape = found.heads.plain.shape
    if not top:
        notes.append("No head has any effect on the score, so none is ablated.")
    elif not carriers:
        notes.append("None of the strongest heads supports the right verdict, so none are ablated together.")
    elif drawn < wanted:
        notes.append(f"There are other heads for only {drawn} different random draws.")
    there = {layer: len(heads) for layer, heads in by_layer(carriers).items()}
    moved = sum(max(0, count - there.get(layer, 0)) for layer, count in same_layers(carriers, top, shape).items())
    if moved and drawn:
        notes.append(
            f"The layers of the {len(carriers)} heads removed together have too few others, so {moved} of the "
            f"{len(carriers)} heads of each random draw are of the nearest layers."
        )
    if blind and top:
        notes.append("This family gives no attention weights, so what its heads attend to is not shown.")
    return notes


def _summary(result: HeadsResult) -> dict[str, float]:
    summary: dict[str, float] = {}
    total = float(np.abs(result.effect).sum())
    if total > 0:
        summary["head_strongest_share"] = float(np.abs(result.effect).max()) / total
    if result.joint is not None:
        summary["heads_joint_drop"] = result.joint.drop.value
        if result.joint.control_drops:
            summary["heads_control_drop"] = float(np.mean(result.joint.control_drops))
    if result.agreement is not None:
        summary["head_agreement"] = result.agreement
    return summary
