"""The HTTP hook by real HTTP: what a trainer sends becomes a request, what anybody else sends becomes nothing."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from analyzer.supervisor import save_hook
from analyzer.supervisor.listen_address import TOKEN, parse_listen, token_for
from analyzer.supervisor.save_hook import Hook, listening
from shared.errors import UsageError
from shared.requests.folder import all_states, read_request
from shared.requests.record import Analyze
from shared.run import Run
from tests.making.mere_user import mere_user

KEY = "0123456789abcdef"
EVERY = "0.0.0.0"  # noqa: S104 (nobody listens there)


class Told:
    """Two runs, a hook on them, and which were woken."""

    def __init__(self, folder: Path) -> None:
        self.runs = []
        for name in ("judge", "other"):
            path = folder / name
            (path / "checkpoint-500").mkdir(parents=True)
            self.runs.append(Run.at(path))
        self.woken: list[list[Path]] = []
        self.hook = Hook(lambda: self.runs, self.woken.append, "advanced", ())

    def requests(self) -> list[Analyze]:
        files = [path for run in self.runs for path in sorted(run.requests.glob("*.json"))]
        return [what for path in files if isinstance(what := read_request(path).what, Analyze)]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


@contextmanager
def served(told: Told) -> Iterator[int]:
    with listening(("127.0.0.1", 0), told.hook) as port:
        yield port


def post(port: int, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/", body, headers or {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def message(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_a_save_becomes_a_request_and_wakes_the_loop(told: Told) -> None:
    run = told.runs[0]
    sent = message(event="save", step=500, checkpoint_dir=str(run.path / "checkpoint-500"))
    with served(told) as port:
        status, answer = post(port, sent)
        assert (status, answer["new"]) == (202, True)
        assert post(port, sent) == (202, {"request": answer["request"], "new": False})
    assert told.requests() == [Analyze(checkpoints=("checkpoint-500",), suite="advanced")]
    assert [state.id for state in all_states(run)] == [answer["request"]]
    assert told.woken == [[run.path], [run.path]]


def test_a_path_of_another_container_counts_by_its_last_two_parts(told: Told) -> None:
    with served(told) as port:
        assert post(port, message(checkpoint_dir="/mnt/theirs/other/checkpoint-500/"))[0] == 202
    assert list(told.runs[1].requests.glob("*.json")) and not told.runs[0].requests.exists()


def test_a_message_without_a_checkpoint_only_wakes(told: Told) -> None:
    with served(told) as port:
        assert post(port, message(event="train_end")) == (202, {"request": None, "new": False})
    assert told.woken == [[run.path for run in told.runs]] and not told.requests()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"\xff\xfe", 400),
        (b"[" * 4000, 400),
        (message(step="500"), 400),
        (message(step=-1), 400),
        (message(step=True), 400),
        (message(event="save", command="rm"), 400),
        (message(checkpoint_dir=""), 400),
        (message(checkpoint_dir="/etc/passwd"), 404),
        (message(checkpoint_dir="checkpoint-500"), 404),
        (message(checkpoint_dir="judge/../../checkpoint-500"), 404),
        (message(checkpoint_dir="judge/checkpoint-501"), 404),
        (message(checkpoint_dir="judge/\0checkpoint-500"), 404),
        (message(checkpoint_dir="judge/\ud800"), 400),
        (message(checkpoint_dir="judge/checkpoint-500", step=501), 400),
        (b" " * 4097, 413),
    ],
)
def test_what_is_no_message_becomes_nothing(told: Told, body: bytes, status: int) -> None:
    with served(told) as port:
        found, answer = post(port, body)
        assert found == status and set(answer) == {"error"}
        assert "Traceback" not in answer["error"]
        assert post(port, message(event="wake"))[0] == 202  # and it goes on
    assert not told.requests()


@pytest.mark.parametrize(
    "headers", [{"Content-Length": "-1"}, {"Content-Length": "x"}, {"Transfer-Encoding": "chunked"}]
)
def test_a_length_that_is_none_is_refused(told: Told, headers: dict[str, str]) -> None:
    with served(told) as port, socket.create_connection(("127.0.0.1", port), timeout=60) as caller:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        caller.sendall(f"POST / HTTP/1.1\r\n{lines}\r\n".encode())
        assert b" 411 " in caller.recv(4096).split(b"\r\n")[0]


def test_other_verbs_are_refused(told: Told) -> None:
    with served(told) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/")
        assert connection.getresponse().status == 501
        connection.close()


def test_a_caller_that_says_nothing_or_little_holds_nobody_up(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(save_hook, "PATIENCE_S", 0.3)
    monkeypatch.setattr(save_hook._Handler, "timeout", 0.3)
    with served(told) as port, socket.create_connection(("127.0.0.1", port)) as silent:
        silent.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
        assert post(port, message(event="wake"))[0] == 202
        silent.settimeout(60)
        assert b" 202 " not in silent.recv(4096)


def test_a_token_is_asked_for_where_one_is_set(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, KEY)
    with served(told) as port:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": KEY}):
            status, answer = post(port, message(event="wake"), headers)
            assert status == 401 and KEY not in str(answer)
        assert post(port, message(event="wake"), {"Authorization": f"Bearer {KEY}"})[0] == 202
    assert len(told.woken) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.org"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "example.org"},
        {"Host": "example.org:8765"},
        {"Host": "127.0.0.1.example.org"},
        {"Host": "[::1"},
        {"Host": ""},
    ],
)
def test_a_web_page_on_this_machine_files_nothing(told: Told, headers: dict[str, str]) -> None:
    with served(told) as port:
        assert post(port, message(checkpoint_dir="judge/checkpoint-500"), headers)[0] == 403
    assert not told.requests() and not told.woken


def test_this_machine_has_several_names_and_with_a_token_any(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(told) as port:
        for host in ("localhost", "LOCALHOST:1", "127.0.0.1:8765", "[::1]", "[::1]:8765"):
            assert post(port, message(event="wake"), {"Host": host})[0] == 202
    monkeypatch.setenv(TOKEN, KEY)
    with served(told) as port:
        named = {"Host": "analyzer.example.org:8765", "Authorization": f"Bearer {KEY}"}
        assert post(port, message(event="wake"), named)[0] == 202
        assert post(port, message(event="wake"), {**named, "Origin": "https://example.org"})[0] == 403


def test_another_address_needs_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN, raising=False)
    assert token_for("127.0.0.1") == token_for("::1") == token_for("localhost") == ""
    for host in (EVERY, "::", "192.0.2.1", "example.org"):
        with pytest.raises(UsageError, match=TOKEN):
            token_for(host)
    monkeypatch.setenv(TOKEN, "short")
    with pytest.raises(UsageError, match="at least 16"):
        token_for("127.0.0.1")
    monkeypatch.setenv(TOKEN, KEY)
    assert token_for(EVERY) == KEY


def test_a_port_that_is_taken_is_one_sentence(told: Told) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = taken.getsockname()
        with pytest.raises(UsageError, match="is not possible"), listening(where, told.hook):
            pass


@pytest.mark.parametrize("text", ["8765", "127.0.0.1:", ":8765", "127.0.0.1:70000", "127.0.0.1:x", "a:٣"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write HOST:PORT"):
        parse_listen(text)
    assert parse_listen("[::1]:80") == ("::1", 80)


def test_a_run_that_cannot_be_written_is_said(told: Told) -> None:
    told.runs[0].path.chmod(0o500)
    with mere_user():
        answer = told.hook.take(message(checkpoint_dir=str(told.runs[0].path / "checkpoint-500")))
    assert answer.status == 503 and not told.woken
