"""Attention heads: which of them carry the verdict, checked by ablation, and what they attend to.

1. The separation on the prompts that heads are removed on (`analyzer/units/separation.py`). Where it may be chance,
   nothing is removed, and nothing is claimed.
2. Effect of every head: class-signed attribution patching, plain and integrated
   (`analyzer/patching/gradient_pass.py`).
3. Heads are chosen on one half of the prompts (`analyzer/units/head_choice.py`) and removed on the other, set to
   their means: each alone, and those that are needed together, beside random heads of the same layers.
4. What these few attend to: weights computed again for them alone (`analyzer/units/attended_tokens.py`).

Summary: heads_separation, heads_joint_drop, heads_joint_share, heads_control_drop, head_agreement; only what is
defined. Tensors, (layers, heads): "effect", "effect_integrated", "effect_error", and int8 "carries": 1 or 0 where a
head was removed alone and carries the verdict or does not, -1 where it was not removed.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from analyzer.analyses import Outcome, computes
from analyzer.model.judge import known_wiring
from analyzer.patching.gradient_pass import GradientPass, shared_gradients
from analyzer.session.context import Context
from analyzer.units.alone import Alone, removed_alone
from analyzer.units.attended_tokens import Tally, attended, attention_of
from analyzer.units.effects import Unit, disputed, interval, random_others
from analyzer.units.head_choice import HeadChoice, HeadChooser
from analyzer.units.joint import HALVES, joint_removal
from analyzer.units.mean_attribution import MeanAttribution, shared_mean_attribution
from analyzer.units.removal import Removal
from analyzer.units.separation import folds_of
from shared.findings.heads import HeadRow, HeadsResult
from shared.findings.text import counted
from shared.findings.units import JointAblation, UnitAblation
from shared.settings import Settings


class HeadsSettings(Settings):
    """How heads are judged."""

    top: int = Field(8, ge=1, le=100)
    """Heads that are removed together at most, chosen on one half of the prompts; as many are shown."""
    controls: int = Field(20, ge=1)
    """Random draws of equally many heads of the same layers (or the nearest), ablated beside the strongest; and
    random single heads."""
    measured: int = Field(128, ge=1)
    """Heads that are measured one by one at most, where gradients explain little; the strongest by these."""
    steps: int = Field(5, ge=1)
    """Steps of the integrated gradient."""
    prompts: int = Field(128, ge=2)
    """Prompts whose effects are measured, at most."""
    ablated: int = Field(48, ge=2)
    """Prompts that heads are ablated on, at most."""


@computes("heads", HeadsSettings, version=6)
def heads(context: Context, settings: HeadsSettings) -> Outcome:
    """Map the heads of this checkpoint."""
    wiring = known_wiring(context.judge)
    found = shared_gradients(context, settings.steps, settings.prompts)
    attribution = shared_mean_attribution(context, settings.ablated)
    removal = Removal(context, attribution.indices[: settings.ablated], "heads")
    choices, half = _choices(context, removal, found, settings)
    alone = _alone(context, removal, half, choices, attribution, settings)
    top = list(alone.told)[: settings.top]
    together = None
    if choices:
        shape = found.heads.plain.shape
        shown = {unit: alone.told[unit] for unit in top}
        together = joint_removal(removal, half, choices, shown, shape, settings.controls, context.seed)
    tallies = attention_of(context, top) if top else []
    labels = [probe.label for probe in context.probes]
    result = HeadsResult(
        layers=len(found.heads.plain),
        heads=wiring.heads,
        kv_heads=wiring.kv_heads,
        frozen_boundary=context.frozen_boundary,
        n_safe=labels.count("safe"),
        n_unsafe=labels.count("unsafe"),
        n_effect=found.references.n,
        n_pairs=found.references.n_pairs if found.references.kind == "twin" else 0,
        reference=found.references.kind,
        steps=settings.steps,
        explained=removal.explained,
        effect=found.heads.plain.tolist(),
        measured=max((choice.measured for choice in choices), default=0),
        top=[
            _row(context, found, unit, alone.told[unit], tallies[place] if tallies else Tally())
            for place, unit in enumerate(top)
        ],
        joint=together,
        random_drops=alone.random,
        agreement=alone.agreement,
        notes=[
            *context.judge.anatomy.notes,
            *found.references.notes,
            *_notes(removal, choices, together, settings.controls, bool(top) and tallies is None),
        ],
    )
    tensors = {
        "effect": found.heads.plain,
        "effect_integrated": found.heads.integrated,
        "effect_error": found.heads.error,
        "carries": alone.carrying(found.heads.plain.shape),
    }
    return Outcome(result, _summary(result), tensors)


def _choices(
    context: Context, removal: Removal, found: GradientPass, settings: HeadsSettings
) -> tuple[list[HeadChoice], np.ndarray]:
    """What each half of the prompts chooses, and the half of each prompt of `removal`.

    Nothing where there is nothing to explain, or where a half lacks a class.
    """
    by_prompt, size = found.heads.by_prompt, found.heads.plain.size
    assert by_prompt is not None  # noqa: S101 (heads have them)
    compared = Removal(context, found.references.indices.tolist(), "heads")
    probes = {probe.id: probe for probe in [*removal.probes, *compared.probes]}
    half_of = dict(zip(probes, folds_of([*probes.values()], HALVES), strict=True))
    halves = [np.array([half_of[probe.id] for probe in each.probes]) for each in (removal, compared)]
    if not removal.explained.claimable or not all(
        each.separation.split_well(half, HALVES) for each, half in zip((removal, compared), halves, strict=True)
    ):
        return [], halves[0]
    chooser = HeadChooser(
        removal=removal,
        compared=compared,
        by_prompt=by_prompt,
        twins=found.references.kind == "twin",
        count=min(settings.top, max(1, size // 2)),
        measured=settings.measured,
    )
    rows = [[np.flatnonzero(half == number) for half in halves] for number in range(HALVES)]
    return [chooser.choose(*each) for each in rows], halves[0]


def _alone(
    context: Context,
    removal: Removal,
    half: np.ndarray,
    choices: list[HeadChoice],
    attribution: MeanAttribution,
    settings: HeadsSettings,
) -> Alone:
    """The candidates removed one by one, each where the other half chose it, beside random heads."""
    units = list(dict.fromkeys(unit for choice in choices for unit in choice.candidates))
    if not units:
        return Alone({}, None, [])
    named = [{*choice.candidates} for choice in choices]
    rows = {unit: np.flatnonzero([unit in named[HALVES - 1 - number] for number in half]) for unit in units}
    effects = attribution.heads[: len(half)].mean(0)
    random = random_others(units, effects.shape, settings.controls, context.seed)
    return removed_alone(removal, rows, random, {unit: float(effects[unit]) for unit in [*units, *random]})


def _row(context: Context, found: GradientPass, unit: Unit, ablation: UnitAblation, tally: Tally) -> HeadRow:
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
    removal: Removal, choices: list[HeadChoice], together: JointAblation | None, wanted: int, blind: bool
) -> list[str]:
    notes = []
    if removal.explained.claimable and not choices:
        notes.append(
            "The prompts whose effects are measured do not fill two halves with both classes, so no heads are "
            "chosen and none removed: measure more (heads.prompts)."
        )
    elif choices and together is None:
        notes.append("No head has any effect on the score on both halves of the prompts, so none are removed.")
    elif together is not None and len(together.control_drops) < wanted:
        notes.append(
            f"There are other heads for only {counted(len(together.control_drops), 'different random draw')}."
        )
    if blind:
        notes.append("This family gives no attention weights, so what its heads attend to is not shown.")
    return notes


def _summary(result: HeadsResult) -> dict[str, float]:
    summary = {"heads_separation": result.explained.size.value}
    if result.joint is not None:
        summary["heads_joint_drop"] = result.joint.drop.value
        if result.joint.share is not None:
            summary["heads_joint_share"] = result.joint.share.value
        if result.joint.control_drops:
            summary["heads_control_drop"] = float(np.mean(result.joint.control_drops))
    if result.agreement is not None:
        summary["head_agreement"] = result.agreement.spearman.value
    return summary
