"""What index.html says before its links: the verdict, four small pictures, the table of checkpoints."""

from __future__ import annotations

from typing import Any

from shared.pages.small_svg import pictures
from shared.views.overview.curves import small_plots
from shared.views.overview.standing import Standing
from shared.views.overview.table import table
from shared.views.overview.verdict import HOW_TO_READ, verdict

MOST_ROWS = 100
"""Checkpoints in the table: the page stays small."""


def overview_part(found: Standing | None) -> dict[str, Any]:
    """What the template wants; None of a run without results."""
    if found is None or not found.facts:
        return {"verdict": None}
    said, rows = verdict(found), table(found)
    return {
        "verdict": said,
        "rest": " ".join(said.sentences[1:]),
        "how_to_read": HOW_TO_READ,
        "judged": any(each.judged for each in found.facts),
        "pictures": pictures(small_plots(found)),
        "columns": list(rows[0].cells) if rows else [],
        "rows": rows[:MOST_ROWS],
        "left_out": max(0, len(rows) - MOST_ROWS),
    }
