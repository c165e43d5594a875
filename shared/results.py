"""The result store: what analyses published, committed by rename so that each result exists whole, once, or not.

results/<checkpoint>/<analysis>/<key>/result.json + tensors.safetensors. The first commit of a key wins.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from shared.checkpoint_names import is_plain, slug, spoken
from shared.checkpoint_places import Noted, in_order, read_places
from shared.errors import SchemaError
from shared.files import fsync_directory, read_record, write_json_atomic
from shared.lease_check import lease_lost, require_lease
from shared.own_folders import (
    BY_DESCRIPTOR,
    folder_of,
    list_directory,
    make_directory,
    refuse_links,
    remove_directory,
    take_away,
)
from shared.own_writes import publishing
from shared.records import Frozen, Notice

if TYPE_CHECKING:
    import numpy as np  # at run time only who reads tensors pays for it: the supervisor stays small

RESULT_FILE = "result.json"
TENSORS_FILE = "tensors.safetensors"
HALF_DONE = re.compile(r"\.(?:[0-9a-f]{20}|removed)\.[a-z0-9_]{8}")
"""Name of a directory in which a result is being written or removed: of its key, and what `mkdtemp` adds."""


class ResultRecord(Frozen):
    """result.json: one analysis of one checkpoint, with everything needed to trust or repeat it."""

    schema_version: int = 1
    analysis: str
    analysis_version: int
    checkpoint: str
    step: int
    epoch: float | None = None
    key: str
    checkpoint_digest: str
    """SHA-256 over the weights (by tensor), config and tokenizer."""
    probe_digest: str
    """SHA-256 over the probe set."""
    settings: dict[str, Any] = Field(default_factory=dict)
    judge: dict[str, Any] = Field(default_factory=dict)
    """family, kind, layers, hidden size, labels, frozen_boundary, pooling."""
    device: str = "cpu"
    dtype: str = "float32"
    seed: int = 0
    analyzer_version: str = ""
    created_at: float = 0.0
    """Unix time, seconds."""
    duration_s: float = 0.0
    order_unverified: bool = False
    """Accepted without the proof of completeness that mtime order gives (a copied run)."""
    warnings: list[str] = Field(default_factory=list)
    """Sentences, those of `notices` among them."""
    notices: list[Notice] = Field(default_factory=list)
    """Of the warnings those that every page begins with."""
    summary: dict[str, float] = Field(default_factory=dict)
    """Flat numbers for the curves over training, e.g. {"auroc_last": 0.97}."""
    payload: dict[str, Any] = Field(default_factory=dict)
    """The typed result: `shared.views.get(analysis).result` reads it. Written last, each field on its own line:
    `analyzer/jobs/result_index.py` reads a file only up to here."""

    @property
    def label(self) -> str:
        """What to call the checkpoint: "epoch 3" where the epoch is whole, else "step 120"; or by its own name."""
        return checkpoint_label(self.step, self.epoch, self.checkpoint)

    def fits(self, other: ResultRecord) -> bool:
        """Whether both are of the same weights, config and tokenizer, and of the same probe set."""
        return (self.checkpoint_digest, self.probe_digest) == (other.checkpoint_digest, other.probe_digest)


def checkpoint_label(step: int, epoch: float | None, name: str = "") -> str:
    """ "epoch 3" for a checkpoint at the end of an epoch, else "step 120".

    One of another name than `checkpoint-<step>` is called by that: "epoch 3" for `epoch_3`, "final" for `final`.
    """
    if named := spoken(name):
        return named
    number = whole_epoch(epoch)
    return f"epoch {number}" if number is not None else f"step {step}"


def whole_epoch(epoch: float | None) -> int | None:
    """The epoch as an integer when the checkpoint was saved at its end, else None."""
    if epoch is None or epoch <= 0 or abs(epoch - round(epoch)) > 1e-3:
        return None
    return round(epoch)


def file_prefix(step: int, epoch: float | None, name: str = "") -> str:
    """ "epoch_3", "step_120" or "final": how file names in training_visualizations/ start."""
    return slug(name) if spoken(name) else checkpoint_label(step, epoch).replace(" ", "_")


def result_key(checkpoint_digest: str, probe_digest: str, settings: Mapping[str, Any], version: int) -> str:
    """Digest of everything a result depends on: the same key always names the same result."""
    text = json.dumps([checkpoint_digest, probe_digest, dict(settings), version], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


class ResultStore:
    """All results under one `results/` directory. Reading never needs a lock; writing commits by rename.

    `owner` is whose lease of the run writes; without one nobody's is asked for.
    """

    def __init__(self, root: Path, owner: str = "") -> None:
        self.root, self.owner = root, owner

    def directory(self, checkpoint: str, analysis: str, key: str) -> Path:
        return self.root / checkpoint / analysis / key

    def has(self, checkpoint: str, analysis: str, key: str) -> bool:
        return (self.directory(checkpoint, analysis, key) / RESULT_FILE).is_file()

    def commit(self, record: ResultRecord, tensors: Mapping[str, np.ndarray] | None = None) -> bool:
        """Publish a result: write aside, fsync, rename, fsync the parent. False when the key was there first.

        Raises LeaseLost, and OSError (disk full, read-only, LinkInTheWay, OwnPlaceRefused); nothing half-written
        stays visible then.
        """
        final = self.directory(record.checkpoint, record.analysis, record.key)
        with publishing(final):
            return self._commit(final, record, tensors)

    def _commit(self, final: Path, record: ResultRecord, tensors: Mapping[str, np.ndarray] | None) -> bool:
        refuse_links(final)
        if self.has(record.checkpoint, record.analysis, record.key):
            return False
        make_directory(final.parent)
        aside = Path(tempfile.mkdtemp(dir=final.parent, prefix=f".{record.key}."))
        try:
            if tensors:
                write_tensors(aside / TENSORS_FILE, tensors)
            write_json_atomic(aside / RESULT_FILE, record.model_dump(mode="json"))
            aside.chmod(0o755)
            fsync_directory(aside)
            self._move(aside, final, final)
        except BaseException as error:
            remove_directory(aside)
            if isinstance(error, OSError) and self.has(record.checkpoint, record.analysis, record.key):
                return False  # somebody else's rename came first
            raise
        fsync_directory(final.parent)
        return True

    def load(self, checkpoint: str, analysis: str, key: str) -> ResultRecord:
        """Read one result. Raises FileNotFoundError, or SchemaError when damaged or from a newer Midwatch."""
        return read_record(self.directory(checkpoint, analysis, key) / RESULT_FILE, ResultRecord)

    def tensors(self, record: ResultRecord) -> dict[str, np.ndarray]:
        """The arrays published with a result; empty when it has none.

        Raises SchemaError when they are damaged, LinkInTheWay.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file  # only who needs tensors pays for numpy

        path = self.directory(record.checkpoint, record.analysis, record.key) / TENSORS_FILE
        refuse_links(path)
        try:
            return load_file(path) if path.is_file() else {}
        except SafetensorError as error:
            raise SchemaError(
                f"{path} is damaged ({error}). Analyse {record.checkpoint} again with --force."
            ) from error

    def checkpoints(self) -> list[str]:
        """Names of the checkpoints with results, by step."""
        if not self.root.is_dir():
            return []
        names = [entry.name for entry in os.scandir(self.root) if entry.is_dir() and is_plain(entry.name)]
        return in_order(names, self.places())

    def places(self) -> dict[str, Noted]:
        """What is noted of checkpoints whose names do not say their step."""
        return read_places(self.root.parent)

    def keys(self, checkpoint: str, analysis: str) -> list[str]:
        """Committed keys of one analysis, newest commit first."""
        folder = self.root / checkpoint / analysis
        if not folder.is_dir():
            return []
        found = []
        for path in folder.glob(f"*/{RESULT_FILE}"):
            try:
                found.append((path.stat().st_mtime_ns, path.parent.name))
            except FileNotFoundError:
                continue  # removed meanwhile
        return [key for _, key in sorted(found, reverse=True) if not key.startswith(".")]

    def newest(self, checkpoint: str, analysis: str) -> ResultRecord | None:
        """The newest committed result of an analysis, or None. Raises SchemaError when it is unreadable."""
        for key in self.keys(checkpoint, analysis):
            try:
                return self.load(checkpoint, analysis, key)
            except FileNotFoundError:
                continue  # removed meanwhile
        return None

    def history(self, analysis: str) -> list[ResultRecord]:
        """The newest readable result of `analysis` at each checkpoint, by step."""
        records = []
        for checkpoint in self.checkpoints():
            try:
                record = self.newest(checkpoint, analysis)
            except (SchemaError, OSError):
                continue  # an unreadable result is reported where it is shown, and must not hide the others
            if record is not None:
                records.append(record)
        return records

    def remove(self, checkpoint: str, analysis: str, key: str) -> None:
        """Forget one result (`--force`): renamed aside first, so that no reader meets half. Raises LeaseLost."""
        path = self.directory(checkpoint, analysis, key)
        refuse_links(path)
        if not path.is_dir():
            return
        with publishing(path):
            aside = Path(tempfile.mkdtemp(dir=path.parent, prefix=".removed."))
            try:
                self._move(path, aside / key, path)
            finally:
                remove_directory(aside)

    def sweep(self) -> None:
        """Remove what was left by an analyzer killed in the middle of a commit. Raises LinkInTheWay.

        Safe while we have the lease: whoever else still commits finds its folder gone, and has not committed.
        """
        for checkpoint in self.checkpoints():
            for analysis in list_directory(self.root / checkpoint):
                folder = self.root / checkpoint / analysis
                for name in list_directory(folder):
                    if HALF_DONE.fullmatch(name):
                        take_away(folder / name)

    def _move(self, source: Path, target: Path, result: Path) -> None:
        """Rename one directory beside `result`, or below it, while the lease is ours."""
        if not BY_DESCRIPTOR:
            require_lease(self.owner, result, None)
            source.rename(target)
            return
        with folder_of(result) as folder:
            require_lease(self.owner, result, folder)
            names = (str(path.relative_to(result.parent)) for path in (source, target))
            try:
                os.rename(*names, src_dir_fd=folder, dst_dir_fd=folder)
            except FileNotFoundError:
                if self.owner:  # who took the run over since we looked has swept it away
                    raise lease_lost(result) from None
                raise


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write arrays as safetensors and fsync them."""
    import numpy as np
    from safetensors.numpy import save

    with path.open("wb") as file:
        file.write(save({name: np.ascontiguousarray(array) for name, array in tensors.items()}))
        file.flush()
        os.fsync(file.fileno())


def payload_of(model: BaseModel) -> dict[str, Any]:
    """A typed result as JSON-ready payload."""
    return model.model_dump(mode="json")
