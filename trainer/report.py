"""The table at the end of a training: the judge beside what needs no transformer."""

from __future__ import annotations

from rich.table import Table

from trainer.data import Data

PARTS = {"val": "validation", "test": "test", "contrast": "contrast pairs"}
METRICS = {
    "accuracy": "accuracy",
    "f1": "F1",
    "auc": "AUC",
    "fnr": "missed unsafe",
    "fpr": "flagged safe",
    "fnr_at_fpr_20": "missed, FPR 20 %",
    "tpr_at_fpr_5": "caught, FPR 5 %",
    "tpr_at_fpr_1": "caught, FPR 1 %",
}
PAIR_METRICS = {"both_right": "both twins right", "ranked_right": "twins ranked right"}

Metrics = dict[str, dict[str, float]]
"""Part -> metric -> value."""


def report(step: int, judge: Metrics, baselines: dict[str, Metrics], data: Data) -> Table:
    """Judge (at its best checkpoint) and baselines on validation, test and held-out contrast pairs."""
    verdict = "\n" + compare(judge["contrast"], baselines["tfidf"]["contrast"]) if data.contrast else ""
    table = Table(
        title=f"Best checkpoint: step {step}. {len(data.val)} validation and {len(data.test)} test prompts, "
        f"{len(data.contrast) // 2} held-out contrast pairs; unsafe is the positive class.",
        caption=f"Baselines: logistic regression on the prompt's length, and on TF-IDF of its words.{verdict}",
        title_justify="left",
        caption_justify="left",
    )
    for heading in ("", "", "length", "TF-IDF", "judge"):
        table.add_column(heading, justify="right" if heading else "left")
    columns = [baselines["length"], baselines["tfidf"], judge]
    for part in filter(judge.get, PARTS):
        rows = METRICS | (PAIR_METRICS if part == "contrast" else {})
        for number, (metric, label) in enumerate(rows.items()):
            cells = [_cell(column, part, metric) for column in columns]
            table.add_row("" if number else PARTS[part], label, *cells, end_section=number == len(rows) - 1)
    return table


def compare(judge: dict[str, float], tfidf: dict[str, float]) -> str:
    """One sentence: does the judge see more than keywords?"""
    mine, words = judge["accuracy"], tfidf["accuracy"]
    beats = "beats" if mine > words else "does not beat"
    return f"On contrast pairs the judge {beats} TF-IDF: {mine:.3f} against {words:.3f}."


def _cell(metrics: Metrics, part: str, metric: str) -> str:
    value = metrics.get(part, {}).get(metric)
    return "-" if value is None else f"{value:.3f}"
