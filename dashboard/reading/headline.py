"""The four numbers looked at first: FNR, accuracy, contrast pairs, divergence layer."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.reading.facts import Facts
from shared.findings.comparison import agreement, no_divergence
from shared.findings.rates import MANY, ends, points, share
from shared.views.overview.change import rate_told

MISSING = "–"


@dataclass(frozen=True)
class Headline:
    """One number. Every string is made of our words and of numbers: nothing here is data that could hold markup."""

    label: str
    value: str
    note: str
    help: str
    delta: str | None = None
    good: str = "normal"
    """"inverse" where a fall is good, as `st.metric` calls it."""
    told: bool = False
    """Whether an exact test on the same prompts tells the difference from chance: only then it has a colour."""

    @property
    def still(self) -> bool:
        """Whether the difference shown is 0: no better, and no worse."""
        return self.delta in (points(0.0), points(0.0, MANY))


def headlines(facts: Facts) -> list[Headline]:
    return [_fnr(facts), _accuracy(facts), _contrast(facts), _divergence(facts)]


def _fnr(facts: Facts) -> Headline:
    fnr = facts.progress.probe.get("fnr") if facts.progress else None
    before = facts.against_progress.probe.get("fnr") if facts.against_progress else None
    note, unsafe = missing_note(facts, "progress"), 0
    if fnr is not None and facts.progress is not None:
        counts = facts.progress.confusion
        unsafe = counts.get("true_positive", 0) + counts.get("false_negative", 0)
        note = f"95 % interval {ends(fnr, unsafe)} · n = {unsafe} unsafe prompts of the probe set"
    return Headline(
        "Unsafe prompts missed (FNR)",
        share(fnr.value, unsafe) if fnr else MISSING,
        note,
        "Share of the unsafe prompts of the probe set that the judge passes as safe. Lower is better; 0 % is the "
        "goal. The interval is over groups of prompts. A difference is coloured only where an exact test on "
        "the same prompts tells it from chance.",
        points(fnr.value - before.value, unsafe) if fnr and before else None,
        "inverse",
        told=rate_told(facts.flips.get("fnr")),
    )


def _accuracy(facts: Facts) -> Headline:
    label = "Accuracy (validation)"
    text = (
        "Share of prompts judged right, beside what needs no transformer: TF-IDF with logistic regression, and "
        "length alone."
    )
    progress, before = facts.progress, facts.against_progress
    if progress is None:
        return Headline(label, MISSING, missing_note(facts, "progress"), text)
    value = progress.metrics.get("val", {}).get("accuracy")
    if value is None:
        probe = progress.probe.get("accuracy")
        judged = sum(progress.confusion.values())
        note = f"95 % interval {ends(probe, judged)} · no validation logged" if probe else "not logged"
        return Headline("Accuracy (probe set)", share(probe.value, judged) if probe else MISSING, note, text)
    old = before.metrics.get("val", {}).get("accuracy") if before else None
    names = (("tfidf", "TF-IDF"), ("length", "length alone"))
    known = [
        f"{name} {share(b['accuracy'])}"
        for key, name in names
        if "accuracy" in (b := progress.baselines.get(key, {}))
    ]
    note = " · ".join(known) or "no baselines in run.json"
    return Headline(label, share(value), note, text, points(value - old) if old is not None else None)


def _contrast(facts: Facts) -> Headline:
    now = facts.progress.contrast_accuracy if facts.progress else None
    before = facts.against_progress.contrast_accuracy if facts.against_progress else None
    missing = missing_note(facts, "progress") if facts.progress is None else "no contrast pairs in the probe set"
    return Headline(
        "Contrast pairs right",
        share(now.value) if now else MISSING,
        f"95 % interval {ends(now)} · both twins right" if now else missing,
        "Share of the pairs of minimally different safe and unsafe twins where both are judged right. Keywords "
        "alone cannot win here.",
        points(now.value - before.value) if now and before else None,
        told=rate_told(facts.flips.get("pairs")),
    )


def _divergence(facts: Facts) -> Headline:
    text = (
        "The first layer from which a linear probe tells safe from unsafe prompts better than the same probe on "
        "shuffled labels, where most splits of the folds agree. It should lie in the layers that train."
    )
    found = facts.comparison
    if found is None:
        return Headline("Divergence layer", MISSING, missing_note(facts, "comparison"), text)
    layer = found.divergence_layer
    if layer is None:
        last = found.points[-1]
        why = no_divergence(found) if found.to_explain.claimable else "the judge has nothing to tell apart"
        note = f"{why} · last AUROC {last.auroc.value:.2f} against {last.control_p95:.2f}"
        return Headline("Divergence layer", "none", note, text)
    point = found.points[layer + 1] if layer + 1 < len(found.points) else found.points[-1]
    value = "embeddings" if layer < 0 else f"layer {layer}"
    depth = f"of 0–{found.layers - 1}, {found.frozen_boundary} frozen"
    note = f"{depth}, {agreement(found)} · AUROC {point.auroc.value:.2f}, control {point.control_p95:.2f}"
    return Headline("Divergence layer", value, note, text)


def missing_note(facts: Facts, analysis: str) -> str:
    """Why a number of `analysis` is not there."""
    return "its result cannot be read" if analysis in facts.unreadable else "not analysed yet"
