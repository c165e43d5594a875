"""The bar on top of every page: run, checkpoint, what it is compared with, following, and what to take away.

Below its slider stand marks: the best checkpoint, and those with an alarm.
"""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Sequence

import streamlit as st

from dashboard.chrome import pages, reader_choice
from dashboard.chrome.live import chip
from dashboard.chrome.reader_choice import PREVIOUS, Selection, address
from dashboard.reading.condition import command
from dashboard.reading.headline import MISSING
from dashboard.reading.snapshot import CheckpointView, Snapshot
from dashboard.widgets.drawing import command_line, plain
from dashboard.widgets.panels import rows_button
from dashboard.widgets.steered import steered
from shared.findings.rates import rate
from shared.views.overview.standing import Standing
from shared.views.overview.table import numbers

FIRST = "the first"


def run_picker(names: Sequence[str], shown: str | None, chosen: Selection) -> None:
    """Which run; nothing where there is none. `names` are data: a select box draws them as text."""
    if names:
        moved = lambda name: reader_choice.open_run(chosen, name)  # noqa: E731
        st.selectbox("Run", names, label_visibility="collapsed", width=180, **steered("run", shown, moved))


def run_facts(snapshot: Snapshot, view: CheckpointView, found: Standing) -> None:
    """The shown checkpoint's FNR, and what the analyzer does."""
    facts = next((each for each in found.facts if each.name == view.name), None)
    fnr = rate(facts.fnr, facts.unsafe) if facts is not None else MISSING
    status = snapshot.status
    word = "no analyzer" if status is None else chip(status, time.time())[0]
    with st.container(width=130, key="bar-facts"):
        plain(f"FNR {fnr}\n{word}", "bar-facts", "small")


def checkpoint_control(snapshot: Snapshot, view: CheckpointView, chosen: Selection, found: Standing) -> None:
    """The slider over all checkpoints, one step back and on, and the switch that follows the newest."""
    views = list(snapshot.checkpoints)
    if snapshot.get(view.name) is None:
        views.append(view)  # it vanished, and no other may be shown in its place
        views.sort(key=lambda each: each.step)
    place = next(i for i, each in enumerate(views) if each.name == view.name)

    def go(to: CheckpointView) -> None:
        reader_choice.open_checkpoint(chosen, to)

    _step("chevron_left", "Previous checkpoint", "k", views[place - 1] if place else None, go)
    with st.container(key="bar-slider", gap=None, width="stretch"):
        _slider(views, view, go)
        if len(views) > 1:
            st.html(tick_marks(views, found), width="stretch")
    _step("chevron_right", "Next checkpoint", "j", views[place + 1] if place + 1 < len(views) else None, go)


def _slider(views: Sequence[CheckpointView], view: CheckpointView, go: Callable[[CheckpointView], None]) -> None:
    by_label = {each.label: each for each in views}
    if len(by_label) == 1:
        plain(f"One checkpoint so far: {view.label}", "one", "muted")
        return
    st.select_slider(
        "Checkpoint",
        list(by_label),
        label_visibility="collapsed",
        **steered("checkpoint", view.label, lambda label: go(by_label[label])),
    )


def _step(
    icon: str, words: str, shortcut: str, to: CheckpointView | None, go: Callable[[CheckpointView], None]
) -> None:
    st.button(
        words,
        icon=f":material/{icon}:",
        key=f"w_{icon}",
        help=f"{words} (key {shortcut})",
        disabled=to is None,
        type="tertiary",
        shortcut=shortcut,
        on_click=go if to is not None else None,
        args=(to,),
    )


def tick_marks(views: Sequence[CheckpointView], found: Standing) -> str:
    """Marks below the slider, as markup of ours in which every word from data is escaped."""
    facts = {each.name: each for each in found.facts}
    marks, said = [], []
    for place, view in enumerate(views):
        each = facts.get(view.name)
        best = found.best is not None and found.best.name == view.name
        if not best and not (each is not None and each.alarms):
            continue
        sign = f"{'★' if best else ''}{'!' if each is not None and each.alarms else ''}"
        words = " and ".join([*(["best"] if best else []), *(["alarm"] if "!" in sign else [])])
        left = 100 * place / (len(views) - 1)
        title = html.escape(f"{view.label}: {words}", quote=True)
        marks.append(f'<span style="left:{left:.2f}%" title="{title}">{sign}</span>')
        said.append(title)
    label = html.escape("; ".join(said[:20]) or "no mark", quote=True) if not said else "; ".join(said[:20])
    return f'<div class="ticks" role="img" aria-label="{label}">{"".join(marks)}</div>'


def against_picker(
    snapshot: Snapshot, view: CheckpointView, against: CheckpointView | None, chosen: Selection
) -> None:
    """What the shown checkpoint is compared with."""
    labels = {":".join(next(iter(address(each).items()))): each.label for each in reversed(snapshot.checkpoints)}
    now = chosen.against or FIRST
    options = [FIRST, PREVIOUS, *labels]
    if now not in options:
        options.append(now)  # of a checkpoint that is not there; the page says so

    def picked(option: str) -> None:
        chosen.against, chosen.link_problem = (None if option == FIRST else option), ""
        reader_choice.write_link(chosen, view)

    def shown(option: str) -> str:
        if option not in (FIRST, PREVIOUS):
            return f"against {labels.get(option, option)}"
        resolved = f" ({against.label})" if against is not None and option == now else ""
        return f"against {'the previous' if option == PREVIOUS else option}{resolved}"

    st.selectbox(
        "Against",
        options,
        format_func=shown,
        label_visibility="collapsed",
        width=200,
        **steered("against", now, picked),
    )
    if st.session_state.get("page") != "Compare":
        pages.link("Compare", "Compare", "compare_arrows")


def follow_switch(view: CheckpointView, chosen: Selection) -> None:
    """Whether the newest analysed checkpoint is shown, and the next when it comes."""

    def followed(on: bool) -> None:
        chosen.follow, chosen.checkpoint, chosen.link_problem = on, view.name, ""
        reader_choice.write_link(chosen, view)

    st.toggle(
        "Follow newest",
        **steered("follow", chosen.follow, followed),
    )


def export(snapshot: Snapshot, found: Standing) -> None:
    """The run's numbers as a file, and the commands that write a report or every table."""
    with st.popover("Export", icon=":material/download:", type="tertiary"):
        rows_button("Table of checkpoints (CSV)", lambda: numbers(found), "checkpoints.csv")
        st.markdown("One page to hand on, with figures, and a model card:")
        command_line(command("report", snapshot.run), "report")
        st.markdown("Every number of the run as tables:")
        command_line(command("export", snapshot.run), "export")
        st.markdown("This view: copy the browser's address.")
