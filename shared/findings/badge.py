"""The honesty badge: one line under every figure that says what its numbers rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.results import ResultRecord


def badge(record: ResultRecord, facts: Iterable[str]) -> str:
    """`facts` (n, method, baseline, gap ...) and the provenance of `record`, as plain text."""
    parts = [
        *facts,
        f"dtype {record.dtype} on {record.device}",
        f"seed {record.seed}",
        f"checkpoint {record.checkpoint} ({record.checkpoint_digest[:12] or 'digest unknown'})",
        f"probe set {record.probe_digest[:12] or 'unknown'}",
        f"analysis {record.analysis} v{record.analysis_version}, Midwatch {record.analyzer_version or 'unknown'}",
    ]
    return " · ".join(parts) + warning_text(record)


def warning_text(record: ResultRecord) -> str:
    """The result's warnings as " · WARNING: ...", or nothing."""
    warnings = list(record.warnings)
    if record.order_unverified:
        why = "a copied run, or a trainer that writes no trainer_state.json"
        warnings.append(f"the checkpoint's completeness could not be proven from file order ({why})")
    return "".join(f" · WARNING: {warning}" for warning in warnings)
