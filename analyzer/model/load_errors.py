"""Whatever a model's own code raises while it is loaded and tried, as one sentence.

transformers raises nearly every type there is, depending on the family. Only here is every exception caught; the
traceback is in the log at level debug. What says nothing of the checkpoint passes: ours, want of memory, a GPU that
failed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from safetensors import SafetensorError

from analyzer.model.device import is_device_fault, is_out_of_memory
from shared.errors import CheckpointRejected, JudgeError, MidwatchError, reason_of
from shared.logs import entry

logger = logging.getLogger(__name__)


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
        cause = f"{name} {cannot}: {reason_of(error)}"
        logger.debug("%s", cause, exc_info=error, extra=entry("unloadable", checkpoint=name, cause=cause))
        raise JudgeError(cause) from error
