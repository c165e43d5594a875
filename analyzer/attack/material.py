"""What an attack starts from: seeds of both labels, and unseen prompts to say later whether a retraining helped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from analyzer.attack.seeds import Seed, choose_seeds
from analyzer.jobs.tasks import AttackTask
from shared.errors import UsageError
from shared.prompts.load import load_prompts
from shared.prompts.prompt_files import read_prompts
from shared.records import Prompt
from shared.run import Run

VERSION = 2
"""Of the search: another one finds something else from the same seed."""
OWN_TEST = "the run's held-out test prompts"


@dataclass(frozen=True)
class Material:
    """Seeds, and where they come from."""

    seeds: list[Seed]
    unseen: list[Seed]
    """Seeds of no group, pair or text among `seeds`; empty where the run has no other prompts."""
    source: str
    """In words."""
    may_train: bool
    """Whether what is made of the seeds may join a training: not where they are the run's test prompts."""
    notes: tuple[str, ...] = ()

    def key(self, task: AttackTask, checkpoint_digest: str) -> str:
        """Digest of everything that what is found depends on but the budget."""
        texts = [(seed.text, seed.label, seed.risk) for seed in self.seeds]
        lists = [
            resources.files("analyzer.attack").joinpath(name).read_text("utf-8")
            for name in ("frames.yaml", "words.yaml", "context.yaml")
        ]
        unseen = [(seed.text, seed.label) for seed in self.unseen]
        told = [VERSION, checkpoint_digest, list(task.labels), task.seed, task.transfer, texts, unseen, lists]
        told += [task.gradients]
        return hashlib.sha256(json.dumps(told).encode("utf-8", "surrogatepass")).hexdigest()[:20]


def gather(run: Run, task: AttackTask) -> Material:
    """Read the prompts. Raises UsageError where there are none to start from."""
    own = _own_test(run)
    if task.source is None and not own:
        raise UsageError(
            f"{run.name} keeps no test prompts of its own; give labelled prompts to start from with --data FILE."
        )
    prompts = own if task.source is None else load_prompts(task.source, task.reading)
    seeds = choose_seeds(prompts)
    if not any(seed.label in task.labels for seed in seeds):
        raise UsageError(
            "No prompt can be a seed: an attack starts from whole, unframed prompts of 4 to 40 words of the wanted "
            "label; give others with --data FILE."
        )
    further = load_prompts(task.fresh, task.reading) if task.fresh else own if task.source else []
    unseen = choose_seeds(_without(further, prompts))
    return Material(
        seeds=seeds,
        unseen=unseen,
        source=OWN_TEST if task.source is None else task.source.rsplit("/", 1)[-1],
        may_train=task.source is not None,
        notes=_notes(task.source is None, unseen),
    )


def _own_test(run: Run) -> list[Prompt]:
    try:
        return read_prompts(run.test)
    except FileNotFoundError:
        return []


def _without(prompts: Sequence[Prompt], seen: Sequence[Prompt]) -> list[Prompt]:
    """Prompts that share no text, group or pair with those that were seen."""
    texts = {prompt.text for prompt in seen}
    groups = {_bare(prompt.group) for prompt in seen} - {""}
    pairs = {_bare(prompt.pair or "") for prompt in seen} - {""}
    return [
        prompt
        for prompt in prompts
        if prompt.text not in texts and _bare(prompt.group) not in groups and _bare(prompt.pair or "") not in pairs
    ]


def _bare(name: str) -> str:
    """A group without the name of the file it was read from, which `load_prompts` puts before it."""
    return name.rsplit(":", 1)[-1]


def _notes(own_test: bool, unseen: Sequence[Seed]) -> tuple[str, ...]:
    if own_test:
        return (
            "The seeds are the run's test prompts, so nothing made of them may join a training: additions.jsonl "
            "and fresh.jsonl are not written. Give training prompts with --data FILE to get them.",
        )
    if not unseen:
        return ("The search saw every prompt: fresh.jsonl is not written; give others with --fresh FILE.",)
    return ()
