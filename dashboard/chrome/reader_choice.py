"""What the user looks at: run, checkpoint, against which other, tab. Ours, kept apart from the widgets' own state.

Widgets lose their place when their options grow under a live run. So the selection lives in session state under
one key, is assigned to each widget's key before the widget is drawn (see steering), and changes only in callbacks
of a reader's move, which are also the only place that writes the address bar (so a link restores the view, and a
live update never touches it); going to another page is such a move.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import streamlit as st

from dashboard.chrome import failure_choice
from dashboard.chrome.compare_choice import CompareChoice
from dashboard.chrome.failure_choice import FailureChoice
from dashboard.reading.snapshot import CheckpointView, Snapshot
from shared.checkpoint_places import step_at
from shared.requests.record import REQUEST_ID
from shared.results import checkpoint_label, whole_epoch
from shared.views.overview.standing import MOST_FPR

PREVIOUS = "previous"
"""Against the checkpoint before the shown one."""
_AGAINST = re.compile(r"previous|(epoch|step):\d{1,12}")
_UNIT = re.compile(r"(\d{1,6})\.(\d{1,8})")
_WORD = re.compile(r"(\d{1,4})\.(\d{1,5})")
_NODE = re.compile(r"L\d{1,4}\.(H\d{1,4}|MLP)|input|verdict")
UNITS = ("neurons", "heads")
"""Analyses of which one unit is followed; each has its name in a link."""
EDGES = 40
"""Edges of a circuit that are drawn, where the reader chose no other number."""
MOST_FIND = 100
"""Characters of a filter that a link may hold."""


@dataclass
class Selection:
    """The session's own view. Mutable: one object a session."""

    run: str | None = None
    """Name of the run; None for the newest."""
    checkpoint: str | None = None
    """Name of the checkpoint; means nothing while `follow` is on."""
    follow: bool = True
    """Show the newest analysed checkpoint, and go on to the next when it comes."""
    against: str | None = None
    """What it is compared with: `PREVIOUS`, or an address such as "epoch:3"; None for the first."""
    tab: str | None = None
    """Name of the analysis; None for the first."""
    change: bool = False
    """Show the change since `against`, where the analysis can."""
    edges: int = EDGES
    """How many edges of a circuit are drawn."""
    units: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Analysis -> the neuron or head (layer, number) to follow over the run; without one the strongest."""
    word: tuple[int, int] | None = None
    """The display prompt and the place in it of the word whose panel is open."""
    least: float = 0.0
    """Weakest edge of a circuit that is drawn, as a share of the strongest, 0 to 1."""
    node: str = ""
    """Head or MLP of a circuit whose paths are shown, e.g. "L3.H1"; empty for none."""
    limit: float = MOST_FPR
    """FPR that the checkpoint to ship may have, 0 to 1."""
    find: str = ""
    """What the names or states of the listed runs must hold."""
    asked: str | None = None
    """Id of the request whose answer *Test a prompt* shows; None for none."""
    why: str | None = None
    """Name of the open part of an answer; None for the first."""
    compare: CompareChoice = field(default_factory=CompareChoice)
    """What is chosen on the page *Compare*."""
    failures: FailureChoice = field(default_factory=FailureChoice)
    """On the page Failures."""
    wanted: tuple[str, str] | None = None
    """("epoch" or "step", number) of a link whose run has not been read yet."""
    link_problem: str = ""
    """What a link asked for that is not there; shown until the user moves."""


def current() -> Selection:
    """The session's selection; at a session's start what the link says."""
    if "selection" not in st.session_state:
        st.session_state["selection"] = from_link(st.query_params.to_dict())
    return st.session_state["selection"]


def from_link(query: Mapping[str, str]) -> Selection:
    """The selection that a link's query asks for; what it cannot mean is left as it is without one."""
    selection = Selection(run=query.get("run"), tab=query.get("tab"), change=query.get("change") == "1")
    for unit in ("epoch", "step"):
        if unit in query:
            selection.wanted, selection.follow = (unit, query[unit]), False
    if _AGAINST.fullmatch(query.get("against", "")):
        selection.against = query["against"]
    if query.get("edges", "").isdecimal() and len(query["edges"]) < 5:
        selection.edges = int(query["edges"])
    for analysis in UNITS:
        if place := _UNIT.fullmatch(query.get(analysis, "")):
            selection.units[analysis] = (int(place[1]), int(place[2]))
    if place := _WORD.fullmatch(query.get("word", "")):
        selection.word = (int(place[1]), int(place[2]))
    if re.fullmatch(r"\d{1,2}", query.get("least", "")):
        selection.least = int(query["least"]) / 100
    if _NODE.fullmatch(query.get("node", "")):
        selection.node = query["node"]
    if re.fullmatch(r"\d{1,3}", query.get("fpr", "")) and int(query["fpr"]) <= 100:
        selection.limit = int(query["fpr"]) / 100
    selection.find = query.get("find", "")[:MOST_FIND]
    if REQUEST_ID.fullmatch(query.get("asked", "")):
        selection.asked, selection.why = query["asked"], query.get("why")
    selection.compare = CompareChoice.from_link(query)
    selection.failures = failure_choice.from_link(query)
    return selection


