"""The panel over a whole run: its words, and what was analysed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.figures.run.grid import progress_figure
from shared.findings.parts import layer_name
from shared.findings.text import counted, percent
from shared.results import ResultRecord
from shared.views import Panel
from shared.views.over_run.progress_plots import progress_plots
from shared.views.over_run.progress_rows import run_rows
from shared.views.over_run.run_results import RunResults

if TYPE_CHECKING:
    from shared.records import MetricsLine


def run_panel(run: RunResults, records: Sequence[ResultRecord], lines: Sequence[MetricsLine]) -> Panel:
    """Training progress: `run` as read from `records`, and the logged metrics."""
    x_title = "epoch" if run.x_is_epoch else "optimizer step"
    return Panel(
        stem="training_progress",
        title="Training progress",
        figure=progress_figure(progress_plots(run, lines), x_title, *_run_title(run)),
        caption=_run_caption(run),
        alt=_run_alt(run),
        rows=run_rows(run),
        badge=_run_badge(run, records),
    )


def _run_title(run: RunResults) -> tuple[str, str]:
    """The newest checkpoint's message, and what the columns hold."""
    steps = sorted(run.epochs)
    if not steps:
        return "Training progress", "no checkpoint analysed yet"
    newest = steps[-1]
    found = []
    progress, compared = (run.typed.get(name, {}).get(newest) for name in ("progress", "comparison"))
    if progress is not None and "fnr" in progress.probe:
        found.append(f"{percent(progress.probe['fnr'].value)} of unsafe prompts pass as safe")
    if compared is not None:
        at = compared.divergence_layer
        found.append("no divergence layer" if at is None else f"divergence at {layer_name(at)}")
    return f"{run.label(newest).capitalize()}: {', '.join(found) or 'analysed'}", (
        f"{_checkpoints(len(steps))} analysed · left: how the judge performs · right: what goes on inside it"
    )


def _checkpoints(count: int) -> str:
    return counted(count, "checkpoint")


def _run_caption(run: RunResults) -> str:
    unread = f"\nNot readable, left out: {', '.join(run.unreadable)}." if run.unreadable else ""
    return (
        "What it shows: left, the logged metrics (unsafe is the positive class; FNR: unsafe passed as safe; "
        "FPR: safe "
        "refused) and, in grey, the accuracy of the baselines that need no transformer (TF-IDF, prompt "
        "length), and what a threshold catches (TPR at an FPR); right, the MI summary of each checkpoint: "
        "how well a linear probe reads the classes from the last layer, the divergence layer, how much the "
        "attributed "
        "words really carry the verdict (comprehensiveness), how much attribution lies on filler words, the "
        "completeness gap, and how far stated probabilities are off (ECE). Long logged "
        "curves are averaged into bins, and of very many checkpoints every k-th is drawn.\n"
        "How to read: one x axis for all. Blank means there is none: no divergence layer is blank, not 0. Bands "
        "are 95 % intervals (of the error rates only FNR's is drawn, for clarity).\n"
        "Worrying: accuracy up while FNR rises; contrast pairs at the baseline while accuracy is high; "
        "comprehensiveness no better than random words; a growing shortcut share; a gap above its bound; answers "
        "in words that hold less and less probability."
        f"{unread}"
    )


def _run_alt(run: RunResults) -> str:
    rows = run_rows(run)
    if not rows:
        return "Nothing analysed yet."
    named = "; ".join(f"{name} {value}" for name, value in rows[0].items() if value is not None)
    return f"{_checkpoints(len(rows))}. At the newest: {named}."


def _run_badge(run: RunResults, records: Sequence[ResultRecord]) -> str:
    """Provenance over the run, with a warning where checkpoints were not analysed alike."""
    if not records:
        return "no result yet"
    newest = max(records, key=lambda record: record.step)
    parts = [
        f"{_checkpoints(len(run.epochs))}, newest {newest.checkpoint} ({newest.checkpoint_digest[:12]})",
        "probe-set rates: bootstrap intervals; logged metrics: as the trainer wrote them, no interval",
        *(f"{name} {', '.join(sorted(values))}" for name, values in _provenance(records).items()),
    ]
    mixed = [name for name, values in _provenance(records).items() if len(values) > 1]
    warning = f" · WARNING: {', '.join(mixed)} differ between checkpoints; compare with care" if mixed else ""
    return " · ".join(parts) + warning


def _provenance(records: Sequence[ResultRecord]) -> dict[str, set[str]]:
    return {
        "probe set": {record.probe_digest[:12] for record in records},
        "dtype": {record.dtype for record in records},
        "seed": {str(record.seed) for record in records},
        "Midwatch": {record.analyzer_version for record in records},
    }
