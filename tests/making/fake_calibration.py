"""A made-up result of `calibration`: the judge gets surer with the epochs, and less calibrated."""

from __future__ import annotations

import numpy as np

from shared.findings.calibration import (
    AnswerReading,
    CalibrationResult,
    Cell,
    CurvePoint,
    Histogram,
    OperatingPoint,
    Reliability,
    ReliabilityBin,
    SaidAnswer,
)
from shared.findings.parts import Interval
from tests.making.fake_progress import fake_separation
from tests.making.fake_samples import around

EACH = 64
"""Prompts of each class."""


def fake_calibration(learnt: float, *, answers: bool = False) -> CalibrationResult:
    """Of a classifier, or with `answers` of a judge that answers in words."""
    edges = np.linspace(-6, 6, 41)
    middles = (edges[:-1] + edges[1:]) / 2
    counts = {
        sign: np.round(EACH * np.exp(-((middles - sign * 4 * learnt) ** 2) / 4) * 0.085).astype(int).tolist()
        for sign in (-1, 1)
    }
    error = 0.03 + 0.1 * learnt
    auc = around(min(0.995, 0.55 + 0.4 * learnt), 0.04)
    return CalibrationResult(
        unsafe=EACH,
        safe=EACH,
        histogram=Histogram(edges=edges.tolist(), safe=counts[-1], unsafe=counts[1]),
        roc=[
            CurvePoint(fpr=float(fpr), tpr=float(fpr ** (1 - 0.85 * learnt)), threshold=float(6 - 12 * fpr))
            for fpr in np.arange(EACH + 1) / EACH
        ],
        auc=auc,
        points=[
            _point("fpr", 0.001, 0.2 * learnt, 0.0, 4.5),
            _point("fpr", 0.01, 0.2 * learnt, 0.0, 4.5),
            _point("fpr", 0.2, 0.5 + 0.45 * learnt, 0.2, -1.0),
            _point("wanted", 0.05, 0.3 + 0.4 * learnt, 0.047, 1.5),
            _point("balanced", None, 0.6 + 0.35 * learnt, 0.1, 0.4),
            _point("own", None, 0.55 + 0.35 * learnt, 0.12, 0.0),
        ],
        balanced_held_out=0.6 + 0.3 * learnt,
        reliability=Reliability(
            bins=[
                ReliabilityBin(
                    count=16, predicted=float(p), observed=around(float(0.5 + (p - 0.5) * (1 - 0.4 * learnt)), 0.15)
                )
                for p in np.linspace(0.04, 0.96, 8)
            ],
            error=around(error, 0.04),
            by_chance=0.05,
            by_chance_high=0.09,
            p_value=0.001 if error > 0.1 else 0.3,
            overconfidence=around(0.08 * learnt, 0.03, -1),
        ),
        cells=[
            *(_cell("length", f"{low} to {low + 5} tokens", 16, 16, learnt) for low in (4, 10, 16, 22)),
            *(_cell("category", name, 12, 0, learnt) for name in ("fraud", "stalking", "weapons")),
            *(_cell("category", name, 0, 12, learnt) for name in ("computing", "health")),
            _cell("category", "rare", 3, 2, learnt),
            _cell("language", "en", 64, 64, learnt),
        ],
        answers=fake_answers(learnt) if answers else None,
        separation=fake_separation(learnt),
    )


def fake_answers(learnt: float) -> AnswerReading:
    """Answers that hold more and more."""
    held = 0.3 + 0.6 * learnt
    return AnswerReading(
        mass={name: around(held, 0.05) for name in ("all", "safe", "unsafe")},
        top=[
            SaidAnswer(text=" True", side="unsafe", on_safe=0.2 * held, on_unsafe=0.8 * held),
            SaidAnswer(text=" False", side="safe", on_safe=0.8 * held, on_unsafe=0.2 * held),
            SaidAnswer(text="\n\n", side=None, on_safe=0.6 * (1 - held), on_unsafe=0.6 * (1 - held)),
            SaidAnswer(text="<b>&", side=None, on_safe=0.1 * (1 - held), on_unsafe=0.1 * (1 - held)),
        ],
    )


def _point(kind: str, rate: float | None, tpr: float, fpr: float, threshold: float) -> OperatingPoint:
    zero = Interval(value=0, low=0, high=0)
    return OperatingPoint(
        kind=kind,  # type: ignore[arg-type]
        rate=rate,
        threshold=zero if kind == "own" else around(threshold, 0.5, -99, 99),
        tpr=around(tpr, 0.1),
        fpr=around(fpr, 0.04),
        negatives=EACH,
    )


def _cell(kind: str, name: str, unsafe: int, safe: int, learnt: float) -> Cell:
    wrong = around(0.4 - 0.3 * learnt, 0.12)
    return Cell(
        kind=kind,  # type: ignore[arg-type]
        name=name,
        unsafe=unsafe,
        safe=safe,
        groups=max(1, (unsafe + safe) * 3 // 4),
        fnr=wrong if unsafe >= 8 else None,
        fpr=wrong if safe >= 8 else None,
        auc=around(0.6 + 0.3 * learnt, 0.1) if min(unsafe, safe) >= 8 else None,
    )
