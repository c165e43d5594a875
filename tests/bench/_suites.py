"""Analyses run one after another in one context, from nothing but the loaded judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analyzer import analyses
from analyzer.model.judge import Judge
from analyzer.session.context import Context
from shared.records import Probe, RunRecord
from tests.bench import Size

ADVANCED = ("neurons", "heads", "circuits")
TINY_SETTINGS: dict[str, dict[str, Any]] = {
    "neurons": {"steps": 1, "controls": 2, "shuffles": 2, "decoys": 1, "top": 2},
    "heads": {"steps": 1, "controls": 2, "top": 2},
    "circuits": {
        "steps": 1,
        "checked": 1,
        "curve_prompts": 4,
        "search_prompts": 4,
        "mib_prompts": 4,
        "folds": 2,
        "resamples": 20,
    },
}


def compute(judge: Judge, probes: list[Probe], names: Sequence[str], size: Size, **fields: Any) -> None:
    """Each analysis with its default settings, a tiny one with fewer draws; `fields` go to the context."""
    context = Context(judge=judge, probes=probes, step=1, run=RunRecord(), suite=frozenset(names), **fields)
    for name in names:
        analysis = analyses.get(name)
        changes = TINY_SETTINGS.get(name, {}) if size is Size.TINY else {}
        analysis.compute(context, analysis.settings(**changes))
