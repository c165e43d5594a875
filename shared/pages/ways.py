"""pages.js: which page comes before and after which, read by every page of a folder when it is opened.

So a page that was drawn first still leads to one that was drawn later, and drawing a checkpoint changes no page of
another one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from shared.files import write_bytes_atomic

PAGES_JS = "pages.js"
PAGE = re.compile(r"[A-Za-z0-9_]+\.html")


def write_pages_js(folder: Path, prefixes: Sequence[str]) -> None:
    """Replace pages.js; `prefixes` begin the files of each checkpoint ("epoch_3"), in the run's order.

    Raises OSError.
    """
    text = f"window.midwatchPages = {json.dumps(ways(folder, prefixes), separators=(',', ':'))};\n"
    write_bytes_atomic(folder / PAGES_JS, text.encode("ascii"), durable=False)


def ensure_pages_js(folder: Path) -> None:
    """Put an empty one into `folder` unless there is one: a page that asks for it must find it. Raises OSError."""
    if not (folder / PAGES_JS).is_file():
        write_bytes_atomic(folder / PAGES_JS, b"window.midwatchPages = {};\n", durable=False)


def ways(folder: Path, prefixes: Sequence[str]) -> dict[str, list[str]]:
    """Rest of a page's name ("heads.html") -> the pages of that name by checkpoint. Names are ours: letters, digits
    and underscores; every other file is left out."""
    names = {path.name for path in folder.iterdir() if PAGE.fullmatch(path.name)}
    found: dict[str, list[str]] = {}
    longest_first = sorted(prefixes, key=len, reverse=True)
    home = {name: next((p for p in longest_first if name.startswith(f"{p}_")), None) for name in names}
    order = {prefix: place for place, prefix in enumerate(prefixes)}
    for name, prefix in sorted(home.items(), key=lambda item: (order.get(item[1] or "", -1), item[0])):
        if prefix is not None:
            found.setdefault(name[len(prefix) + 1 :], []).append(name)
    return found
