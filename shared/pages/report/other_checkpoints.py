"""The checkpoints that are no section of their own, each packed: the page draws the one that its reader chooses.

A pack is gzip over JSON, as base64: the figures of 50 checkpoints as plain text would make a page of 25 MB. The
browser unpacks it by itself, without a network.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Sequence
from typing import Any

from shared.errors import SchemaError
from shared.findings.text import clean
from shared.pages.html import paragraph
from shared.pages.report.gather import Material, Shown, show
from shared.pages.report.parts import Packed, height_of, method_of
from shared.pages.table import Cell, table_of
from shared.results import ResultRecord, ResultStore
from shared.views import Panel, get

SAMPLES = "sample_"
"""How the stems of single prompts' panels begin: what they say is no story of the judge."""
FEW = 20
"""Checkpoints up to which each comes with the figures of single prompts: they are half of its time and size."""


def panels_of(shown: Shown, faults: list[str], *, samples: bool = True) -> list[Panel]:
    """Every figure of one checkpoint, those of unsafe samples first; what cannot be read goes to `faults`.

    Without `samples`, those of single prompts are not even made.
    """
    panels: list[Panel] = []
    for name, record in shown.records.items():
        told = record if samples else _without_samples(record)
        try:
            panels += sorted(get(name).panels(told), key=lambda panel: "_unsafe_" not in panel.stem)
        except SchemaError as error:
            faults.append(str(error))
    return panels


def other_checkpoints(material: Material, faults: list[str]) -> list[Packed]:
    """Every checkpoint with results but the newest, by step. One at a time is in memory as figures."""
    whole = len(material.checkpoints) <= FEW
    return [_packed(shown, panels_of(shown, faults, samples=whole)) for shown in _others(material, faults)]


def _without_samples(record: ResultRecord) -> ResultRecord:
    """The result as if no single prompt had been displayed."""
    if "samples" not in record.payload:
        return record
    return record.model_copy(update={"payload": {**record.payload, "samples": []}})


def _others(material: Material, faults: list[str]) -> Iterator[Shown]:
    known, store = {each.name: each for each in material.shown}, ResultStore(material.run.results)
    for name in material.checkpoints:
        if name != material.newest.name:
            yield known.get(name) or show(store, name, "", faults)


def _packed(shown: Shown, panels: Sequence[Panel]) -> Packed:
    told = {"title": clean(_upper(shown.title)), "figures": [_figure(panel) for panel in panels]}
    packed = gzip.compress(json.dumps(told, ensure_ascii=False).encode("utf-8", "replace"), mtime=0)
    return Packed(shown.title, base64.b64encode(packed).decode("ascii"))


def _figure(panel: Panel) -> dict[str, Any]:
    """As report.js reads it: words are text there, too."""
    method, warnings = method_of(panel)
    table = table_of(panel.rows)
    return {
        "title": clean(panel.title),
        "headline": clean(panel.headline),
        "alt": clean(panel.alt),
        "height": height_of(panel),
        "words": [[_or_none(lead), clean(rest)] for lead, rest in map(paragraph, panel.caption.split("\n"))],
        "method": clean(method),
        "warnings": [clean(each) for each in warnings],
        "head": [clean(each) for each in table.head],
        "body": [[_cell(cell) for cell in row] for row in table.body],
        "total": table.total,
        "figure": json.loads(str(panel.figure.to_json(validate=False))),
    }


def _or_none(lead: str | None) -> str | None:
    return None if lead is None else clean(lead)


def _cell(cell: Cell) -> list[Any]:
    return [clean(cell.shown), cell.is_text]


def _upper(title: str) -> str:
    return title[:1].upper() + title[1:]
