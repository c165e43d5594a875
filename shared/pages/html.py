"""One panel as a page that opens from disk: no network, nothing from data interpreted as markup or script.

A page (page.html) holds its figure as JSON data and its words as escaped text. The only script beside the shared
plotly.min.js is page.js; the Content-Security-Policy admits these two by hash and by place, and nothing from a
network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from shared.errors import UsageError
from shared.files import write_bytes_atomic
from shared.pages.overview_part import overview_part
from shared.pages.table import MAX_CSV_ROWS, csv_json, table_of
from shared.pages.templates import SCRIPT, SCRIPT_SHA256, STYLE, fill, script_json
from shared.pages.ways import PAGES_JS, ensure_pages_js

if TYPE_CHECKING:
    from shared.records import Notice
    from shared.views import Panel
    from shared.views.overview.standing import Standing

PLOTLY_JS = "plotly.min.js"
_STEM = re.compile(r"^[A-Za-z0-9_]+$")

CONFIG = {
    "displaylogo": False,
    "showSendToCloud": False,
    "responsive": True,
    "typesetMath": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d"],
    "toImageButtonOptions": {"scale": 2},
}
"""Plotly's settings: no logo, no upload button, no MathJax."""


def write_page(
    path: Path, panel: Panel, notices: Sequence[Notice] = (), settled: Collection[str] = frozenset()
) -> None:
    """Write one panel as `path` and, beside it, plotly.min.js and pages.js where these are not there yet.

    The page begins with `notices`; of its warnings those in `settled` hold no more and are left out. Raises OSError
    when the folder cannot be written. The page is replaced in one step.
    """
    write_plotly_js(path.parent)
    ensure_pages_js(path.parent)
    write_bytes_atomic(path, page_html(panel, notices, settled).encode("utf-8"), durable=False)


def write_plotly_js(folder: Path) -> None:
    """Put plotly.py's own plotly.min.js into `folder` unless the same one is there already."""
    source = resources.files("plotly").joinpath("package_data", PLOTLY_JS)
    target = folder / PLOTLY_JS
    with resources.as_file(source) as ours:
        if target.is_file() and _fingerprint(target) == _fingerprint(ours):
            return
        write_bytes_atomic(target, ours.read_bytes(), durable=False)


def _fingerprint(path: Path) -> tuple[int, bytes]:
    """Size, and the head that names the version: cheap, for it is compared before every page."""
    with path.open("rb") as file:
        return path.stat().st_size, file.read(4096)


def page_html(panel: Panel, notices: Sequence[Notice] = (), settled: Collection[str] = frozenset()) -> str:
    """The whole page; every word from data is escaped. What stands in `notices`, or holds no more (`settled`), is
    no warning below the figure."""
    if not _STEM.match(panel.stem):
        raise UsageError(f"{panel.stem!r} is not a file stem; use letters, digits and underscores.")
    method, *warnings = panel.badge.split(" · WARNING: ")
    said = {*settled, *(notice.sentence for notice in notices)}
    return fill(
        "page.html",
        title=panel.title,
        headline=panel.headline,
        stem=panel.stem,
        alt=panel.alt,
        paragraphs=[paragraph(line) for line in panel.caption.split("\n")],
        method=method,
        warnings=[warning for warning in warnings if warning not in said],
        notices=notices,
        table=table_of(panel.rows),
        max_csv_rows=MAX_CSV_ROWS,
        figure=script_json(str(panel.figure.to_json(validate=False))),
        rows=script_json(csv_json(panel.rows)),
        config=script_json(json.dumps(CONFIG)),
        style=STYLE,
        script=SCRIPT,
        script_sha256=SCRIPT_SHA256,
        plotly_js=PLOTLY_JS,
        pages_js=PAGES_JS,
    )


def paragraph(line: str) -> tuple[str | None, str]:
    """What stands out in a line of the caption, the words before the first colon ("How to read"), and the rest."""
    lead, colon, rest = line.partition(":")
    return (lead, rest) if colon and len(lead) < 30 else (None, line)


_PAGE = re.compile(r"^(?:(epoch|step)_(\d+)_)?([A-Za-z0-9_]+)\.(html|json)$")


class Link(NamedTuple):
    href: str
    words: str


def index_html(
    name: str,
    folder: Path,
    notices: Sequence[Notice] = (),
    cannot: Mapping[str, Mapping[str, str]] | None = None,
    compared: Standing | None = None,
) -> str:
    """A page that says which checkpoint (`compared`, where there are results), and links every picture in `folder`,
    newest checkpoint first; other files are left out. It begins with `notices`, those of the newest checkpoint.
    `cannot` says why an analysis has no picture: prefix of a checkpoint's files -> analysis -> sentence."""
    groups: dict[tuple[str, int], list[Link]] = {}
    for path in sorted(folder.iterdir()):
        found = _PAGE.match(path.name)
        if found and path.name != "index.html":
            words = found[3].replace("_", " ") + (" (JSON)" if found[4] == "json" else "")
            groups.setdefault((found[1] or "", int(found[2] or 0)), []).append(Link(path.name, words))
    whys, whole = dict(cannot or {}), groups.pop(("", 0), [])
    sections: list[tuple[str, list[Link], Mapping[str, str]]] = []
    for kind, number in sorted(groups, key=lambda key: (key[0] != "epoch", -key[1])):
        sections.append((f"{kind} {number}", groups[kind, number], whys.pop(f"{kind}_{number}", {})))
    others = {name: why for told in whys.values() for name, why in told.items()}
    sections.insert(0, ("whole run", whole, others))
    return fill("index.html", name=name, sections=sections, notices=notices, style=STYLE, **overview_part(compared))
