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
    "PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "CPT", "ADAPTION_PROMPT",
    "XLORA", "POLY", "CARTRIDGE", "LILY", "SHADOW",
)  # fmt: skip
"""PEFT's kinds of adapters that are more than a change of the base model's weights."""
MERGED = (
    "LORA", "ADALORA", "ADAMSS", "BEFT", "BOFT", "BONE", "C3A", "DEFT", "DELORA", "FOURIERFT", "FROD",
    "GLORA", "GRALORA", "HIRA", "HRA", "IA3", "LN_TUNING", "LOHA", "LOKR", "MISS", "OFT", "OSF", "PEANUT",
    "PSOFT", "PVERA", "RANDLORA", "ROAD", "SHIRA", "SUPERTUNING", "TINYLORA", "TRAINABLE_TOKENS", "UNILORA",
    "VBLORA", "VERA", "WAVEFT",
)  # fmt: skip
"""PEFT's other kinds, whose change of weights it can merge; what is none of them is no kind that is known."""
TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "peft_type": ((str,), "a kind of adapter"),
    "task_type": ((str,), "a task"),
    "base_model_name_or_path": ((str,), "a directory or a name"),
    "target_modules": ((str, list), "names of modules or a pattern"),
    "exclude_modules": ((str, list), "names of modules or a pattern"),
    "modules_to_save": ((list,), "a list of names of modules"),
    "layers_to_transform": ((int, list), "numbers of layers"),
    "layers_pattern": ((str, list), "a pattern or a list of them"),
    "rank_pattern": ((dict,), "a table of ranks"),
    "alpha_pattern": ((dict,), "a table of numbers"),
    "lora_alpha": ((int, float), "a number"),
    "lora_dropout": ((int, float), "a number"),
    "bias": ((str,), "a word"),
}
"""What a setting may be, beside null, and how that is said. PEFT reads a text for a list letter by letter."""
MAX_RANK = 2**16
"""More than any matrix of a model has."""
MAX_PATTERN = 4096
"""Characters of a pattern."""
RANDOM_START = "pissa_niter"
"""A start of an adapter that splits the base anew at every load, at random."""


def check_settings(config: Mapping[str, Any], name: str) -> None:
    """Refuse what cannot be merged, or would hold whoever tries. Raises CheckpointRejected ("bad_config")."""
    for field, (types, wanted) in TYPES.items():
        value = config.get(field)
        if value is not None and (not isinstance(value, types) or isinstance(value, bool)):
            raise _refused(
                name, f"has {field} {str(value)[:40]!r}, where {wanted} is wanted; save the adapter again"
            )
    _check_kind(config, name)
    if str(config.get("init_lora_weights")).startswith(RANDOM_START):
        raise _refused(
            name,
            f"starts from a random split of its base ({RANDOM_START}), which no load repeats; save it converted "
            "to a LoRA (peft's save_pretrained with path_initial_model_for_weight_conversion)",
        )
    if config.get("megatron_config") is not None:
        raise _refused(name, "has a megatron_config, which names a module to import; save the adapter without it")
    for field, rank in _ranks(config):
        if not isinstance(rank, int) or isinstance(rank, bool) or not 0 <= rank <= MAX_RANK:
            raise _refused(name, f"has {field} {str(rank)[:40]!r}, and a rank is a whole number up to {MAX_RANK}")
    for field, pattern in patterns_of(config):
        if problem := _problem(pattern):
            raise _refused(name, f"has a pattern in {field} that {problem}; name the modules instead")


def documented() -> list[tuple[str, ...]]:
    """Heading and rows for docs/judges.md."""
    return [
        ("`peft_type`", "what is done"),
        (" ".join(f"`{kind}`" for kind in MERGED), "merged into its base model, and the merged model is analysed"),
        (" ".join(f"`{kind}`" for kind in NOT_MERGED), "refused: it is more than a change of weights"),
    ]


def _check_kind(config: Mapping[str, Any], name: str) -> None:
    """A kind that PEFT knows and can merge. Raises CheckpointRejected."""
    kind = config.get("peft_type")
    if kind is None:
        raise _refused(
            name, "does not say what kind of adapter it is (peft_type); save it with peft's save_pretrained"
        )
    if kind.upper() in NOT_MERGED:
        raise _refused(
            name,
            f"is of a {kind} adapter, which is more than a change of weights and cannot be merged; train a LoRA",
        )
    if kind.upper() not in MERGED:
        raise _refused(
            name, f"is of a kind of adapter that is not known here ({kind[:40]!r}); train a LoRA, or save it merged"
        )


def _refused(name: str, why: str) -> CheckpointRejected:
    return CheckpointRejected("bad_config", f"{name}/{ADAPTER_CONFIG} {why}.")


def _ranks(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if config.get("r") is not None:
        yield "r", config["r"]
    given = config.get("rank_pattern")
    yield from (("rank_pattern", rank) for rank in (given.values() if isinstance(given, Mapping) else ()))


def patterns_of(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
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
