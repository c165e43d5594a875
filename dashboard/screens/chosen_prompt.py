"""In Training Visualizations: one prompt of the reader's choice, as far as a tab has more of it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard.chrome import pages
from dashboard.chrome.frame import Frame
from dashboard.chrome.reader_choice import write_link
from dashboard.reading import cached
from dashboard.reading.failures import failures_at, lens_of, probes_judged
from dashboard.reading.snapshot import CheckpointView
from dashboard.widgets.drawing import plain
from dashboard.widgets.panels import show_panels
from dashboard.widgets.steered import steered
from shared.findings.text import clean
from shared.views.failures.one import one_prompt
from shared.views.failures.panels import readout_panel
from shared.views.failures.wrong import Failures, samples_of

SHOWN, CUT = 200, 70
"""Characters of the prompt that are shown, and in the list to choose from."""
MOST = 200
"""Prompts to choose from: a longer list would take longer to send than the figure."""
OFFERED = ("layers",)
"""Tabs whose results hold every probe."""


def chosen_prompt(frame: Frame, view: CheckpointView, analysis: str) -> None:
    """Above the tab's own figures: the choice of a prompt, and this prompt through the layers, or whether its words
    are below."""
    if analysis in OFFERED:
        _offer(frame, view)
    wanted = frame.selection.failures.prompt
    draw = PARTS.get(analysis)
    told = failures_at(frame.snapshot, view) if wanted and draw is not None else None
    index = told.failures.at(wanted) if told is not None else None
    if told is None or index is None or draw is None:
        return
    plain(f"Chosen prompt: {clean(told.failures.probes[index].text, SHOWN)}", f"chosen-{analysis}", "heading")
    draw(view, told.failures, index)
    pages.link("Failures", "All of it, on Failures", "error_outline")


def _offer(frame: Frame, view: CheckpointView) -> None:
    """The probes, the wrongly judged ones first; nothing where their way through the layers is not known."""
    chosen = frame.selection.failures
    known = sorted(probes_judged(frame.snapshot, view), key=lambda each: not each[1])
    if not known or lens_of(view) is None:
        return
    order = known[:MOST]
    named = {probe.id: f"{'✗ ' if wrong else ''}{probe.label}: {clean(probe.text, CUT)}" for probe, wrong in order}
    if chosen.prompt and chosen.prompt not in named:
        named[chosen.prompt] = "the one chosen on Failures"

    def picked(probe: str) -> None:
        chosen.prompt = probe
        write_link(frame.selection, view)

    options = {"": "the display prompts only", **named}
    left = "" if len(order) == len(known) else f" ({MOST} of {len(known):,}; the others on Failures)"
    st.selectbox(
        f"Prompt to follow through the layers{left}",
        list(options),
        format_func=options.__getitem__,
        **steered("layers_prompt", chosen.prompt, picked),
    )


def _layers(view: CheckpointView, found: Failures, index: int) -> None:
    panel = readout_panel(found, one_prompt(found, index, lens_of(view)))
    if panel is None:
        plain(
            "The results hold no score read early of it, or only one of other prompts or weights than its verdict; "
            "below, the display prompts.",
            "chosen-none",
            "muted",
        )
    else:
        show_panels([panel], lambda: [panel], f"failure-chosen-{found.probes[index].id}")


def _words(view: CheckpointView, found: Failures, index: int) -> None:
    samples = samples_of(cached.typed(view.results.get("tokens"), "tokens"))
    if found.probes[index].id not in samples:
        plain(
            "It is not among the attributed prompts below; ask for its words on Failures.", "chosen-none", "muted"
        )


PARTS: dict[str, Callable[[CheckpointView, Failures, int], None]] = {"layers": _layers, "tokens": _words}
"""The tabs that have something of one prompt."""
