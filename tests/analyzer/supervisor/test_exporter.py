"""`watch --metrics`: real scrapes over HTTP of a supervisor stepped by hand, read by Prometheus' parser."""

from __future__ import annotations

import importlib.util
import re
import shutil
import socket
import urllib.request
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from analyzer.commands.metrics import address_of, exported, exporter_for, parse_address
from analyzer.jobs.messages import Failure
from analyzer.supervisor.exporter import Exporter
from analyzer.supervisor.loop import ignore
from shared.errors import MidwatchError, UsageError
from tests.making.fake_engine import failing
from tests.making.runs import add_checkpoint, describe
from tests.making.stage import Stage

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Scrape:
    """What one scrape gave."""

    def __init__(self, port: int) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        families = list(text_string_to_metric_families(text))
        assert families
        self.samples = [sample for family in families for sample in family.samples]

    def value(self, name: str, **labels: str) -> float:
        """Of the only series with that name and those labels among its own."""
        (found,) = [
            sample.value
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return found

    def labels(self, label: str) -> set[str]:
        return {sample.labels[label] for sample in self.samples if label in sample.labels}


@contextmanager
def scraped(stage: Stage):
    """A function that scrapes a stage made anew with an exporter before its observer."""
    port = free_port()
    exporter = exporter_for(str(port), stage.observer)
    assert exporter is not None
    stage.observer = exporter
    stage.__post_init__()
    with exported(exporter, stage.supervisor, str(port)):
        yield lambda: Scrape(port)


def test_what_happened_and_where_runs_stand(stage: Stage) -> None:
    stage.add(10)
    with scraped(stage) as scrape:
        stage.steps(6)
        found = scrape()
        run = stage.target.name
        assert found.value("midwatch_checkpoints", run=run, state="done") == 1
        assert found.value("midwatch_checkpoints", run=run, state="gone") == 0
        assert found.value("midwatch_analysis_seconds_count", run=run, analysis="tokens") == 1
        assert found.value("midwatch_analysis_seconds_count", run=run, analysis="layers") == 1
        assert found.value("midwatch_jobs_started_total", run=run) == 1
        assert found.value("midwatch_commit_lag_seconds_count", run=run) == 2
        lag = found.value("midwatch_commit_lag_seconds_sum", run=run) / 2
        assert 3 <= lag <= 30, "announced before the first of six steps of 3 s"
        assert found.value("midwatch_failures_total", kind="crash") == 0, "there before the first one"
        assert found.value("midwatch_run_state", state="idle") == 1
        assert found.value("midwatch_heartbeat_timestamp_seconds", run=run) == stage.status.heartbeat_at
        assert (found.value("midwatch_worker_ready"), found.value("midwatch_runs")) == (1, 1)
        assert found.value("midwatch_queue_length", run=run) == 0
        stage.engine.held = True
        stage.add(20)
        stage.add(30)
        stage.steps(3)
        waiting = scrape()
    assert waiting.value("midwatch_queue_length", run=run) == 2
    assert waiting.value("midwatch_lag_seconds", run=run) == pytest.approx(stage.status.lag_s)
    assert waiting.value("midwatch_run_state", state="running") == 1
    assert waiting.value("midwatch_checkpoints", state="running") == 1
    assert "checkpoint-10" not in waiting.labels("analysis") | waiting.labels("state") | waiting.labels("run")
    ours = [sample for sample in waiting.samples if sample.name.startswith("midwatch_")]
    names = {name for sample in ours for name in sample.labels}
    assert names == {"run", "path", "state", "kind", "analysis", "le", "version"}


def test_failures_attempts_and_what_was_given_up(stage: Stage) -> None:
    stage.engine.behaviour = failing(Failure.CRASH)
    stage.add(10)
    with scraped(stage) as scrape:
        stage.steps(4)
        first = scrape()
        assert first.value("midwatch_attempts") >= 1
        stage.steps(40, seconds=60)
        found = scrape()
    assert found.value("midwatch_failures_total", kind="crash") == stage.status.checkpoints[0].attempts >= 2
    assert found.value("midwatch_checkpoints", state="quarantined") == 1
    assert found.value("midwatch_queue_length") == 0


def test_a_full_disk_is_a_pause(stage: Stage) -> None:
    stage.engine.behaviour = failing(Failure.STORAGE, "No space left")
    stage.add(10)
    with scraped(stage) as scrape:
        stage.steps(3, seconds=1)
        found = scrape()
    assert found.value("midwatch_run_state", state="paused") == 1
    assert found.value("midwatch_failures_total", kind="storage") == 1


def test_two_runs_of_one_name_are_two_and_one_that_is_gone_leaves_no_series(tmp_path: Path, template: Path) -> None:
    runs = [describe(tmp_path / "runs" / folder / "judge") for folder in ("a", "b")]
    for run in runs:
        add_checkpoint(run, 10, template, 1.0)
    stage = Stage(tmp_path / "runs", template)
    with scraped(stage) as scrape:
        stage.steps(8)
        both = scrape()
        for run in runs:
            assert both.value("midwatch_jobs_started_total", path=str(run.resolve())) == 1
        shutil.rmtree(runs[0])
        stage.steps(3)
        left = scrape()
    assert left.labels("path") == {str(runs[1].resolve())}


def test_the_observer_before_it_hears_everything_still(stage: Stage) -> None:
    heard = []
    stage.observer = lambda watched, event: heard.append(event.kind)
    stage.add(10)
    with scraped(stage):
        stage.steps(5)
    assert heard == ["started", "committed", "committed", "finished"]


def test_without_the_option_nothing_observes() -> None:
    assert exporter_for(None, ignore) is None


def test_a_port_that_is_taken_is_said(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = f"--metrics 127.0.0.1:{port}: cannot listen there"
        with pytest.raises(MidwatchError, match=said), exported(Exporter(), stage.supervisor, str(port)):
            pass


def asked_by(port: int, *hosts: str) -> int:
    """The status that a caller gets who names the server so."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.putrequest("GET", "/metrics", skip_host=True)
        for host in hosts:
            connection.putheader("Host", host)
        connection.endheaders()
        return connection.getresponse().status


STRANGERS = ["example.org", "example.org:9464", "127.0.0.1.example.org", "[::1", ""]


def test_a_page_that_made_its_own_name_lead_here_reads_nothing(stage: Stage) -> None:
    port = free_port()
    with exported(Exporter(), stage.supervisor, str(port)):
        assert [asked_by(port, host) for host in STRANGERS] == [403] * len(STRANGERS)
        assert asked_by(port, "127.0.0.1", "example.org") == 403
        ours = ["127.0.0.1", f"localhost:{port}", f"[::1]:{port}", "LOCALHOST"]
        assert [asked_by(port, host) for host in ours] == [200] * len(ours)
        assert asked_by(port) == 200
    with exported(Exporter(), stage.supervisor, f"0.0.0.0:{port}"):
        assert asked_by(port, "analyzer:9464") == 200, "which name is the right one, nobody knows there"


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "analyzer.commands.metrics.find_spec", lambda name: None if name == "prometheus_client" else real(name)
    )
    said = r"pip install 'midwatch\[metrics\]'"
    with pytest.raises(UsageError, match=said):
        exporter_for("9464", ignore)


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("9464", "127.0.0.1", 9464, True),
        ("127.0.0.2:1", "127.0.0.2", 1, True),
        ("localhost:65535", "localhost", 65535, True),
        ("[::1]:9464", "::1", 9464, True),
        ("0.0.0.0:9464", "0.0.0.0", 9464, False),  # noqa: S104 (only parsed)
        ("[::]:9464", "::", 9464, False),
        ("judge.example:80", "judge.example", 80, False),
    ],
)
def test_addresses(text: str, host: str, port: int, loopback: bool) -> None:
    address = address_of(parse_address(text))
    assert (*address, address.loopback) == (host, port, loopback)


def test_only_loopback_is_nothing_to_warn_of(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    with exported(Exporter(), stage.supervisor, f"127.0.0.1:{free_port()}"):
        assert "no password" not in caplog.text
    with exported(Exporter(), stage.supervisor, f"0.0.0.0:{free_port()}"):
        assert "no password is asked" in caplog.text


NO_ADDRESSES = ["", "port", ":9464", "host:", "0", "65536", "a b:1", "http://127.0.0.1:1", "1:2:3"]


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="write HOST:PORT or PORT"):
        parse_address(text)


DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "operations.md").read_text(encoding="utf-8")
OURS = re.compile(r"midwatch_[a-z_]+")
PARTS = re.compile(r"_(?:bucket|count|sum|created)$")


def exported_names(stage: Stage) -> set[str]:
    """Of every series of ours after a job, without the endings that a histogram adds."""
    stage.add(10)
    with scraped(stage) as scrape:
        stage.steps(6)
        names = {sample.name for sample in scrape().samples}
    return {PARTS.sub("", name) for name in names if name.startswith("midwatch_")} - {
        "midwatch_failures", "midwatch_jobs_started",  # of which `_created` is told, too
    }  # fmt: skip


def test_the_page_lists_every_metric(stage: Stage) -> None:
    assert set(OURS.findall(PAGE)) - {"midwatch_metrics"} == exported_names(stage)


RULE = {"alert": str, "expr": str, "for": str, "labels": dict, "annotations": dict}
"""Prometheus' keys of an alerting rule that we use, and what they hold; another one would be refused."""
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
DURATION = re.compile(r"(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?")
SELECTED = re.compile(r"([a-z_]+)\{([^}]*)\}")
MATCHER = re.compile(r"(\w+)(=~|=)\"([^\"]*)\"")


def rules() -> list[dict]:
    """All alerts, of a file with nothing else in it."""
    found = yaml.safe_load((DOCS / "prometheus_alerts.yml").read_text(encoding="utf-8"))
    assert list(found) == ["groups"]
    assert [sorted(group) for group in found["groups"]] == [["name", "rules"]] * len(found["groups"])
    return [rule for group in found["groups"] for rule in group["rules"]]


def test_the_alerts_are_rules_as_prometheus_reads_them_and_the_page_lists_them() -> None:
    for rule in rules():
        assert {"alert", "expr", "annotations"} <= rule.keys() <= RULE.keys()
        assert all(isinstance(value, RULE[key]) for key, value in rule.items())
        assert DURATION.fullmatch(rule.get("for", "1m")) and rule["expr"].count("(") == rule["expr"].count(")")
        texts = rule["annotations"] | rule.get("labels", {})
        assert all(LABEL.fullmatch(name) and isinstance(text, str) and text for name, text in texts.items())
        assert all(text.count("{{") == text.count("}}") for text in texts.values())
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names) and set(names) == set(re.findall(r"`(Midwatch[A-Za-z]+)`", PAGE))


def test_the_alerts_ask_for_series_that_there_are(stage: Stage) -> None:
    """Each metric, each label, and each value of a label that only we give."""
    stage.add(10)
    with scraped(stage) as scrape:
        stage.steps(6)
        samples = scrape().samples
    names = {sample.name for sample in samples}
    for rule in rules():
        assert set(OURS.findall(rule["expr"])) - {"midwatch"} <= names, rule
        for name, matchers in SELECTED.findall(rule["expr"]):
            for label, how, value in MATCHER.findall(matchers) if name != "up" else []:
                told = {sample.labels.get(label) for sample in samples if sample.name == name}
                assert told >= set(value.split("|") if how == "=~" else [value]), rule


def test_all_workers_of_a_pool_are_told_of(stage: Stage) -> None:
    stage.engine.workers = 3
    with scraped(stage) as scrape:
        first = scrape()
        assert [first.value("midwatch_workers", state=each) for each in ("free", "busy", "starting")] == [0, 0, 3]
        stage.engine.held = True
        stage.add(10)
        stage.add(20)
        stage.steps(4)
        found = scrape()
    assert [found.value("midwatch_workers", state=each) for each in ("free", "busy", "starting")] == [1, 2, 0]
