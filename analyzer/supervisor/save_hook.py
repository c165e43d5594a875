"""The HTTP hook: a trainer tells that it has saved, and the loop wakes and has a request on disk. Nothing else.

    POST /   {"event": "save", "step": 500, "checkpoint_dir": "runs/judge/checkpoint-500"}

What comes is a stranger's. No path in it is opened: `checkpoint_dir` is compared with the checkpoints of the runs
that are watched. One thread serves one caller at a time, for at most `PATIENCE_S`. A browser is refused: any page
that somebody reads on this machine could send such a message.
"""

from __future__ import annotations

import hmac
import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from analyzer.supervisor.listen_address import TOKEN, are_for_us, token_for
from shared.checkpoint_names import MAX_DIGITS, is_plain, step_of
from shared.errors import RunError, UsageError
from shared.logs import entry
from shared.requests.folder import file_request
from shared.requests.record import Analyze, checked
from shared.run import Run

logger = logging.getLogger(__name__)

MAX_BODY = 4096
"""Bytes of a message."""
PATIENCE_S = 10.0
"""Seconds that one caller may take for all of it."""


class Saved(BaseModel):
    """What a trainer sends."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    event: str = Field("save", max_length=64)
    """What happened, in the trainer's words; nothing depends on it."""
    step: int | None = Field(None, ge=0, lt=10**MAX_DIGITS)
    checkpoint_dir: str | None = Field(None, min_length=1, max_length=4096)
    """The checkpoint's directory as the trainer sees it; without one this is a mere wake-up."""


class Answer(NamedTuple):
    """What the caller gets."""

    status: int
    body: dict[str, Any]


class Hook:
    """What is done with a message."""

    def __init__(
        self, runs: Callable[[], list[Run]], wake: Callable[[list[Path]], None], suite: str, only: tuple[str, ...]
    ) -> None:
        self._runs, self._wake = runs, wake
        self._suite, self._only = suite, only

    def take(self, data: bytes) -> Answer:
        """Wake the loop, and file what is asked for. Never raises for what a caller sends."""
        try:
            saved = Saved.model_validate_json(data)
        except (ValidationError, RecursionError):
            return Answer(400, {"error": "Send a JSON object of event, step and checkpoint_dir."})
        runs = self._runs()
        if saved.checkpoint_dir is None:
            self._wake([run.path for run in runs])
            return Answer(202, {"request": None, "new": False})
        found = _named(saved.checkpoint_dir, runs)
        if found is None:
            return Answer(404, {"error": "checkpoint_dir is no checkpoint of a run that is watched."})
        run, name = found
        if saved.step is not None and step_of(name) not in (None, saved.step):
            return Answer(400, {"error": f"{name} is not of step {saved.step}."})
        return self._file(run, name)

    def _file(self, run: Run, name: str) -> Answer:
        what = checked(Analyze, checkpoints=(name,), suite=self._suite, only=self._only)
        try:
            filed = file_request(run, what, session="http-hook")
        except UsageError as error:  # too many wait already
            return Answer(429, {"error": str(error)})
        except OSError as error:
            logger.warning(
                "%s: a request cannot be filed: %s",
                run.name,
                error,
                extra=entry("hook_refused", run=run.name, cause=str(error)),
            )
            return Answer(503, {"error": "The run cannot be written just now."})
        self._wake([run.path])
        return Answer(202, {"request": filed.id, "new": filed.new})


def _named(directory: str, runs: list[Run]) -> tuple[Run, str] | None:
    """The run and checkpoint that a path names: by all of it, or by its last two parts where one run has these."""
    path = PurePath(os.path.normpath(directory)) if "\0" not in directory else PurePath()
    name = path.name
    if not is_plain(name) or (not path.parent.name and not path.is_absolute()):
        return None
    exact = [run for run in runs if str(run.path / name) == str(path)]
    same = exact or [run for run in runs if run.name == path.parent.name]
    if len(same) != 1:
        return None
    try:
        return (same[0], name) if name in same[0].checkpoints() else None
    except RunError:
        return None


@contextmanager
def listening(where: tuple[str, int], hook: Hook) -> Iterator[int]:
    """Serve while the block runs; gives the port. Raises UsageError where nobody can listen there."""
    host, port = where
    token = token_for(host)
    try:
        server = _Server(host, port, hook, token)
    except OSError as error:
        raise UsageError(f"--listen {host}:{port} is not possible ({error.strerror or error}).") from error
    thread = threading.Thread(target=server.serve_forever, name="save-hook", daemon=True)
    thread.start()
    logger.info("listening on http://%s:%s", host, server.server_port, extra=entry("listening", host=host))
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(HTTPServer):
    """One caller at a time."""

    allow_reuse_address = True

    def __init__(self, host: str, port: int, hook: Hook, token: str) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.hook, self.token = hook, token
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Without the look-up of our own name, which may wait for a name server."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hangs up, or is too slow, is nobody's fault but its own."""
        logger.debug("a caller of the hook was cut off", exc_info=True, extra=entry("hook_cut_off"))


class _Handler(BaseHTTPRequestHandler):
    """POST, and nothing else."""

    server: _Server
    server_version, sys_version = "midwatch", ""
    protocol_version = "HTTP/1.0"
    timeout = PATIENCE_S

    def setup(self) -> None:
        super().setup()
        # a caller that sends a byte now and then would hold the one thread for ever
        self._end = threading.Timer(PATIENCE_S, self._cut_off)
        self._end.daemon = True
        self._end.start()

    def finish(self) -> None:
        self._end.cancel()
        with suppress(OSError):
            super().finish()

    def _cut_off(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def do_POST(self) -> None:
        """One message."""
        if self._is_of_a_page():
            return self._answer(
                Answer(403, {"error": "Web pages may not; send it without a browser, to 127.0.0.1."})
            )
        if self.server.token and not self._may():
            return self._answer(Answer(401, {"error": f"Send Authorization: Bearer, with what {TOKEN} holds."}))
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or "Transfer-Encoding" in self.headers:
            return self._answer(Answer(411, {"error": "Send a Content-Length."}))
        if len(length) > 9 or int(length) > MAX_BODY:
            return self._answer(Answer(413, {"error": f"Send at most {MAX_BODY} bytes."}))
        data = self.rfile.read(int(length))
        if len(data) < int(length):
            return self._answer(Answer(408, {"error": "The message is cut short."}))
        return self._answer(self.server.hook.take(data))

    def _is_of_a_page(self) -> bool:
        """Whether a browser sent it, or (where no token is asked for) it came by a name that is not ours."""
        if "Origin" in self.headers or "Sec-Fetch-Site" in self.headers:
            return True
        return not self.server.token and not are_for_us(self.headers.get_all("Host", []))

    def _may(self) -> bool:
        sent = self.headers.get("Authorization", "").encode("utf-8", "replace")
        return hmac.compare_digest(sent, f"Bearer {self.server.token}".encode())

    def _answer(self, answer: Answer) -> None:
        body = json.dumps(answer.body).encode() + b"\n"
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing of what a caller sends is written anywhere."""
