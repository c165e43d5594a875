"""A run that is full of traps, before witnesses: no code of it runs, and nothing outside it changes.

Modules of every name lie in the run and in its checkpoint, whose config names code and remote places; in turns each
folder of ours is a link that leads out.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.making.runs import snapshot
from tests.making.witness import Witness
from tests.torture.stage import Scene
from trainer.announce import announce

MODULES = ("torch", "transformers", "safetensors", "json", "numpy", "tokenizers", "modeling_judge", "sitecustomize")
CODE = {
    "auto_map": {"AutoModelForSequenceClassification": "modeling_judge.Judge", "AutoConfig": "modeling_judge.C"},
    "_attn_implementation": "kernels-community/flash-attn",
    "custom_pipelines": {"judge": {"impl": "modeling_judge.Pipeline"}},
    "trust_remote_code": True,
}
LINKS = (
    "_midwatch/pins",
    "_midwatch/results/checkpoint-10",
    "_midwatch/results/checkpoint-10/progress",
    "_midwatch/attempts",
    "training_visualizations",
)


def with_traps(run: Path) -> None:
    """Modules that leave a file when they run, wherever Python could look for one."""
    for folder in (run, run / "checkpoint-10"):
        for name in MODULES:
            (folder / f"{name}.py").write_text(f"open({str(run / 'sprung')!r}, 'w').close()\n")
    config = run / "checkpoint-10" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | CODE))
    announce(run, 10, 1.0, {})


def told_of(scene: Scene, who: str) -> list[str]:
    """What the witness of one process noted of an analysis that came to its end."""
    assert scene.analyze(who, 0, "witness") in (0, 1), scene.told()
    return scene.taken()


@pytest.mark.parametrize("who", ["supervisor", "worker"])
def test_no_code_of_a_run_runs_and_nothing_is_written_elsewhere(scene_at: Callable[[int], Scene], who: str) -> None:
    scene = scene_at(0)
    with_traps(scene.run)
    assert told_of(scene, who) == []
    assert not (scene.run / "sprung").exists()
    assert scene.said.read_text().count(": done in") == 1, scene.told()


@pytest.mark.parametrize("who", ["supervisor", "worker"])
def test_a_folder_of_ours_that_leads_out_is_not_followed(scene_at: Callable[[int], Scene], who: str) -> None:
    for number, link in enumerate(LINKS, 1):
        scene = scene_at(number)
        home = scene.folder / "home"
        for name in ("checkpoint-10", ".checkpoint-10.abcdefgh", "progress"):
            (home / name).mkdir(parents=True)
            (home / name / "letter").write_text("dear")
        before, place = snapshot(home), scene.run / link
        if place.is_dir():
            shutil.rmtree(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(home)
        assert told_of(scene, who) == [], link
        assert snapshot(home) == before, link


def test_a_witness_tells_of_what_it_sees(tmp_path: Path) -> None:
    run, log = tmp_path / "run", tmp_path / "log.txt"
    witness = Witness(run, log)
    witness.hear("exec", (compile("", str(run / "trap.py"), "exec"),))
    witness.hear("exec", (compile("", str(tmp_path / "ours.py"), "exec"),))
    witness.hear("open", (str(tmp_path / "sprung"), "w", os.O_WRONLY))
    witness.hear("open", (str(tmp_path / "read"), "r", os.O_RDONLY))
    witness.hear("os.rename", (str(run / "a"), str(tmp_path / "b"), -1, -1))
    witness.hear("os.remove", (str(run / "a"), -1))
    expected = [f"runs {run / 'trap.py'}", f"changes {tmp_path / 'sprung'}", f"changes {tmp_path / 'b'}"]
    assert log.read_text().splitlines() == expected
