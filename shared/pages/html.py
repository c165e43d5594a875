"""One panel as a page that opens from disk: no network, nothing from data interpreted as markup or script.

A page holds its figure as JSON data and its words as escaped text. The only script beside the shared
plotly.min.js is the constant below; the Content-Security-Policy admits these two by hash and by place, and nothing
from a network.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.errors import UsageError
from shared.files import write_bytes_atomic
from shared.findings.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.views import Panel

PLOTLY_JS = "plotly.min.js"
MAX_TABLE_ROWS, MAX_CSV_ROWS = 60, 600
"""Rows in the page's table and in its CSV; what is left out is said, and stands in the result file."""
MIN_FIGURE_WIDTH = 900
"""Pixels; in a narrower window the figure scrolls sideways rather than crowd its labels."""
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

_SCRIPT = """\
(function () {
  var read = function (id) { return JSON.parse(document.getElementById(id).textContent); };
  var rows = read('rows'), link = document.getElementById('csv');
  var cell = function (value) {
    var text = value === null ? '' : String(value);
    if (typeof value === 'string' && /^[=+\\-@\\t\\r]/.test(text)) { text = "'" + text; }
    return /[",\\n\\r]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
  };
  link.addEventListener('click', function () {
    var lines = [rows.columns].concat(rows.rows).map(function (row) { return row.map(cell).join(','); });
    link.href = URL.createObjectURL(new Blob([lines.join('\\r\\n') + '\\r\\n'], {type: 'text/csv'}));
  });
  if (!window.Plotly) {
    document.getElementById('missing').hidden = false;
    return;
  }
  var figure = read('figure');
  Plotly.newPlot('plot', figure.data, figure.layout, read('config'));
})();
"""

_STYLE = """\
:root { color-scheme: light dark; --page: #f6f8fa; --card: #fff; --ink: #1f2328; --soft: #59636e; --line: #d0d7de; }
@media (prefers-color-scheme: dark) {
  :root { --page: #0d1117; --card: #161b22; --ink: #e6edf3; --soft: #9198a1; --line: #3d444d; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 Helvetica, Arial, "Liberation Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 20px; }
h1 { font-size: 20px; margin: 0 0 12px; overflow-wrap: anywhere; }
a { color: inherit; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; margin: 0 0 14px; }
.figure { background: #fff; overflow-x: auto; padding: 4px; }
.words { padding: 12px 18px; }
.words p { margin: 0 0 8px; max-width: 95ch; }
.words p:last-child { margin: 0; }
.badge { color: var(--soft); font-size: 13px; padding: 10px 18px; overflow-wrap: anywhere; }
.warning { color: #cf222e; font-weight: bold; }
details { padding: 10px 18px; }
summary { cursor: pointer; }
.table { overflow: auto; max-height: 70vh; margin-top: 10px; }
table { border-collapse: collapse; font-size: 13px; }
th, td { border-bottom: 1px solid var(--line); padding: 3px 10px; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }
td { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.t { text-align: left; white-space: normal; }
"""


def write_page(path: Path, panel: Panel) -> None:
    """Write one panel as `path` and, beside it, plotly.min.js where this version of it is not there yet.

    Raises OSError when the folder cannot be written. The page is replaced in one step.
    """
    write_plotly_js(path.parent)
    write_bytes_atomic(path, page_html(panel).encode("utf-8"), durable=False)


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


def page_html(panel: Panel) -> str:
    """The whole page; every word from data is escaped."""
    if not _STEM.match(panel.stem):
        raise UsageError(f"{panel.stem!r} is not a file stem; use letters, digits and underscores.")
    title = _text(panel.title)
    figure = str(panel.figure.to_json(validate=False))
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_policy()}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title} · Midwatch</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<section class="figure">
<div id="plot" role="img" aria-label="{_text(panel.alt)}" style="min-width:{MIN_FIGURE_WIDTH}px"></div>
<p id="missing" hidden>The figure cannot be drawn: {PLOTLY_JS} is not beside this page. The numbers are below.</p>
<noscript><p>The figure needs JavaScript. {_text(panel.alt)}</p></noscript>
</section>
<section class="words">{_paragraphs(panel.caption)}</section>
<section class="badge">{_badge(panel.badge)}</section>
<section><details><summary>The numbers behind it</summary>
<p><a id="csv" href="#" download="{panel.stem}.csv">Download as CSV</a></p>
{table_html(panel.rows)}
</details></section>
</main>
<script type="application/json" id="figure">{_data(figure)}</script>
<script type="application/json" id="rows">{_data(_compact(panel.rows))}</script>
<script type="application/json" id="config">{_data(json.dumps(CONFIG))}</script>
<script src="{PLOTLY_JS}"></script>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def _policy() -> str:
    """Scripts: the constant one by hash, plotly.min.js from this folder (`file:` where 'self' means no file)."""
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}' 'self' file:; style-src 'unsafe-inline'; "
        "img-src data: blob:; connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


