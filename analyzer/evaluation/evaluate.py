"""One evaluation, top to bottom: ask, measure, verify, write. Its prompts are read by `analyzer.evaluation.asked`.

1. Score the prompts, and the trigger-word pack with them.
2. Measure on those with a label: verdicts, the baselines beside them, thresholds, calibration, parts.
3. Attribute the hardest mistakes.
4. See that the checkpoint is still what was read; write evaluation.json, predictions.csv and the page.
"""

from __future__ import annotations

import time

import numpy as np

from analyzer.evaluation.asked import Asked, ask, data_of
from analyzer.evaluation.mistakes import mistakes_of
from analyzer.evaluation.predictions import prediction_rows
from analyzer.evaluation.scored import read_by, scored
from analyzer.evaluation.trigger_words import shipped_triggers, trigger_pack
from analyzer.evaluation.verdicts import against, verdicts_of
from analyzer.jobs.tasks import EvaluateTask
from analyzer.session.opened import Opened
from analyzer.statistics.intervals import Clusters
from analyzer.statistics.score_meaning import Amount, cells_by_length, cells_by_name, score_meaning
from analyzer.statistics.separation import unit_of
from shared.errors import SchemaError
from shared.evaluations import EvaluationPlace
from shared.findings.calibration import CalibrationResult, Cell, CellKind
from shared.findings.evaluation import Against, Evaluation, TriggerPack
from shared.notices import newest_notices
from shared.pages.evaluation import write_evaluation_page
from shared.pages.index import write_index
from shared.prompts.baselines import read_baselines
from shared.prompts.load import Loaded
from shared.version import __version__

LENGTH_BINS = 4
"""Parts by length in tokens, of equal mass."""
KINDS: tuple[CellKind, ...] = ("category", "language", "source", "style")
"""What the prompts say of themselves, by which rates are told."""


def evaluate(opened: Opened, task: EvaluateTask, loaded: Loaded) -> None:
    """Raises JudgeError and CheckpointChanged."""
    started = time.perf_counter()
    asked = ask(opened, loaded)
    found = _evaluation(opened, task, asked)
    found = found.model_copy(update={"duration_s": time.perf_counter() - started, "created_at": time.time()})
    opened.verify()
    place = EvaluationPlace(opened.run, opened.job.checkpoint, task.name)
    place.write_predictions(prediction_rows(asked.loaded, asked.scores, opened.judge.log_odds_shift))
    place.write(found)
    write_evaluation_page(place, found)
    write_index(place.run, newest_notices(place.run))


def _evaluation(opened: Opened, task: EvaluateTask, asked: Asked) -> Evaluation:
    job, judge, amount = opened.job, opened.judge, Amount(seed=task.seed)
    trigger, data = _trigger(opened, amount), data_of(opened, task, asked)
    clusters = Clusters(asked.measured.groups.tolist(), amount.draws, amount.seed) if asked.prompts else None
    baselines, warnings = _baselines(opened, asked, clusters)
    return Evaluation(
        run=opened.run.name,
        checkpoint=job.checkpoint,
        step=job.step,
        epoch=job.epoch,
        chosen=task.chosen,
        data=data,
        flagged=asked.flagged,
        verdicts=None if clusters is None else verdicts_of("judge", asked.measured, clusters),
        baselines=baselines,
        meaning=None if clusters is None else _meaning(opened, asked, amount),
        trigger=trigger,
        mistakes=mistakes_of(opened, asked.prompts, asked.measured.scores, task.mistakes)
        if asked.prompts
        else None,
        warnings=[
            *job.warnings,
            *judge.warnings,
            *opened.warnings,
            *asked.warnings,
            *warnings,
            *_leaks(data.leaks),
        ],
        checkpoint_digest=opened.digest.digest,
        device=judge.device,
        dtype=judge.dtype,
        seed=task.seed,
        threshold=judge.record.threshold,
        midwatch=__version__,
    )


def _trigger(opened: Opened, amount: Amount) -> TriggerPack | None:
    triggers = shipped_triggers()
    texts = read_by(opened, [each.prompt for each in triggers])
    return trigger_pack(
        triggers, scored(opened, texts, opened.progress("trigger words")), amount.draws, amount.seed
    )


def _baselines(opened: Opened, asked: Asked, clusters: Clusters | None) -> tuple[list[Against], list[str]]:
    """The run's own baselines on the same prompts, and what to say where there are none."""
    if clusters is None:
        return [], []
    try:
        fitted = read_baselines(opened.run.baselines)
    except FileNotFoundError:
        return [], ["The run keeps no baselines (baselines.json), so nothing stands beside the judge."]
    except (SchemaError, OSError) as error:
        return [], [f"The run's baselines cannot be read, so nothing stands beside the judge: {error}"]
    scores = fitted.scores([prompt.text for prompt in asked.prompts])
    return [against(name, asked.measured, scores[name], clusters) for name in ("length", "tfidf")], []


def _meaning(opened: Opened, asked: Asked, amount: Amount) -> CalibrationResult:
    prompts, measured = asked.prompts, asked.measured
    names: dict[CellKind, list[str]] = {kind: [getattr(prompt, kind) for prompt in prompts] for kind in KINDS}
    told: dict[CellKind, list[str]] = {
        kind: each for kind, each in names.items() if kind == "category" or len(set(each)) > 1
    }
    lengths = np.array([len(each.content) for each in opened.judge.encode(read_by(opened, prompts))])
    cells: list[Cell] = [*cells_by_name(measured, told), *cells_by_length(measured, lengths, LENGTH_BINS)]
    unit, shift = unit_of(prompts, measured.groups), opened.judge.log_odds_shift
    return score_meaning(measured, amount, cells, unit, shift=shift)


def _leaks(count: int | None) -> list[str]:
    return [f"{count} of these prompts were trained on: what is measured flatters."] if count else []
