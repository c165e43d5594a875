"""Rows of a Hugging Face `datasets` source: a name on the hub, or a local directory that library can read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from shared.errors import UsageError, reason_of
from shared.prompts.rows import Row


def read_dataset(name: str, subset: str | None = None, splits: Sequence[str] = ()) -> Iterator[Row]:
    """The rows of `splits` (default: "train", or the only split). Class labels are given by their names.

    Raises UsageError when `datasets` is not installed, the data set is unknown, gated or out of reach, or has
    no such split.
    """
    found = _load(name, subset)
    for split in splits or [_default_split(name, list(found))]:
        if split not in found:
            raise UsageError(f"{name} has no split {split!r}; pass --data-split with one of {', '.join(found)}.")
        names = _class_names(found[split])
        for number, values in enumerate(found[split], 1):
            yield Row(number, _named_classes(values, names), split)


def _load(name: str, subset: str | None) -> dict[str, Any]:
    """Split name -> dataset."""
    try:
        import datasets
        from datasets.exceptions import DatasetsError
    except ImportError as error:
        raise UsageError(
            f"Reading {name} needs the library datasets: pip install datasets, or give a local file."
        ) from error
    try:
        if (Path(name) / "dataset_dict.json").is_file() or (Path(name) / "state.json").is_file():
            found = datasets.load_from_disk(name)
        else:
            found = datasets.load_dataset(name, subset)
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"The data set {name} could not be loaded ({reason_of(error).rstrip('.')}); check its name, the "
            "network and your login, or download it and give the local file."
        ) from error
    if isinstance(found, dict):
        return {str(split): dataset for split, dataset in found.items()}
    return {str(found.split or "train"): found}


def _default_split(name: str, splits: list[str]) -> str:
    if "train" in splits:
        return "train"
    if len(splits) == 1:
        return splits[0]
    raise UsageError(f"{name} has no split 'train'; pass --data-split with one of {', '.join(splits)}.")


def _class_names(dataset: Any) -> dict[str, list[str]]:
    """Column -> names of its classes, for columns that hold class numbers."""
    return {c: list(f.names) for c, f in dataset.features.items() if type(f).__name__ == "ClassLabel"}


def _named_classes(values: dict[str, Any], names: dict[str, list[str]]) -> dict[str, Any]:
    """Class numbers replaced by names; -1 stands for "no label" in that library."""
    named = dict(values)
    for column, classes in names.items():
        index = values[column]
        named[column] = classes[index] if index is not None and index >= 0 else None
    return named
