"""What `midwatch dashboard` serves: the pages of app.py, with Streamlit's own files made smaller."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:  # as in app.py
    sys.path.insert(0, str(HERE.parent))

import streamlit  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402
from streamlit.starlette import App  # noqa: E402

from dashboard.compressed import Compressed  # noqa: E402
from dashboard.icons import smaller_font  # noqa: E402

STATIC = Path(streamlit.__file__).parent / "static" / "static"
app = App(HERE / "app.py", middleware=[Middleware(Compressed, STATIC, smaller_font(STATIC / "media"))])
