"""What every scan finds anew is said once."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

logger = logging.getLogger(__name__)


@dataclass
class Said:
    """The sentences that were said already."""

    _sentences: set[str] = field(default_factory=set)

    def once(self, level: int, sentence: str, extra: dict[str, Any]) -> None:
        """Log a sentence with its fields, unless it was."""
        if sentence not in self._sentences:
            self._sentences.add(sentence)
            logger.log(level, "%s", sentence, extra=extra)
