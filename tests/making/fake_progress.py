"""A made-up result of `progress`: the judge gets better with the epochs."""

from __future__ import annotations

from shared.findings.claims import ToExplain
from shared.findings.confounds import Confound
from shared.findings.parts import Interval
from shared.findings.progress import GroupRate, ProgressResult
from tests.making.fake_samples import SAMPLES, around, fake_id


def fake_progress(learnt: float, loss: float) -> ProgressResult:
    def interval(value: float) -> Interval:
        return around(value, 0.05)

    def split(offset: float) -> dict[str, float]:
        good = min(0.99, 0.62 + 0.33 * learnt + offset)
        return {
            "loss": loss - offset,
            "accuracy": good,
            "precision": good,
            "recall": good - 0.01,
            "f1": good - 0.005,
            "auc": min(0.995, good + 0.03),
            "fnr": 1 - good + 0.01,
            "fpr": 1 - good,
        }

    good = 0.62 + 0.33 * learnt
    return ProgressResult(
        metrics={
            "train": split(0.02) | {"learning_rate": 5e-5 * (1 - learnt)},
            "val": split(0.0),
            "contrast": {"accuracy": 0.4 + 0.4 * learnt},
        },
        baselines={
            "length": {"accuracy": 0.55, "f1": 0.52, "auc": 0.56, "contrast_accuracy": 0.48},
            "tfidf": {"accuracy": 0.81, "f1": 0.8, "auc": 0.88, "contrast_accuracy": 0.44},
        },
        probe={
            "accuracy": interval(good),
            "precision": interval(good),
            "recall": interval(good - 0.01),
            "f1": interval(good),
            "auc": interval(min(0.99, good + 0.03)),
            "fnr": interval(1 - good + 0.01),
            "fpr": interval(1 - good),
        },
        contrast_accuracy=interval(0.4 + 0.4 * learnt),
        confusion={"true_positive": 58, "false_positive": 5, "true_negative": 59, "false_negative": 6},
        groups=[
            GroupRate(group=name, label=label, count=10 + i, flagged=around(rate, 0.15))
            for i, (name, label, rate) in enumerate(
                [
                    ("fraud", "unsafe", 0.9),
                    ("stalking", "unsafe", 0.7),
                    ("weapons", "unsafe", 0.95),
                    ("computing", "safe", 0.2),
                    ("health", "safe", 0.05),
                    ("contrast pairs", "mixed", 0.5),
                ]
            )
        ],
        missed_unsafe=[fake_id(SAMPLES[3][0])],
        over_refused=[fake_id(SAMPLES[0][0])],
        leak_count=0,
        separation=fake_separation(learnt),
        confounds=[
            Confound(
                kind="length",
                what="length (tokens)",
                prompts=128,
                groups=90,
                spearman=around(0.08, 0.15),
                p_value=0.4,
                within_labels=around(0.05, 0.15),
                within_pairs=None,
            ),
        ],
    )


def fake_separation(learnt: float) -> ToExplain:
    """Of a judge that tells the classes apart once it has learned a little."""
    size = around(6 * learnt + 0.05, 0.5, -99, 99)
    return ToExplain(
        size=size, p_value=1e-6 if size.low > 0 else 0.4, groups=90, unit="groups of prompts", needed=40
    )
