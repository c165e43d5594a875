"""bench.json, BENCHMARKS.md and the command: one benchmark's run leaves the others' figures alone."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.bench import Bar, Figure, Machine, Size, Unavailable, median_figure
from tests.bench import __main__ as command
from tests.bench import _book as book
from tests.bench import _tables as tables
from tests.bench._machine import this_machine

OLD = Machine(cpu="old", cores=2, memory_gib=8, gpu=None, python="3.11", torch="2", transformers="5")
NEW = OLD.model_copy(update={"cpu": "new"})
MONDAY, FRIDAY = datetime.date(2026, 1, 5), datetime.date(2026, 1, 9)
DOCUMENT = (
    "Before.\n<!-- bench: edges suite -->\n<!-- /bench -->\nBetween.\n<!-- bench: machines -->\n<!-- /bench -->\n"
)


def figure(name: str, value: float | None = 1.0, **fields: object) -> Figure:
    return Figure(name=name, value=value, **fields)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "bench.json"
    book.write_figures("edges", [figure("a"), figure("b", 2.0, bar=">= 3", unit="x")], OLD, MONDAY, path)
    book.write_figures("suite", [figure("c")], OLD, MONDAY, path)
    return path


# ---- the published files ----


def test_the_tables_are_those_of_bench_json() -> None:
    """Edit bench.json by measuring, BENCHMARKS.md by `python -m tests.bench --write`, neither by hand."""
    text = tables.BENCHMARKS_MD.read_text(encoding="utf-8")
    assert tables.with_tables(text, book.read_book()) == text


def test_every_benchmark_has_one_table() -> None:
    assert sorted(tables.marked(tables.BENCHMARKS_MD.read_text())) == sorted([*book.NAMES, *book.ELSEWHERE])


def test_every_record_belongs_to_a_benchmark_and_is_alone() -> None:
    records = book.read_book().figures
    assert {record.benchmark for record in records} == {*book.NAMES, *book.ELSEWHERE}
    keys = [(record.benchmark, record.name) for record in records]
    assert len(set(keys)) == len(keys)


def test_every_figure_with_a_bar_says_whether_it_is_met() -> None:
    """As written, not as derived on reading; what was not measured says why."""
    for raw, record in zip(
        json.loads(book.BENCH_JSON.read_text())["figures"], book.read_book().figures, strict=True
    ):
        assert raw["met"] is record.met
        if raw["bar"] is not None:
            assert (raw["met"] is None) == (raw["value"] is None), raw
        assert raw["value"] is not None or raw["note"], raw


# ---- bars and figures ----


@pytest.mark.parametrize(
    ("bar", "value", "met"),
    [("<= 1.5", 1.5, True), ("<= 1.5", 1.51, False), ("< 1 warm", 1.0, False), (">= 3", 2.9, False),
     ("> 0", 1.0, True), ("== 0", 0.0, True), ("== 0", 1.0, False), ("<= 1e-4", 8e-7, True)],
)  # fmt: skip
def test_a_bar_is_its_text(bar: str, value: float, met: bool) -> None:
    assert figure("a", value, bar=bar).met is met


def test_no_value_or_no_bar_meets_nothing() -> None:
    assert figure("a", None, bar=">= 3").met is None
    assert figure("a", 3.0).met is None


def test_a_bar_without_a_number_and_a_value_that_is_none_are_refused() -> None:
    with pytest.raises(ValidationError, match="comparison and a number"):
        figure("a", bar="small")
    with pytest.raises(ValidationError):
        figure("a", float("nan"))


def test_the_median_with_its_range() -> None:
    found = median_figure("a", [3.0, 1.0, 1.5], "x", bar="<= 2")
    assert (found.value, found.n, found.met) == (1.5, 3, True)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == (1.0, 3.0)
    assert found.bar == Bar(text="<= 2", comparison="<=", limit=2.0)


# ---- the book ----


def test_a_run_replaces_its_own_figures_only(path: Path) -> None:
    before = book.read_book(path).of("suite")
    book.write_figures("edges", [figure("a", 5.0)], NEW, FRIDAY, path)
    after = book.read_book(path)
    assert [(one.name, one.value, one.machine, one.date) for one in after.of("edges")] == [("a", 5.0, NEW, FRIDAY)]
    assert after.of("suite") == before


def test_what_is_written_is_read_again(path: Path) -> None:
    (first, second) = book.read_book(path).of("edges")
    assert (first.met, second.met, second.unit) == (None, False, "x")
    assert [path] == list(path.parent.iterdir())


def test_this_machine_knows_itself() -> None:
    here = this_machine()
    assert here.cpu and here.cores > 0 and here.memory_gib > 0 and here.torch[0].isdigit()


# ---- the tables ----


def test_tables_stand_between_their_markers(path: Path) -> None:
    book.write_figures("suite", [figure("c|d", 12345.6, note="n")], NEW, FRIDAY, path)
    text = tables.with_tables(DOCUMENT, book.read_book(path))
    assert text.startswith("Before.\n<!-- bench: edges suite -->\n| figure | measured |")
    assert "| a | 1 |  |  |  |  | A, 2026-01-05 |  |\n| b | 2 x |  |  | >= 3 | NO | A, 2026-01-05 |  |\n" in text
    assert "| c\\|d | 12,346 |  |  |  |  | B, 2026-01-09 | n |\n<!-- /bench -->\nBetween.\n" in text
    assert "| A | old | 2 | 8 GiB | none |" in text and "| B | new |" in text


def test_writing_twice_changes_nothing_and_an_edit_is_noticed(path: Path) -> None:
    known = book.read_book(path)
    text = tables.with_tables(DOCUMENT, known)
    assert tables.with_tables(text, known) == text
    assert tables.with_tables(text.replace("| 2 x |", "| 4 x |"), known) == text


# ---- the command ----


@pytest.fixture
def published(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command with its files in a folder of the test; returns the document."""
    document = tmp_path / "BENCHMARKS.md"
    document.write_text(DOCUMENT)
    monkeypatch.setattr(command, "write_figures", lambda *args: book.write_figures(*args, path=path))
    monkeypatch.setattr(command, "write_tables", lambda: tables.write_tables(document, book.read_book(path)))
    return document


