"""Thresholds and calibration: what the judge's scores on the probe set mean, over all prompts and part by part.

Unsafe is the positive class. A prompt is judged unsafe from a threshold on; the judge's own one is 0. Probabilities
are sigmoid(score), of scores before a threshold of the user's is taken from them; a reward states none. No pass
over the model is made but the one that all analyses share, and for a judge that answers in words the one that reads
its answers (`analyzer/session/answers_read.py`).

Summary, where defined: ece, ece_by_chance, overconfidence, tpr_at_fpr_1, fnr_at_fpr_20, best_threshold, and of
judges that answer in words answer_mass, answer_mass_safe, answer_mass_unsafe. Tensors in probe order: "scores" (n,
nats; NaN where a prompt is left out), "labels" (n, 1 for unsafe), and "answer_mass" (n) of a judge that answers in
words.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from analyzer.analyses import Outcome, computes
from analyzer.session.answers_read import ProbeAnswers, probe_answers
from analyzer.session.context import Context
from analyzer.statistics.folds import independent_groups
from analyzer.statistics.intervals import Clusters
from analyzer.statistics.score_meaning import Amount, Scored, cells_by_length, cells_by_name, score_meaning
from analyzer.statistics.separation import unit_of
from shared.errors import CannotCompute
from shared.findings.calibration import AnswerReading, CalibrationResult, Cell, CellKind, SaidAnswer, SaidCategory
from shared.findings.parts import Interval
from shared.findings.wilson import wilson_interval
from shared.settings import Settings


class CalibrationSettings(Settings):
    """How thresholds and calibration are measured."""

    wanted_fpr: float = Field(0.05, gt=0, lt=1)
    """Share of safe prompts that may be refused, for which a threshold is sought."""
    bins: int = Field(10, ge=2, le=100)
    """Bins of the reliability curve, of equal mass; fewer where they would hold less than 8 prompts."""
    length_bins: int = Field(4, ge=2, le=20)
    """Parts by length in tokens, of equal mass."""
    bootstraps: int = Field(1000, ge=100)
    """Bootstrap draws of intervals, and draws of labels for what comes by chance."""

    def amount(self, seed: int) -> Amount:
        """The same, as it is measured."""
        return Amount(self.wanted_fpr, self.bins, self.bootstraps, seed)


@computes("calibration", CalibrationSettings, version=2)
def calibration(context: Context, settings: CalibrationSettings) -> Outcome:
    """Thresholds and calibration of this checkpoint. Raises CannotCompute without probes."""
    if not context.probes:
        raise CannotCompute("The probe set is empty, so no score has a meaning; write probes.jsonl first.")
    scores = context.forward.scores.astype(float)
    unsafe = np.array([probe.label == "unsafe" for probe in context.probes])
    groups = independent_groups(context.probes)
    answers = probe_answers(context)
    prompts, amount = Scored(scores, unsafe, groups), settings.amount(context.seed)
    clusters = Clusters(groups.tolist(), amount.draws, amount.seed)
    result = score_meaning(
        prompts,
        amount,
        list(_cells(context, prompts, settings.length_bins)),
        unit_of(context.probes, groups),
        None if answers is None else _answers(answers, unsafe, clusters),
        shift=context.judge.log_odds_shift,
    )
    everyone = np.array([int(probe.label == "unsafe") for probe in context.probe_set])
    tensors = {"scores": context.in_probe_set(scores).astype(np.float32), "labels": everyone.astype(np.int64)}
    if answers is not None:
        tensors["answer_mass"] = context.in_probe_set(answers.mass).astype(np.float32)
    return Outcome(result, _summary(result), tensors)


def _summary(result: CalibrationResult) -> dict[str, float]:
    told, found = result.reliability, {}
    if told is not None:
        found = {
            "ece": told.error.value,
            "ece_by_chance": told.by_chance,
            "overconfidence": told.overconfidence.value,
        }
    sharp, loose, best = result.at(0.01), result.at(0.2), result.of("balanced")
    if sharp is not None and loose is not None and best is not None:
        found |= {"tpr_at_fpr_1": sharp.tpr.value, "fnr_at_fpr_20": 1 - loose.tpr.value}
        found["best_threshold"] = best.threshold.value
    for name, mass in result.answers.mass.items() if result.answers else ():
        found["answer_mass" if name == "all" else f"answer_mass_{name}"] = mass.value
    return found


def _cells(context: Context, prompts: Scored, length_bins: int) -> Iterator[Cell]:
    """By category and by language, where these are named, the largest first; and by length."""
    probes = context.probes
    names: dict[CellKind, list[str]] = {
        "category": [each.category for each in probes],
        "language": [each.language for each in probes],
    }
    yield from cells_by_name(prompts, names)
    lengths = np.array([len(encoded.content) for encoded in context.encoded])
    yield from cells_by_length(prompts, lengths, length_bins)


def _answers(read: ProbeAnswers, unsafe: np.ndarray, clusters: Clusters) -> AnswerReading:
    chosen = {"all": np.ones_like(unsafe), "safe": ~unsafe, "unsafe": unsafe}
    mass = {name: _mean_share(read.mass, rows, clusters) for name, rows in chosen.items() if rows.any()}
    held = {label: {each.token: each.probability for each in top} for label, top in read.top.items()}
    top = [
        SaidAnswer(
            text=each.text,
            side=each.side,
            on_safe=held.get("safe", {}).get(each.token, 0.0),
            on_unsafe=held.get("unsafe", {}).get(each.token, 0.0),
        )
        for each in read.top_of_all
    ]
    categories = [
        SaidCategory(name=name, on_safe=shares.get("safe"), on_unsafe=shares.get("unsafe"))
        for name, shares in read.categories.items()
    ]
    return AnswerReading(
        mass=mass,
        top=top,
        whole_agree=None if read.agreeing is None else wilson_interval(*read.agreeing),
        categories=sorted(categories, key=lambda each: -(each.on_unsafe or 0.0)),
    )


def _mean_share(values: np.ndarray, rows: np.ndarray, clusters: Clusters) -> Interval:
    """Mean of (n,) shares over the prompts `rows` (n,), with its interval over groups."""
    value = float(np.clip(values[rows].mean(), 0.0, 1.0))
    return clusters.share(value, rows * (values - value) / rows.sum(), clusters.holding(rows))
