"""A run of very many checkpoints, all analysed: one is really done, and the others are its files by hard links."""

from __future__ import annotations

import json
import os
from pathlib import Path

from shared.run import Run
from tests.making.runs import add_checkpoint, describe
from tests.making.stage import Stage


def make_long_run(path: Path, count: int, template: Path) -> Run:
    """`count` checkpoints 10 steps apart, each complete, announced, digested, with two results and drawn."""
    first = "checkpoint-10"
    add_checkpoint(describe(path, steps=10 * count), 10, template, 1.0)
    stage = Stage(path, template)
    stage.steps(6)
    stage.supervisor.close()
    assert stage.states == {10: "done"}
    run = Run.at(path)
    commit = json.loads((run.commits / f"{first}.json").read_text())
    for step in range(20, 10 * count + 1, 10):
        name = f"checkpoint-{step}"
        _link(path / first, path / name)
        _link(run.results / first, run.results / name)
        for folder in (run.digests, run.drawn):
            os.link(folder / f"{first}.json", folder / f"{name}.json")
        told = commit | {"checkpoint": name, "step": step, "epoch": step / 10}
        (run.commits / f"{name}.json").write_text(json.dumps(told))
    return run


def _link(source: Path, target: Path) -> None:
    target.mkdir()
    for entry in source.iterdir():
        if entry.is_dir():
            _link(entry, target / entry.name)
        else:
            os.link(entry, target / entry.name)
