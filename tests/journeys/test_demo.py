"""How the demo starts its components."""

from __future__ import annotations

from pathlib import Path

import pytest

import journeys.demo
from journeys.demo import start_analyzer, start_trainer
from journeys.settings import DemoSettings
from shared.processes import NEUTRAL
from shared.run import Run


def test_a_config_files_relative_paths_are_meant_from_where_the_user_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[list[str], Path]] = []

    def start(words: list[str], log: Path, cores: list[int], place: Path = NEUTRAL) -> None:
        started.append((words, place))

    monkeypatch.setattr(journeys.demo, "start", start)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    settings = DemoSettings(output_dir=Path("run"), train_config=Path("train.yaml"))
    start_trainer(Run.at("run"), settings)
    start_analyzer(Run.at("run"), settings)
    (train, where), (watch, neutral) = started
    assert train[-2:] == ["--config", str(tmp_path / "train.yaml")]
    assert (where, neutral) == (tmp_path, NEUTRAL)
    assert str(tmp_path / "run") in train and str(tmp_path / "run") in watch
