"""The Hub's revisions as checkpoints, against a stand-in that answers with huggingface_hub's own records."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.hf_api import BlobLfsInfo, GitCommitInfo, GitRefInfo, GitRefs, RepoFile, RepoFolder

from analyzer.mirror.address import parse_address
from analyzer.mirror.hub import Hub, open_hub
from analyzer.mirror.own_mirror import open_mirror
from analyzer.mirror.rounds import Mirroring
from shared.errors import StorageRefused, UsageError
from shared.run import Run
from tests.making.stored_runs import files_of, version_here

ADDRESS = parse_address("hf://org/model")
MADE = datetime(2026, 1, 1, tzinfo=UTC)


class StandIn:
    """A model's repository: commits, newest first, and branches. It is both the API and the file system."""

    def __init__(self, titles: dict[str, int], branches: dict[str, int]) -> None:
        self.commits, self.branches = titles, branches
        self.asked = 0

    def list_repo_commits(self, repo: str) -> list[GitCommitInfo]:
        assert repo == "org/model"
        return [
            GitCommitInfo(
                commit_id=f"sha{version}",
                authors=[],
                created_at=MADE,
                title=title,
                message="",
                formatted_title=None,
                formatted_message=None,
            )
            for title, version in self.commits.items()
        ]

    def list_repo_refs(self, repo: str) -> GitRefs:
        found = [
            GitRefInfo(name=name, ref=f"refs/heads/{name}", target_commit=f"sha{version}")
            for name, version in self.branches.items()
        ]
        return GitRefs(branches=found, converts=[], tags=[])

    def list_repo_tree(self, repo: str, revision: str) -> list[RepoFile | RepoFolder]:
        self.asked += 1
        files: list[RepoFile | RepoFolder] = [RepoFolder(path="runs", oid="0")]
        for name, data in files_of(int(revision.removeprefix("sha"))).items():
            found = RepoFile(path=name, size=len(data), oid=f"{revision}-{name}")
            if name.endswith(".safetensors"):
                found.lfs = BlobLfsInfo(size=len(data), sha256=f"{revision}-weights", pointer_size=1)
            files.append(found)
        return files

    def open(self, place: str, mode: str, **options: Any) -> io.BytesIO:
        repo, _, rest = place.partition("@")
        sha, _, name = rest.partition("/")
        assert (repo, mode, options["cache_type"]) == ("org/model", "rb", "none")
        return io.BytesIO(files_of(int(sha.removeprefix("sha")))[name])


def copied(stand_in: StandIn, copy: Path) -> list[str]:
    with open_mirror(copy, str(ADDRESS)) as own:
        mirroring = Mirroring(Hub(ADDRESS, stand_in, stand_in, (OSError,)), own)
        done = mirroring.round(lambda: 4_000_000_000.0)
        assert not done.waiting and mirroring.round(lambda: 4_000_000_000.0).copied == ()
    return Run.at(copy).checkpoints()


def test_commits_and_branches_that_name_a_step_are_checkpoints(tmp_path: Path) -> None:
    titles = {"Training in progress, step 1000": 3, "Update README": 2, "Training in progress, step 500": 1}
    stand_in = StandIn(titles, {"main": 3, "step1500": 4, "feature/x": 2})
    copy = tmp_path / "copy"
    assert copied(stand_in, copy) == ["checkpoint-500", "checkpoint-1000", "step1500"]
    assert [version_here(copy / name) for name in Run.at(copy).checkpoints()] == [1, 3, 4]
    assert stand_in.asked == 3  # a revision is listed once


def test_of_one_step_the_newest_commit_counts_and_without_steps_the_head(tmp_path: Path) -> None:
    again = {"Training in progress, step 500": 7, "initial commit": 1}
    assert copied(StandIn(again, {}), tmp_path / "a") == ["checkpoint-500"]
    assert copied(StandIn({"initial commit": 5}, {"main": 5}), tmp_path / "b") == ["final"]
    assert version_here(tmp_path / "b" / "final") == 5


def test_what_the_hub_refuses_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(StandIn):
        def list_repo_commits(self, repo: str) -> list[GitCommitInfo]:
            raise PermissionError("401 Client Error")

    with pytest.raises(StorageRefused, match="HF_TOKEN"):
        Hub(ADDRESS, Refusing({}, {}), None, (OSError,)).listing()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UsageError, match="HF_HUB_OFFLINE"):
        open_hub(ADDRESS)
