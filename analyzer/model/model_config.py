"""A checkpoint's config as transformers reads it, without what names code or weights of elsewhere.

Everything else in a config is a size, a name of a built-in part or a number; these fields say what is run:
1. `auto_map`, `custom_pipelines`, `custom_generate`: Python beside the weights, or in a repository.
2. `_attn_implementation`, `_experts_implementation`: "org/name" is a kernel on the Hub, which transformers fetches
   and runs. Only those stay that transformers itself has for every device.
3. `transformers_weights`: another weights file than the one that was checked and digested.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import AutoConfig, PreTrainedConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCAL: Mapping[str, Any] = {"local_files_only": True, "trust_remote_code": False}
"""How everything of transformers' is loaded."""
DROPPED = ("auto_map", "custom_pipelines", "custom_generate", "transformers_weights")
"""Fields that are left out."""
BUILT_IN = {
    "_attn_implementation": (None, "eager", "sdpa"),
    "_experts_implementation": (None, "eager", "batched_mm", "grouped_mm"),
}
"""Fields that keep these values alone; any other leaves the choice to transformers."""


def read_model_config(home: Path, **told: Any) -> PreTrainedConfig:
    """The config in the directory `home`; `told` are fields known better. Raises whatever transformers raises."""
    config = AutoConfig.from_pretrained(home, **LOCAL, **told)
    for part in _parts(config):
        for field in DROPPED:
            part.__dict__.pop(field, None)
        for field, values in BUILT_IN.items():
            if getattr(part, field, None) not in values:
                setattr(part, field, None)
    return config


def _parts(config: PreTrainedConfig) -> Iterator[PreTrainedConfig]:
    """The config, and those in it (`text_config`)."""
    yield config
    for value in list(vars(config).values()):
        if isinstance(value, PreTrainedConfig):
            yield from _parts(value)
