"""Candidates for the probe set: a file of their own, once each, that --probes reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import LinkInTheWay, UsageError
from shared.prompts import candidates as module
from shared.prompts.candidates import add_candidate, candidates
from shared.prompts.probes import read_probes
from shared.run import Run
from tests.making.runs import describe


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.at(describe(tmp_path / "run"))


def test_they_join_the_probe_set_as_a_file(run: Run, tmp_path: Path) -> None:
    assert candidates(run) == []
    assert add_candidate(run, "a new one", "unsafe") == "Added as unsafe: 1 in the file."
    assert add_candidate(run, "a new one", "safe", "an answer") == "Added as safe: 2 in the file."
    assert "already" in add_candidate(run, "a new one", "unsafe") and len(candidates(run)) == 2
    both = tmp_path / "both.jsonl"
    both.write_bytes(run.probes.read_bytes() + run.candidate_probes.read_bytes())
    found = read_probes(both).probes
    assert len(found) == len(read_probes(run.probes).probes) + 2
    assert {(probe.label, probe.response) for probe in found if probe.text == "a new one"} == {
        ("unsafe", ""), ("safe", "an answer")
    }  # fmt: skip


def test_what_cannot_be_added(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_candidate(run, "one", "safe")
    with pytest.raises(UsageError, match="already, as safe"):
        add_candidate(run, "one", "unsafe")
    monkeypatch.setattr(module, "MOST", 1)
    with pytest.raises(UsageError, match="no more are added"):
        add_candidate(run, "two", "safe")
    run.candidate_probes.unlink()
    run.candidate_probes.mkdir()
    with pytest.raises(UsageError, match="move it away"):
        add_candidate(run, "one", "safe")
    run.candidate_probes.rmdir()
    run.candidate_probes.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LinkInTheWay):
        add_candidate(run, "one", "safe")
    assert not (tmp_path / "elsewhere").exists()
