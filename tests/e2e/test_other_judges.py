"""Judges that are not the usual ones, by the commands: an encoder-decoder, and what can be no judge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.results import ResultStore
from tests.e2e.processes import results_of, status_of
from tests.making.commands_here import midwatch_here
from tests.making.runs import add_checkpoint, describe, judge_template
from tests.making.sweep import save_small


@pytest.mark.slow
def test_an_encoder_decoder_gets_the_basic_suite(tmp_path: Path) -> None:
    run = describe(tmp_path / "run")
    add_checkpoint(run, 10, save_small(tmp_path / "t5", "t5"), 1.0)
    done = midwatch_here("analyze", str(run))
    assert done.returncode == 0, done.stderr
    store = ResultStore(run / "_midwatch" / "results")
    found = {name: store.newest("checkpoint-10", name) for name in ("tokens", "layers", "comparison", "progress")}
    assert all(found.values()), done.stderr
    layers = found["layers"]
    assert layers is not None and layers.judge["family"] == "t5"
    assert "those of its encoder" in " ".join(layers.payload["notes"])


def test_what_can_be_no_judge_is_rejected_before_an_attempt(tmp_path: Path) -> None:
    run = describe(tmp_path / "run")
    checkpoint = add_checkpoint(run, 10, judge_template(tmp_path), 1.0, announced=False)
    config = json.loads((checkpoint / "config.json").read_text()) | {"architectures": ["BertForMaskedLM"]}
    state = (checkpoint / "trainer_state.json").read_text()
    (checkpoint / "config.json").write_text(json.dumps(config))
    (checkpoint / "trainer_state.json").write_text(state)  # written last, as the Trainer does
    done = midwatch_here("analyze", str(run), "--only", "layers")
    assert done.returncode == 2, done.stderr
    assert "checkpoint-10 is a BertForMaskedLM" in done.stderr.splitlines()[-1]
    assert [row["state"] for row in status_of(run)["checkpoints"]] == ["rejected"]
    assert not results_of(run) and not list(run.glob("_midwatch/attempts/*"))
