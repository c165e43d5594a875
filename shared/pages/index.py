"""index.html: the page that links every picture of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from shared.files import write_bytes_atomic
from shared.pages.html import index_html
from shared.pages.uncomputed import uncomputed
from shared.records import Notice
from shared.run import Run

INDEX = "index.html"


def write_index(
    run: Run, notices: Sequence[Notice], cannot: Mapping[str, Mapping[str, str]] = MappingProxyType({})
) -> None:
    """Replace the index by one of what is there; it begins with `notices`. Raises OSError.

    `cannot` is what is known, beside what is on disk, not to be computable: checkpoint -> analysis -> why.
    """
    page = index_html(run.name, run.visualizations, notices, uncomputed(run, cannot))
    write_bytes_atomic(run.visualizations / INDEX, page.encode("utf-8"), durable=False)
