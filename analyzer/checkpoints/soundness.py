"""Is a quiet checkpoint directory sound? Reads configs, indexes and safetensors headers; never a tensor, no torch.

Every refusal is a CheckpointRejected: a stable code, and one sentence that says what to do.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyzer.checkpoints.adapter import is_adapter
from analyzer.checkpoints.adapter_settings import check_settings
from analyzer.checkpoints.architectures import Kind, check_kind_is
from analyzer.checkpoints.base_model import NO_PLACES, BasePlaces, needed
from analyzer.checkpoints.config_fields import check_fields
from analyzer.checkpoints.config_sizes import check_sizes
from analyzer.checkpoints.dtypes import check_dtypes
from analyzer.checkpoints.file_names import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    CONFIG,
    INDEX,
    PICKLES,
    VOCABULARY_FILES,
    WEIGHTS,
)
from analyzer.checkpoints.fingerprint import FileStat, Fingerprint
from analyzer.checkpoints.head_config import check_task_is
from analyzer.checkpoints.safetensors_header import TensorSpan, read_header
from analyzer.checkpoints.shards import unmerged
from shared.checkpoint_names import is_plain
from shared.errors import CheckpointRejected, SchemaError
from shared.files import read_json

NEEDS_BASE, UNREADABLE = "needs_base", "unreadable"
MAY_END = (NEEDS_BASE, UNREADABLE)
"""Refusals that may end without a change of the checkpoint's files."""


@dataclass(frozen=True)
class Weights:
    """A sound checkpoint's tensors: file name and place of each, by tensor name."""

    tensors: dict[str, tuple[str, TensorSpan]]
    base: Path | None = None
    """Of an adapter: the directory of its base model."""

    @property
    def files(self) -> list[str]:
        return sorted({file for file, _ in self.tensors.values()})


def validate(directory: Path, source: Path | None = None, bases: BasePlaces = NO_PLACES) -> Weights:
    """Check a checkpoint (a directory or its pin) and say where its tensors lie.

    `source` is the checkpoint's own place, which sentences name; `bases` say where an adapter's base model is.
    Raises CheckpointRejected, or OSError when files vanish meanwhile.
    """
    name = (source or directory).name
    present = {path.name for path in directory.iterdir()}
    if not present & {WEIGHTS, INDEX, ADAPTER_WEIGHTS} and (refusal := unmerged(source or directory)):
        raise refusal
    refuse_ambiguous(present, name)
    if ADAPTER_CONFIG in present:
        return _adapter(directory, source or directory, present, bases)
    return _whole(directory, name, present)


