"""Loads a checkpoint as a judge, offline, and refuses what transformers would let pass in silence.

transformers re-initialises missing tensors, builds an empty tokenizer where there is none, fetches a missing base
model from the hub, and maps weights from the file, so that a file overwritten later changes the loaded model. Each
of these is refused or undone here.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from transformers import AutoTokenizer
from transformers.utils import logging as transformers_logging

from analyzer.checkpoints.adapter import is_adapter
from analyzer.checkpoints.base_model import BasePlaces, base_digest
from analyzer.checkpoints.file_names import (
    ADAPTER_CONFIG,
    CONFIG,
    INDEX,
    TOKENIZER_FILES,
    VOCABULARY_FILES,
    WEIGHTS,
)
from analyzer.jobs.family import Family
from analyzer.model.adapter import check_whole, merge, read_adapter
from analyzer.model.anatomy import dissect
from analyzer.model.auto_class import auto_class
from analyzer.model.described import check_paths
from analyzer.model.judge import Judge, answers_of
from analyzer.model.kept_base import KeptBase
from analyzer.model.load_checks import checked, checked_again
from analyzer.model.load_errors import in_one_sentence, words_known
from analyzer.model.model_config import LOCAL, read_model_config
from analyzer.model.quantised import made_whole, prepare, told
from analyzer.model.refusals import (
    HARMLESS,
    check_adapter_head,
    check_answers,
    check_complete,
    check_kind,
    check_supported,
    check_weights,
)
from analyzer.model.tokenizer_patterns import check_tokenizer
from shared.errors import JudgeError
from shared.records import JudgeRecord

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


LIMITS = ("max_position_embeddings", "max_seq_len", "max_sequence_length")
"""Fields in which configs say how many positions a model has (MPT's ALiBi ends at the second)."""


def load_judge(
    directory: Path,
    record: JudgeRecord,
    *,
    device: str = "cpu",
    warm: Judge | None = None,
    tensors: Mapping[str, str] | None = None,
    family: Family | None = None,
    base: Path | None = None,
) -> Judge:
    """Load the judge saved at `directory` on "cpu" or "cuda:N".

    With `warm`, a judge loaded before, only weights are read, into its model (which then is this checkpoint's: the
    old judge must not be used any more); anything that differs beside the weights falls back to a full load.
    Of an adapter, a warm judge's base is taken again, and only the adapter is read; `base` is the directory of its
    base model, looked for where it is None. `tensors` are the digests of the checkpoint's tensors, by name: those
    that the warm judge holds already are not read; without digests every one is. `family` is what a user says of
    the model's family.
    Raises CheckpointRejected (codes "missing_keys", "bad_config", "damaged"), CheckpointChanged when the directory
    vanished, JudgeError when the model loads but cannot serve as a judge, and FamilyError where `family` is wrong.
    """
    check_supported(directory, record)
    if base is None and is_adapter(directory):
        base = BasePlaces(record.base).of(directory)
    identity = _identity(directory, base, device, record, family)
    tensors = {} if tensors is None else tensors
    what = "causal language model" if record.kind == "prompted" else "sequence classifier"
    changed, notes = None, ()
    with in_one_sentence(directory.name, f"cannot be loaded as a {what}"):
        if warm is not None and warm.identity == identity and warm.base is not None:
            changed, notes = _merge_again(warm.base, directory)
        elif warm is not None and warm.identity == identity and _fits(warm, directory):
            changed = _take_over(warm, directory, tensors)
        if warm is None or changed is None:
            judge = _load(directory, base, record, device, identity, family)
        else:
            length = _max_length(warm.model, warm.tokenizer, record)
            judge = replace(warm, record=record, max_length=length, warnings=told(warm.quantised) + notes)
            if record.kind == "prompted":  # a record that was corrected meanwhile; the model is the same
                check_answers(warm.model, record, directory.name)
    check_weights(judge.model, directory.name, changed)
    judge.held.update({name: tensors[name] for name in judge.layout if name in tensors})
    with in_one_sentence(directory.name, f"is a {judge.anatomy.family}, which cannot be run on a prompt here"):
        return checked(judge) if warm is None or changed is None else checked_again(judge, warm)


def _identity(directory: Path, base: Path | None, device: str, record: JudgeRecord, family: Family | None) -> str:
    digest = hashlib.sha256(f"{record.kind} {record.classes} {device} {family and family.digest}".encode())
    for name in (CONFIG, ADAPTER_CONFIG, *TOKENIZER_FILES):
        path = directory / name
        digest.update(name.encode() + (path.read_bytes() if path.is_file() else b"-"))
    if base is not None:
        digest.update(f"{base} {base_digest(base)}".encode())
    return digest.hexdigest()


def _load(
    directory: Path, base: Path | None, record: JudgeRecord, device: str, identity: str, family: Family | None
) -> Judge:
    """Everything anew. Raises whatever transformers raises."""
    prompted, home = record.kind == "prompted", base or directory
    with _told_of(home, base):
        config = _config(home, {} if prompted or base is None else {"num_labels": record.classes})
    check_kind(config, record, directory.name, family)
    if base is not None and not prompted:
        check_adapter_head(directory, record)
    method = prepare(config, home.name)
    with _told_of(home, base), words_known(home.name, config.to_dict()):
        model, info = _model(home, config, prompted, device)
    model, kept, warnings = _detached(made_whole(model, method), device), None, told(method)
    if base is not None:
        kept, saved = KeptBase(model), read_adapter(directory)
        check_whole(info["missing_keys"], saved, directory.name)
        warnings += merge(kept, directory, saved)
    else:
        check_complete(config, info, directory.name)
    tokenizer = _tokenizer(directory, home)
    if prompted:
        check_answers(model, record, directory.name)
    if family is not None:
        check_paths(model, family, prompted=prompted)
    return Judge(
        model=model,
        tokenizer=tokenizer,
        record=record,
        anatomy=dissect(model, _set_pad_id(model, tokenizer), answers_of(record), family),
        device=device,
        dtype=str(model.dtype).removeprefix("torch."),
        max_length=_max_length(model, tokenizer, record),
        layout={} if base is not None else _layout(directory),
        identity=identity,
        given=family,
        base=kept,
        quantised=method,
        warnings=warnings,
    )


def _told_of(home: Path, base: Path | None) -> AbstractContextManager[None]:
    """Inside, what is raised is said of the adapter's base model, not of the adapter."""
    return (
        nullcontext() if base is None else in_one_sentence(home.name, "cannot be loaded as an adapter's base model")
    )


def _config(home: Path, labels: dict[str, Any]) -> Any:
    transformers_logging.set_verbosity(logging.CRITICAL)  # what it calls errors, it raises as well
    transformers_logging.disable_progress_bar()
    return read_model_config(home, **labels)


def _model(home: Path, config: Any, prompted: bool, device: str) -> tuple[PreTrainedModel, dict[str, Any]]:
    """The model as its files hold it, and what transformers says of missing and other keys."""
    options: dict[str, Any] = {"config": config, "dtype": torch.float32 if device == "cpu" else "auto"}
    options |= {"use_safetensors": True}
    options |= {"ignore_mismatched_sizes": True}  # reported instead of an exception without names
    return auto_class(config, prompted).from_pretrained(home, output_loading_info=True, **options, **LOCAL)


def _tokenizer(directory: Path, home: Path) -> PreTrainedTokenizerBase:
    """The checkpoint's own, an adapter without one has its base's."""
    own = any((directory / name).is_file() for name in VOCABULARY_FILES)
    place = directory if own else home
    check_tokenizer(place, place.name)
    return AutoTokenizer.from_pretrained(place, **LOCAL)


def _merge_again(base: KeptBase, directory: Path) -> tuple[set[str], tuple[str, ...]]:
    """Another adapter into the base of the last one: names of the tensors that it changed, and what to say."""
    base.restore()
    notes = merge(base, directory, read_adapter(directory))
    return base.changed(), notes


def _detached(model: PreTrainedModel, device: str) -> PreTrainedModel:
    """In eval mode, without gradients, and in memory of its own (see the module's docstring)."""
    model.eval().requires_grad_(False)
    for config in (model.config, model.config.get_text_config()):
        config.use_cache = False
    module: Any
    for module in model.modules():
        if hasattr(module, "chunk_size_feed_forward"):  # saves memory, and hides most tokens from a hook
            module.chunk_size_feed_forward = 0
    if device != "cpu":
        return model.to(device)  # type: ignore[arg-type]
    for tensor in [*model.parameters(), *model.buffers()]:
        tensor.data = tensor.data.clone()
    return model


def _set_pad_id(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """The id that pads batches; told to the model, which needs it to find each prompt's last token."""
    config: Any = model.config.get_text_config()
    rows = getattr(config, "vocab_size", None) or _rows(model)
    for pad_id in (config.pad_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id):
        if isinstance(pad_id, int) and 0 <= pad_id < rows:
            config.pad_token_id = pad_id
            return pad_id
    raise JudgeError(
        "Neither the model nor the tokenizer has a padding, end or unknown token; set pad_token_id in the config."
    )


def _rows(model: PreTrainedModel) -> int:
    """Words that the model has embeddings of; without a table (CANINE hashes characters) any id will do."""
    try:
        return int(getattr(model.get_input_embeddings(), "num_embeddings", 2**31))
    except NotImplementedError:
        return 2**31


def _max_length(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, record: JudgeRecord) -> int:
    """What the record, the tokenizer and the config allow. The self-check sees how many there really are."""
    told = [getattr(model.config.get_text_config(), name, None) for name in LIMITS]
    positions = [limit for limit in told if isinstance(limit, int) and limit > 0]  # XLNet says -1 for no limit
    return max(1, min(record.max_length, *positions, tokenizer.model_max_length))


def _weight_files(directory: Path) -> list[Path]:
    """The files that transformers reads: one, or the shards that the index names."""
    if (directory / WEIGHTS).is_file():
        return [directory / WEIGHTS]
    if not (directory / INDEX).is_file():
        raise JudgeError(f"{directory.name} has no safetensors weights; save it with safe_serialization.")
    places = json.loads((directory / INDEX).read_text(encoding="utf-8"))["weight_map"]
    return [directory / name for name in sorted(set(places.values()))]


def _layout(directory: Path) -> dict[str, tuple[str, ...]]:
    """Name -> dtype and shape of every tensor, from the files' headers."""
    layout: dict[str, tuple[str, ...]] = {}
    for path in _weight_files(directory):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (not a dict)
                tensor = file.get_slice(name)
                layout[name] = (tensor.get_dtype(), *map(str, tensor.get_shape()))
    return layout


def _fits(warm: Judge, directory: Path) -> bool:
    """Whether a checkpoint can be written into a warm model tensor by tensor.

    Not an adapter; nor where transformers renames tensors as it loads; nor where the files hold two tensors that
    are tied in the model, as transformers ties only equal ones.
    """
    if is_adapter(directory) or warm.layout != _layout(directory):
        return False
    state = warm.model.state_dict()
    names = [name for name in warm.layout if not (name.endswith(HARMLESS) and name not in state)]
    if not all(name in state for name in names):
        return False
    places = [state[name].data_ptr() for name in names if state[name].numel()]
    return len(set(places)) == len(places)


@torch.no_grad()
def _take_over(warm: Judge, directory: Path, tensors: Mapping[str, str]) -> set[str]:
    """Copy the tensors that the warm judge does not hold yet into its model; their names."""
    state = warm.model.state_dict()
    changed = {
        name
        for name in warm.layout
        if name in state and (name not in tensors or warm.held.get(name) != tensors[name])
    }
    for name in changed:
        warm.held.pop(name, None)
    for path in _weight_files(directory):
        with safe_open(path, framework="pt") as file:
            for name in changed.intersection(file.keys()):
                state[name].copy_(file.get_tensor(name))
    return changed
