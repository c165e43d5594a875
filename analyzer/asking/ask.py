"""Prompts of the user's own, top to bottom: score, look into, verify, commit. Each answer is a result of its own.

1. The prompt, its twin and its edits are scored; the score stands among those of the probe set.
2. What is asked for is computed on this one prompt as the analyses compute it on probes (`on_prompt.py`).
3. The fewest word changes that flip the verdict are searched (`flips.py`).
4. The checkpoint is still what was read: the answer is committed to the store of answers, which no analysis reads.

What is answered already is left as it is. A part that cannot be had is a note of the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from analyzer.asking.beside_probes import ProbeSide
from analyzer.asking.flips import fewest_changes
from analyzer.asking.inside import inside
from analyzer.asking.on_prompt import OnPrompt
from analyzer.asking.texts import Texts
from analyzer.attribution.word_kinds import NeutralWords
from analyzer.attribution.word_swaps import swap_words
from analyzer.jobs.answer_keys import ASK_VERSION, answer_key, answer_settings, heads_key
from analyzer.jobs.family import told_family
from analyzer.jobs.messages import Job
from analyzer.jobs.result_index import StoreIndex
from analyzer.jobs.tasks import AskTask
from analyzer.model.judge import judge_facts
from analyzer.session.opened import Opened
from shared.answers import ASK, answer_store, is_answered
from shared.errors import CannotCompute, SchemaError
from shared.findings.asked import AskedResult
from shared.findings.heads import HeadsResult
from shared.requests.record import AskedPrompt
from shared.results import ResultRecord, ResultStore, payload_of
from shared.version import __version__

Got = TypeVar("Got")


@dataclass
class Asking:
    """One task: what its prompts share."""

    opened: Opened
    task: AskTask

    def __post_init__(self) -> None:
        self.beside = ProbeSide(self.opened)
        self.heads = heads_key(
            StoreIndex(ResultStore(self.opened.run.results)), self.opened.job.checkpoint, self.opened.digest.digest
        )

    def answer(self, prompt: AskedPrompt) -> None:
        """One prompt, committed. Raises CannotCompute, JudgeError, LeaseLost and CheckpointChanged."""
        opened, job = self.opened, self.opened.job
        store, family = answer_store(opened.run, job.lease), told_family(job.family)
        settings = answer_settings(self.task, prompt, job.record.judge, self.heads, family)
        key = answer_key(opened.digest.digest, self.beside.read.digest, settings)
        if is_answered(opened.run, job.checkpoint, key):
            return
        started = time.perf_counter()
        result = self.result(prompt)
        opened.verify()
        store.remove(job.checkpoint, ASK, key)  # of one that was damaged
        store.commit(self._record(result, settings, key, time.perf_counter() - started))

    def result(self, prompt: AskedPrompt) -> AskedResult:
        """What is found of one prompt."""
        texts, parts, notes = Texts(self.opened, prompt), self.task.parts, _Notes()
        asked = [texts.judged, *([texts.read(prompt.twin)] if prompt.twin else [])]
        scores = texts.scores(asked, "score")
        score = float(scores[0])
        on = OnPrompt(texts, score, self.beside)
        found: dict[str, Any] = {
            "prompt": texts.scored(prompt.text, score),
            "twin": texts.scored(prompt.twin, float(scores[1])) if prompt.twin else None,
            "among": self.beside.among(score),
            "edits": on.edits(),
        }
        makers: dict[str, tuple[str, Callable[[], Any]]] = {
            "words": ("words", lambda: on.words(lambda: self.neutral)),
            "layers": ("layers", on.layers),
            "attention": ("attention", lambda: on.attention(self.heads_result)),
            "changes": ("deleted", lambda: on.deleted(found.get("words"))),
            "flips": ("flips", lambda: self._flips(texts, score)),
            "nearest": ("nearest", lambda: self.beside.nearest(on.context.forward.pooled[-1, 0])),
            "inside": ("inside", lambda: inside(on, self.task.seed)),
        }
        for part in parts:
            if part in makers:
                name, make = makers[part]
                found[name] = notes.had(make)
        found = {name: value for name, value in found.items() if value is not None}
        return AskedResult(**found, notes=[*self._unread(prompt), *notes.said])

    def _flips(self, texts: Texts, score: float) -> Any:
        if why := self.opened.judge.anatomy.no_gradients:
            raise CannotCompute(f"No changes are searched that flip the verdict: {why}.")
        found = fewest_changes(texts, score, self.swaps, self.task.seed)
        if found is None:
            raise CannotCompute("No changes are searched: the tokenizer has no whole words, or the prompt none.")
        return found

    def _unread(self, prompt: AskedPrompt) -> list[str]:
        """What of the prompt this judge does not read."""
        template = self.opened.judge.template
        if prompt.response and (template is None or "{response}" not in template):
            return ["This judge reads prompts alone, so the response is not judged."]
        if not prompt.response and template is not None and "{response}" in template:
            return ["This judge reads a response, too, and none was given: it reads an empty one."]
        return []

    @cached_property
    def neutral(self) -> NeutralWords:
        return NeutralWords(self.opened.judge, self.beside.probes)

    @cached_property
    def swaps(self):
        """Words that may come in."""
        return swap_words(self.opened.judge)

    @cached_property
    def heads_result(self) -> HeadsResult | None:
        """The heads that matter at this checkpoint, where that was analysed."""
        if not self.heads:
            return None
        try:
            record = ResultStore(self.opened.run.results).load(self.opened.job.checkpoint, "heads", self.heads)
            return HeadsResult.model_validate(record.payload)
        except (OSError, SchemaError, ValueError):
            return None

    def _record(self, result: AskedResult, settings: dict, key: str, seconds: float) -> ResultRecord:
        opened, job = self.opened, self.opened.job
        judge = opened.judge
        cut = ["The judge reads only the beginning of the prompt."] if result.prompt.truncated else []
        return ResultRecord(
            analysis=ASK,
            analysis_version=ASK_VERSION,
            checkpoint=job.checkpoint,
            step=job.step,
            epoch=job.epoch,
            key=key,
            checkpoint_digest=opened.digest.digest,
            probe_digest=self.beside.read.digest,
            settings=settings,
            judge=judge_facts(judge),
            device=judge.device,
            dtype=judge.dtype,
            seed=self.task.seed,
            analyzer_version=__version__,
            created_at=time.time(),
            duration_s=seconds,
            order_unverified=job.order_unverified,
            warnings=list(dict.fromkeys([*job.warnings, *judge.warnings, *opened.warnings, *cut])),
            summary={"score": result.prompt.score},
            payload=payload_of(result),
        )


class _Notes:
    """Parts that cannot be had, and why."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def had(self, make: Callable[[], Got]) -> Got | None:
        try:
            return make()
        except CannotCompute as error:
            self.said.append(str(error))
            return None


def prompts_of(_: Job, task: AskTask) -> tuple[AskedPrompt, ...]:
    """What is asked about stands in the task itself."""
    return task.prompts


def ask(opened: Opened, task: AskTask, prompts: tuple[AskedPrompt, ...]) -> None:
    """Answer every prompt that is not answered yet. Raises what `Asking.answer` raises."""
    asking = Asking(opened, task)
    for prompt in prompts:
        asking.answer(prompt)
