"""A model on the Hub whose revisions are the checkpoints: commits and branches that name a step.

The Trainer's `push_to_hub` makes a commit "Training in progress, step 500" for each save; others (Pythia, OLMo)
keep a branch or tag for each (`step1000`). A revision never changes, so what is listed of it is listed once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import IO, Any, NamedTuple

from analyzer.mirror.address import Address
from analyzer.mirror.bucket import require
from analyzer.mirror.remote_checkpoints import FINAL
from analyzer.mirror.source import BLOCK, Listing, Reader, Stored, plain_parts
from shared.checkpoint_names import MAX_DIGITS, place_of
from shared.errors import StorageRefused, StoredChanged, UsageError, reason_of

STEP = re.compile(rf"\bstep[ _-]?([0-9]{{1,{MAX_DIGITS}}})\b", re.IGNORECASE)
"""In a commit's title."""
MOST_REVISIONS = 2000


class Revision(NamedTuple):
    """One commit."""

    sha: str
    made: float
    """Unix time, seconds."""


class Hub:
    """Revisions of one model as the checkpoints of a run."""

    settled = True

    def __init__(self, address: Address, api: Any, files: Any, faults: tuple[type[Exception], ...]) -> None:
        self.address = address
        self._api, self._fs, self._faults = api, files, faults
        self._trees: dict[str, list[tuple[str, int, str]]] = {}
        """Commit -> its files: name, size, version."""

    def listing(self, below: str = "") -> Listing:
        """The files of every revision that is a checkpoint, below that checkpoint's name."""
        listed = {}
        with self._told():
            for checkpoint, revision in self._revisions().items():
                if below and below != checkpoint:
                    continue
                for file, size, etag in self._tree(revision.sha):
                    name = f"{checkpoint}/{file}"
                    if plain_parts(name):
                        place = f"{self.address.path}@{revision.sha}/{file}"
                        listed[name] = Stored(name, size, etag, revision.made, place)
        return listed

    @contextmanager
    def opened(self, stored: Stored) -> Iterator[Reader]:
        """A file of one commit, which is always the same."""
        with self._told():
            try:
                file = self._fs.open(stored.place, "rb", block_size=BLOCK, cache_type="none")
            except FileNotFoundError:
                raise StoredChanged(f"{stored.name} is gone from {self.address}.") from None

        def read(offset: int, count: int) -> bytes:
            with self._told():
                file.seek(offset)
                return file.read(count)

        with file:
            yield read

    def put(self, name: str, file: IO[bytes]) -> None:
        """Never: each file would be a revision of its own."""
        raise StorageRefused(f"{self.address} takes no results; send them to a bucket.")

    def _revisions(self) -> dict[str, Revision]:
        """By name of the checkpoint: branches and tags, the main branch's commits, and else its head alone."""
        found: dict[str, Revision] = {}
        commits = list(self._api.list_repo_commits(self.address.path))[:MOST_REVISIONS]
        for commit in reversed(commits):  # oldest first: of one step the newest commit counts
            if match := STEP.search(commit.title):
                found[f"checkpoint-{int(match[1])}"] = Revision(commit.commit_id, _unix(commit.created_at))
        refs = self._api.list_repo_refs(self.address.path)
        newest = _unix(commits[0].created_at) if commits else 0.0
        for ref in [*refs.branches, *refs.tags][:MOST_REVISIONS]:
            if plain_parts(ref.name) and "/" not in ref.name and place_of(ref.name) is not None:
                found.setdefault(ref.name, Revision(ref.target_commit, newest))
        if not found and commits:
            found[FINAL] = Revision(commits[0].commit_id, newest)
        return found

    def _tree(self, sha: str) -> list[tuple[str, int, str]]:
        if sha not in self._trees:
            files = self._api.list_repo_tree(self.address.path, revision=sha)
            self._trees[sha] = [
                (file.path, file.size, file.lfs.sha256 if file.lfs else file.blob_id)
                for file in files
                if hasattr(file, "blob_id")  # a folder has none
            ]
        return self._trees[sha]

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except self._faults as error:
            raise StorageRefused(
                f"{self.address} cannot be read ({reason_of(error)}); look at the name, and at HF_TOKEN for "
                "what is private."
            ) from None


def open_hub(address: Address) -> Hub:
    """The Hub, as huggingface_hub reaches it. Raises UsageError where that is missing, or told to stay offline."""
    require("hf")
    from huggingface_hub import HfApi, HfFileSystem, constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    connection = HfHubHTTPError.__bases__[0]  # of httpx, under whichever name it is installed
    if constants.HF_HUB_OFFLINE:
        raise UsageError("HF_HUB_OFFLINE is set, so that the Hub is not asked; unset it.")
    files = HfFileSystem(use_listings_cache=False, skip_instance_cache=True)
    return Hub(address, HfApi(), files, (connection, HFValidationError, OSError))


def _unix(moment: datetime) -> float:
    return moment.timestamp()
