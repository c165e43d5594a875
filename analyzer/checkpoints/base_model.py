"""Where an adapter's base model lies on this machine, and what tells one base from another. No torch; no download.

An adapter only names its base: a directory of the machine it was trained on, relative to who knows where, or a name
on the Hub. It is looked for, in this order:

1. where `midwatch init --base` says;
2. the directory of that name, and the Hub's cache on this machine;
3. for relative names, from the checkpoint, the run, and the folder that the run is in;
4. where it may have been moved to: a model directory with the same last name, in the run or beside it. If the run's
   earlier checkpoints were analysed, it must be the same base, by digest.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from analyzer.checkpoints.adapter import base_of, is_adapter
from analyzer.checkpoints.file_names import ADAPTER_CONFIG, CONFIG, INDEX, WEIGHTS
from shared.errors import CheckpointRejected, SchemaError
from shared.files import read_json
from shared.records import RunRecord
from shared.run import Run

BASE = "base model"
"""What an adapter's tensors act on, among the digests of a checkpoint."""

SAMPLES = 256
"""Blocks of each weight file that a digest reads, evenly spaced."""
BLOCK = 4096
"""Bytes."""


@dataclass(frozen=True)
class BasePlaces:
    """How one run's adapters find their base model."""

    given: str = ""
    """Where the user says it is; empty when nobody said."""
    digests: Path | None = None
    """Folder of the digests of the run's checkpoints, which name the base that they had."""

    def of(self, directory: Path, source: Path | None = None) -> Path:
        """The local directory of the base model of the adapter in `directory`.

        `source` is the checkpoint's own place, where `directory` is its pin. Raises CheckpointRejected:
        "needs_base" where it is not on this machine, "bad_config" where the adapter does not name one.
        """
        source = source or directory
        name = base_of(directory, source.name)
        if self.given:
            _refuse_adapter(Path(self.given), source)
            if is_model(Path(self.given)):
                return Path(self.given)
            raise needed(source, f"{self.given} holds no model with safetensors weights; correct it with")
        places = list(_named(name, source))
        for place in places:
            _refuse_adapter(place, source)
            if is_model(place):
                return place
        known = _bases_before(self.digests) if self.digests is not None else set()
        for place in _moved(name, source):
            if (
                is_model(place)
                and not _is_file(place / ADAPTER_CONFIG)
                and (not known or base_digest(place) in known)
            ):
                return place
        if any(_is_file(place / CONFIG) for place in places):
            raise needed(
                source, f"{name} holds no safetensors weights (pickles are refused); give another copy with"
            )
        raise needed(
            source,
            f"it is an adapter of {name}, which is not on this machine; download it here (or set HF_HOME to where "
            f"it is), copy it beside the run as {Path(name).name}, or say where it is with",
        )


def base_config(directory: Path) -> Path | None:
    """The directory with the config of the adapter's base model, with or without weights; None where there is none.

    Raises CheckpointRejected ("bad_config") for an adapter that does not name a base.
    """
    name = base_of(directory)
    places = (*_named(name, directory), *_moved(name, directory))
    return next((place for place in places if _is_file(place / CONFIG)), None)


def bases_of(run: Run, record: RunRecord | None) -> BasePlaces:
    """How the adapters of a run find their base; `record` is None where nobody described the run."""
    return BasePlaces("" if record is None else record.judge.base, run.digests)


NO_PLACES = BasePlaces()
"""Where nobody said anything, and nothing was analysed before."""


def needed(source: Path, why: str) -> CheckpointRejected:
    """The refusal of an adapter without a base model; `why` ends before the command that says where one is."""
    told = shlex.join(["midwatch", "init", str(source.parent), "--base"])
    return CheckpointRejected("needs_base", f"{source.name} waits for its base model: {why} `{told} DIR`.")


def _refuse_adapter(place: Path, source: Path) -> None:
    """transformers would put a base's own adapter on it in silence, and its base would be yet another model's."""
    if _is_file(place / ADAPTER_CONFIG) and place.resolve() != source.resolve():
        raise needed(
            source,
            f"{place} is itself an adapter; merge it into its own base (peft's merge_and_unload), save that, and "
            "say where with",
        )


