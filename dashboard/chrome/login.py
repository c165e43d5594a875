"""Login through OpenID Connect, where the operator configured it in Streamlit's secrets (`[auth]`)."""

from __future__ import annotations

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError


def require_login() -> None:
    """Stop the page until the user is logged in; without an `[auth]` section everybody may see it."""
    if not _configured() or st.user.is_logged_in:
        return
    st.title("Midwatch")
    st.button("Log in", on_click=st.login, type="primary")
    st.stop()


def _configured() -> bool:
    try:
        return "auth" in st.secrets
    except StreamlitSecretNotFoundError:
        return False
