"""The tabs of the page *Compare*: layers, words, heads, neurons, circuits, numbers, settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from dashboard.chrome import live
from dashboard.chrome.frame import Frame
from dashboard.chrome.reader_choice import write_link
from dashboard.reading import compare as reading
from dashboard.reading.compare import End
from dashboard.reading.condition import Condition, analyse_command, condition
from dashboard.screens.view_options import SIZES
from dashboard.widgets.drawing import plain, show_condition
from dashboard.widgets.panels import rows_button, show_panels
from dashboard.widgets.steered import steered
from shared.errors import SchemaError
from shared.findings.text import clean
from shared.views import Panel
from shared.views.compare.compared import Compared
from shared.views.compare.differs import metric_rows, setting_rows
from shared.views.compare.verdicts import result_rows

Part = Callable[[Frame, Compared, End, End], None]
LONGEST = 90
"""Characters of a prompt in the list to choose from."""


def parts(frame: Frame, found: Compared, there: End, here: End) -> None:
    """One tab a kind of result; only the open one is drawn."""
    chosen = frame.selection.compare
    known = {each.lower(): each for each in PARTS}
    opened = known.get(chosen.part or "", next(iter(PARTS)))

    def switched(title: str) -> None:
        chosen.part = title.lower()
        write_link(frame.selection, frame.view)

    for title, tab in zip(PARTS, st.tabs(list(PARTS), **steered("part", opened, switched)), strict=True):
        if tab.open:
            with tab:
                PARTS[title](frame, found, there, here)


def _layers(frame: Frame, found: Compared, there: End, here: End) -> None:
    if _ready(frame, "layers", there, here):
        _draw(lambda: reading.layers(found, there, here), "layers", here)


def _words(frame: Frame, found: Compared, there: End, here: End) -> None:
    if not _ready(frame, "tokens", there, here):
        return
    try:
        prompts = reading.prompts_of_both(there, here)
    except (SchemaError, OSError) as error:
        _unreadable(error, "tokens", here)
        return
    if not prompts:
        _say("Nothing in common", "No prompt has its words attributed at both.", "tokens")
        return
    prompt = _pick_prompt(frame, {each.probe_id: f"{each.label}: {each.text}" for each in prompts})
    _draw(lambda: reading.tokens(there, here, prompt), "tokens", here)


def _pick_prompt(frame: Frame, prompts: dict[str, str]) -> str:
    chosen = frame.selection.compare

    def picked(prompt: str) -> None:
        chosen.prompt = prompt
        write_link(frame.selection, frame.view)

    now = chosen.prompt if chosen.prompt in prompts else next(iter(prompts))
    words = lambda prompt: clean(prompts[prompt], LONGEST)  # noqa: E731
    st.selectbox("Prompt", list(prompts), format_func=words, **steered("words", now, picked))
    return now


def _heads(frame: Frame, found: Compared, there: End, here: End) -> None:
    if _ready(frame, "heads", there, here):
        _draw(lambda: reading.heads(there, here), "heads", here)


def _neurons(frame: Frame, found: Compared, there: End, here: End) -> None:
    if _ready(frame, "neurons", there, here):
        _draw(lambda: reading.neurons(there, here), "neurons", here)


def _circuits(frame: Frame, found: Compared, there: End, here: End) -> None:
    if not _ready(frame, "circuits", there, here):
        return
    edges = frame.selection.edges if frame.selection.edges in SIZES else SIZES[2]
    try:
        panels, said = reading.circuits(there, here, edges)
    except (SchemaError, OSError) as error:
        _unreadable(error, "circuits", here)
        return
    for number, sentence in enumerate(said):
        plain(f"{sentence}.", f"compare-circuits-{number}", "heading" if number == 0 else "body")
    show_panels(panels, lambda: reading.circuits(there, here, edges)[0], "compare-circuits")


def _numbers(frame: Frame, found: Compared, there: End, here: End) -> None:
    if found.paired is not None and found.tests:
        alt = "Exact tests on the prompts of both, by set of prompts"
        st.dataframe(result_rows(found.paired, found.tests), hide_index=True, alt=alt)
    rows = metric_rows(found.there, found.here, found.of_the_rates)
    _table(rows, "Numbers that differ", "compared_numbers.csv", "Every number is the same.")


def _settings(frame: Frame, found: Compared, there: End, here: End) -> None:
    rows = setting_rows(found.there, found.here)
    _table(rows, "Settings that differ", "compared_settings.csv", "Nothing that is recorded differs.")


def _table(rows: Sequence[dict[str, str]], title: str, name: str, nothing: str) -> None:
    if not rows:
        st.caption(nothing)
        return
    st.dataframe(list(rows), hide_index=True, alt=f"{title}, a row each")
    rows_button("CSV", lambda: rows, name)


PARTS: dict[str, Part] = {
    "Layers": _layers,
    "Words": _words,
    "Heads": _heads,
    "Neurons": _neurons,
    "Circuits": _circuits,
    "Numbers": _numbers,
    "Settings": _settings,
}
"""By the title of its tab."""


def _ready(frame: Frame, analysis: str, there: End, here: End) -> bool:
    """Whether both have this result; else the state of each that has not."""
    ready = True
    for end in (here, there):
        state = condition(end.snapshot, end.view, analysis, frame.now)
        if state.live:
            frame.watched.add(live.HEARTBEAT)
        if state.kind != "ready":
            ready = False
            plain(f"{end.name}:", f"state-{analysis}-{end is here}", "muted")
            show_condition(state, f"compare-{analysis}-{end is here}")
    return ready


def _draw(find: Callable[[], list[Panel] | str], analysis: str, here: End) -> None:
    """The figures, or why there are none."""
    try:
        found = find()
    except (SchemaError, OSError) as error:
        _unreadable(error, analysis, here)
        return
    if isinstance(found, str):
        _say("Not compared", found, analysis)
        return

    def again() -> Sequence[Panel]:
        panels = find()
        return [] if isinstance(panels, str) else panels

    show_panels(found, again, f"compare-{analysis}")


def _say(title: str, words: str, analysis: str) -> None:
    show_condition(Condition("absent", title, words), f"compare-{analysis}")


def _unreadable(error: Exception, analysis: str, here: End) -> None:
    again = analyse_command(here.snapshot.run, here.view, "--force")
    detail = f"{error}\nTo compute it again with this Midwatch:"
    show_condition(Condition("failed", "A result cannot be read", detail, again), f"compare-{analysis}")
