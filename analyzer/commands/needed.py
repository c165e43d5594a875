"""The packages without which nothing is analysed. Imports none of them: it is what says that one is missing."""

from __future__ import annotations

import importlib.util

from shared.errors import UsageError

NEEDED = ("torch", "transformers", "scipy", "watchdog", "psutil")
"""What the extra `analyzer` installs and every analysis needs."""


def require(*modules: str) -> None:
    """Raise UsageError in one sentence when the extra `analyzer` is not installed."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"The analyzer needs {', '.join(missing)}; run `pip install 'midwatch[analyzer]'`.")
