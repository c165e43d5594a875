"""`midwatch track` as people type it."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import UsageError
from shared.run import Run
from shared.settings import build
from tests.making.commands_here import midwatch
from tests.making.fake_run import make_fake_run
from tests.making.webhook import KEY, webhook


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_fake_run(tmp_path / "runs" / "judge", epochs=2)


def test_numbers_go_out_once(run: Run) -> None:
    first = midwatch("track", run.path, "--to", "tensorboard")
    folder = run.tracked / "tensorboard"
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == f"judge: numbers of 2 checkpoints to tensorboard: `tensorboard --logdir {folder}`\n"
    again = midwatch("track", run.path.parent, "--to", "tensorboard")
    assert (again.returncode, again.stdout) == (0, "judge: nothing new for tensorboard\n")
    assert not (folder / "lease.json").exists()


def test_what_is_not_installed_does_not_stop_the_rest(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "wandb" else real(name))
    done = midwatch("track", run.path, "--to", "wandb", "--to", "tensorboard")
    assert done.returncode == 2
    assert done.stderr == "midwatch: wandb is not installed; run `pip install 'midwatch[wandb]'`.\n"
    assert "2 checkpoints to tensorboard" in done.stdout and not (run.tracked / "wandb").exists()


def test_alarms_go_where_they_are_asked_for(tmp_path: Path) -> None:
    run = make_fake_run(tmp_path / "judge", epochs=8)
    config = tmp_path / "track.yaml"
    with webhook() as hook:
        config.write_text(f"notify: {hook.url}\n")
        done = midwatch("track", run.path, "--config", config)
        again = midwatch("track", run.path, "--config", config)
        assert len(hook.came) == 1
    assert (done.returncode, done.stdout) == (0, "judge: 1 alert told\n")
    assert (again.returncode, again.stdout) == (0, "judge: no alert that was not told\n")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["{folder}/runs/judge"], 2, "Say where to: --to tensorboard, wandb, trackio or mlflow, or --notify URL."),
        (["{folder}/nowhere", "--to", "tensorboard"], 2, "is not a directory"),
        (["{folder}/runs/judge", "--to", "neptune"], 2, "write tensorboard, wandb, trackio or mlflow"),
        (["{folder}/empty", "--to", "tensorboard"], 1, "has no results yet; run `midwatch analyze"),
        (["{folder}/runs/judge", "--notify", "nonsense://k3y"], 2, "apprise knows no address like that"),
    ],
)
def test_mistakes_get_one_sentence(run: Run, tmp_path: Path, words: list[str], code: int, sentence: str) -> None:
    (tmp_path / "empty").mkdir()
    done = midwatch("track", *(word.format(folder=tmp_path) for word in words))
    assert done.returncode == code and sentence in done.stderr
    assert done.stderr.count("\n") == 1 and "k3y" not in done.stderr


def test_an_address_is_never_repeated(tmp_path: Path) -> None:
    from analyzer.commands.run_settings import TrackSettings

    settings = build(TrackSettings, {"runs": [tmp_path], "notify": f"json://host/{KEY}"})
    assert KEY not in repr(settings) and KEY not in settings.model_dump_json()
    config = tmp_path / "track.yaml"
    config.write_text(f"notify: [json://host/{KEY}]\n")
    with pytest.raises(UsageError) as caught:
        build(TrackSettings, {"runs": [tmp_path]}, config)
    assert str(caught.value).startswith("--notify: ") and KEY not in str(caught.value)
