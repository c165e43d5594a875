"""In Training Visualizations: the prompt that is opened on the page Failures, as far as a tab has more of it."""

from __future__ import annotations

from collections.abc import Callable

from dashboard.chrome import pages
from dashboard.chrome.frame import Frame
from dashboard.reading import cached
from dashboard.reading.failures import failures_at, lens_of
from dashboard.reading.snapshot import CheckpointView
from dashboard.widgets.drawing import plain
from dashboard.widgets.panels import show_panels
from shared.findings.text import clean
from shared.views.failures.one import one_prompt
from shared.views.failures.panels import readout_panel
from shared.views.failures.wrong import Failures, samples_of

SHOWN = 200
"""Characters of the prompt that are shown."""


def chosen_prompt(frame: Frame, view: CheckpointView, analysis: str) -> None:
    """Above the tab's own figures: this prompt through the layers, or whether its words are below."""
    wanted = frame.selection.failures.prompt
    draw = PARTS.get(analysis)
    told = failures_at(frame.snapshot, view) if wanted and draw is not None else None
    index = told.failures.at(wanted) if told is not None else None
    if told is None or index is None or draw is None:
        return
    plain(f"Chosen on Failures: {clean(told.failures.probes[index].text, SHOWN)}", f"chosen-{analysis}", "heading")
    draw(view, told.failures, index)
    pages.link("Failures", "Back to it", "error_outline")


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
