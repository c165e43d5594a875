"""A figure as it fits the reader's window: without its title, its plots in one column where that is narrow."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from dashboard.widgets.narrow import narrowed
from dashboard.widgets.untitled import room, untitled

NARROW = "narrow"
"""In session state: whether the browser says that its window is narrow."""


def fitted(figure: go.Figure) -> tuple[go.Figure, str, int]:
    """A copy that fits the window, its subtitle as plain text, and how many plots stand beside each other."""
    bare, subtitle = untitled(figure)
    if st.session_state.get(NARROW):
        bare = narrowed(bare)
    return bare, subtitle, room(bare)
