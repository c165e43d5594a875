"""Two commands from the installation to the first picture of one's own run; each assumption is said."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from shared.notices import PROBES_ASSUMED
from shared.prompts.choice import probe_set_from
from shared.results import ResultStore
from tests.dashboard.browser import APP, free_port, healthy
from tests.e2e.processes import ENVIRONMENT, status_of
from tests.making.commands_here import midwatch_here
from tests.making.runs import add_checkpoint, judge_template, snapshot
from tests.making.waiting import LIMIT_S, wait_until

COMMAND = Path(sys.executable).with_name("midwatch")
"""What `pip install` puts beside Python."""
LABELS = "taking 0 as safe and 1 as unsafe"


def config_of(checkpoint: Path, **changes: object) -> None:
    """Change a checkpoint's config as a training without class names writes it; None removes a field."""
    path = checkpoint / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of plain transformers: LABEL_0 and LABEL_1, no probes, nothing of ours."""
    path = tmp_path / "mine"
    path.mkdir()
    template = judge_template(tmp_path)
    config_of(template, id2label=None, label2id=None)
    add_checkpoint(path, 10, template, 1.0, announced=False)
    add_checkpoint(path, 20, template, 2.0, announced=False)
    return path


@pytest.mark.parametrize("until", ["first picture", pytest.param("all is done", marks=pytest.mark.slow)])
def test_watch_and_dashboard_are_enough(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: str
) -> None:
    before = {path.name: snapshot(path) for path in run.iterdir()}
    log = tmp_path / "log"
    with log.open("wb") as output:
        watching = subprocess.Popen([COMMAND, "watch", run], stdout=output, stderr=output, env=ENVIRONMENT)
    try:
        page = run / "training_visualizations" / "epoch_2_sample_2_unsafe_tokens.html"
        wait_until(lambda: page.exists() or watching.poll() is not None, "the first picture")
        if until == "all is done":
            wait_until(lambda: watching.poll() is not None or all_done(run), "both checkpoints")
        watching.send_signal(signal.SIGTERM)
        assert watching.wait(LIMIT_S) == 0, log.read_text()
    finally:
        watching.kill()
        watching.wait()
    said = log.read_text()
    assert said.count(PROBES_ASSUMED) == said.count(LABELS) == 1
    record = ResultStore(run / "_midwatch" / "results").newest("checkpoint-20", "tokens")
    assert record is not None
    assert record.probe_digest == probe_set_from().digest
    assert {PROBES_ASSUMED} < set(record.warnings)
    assert any(LABELS in warning for warning in record.warnings)
    assert {path.name: snapshot(path) for path in run.glob("checkpoint-*")} == before
    assert {path.name for path in run.iterdir()} == {*before, "_midwatch", "training_visualizations"}

    told = midwatch_here("status", str(run))
    assert told.returncode == 0
    assert LABELS in " ".join(told.stdout.split())
    check_dashboard(run, monkeypatch)


def all_done(run: Path) -> bool:
    return [row["state"] for row in status_of(run).get("checkpoints", [])] == ["done", "done"]


def check_dashboard(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It serves, and its first page has pictures and no error."""
    port = free_port()
    command = [COMMAND, "dashboard", run, "--port", str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT
    ) as serving:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: serving.poll() is not None or healthy(url), "the dashboard")
            assert serving.poll() is None
        finally:
            serving.terminate()
    monkeypatch.setenv("MIDWATCH_RUNS", str(run))
    page = AppTest.from_file(str(APP), default_timeout=LIMIT_S).run()
    assert not page.exception
    assert any('"pictures"' in drawn.proto.json for drawn in page.get("bidi_component"))


def test_a_language_model_says_the_one_command_everywhere(run: Path) -> None:
    for checkpoint in run.glob("checkpoint-*"):
        config_of(checkpoint, architectures=["LlamaForCausalLM"])
        state = checkpoint / "trainer_state.json"
        state.write_text(state.read_text())
    remedy = f"midwatch init {run} --chat"
    asked = midwatch_here("analyze", str(run))
    assert asked.returncode == 2
    assert f"`{remedy}`" in asked.stderr.splitlines()[-1]
    told = midwatch_here("status", str(run))
    assert told.returncode == 0
    assert f"what to do: {remedy}" in " ".join(told.stdout.split())
    status = json.loads(midwatch_here("status", str(run), "--json").stdout)["result"]["runs"][0]
    assert status["remedy"] == remedy
    examined = midwatch_here("doctor", str(run))
    assert examined.returncode == 1
    assert remedy in " ".join(examined.stdout.split())
