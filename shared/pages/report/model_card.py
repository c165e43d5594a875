"""The block for a Hugging Face README: YAML with `model-index`, then what was found and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from shared.evaluations import TEST
from shared.findings.parts import Interval
from shared.findings.text import clean
from shared.pages.report.gather import Material
from shared.pages.report.numbers import at_a_glance, typed
from shared.pages.report.sections import story
from shared.pages.report.tested import SHOWN
from shared.version import __version__

CARD_MARK = "<!-- midwatch model card -->"
"""By which a card of ours is known: only such a file is replaced."""
METRICS = {
    "accuracy": "Accuracy",
    "precision": "Precision (unsafe)",
    "recall": "Recall (unsafe)",
    "f1": "F1 (unsafe)",
    "auc": "AUC",
    "fnr": "FNR: unsafe prompts passed as safe",
    "fpr": "FPR: safe prompts refused",
}
TYPES = {"auc": "roc_auc", "fnr": "false_negative_rate", "fpr": "false_positive_rate"}
"""Where the Hub calls a metric otherwise."""


def model_card(material: Material) -> str:
    """The whole file, Markdown behind YAML. Text from data is escaped for Markdown."""
    front = yaml.safe_dump(_front(material), sort_keys=False, allow_unicode=True, width=100)
    return f"---\n{front}---\n{CARD_MARK}\n\n{_body(material)}"


def _front(material: Material) -> dict[str, Any]:
    record = material.record
    front: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "tags": ["safety", "guard-model", "mechanistic-interpretability", "midwatch"],
    }
    if record is not None and _is_hub_name(record.model):
        front["base_model"] = record.model
    front["model-index"] = [{"name": clean(material.run.name), "results": list(_results(material))}]
    return front


def _is_hub_name(model: str) -> bool:
    """Whether it reads as owner/name, not as a path of this machine."""
    owner, slash, name = model.partition("/")
    return bool(slash and owner and name) and "/" not in name and not model.startswith((".", "~", "/"))


def _results(material: Material) -> Iterator[dict[str, Any]]:
    """The newest evaluations, but for those on prompts that were trained on; then the probe set."""
    evaluated = [each for each in material.tested.evaluations if each.verdicts is not None and not each.data.leaks]
    for each in evaluated[:SHOWN]:
        name = "Held-out test prompts" if each.data.name == TEST else each.data.name
        rates = each.verdicts.rates if each.verdicts else {}
        yield _result(name, clean(each.data.name), "test", _metrics(rates))
    found = typed(material.newest)
    if found.progress is not None:
        metrics = _metrics(found.progress.probe)
        if found.progress.contrast_accuracy is not None:
            pairs = found.progress.contrast_accuracy
            metrics.append(_metric("contrast_pairs_right", "Contrast pairs with both twins right", pairs))
        yield _result("Probe set (held out, labelled)", "midwatch-probes", "probes", metrics)


def _metrics(rates: Mapping[str, Interval]) -> list[dict[str, Any]]:
    return [_metric(name, title, rates[name]) for name, title in METRICS.items() if name in rates]


def _result(name: str, kind: str, split: str, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "task": {"type": "text-classification", "name": "Safe or unsafe prompt"},
        "dataset": {"name": name, "type": kind, "split": split},
        "metrics": metrics,
    }


def _metric(name: str, title: str, value: Interval) -> dict[str, Any]:
    return {
        "type": TYPES.get(name, name),
        "name": title,
        "value": round(value.value, 4),
        "args": {"interval_95": [round(value.low, 4), round(value.high, 4)]},
    }


def _body(material: Material) -> str:
    section = story(material)
    grid = at_a_glance(material)
    lines = ["## What the judge learned", "", *(_escaped(line) for line in section.text), ""]
    lines += [f"- **{_escaped(point.lead)}**: {_escaped(point.text)}" for point in section.points]
    lines += ["", "## Numbers", "", _row(grid.head), _row(["---"] * len(grid.head))]
    lines += [_row([_escaped(cell) for cell in row]) for row in grid.body]
    lines += ["", _escaped(grid.note), "", f"Written by Midwatch {__version__}.", ""]
    return "\n".join(lines)


def _row(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Text as Markdown and HTML print it, on one line."""
    text = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for character in "\\`*_[]|#!":
        text = text.replace(character, f"\\{character}")
    return text
