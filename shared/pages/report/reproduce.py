"""What somebody else types to get the same numbers, and the digests by which they know that they have."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import yaml

from shared.findings.suites import Suite
from shared.findings.text import clean
from shared.pages.report.gather import Material
from shared.pages.report.parts import Code, Grid, Section
from shared.results import ResultRecord
from shared.views import suite_views


def reproduce(material: Material) -> Section:
    """Commands, versions, digests. Paths are given by the run's name: where it lies is everybody's own."""
    return Section(
        "How to reproduce it",
        text=[
            "The same checkpoints, probe set, settings and analysis versions give the same numbers up to rounding; "
            "the digests below say whether they are the same."
        ],
        code=list(_code(material)),
        grids=list(_grids(material)),
    )


def suite_of(material: Material) -> Suite:
    """The smallest suite that holds what was analysed."""
    basic = {view.name for view in suite_views("basic")}
    return "basic" if material.newest.records.keys() <= basic else "advanced"


def _code(material: Material) -> Iterator[Code]:
    record, name = material.record, shlex.quote(clean(material.run.name))
    if record is not None and record.settings:
        given = {key: value for key, value in record.settings.items() if value not in (None, [])}
        settings = yaml.safe_dump(given, sort_keys=True, allow_unicode=True, width=100)
        yield Code("train.yaml", settings.rstrip())
        yield Code("Training", f"midwatch train --config train.yaml --output-dir {name}")
    yield Code(
        "Analysis and this report",
        f"midwatch analyze {name} --suite {suite_of(material)}\nmidwatch report {name}\n"
        f"midwatch export {name} --to export",
    )


def _grids(material: Material) -> Iterator[Grid]:
    rows = [
        [each.label, each.name, record.checkpoint_digest, record.probe_digest, f"{record.dtype} on {record.device}"]
        for each in material.shown
        for record in list(each.records.values())[:1]
    ]
    yield Grid(
        "Checkpoints and probe set (SHA-256)",
        ["", "checkpoint", "weights, config, tokenizer", "probe set", "in"],
        rows,
    )
    versions = dict(material.record.versions) if material.record else {}
    versions = {f"{name} (training)": version for name, version in versions.items()}
    versions["Midwatch (analysis)"] = ", ".join(sorted(_analysed_by(material)))
    yield Grid("Versions", ["", "version"], [[name, version] for name, version in versions.items()])
    if material.record is not None and material.record.data:
        yield Grid("Data", ["", "what"], list(_data(material.record.data)))


def _analysed_by(material: Material) -> set[str]:
    records: list[ResultRecord] = [record for each in material.shown for record in each.records.values()]
    return {record.analyzer_version or "unknown" for record in records}


def _data(data: dict[str, Any]) -> Iterator[list[str]]:
    """Sources, then each part's sizes and digest."""
    for name, value in data.items():
        if isinstance(value, dict):
            yield [name, ", ".join(f"{key} {what}" for key, what in value.items())]
        else:
            yield [name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)]
