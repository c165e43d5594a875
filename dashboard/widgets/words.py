"""A prompt drawn as its own words (words.js): they wrap in a window of any width, and each can be picked."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

from dashboard.reading.word_pictures import WordPicture
from dashboard.widgets.script import calling
from shared.figures.tokens import RANGE, Scale
from shared.findings.text import signed


@cache
def _component() -> Any:
    return component("midwatch_words", js=calling("midwatchWords"))


def show_words(picture: WordPicture, key: str, picked: Callable[[int], None]) -> None:
    """Draw the words; `picked` gets the place of the one that the reader clicks."""

    def clicked() -> None:
        place = getattr(st.session_state[key], "picked", None)
        if isinstance(place, int) and 0 <= place < picture.count:
            picked(place)

    _component()(key=key, data=picture.data, on_picked_change=clicked)


def show_scale(scale: Scale, key: str) -> None:
    """The one colour bar of all prompts on the page."""
    ticks = [f"≤ {signed(-RANGE)}", "0", f"≥ {signed(RANGE)}"]
    said = {"title": scale.title, "safe": scale.safe, "unsafe": scale.unsafe, "ticks": ticks}
    _component()(key=key, data={"scale": said}, on_picked_change=lambda: None)