def to_link(selection: Selection, view: CheckpointView | None) -> dict[str, str]:
    """The query that restores the selection; what is as without one is left out."""
    query = {"run": selection.run, "tab": selection.tab, "against": selection.against, "find": selection.find}
    query |= {"asked": selection.asked, "why": selection.why}
    query |= selection.compare.to_link()
    if view is not None and not selection.follow:
        query |= address(view)
    if selection.change:
        query["change"] = "1"
    if selection.edges != EDGES:
        query["edges"] = str(selection.edges)
    query |= {name: f"{layer}.{number}" for name, (layer, number) in selection.units.items()}
    if selection.word is not None:
        query["word"] = "{}.{}".format(*selection.word)
    if selection.least:
        query["least"] = f"{100 * selection.least:.0f}"
    if selection.node:
        query["node"] = selection.node
    if selection.limit != MOST_FPR:
        query["fpr"] = f"{100 * selection.limit:.0f}"
    query |= failure_choice.to_link(selection.failures)
    return {name: value for name, value in query.items() if value}


def resolve(selection: Selection, snapshot: Snapshot) -> CheckpointView | None:
    """The checkpoint to show, None when the run has none. One that vanished is still the one shown."""
    if selection.wanted is not None:
        _resolve_link(selection, snapshot)
    if not selection.follow and selection.checkpoint is not None:
        return snapshot.get(selection.checkpoint) or _vanished(selection.checkpoint)
    return snapshot.newest


def resolve_against(selection: Selection, snapshot: Snapshot, view: CheckpointView) -> CheckpointView | None:
    """What `view` is compared with; None where that is itself, or not there."""
    if selection.against is None:
        found = snapshot.first_with("progress") or next((v for v in snapshot.checkpoints if v.results), None)
    elif selection.against == PREVIOUS:
        names = [each.name for each in snapshot.checkpoints]
        place = names.index(view.name) if view.name in names else 0
        found = next((each for each in reversed(snapshot.checkpoints[:place]) if each.results), None)
    else:
        unit, _, number = selection.against.partition(":")
        found = _addressed(unit, number, snapshot)
        if found is None and not selection.link_problem:
            selection.link_problem = f"It is compared with {unit} {number}, which this run does not have."
    return None if found is None or found.name == view.name else found


def _resolve_link(selection: Selection, snapshot: Snapshot) -> None:
    unit, number = selection.wanted or ("", "")
    match = _addressed(unit, number, snapshot)
    selection.wanted = None
    if match is not None:
        selection.checkpoint = match.name
    else:
        selection.follow = True
        selection.link_problem = f"The link asks for {unit} {number[:40]}, which this run does not have."


def _addressed(unit: str, number: str, snapshot: Snapshot) -> CheckpointView | None:
    match = next((view for view in snapshot.checkpoints if address(view) == {unit: number}), None)
    return match or next((v for v in snapshot.checkpoints if unit == "step" and str(v.step) == number), None)


def _vanished(name: str) -> CheckpointView:
    step = step_at(name, {})
    return CheckpointView(name, step, None, checkpoint_label(step, None, name), on_disk=False)


def address(view: CheckpointView) -> dict[str, str]:
    """How a link names a checkpoint: its epoch where that says which, else its step."""
    epoch = whole_epoch(view.epoch)
    return {"epoch": str(epoch)} if view.label == f"epoch {epoch}" else {"step": str(view.step)}


def write_link(selection: Selection, view: CheckpointView | None) -> None:
    """Put the selection into the address bar. Call from a reader's moves only."""
    st.query_params.from_dict(to_link(selection, view))


def at_page(title: str, selection: Selection, view: CheckpointView | None) -> None:
    """Note which page is drawn; at a move to another one, which leaves the query behind, write the link again."""
    before = st.session_state.get("page")
    st.session_state["page"] = title
    if before is not None and before != title:
        write_link(selection, view)


def open_run(selection: Selection, name: str) -> None:
    """Move to another run, at its newest checkpoint; what is chosen about no checkpoint is kept."""
    selection.run, selection.checkpoint, selection.follow = name, None, True
    selection.against, selection.units, selection.word, selection.node = None, {}, None, ""
    selection.compare, selection.failures, selection.asked = CompareChoice(), FailureChoice(), None
    selection.link_problem, selection.wanted = "", None
    write_link(selection, None)


def open_checkpoint(selection: Selection, view: CheckpointView) -> None:
    """Move to a checkpoint, and follow no more."""
    selection.checkpoint, selection.follow, selection.link_problem = view.name, False, ""
    write_link(selection, view)
