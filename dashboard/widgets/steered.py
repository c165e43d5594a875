"""Widgets that the page itself moves, kept apart from the reader's own moves.

A browser that has not drawn the newest state yet sends, with every poll, the values it still shows. Streamlit
cannot tell such an echo from a move of the reader and calls `on_change`: a checkpoint that arrives while the
browser is busy would switch "Follow newest" off. So a widget that the page moves becomes another one, with a new
key, and what comes from the one before it is no move.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

import streamlit as st


class Steered(TypedDict):
    """What to pass on to the widget."""

    key: str
    on_change: Callable[[], None]


def steered(name: str, value: object, moved: Callable[[Any], None]) -> Steered:
    """The widget `name`, showing `value`; `moved` gets what the reader chooses. Call just before drawing it.

    The key stays the same while only the reader moves the widget, so the keyboard's focus stays on it.
    """
    keys: dict[str, int] = st.session_state.setdefault("steered", {})
    number = keys.setdefault(name, 0)
    if st.session_state.get(f"w_{name}_{number}", value) != value:
        number = keys[name] = number + 1
    key = f"w_{name}_{number}"
    st.session_state[key] = value

    def changed() -> None:
        if keys[name] == number:
            moved(st.session_state[key])

    return {"key": key, "on_change": changed}
