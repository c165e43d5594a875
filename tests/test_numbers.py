"""docs/numbers.md defines every number that is shown, names the function behind each, and its papers."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from shared.pages.metrics_json import checkpoint_metrics
from shared.results import ResultRecord
from shared.tables.registry import described
from tests.making.fakes import fake_results

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "numbers.md").read_text(encoding="utf-8")
NOT_NUMBERS = {
    "checkpoint", "checkpoint_digest", "probe_digest", "analyzer_version", "warnings", "notices",
}  # fmt: skip
"""Keys of metrics.json that say what it is of, and in sentences what to mind."""


class Number(NamedTuple):
    """One row of a table."""

    names: list[str]
    words: str
    unit: str
    interval: str
    after: list[str]
    function: str


def numbers() -> list[Number]:
    rows = []
    for line in TEXT.splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            names, words, unit, interval, after, function = cells
            papers = [each.strip() for each in after.split(";") if each.strip()]
            rows.append(Number(re.findall(r"`([^`]+)`", names), words, unit, interval, papers, function.strip("`")))
    return rows


def papers() -> dict[str, str]:
    """What a paper is cited as -> the rest of its entry."""
    entries = re.findall(r"^- (.+? \d{4})\. (.+)$", TEXT.partition("## Papers")[2], re.MULTILINE)
    return dict(entries)


def is_defined(name: str) -> bool:
    plain = re.sub(r"_(low|high)$", "", name)
    return any(fnmatchcase(plain, pattern) for row in numbers() for pattern in row.names)


@pytest.fixture(scope="module")
def records() -> dict[str, ResultRecord]:
    """A result of each analysis, with every part filled."""
    return {record.analysis: record for record, _ in fake_results(2, advanced=True)}


def test_every_number_of_an_export_is_defined() -> None:
    shown = {
        column.name for table in described() for column in table.columns if column.kind in ("integer", "number")
    }
    assert len(shown) > 80
    assert not sorted(name for name in shown if not is_defined(name))


def test_every_key_of_metrics_json_is_defined(records: dict[str, ResultRecord]) -> None:
    keys = set(checkpoint_metrics(records, [])) - NOT_NUMBERS
    assert len(keys) > 80
    assert not sorted(name for name in keys if not is_defined(name))


def summaries() -> set[str]:
    """Names under which analyses give their summaries: those that the code's own docstrings list."""
    found = set()
    for path in (ROOT / "analyzer" / "analyses").glob("*.py"):
        doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        listed = re.search(r"^Summary(.*?)(?:\. ?Tensors|\.\nTensors|\Z)", doc, re.DOTALL | re.MULTILINE)
        found |= set(re.findall(r"\b[a-z]+(?:_[a-z0-9]+)+\b", listed[1])) if listed else set()
    return found


def test_every_summary_is_defined() -> None:
    assert len(summaries()) > 40
    assert not sorted(name for name in summaries() if not is_defined(name))


@cache
def defined_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


@pytest.mark.parametrize("function", sorted({row.function for row in numbers()}))
def test_the_function_behind_it_exists(function: str) -> None:
    module, _, name = function.rpartition(".")
    path = ROOT / Path(*module.split(".")).with_suffix(".py")
    path = path if path.exists() else path.with_suffix("") / "__init__.py"
    assert path.exists() and name in defined_in(path), function


def test_each_row_says_what_it_is_and_in_which_unit() -> None:
    assert not [row.names for row in numbers() if not (row.names and row.words and row.unit and row.function)]


def test_every_paper_is_listed_with_its_title_and_none_in_vain() -> None:
    listed = papers()
    cited = {paper for row in numbers() for paper in row.after}
    head = TEXT.partition("## What it is of")[0]
    assert cited <= listed.keys(), cited - listed.keys()
    assert not {
        name for name in listed if name not in cited and name.rpartition(" ")[0] not in head.replace("\n", " ")
    }
    assert all(len(re.sub(r"arXiv \d{4}\.\d{5}", "", entry)) > 25 for entry in listed.values())
