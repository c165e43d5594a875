"""docs/logs.md is true: it lists every event and field that the source gives a line, and nothing else."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from shared.logs import NAMES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "logs.md").read_text(encoding="utf-8")
ROOMS = [
    ROOT / "analyzer",
    ROOT / "shared" / "logs.py",
    ROOT / "shared" / "cli.py",
    ROOT / "shared" / "own_folders.py",
]
ALWAYS = {"time", "level", "process", "event", "message", "logger", "exception"}
"""Fields that the formatter adds."""


def calls() -> Iterator[tuple[Path, ast.Call]]:
    """Every call in the analyzer, and in what it uses of `shared` to log."""
    for room in ROOMS:
        for path in [room] if room.is_file() else sorted(room.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    yield path, node


def used() -> dict[str, set[str]]:
    """Event -> its fields, as `entry("event", field=...)` gives them."""
    found = defaultdict(set)
    for path, call in calls():
        if isinstance(call.func, ast.Name) and call.func.id == "entry":
            event = call.args[0]
            assert isinstance(event, ast.Constant), f"{path}:{call.lineno}: an event's name is no variable"
            found[event.value] |= {keyword.arg for keyword in call.keywords if keyword.arg}
    return found


def rows(heading: str, columns: int) -> list[list[str]]:
    """Cells of the table under a heading."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    assert all(len(line) == columns for line in lines)
    return [[cell.strip() for cell in line] for line in lines]


def test_every_event_is_documented_with_its_fields() -> None:
    documented = {event.strip("`"): set(re.findall(r"`(\w+)`", names)) for event, _, _, names in rows("Events", 4)}
    assert documented.pop("other") == {"logger"}
    assert {event: names - ALWAYS for event, names in documented.items()} == used()
    assert len(documented) > 25


def test_every_field_is_documented() -> None:
    documented = [name for names, _ in rows("Fields", 2) for name in re.findall(r"`(\w+)`", names)]
    assert sorted(documented) == sorted({*ALWAYS, *NAMES})


def test_every_line_of_the_analyzer_carries_its_fields() -> None:
    methods = {"debug", "info", "warning", "error", "exception", "critical", "log"}
    lines = [
        (path, call)
        for path, call in calls()
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in methods
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "logger"
    ]
    assert len(lines) > 25
    bare = [f"{path}:{call.lineno}" for path, call in lines if "extra" not in {each.arg for each in call.keywords}]
    assert not bare
