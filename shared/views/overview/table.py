"""The table of checkpoints: a row a checkpoint, one named set of prompts a column."""

from __future__ import annotations

from typing import Any, NamedTuple

from shared.findings.alerts import p_words
from shared.findings.parts import Interval, interval_cells, layer_name
from shared.findings.rates import rate
from shared.findings.text import number, percent
from shared.views.overview.facts import CheckpointFacts
from shared.views.overview.standing import Beside, Standing
from shared.views.overview.verdict import with_interval

MISSING = "–"


class Row(NamedTuple):
    """One row as shown."""

    name: str
    """The checkpoint's."""
    cells: dict[str, str]
    """Column -> text; the columns are the same in every row."""


def table(found: Standing) -> list[Row]:
    """The rows of the checkpoints of which anything is known, newest first."""
    sets = sorted({name for each in found.facts for name in each.sets})
    return [Row(each.name, _cells(each, found, sets)) for each in reversed(found.facts) if each.known]


def _cells(each: CheckpointFacts, found: Standing, sets: list[str]) -> dict[str, str]:
    return {
        "checkpoint": each.label,
        "mark": marks(each, found),
        "FNR (probe set)": rate(each.fnr, each.unsafe),
        "FPR (probe set)": rate(each.fpr, each.safe),
        "AUC (probe set)": with_interval(each.auc),
        "against the best (probe set)": against(each, found),
        "alarms": "; ".join(each.alarms) if each.alarms else "",
        "both twins right (contrast pairs)": rate(each.pairs, each.unsafe),
        "loss (validation)": MISSING if each.val_loss is None else number(each.val_loss),
        "ECE (probe set)": _ece(each),
        "divergence layer": layer_name(each.divergence_layer) if each.compared else MISSING,
        "shortcut share": MISSING if each.shortcut_share is None else percent(each.shortcut_share),
        "attribution gap": MISSING if each.gap is None else percent(each.gap, 1),
        **{f"FNR ({name})": _on(each, name, "fnr") for name in sets},
        **{f"FPR ({name})": _on(each, name, "fpr") for name in sets},
    }


def marks(each: CheckpointFacts, found: Standing) -> str:
    """ "best, ship", "alarm", "other probe set" """
    said = [
        word
        for word, is_so in (
            ("best", found.best is not None and found.best.name == each.name),
            ("ship", found.ship is not None and found.ship.name == each.name),
            ("alarm", bool(each.alarms)),
            ("other probe set", each.label in found.elsewhere),
        )
        if is_so
    ]
    return ", ".join(said)


def against(each: CheckpointFacts, found: Standing) -> str:
    """ "worse on 12 groups, better on 1 (p = 0.0034)" and whether that tells them apart."""
    if found.best is not None and found.best.name == each.name:
        return "the best"
    beside = found.beside.get(each.name)
    return MISSING if beside is None else in_words(beside)


def in_words(beside: Beside) -> str:
    """The paired test in words."""
    flips = beside.flips
    told = {"undecided": "not told apart", "worse": "worse", "better": "better"}[beside.outcome]
    return f"{told}: {flips.worse} groups worse, {flips.better} better, {p_words(flips.p_value)}"


def _ece(each: CheckpointFacts) -> str:
    return MISSING if each.ece is None else f"{each.ece.value:.2f} [{each.ece.low:.2f}, {each.ece.high:.2f}]"


def _on(each: CheckpointFacts, name: str, which: str) -> str:
    rates = each.sets.get(name)
    return MISSING if rates is None else rate(getattr(rates, which), rates.prompts)


def numbers(found: Standing) -> list[dict[str, Any]]:
    """The same for programs: one flat row a checkpoint, in the run's order, with the ends of every interval."""
    return [_numbers(each, found) for each in found.facts]


def _numbers(each: CheckpointFacts, found: Standing) -> dict[str, Any]:
    row: dict[str, Any] = {"checkpoint": each.name, "step": each.step, "epoch": each.epoch}
    named: dict[str, Interval | None] = {
        "fnr": each.fnr,
        "fpr": each.fpr,
        "auc": each.auc,
        "pairs_right": each.pairs,
    }
    for name, value in (named | {"ece": each.ece}).items():
        row |= interval_cells(name, value)
    beside = found.beside.get(each.name)
    row |= {
        "val_loss": each.val_loss,
        "divergence_layer": each.divergence_layer,
        "shortcut_share": each.shortcut_share,
        "attribution_gap": each.gap,
        "alarms": len(each.alarms),
        "groups_worse": beside.flips.worse if beside else None,
        "groups_better": beside.flips.better if beside else None,
        "p_against_best": beside.flips.p_value if beside else None,
        "marks": marks(each, found),
    }
    for name, rates in each.sets.items():
        row |= interval_cells(f"{name}_fnr", rates.fnr) | interval_cells(f"{name}_fpr", rates.fpr)
    return row
