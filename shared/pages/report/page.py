"""A report as one HTML file that opens offline, or as a folder: plotly.min.js once, each figure as JSON once.

Like the other pages it admits its own scripts only, by hash, and no network; whatever is data is text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from itertools import count
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from shared.errors import UsageError
from shared.files import write_bytes_atomic
from shared.pages.html import CONFIG, PLOTLY_JS, paragraph, write_plotly_js
from shared.pages.report.gather import Material
from shared.pages.report.parts import Section, height_of, method_of
from shared.pages.report.sections import sections
from shared.pages.table import Table, table_of
from shared.pages.templates import STYLE, fill, own, script_json, sha256_of
from shared.version import __version__
from shared.views import Panel

MARK = '<meta name="generator" content="Midwatch report">'
"""By which a report of ours is known: only such a file is replaced."""
ENDINGS = (".html", ".htm")


class Figure(NamedTuple):
    """A figure as the template prints it."""

    number: int
    panel: Panel
    height: int
    """Pixels that it takes once it is drawn."""
    paragraphs: list[tuple[str | None, str]]
    method: str
    warnings: list[str]
    table: Table
    data: Markup


class Printed(NamedTuple):
    """A section as the template prints it."""

    number: str
    anchor: str
    section: Section
    figures: list[Figure]
    parts: list[Printed]


def write_report(material: Material, target: Path) -> list[Path]:
    """Write the report to `target`: one file where it ends in .html, else a folder. Returns what was written.

    Raises UsageError for a file or folder there that is no report, OSError.
    """
    if target.suffix.lower() in ENDINGS:
        refuse_others(target, MARK)
        write_bytes_atomic(target, report_html(material, alone=True).encode("utf-8"), durable=False)
        return [target]
    page = target / "index.html"
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file; give --to a name that ends in .html, or a folder.")
    if target.is_dir() and any(target.iterdir()) and not page.exists():
        raise UsageError(f"{target} holds something else; give --to a new folder, or a name that ends in .html.")
    refuse_others(page, MARK)
    write_bytes_atomic(page, report_html(material, alone=False).encode("utf-8"), durable=False)
    write_plotly_js(target)
    return [page, target / PLOTLY_JS]


def refuse_others(path: Path, mark: str) -> None:
    """Raise UsageError where a file that is none of ours (`mark` stands in its first bytes) is at `path`."""
    if not path.exists():
        return
    if path.is_file():
        with path.open("rb") as file:
            if mark.encode() in file.read(4096):
                return
    raise UsageError(f"{path} is there already and is no report; give --to another name.")


def report_html(material: Material, *, alone: bool) -> str:
    """The whole page; `alone`: with plotly.min.js in it, rather than beside it."""
    printer = _Printer()
    printed = [printer.printed(section, str(place)) for place, section in enumerate(sections(material), 1)]
    script, plotly = own("report/report.js"), _plotly() if alone else None
    return fill(
        "report/report.html",
        mark=Markup(MARK),  # noqa: S704 - ours
        name=material.run.name,
        checkpoints=len(material.checkpoints),
        newest=material.newest.title,
        version=__version__,
        notices=material.notices,
        sections=printed,
        config=script_json(json.dumps(CONFIG)),
        style=STYLE + own("report/report.css"),
        script=script,
        plotly=plotly,
        plotly_js=PLOTLY_JS,
        scripts=[sha256_of(each) for each in (script, plotly) if each is not None],
    )


def _plotly() -> Markup:
    """plotly.py's own plotly.min.js, as a script element holds it: nothing in it ends the element."""
    text = resources.files("plotly").joinpath("package_data", PLOTLY_JS).read_text("utf-8")
    return Markup(text.replace("</script", "<\\/script").replace("<!--", "<\\!--"))  # noqa: S704 - no data


@dataclass
class _Printer:
    """Numbers figures through, and explains each kind of them once."""

    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    explained: dict[str, int] = field(default_factory=dict)
    """Caption -> the figure under which it stands."""

    def printed(self, section: Section, number: str) -> Printed:
        figures = [self.figure(panel) for panel in section.panels]
        parts = [self.printed(part, f"{number}.{place}") for place, part in enumerate(section.parts, 1)]
        return Printed(number, f"s{number.replace('.', '-')}", section, figures, parts)

    def figure(self, panel: Panel) -> Figure:
        number = next(self.numbers)
        method, warnings = method_of(panel)
        data = script_json(str(panel.figure.to_json(validate=False)))
        caption, table = self.caption(panel, number), table_of(panel.rows)
        return Figure(number, panel, height_of(panel), caption, method, warnings, table, data)

    def caption(self, panel: Panel, number: int) -> list[tuple[str | None, str]]:
        """What was not said under a figure before; one line where all of it was."""
        found = []
        known = None
        for line in panel.caption.split("\n"):
            earlier = self.explained.setdefault(line, number)
            if earlier == number:
                found.append(paragraph(line))
            else:
                known = earlier
        return found if known is None else [*found, (None, f"To be read as Figure {known}.")]
