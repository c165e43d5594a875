"""Numbers and times as people read them."""

from __future__ import annotations

import re
import time

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ()-]*")
"""What no markup can be made of."""
MINUTE, HOUR, DAY = 60, 3600, 86400


def ago(seconds: float, suffix: str = " ago") -> str:
    """ "8 s ago", "3 min ago", "2 h ago", "5 days ago"; without the suffix a duration."""
    seconds = max(0.0, seconds)
    if seconds < MINUTE:
        return f"{seconds:.0f}\u00a0s{suffix}"
    if seconds < HOUR:
        return f"{seconds / MINUTE:.0f}\u00a0min{suffix}"
    if seconds < 2 * DAY:
        return f"{seconds / HOUR:.0f}\u00a0h{suffix}"
    return f"{seconds / DAY:.0f}\u00a0days{suffix}"


def clock(unix: float | None) -> str:
    """The time of day of a Unix time on the dashboard's machine, with its zone; "?" when unknown."""
    if not unix:
        return "?"
    return time.strftime("%H:%M:%S %Z", time.localtime(unix)).strip()


def in_plain_words(label: str, step: int) -> str:
    """What to call a checkpoint where Streamlit reads markdown: by its step, where its own name could be markup."""
    return label if PLAIN.fullmatch(label) else f"step {step}"


def plural(count: int, noun: str) -> str:
    """ "1 checkpoint", "3 checkpoints"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
