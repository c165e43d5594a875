"""The server's process, `python -m dashboard.serve STREAMLIT_OPTIONS`: Streamlit over served.py, and a good end."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

SERVED = Path(__file__).with_name("served.py")


def main() -> None:
    """Serve until a signal comes: uvicorn ends the sessions, sends itself the signal again, and that ends us."""
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: sys.exit(0))
    from streamlit.web.cli import main as streamlit

    sys.argv = ["streamlit", "run", str(SERVED), *sys.argv[1:]]
    streamlit()


if __name__ == "__main__":
    main()
