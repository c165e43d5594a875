"""index.html: which checkpoint, in words, small pictures and a table, and links to every picture of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from shared.files import write_bytes_atomic
from shared.pages.html import index_html
from shared.pages.uncomputed import uncomputed
from shared.pages.ways import write_pages_js
from shared.records import Notice
from shared.results import file_prefix
from shared.run import Run
from shared.views.overview.gather import facts_of_run, groups_of
from shared.views.overview.standing import standing

INDEX = "index.html"


def write_index(
    run: Run, notices: Sequence[Notice], cannot: Mapping[str, Mapping[str, str]] = MappingProxyType({})
) -> None:
    """Replace the index, and what leads from page to page, by those of what is there; the index begins with
    `notices`. Raises OSError.

    `cannot` is what is known, beside what is on disk, not to be computable: checkpoint -> analysis -> why.
    """
    facts = facts_of_run(run, to_keep=True)
    found = standing(facts, groups_of(run, facts))
    page = index_html(run.name, run.visualizations, notices, uncomputed(run, cannot), found)
    prefixes = [file_prefix(each.step, each.epoch, each.name) for each in facts]
    write_pages_js(run.visualizations, prefixes)
    write_bytes_atomic(run.visualizations / INDEX, page.encode("utf-8"), durable=False)
