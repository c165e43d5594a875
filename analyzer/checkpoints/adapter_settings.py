"""What an adapter's own settings may be, before PEFT reads them; no torch.

They come with the checkpoint, and PEFT believes them: patterns are matched against every module's name, ranks are
memory, and some kinds of adapters are no change of weights, so that there is nothing to merge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from analyzer.checkpoints.file_names import ADAPTER_CONFIG
from shared.checkpoint_names import repeats_in_repeats
from shared.errors import CheckpointRejected

NOT_MERGED = (
    "PROMPT_TUNING",
    "MULTITASK_PROMPT_TUNING",
    "P_TUNING",
    "PREFIX_TUNING",
    "CPT",
    "ADAPTION_PROMPT",
    "XLORA",
    "POLY",
)
"""PEFT's kinds of adapters that are more than a change of the base model's weights."""
MAX_RANK = 2**16
"""More than any matrix of a model has."""
MAX_PATTERN = 4096
"""Characters of a pattern."""
RANDOM_START = "pissa_niter"
"""A start of an adapter that splits the base anew at every load, at random."""


def check_settings(config: Mapping[str, Any], name: str) -> None:
    """Refuse what cannot be merged, or would hold whoever tries. Raises CheckpointRejected ("bad_config")."""
    kind = config.get("peft_type")
    if isinstance(kind, str) and kind.upper() in NOT_MERGED:
        raise _refused(
            name,
            f"is of a {kind} adapter, which is more than a change of weights and cannot be merged; train a LoRA",
        )
    if str(config.get("init_lora_weights")).startswith(RANDOM_START):
        raise _refused(
            name,
            f"starts from a random split of its base ({RANDOM_START}), which no load repeats; save it converted "
            "to a LoRA (peft's save_pretrained with path_initial_model_for_weight_conversion)",
        )
    for field, rank in _ranks(config):
        if not isinstance(rank, int) or isinstance(rank, bool) or not 0 <= rank <= MAX_RANK:
            raise _refused(name, f"has {field} {str(rank)[:40]!r}, and a rank is a whole number up to {MAX_RANK}")
    for field, pattern in _patterns(config):
        if problem := _problem(pattern):
            raise _refused(name, f"has a pattern in {field} that {problem}; name the modules instead")


def _refused(name: str, why: str) -> CheckpointRejected:
    return CheckpointRejected("bad_config", f"{name}/{ADAPTER_CONFIG} {why}.")


def _ranks(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if config.get("r") is not None:
        yield "r", config["r"]
    given = config.get("rank_pattern")
    yield from (("rank_pattern", rank) for rank in (given.values() if isinstance(given, Mapping) else ()))


def _patterns(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What PEFT takes for regular expressions."""
    for field in ("target_modules", "exclude_modules", "layers_pattern"):
        if isinstance(config.get(field), str):
            yield field, config[field]
    for field in ("modules_to_save", "layers_pattern", "rank_pattern", "alpha_pattern"):
        given = config.get(field)
        yield from ((field, each) for each in (given if isinstance(given, list | Mapping) else ()))


def _problem(pattern: Any) -> str:
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN:
        return f"is no text of up to {MAX_PATTERN} characters"
    try:
        re.compile(pattern)
        endless = repeats_in_repeats(pattern)
    except (re.error, OverflowError, RecursionError):
        return "is no regular expression"
    return "repeats what repeats, which may take for ever on a module's name" if endless else ""
