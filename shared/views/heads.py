"""Attention heads: which of them carry the verdict, checked by ablation, and what they attend to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.figures.units.heads import MAX_TOP, colour_range, heads_figure
from shared.figures.units.words import attended_cell, finding, nats, opposed, unit_flags
from shared.findings.badge import badge
from shared.findings.heads import HeadRow, HeadsResult
from shared.findings.parts import interval_cells, typed_result
from shared.findings.units import REFERENCES
from shared.views import Panel, View, register

if TYPE_CHECKING:
    from shared.results import ResultRecord


def panels(record: ResultRecord) -> list[Panel]:
    """One figure: the effect of every head, and the strongest ones with their ablation and what they look for."""
    result = typed_result(record, HeadsResult)
    flags = unit_flags(result.top, result.agreement, "heads")
    return [
        Panel(
            stem="heads",
            title=f"Attention heads, {record.label}",
            figure=heads_figure(result, finding(result.joint, "heads"), _subtitle(result), flags),
            caption=_caption(result),
            alt=_alt(result),
            rows=_rows(result),
            badge=badge(record, _facts(result)),
        )
    ]


def _subtitle(result: HeadsResult) -> str:
    shared = f", {result.kv_heads} of keys and values" if result.kv_heads != result.heads else ""
    frozen = f", the first {result.frozen_boundary} frozen" if result.frozen_boundary else ""
    agreed = "" if result.agreement is None else f" · Spearman with ablation {result.agreement:.2f}"
    return f"{result.layers} layers{frozen}, {result.heads} heads each{shared}{agreed}{opposed(result.top)}"


def _caption(result: HeadsResult) -> str:
    notes = "".join(f"\nNote: {note}" for note in result.notes)
    more = f" The table holds all {len(result.top)}." if len(result.top) > MAX_TOP else ""
    return (
        "What it shows: top left, what each attention head contributes to telling unsafe from safe (attribution, "
        f"nats); colours end at ±{colour_range(result):g} here, a round number that changes seldom, strong cells "
        "carry their sign. Beside it, what the judge loses when those of the strongest that support the verdict "
        "are set to their mean together, against as many random ones of the same or the nearest layers. Below, the "
        "strongest one by one: marker, effect by attribution; bar, what its removal really costs; lines, 95 % "
        "intervals; grey band, the random ones together. Habits: share of its attention on sinks (special and "
        "first tokens), on the token itself, on the one before. Then the tokens it looks for: ×lift over even "
        f"attention, and its share of the attention where it occurs.{more} Orange, hatched and "
        "diamonds: frozen layers.\n"
        "How to read: a head carries the verdict when marker and bar agree and clear both 0 and the grey band. "
        "Blue and + support the right verdict, red and − work against it. Grey tokens are sinks, where attention "
        "rests when a head has nothing to do. A ⚠ means that plain and integrated gradient disagree about a head.\n"
        "Worrying: one head carries most; the strongest do nothing when removed; heads that look for template "
        "words or punctuation; effects in frozen layers only; strong heads that rest on sinks."
        f"{notes}"
    )


def _alt(result: HeadsResult) -> str:
    named = ", ".join(
        f"{head.name} {nats(head.effect.value)} ({nats(head.ablation.drop.value)} lost)" for head in result.top[:5]
    )
    return (
        f"{finding(result.joint, 'heads')}. {result.layers} layers of {result.heads} heads. Strongest, effect and "
        f"loss when removed in nats: {named or 'none'}. {result.frozen_boundary} layers are frozen."
    )


def _facts(result: HeadsResult) -> list[str]:
    pairs = f" ({result.n_pairs} contrast pairs)" if result.n_pairs else ""
    draws = f", control: {len(result.joint.control_drops)} random draws" if result.joint else ""
    return [
        f"effect: n = {result.n_effect}{pairs}, against {REFERENCES[result.reference]}, gradient at the "
        f"prompt; the integrated one beside it has {result.steps} steps",
        f"ablation: set to the probe-set mean, bootstrap intervals{draws}",
        f"attention: n = {result.n_safe} safe + {result.n_unsafe} unsafe, recomputed for the heads shown",
    ]


def _rows(result: HeadsResult) -> list[dict[str, Any]]:
    """The heads shown, then the effect of every other one."""
    known = {head.name for head in result.top}
    rows = [_head_cells(head) for head in result.top]
    return rows + [
        {"head": f"L{layer}.H{head}", "frozen": layer < result.frozen_boundary, "effect": effect}
        for layer, effects in enumerate(result.effect)
        for head, effect in enumerate(effects)
        if f"L{layer}.H{head}" not in known
    ]


def _head_cells(head: HeadRow) -> dict[str, Any]:
    return {
        "head": head.name,
        "frozen": head.frozen,
        **interval_cells("effect", head.effect),
        "effect_integrated": head.effect_integrated,
        "disputed": head.disputed,
        **interval_cells("ablation_drop", head.ablation.drop),
        "flips": head.ablation.flips,
        "prompts": head.ablation.n,
        "sink_share": head.sink_share,
        "self_share": head.self_share,
        "previous_share": head.previous_share,
        "attends": attended_cell(head.attends),
        "read_attends": attended_cell(head.read_attends),
    }


register(View(name="heads", title="Heads", suite="advanced", order=60, result=HeadsResult, panels=panels))
