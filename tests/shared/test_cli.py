from __future__ import annotations

import errno
import re
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
import typer
from pydantic import Field

from shared.cli import also, in_config, positional, run_app, settings_command
from shared.errors import MidwatchError, RunError, UsageError
from shared.settings import Settings


class Example(Settings):
    run: Path = positional()
    """The run."""
    suite: Literal["basic", "advanced"] = "basic"
    """Analyses to run."""
    rate: float = Field(0.5, gt=0)
    """Steps a second."""
    tags: list[str] = Field(default_factory=list)
    """Any words."""
    force: bool = False
    """Replace."""
    out: Path | None = None
    """Elsewhere."""


def app_that(action: Any) -> typer.Typer:
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)

    @settings_command(app, Example, "go")
    def go(settings: Example) -> None:
        """Do the thing."""
        action(settings)

    @app.command("other")
    def other() -> None: ...

    return app


def call(app: typer.Typer, monkeypatch: pytest.MonkeyPatch, *args: str) -> int:
    """Run the command line in this process; its exit code."""
    monkeypatch.setattr(sys, "argv", ["midwatch", *args])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as done:
        run_app(app)
    return int(done.value.code or 0)


def test_every_kind_of_option_arrives_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Example] = []
    flags = ["--suite", "advanced", "--rate", "2", "--tags", "a", "--tags", "b", "--force", "--out", "o"]
    assert call(app_that(seen.append), monkeypatch, "go", "r", *flags) == 0
    assert seen == [Example(run=Path("r"), suite="advanced", rate=2, tags=["a", "b"], force=True, out=Path("o"))]


class Named(Example):
    look_inside: bool = also("see_inside", default=True)
    """Look."""
    oven: dict[str, Any] = in_config()
    """Names and values."""


@pytest.mark.parametrize("option", ["--no-look-inside", "--no_look_inside", "--no-see-inside", "--no_see_inside"])
def test_options_have_dashes_or_underscores_and_other_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, option: str
) -> None:
    seen: list[Named] = []
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.callback()(lambda: None)
    settings_command(app, Named, "go")(seen.append)
    config = tmp_path / "go.yaml"
    config.write_text("oven: {heat: 200}")
    assert call(app, monkeypatch, "go", "r", option, "--config", str(config)) == 0
    assert not seen[0].look_inside and seen[0].oven == {"heat": 200}
    assert call(app, monkeypatch, "go", "r", "--oven", "x") == 2


class Grouped(Example):
    sections = {"Where": ("out", "force"), "How": ("suite",)}  # noqa: RUF012
    side: Literal["left", "right"] | None = None
    """A side."""
    word: str = ""
    """A word."""


def test_options_stand_under_their_headings(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False, rich_markup_mode=None)

    @settings_command(app, Grouped, "go")
    def go(settings: Grouped) -> None:
        """Do the thing."""

    assert call(app, monkeypatch, "--help") == 0
    text = capsys.readouterr().out
    order = (
        "Arguments:",
        "run <path>",
        "Where:",
        "--out",
        "--force",
        "How:",
        "--suite",
        "Other options:",
        "--rate",
    )
    assert [text.index(word) for word in order] == sorted(text.index(word) for word in order)
    assert "A side. One of: left, right." in text
    assert "Default: ." not in text, "a default that is empty is not said"


def test_what_is_not_typed_comes_from_the_config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("suite: advanced\ntags: [x]\nforce: true\nout: there\nrate: 3\n")
    seen: list[Example] = []
    app = app_that(seen.append)
    assert call(app, monkeypatch, "go", "r", "--config", str(config)) == 0
    assert call(app, monkeypatch, "go", "r", "--config", str(config), "--no-force", "--rate", "1") == 0
    assert [(s.suite, s.tags, s.force, s.rate) for s in seen] == [
        ("advanced", ["x"], True, 3),
        ("advanced", ["x"], False, 1),
    ]


def test_help_shows_each_docstring_and_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert call(app_that(print), monkeypatch, "go", "--help") == 0
    text = re.sub(r"\x1b\[[0-9;]*m|[│ \n]+", " ", capsys.readouterr().out)
    for words in (
        "Do the thing",
        "The run",
        "One of: basic, advanced. Default: basic",
        "Default: 0.5",
        "--no-force",
        "--config",
    ):
        assert words in re.sub(" +", " ", text)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["go", "r", "--rate", "-1"], "--rate = '-1': give a number greater than 0."),
        (["go", "r", "--suite", "none"], "--suite = 'none': give 'basic' or 'advanced'."),
        (["go", "r", "--nope", "1"], "No such option: --nope"),
        (["go"], "Missing argument"),
        (["nope"], "No such command"),
    ],
)
def test_usage_errors_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, args: list[str], said: str
) -> None:
    assert call(app_that(print), monkeypatch, *args) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("Say it right."), 2, "midwatch: Say it right.\n"),
        (RunError("No run."), 1, "midwatch: No run.\n"),
        (MidwatchError("It failed."), 1, "midwatch: It failed.\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/run/x"),
            1,
            "midwatch: /run/x: No space left on device.",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "/run"), 1, "midwatch: /run: Permission denied."),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_failures_are_one_sentence_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, error: BaseException, code: int, said: str
) -> None:
    def fails(settings: Example) -> None:
        raise error

    assert call(app_that(fails), monkeypatch, "go", "r") == code
    assert capsys.readouterr().err.startswith(said)


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(settings: Example) -> None:
        raise FileNotFoundError(errno.ENOENT, "a bug")

    monkeypatch.setattr(sys, "argv", ["midwatch", "go", "r"])
    with pytest.raises(FileNotFoundError):
        run_app(app_that(fails))
