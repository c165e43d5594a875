"""Settings, and numbers, that are others at one checkpoint than at the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared.errors import SchemaError
from shared.findings.alerts import Flips, p_words
from shared.findings.calibration import CalibrationResult
from shared.findings.comparison import ComparisonResult
from shared.findings.parts import Interval, layer_name, typed_result
from shared.findings.progress import ProgressResult
from shared.findings.rates import rate
from shared.findings.text import clean, number, signed
from shared.views.compare.side import Side
from shared.views.compare.verdicts import outcome
from shared.views.overview.verdict import with_interval

MOST = 200
"""Characters of a setting that are shown."""
MISSING = "–"
FOLLOWS = ("lineage",)
"""What settings say of the results that one was made from: others at every checkpoint, and no choice."""


def setting_rows(there: Side, here: Side) -> list[dict[str, str]]:
    """What is recorded of how the two were trained and analysed, and differs; one row a setting."""
    now, before = _settings(here), _settings(there)
    return [
        {"setting": name, here.name: now.get(name, MISSING), there.name: before.get(name, MISSING)}
        for name in dict.fromkeys([*now, *before])
        if now.get(name) != before.get(name)
    ]


def _settings(side: Side) -> dict[str, str]:
    found: dict[str, str] = {}
    run = side.run
    if run is not None:
        told = {"model": run.model, "frozen layers": run.frozen_layers, "epochs": run.epochs, "steps": run.steps}
        told |= {"training": run.settings, "data": run.data, "versions": run.versions}
        told["judge"] = run.judge.model_dump(mode="json", exclude={"assumed"})
        found |= dict(_flat("", told))
    for name, record in sorted(side.results.items()):
        if name == "progress":
            found |= dict(_flat("judge as read", record.judge))
        told = {"probe set": record.probe_digest[:12], "dtype": record.dtype, "device": record.device}
        told |= {"seed": record.seed, "Midwatch": record.analyzer_version, "version": record.analysis_version}
        chosen = {key: value for key, value in record.settings.items() if key not in FOLLOWS}
        found |= dict(_flat(name, told | chosen))
    return found


def _flat(above: str, value: Any) -> Iterator[tuple[str, str]]:
    """Nested settings as "a · b" -> text."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(f"{above} · {name}" if above else clean(str(name)), inner)
    elif value is not None:
        yield clean(above, MOST), clean(str(value), MOST)


def metric_rows(there: Side, here: Side, tests: Mapping[str, Flips]) -> list[dict[str, str]]:
    """Numbers of both side by side, those that are the same left out.

    `tests` are exact tests over the same probe prompts (`verdicts.exact_tests`), or empty where the two were not
    judged on the whole of one probe set: a number without its test is not said to have changed.
    """
    now, before = _metrics(here), _metrics(there)
    rows = []
    for name in dict.fromkeys([*now, *before]):
        shown = now.get(name, (MISSING, None)), before.get(name, (MISSING, None))
        if shown[0] == shown[1]:
            continue
        values = [each[1] for each in shown]
        moved = "" if None in values else _difference(values[0] - values[1], name)  # type: ignore[operator]
        flips = tests.get(_TESTED.get(name, ""))
        said = "not tested" if flips is None else f"{outcome(flips)} ({p_words(flips.p_value)})"
        rows.append(
            {"number": name, here.name: shown[0][0], there.name: shown[1][0], "difference": moved, "test": said}
        )
    return rows


_TESTED = {
    "FNR (probe set)": "fnr",
    "FPR (probe set)": "fpr",
    "accuracy (probe set)": "accuracy",
    "both twins right (contrast pairs)": "pairs",
}
"""Number -> the exact test that is about it."""
_SPLITS = {"train": "training", "val": "validation", "test": "test", "contrast": "contrast, as logged"}

Shown = tuple[str, float | None]
"""As text, and as a number where there is one."""


def _metrics(side: Side) -> dict[str, Shown]:
    found: dict[str, Shown] = {}
    progress: ProgressResult | None = _typed(side, "progress", ProgressResult)
    if progress is not None:
        counts = progress.confusion
        unsafe = counts.get("true_positive", 0) + counts.get("false_negative", 0)
        safe = counts.get("true_negative", 0) + counts.get("false_positive", 0)
        for name, size in (("fnr", unsafe), ("fpr", safe), ("accuracy", safe + unsafe)):
            title = name.upper() if name != "accuracy" else name
            found |= _one(f"{title} (probe set)", progress.probe.get(name), size)
        found |= _one("both twins right (contrast pairs)", progress.contrast_accuracy, unsafe)
        for name in ("auc", "f1", "precision"):
            found |= _one(f"{name if name == 'precision' else name.upper()} (probe set)", progress.probe.get(name))
        for split, values in progress.metrics.items():
            for name, value in values.items():
                found[f"{name} ({_SPLITS.get(split, split)})"] = number(value), value
    compared: ComparisonResult | None = _typed(side, "comparison", ComparisonResult)
    if compared is not None:
        found["divergence layer"] = layer_name(compared.divergence_layer), None
    calibrated: CalibrationResult | None = _typed(side, "calibration", CalibrationResult)
    if calibrated is not None and calibrated.reliability is not None:
        found |= _one("ECE (probe set)", calibrated.reliability.error)
    return found


def _one(name: str, value: Interval | None, size: int = 0) -> dict[str, Shown]:
    if value is None:
        return {}
    return {name: (rate(value, size) if size else with_interval(value), value.value)}


def _difference(value: float, name: str) -> str:
    """Of rates in points, of everything else as it is."""
    if name in _TESTED:
        return f"{signed(100 * value, 1)} points"
    return "0" if value == 0 else f"{'+' if value > 0 else '−'}{number(abs(value))}"


def _typed(side: Side, name: str, model: Any) -> Any:
    """None where there is no such result, or none that can be read."""
    try:
        return typed_result(side.results[name], model) if name in side.results else None
    except SchemaError:
        return None
