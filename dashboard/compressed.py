"""Streamlit's own files, smaller on their way: it sends them as they are, 11 MB for a first page.

Each is compressed once and kept, so that a second browser costs no time. What is not one of these files goes
through untouched.
"""

from __future__ import annotations

import gzip
import mimetypes
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.responses import Response

WORTH = frozenset({".js", ".css", ".json", ".svg"})
"""Text; pictures and fonts are compressed in themselves."""
SMALL = 1000
"""Bytes below which a file is sent as it is."""
LEVEL = 9
"""Of gzip: it is paid once a file."""
FOREVER = {
    "cache-control": "public, immutable, max-age=31536000",  # as Streamlit says: their names hold a digest
    "x-content-type-options": "nosniff",
}


class Compressed:
    """ASGI middleware in front of Streamlit."""

    def __init__(self, app: Any, folder: Path, instead: Mapping[str, Path] | None = None) -> None:
        """`folder` is served below /static/; `instead` has smaller files for some of those in its media folder, by
        their names, which are sent as they are."""
        self.app = app
        self._files = files_below(folder)
        self._instead = {f"/static/media/{name}": file for name, file in (instead or {}).items()}
        self._packed: dict[str, bytes] = {}
        self._lock = threading.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":  # the server's own start and stop, and websockets
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if path in self._instead and plain_get(scope):
            file = self._instead[path]
            body, headers = await to_thread.run_sync(file.read_bytes), FOREVER
        elif (file := self._files.get(path)) is not None and wants_gzip(scope):
            body = await to_thread.run_sync(self._body, path, file)
            headers = FOREVER | {"content-encoding": "gzip", "vary": "Accept-Encoding"}
        else:
            await self.app(scope, receive, send)
            return
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        await Response(body, headers=headers, media_type=kind)(scope, receive, send)

    def _body(self, path: str, file: Path) -> bytes:
        with self._lock:
            if path not in self._packed:
                self._packed[path] = gzip.compress(file.read_bytes(), LEVEL, mtime=0)
            return self._packed[path]


def files_below(folder: Path) -> Mapping[str, Path]:
    """The files worth compressing, by the path they are asked for under: no other path leads to a file."""
    found = (path for path in folder.rglob("*") if path.suffix in WORTH and path.is_file())
    return {f"/static/{p.relative_to(folder).as_posix()}": p for p in found if p.stat().st_size >= SMALL}


def plain_get(scope: Any) -> bool:
    """Whether this asks for a whole file."""
    return scope["method"] == "GET" and "range" not in Headers(scope=scope)


def wants_gzip(scope: Any) -> bool:
    """Whether this asks for a whole file, and reads gzip."""
    if not plain_get(scope):
        return False
    offered = {
        part.partition(";")[0].strip() for part in Headers(scope=scope).get("accept-encoding", "").split(",")
    }
    return "gzip" in offered
