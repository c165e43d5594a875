"""The honesty badge: one line under every figure that says what its numbers rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.results import ResultRecord

NAMED, LONGEST = 5, 40
"""Classes of a side that are named, and characters of a name."""


def badge(record: ResultRecord, facts: Iterable[str]) -> str:
    """`facts` (n, method, baseline, gap ...) and the provenance of `record`, as plain text."""
    parts = [
        *facts,
        *_sides(record),
        f"dtype {record.dtype} on {record.device}",
        f"seed {record.seed}",
        f"checkpoint {record.checkpoint} ({record.checkpoint_digest[:12] or 'digest unknown'})",
        f"probe set {record.probe_digest[:12] or 'unknown'}",
        f"analysis {record.analysis} v{record.analysis_version}, Midwatch {record.analyzer_version or 'unknown'}",
    ]
    return " · ".join(parts) + warning_text(record)


def _sides(record: ResultRecord) -> list[str]:
    """Which of a classifier's classes count for which side, where their names are not just these."""
    labels = record.judge.get("labels")
    if record.judge.get("kind") != "classifier" or not isinstance(labels, dict):
        return []
    told = {side: [str(name)[:LONGEST] for name in labels.get(side, ())] for side in ("unsafe", "safe")}
    if all([name.casefold() for name in names] == [side] for side, names in told.items()):
        return []
    return [
        f"{side}: {', '.join(names[:NAMED])}{', ...' if len(names) > NAMED else ''}"
        for side, names in told.items()
        if names
    ]


def warning_text(record: ResultRecord) -> str:
    """The result's warnings as " · WARNING: ...", or nothing."""
    warnings = list(record.warnings)
    if record.order_unverified:
        why = "a copied run, or a trainer that writes no trainer_state.json"
        warnings.append(f"the checkpoint's completeness could not be proven from file order ({why})")
    return "".join(f" · WARNING: {warning}" for warning in warnings)
