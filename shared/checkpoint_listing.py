"""The checkpoints among what lies in a directory, by one look at it, and one into each directory that may be one.

A directory of another name than `checkpoint-<step>` counts once it holds a model. A model in the run's own
directory is one checkpoint more. What holds a model that has to be refused (pickles, shards) counts, too: the cause
is said. A symbolic link to a directory (`last`) is no checkpoint more.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from shared.checkpoint_names import ROOT, STEP_NAMED, NamePattern, holds_model, is_plain, place_of
from shared.own_folders import MIDWATCH, VISUALIZATIONS

OURS = (MIDWATCH, VISUALIZATIONS)
WHOLE = {"model.safetensors", "model.safetensors.index.json"}
REFUSED = ("pytorch_model", "adapter_model", "model", "mp_rank_", "__0_", "consolidated")
"""How files of weights begin that are refused in words."""
REFUSED_ENDS = (".bin", ".pt", ".pth", ".safetensors", ".distcp")


class Listing(NamedTuple):
    """What lies in a directory."""

    folders: set[str]
    files: set[str]
    links: set[str]
    """Of both, those that are symbolic links."""

    def without_links(self) -> Listing:
        return Listing(self.folders - self.links, self.files - self.links, set())


def listing_of(path: Path) -> Listing:
    """One look at a directory, not into anything in it. Raises OSError."""
    found = Listing(set(), set(), set())
    with os.scandir(path) as entries:
        for entry in entries:
            (found.folders if _is_folder(entry) else found.files).add(entry.name)
            if entry.is_symlink():
                found.links.add(entry.name)
    return found


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a directory; no link to nowhere, or to itself, keeps the others from being listed."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def checkpoints_in(
    path: Path,
    listing: Listing,
    pattern: NamePattern | None = None,
    noted: Collection[str] = (),
    *,
    announced: bool = False,
) -> Iterator[str]:
    """Names of the checkpoints in a directory, in no order.

    `pattern` is the user's rule instead of ours, `noted` are names that an earlier pattern found; `announced`
    leaves only `checkpoint-<step>`.
    """
    if pattern is not None:
        folders = (name for name in listing.folders if is_plain(name) and name not in OURS)
        yield from (name for name in folders if pattern.place(name) is not None)
        if pattern.text == ".":
            yield ROOT
        return
    named = [name for name in listing.folders if STEP_NAMED.match(name)]
    yield from named
    if announced:
        return
    whole = has_model(listing.files)
    others = [
        *(name for name in listing.folders - listing.links if _is_other(path, name, noted, beside_model=whole)),
        *(name for name in listing.files if name.endswith(".ckpt") and place_of(name) is not None),
    ]
    yield from others
    if whole or (not named and not others and has_refused_model(listing)):
        yield ROOT


def _is_other(path: Path, name: str, noted: Collection[str], *, beside_model: bool) -> bool:
    """Whether a directory is a checkpoint of another name than `checkpoint-<step>`."""
    if STEP_NAMED.match(name) or not (name in noted or place_of(name) is not None):
        return False
    if beside_model and name.startswith("global"):  # DeepSpeed's state of the optimizer, unless a model is in it
        return _holds_whole(path / name)
    return holds_model(path / name)


def has_model(files: set[str]) -> bool:
    """Whether these are files of a model or an adapter that can be read."""
    whole = "config.json" in files and not files.isdisjoint(WHOLE)
    return whole or {"adapter_config.json", "adapter_model.safetensors"} <= files


def has_refused_model(listing: Listing) -> bool:
    """Whether there is a model in a form that has to be refused: pickles, shards, weights without a config."""
    weights = any(name.startswith(REFUSED) and name.endswith(REFUSED_ENDS) for name in listing.files)
    return weights or any(name.startswith("pytorch_model_fsdp_") for name in listing.folders)


def _holds_whole(path: Path) -> bool:
    try:
        return has_model(listing_of(path).files)
    except OSError:
        return False
