"""Streamlit's own files on their way to a browser."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from typing import Any

import pytest

from dashboard import icons
from dashboard.compressed import SMALL, Compressed

TEXT = b"var a = 1;" * SMALL


async def untouched(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def asked(
    folder: Path,
    path: str,
    *,
    offers: str = "br, gzip;q=0.8",
    method: str = "GET",
    more: tuple = (),
    instead: dict[str, Path] | None = None,
) -> list:
    """What a request is answered with: status, headers, body."""
    said: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    headers = [(b"accept-encoding", offers.encode()), *more]
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    asyncio.run(Compressed(untouched, folder, instead)(scope, None, send))
    return [said[0]["status"], dict(said[0]["headers"]), b"".join(each.get("body", b"") for each in said[1:])]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "a.js").write_bytes(TEXT)
    (tmp_path / "tiny.js").write_bytes(b"1")
    (tmp_path / "font.woff2").write_bytes(TEXT)
    (tmp_path.parent / "secret.js").write_bytes(TEXT)
    return tmp_path


def test_a_script_is_sent_compressed_and_may_be_kept(folder: Path) -> None:
    status, headers, body = asked(folder, "/static/js/a.js")
    assert status == 200 and gzip.decompress(body) == TEXT and len(body) < len(TEXT) / 10
    assert headers[b"content-encoding"] == b"gzip" and b"immutable" in headers[b"cache-control"]
    assert b"javascript" in headers[b"content-type"] and int(headers[b"content-length"]) == len(body)


@pytest.mark.parametrize(
    "path", ["/static/tiny.js", "/static/font.woff2", "/static/../secret.js", "/static/js/", "/", "/_stcore/health"]
)
def test_everything_else_is_left_to_streamlit(path: str, folder: Path) -> None:
    assert asked(folder, path)[0] == 204


def test_who_reads_no_gzip_or_wants_a_part_gets_the_file_as_it_is(folder: Path) -> None:
    assert asked(folder, "/static/js/a.js", offers="identity")[0] == 204
    assert asked(folder, "/static/js/a.js", method="HEAD")[0] == 204
    assert asked(folder, "/static/js/a.js", more=((b"range", b"bytes=0-9"),))[0] == 204


def test_a_server_that_tells_of_its_start_is_heard(tmp_path: Path) -> None:
    """A server that asks for it fails to start where this raises."""
    heard: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        heard.append(scope["type"])

    asyncio.run(Compressed(app, tmp_path)({"type": "lifespan"}, None, None))
    assert heard == ["lifespan"]


def test_a_smaller_font_is_sent_instead_only_where_it_was_made_for_this_streamlit(tmp_path: Path) -> None:
    (tmp_path / "MaterialSymbols-Rounded.a1.woff2").write_bytes(TEXT)
    (tmp_path / "SourceSans.a1.woff2").write_bytes(TEXT)
    assert icons.smaller_font(tmp_path, "9.9.9") == {}
    assert icons.smaller_font(tmp_path, icons.MADE_FOR) == {"MaterialSymbols-Rounded.a1.woff2": icons.FILE}


def test_what_is_sent_instead_says_what_it_is(folder: Path) -> None:
    (folder / "small.woff2").write_bytes(b"small")
    instead = {"font.woff2": folder / "small.woff2"}
    status, headers, body = asked(folder, "/static/media/font.woff2", offers="identity", instead=instead)
    assert (status, body) == (200, b"small") and b"content-encoding" not in headers
    assert headers[b"content-type"] == b"font/woff2" and b"immutable" in headers[b"cache-control"]
    part = ((b"range", b"bytes=0-9"),)
    assert asked(folder, "/static/media/font.woff2", more=part, instead=instead)[0] == 204
