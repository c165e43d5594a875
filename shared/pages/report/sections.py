"""The sections of a report, in order: what was found, the training, checkpoints, mistakes, alarms, methods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.errors import SchemaError
from shared.findings.parts import typed_result
from shared.findings.progress import ProgressResult
from shared.findings.text import counted
from shared.pages.report.gather import Material
from shared.pages.report.methods import methods
from shared.pages.report.numbers import at_a_glance
from shared.pages.report.other_checkpoints import FEW, SAMPLES, other_checkpoints, panels_of
from shared.pages.report.parts import Grid, Point, Section
from shared.pages.report.reproduce import reproduce
from shared.pages.report.tested import attack_section, evaluation_section, tested_points
from shared.records import CheckpointState, CheckpointStatus, Probe
from shared.results import ResultRecord
from shared.views import Panel, get

WITHOUT = (CheckpointState.QUARANTINED, CheckpointState.REJECTED, CheckpointState.GONE)
"""States of checkpoints that have no results and won't get any by themselves."""
FIRST = ("progress", "calibration")
"""Analyses that say how the judge judges."""
TOLD = ("training_progress",)
"""Stems of panels over the run that say what others say already."""


def sections(material: Material) -> list[Section]:
    """All of them; what there is nothing to say of is left out. Raises nothing: what cannot be read is told."""
    faults = list(material.faults)
    found = [
        story(material),
        Section("Over the training", panels=material.over_run),
        Section(f"Inside the judge: {material.newest.title}", panels=panels_of(material.newest, faults)),
        _others(material, faults),
        evaluation_section(material.tested),
        attack_section(material.tested),
        _mistakes(material),
        _alerts(material),
        _failures(material, faults),
        methods(material),
        reproduce(material),
    ]
    return [each for each in found if _says_something(each)]


def _says_something(section: Section) -> bool:
    return bool(section.text or section.points or section.grids or section.panels or section.parts or section.code)


def story(material: Material) -> Section:
    """What evaluation and attack found, then what every page of the newest checkpoint says first: how it
    judges before what goes on inside."""
    records = material.newest.records
    order = sorted(records, key=lambda name: name not in FIRST)
    lines = tested_points(material.tested)
    lines += [line for name in order for line in _headlines(records[name])]
    lines += [_said(panel) for panel in material.over_run if panel.stem not in TOLD]
    return Section("What was found", text=[_subject(material)], points=lines, grids=[at_a_glance(material)])


def _headlines(record: ResultRecord) -> list[Point]:
    try:
        panels = get(record.analysis).panels(record)
    except SchemaError:
        return []  # its section says so
    return [_said(panel, record.label) for panel in panels if not panel.stem.startswith(SAMPLES)]


def _said(panel: Panel, label: str = "") -> Point:
    return Point(panel.title.removesuffix(f", {label}"), f"{panel.headline}.")


def _subject(material: Material) -> str:
    """What was looked at, in two sentences."""
    record, newest = material.record, material.newest
    judge = next(iter(newest.records.values())).judge if newest.records else {}
    family = (
        f"a {judge['family']} of {judge['layers']} layers" if {"family", "layers"} <= judge.keys() else "a judge"
    )
    started = f", started from {record.model}" if record is not None and record.model else ""
    count = counted(len(material.checkpoints), "checkpoint")
    told = f"{count} of {family}{started}, with results."
    set_of = ""
    if material.probes is not None:
        unsafe = sum(probe.label == "unsafe" for probe in material.probes.probes)
        safe = len(material.probes.probes) - unsafe
        pairs = len({probe.pair for probe in material.probes.everything if probe.pair})
        set_of = f" Probe set: {unsafe} unsafe and {safe} safe prompts; {counted(pairs, 'contrast pair')} in all."
    return f"{told}{set_of} The sentences below are of {newest.title}."


def _others(material: Material, faults: list[str]) -> Section:
    choices = other_checkpoints(material, faults)
    if not choices:
        return Section("")
    whole = len(material.checkpoints) <= FEW
    left = "" if whole else " Figures of single prompts are left out; `midwatch render` draws them as pages."
    text = (
        f"The figures above at {'another checkpoint' if len(choices) > 1 else choices[0].label}, to choose.{left}"
    )
    return Section("Other checkpoints", text=[text], choices=choices)


def _mistakes(material: Material) -> Section:
    record = material.newest.records.get("progress")
    if record is None or material.probes is None:
        return Section("")
    try:
        result = typed_result(record, ProgressResult)
    except SchemaError:
        return Section("")
    known = {probe.id: probe for probe in material.probes.probes}
    grids = [
        _prompts("Unsafe prompts passed as safe, the surest first", result.missed_unsafe, known),
        _prompts("Safe prompts refused, the surest first", result.over_refused, known),
    ]
    return Section(
        f"What it gets wrong: {material.newest.label}",
        text=["Of the probe set, at most ten of each kind."],
        grids=[grid for grid in grids if grid.body],
    )


def _prompts(title: str, ids: Sequence[str], known: dict[str, Probe]) -> Grid:
    found = [known[each] for each in ids if each in known]
    rows = [[probe.category or "uncategorised", probe.style, probe.text] for probe in found]
    return Grid(title, ["category", "style", "prompt"], rows)


def _alerts(material: Material) -> Section:
    if not material.alerts:
        says = [panel.headline for panel in material.over_run if panel.stem == "evolution"]
        return Section("Alarms", text=[f"{line}." for line in says])
    return Section(
        "Alarms",
        points=[Point(f"{label}, {alert.severity}", alert.sentence) for label, alert in material.alerts],
    )


def _failures(material: Material, faults: Sequence[str]) -> Section:
    rows = [[row.checkpoint, row.state, row.cause or ""] for row in _without_results(material)]
    grids = [Grid("Checkpoints without results", ["", "state", "cause"], rows)] if rows else []
    warnings = _warnings(material)
    points = [Point("Not readable", fault) for fault in dict.fromkeys(faults)]
    points += [Point("The analyzer warns", warning) for warning in warnings]
    return Section("Failures and warnings", points=points, grids=grids)


def _without_results(material: Material) -> Iterator[CheckpointStatus]:
    rows = material.status.checkpoints if material.status else []
    return (row for row in rows if row.state in WITHOUT)


def _warnings(material: Material) -> list[str]:
    """Of the newest checkpoint, those that are not told at the top."""
    said = {notice.sentence for notice in material.notices}
    found = {warning for record in material.newest.records.values() for warning in record.warnings}
    return sorted(found - said)
