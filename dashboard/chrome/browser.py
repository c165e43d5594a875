"""The one script that the pages bring along: what draws, and browser.js: dark or light, keys `1`-`8` and `/`.

Streamlit's own shortcuts know letters and digits, press buttons only, and tell nobody which theme is shown.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

from dashboard.widgets import script

SCRIPT = f"{script.SCRIPT}\n{resources.files('dashboard.chrome').joinpath('browser.js').read_text('utf-8')}"


def listen() -> None:
    """Start the script; it runs once a browser, however often this is called."""
    with st.container(key="browser"):
        _component()(key="browser-script", height=1)


@cache
def _component() -> Any:
    return component("midwatch_browser", js=SCRIPT)