@contextmanager
def theirs(name: str) -> Iterator[None]:
    """Inside, only the files of the checkpoint called `name` are read: what the system refuses is about them alone.

    Raises CheckpointRejected ("unreadable") for that, and FileNotFoundError where they vanish.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        file = Path(error.filename).name if isinstance(error.filename, str) else "a file"
        raise CheckpointRejected(
            UNREADABLE,
            f"{file} of {name} cannot be read ({error.strerror or error}); make it readable to the analyzer.",
        ) from error


def _whole(directory: Path, name: str, present: set[str]) -> Weights:
    """A whole model: its config, and its weights in one file or in shards."""
    config = read_config(directory, CONFIG, name)
    check_fields(config, name)
    if WEIGHTS in present:  # which transformers prefers
        weights = Weights({key: (WEIGHTS, span) for key, span in read_header(directory / WEIGHTS).items()})
    elif INDEX in present:
        weights = _sharded(directory, name, present)
    else:
        raise _no_weights(name, present)
    spans = {key: span for key, (_, span) in weights.tensors.items()}
    check_dtypes(config, spans, name)
    check_sizes(config, spans, name)
    return weights


def refuse_ambiguous(present: Container[str], name: str) -> None:
    """Raise CheckpointRejected ("ambiguous") for files of two models in the directory called `name`."""
    if ADAPTER_WEIGHTS in present and (WEIGHTS in present or INDEX in present):
        raise CheckpointRejected(
            "ambiguous",
            f"{name} holds both a whole model and an adapter ({ADAPTER_WEIGHTS}); move one of them to a directory "
            "of its own.",
        )
    if WEIGHTS in present and INDEX in present:
        raise CheckpointRejected(
            "ambiguous", f"{name} has both {WEIGHTS} and {INDEX}; remove the one that is left over."
        )


def read_config(directory: Path, file: str, name: str) -> dict[str, Any]:
    """A JSON object of the checkpoint; raises CheckpointRejected when it is missing or is none."""
    try:
        value = read_json(directory / file)
    except FileNotFoundError:
        raise CheckpointRejected("no_config", f"{name} has no {file}; save it with save_pretrained.") from None
    except SchemaError:
        raise CheckpointRejected("bad_config", f"{name}/{file} is not valid JSON; save it again.") from None
    if not isinstance(value, dict):
        raise CheckpointRejected("bad_config", f"{name}/{file} is not a JSON object; save it again.")
    return value


def check_serves(directory: Path, kind: Kind, source: Path | None = None) -> None:
    """Whether a sound checkpoint can be a run's judge at all, as far as its files tell: its kind, its tokenizer.

    Raises CheckpointRejected ("no_judge", "no_tokenizer"). Of an adapter its task is looked at; what its base is,
    is seen when it is loaded.
    """
    name = (source or directory).name
    if is_adapter(directory):
        check_task_is(directory, kind, name)
        return
    check_kind_is(read_config(directory, CONFIG, name), kind, name)
    if not any((directory / file).is_file() for file in VOCABULARY_FILES):
        raise CheckpointRejected("no_tokenizer", without_tokenizer(name))


def without_tokenizer(name: str) -> str:
    """What is said of a checkpoint that has no tokenizer."""
    return (
        f"{name} has no tokenizer; give the Trainer `processing_class=tokenizer` so that it is saved with each "
        "checkpoint, or copy tokenizer.json and tokenizer_config.json into it."
    )


def _sharded(directory: Path, name: str, present: set[str]) -> Weights:
    """All shards there and sound, and the index says exactly what they hold."""
    index = read_config(directory, INDEX, name)
    places = index.get("weight_map")
    if not isinstance(places, dict) or not places:
        raise CheckpointRejected("bad_index", f"{name}/{INDEX} has no weight_map; save the checkpoint again.")
    shards = set()
    for shard in places.values():
        if not isinstance(shard, str) or not is_plain(shard) or not shard.endswith(".safetensors"):
            raise CheckpointRejected("unsafe_name", f"{name}/{INDEX} names a file {str(shard)[:80]!r}; refused.")
        shards.add(shard)
    if missing := sorted(shards - present):
        raise CheckpointRejected(
            "missing_shard", f"{name} lacks {missing[0]} ({len(missing)} of {len(shards)} shards); copy it again."
        )
    tensors = {}
    for shard in sorted(shards):
        for key, span in read_header(directory / shard).items():
            if key in tensors:
                raise CheckpointRejected("index_mismatch", f"{name} holds tensor {key[:80]!r} in two shards.")
            tensors[key] = (shard, span)
    _compare_with_index(name, places, tensors, index.get("metadata"))
    return Weights(tensors)


def _compare_with_index(
    name: str, places: dict[str, str], tensors: dict[str, tuple[str, TensorSpan]], metadata: Any
) -> None:
    if places != {key: shard for key, (shard, _) in tensors.items()}:
        raise CheckpointRejected(
            "index_mismatch", f"{name}/{INDEX} and its shards do not hold the same tensors; save it again."
        )
    announced = metadata.get("total_size") if isinstance(metadata, dict) else None
    total = sum(span.end - span.begin for _, span in tensors.values())
    if announced is not None and announced != total:
        raise CheckpointRejected(
            "index_mismatch", f"{name}/{INDEX} announces {announced} bytes of tensors, the shards hold {total}."
        )


def _adapter(directory: Path, source: Path, present: set[str], bases: BasePlaces) -> Weights:
    """A PEFT adapter: sound itself, and its base model is on this machine and sound, too."""
    check_settings(read_config(directory, ADAPTER_CONFIG, source.name), source.name)
    if ADAPTER_WEIGHTS not in present:
        raise _no_weights(source.name, present)
    spans = read_header(directory / ADAPTER_WEIGHTS)
    check_dtypes(None, spans, source.name)
    tensors = {key: (ADAPTER_WEIGHTS, span) for key, span in spans.items()}
    base = bases.of(directory, source)
    try:
        _whole(base, base.name, {path.name for path in base.iterdir()})
    except CheckpointRejected as error:  # mended without a change of the adapter's own files
        why = str(error).partition("; ")[0].removesuffix(".")
        raise needed(source, f"{why} (in {base}); download it again, or give another copy with") from error
    return Weights(tensors, base=base)


def weights_of(files: Fingerprint) -> list[FileStat]:
    """Which of a checkpoint's files hold weights, in whatever form."""
    return [file for file in files if file.name.endswith((".safetensors", INDEX)) or is_pickle(file.name)]


def is_pickle(name: str) -> bool:
    """Whether a file's name is that of weights in a pickle."""
    return name.endswith(PICKLES) and name.startswith(("pytorch_model", "adapter_model", "model"))


def is_unreadable_form(directory: Path) -> bool:
    """Whether a checkpoint's weights are there in shards, which is said and never read."""
    return unmerged(directory) is not None


def _no_weights(name: str, present: set[str]) -> CheckpointRejected:
    pickles = [file for file in present if is_pickle(file)]
    if pickles:
        return CheckpointRejected(
            "pickle",
            f"{name} holds pickle weights ({min(pickles)}), which can run code when opened and are refused; "
            "save it as safetensors (transformers' default).",
        )
    return CheckpointRejected("no_weights", f"{name} holds no {WEIGHTS}; save the checkpoint again.")
