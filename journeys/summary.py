"""What a finished demo has found, as text: the judge beside its baselines, where it decides, by which words."""

from __future__ import annotations

from collections.abc import Iterator

from journeys.progress import Progress
from journeys.screen import COLUMNS, HEADINGS
from shared.findings.comparison import ComparisonResult
from shared.findings.parts import layer_name
from shared.findings.tokens import TokensResult
from shared.findings.word_checks import TopWord, TopWords
from shared.findings.word_sentences import BASELINES as STARTS
from shared.findings.word_sentences import instead_of_any, words_headline
from shared.records import RunRecord
from shared.results import ResultRecord, ResultStore
from shared.run import Run

WORDS_SHOWN = 6

BASELINES = {"tfidf": "words only (TF-IDF)", "length": "length only"}


def summary(run: Run, progress: Progress) -> str:
    """The text; a part whose numbers are missing is left out."""
    store = ResultStore(run.results)
    lines = [f"What was found in {run.path}", "", *_judge(progress), *_layers(store), *_words(store), *_where(run)]
    return "\n".join(lines)


def _judge(progress: Progress) -> Iterator[str]:
    """Accuracy beside what needs no transformer: in-distribution accuracy alone mostly measures keywords."""
    yield f"{'held out of training':24}" + "".join(f"{heading:>16}" for heading in HEADINGS)
    for row in progress.rows:
        yield f"{'judge, ' + row.label:24}" + _cells(row.values)
    record = progress.record or RunRecord()
    for name, title in BASELINES.items():
        if name in record.baselines:
            yield f"{title:24}" + _cells(_by_split(record.baselines[name]))
    yield from _verdict(progress, record)
    yield ""


def _verdict(progress: Progress, record: RunRecord) -> Iterator[str]:
    words = _by_split(record.baselines.get("tfidf", {})).get("contrast", {}).get("accuracy")
    judge = [row.values.get("contrast", {}).get("accuracy") for row in progress.rows]
    if words is None or not judge or judge[-1] is None:
        return
    if judge[-1] > words:
        yield f"On contrast pairs the judge beats a list of words by {judge[-1] - words:.3f}."
    else:
        yield f"On contrast pairs the judge does NOT beat a list of words ({judge[-1]:.3f} against {words:.3f})."


def _layers(store: ResultStore) -> Iterator[str]:
    found = []
    for record in store.history("comparison"):
        result = ComparisonResult.model_validate(record.payload)
        layer = result.divergence_layer
        found.append(f"{record.label}: {'no layer' if layer is None else layer_name(layer)}")
    if found:
        yield "Safe and unsafe prompts part at: " + "; ".join(found)
        yield ""


def _words(store: ResultStore) -> Iterator[str]:
    history = store.history("tokens")
    if not history:
        return
    last: ResultRecord = history[-1]
    result = TokensResult.model_validate(last.payload)
    yield f"Words of {last.label}: {words_headline(result)}."
    for found in result.top:
        yield from _lists(found)
    yield (
        f"  completeness gap: median {result.gap_median:.1%}, worst {result.gap_worst:.1%} "
        f"({result.share_converged:.0%} within {result.gap_bound:.0%})"
    )
    if result.shortcut_alarm:
        yield f"  alarm: {result.shortcut_alarm}"
    yield ""


def _lists(found: TopWords) -> Iterator[str]:
    """The words attributed from one kind of baseline."""
    if found.unsafe or found.safe:
        yield f"  mean attribution in nats, {found.prompts} prompts, baseline {STARTS[found.baseline]}:"
        yield f"    towards unsafe: {_top(found.unsafe)}"
        yield f"    towards safe:   {_top(found.safe)}"


def _top(words: list[TopWord]) -> str:
    return ", ".join(map(_one, words[:WORDS_SHOWN])) or "none"


def _one(word: TopWord) -> str:
    compared = f" {instead_of_any(word)}" if word.instead_of else ""
    value = word.value
    return f"{word.text!r}{compared} {value.value:+.2f} [{value.low:.2f}, {value.high:.2f}] ({word.count}x)"


def _where(run: Run) -> Iterator[str]:
    pages = sorted(run.visualizations.glob("*.html"))
    yield f"{len(pages)} pages to open in a browser, from {run.visualizations / 'index.html'}"
    yield f"The dashboard over them: midwatch dashboard {run.path}"


def _cells(values: dict[str, dict[str, float]]) -> str:
    found = (values.get(split, {}).get(name) for split, name in COLUMNS)
    return "".join(f"{value:16.3f}" if value is not None else f"{'':16}" for value in found)


def _by_split(flat: dict[str, float]) -> dict[str, dict[str, float]]:
    """A baseline of run.json (`accuracy`, `test_accuracy`, `contrast_accuracy`, ...) as split -> name -> value."""
    found: dict[str, dict[str, float]] = {"val": {}, "test": {}, "contrast": {}}
    for name, value in flat.items():
        split, _, short = name.partition("_")
        if split in found and short:
            found[split][short] = value
        else:
            found["val"][name] = value
    return found
