"""A page of plain Streamlit, served beside ours: what a bare page costs on this machine in this minute."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.dashboard.browser import free_port, healthy, wait_until

PAGE = """import plotly.graph_objects as go
import streamlit as st
st.title("plain")
value = st.select_slider("Place", list(range(50)), 25)
st.plotly_chart(go.Figure(go.Scatter(y=[value, 1, 2]), {"title": {"text": str(value)}}))
"""
"""A title, a slider and one line: nothing is read, nothing is computed."""


@contextmanager
def plain_page(folder: Path) -> Iterator[str]:
    """Its address until the block ends."""
    script, port = folder / "plain.py", free_port()
    script.write_text(PAGE)
    flags = (
        "--server.address=127.0.0.1",
        "--browser.serverAddress=127.0.0.1",
        "--server.headless=true",
        "--browser.gatherUsageStats=false",
        "--server.fileWatcherType=none",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(script), f"--server.port={port}", *flags],
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: healthy(f"http://127.0.0.1:{port}"), 120)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)
