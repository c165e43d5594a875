"""The texts of one asked prompt: as the judge reads them, and changed in one place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analyzer.attribution.replacement import scores_of
from analyzer.attribution.words import WordSpan, words
from analyzer.model.batches import Encoded, token_names
from analyzer.session.opened import Opened
from shared.findings.asked import ScoredText
from shared.prompts.conversation import joined, takes_response
from shared.requests.record import AskedPrompt


@dataclass(frozen=True)
class Texts:
    """One prompt, and how its judge reads texts."""

    opened: Opened
    prompt: AskedPrompt

    @cached_property
    def judged(self) -> str:
        """What the judge reads of the prompt: its response too, where its template takes one."""
        return self.read(self.prompt.text)

    @cached_property
    def encoded(self) -> Encoded:
        return self.opened.judge.encode([self.judged])[0]

    @cached_property
    def spans(self) -> list[WordSpan]:
        """Its words, special ones among them."""
        return self.words(self.encoded)

    def words(self, encoded: Encoded) -> list[WordSpan]:
        return words(encoded, token_names(self.opened.judge.tokenizer, encoded.ids))

    @cached_property
    def places(self) -> list[int]:
        """Which of `spans` say something: those that can be deleted or replaced."""
        return [
            place
            for place, span in enumerate(self.spans)
            if not span.special and any(character.isalnum() for character in span.text)
        ]

    def read(self, text: str) -> str:
        """A text of the prompt's kind as the judge reads it."""
        if self.prompt.response and takes_response(self.opened.judge.template):
            return joined(text, self.prompt.response)
        return text

    def without(self, place: int) -> str:
        """The judged text with one word deleted, and one space beside it."""
        span, text = self.spans[place], self.judged
        start, end = span.start, span.end
        if text[end : end + 1] == " ":
            end += 1
        elif start and text[start - 1] == " ":
            start -= 1
        return text[:start] + text[end:]

    def scores(self, texts: list[str], what: str) -> np.ndarray:
        """(texts,) scores of judged texts, nats. Raises CannotCompute where one is not finite."""
        opened = self.opened
        return scores_of(opened.judge, texts, opened.batch_tokens, opened.progress(what))

    def scored(self, text: str, score: float) -> ScoredText:
        """What is published of one text and its score."""
        judge = self.opened.judge
        encoded, shift = judge.encode([self.read(text)])[0], judge.log_odds_shift
        return ScoredText(
            text=text,
            response=self.prompt.response,
            score=score,
            probability=None if shift is None else float(np.exp(-np.logaddexp(0.0, -(score + shift)))),
            tokens=len(encoded.ids),
            truncated=encoded.truncated,
        )
