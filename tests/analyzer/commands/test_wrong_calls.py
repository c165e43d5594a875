"""Every command, called wrongly: one sentence in plain words that says what to do, exit code 2, nothing written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from midwatch import app
from shared.run import Run
from tests.making.commands_here import midwatch
from tests.making.fake_run import make_fake_run

JARGON = re.compile(r"Traceback|pydantic|Input should|valid integer|unable to parse|type=|\bNone\b|Error:")
CALLS = """
watch nowhere --once | is not a directory; give the output directory
watch {run} --interval x | --interval = 'x': give a whole number.
watch {run} --policy often | a policy is newest, all, or every:N
watch {run} --device gpu | Where to compute: `auto`
watch {run} --timeout nan | --timeout = 'nan': give a
watch {run} --rescan inf | --rescan = 'inf': give a finite number.
watch {run} --suite all | give 'basic' or 'advanced'.
watch {run} --set tokens | write ANALYSIS.SETTING=VALUE
watch {run} --config nowhere.yaml | cannot be read (No such file or directory)
watch {run} --track-to excel | write tensorboard, wandb, trackio or mlflow
watch {run} --out {file}/x --once | {file}/x
watch {run} --workers 0 | --workers = '0': give 1 or more.
watch {run} --devices cpu,cpu --once | cpu
watch {run} --engine slurm | slurm
watch {run} --listen nowhere | nowhere
watch {run} --metrics nowhere | nowhere
analyze nowhere | is not a directory
analyze {run} --epochs 99 | No checkpoint matches; there are epoch 1 (step 120)
analyze {run} --epochs 3-1 | runs backwards
analyze {run} --last 0 | --last = '0': give 1 or more.
evaluate nowhere | is not a directory
evaluate {run} --checkpoint 99 | there is no such checkpoint; there are epoch 1 (step 120)
evaluate {run} --data nowhere.jsonl | nowhere.jsonl does not exist
evaluate {run} --seed x | --seed = 'x': give a whole number.
attack {run} --direction up | give 'both', 'unsafe' or 'safe'.
attack {run} --budget 3 | --budget = '3': give 20 or more.
ask nowhere hello | is not a directory
ask {run} hello --epochs 99 | --epochs 99: there is no such checkpoint
compare nowhere | is not a directory
status nowhere | is not a directory
overview nowhere | is not a directory
overview {run} --max-fpr 2 | --max-fpr = '2': give 1 or less.
failures {run} --epoch 99 | there is no such checkpoint
retry {run} checkpoint-99 | 'checkpoint-99' is not a checkpoint of run
cancel {run} nope | is no request that can be cancelled
render nowhere | is not a directory
render {run} --out nowhere | nowhere is not a directory; give what was --out
report {run} --to {file}/x.html | a file stands in its place
export {run} | Say where the export goes
export {run} --to {file}/x | a file stands in its place
export {run} --to t --format xls | give 'parquet' or 'csv'.
track {run} | Say where to: --to tensorboard
mirror nowhere {run} | 'nowhere'
mirror s3://bucket/run {run} --last x | give a whole number.
mirror s3://bucket/run {run} --poll nan | give a
mirror s3://bucket/run {run} --endpoint nowhere | nowhere
doctor nowhere | is not a directory
doctor {run} --device gpu | Device the analyzer is to use: `auto`
init nowhere | is not a directory
init {run} --kind magic | give 'classifier' or 'prompted'.
dashboard nowhere | is not a directory
dashboard {run} --port 99999 | --port = '99999': give 65535 or less.
prepare out --data nowhere.jsonl | nowhere.jsonl does not exist
prepare out --augment 99 | --augment = '99': give 16 or less.
train --epochs inf | --epochs = 'inf': give a finite number.
train --save-every x | give a whole number or 'epoch'.
train --batch-size 1.5 | --batch-size = '1.5': give a whole number.
demo --epochs 0 | --epochs = '0': give 1 or more.
demo --no-serve --output-dir {file} | a file stands in its place
pipeline --rounds 10 | --rounds = '10': give 9 or less.
pipeline --output-dir {file} | a file stands in its place
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_fake_run(tmp_path_factory.mktemp("calls") / "run", epochs=1)


@pytest.mark.parametrize("call", CALLS.strip().splitlines())
def test_one_sentence_and_exit_code_2(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    (tmp_path / "file").touch()
    words, said = (part.strip().format(run=run.path, file=tmp_path / "file") for part in call.split(" | "))
    done = midwatch(*words.split())
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("midwatch: ") and said in last and last.endswith(".") and not JARGON.search(done.stderr)
    assert done.stdout == "" and list(here.iterdir()) == []


def test_every_command_is_among_them() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert {line.split()[0] for line in CALLS.strip().splitlines()} == set(commands)
