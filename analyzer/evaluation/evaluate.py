"""One evaluation, top to bottom: read the prompts, score them, write what was found."""

from __future__ import annotations

from analyzer.evaluation.predictions import prediction_rows
from analyzer.evaluation.scored import read_by, scored
from analyzer.jobs.tasks import EvaluateTask
from analyzer.session.opened import Opened
from shared.evaluations import EvaluationPlace
from shared.prompts.conversation import takes_response
from shared.prompts.load import load_any


def evaluate(opened: Opened, task: EvaluateTask) -> None:
    """Raises UsageError where the prompts cannot be read."""
    loaded = load_any(task.source, task.reading, responses=takes_response(opened.judge.template))
    prompts = [*loaded.labelled, *loaded.unlabelled]
    scores = scored(opened, read_by(opened, prompts), opened.progress("scoring"))
    opened.verify()
    EvaluationPlace(opened.run, opened.job.checkpoint, task.name).write_predictions(prediction_rows(loaded, scores))
