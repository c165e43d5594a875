"""The commands as people type them: sentences, exit codes, and that nothing heavy is imported to print help."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from analyzer.commands import doctor
from analyzer.commands.needed import NEEDED, require
from analyzer.commands.run_settings import DoctorSettings, StatusSettings
from analyzer.commands.settings import AnalyzeSettings, WatchSettings
from analyzer.commands.status import _table
from shared.errors import UsageError
from shared.files import write_record
from shared.records import CheckpointState, CheckpointStatus, Notice, Status
from shared.results import ResultStore
from shared.settings import build
from tests.making.commands_here import midwatch
from tests.making.fake_run import make_fake_run
from tests.making.runs import describe

ROOT = Path(__file__).parents[3]


def test_the_supervisor_and_the_commands_do_without_torch() -> None:
    code = (
        "import analyzer.cli, analyzer.supervisor.loop, analyzer.engines.local, sys\n"
        "import analyzer.commands.analyse, analyzer.commands.status\n"
        "heavy = {'torch', 'transformers', 'pandas', 'sklearn', 'scipy', 'streamlit'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_help_is_there_without_what_the_extra_installs(tmp_path: Path) -> None:
    """Modules that raise when imported stand for packages that are not installed."""
    for name in NEEDED:
        (tmp_path / f"{name}.py").write_text("raise ImportError('not installed here')")
    command = [sys.executable, "-m", "midwatch", "watch", "--help"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    assert "--policy" in done.stdout


def test_without_the_extra_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else real(name))
    with pytest.raises(UsageError, match=r"pip install 'midwatch\[analyzer\]'"):
        require("torch", "watchdog")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["watch", "{folder}/nowhere"], 2, "is not a directory"),
        (["watch", "{folder}", "--policy", "oldest"], 2, "every:N"),
        (["watch", "{folder}", "--slot", "noon"], 2, "22:00-06:00"),
        (["watch", "{folder}", "--device", "tpu"], 2, "--device"),
        (["watch", "{folder}", "--interval", "0"], 2, "--interval"),
        (["watch", "{folder}", "--set", "tokens"], 2, "ANALYSIS.SETTING=VALUE"),
        (["watch", "{folder}", "--set", "tokens.gap_bound=[1"], 2, "--set 'tokens.gap_bound=[1' is not valid YAML"),
        (["watch", "{folder}", "--set", "tokens.gap_bound=!!int x"], 2, "a value that is no int"),
        (["analyze", "~no-such-user"], 2, "begins with a home directory that is not known"),
        (["analyze", "{folder}", "--out", "~no-such-user/x"], 2, "begins with a home directory that is not known"),
        (["status", "~no-such-user"], 2, "begins with a home directory that is not known"),
        (["watch", "{folder}", "--config", "{folder}/bad.yaml"], 2, "polcy"),
        (["watch", "{folder}", "--config", "{folder}/none.yaml"], 2, "cannot be read"),
        (["analyze", "{folder}/nowhere"], 2, "is not a directory"),
        (["init", "{folder}/nowhere"], 2, "is not a directory"),
        (["status", "{folder}/nowhere"], 2, "is not a directory"),
        (["retry", "{folder}/nowhere"], 2, "is not a directory"),
        (["render", "{folder}/nowhere"], 2, "is not a directory"),
        (["dashboard", "{folder}/nowhere"], 2, "is not a directory"),
        (["watch", "{folder}", "--pattern", "^model-("], 2, "is no regular expression"),
        (["watch", "{folder}", "--ready-marker", "a/b"], 2, "is not a file's name"),
        (["analyze", "{folder}/run", "--pattern", "model-*"], 1, "fits --pattern 'model-*'; there are none"),
        (["analyze", "{folder}"], 1, "has no checkpoint yet"),
        (["analyze", "{folder}", "--epochs", "5-1"], 2, "backwards"),
        (["status", "{folder}/run"], 1, "No analyzer has looked at"),
        (["retry", "{folder}/run", "best"], 2, "is not a checkpoint"),
        (["render", "{folder}/run"], 1, "has no results yet"),
        (["render", "{folder}"], 1, "has no results of its own; render one of its runs, e.g. {folder}/run"),
        (["init", "{folder}/run"], 2, "midwatch"),
    ],
)
def test_mistakes_get_one_sentence(tmp_path: Path, words: list[str], code: int, sentence: str) -> None:
    describe(tmp_path / "run")
    (tmp_path / "bad.yaml").write_text("polcy: newest\n")
    done = midwatch(*(word.format(folder=tmp_path) for word in words))
    assert done.returncode == code, done.stderr
    assert sentence.replace("{folder}", str(tmp_path)) in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["", "train", "watch", "analyze", "dashboard", "demo"])
def test_help_cuts_nothing_on_a_narrow_terminal(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = midwatch(*command.split(), "--help")
    assert done.returncode == 0 and "…" not in done.stdout
    if not command:
        assert "Check what the analyzer needs on this machine, and say what to" in done.stdout
    if command == "train":
        assert "--visualize-during-training, --visualize-training / --no-visualize-during-training" in done.stdout


def test_status_names_checkpoints_in_full_on_a_narrow_terminal() -> None:
    names = [
        "calibration",
        "circuits",
        "comparison",
        "evolution",
        "heads",
        "layers",
        "neurons",
        "progress",
        "tokens",
    ]
    row = CheckpointStatus(checkpoint="checkpoint-1200", step=1200, epoch=12.5, state=CheckpointState.SKIPPED)
    rows = [row.model_copy(update={"done": names[:4], "missing": names[4:], "cause": "Not asked for, as it was."})]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(_table(rows))
    text = console.export_text()
    assert "checkpoint-1200" in text and "skipped" in text and "…" not in text


def test_status_says_what_the_newest_results_begin_with(tmp_path: Path) -> None:
    run = make_fake_run(tmp_path / "run", epochs=1)
    store = ResultStore(run.results)
    old = store.newest("checkpoint-120", "progress")
    assert old is not None
    told = Notice(kind="inverted", level="error", sentence="AUC [0.00, 0.07]: the wrong way round?")
    store.commit(old.model_copy(update={"key": "0" * 20, "notices": [told], "created_at": old.created_at + 1}))
    assert "error: AUC [0.00, 0.07]: the wrong way round?" in midwatch("status", run.path).stdout
    value = json.loads(midwatch("status", run.path, "--json").stdout)["result"]["runs"][0]
    assert value["notices"] == [told.model_dump(mode="json")] and value["state"] == "idle"


def test_settings_from_a_config_file(tmp_path: Path) -> None:
    config = tmp_path / "watch.yaml"
    config.write_text("policy: every:3\nslot: 22:00-06:00\nset: [tokens.gap-bound=0.02]\ncores: 1\n")
    settings = build(WatchSettings, {"runs": [tmp_path], "cores": 2}, config)
    assert (settings.policy, settings.slot, settings.cores) == ("every:3", "22:00-06:00", 2)
    assert settings.overrides == {"tokens": {"gap_bound": 0.02}}
    assert settings.worker_options().cores == 2


def test_every_option_is_documented() -> None:
    for model in (WatchSettings, AnalyzeSettings, StatusSettings, DoctorSettings):
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"


def status_file(run: Path, heartbeat_at: float, **changes: object) -> None:
    row = CheckpointStatus(
        checkpoint="checkpoint-10",
        step=10,
        state=CheckpointState.QUARANTINED,
        missing=["tokens"],
        attempts=3,
        cause="[red]tokens[/red]: ValueError",
    )
    values = {"state": "idle", "pid": 1, "host": "h", "started_at": 0.0, "version": "0", "checkpoints": [row]}
    write_record(
        run / "_midwatch" / "status.json", Status.model_validate(values | changes | {"heartbeat_at": heartbeat_at})
    )


def test_status_says_what_failed_and_why(tmp_path: Path) -> None:
    run = describe(tmp_path / "run")
    status_file(run, heartbeat_at=1.0)
    done = midwatch("status", run)
    assert done.returncode == 0, done.stderr
    assert "the analyzer is gone" in done.stdout
    assert "quarantined" in done.stdout
    assert "[red]tokens[/red]: ValueError" in done.stdout, "text from disk is no markup"
    as_json = json.loads(midwatch("status", run, "--json").stdout)["result"]["runs"][0]
    assert as_json["checkpoints"][0]["attempts"] == 3
    both = midwatch("status", tmp_path)
    assert both.returncode == 0, both.stderr
    assert "run: the analyzer is gone" in both.stdout


def test_status_of_a_stopped_analyzer(tmp_path: Path) -> None:
    run = describe(tmp_path / "run")
    status_file(run, heartbeat_at=1.0, state="stopped")
    assert "was stopped" in midwatch("status", run).stdout


def test_retry_forgets_attempts(tmp_path: Path) -> None:
    run = describe(tmp_path / "run")
    attempts = run / "_midwatch" / "attempts"
    attempts.mkdir(parents=True)
    for step in (10, 20, 30):
        (attempts / f"checkpoint-{step}.json").write_text('{"identity": "a"}')
    assert "checkpoint-20" in midwatch("retry", run, "20").stdout
    assert sorted(path.stem for path in attempts.iterdir()) == ["checkpoint-10", "checkpoint-30"]
    assert midwatch("retry", run).returncode == 0
    assert list(attempts.iterdir()) == []
    assert "Nothing has failed" in midwatch("retry", run).stdout


def findings(**settings: object) -> dict[str, doctor.Finding]:
    return {found.what: found for found in doctor.findings_of(DoctorSettings.model_validate(settings))}


def test_doctor_on_a_sound_run(tmp_path: Path) -> None:
    from tests.making.runs import add_checkpoint, judge_template

    run = describe(tmp_path / "run")
    add_checkpoint(run, 10, judge_template(tmp_path))
    found = findings(run=run)
    assert {name for name, finding in found.items() if finding.state == "broken"} == set()
    assert "loads" in found["tokenizer"].detail
    assert "12 prompts" in found["probe set"].detail
    shutil.rmtree(run / "checkpoint-10")
    assert findings(run=run)["checkpoints"].state == "warning"


def test_doctor_says_what_to_do(tmp_path: Path) -> None:
    from tests.making.runs import judge_template

    run = tmp_path / "run"
    run.mkdir()
    shutil.copytree(judge_template(tmp_path), run / "checkpoint-10")
    for file in (run / "checkpoint-10").glob("tokenizer*"):
        file.unlink()
    (run / "checkpoint-10" / "model.safetensors").write_bytes(b"short")
    (run / "_midwatch").write_text("in the way")
    found = findings(run=run, device="cuda:97")
    broken = {name: finding.detail for name, finding in found.items() if finding.state == "broken"}
    assert broken.keys() == {"device", "permission", "checkpoints", "tokenizer"}
    assert "--device" in broken["device"]
    assert "--out" in broken["permission"]
    assert found["probe set"].state == "warning"
    assert "midwatch init" in found["probe set"].detail
    assert "save the checkpoint again" in broken["checkpoints"]


def test_doctor_exits_1_when_something_is_broken(tmp_path: Path) -> None:
    (tmp_path / "_midwatch").mkdir()
    (tmp_path / "_midwatch" / "source.json").write_text("{")
    done = midwatch("doctor", tmp_path)
    assert done.returncode == 1
    assert "broken  run: " in done.stdout


def test_doctor_of_no_directory_is_a_mistake_in_the_call(tmp_path: Path) -> None:
    done = midwatch("doctor", tmp_path / "nowhere")
    assert done.returncode == 2
    assert "is not a directory" in done.stderr


@pytest.mark.parametrize(
    ("files", "command"),
    [
        (["pytorch_model_fsdp_0/__0_0.distcp"], "accelerate merge-weights"),
        (["global_step5/mp_rank_00_model_states.pt", "config.json"], "python zero_to_fp32.py . "),
    ],
)
def test_shards_get_the_same_sentence_from_init_and_doctor(tmp_path: Path, files: list[str], command: str) -> None:
    for name in files:
        (tmp_path / "checkpoint-5" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "checkpoint-5" / name).write_text("{}")
    done = midwatch("init", tmp_path)
    assert done.returncode == 1 and command in done.stderr
    sentence = done.stderr.removeprefix("midwatch: ").strip()
    assert sentence == findings(run=tmp_path)["checkpoints"].detail


def test_doctor_says_what_an_own_loop_has_to_expect(tmp_path: Path) -> None:
    from tests.making.runs import judge_template

    run = describe(tmp_path / "run")
    shutil.copytree(judge_template(tmp_path), run / "epoch_3")
    found = findings(run=run)["checkpoints"]
    assert found.state == "good" and "counts as complete after 120 s without a change" in found.detail


def test_retry_says_that_what_was_refused_needs_none(tmp_path: Path) -> None:
    run = describe(tmp_path / "run")
    (run / "checkpoint-10").mkdir()
    row = CheckpointStatus(checkpoint="checkpoint-10", step=10, state=CheckpointState.REJECTED, cause="No base.")
    status = Status(
        state="stopped", heartbeat_at=1.0, pid=1, host="h", started_at=0.0, version="0", checkpoints=[row]
    )
    write_record(run / "_midwatch" / "status.json", status)
    done = midwatch("retry", run)
    assert done.returncode == 0
    assert "checkpoint-10: No base. It is looked at again by itself" in done.stdout
    assert "is not a checkpoint of run" in midwatch("retry", run, "20").stderr
    (run / "best").mkdir()
    (run / "best" / "config.json").touch()
    assert "Nothing has failed" in midwatch("retry", run, "best").stdout, "a checkpoint by its name"