def _text(value: object) -> str:
    """Text from data for an element or a quoted attribute."""
    return html.escape(clean(str(value)), quote=True)


def _data(text: str) -> str:
    """JSON for a script element, which no `</script>` or `<!--` inside a string can end."""
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _paragraphs(caption: str) -> str:
    """A caption's lines; the words before the first colon stand out ("How to read")."""
    found = []
    for line in caption.split("\n"):
        lead, colon, rest = line.partition(":")
        bold = f"<b>{_text(lead)}:</b>{_text(rest)}" if colon and len(lead) < 30 else _text(line)
        found.append(f"<p>{bold}</p>")
    return "\n".join(found)


def _badge(badge: str) -> str:
    first, *warnings = badge.split(" · WARNING: ")
    return _text(first) + "".join(f' · <span class="warning">⚠ {_text(warning)}</span>' for warning in warnings)


def _columns(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Every row's columns, in order of appearance."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _compact(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as JSON with the column names once. Lone surrogates are replaced: they are not UTF-8."""
    columns = _columns(rows)
    values = [[_plain(row.get(name)) for name in columns] for row in rows[:MAX_CSV_ROWS]]
    return json.dumps({"columns": columns, "rows": values}, ensure_ascii=False, separators=(",", ":"))


def _plain(value: object) -> object:
    """Text cleaned; numbers to the 7 digits that float32 holds."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    return clean(value) if isinstance(value, str) else value


def table_html(rows: Sequence[dict[str, Any]]) -> str:
    """The first MAX_TABLE_ROWS rows as an HTML table; numbers to 5 digits, missing ones as a dash."""
    if not rows:
        return "<p>No numbers.</p>"
    columns = _columns(rows)
    head = "".join(f'<th scope="col">{_text(name.replace("_", " "))}</th>' for name in columns)
    body = "\n".join(
        "<tr>" + "".join(_cell(row.get(name)) for name in columns) + "</tr>" for row in rows[:MAX_TABLE_ROWS]
    )
    more = f"<p>The first {MAX_TABLE_ROWS} of {len(rows)} rows.</p>" if len(rows) > MAX_TABLE_ROWS else ""
    if len(rows) > MAX_CSV_ROWS:
        more += f"<p>The CSV holds the first {MAX_CSV_ROWS}; the result files under _midwatch/results hold all.</p>"
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>{more}</div>'


def _cell(value: object) -> str:
    if value is None:
        return "<td>–</td>"
    if isinstance(value, bool):
        return f'<td class="t">{"yes" if value else "no"}</td>'
    if isinstance(value, int):
        return f"<td>{value}</td>"
    if isinstance(value, float):
        return f"<td>{value:.5g}</td>"
    return f'<td class="t">{_text(value)}</td>'


_PAGE = re.compile(r"^(?:(epoch|step)_(\d+)_)?([A-Za-z0-9_]+)\.(html|json)$")


def index_html(name: str, folder: Path) -> str:
    """A page that links every picture in `folder`, newest checkpoint first; other files are left out."""
    groups: dict[tuple[str, int], list[str]] = {}
    for path in sorted(folder.iterdir()):
        found = _PAGE.match(path.name)
        if found and path.name != "index.html":
            groups.setdefault((found[1] or "", int(found[2] or 0)), []).append(path.name)
    whole_run = _links(groups.pop(("", 0), []), "")
    sections = "\n".join(
        _section(f"{kind} {number}", _links(groups[kind, number], f"{kind}_{number}_"))
        for kind, number in sorted(groups, key=lambda key: (key[0] != "epoch", -key[1]))
    )
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_text(name)} · Midwatch</title>
<style>{_STYLE}h2 {{ font-size: 16px; margin: 0 0 6px; }}</style>
</head>
<body><main>
<h1>{_text(name)}</h1>
{_section("whole run", whole_run or "nothing yet")}
{sections}
</main></body>
</html>
"""


def _section(heading: str, content: str) -> str:
    return f'<section class="words"><h2>{heading}</h2>{content}</section>'


def _links(names: list[str], prefix: str) -> str:
    """File names as links, told apart by what follows the prefix."""
    return " · ".join(
        f'<a href="{name}">{_text(name.removeprefix(prefix).rsplit(".", 1)[0].replace("_", " "))}'
        f"{' (JSON)' if name.endswith('.json') else ''}</a>"
        for name in names
    )
