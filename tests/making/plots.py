"""What every drawn figure owes, whatever it shows."""

from __future__ import annotations

from typing import Any


def notes_stand_on_plots(figure: dict[str, Any]) -> None:
    """Plotly puts a note on an axis on which nothing is drawn into the corner of the first plot."""
    for axis in "xy":
        drawn = {"paper", *(trace.get(f"{axis}axis", axis) for trace in figure["data"])}
        for note in figure["layout"].get("annotations", []):
            assert note.get(f"{axis}ref", "paper").partition(" ")[0] in drawn, note["text"]
