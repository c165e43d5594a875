"""How each analysis looks to its reader: one file an analysis, found by importing this package.

A file registers a `View`: the typed result, and a pure function from a result to panels (figure, caption,
table). The computation of the same name is in `analyzer/analyses`. HTML files, dashboard tabs, CLI choices and
the contract test all follow from this registry.
"""

from __future__ import annotations

import html
import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel

from shared.findings.claims import ToExplain
from shared.findings.parts import typed_result
from shared.findings.suites import Suite, suites_up_to

if TYPE_CHECKING:
    import numpy as np
    import plotly.graph_objects as go

    from shared.records import MetricsLine
    from shared.results import ResultRecord


@dataclass(frozen=True)
class Panel:
    """One figure with the words that make it trustworthy."""

    stem: str
    """File name after `epoch_{N}_`, without .html: "sample_0_safe_tokens"; for a run panel the whole name."""
    title: str
    figure: go.Figure
    caption: str
    """What it shows, how to read it, and what would be worrying. Plain text, no markup."""
    alt: str
    """Alternative text: what a reader who cannot see the figure should know, with the numbers."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """The numbers behind the figure, for the CSV and JSON download."""
    badge: str = ""
    """The honesty line below it, plain text: n, method, baseline, dtype, seed, digests, versions, warnings."""
    claims: bool | None = None
    """Whether the headline says something of the judge that a judge which learned nothing must not get. None: it
    does where the result's `ToExplain` is claimable, and where the result has none (`headlines`)."""

    @property
    def headline(self) -> str:
        """The sentence above the figure, plain text."""
        title = self.figure.layout.title.text  # type: ignore[union-attr]
        return html.unescape((title or "").removeprefix("<b>").removesuffix("</b>").replace("<br>", " "))


@dataclass(frozen=True)
class View:
    """One analysis as the reader meets it."""

    name: str
    """As in the CLI, the result path and `analyzer/analyses/<name>.py`."""
    title: str
    """Tab title in the dashboard."""
    suite: Suite
    order: int
    """Position among the tabs and in the queue of one checkpoint; unique."""
    result: type[BaseModel]
    panels: Callable[[ResultRecord], list[Panel]]
    """Pure: one checkpoint's result to its figures."""
    run_panels: Callable[[Sequence[ResultRecord], Sequence[MetricsLine]], list[Panel]] | None = None
    """Pure: the results of all checkpoints (by step) to figures over the whole run."""
    run_reads: frozenset[str] = frozenset()
    """The analyses whose results `run_panels` wants: nobody reads the others, which may be megabytes a run."""
    exports: Callable[[ResultRecord, Mapping[str, np.ndarray]], dict[str, Any]] | None = None
    """Pure: one checkpoint's result and its tensors to JSON documents by stem, written beside the figures as
    `epoch_{N}_{stem}.json`. The tensors are read for views that have this only."""


class Headline(NamedTuple):
    """What one page says first."""

    stem: str
    text: str
    claims: bool
    """Whether it says something of the judge (`Panel.claims`)."""


def headlines(view: View, record: ResultRecord) -> list[Headline]:
    """What the pages of one result say, each with whether that is a claim. Raises SchemaError."""
    gates = [value for _, value in typed_result(record, view.result) if isinstance(value, ToExplain)]
    default = all(gate.claimable for gate in gates)
    return [
        Headline(panel.stem, panel.headline, default if panel.claims is None else panel.claims)
        for panel in view.panels(record)
    ]


_views: dict[str, View] = {}


def register(view: View) -> View:
    """Add an analysis; a duplicate name or order raises and names it."""
    for known in _views.values():
        if known.name == view.name or known.order == view.order:
            raise ValueError(f"analysis {view.name!r} (order {view.order}) clashes with {known.name!r}")
    _views[view.name] = view
    return view


def discover() -> None:
    """Import every module of this package once, so that each registers itself."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


def all_views() -> list[View]:
    """Every analysis, in order."""
    discover()
    return sorted(_views.values(), key=lambda view: view.order)


def suite_views(suite: Suite) -> list[View]:
    """The analyses of a suite; `advanced` includes `basic`."""
    return [view for view in all_views() if view.suite in suites_up_to(suite)]


def get(name: str) -> View:
    """The analysis called `name`; raises KeyError naming the known ones."""
    discover()
    if name not in _views:
        raise KeyError(f"no analysis {name!r}; known: {', '.join(sorted(_views))}")
    return _views[name]
