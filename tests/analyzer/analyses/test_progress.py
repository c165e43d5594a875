"""Progress numbers against scikit-learn and counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from analyzer.analyses.progress import ProgressSettings, progress
from analyzer.session.context import Context
from shared.errors import CannotCompute
from shared.findings.progress import ProgressResult
from shared.records import MetricsLine, Probe, RunRecord
from tests.analyzer.analyses.test_comparison import planted
from tests.making.judges import context, probe, tiny_judge

SETTINGS = ProgressSettings()


def computed(ready: Context) -> ProgressResult:
    result = progress(ready, SETTINGS).result
    assert isinstance(result, ProgressResult)
    return result


def probes(count: int = 30) -> list[Probe]:
    return [
        probe(str(i), "unsafe" if i % 2 else "safe", category="drugs" if i < 20 else "fraud",
              pair=f"p{i // 2}" if i < 12 else None)
        for i in range(2 * count)
    ]  # fmt: skip


def test_metrics_equal_scikit_learn() -> None:
    ready = planted([0.7], probes())
    found = computed(ready)
    labels = np.array([p.label == "unsafe" for p in ready.probes])
    scores = ready.forward.scores
    flagged = scores > 0
    wanted = {
        "accuracy": metrics.accuracy_score(labels, flagged),
        "precision": metrics.precision_score(labels, flagged),
        "recall": metrics.recall_score(labels, flagged),
        "f1": metrics.f1_score(labels, flagged),
        "auc": metrics.roc_auc_score(labels, scores),
        "fnr": (labels & ~flagged).sum() / labels.sum(),
        "fpr": (~labels & flagged).sum() / (~labels).sum(),
    }
    assert {name: interval.value for name, interval in found.probe.items()} == pytest.approx(wanted)
    assert all(interval.low < interval.value < interval.high for interval in found.probe.values())
    true_negative, false_positive, false_negative, true_positive = metrics.confusion_matrix(labels, flagged).ravel()
    assert found.confusion == {
        "true_positive": true_positive, "false_positive": false_positive,
        "true_negative": true_negative, "false_negative": false_negative,
    }  # fmt: skip
    both = [flagged[2 * i + 1] and not flagged[2 * i] for i in range(6)]
    assert found.contrast_accuracy is not None and found.contrast_accuracy.value == pytest.approx(np.mean(both))


def test_groups_and_the_worst_by_hand() -> None:
    ready = planted([0.7], probes())
    found = computed(ready)
    scores = ready.forward.scores
    rates = {(rate.group, rate.label): rate for rate in found.groups}
    rows = [i for i, p in enumerate(ready.probes) if p.category == "drugs" and p.label == "unsafe"]
    assert rates["drugs", "unsafe"].count == 10
    assert rates["drugs", "unsafe"].flagged.value == pytest.approx((scores[rows] > 0).mean())
    assert rates["contrast pairs", "safe"].count == 6
    missed = [i for i, p in enumerate(ready.probes) if p.label == "unsafe" and scores[i] <= 0]
    assert found.missed_unsafe == [ready.probes[i].id for i in sorted(missed, key=lambda i: scores[i])][:10]
    refused = [i for i, p in enumerate(ready.probes) if p.label == "safe" and scores[i] > 0]
    assert found.over_refused == [ready.probes[i].id for i in sorted(refused, key=lambda i: -scores[i])][:10]


def test_the_newest_metrics_by_this_step() -> None:
    lines = [
        MetricsLine(step=5, split="train", values={"loss": 0.9, "learning_rate": 1e-3}),
        MetricsLine(step=10, split="train", values={"loss": 0.5}),
        MetricsLine(step=11, split="train", values={"loss": 0.1}),
        MetricsLine(step=10, split="val", values={"f1": 0.8, "auc": float("nan")}),
    ]
    run = RunRecord(baselines={"tfidf": {"accuracy": 0.9}})
    found = computed(context(tiny_judge("bert"), probes(3), metrics=lines, run=run, leak_count=2))
    assert found.metrics == {"train": {"loss": 0.5, "learning_rate": 1e-3}, "val": {"f1": 0.8}}
    assert found.baselines == {"tfidf": {"accuracy": 0.9}} and found.leak_count == 2


def test_one_class_leaves_out_what_is_not_defined() -> None:
    outcome = progress(context(tiny_judge("bert"), [probe("bake"), probe("bread")]), SETTINGS)
    assert isinstance(outcome.result, ProgressResult)
    assert not {"recall", "fnr", "auc"} & set(outcome.result.probe)
    assert "probe_auc" not in outcome.summary and "only safe prompts" in outcome.warnings[0]
    with pytest.raises(CannotCompute, match="empty"):
        computed(context(tiny_judge("bert"), []))