def replace_measure(monkeypatch: pytest.MonkeyPatch, found: list[Figure] | Exception) -> None:
    def measure(size: Size) -> list[Figure]:
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(command, "measure_of", lambda name: measure)


def test_measuring_writes_figures_and_tables(
    published: Path, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    replace_measure(monkeypatch, [figure("new", 7.0, bar="<= 5")])
    assert command.main(["edges"]) == 0
    assert [one.name for one in book.read_book(path).of("edges")] == ["new"]
    assert "| new | 7 |" in published.read_text() and "| c | 1 |" in published.read_text()
    assert "1 bars missed" in capsys.readouterr().err


def test_a_tiny_run_writes_nothing(published: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_measure(monkeypatch, [figure("new")])
    before = path.read_bytes()
    assert command.main(["--tiny", "edges"]) == 0
    assert (path.read_bytes(), published.read_text()) == (before, DOCUMENT)


def test_what_cannot_run_keeps_its_old_figures(
    published: Path, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    replace_measure(monkeypatch, Unavailable("It needs a GPU."))
    before = book.read_book(path)
    assert command.main(["edges"]) == 1
    assert book.read_book(path) == before
    assert "its old figures stay. It needs a GPU." in capsys.readouterr().err


def test_what_was_measured_before_a_failure_is_in_the_tables(
    published: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.write_figures("edges", [figure("measured before")], NEW, FRIDAY, path)
    replace_measure(monkeypatch, RuntimeError("broken"))
    with pytest.raises(RuntimeError, match="broken"):
        command.main(["suite"])
    assert "measured before" in published.read_text()


def test_list_and_wrong_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == book.NAMES
    with pytest.raises(SystemExit) as ended:
        command.main(["throughputt"])
    assert ended.value.code == 2
    assert "there is no benchmark 'throughputt'" in capsys.readouterr().err
