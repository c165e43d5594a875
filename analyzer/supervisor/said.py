"""What every scan finds anew is said once."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from shared.logs import entry

logger = logging.getLogger(__name__)


@dataclass
class Said:
    """The sentences that were said already."""

    _sentences: set[str] = field(default_factory=set)

    def bug(self, error: Exception, what: str) -> str:
        """Something of ours failed on `what`: the sentence that says so, logged once with its traceback."""
        sentence = f"Midwatch failed on {what} ({type(error).__name__}: {error}); please report it."
        if sentence not in self._sentences:
            self._sentences.add(sentence)
            logger.error("%s", sentence, exc_info=error, extra=entry("bug", run=what, cause=sentence))
        return sentence

    def once(self, level: int, sentence: str, extra: dict[str, Any]) -> None:
        """Log a sentence with its fields, unless it was."""
        if sentence not in self._sentences:
            self._sentences.add(sentence)
            logger.log(level, "%s", sentence, extra=extra)
