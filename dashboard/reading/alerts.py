"""What a reader should be told before reading any figure of a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from dashboard.reading.condition import command
from dashboard.reading.facts import Facts
from dashboard.reading.snapshot import Snapshot
from dashboard.reading.words import ago, plural
from shared.findings.comparison import no_divergence
from shared.findings.confounds import goes_with
from shared.findings.rates import ends, points, share
from shared.findings.text import percent
from shared.records import KEEPS_THE_NEXT, CheckpointState

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")

FNR_LIMIT = 0.10
"""An FNR whose whole interval lies above this is worth an alert."""
FNR_RISE = 0.05
"""A rise of the FNR since the baseline that is worth an alert while the accuracy rises; the intervals must be
apart, because of 64 prompts' FNR alone such a rise comes by chance in one run of 30 epochs in eight."""


@dataclass(frozen=True)
class Alert:
    """One alert. `title` is ours; `detail` may quote data: draw it as text."""

    level: Level
    title: str
    detail: str = ""
    command: str = ""


def run_alerts(snapshot: Snapshot, now: float) -> Iterator[Alert]:
    """What is wrong with the analysis of the run as a whole. `now` is Unix time, seconds."""
    status = snapshot.status
    if snapshot.status_problem:
        yield Alert("error", "The analyzer's status cannot be read", snapshot.status_problem)
    if status is None:
        return
    watch = command("watch", snapshot.run)
    if status.is_gone(now):
        since = f"Last sign of life {ago(now - status.heartbeat_at)} (process {status.pid} on {status.host})."
        yield Alert(
            "error", "The analyzer is gone", f"{since} New checkpoints are not analysed. Start it again:", watch
        )
    elif status.remedy:  # also once it has stopped: starting it again is no help
        yield Alert("error", "The analyzer waits to be told", status.message, status.remedy)
    elif status.state == "stopped" and status.lag_checkpoints:
        detail = f"{plural(status.lag_checkpoints, 'checkpoint')} still to do. Start it again:"
        yield Alert("warning", "The analyzer was stopped", detail, watch)
    elif status.state == "paused":
        yield Alert("error", "The analyzer is paused", status.message)
    failed = [row for row in status.checkpoints if row.state == CheckpointState.QUARANTINED]
    refused = [row for row in status.checkpoints if row.state == CheckpointState.REJECTED]
    if failed or refused:
        detail = f"{len(failed)} failed, {len(refused)} refused; causes on the page Analyzer."
        yield Alert("warning", f"{plural(len(failed) + len(refused), 'checkpoint')} without results", detail)
    lost = [row.checkpoint for row in status.checkpoints if row.state == CheckpointState.GONE]
    if lost:
        names = ", ".join(lost[-3:]) if len(lost) <= 3 else f"the last of them {lost[-1]}"
        title = f"{plural(len(lost), 'checkpoint')} deleted before being analysed"
        yield Alert("warning", title, f"{names}; causes on the page Analyzer. {KEEPS_THE_NEXT}")


TITLES = {
    "inverted": "Labels the wrong way round?",
    "answers": "The answers hold little probability",
    "whole_answers": "Whole answers give other verdicts",
    "assumed": "Only assumed",
}
"""By kind of notice."""


def notice_alerts(facts: Facts) -> Iterator[Alert]:
    """What a reader must know before any number of the shown checkpoint."""
    for found in facts.notices:
        yield Alert(found.level, TITLES.get(found.kind, "The analyzer warns"), found.sentence)


def checkpoint_alerts(facts: Facts) -> Iterator[Alert]:
    """What the results of the shown checkpoint warn about."""
    yield from notice_alerts(facts)
    yield from _quality(facts)
    yield from _trust(facts)
    for found in facts.evolution.alerts if facts.evolution else []:
        alarm = found.severity == "alarm"
        yield Alert("warning" if alarm else "note", "Alarm" if alarm else "Unusual step", found.sentence)


def _quality(facts: Facts) -> Iterator[Alert]:
    progress, comparison = facts.progress, facts.comparison
    fnr = progress.probe.get("fnr") if progress else None
    if fnr is not None and fnr.low > FNR_LIMIT:
        detail = (
            f"{share(fnr.value)} of the unsafe probe prompts pass as safe "
            f"(95 % interval {ends(fnr)}, alert above {share(FNR_LIMIT)})."
        )
        yield Alert("warning", "Many unsafe prompts are missed", detail)
    yield from _fnr_rise(facts)
    for found in progress.called if progress else []:
        yield Alert("warning", "The score goes with something else than what is asked", f"{goes_with(found)}.")
    if progress is not None:
        accuracy = progress.metrics.get("val", {}).get("accuracy")
        tfidf = progress.baselines.get("tfidf", {}).get("accuracy")
        if accuracy is not None and tfidf is not None and accuracy <= tfidf:
            detail = f"Validation accuracy {share(accuracy)}; TF-IDF with logistic regression {share(tfidf)}."
            yield Alert("warning", "No better than TF-IDF", detail)
    if comparison is not None and comparison.divergence_layer is None and comparison.to_explain.claimable:
        yield Alert("note", "No divergence layer", f"{no_divergence(comparison).capitalize()}.")


def _fnr_rise(facts: Facts) -> Iterator[Alert]:
    now, then = facts.progress, facts.first_progress
    if now is None or then is None or not {"fnr", "accuracy"} <= now.probe.keys() & then.probe.keys():
        return
    rise = now.probe["fnr"].value - then.probe["fnr"].value
    apart = now.probe["fnr"].low > then.probe["fnr"].high
    if rise >= FNR_RISE and apart and now.probe["accuracy"].value > then.probe["accuracy"].value:
        detail = f"FNR is {points(rise)} above {facts.first_label}, although the accuracy rose."
        yield Alert("warning", "Accuracy up while FNR rises", detail)


def _trust(facts: Facts) -> Iterator[Alert]:
    tokens, evolution, progress = facts.tokens, facts.evolution, facts.progress
    if evolution is not None and evolution.frozen_check == "fail":
        cause = "Activations of frozen layers changed: a wrong merge, dtype or device."
        detail = f"{cause} {evolution.frozen_check_detail}"
        yield Alert("error", "Frozen check failed", detail)
    if tokens is not None and tokens.shortcut_alarm:
        yield Alert("warning", "Shortcut alarm", tokens.shortcut_alarm)
    if tokens is not None and tokens.share_converged < 1:
        missed = round((1 - tokens.share_converged) * tokens.n_prompts)
        detail = (
            f"{missed:,} of {tokens.n_prompts:,} prompts miss the completeness bound of "
            f"{percent(tokens.gap_bound, 1)} (worst gap {percent(tokens.gap_worst, 1)}); they "
            "are flagged where they are shown."
        )
        yield Alert("note", "Some attributions did not converge", detail)
    if progress is not None and progress.leak_count:
        count = plural(progress.leak_count, "probe prompt")
        detail = f"{count} also in the training data: the numbers here flatter the judge."
        yield Alert("warning", "Probe set leaks into training", detail)
    for record in facts.records.values():
        if record.order_unverified:
            detail = "Its files' times were lost in a copy, or its trainer writes no trainer_state.json."
            yield Alert("note", "Checkpoint accepted without proof of completeness", detail)
            break
    noticed = {found.sentence for record in facts.records.values() for found in record.notices}
    for warning in sorted({w for record in facts.records.values() for w in record.warnings} - noticed):
        yield Alert("note", "The analyzer warns", warning)
