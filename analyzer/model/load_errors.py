"""Whatever a model's own code raises while it is loaded and tried, as one sentence.

transformers and PEFT raise nearly every type there is, depending on the family. Only here is every exception
caught; the traceback is in the log at level debug. What says nothing of the checkpoint passes: ours, want of
memory, a GPU that failed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from safetensors import SafetensorError

from analyzer.model.device import is_device_fault, is_out_of_memory
from shared.errors import CheckpointRejected, JudgeError, MidwatchError, reason_of
from shared.logs import entry

logger = logging.getLogger(__name__)

IN_WORDS = (OSError, ValueError, RuntimeError, ImportError)
"""Types whose text is written for people; that of others is about their code."""
SHORTEST = 3
"""Letters of a config's word that is looked for in what was raised."""


@contextmanager
def in_one_sentence(name: str, cannot: str) -> Iterator[None]:
    """Inside, what is raised becomes a JudgeError "`name` `cannot`: reason", or CheckpointRejected ("damaged")."""
    try:
        yield
    except MidwatchError:
        raise
    except SafetensorError as error:
        raise CheckpointRejected("damaged", f"{name}: its safetensors file is damaged ({error}).") from error
    except Exception as error:
        if is_out_of_memory(error) or is_device_fault(error):
            raise
        cause = f"{name} {cannot}: {_reason(error)}"
        _keep_traceback(name, cause, error)
        raise JudgeError(cause) from error


def _keep_traceback(name: str, cause: str, error: Exception) -> None:
    logger.debug("%s", cause, exc_info=error, extra=entry("unloadable", checkpoint=name, cause=cause))


def _reason(error: Exception) -> str:
    """Why, and what to do where the text is about code and not about the checkpoint."""
    if isinstance(error, IN_WORDS):
        return reason_of(error)
    kind, text = type(error).__name__, reason_of(error)
    told = text if text.startswith(kind) else f"{kind}: {text}"
    return f"the library's own code fails on it ({told}); save it again, or load it with the library alone."


@contextmanager
def words_known(name: str, config: Mapping[str, Any]) -> Iterator[None]:
    """Inside, a word of the config's that transformers looks up in vain (KeyError) is named in a JudgeError.

    An activation, a kind of rotary positions, a layer's type: `config` is config.json as a dict.
    """
    try:
        yield
    except KeyError as error:
        told = next(_looked_up(str(error), config), None)
        if told is None:
            raise
        field, word = told
        cause = (
            f"{name} has {field} {word!r}, which the installed transformers does not know: correct config.json, "
            "or install the version that it was trained with."
        )
        _keep_traceback(name, cause, error)
        raise JudgeError(cause) from error


def _looked_up(text: str, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Fields of a config, and of its parts, whose value is a word of the text, and the value."""
    for field, value in config.items():
        if isinstance(value, str) and len(value) >= SHORTEST:
            if re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text):
                yield field, value
        elif isinstance(value, Mapping):
            yield from _looked_up(text, value)
