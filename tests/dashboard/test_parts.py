"""The parts without a browser: index, stamps, words, downloads, place, command line."""

from __future__ import annotations

import csv
import importlib.machinery
import io
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import plotly.graph_objects as go
import pytest

from dashboard.chrome.frame import run_name
from dashboard.chrome.live import stamp_of
from dashboard.chrome.place import place_from_environment
from dashboard.chrome.reader_choice import Selection, address, resolve
from dashboard.cli import DashboardSettings, arguments, check_port, url
from dashboard.reading.condition import command, condition, queue, queue_place
from dashboard.reading.headline import Headline
from dashboard.reading.snapshot import RunReader
from dashboard.reading.words import ago
from dashboard.widgets.panels import safe_name, to_csv, to_json
from shared.errors import MidwatchError
from shared.findings.rates import points
from shared.records import CheckpointState
from shared.results import ResultStore
from shared.results_index import ResultsIndex
from shared.run import Run
from shared.views import Panel
from tests.dashboard import scenes
from tests.dashboard.browser import APP, ROOT, dashboard_command, free_port, healthy, serving, wait_until
from tests.making.fake_run import fake_status
from tests.making.fakes import fake_records
from tests.making.waiting import LIMIT_S


def test_the_index_equals_a_walk_over_the_store(tmp_path: Path) -> None:
    run = scenes.done(tmp_path, 4)
    store, index = ResultStore(run.results), ResultsIndex(run.results)
    index.refresh()
    walked = {
        checkpoint: {name: store.directory(checkpoint, name, store.keys(checkpoint, name)[0]) / "result.json"
                     for name in scenes.NAMES}
        for checkpoint in store.checkpoints()
    }  # fmt: skip
    found = {c: {n: Path(file.path) for n, file in files.items()} for c, files in index.files().items()}
    assert found == walked


def test_the_index_misses_no_commit_however_fast_they_come(tmp_path: Path) -> None:
    store, index = ResultStore(tmp_path), ResultsIndex(tmp_path)
    seen = [index.refresh()]
    for record in fake_records(6):
        store.commit(record)
        seen.append(index.refresh())
    assert seen == list(range(37)), "one new version a commit"
    assert index.refresh() == 36, "and none without"


def test_the_index_forgets_what_is_removed_and_prefers_the_newest_key(tmp_path: Path) -> None:
    store, index = ResultStore(tmp_path), ResultsIndex(tmp_path)
    record = fake_records(1)[0]
    store.commit(record)
    index.refresh()
    newer = record.model_copy(update={"key": "0" * 20})
    store.commit(newer)
    later = (tmp_path / record.checkpoint / "tokens" / newer.key / "result.json").stat().st_mtime_ns + 10
    os.utime(tmp_path / record.checkpoint / "tokens" / newer.key / "result.json", ns=(later, later))
    index.refresh()
    assert newer.key in index.files()[record.checkpoint]["tokens"].path
    store.remove(record.checkpoint, "tokens", newer.key)
    index.refresh()
    assert record.key in index.files()[record.checkpoint]["tokens"].path
    shutil.rmtree(tmp_path / record.checkpoint)
    index.refresh()
    assert index.files() == {}


def test_a_heartbeat_alone_redraws_nothing_that_does_not_watch_it(tmp_path: Path) -> None:
    run = scenes.busy(tmp_path)
    reader = RunReader(run)
    before = stamp_of([run], reader.snapshot())
    status = reader.snapshot().status
    assert status is not None and status.running is not None
    running = status.running.model_copy(update={"done": 4})
    scenes.alive(
        run, 9, **dict(status) | {"heartbeat_at": status.heartbeat_at + 5, "lag_s": 99.0, "running": running}
    )
    after = stamp_of([run], reader.snapshot())
    assert after.watching(frozenset()) == before.watching(frozenset())
    assert after.watching(frozenset({"heartbeat"})) != before.watching(frozenset({"heartbeat"}))


def test_two_checkpoints_of_one_epoch_have_different_labels(tmp_path: Path) -> None:
    run = scenes.done(tmp_path, 2)
    rows = [scenes.row(1, CheckpointState.DONE, []), scenes.row(2, CheckpointState.DONE, [])]
    scenes.alive(run, 2, checkpoints=[rows[0], rows[1].model_copy(update={"epoch": 1.0})])
    assert [view.label for view in RunReader(run).snapshot().checkpoints] == [
        "epoch 1 (step 120)",
        "epoch 1 (step 240)",
    ]


