"""The one script that the pages bring along: what draws, and browser.js: dark or light, the window's width, keys.

Streamlit's own shortcuts know letters and digits, press buttons only, and tell nobody which theme is shown.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

from dashboard.widgets import script
from dashboard.widgets.fit import NARROW

SCRIPT = f"{script.SCRIPT}\n{resources.files('dashboard.chrome').joinpath('browser.js').read_text('utf-8')}"

KEY = "browser-script"


def listen() -> None:
    """Start the script; it runs once a browser, however often this is called. Where it finds the window narrow, or
    no longer so, the page is drawn again."""

    def told() -> None:
        narrow = getattr(st.session_state[KEY], "narrow", None)
        if isinstance(narrow, bool):
            st.session_state[NARROW] = narrow

    with st.container(key="browser"):
        data = {"narrow": bool(st.session_state.get(NARROW))}
        _component()(key=KEY, data=data, height=1, on_narrow_change=told)


@cache
def _component() -> Any:
    return component("midwatch_browser", js=SCRIPT)
