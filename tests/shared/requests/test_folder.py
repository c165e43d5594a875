"""Requests on disk: filed once, never followed out of the run, and told apart from what became of them before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.errors import LinkInTheWay, RequestRefused, UsageError
from shared.requests import folder
from shared.requests.folder import (
    all_states,
    checked_probes,
    entries,
    file_request,
    filed_ns,
    keep_probes,
    path_of,
    probes_of,
    read_request,
    state_of,
    withdraw,
    write_state,
)
from shared.requests.record import MAX_BYTES, Ask, AskedPrompt, Cancel, RequestState
from shared.run import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "run").mkdir()
    return Run.at(tmp_path / "run")


def ask(text: str = "how do i bake bread") -> Ask:
    return Ask(checkpoints=("checkpoint-10",), prompts=(AskedPrompt(text=text),))


def test_the_same_request_twice_is_one_file(run: Run) -> None:
    assert list(entries(run)) == [] and all_states(run) == []
    first, second = file_request(run, ask(), "one", 1.0), file_request(run, ask(), "two", 2.0)
    assert first.new and not second.new and first.id == second.id
    assert [entry.name for entry in entries(run)] == [f"{first.id}.json"]
    assert read_request(path_of(run, first.id)).session == "one"


def test_too_many_or_too_large_is_said_before_it_is_filed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "MAX_WAITING", 2)
    ids = [file_request(run, ask(text)).id for text in "ab"]
    with pytest.raises(UsageError, match="2 requests wait already"):
        file_request(run, ask("c"))
    assert file_request(run, Cancel(request=ids[0])).new, "what makes room is taken"
    withdraw(run, ids[0], 1.0)
    many = Ask(
        checkpoints=("c",),
        prompts=tuple(
            AskedPrompt(text=f"{i}" + "é" * 19_000, twin="ü" * 19_000, response="ö" * 19_000) for i in range(8)
        ),
    )
    with pytest.raises(UsageError, match="larger than 512 KiB"):
        file_request(run, many)


@pytest.mark.parametrize("what", ["link", "pipe", "folder", "large", "renamed", "strange"])
def test_what_is_no_file_of_ours_is_refused_and_never_followed(run: Run, tmp_path: Path, what: str) -> None:
    real = path_of(run, file_request(run, ask()).id)
    path = real.with_name(f"ask-{'0' * 20}.json")
    secret = tmp_path / "secret"
    secret.write_text("secret")
    if what == "link":
        path.symlink_to(secret)
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "large":
        path.write_bytes(b" " * (MAX_BYTES + 1))
    else:
        path = path.with_name("note.json" if what == "strange" else path.name)
        path.write_bytes(real.read_bytes())
    with pytest.raises(RequestRefused) as told:
        read_request(path)
    assert str(told.value).endswith(".") and "secret" not in str(told.value)


def test_a_linked_folder_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    run.midwatch.mkdir()
    run.requests.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LinkInTheWay):
        file_request(run, ask())
    with pytest.raises(LinkInTheWay):
        list(entries(run))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_an_answer_counts_for_the_filing_it_was_given_to(run: Run) -> None:
    name = file_request(run, ask()).id
    waiting = state_of(run, name)
    assert waiting is not None and waiting.state == "waiting" and waiting.request is not None
    filed = filed_ns(path_of(run, name))
    assert filed is not None
    write_state(run, RequestState(id=name, state="done", filed_ns=filed))
    assert [state.state for state in all_states(run)] == ["done"]
    withdraw(run, name, 1.0)
    file_request(run, ask())
    os.utime(path_of(run, name), ns=(filed + 1, filed + 1))
    assert [state.state for state in all_states(run)] == ["waiting"], "asked again: what was before does not count"
    path_of(run, name).unlink()
    assert [state.state for state in all_states(run)] == ["done"]
    assert state_of(run, f"ask-{'1' * 20}") is None


def test_a_probe_file_is_known_by_what_it_holds(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "probes.jsonl"
    path.write_text('{"text": "a", "label": "safe"}\n')
    digest = keep_probes(run, path)
    assert checked_probes(run, digest).read_bytes() == path.read_bytes()
    assert list(entries(run)) == [], "it is no request"
    probes_of(run, digest).write_text("changed")
    with pytest.raises(RequestRefused, match="changed since"):
        checked_probes(run, digest)
    probes_of(run, digest).unlink()
    probes_of(run, digest).symlink_to(path)
    with pytest.raises(LinkInTheWay):
        checked_probes(run, digest)
    with pytest.raises(UsageError, match="write it as JSONL"):
        keep_probes(run, tmp_path)
