"""What the user looks at: run, checkpoint, tab. Ours, kept apart from the widgets' own state.

Widgets lose their place when their options grow under a live run. So the selection lives in session state under
one key, is assigned to each widget's key before the widget is drawn (see steering), and changes only in callbacks
of a reader's move, which are also the only place that writes the address bar (so a link restores the view, and a
live update never touches it).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import streamlit as st

from dashboard.reading.snapshot import CheckpointView, Snapshot
from shared.checkpoint_places import step_at
from shared.results import checkpoint_label, whole_epoch


@dataclass
class Selection:
    """The session's own view. Mutable: one object a session."""

    run: str | None = None
    """Name of the run; None for the newest."""
    checkpoint: str | None = None
    """Name of the checkpoint; means nothing while `follow` is on."""
    follow: bool = True
    """Show the newest analysed checkpoint, and go on to the next when it comes."""
    tab: str | None = None
    """Name of the analysis; None for the first."""
    change: bool = False
    """Show the change since another checkpoint, where the analysis can."""
    against: dict[str, str] = field(default_factory=dict)
    """Analysis -> "previous" or "baseline": since which one; without one what is usual for it."""
    edges: int = 40
    """How many edges of a circuit are drawn."""
    units: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Analysis -> the neuron or head (layer, number) to follow over the run; without one the strongest."""
    wanted: tuple[str, str] | None = None
    """("epoch" or "step", number) of a link whose run has not been read yet."""
    link_problem: str = ""
    """What a link asked for that is not there; shown until the user moves."""


def current() -> Selection:
    """The session's selection; at a session's start what the link says."""
    if "selection" not in st.session_state:
        st.session_state["selection"] = _from_link()
    return st.session_state["selection"]


def _from_link() -> Selection:
    query = st.query_params
    selection = Selection(run=query.get("run"), tab=query.get("tab"))
    for unit in ("epoch", "step"):
        if unit in query:
            selection.wanted, selection.follow = (unit, query[unit]), False
    return selection


def resolve(selection: Selection, snapshot: Snapshot) -> CheckpointView | None:
    """The checkpoint to show, None when the run has none. One that vanished is still the one shown."""
    if selection.wanted is not None:
        _resolve_link(selection, snapshot)
    if not selection.follow and selection.checkpoint is not None:
        return snapshot.get(selection.checkpoint) or _vanished(selection.checkpoint)
    return snapshot.newest


def _resolve_link(selection: Selection, snapshot: Snapshot) -> None:
    unit, number = selection.wanted or ("", "")
    match = next((view for view in snapshot.checkpoints if address(view) == {unit: number}), None)
    match = match or next((v for v in snapshot.checkpoints if unit == "step" and str(v.step) == number), None)
    selection.wanted = None
    if match is not None:
        selection.checkpoint = match.name
    else:
        selection.follow = True
        selection.link_problem = f"The link asks for {unit} {number[:40]}, which this run does not have."


def _vanished(name: str) -> CheckpointView:
    step = step_at(name, {})
    return CheckpointView(name, step, None, checkpoint_label(step, None, name), on_disk=False)


def address(view: CheckpointView) -> dict[str, str]:
    """How a link names a checkpoint: its epoch where that says which, else its step."""
    epoch = whole_epoch(view.epoch)
    return {"epoch": str(epoch)} if view.label == f"epoch {epoch}" else {"step": str(view.step)}


def write_link(selection: Selection, view: CheckpointView | None) -> None:
    """Put the selection into the address bar. Call from `on_change` callbacks only."""
    query = {"run": selection.run, "tab": selection.tab}
    if view is not None and not selection.follow:
        query |= address(view)
    st.query_params.from_dict({name: value for name, value in query.items() if value})
