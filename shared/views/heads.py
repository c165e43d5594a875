"""Attention heads: which of them carry the verdict, checked by ablation, and what they attend to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.figures.units.heads import MAX_TOP, colour_range, heads_figure
from shared.figures.units.words import attended_cell, nats, opposed, unit_flags
from shared.findings.badge import badge
from shared.findings.claims import power
from shared.findings.heads import HeadRow, HeadsResult
from shared.findings.parts import interval_cells, typed_result
from shared.findings.text import counted
from shared.findings.unit_sentences import (
    CARRIES,
    NOTHING_REMOVED,
    agreement_words,
    counted_groups,
    heads_headline,
    share_cells,
)
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
            figure=heads_figure(result, heads_headline(result), _subtitle(result), flags),
            caption=_caption(result),
            alt=_alt(result),
            rows=_rows(result),
            badge=badge(record, _facts(result)),
        )
    ]


def _subtitle(result: HeadsResult) -> str:
    shared = f", {result.kv_heads} of keys and values" if result.kv_heads != result.heads else ""
    frozen = f", the first {result.frozen_boundary} frozen" if result.frozen_boundary else ""
    shape = f"{counted(result.layers, 'layer')}{frozen}, {counted(result.heads, 'head')} each{shared}"
    if not result.explained.claimable:
        return f"{shape} · {power(result.explained)}"
    agreed = agreement_words(result.agreement)
    return f"{shape}{f' · {agreed}' if agreed else ''}{opposed(result.top, result.explained)}"


def _caption(result: HeadsResult) -> str:
    notes = "".join(f"\nNote: {note}" for note in result.notes)
    shown = (
        "What it shows: top left, what each attention head contributes to telling unsafe from safe (attribution, "
        f"nats); colours end at ±{colour_range(result):g} here, a round number that changes seldom, strong cells "
        "bear their sign. "
    )
    if not result.explained.claimable:
        return f"{shown}{NOTHING_REMOVED}{notes}"
    more = f" The table holds all {len(result.top)}." if len(result.top) > MAX_TOP else ""
    every = (
        f" Attribution explained little, so {counted(result.measured, 'head')} were measured one by one to choose."
        if result.measured
        else ""
    )
    return (
        f"{shown}Beside it, what the judge loses when the chosen heads are set to their means together, against as "
        "many random ones of the same or the nearest layers: chosen on one half of the prompts by both gradients, "
        "less those whose return restores little, and removed on the other half; a head that loses at least half "
        f"of that alone is named too.{every} Below, the chosen ones "
        "one by one: marker, effect by attribution; bar, what its removal really costs on prompts that it was not "
        "chosen on; lines, 95 % intervals; grey band, random ones, each alone. Habits: share of its attention on "
        "sinks (special and first tokens), on the token itself, on the one before. Then the tokens it looks for: "
        f"×lift over even attention, and its share of the attention where it occurs.{more} Orange, hatched and "
        "diamonds: frozen layers.\n"
        f"How to read: {CARRIES} The marker is against {REFERENCES[result.reference]}, the bar against the mean, "
        "so the two may differ; Spearman's correlation takes the mean for both. Purple and + support the right "
        "verdict by attribution, orange and − work against it. Grey tokens are sinks, where attention rests when a "
        "head has nothing to do. A ⚠ means that plain and integrated gradient disagree about a head.\n"
        "Worrying: one head carries most; the chosen do nothing when removed; heads that look for template words "
        "or punctuation; heads in frozen layers only; chosen heads that rest on sinks."
        f"{notes}"
    )


def _alt(result: HeadsResult) -> str:
    named = ", ".join(
        f"{head.name} {nats(head.effect.value)} ({nats(head.ablation.drop.value)} lost)" for head in result.top[:5]
    )
    return (
        f"{heads_headline(result)}. {counted(result.layers, 'layer')} of {counted(result.heads, 'head')}. Chosen, "
        f"effect by attribution and loss when removed in nats: {named or 'none'}. "
        f"{counted(result.frozen_boundary, 'layer is', 'layers are')} frozen."
    )


def _facts(result: HeadsResult) -> list[str]:
    pairs = f" ({counted(result.n_pairs, 'contrast pair')})" if result.n_pairs else ""
    draws = f", control: {counted(len(result.joint.control_drops), 'random draw')}" if result.joint else ""
    removed = f"n = {result.joint.n}, " if result.joint else ""
    return [
        f"effect: n = {result.n_effect}{pairs}, against {REFERENCES[result.reference]}, gradient at the "
        f"prompt; the integrated one beside it has {counted(result.steps, 'step')}",
        f"separation: {counted_groups(result.explained)}, bootstrap-t intervals",
        f"ablation: {removed}set to the probe-set mean, chosen and measured on different halves{draws}",
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
        **share_cells(head.ablation),
        "flips": head.ablation.flips,
        "prompts": head.ablation.n,
        "sink_share": head.sink_share,
        "self_share": head.self_share,
        "previous_share": head.previous_share,
        "attends": attended_cell(head.attends),
        "read_attends": attended_cell(head.read_attends),
    }


register(View(name="heads", title="Heads", suite="advanced", order=60, result=HeadsResult, panels=panels))
