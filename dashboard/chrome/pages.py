"""From page to page: links that keep what is chosen, and moves that a click on a figure makes.

The app says which pages there are; a page that is drawn alone, without the navigation, has no links.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st


def remember(pages: Mapping[str, Any]) -> None:
    """Note the navigation's pages (`st.Page`), by their titles. Call before one is run."""
    st.session_state["pages"] = dict(pages)


def link(title: str, words: str, icon: str) -> None:
    """A link to the page of this title; `words` are ours, `icon` is a Material symbol's name."""
    page = st.session_state.get("pages", {}).get(title)
    if page is not None:
        st.page_link(page, label=words, icon=f":material/{icon}:")


def go(title: str) -> None:
    """Move to the page of this title with the next rerun. Call from a reader's move."""
    st.session_state["go"] = title


def gone() -> None:
    """Carry out such a move. Call before anything of a page is drawn."""
    page = st.session_state.get("pages", {}).get(st.session_state.pop("go", None))
    if page is not None:
        st.switch_page(page)
