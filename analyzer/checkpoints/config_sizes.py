"""Whether the sizes in a model's config can be: transformers builds a model of that size before it reads weights.

A billion layers, or classes, hold the worker until it is killed; so much width asks for memory that no machine has.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from analyzer.checkpoints.file_names import CONFIG
from analyzer.checkpoints.safetensors_header import TensorSpan
from shared.errors import CheckpointRejected

LAYERS = (
    "num_hidden_layers",
    "num_layers",
    "n_layer",
    "n_layers",
    "num_decoder_layers",
    "encoder_layers",
    "decoder_layers",
)
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
"""Fields in which configs count layers, and experts."""
POSITIONS = (
    *("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "max_sequence_length", "seq_length"),
    *("max_source_positions", "max_target_positions", "position_buckets", "max_relative_positions"),
    *("relative_attention_num_buckets", "relative_attention_max_distance"),
)
"""Fields in which they say how many positions, or distances, there are: a table of that many rows is built."""
WIDTHS = (
    "hidden_size",
    "intermediate_size",
    "vocab_size",
    "type_vocab_size",
    "num_labels",
    "head_dim",
    "embedding_size",
)
WIDTHS += (
    "num_attention_heads",
    "num_key_value_heads",
    "d_model",
    "d_ff",
    "n_embd",
    "n_inner",
    "dim",
    "hidden_dim",
)
"""Fields in which they say how large a matrix is."""
MOST_LAYERS, MOST_EXPERTS, MOST_WIDTH, MOST_POSITIONS = 256, 1024, 10**6, 2**24
"""What every model may have, whatever its weights hold; the longest contexts have 10 million positions."""


def check_sizes(config: Mapping[str, Any], tensors: Mapping[str, TensorSpan], name: str) -> None:
    """Raise CheckpointRejected ("bad_config") for more layers than tensors, or a size beyond all of their numbers.

    `tensors` are the model's, empty where they were not looked at.
    """
    numbers = sum(math.prod(span.shape) for span in tensors.values())
    most = dict.fromkeys(WIDTHS, max(MOST_WIDTH, numbers)) | dict.fromkeys(LAYERS, max(MOST_LAYERS, len(tensors)))
    most |= dict.fromkeys(EXPERTS, max(MOST_EXPERTS, len(tensors)))
    most |= dict.fromkeys(POSITIONS, max(MOST_POSITIONS, numbers))
    for field, size in _sizes(config):
        if size > most[field]:
            raise CheckpointRejected(
                "bad_config",
                f"{name}/{CONFIG} says {field} {size:.3g}, more than its weights can hold; save it again.",
            )


def _sizes(config: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Of the model, and of the parts that a config describes apart (`text_config`)."""
    for part in (config, *(value for value in config.values() if isinstance(value, Mapping))):
        for field in (*LAYERS, *EXPERTS, *WIDTHS, *POSITIONS):
            size = part.get(field)
            if isinstance(size, int | float) and not isinstance(size, bool):
                yield field, min(size, 10**300) if isinstance(size, int) else size