def _bases_before(folder: Path) -> set[str]:
    """Digests of the base models that the run's earlier checkpoints had."""
    found = set()
    for path in folder.glob("*.json"):
        try:
            cached = read_json(path)
        except (OSError, SchemaError):
            continue  # a cache entry that cannot be read is a cache miss
        others = cached.get("others") if isinstance(cached, dict) else None
        if isinstance(others, dict) and BASE in others:
            found.add(str(others[BASE]))
    return found


def is_model(place: Path) -> bool:
    """Whether a directory holds a model's config and safetensors weights."""
    return _is_file(place / CONFIG) and (_is_file(place / WEIGHTS) or _is_file(place / INDEX))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file system takes, or a directory that cannot be entered
        return False


def home_of(directory: Path, bases: BasePlaces, source: Path | None = None) -> Path:
    """Where the config of a checkpoint's model lies: in itself, of an adapter in its base. Raises as `of` does."""
    return bases.of(directory, source) if is_adapter(directory) else directory


def model_type(directory: Path, bases: BasePlaces, source: Path | None = None) -> str:
    """The `model_type` of a checkpoint's config, of an adapter its base's; empty where that is not on this disk."""
    try:
        config = read_json(home_of(directory, bases, source) / CONFIG)
    except (OSError, SchemaError, CheckpointRejected):
        return ""
    return str(config.get("model_type", "")) if isinstance(config, dict) else ""


def base_digest(base: Path) -> str:
    """What tells one base from another, wherever it lies: config, and names, sizes and samples of its weights.

    64 hex digits. Samples, as a base of many GB cannot be read for each checkpoint: training changes every block.
    What is no file (a folder, a pipe, a device) is no part of it.
    """
    files = [path for path in sorted(base.glob("*")) if path.name == CONFIG or path.suffix == ".safetensors"]
    looks = [(path, path.stat()) for path in files if path.is_file()]
    return _digest_of(
        tuple((path, look.st_ino, look.st_size, look.st_mtime_ns, look.st_ctime_ns) for path, look in looks)
    )


@lru_cache(maxsize=32)
def _digest_of(files: tuple[tuple[Path, int, int, int, int], ...]) -> str:
    """Of files that look like this: read once, though every look at the run asks."""
    digest = hashlib.sha256()
    for path, *_ in files:
        if path.name == CONFIG:
            digest.update(path.read_bytes())
        else:
            digest.update(path.name.encode())
            _update(digest, path)
    return digest.hexdigest()


def _update(digest: hashlib._Hash, path: Path) -> None:
    size = path.stat().st_size
    digest.update(str(size).encode())
    with path.open("rb") as file:
        for sample in range(SAMPLES if size > SAMPLES * BLOCK else 1):
            file.seek(sample * (size // SAMPLES) if size > SAMPLES * BLOCK else 0)
            digest.update(file.read(BLOCK if size > SAMPLES * BLOCK else size))


def _named(name: str, source: Path) -> Iterator[Path]:
    """Where the name itself leads to."""
    path = Path(name)
    with suppress(RuntimeError):  # the home of a user who is unknown here
        path = path.expanduser()
    yield path
    yield from _cached(name)
    if not path.is_absolute():
        yield from (folder / path for folder in (source, *list(source.parents)[:2]))


def _moved(name: str, source: Path) -> Iterator[Path]:
    """A directory with the same last name, in the run or beside it."""
    last = Path(name).name
    if last not in ("", ".", ".."):
        yield from (folder / last for folder in list(source.parents)[:2])


def _cached(name: str) -> Iterator[Path]:
    """The Hub's cache: what `main` is there, else whatever snapshots there are, the newest first."""
    home = os.environ.get("HF_HOME") or str(Path.home() / ".cache" / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub")
    folder = hub / f"models--{name.replace('/', '--')}"
    if name.count("/") > 1 or folder.name in ("models--", "models--.", "models--.."):
        return
    with suppress(OSError, ValueError):  # not there, or not text
        yield folder / "snapshots" / (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    with suppress(OSError, ValueError):
        yield from sorted((folder / "snapshots").iterdir(), key=lambda path: -path.stat().st_mtime)
