"""What becomes of a line of the log, as text and as JSON."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.cli import fail
from shared.logs import NAMES, JsonLines, entry, set_up, take_in_libraries
from tests.making.quiet_logging import logging_restored

logger = logging.getLogger("analyzer.test")


@pytest.fixture
def screen(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """What stderr gets while logging is set up."""
    with logging_restored():
        yield capsys


def lines(screen: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line, parse_constant=pytest.fail) for line in screen.readouterr().err.splitlines()]


def test_text_is_time_and_sentence(screen: pytest.CaptureFixture[str]) -> None:
    set_up("text")
    logger.info("%s: start", "run", extra=entry("started", run="run"))
    assert re.fullmatch(r"\d\d:\d\d:\d\d run: start\n", screen.readouterr().err)


def test_text_names_the_worker_and_leaves_out_what_is_not_worth_a_warning(
    screen: pytest.CaptureFixture[str],
) -> None:
    set_up("text", "worker")
    logger.info("loading")
    logger.warning("out of memory")
    assert re.fullmatch(r"\d\d:\d\d:\d\d worker: out of memory\n", screen.readouterr().err)


def test_json_has_the_fields_beside_the_sentence(screen: pytest.CaptureFixture[str]) -> None:
    set_up("json", "worker")
    record = logger.makeRecord(
        logger.name,
        logging.WARNING,
        "",
        0,
        "%d left",
        (3,),
        None,
        None,
        entry("started", checkpoint="c", seconds=1.5),
    )
    record.created = 1_764_432_000.25
    logger.handle(record)
    assert lines(screen) == [
        {
            "time": "2025-11-29T16:00:00.250Z",
            "level": "warning",
            "process": "worker",
            "event": "started",
            "message": "3 left",
            "checkpoint": "c",
            "seconds": 1.5,
        }
    ]


def test_nothing_breaks_a_line(screen: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    set_up("json")
    ours = [each for each in logging.getLogger().handlers if isinstance(each.formatter, JsonLines)]
    monkeypatch.setattr(logging.getLogger(), "handlers", ours)  # pytest's own would hand half a pair to xdist
    odd = "a\nb\u2028c\r\x0b \udcff \ud83d \U0001f600 é"
    logger.warning("%s", odd, extra=entry("failed", cause=odd))
    text = screen.readouterr().err
    assert text.isascii()
    assert text.count("\n") == 1 and len(text.splitlines()) == 1
    line = json.loads(text)
    line["cause"].encode("utf-8")  # raises for half a pair
    assert line["cause"] == "a\nb\u2028c\r\x0b \\udcff \\ud83d \U0001f600 é"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(Path("/run"), "/run"), (float("nan"), "nan"), (float("inf"), "inf"), ([1], "[1]"), (True, True), (0, 0)],
)
def test_any_value_becomes_json(screen: pytest.CaptureFixture[str], value: Any, shown: Any) -> None:
    set_up("json")
    logger.info("x", extra={"event": "started", "seconds": value})
    assert lines(screen)[0]["seconds"] == shown


def test_empty_and_unknown_fields_are_left_out(screen: pytest.CaptureFixture[str]) -> None:
    set_up("json")
    logger.info("x", extra=entry("failed", analysis="", exit_code=0) | {"prompt": "how do i"})
    assert lines(screen)[0].keys() == {"time", "level", "process", "event", "message", "exit_code"}


def test_a_traceback_is_one_field(screen: pytest.CaptureFixture[str]) -> None:
    set_up("json")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logger.exception("failed", extra=entry("raised"))
    (line,) = lines(screen)
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: two\nlines")


def test_warnings_and_libraries_that_print_by_themselves_are_taken_in(screen: pytest.CaptureFixture[str]) -> None:
    library = logging.getLogger("somelibrary")
    own = logging.StreamHandler(sys.stderr)
    library.addHandler(own)
    library.propagate = False
    try:
        set_up("json")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("old\nways", FutureWarning, stacklevel=1)
        library.warning("once")
    finally:
        library.handlers.clear()
        library.propagate = True
    warned, said = lines(screen)
    assert warned["event"] == said["event"] == "other"
    assert "old\nways" in warned["message"]
    assert (warned["logger"], said["logger"], said["message"]) == ("py.warnings", "somelibrary", "once")


def test_as_text_libraries_are_left_alone(screen: pytest.CaptureFixture[str]) -> None:
    library = logging.getLogger("otherlibrary")
    library.addHandler(logging.StreamHandler(sys.stderr))
    try:
        set_up("text")
        take_in_libraries()
        assert len(library.handlers) == 1
    finally:
        library.handlers.clear()


def test_setting_up_again_says_nothing_twice(screen: pytest.CaptureFixture[str]) -> None:
    set_up("text")
    set_up("json")
    set_up("json")
    logger.info("x")
    assert len(lines(screen)) == 1


def test_the_last_word_is_a_line_too(screen: pytest.CaptureFixture[str]) -> None:
    set_up("json")
    with pytest.raises(SystemExit) as ended:
        fail("No such run.", 2)
    assert ended.value.code == 2
    (line,) = lines(screen)
    assert (line["event"], line["level"], line["message"], line["exit_code"]) == (
        "ended",
        "error",
        "No such run.",
        2,
    )


def test_what_nobody_catches_is_a_line_too(screen: pytest.CaptureFixture[str]) -> None:
    set_up("json")
    error = KeyError("main")
    sys.excepthook(KeyError, error, None)
    thread = threading.Thread(target=lambda: {}["thread"])
    thread.start()
    thread.join()
    found = lines(screen)
    assert [line["event"] for line in found] == ["crashed", "crashed"]
    assert ["main" in found[0]["exception"], "Traceback" in found[1]["exception"]] == [True, True]


def test_no_field_is_one_of_the_logging_modules_own() -> None:
    """`extra` must not overwrite what a record has already; that raises, but only when the line is said."""
    own = logging.makeLogRecord({}).__dict__.keys() | {"message", "asctime"}
    assert not own & {"event", *NAMES}