def test_checkpoints_of_any_name_have_labels_links_and_their_order(tmp_path: Path) -> None:
    run = Run.at(tmp_path)
    for name in ("checkpoint-100", "epoch_3", "final", "best"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").touch()
    (tmp_path / "_midwatch").mkdir()
    noted = {"best": {"step": 101, "epoch": 1.0}, "final": {"step": 102}}
    (tmp_path / "_midwatch" / "places.json").write_text(json.dumps({"checkpoints": noted}))
    views = RunReader(run).snapshot().checkpoints
    assert [(view.name, view.label) for view in views] == [
        ("epoch_3", "epoch 3"),
        ("checkpoint-100", "step 100"),
        ("best", "best"),
        ("final", "final"),
    ]
    assert [address(view) for view in views[1:]] == [{"step": "100"}, {"step": "101"}, {"step": "102"}]
    gone = resolve(Selection(checkpoint="final-model", follow=False), RunReader(run).snapshot())
    assert gone is not None and not gone.on_disk


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    runs = []
    for name in ("a/out", "b/out", "c"):
        (tmp_path / name).mkdir(parents=True)
        runs.append(Run.at(tmp_path / name))
    assert [run_name(run, runs) for run in runs] == ["a/out", "b/out", "c"]


def test_epochs_of_a_run_without_analyzer_come_from_its_commit_files(tmp_path: Path) -> None:
    run = scenes.done(tmp_path, 2)
    run.status.unlink()
    shutil.rmtree(run.results)
    assert [view.label for view in RunReader(run).snapshot().checkpoints] == ["epoch 1", "epoch 2"]


def test_an_analyzer_is_gone_after_three_intervals() -> None:
    status = fake_status(1, heartbeat_at=1000.0)
    assert not status.is_gone(1000 + 3 * status.interval_s)
    assert status.is_gone(1000.1 + 3 * status.interval_s)
    assert not status.model_copy(update={"state": "stopped"}).is_gone(9999)


def test_the_queue_follows_the_policy() -> None:
    rows = [scenes.row(epoch, CheckpointState.QUEUED) for epoch in (1, 2, 3)]
    status = fake_status(3).model_copy(update={"checkpoints": rows, "policy": "newest"})
    assert [row.step for row in queue(status)] == [360, 240, 120]
    assert queue_place(status, rows[0]) == (3, 3)
    assert queue_place(status.model_copy(update={"policy": "all"}), rows[0]) == (1, 3)


@pytest.mark.parametrize(
    ("state", "message", "said"),
    [
        ("waiting", "Waiting for its slot: after-training.", " Waiting for its slot: after-training."),
        ("waiting", "The worker is busy with run.", " The worker is busy with run."),
        ("paused", "No space left.", " The analyzer is paused."),
        ("idle", "", ""),
    ],
)
def test_what_a_checkpoint_waits_for_is_what_the_analyzer_says(
    tmp_path: Path, state: str, message: str, said: str
) -> None:
    run = scenes.done(tmp_path, 2)
    scenes.drop(run, 2, ["tokens"])
    rows = [scenes.row(1, CheckpointState.DONE, []), scenes.row(2, CheckpointState.QUEUED, ["tokens"])]
    scenes.alive(run, 2, state=state, message=message, checkpoints=rows)
    snapshot = RunReader(run).snapshot()
    found = condition(snapshot, snapshot.checkpoints[1], "tokens", time.time())
    assert found.detail == f"Place 1 of 1 in the queue.{said}"


@pytest.mark.parametrize("state", ["stopped", "idle"])
def test_what_a_judge_cannot_have_is_said_whether_an_analyzer_runs_or_not(tmp_path: Path, state: str) -> None:
    run = scenes.done(tmp_path, 1)
    scenes.drop(run, 1, ["tokens"])
    cause = "tokens: this judge has no embeddings to blame."
    scenes.alive(run, 1, state=state, checkpoints=[scenes.row(1, CheckpointState.DONE, ["tokens"], cause=cause)])
    snapshot = RunReader(run).snapshot()
    found = condition(snapshot, snapshot.checkpoints[0], "tokens", time.time())
    assert (found.kind, found.title, found.detail, found.command) == ("absent", "Not computed", cause, "")


def test_commands_survive_a_shell(tmp_path: Path) -> None:
    run = Run(tmp_path / "my run; rm -rf $HOME", tmp_path / "out")
    assert shlex.split(command("retry", run)) == ["midwatch", "retry", str(run.path), "--out", str(run.out)]


def test_words() -> None:
    assert [ago(s) for s in (0, 59, 120, 7200, 864000)] == [
        "0\u00a0s ago", "59\u00a0s ago", "2\u00a0min ago", "2\u00a0h ago", "10\u00a0days ago",
    ]  # fmt: skip
    assert points(-0.031) == "-3 points" and points(-0.031, 1000) == "-3.1 points"
    assert points(-0.0001) == points(0.0) == "+0 points", "no sign of a fall where none is shown"
    deltas = {difference: Headline("", "", "", "", points(difference)).still for difference in (0.0, -1e-5, 0.01)}
    assert deltas == {0.0: True, -1e-5: True, 0.01: False}
    assert not Headline("", "", "", "").still


def test_downloads_hold_the_numbers_and_no_formula() -> None:
    rows = [{"word": "=1+1", "value": -0.5}, {"word": "naïve", "value": 2.0, "extra": None}]
    panel = Panel("s", "Title", go.Figure(), "caption", "alt", rows)
    found = list(csv.DictReader(io.StringIO(to_csv(rows).decode("utf-8-sig"))))
    assert found[0] == {"word": "'=1+1", "value": "-0.5", "extra": ""} and found[1]["word"] == "naïve"
    assert json.loads(to_json(panel))["rows"] == rows
    assert safe_name('a/../"b<é>.csv') == "a_..__b___.csv"


def test_the_place_is_read_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MIDWATCH_RUNS", raising=False)
    monkeypatch.setenv("MIDWATCH_POLL_SECONDS", "soon")
    assert place_from_environment().root == tmp_path / "runs" and place_from_environment().poll_s == 2.0
    monkeypatch.setenv("MIDWATCH_POLL_SECONDS", "0.001")
    assert place_from_environment().poll_s == 0.5


def test_no_file_is_named_like_a_module_that_somebody_imports() -> None:
    """Streamlit puts the folder of app.py first on sys.path."""
    names = {path.stem for path in APP.parent.glob("*.py")} - {"__init__"}
    outside = [entry for entry in sys.path if entry and Path(entry).resolve() != APP.parent]
    taken = {name for name in names if importlib.machinery.PathFinder.find_spec(name, outside) is not None}
    assert not taken and not names & sys.stdlib_module_names


def test_pages_import_no_torch() -> None:
    code = (
        "import sys; from dashboard import cli; from dashboard.screens import service, training; "
        "from shared import views; views.all_views(); "
        "print(sorted({'torch', 'transformers', 'trainer', 'analyzer'} & sys.modules.keys()))"
    )  # fmt: skip
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_command_imports_no_streamlit() -> None:
    code = "import sys, dashboard.cli; print('streamlit' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_arguments_allow_only_known_hosts() -> None:
    everywhere = "0.0.0.0"  # noqa: S104 - nothing listens in this test
    line = arguments(DashboardSettings(address=everywhere, port=9000, allowed_hosts=["lab.example"]))
    hosts = [word.partition("=")[2] for word in line if word.startswith("--server.allowedHosts")]
    assert hosts == ["localhost", "127.0.0.1", "::1", "lab.example"]
    assert f"--server.address={everywhere}" in line and "--server.port=9000" in line
    assert url(DashboardSettings(address=everywhere, port=9000)) == "http://127.0.0.1:9000"


def refused(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(dashboard_command(*args), cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S)


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    ran = refused(str(tmp_path / "nowhere"))
    assert ran.returncode == 2 and ran.stderr.count("\n") == 1 and "is not a directory" in ran.stderr


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = refused(str(tmp_path), "--port", str(port))
    assert ran.returncode == 1
    assert ran.stderr == f"midwatch: Port {port} on 127.0.0.1 is in use; choose another one with --port.\n"


def test_an_address_that_is_not_ours_is_one_sentence() -> None:
    with pytest.raises(MidwatchError, match="choose another --address"):
        check_port("203.0.113.7", free_port())


def test_without_streamlit_the_command_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import importlib.util as u, dashboard.cli as c; find = u.find_spec; "
        "u.find_spec = lambda name, *a: None if name == 'streamlit' else find(name, *a); "
        f"c.serve(c.DashboardSettings(runs={str(tmp_path)!r}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S)
    assert "pip install 'midwatch[dashboard]'" in ran.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_good_order(how: signal.Signals, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.process.send_signal(how)
        assert server.process.wait(LIMIT_S) == 0
        assert not healthy(server.url), "nothing is left behind"


def test_streamlit_run_finds_its_settings_from_any_directory(tmp_path: Path) -> None:
    """`streamlit run dashboard/app.py` elsewhere: the hardening lies beside app.py."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(APP), f"--server.port={port}"],
        cwd=tmp_path, env=os.environ | {"MIDWATCH_RUNS": str(tmp_path)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert wait_until(lambda: healthy(f"http://127.0.0.1:{port}"), LIMIT_S)
        with socket.socket() as probe:
            probe.bind(("127.0.0.2", port))  # only 127.0.0.1 is taken: it does not listen everywhere
    finally:
        process.terminate()
        process.communicate(timeout=LIMIT_S)
