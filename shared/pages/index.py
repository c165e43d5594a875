"""index.html: the page that links every picture of a run."""

from __future__ import annotations

from collections.abc import Sequence

from shared.files import write_bytes_atomic
from shared.pages.html import index_html
from shared.pages.uncomputed import uncomputed
from shared.records import Notice
from shared.run import Run

INDEX = "index.html"


def write_index(run: Run, notices: Sequence[Notice]) -> None:
    """Replace the index by one of what is there; it begins with `notices`. Raises OSError."""
    page = index_html(run.name, run.visualizations, notices, uncomputed(run))
    write_bytes_atomic(run.visualizations / INDEX, page.encode("utf-8"), durable=False)
