"""Wrong verdicts of runs made by hand: which, beside which twin, in which groups, and where inside they part."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import fisher_exact

from shared.errors import RunError
from shared.findings.wilson import wilson_interval
from shared.records import Probe
from shared.results import ResultStore
from shared.run import Run
from shared.views.failures.gather import failures_of_run
from shared.views.failures.groups import group_rows, independent, lengths
from shared.views.failures.one import one_prompt
from shared.views.failures.panels import course_panel, readout_panel
from shared.views.failures.readout import alone_words, pair_words, point_name, readout
from shared.views.failures.table import Filter, group_numbers_of, groups_to_choose, numbers, rows
from shared.views.failures.twins import Twins
from shared.views.failures.words import cautions, headline, named_groups, over_checkpoints
from tests.making.failing_run import LAYERS, PAIRS, failing_run, run_of_scores, safe, scores_of, unsafe, written
from tests.making.judged_run import STEPS, guesses

FRAUD = [unsafe(number) for number in range(10)]
LAST = [*FRAUD, safe(40), unsafe(60)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return failing_run(tmp_path_factory.mktemp("run") / "run", [[unsafe(0), unsafe(20)], LAST])


def index_of(found, place: int) -> int:
    index = found.at(written()[place].id)
    assert index is not None
    return index


def lens(run: Run, epoch: int = 2) -> np.ndarray:
    store = ResultStore(run.results)
    record = store.newest(f"checkpoint-{epoch * STEPS}", "layers")
    assert record is not None
    return store.tensors(record)["lens"].astype(float)


def test_just_the_wrong_ones_are_listed_the_surest_first(run: Run) -> None:
    found = failures_of_run(run)
    assert {each.probe.id for each in found.wrong} == {written()[place].id for place in LAST}
    scores = [abs(each.score) for each in found.wrong]
    assert scores == sorted(scores, reverse=True)
    assert Counter(each.side for each in found.wrong) == {"missed": 11, "refused": 1}
    exact = scores_of(LAST, seed=1)
    for each in found.wrong:
        place = next(place for place in LAST if written()[place].id == each.probe.id)
        assert each.score == pytest.approx(exact[place], abs=1e-5)
    assert "12 of 128 probes judged wrongly at epoch 2: 11 of 64 unsafe missed" in headline(found)
    assert over_checkpoints(found) == "Never right so far (2 checkpoints): 1 of 12"


def test_a_checkpoint_is_chosen_and_never_anothers_shown(run: Run) -> None:
    found = failures_of_run(run, lambda _: f"checkpoint-{STEPS}")
    assert {each.probe.id for each in found.wrong} == {written()[place].id for place in (unsafe(0), unsafe(20))}
    with pytest.raises(RunError, match="no-such"):
        failures_of_run(run, lambda _: "no-such")


def test_twins_are_contrast_twins_else_the_nearest_rightly_judged_of_the_other_label(run: Run) -> None:
    found = failures_of_run(run)
    by_id = {each.probe.id: each for each in found.wrong}
    paired, lone = by_id[written()[unsafe(3)].id], by_id[written()[unsafe(60)].id]
    assert paired.twin is not None and paired.twin.how == "pair"
    assert found.probes[paired.twin.index].text == written()[safe(3)].text
    assert lone.twin is not None and lone.twin.how == "words"
    assert found.probes[lone.twin.index].label == "safe" and found.probes[lone.twin.index].id not in by_id
    own = set(lone.probe.text.casefold().replace("?", "").split())
    other = set(found.probes[lone.twin.index].text.casefold().replace("?", "").split())
    assert lone.twin.shared == pytest.approx(len(own & other) / len(own | other))


def test_nothing_is_called_near_that_shares_no_words() -> None:
    probes = [Probe(id=str(n) * 16, text=text, label=label) for n, (text, label) in enumerate(
        [("alpha beta", "unsafe"), ("gamma delta", "safe"), ("如何开锁", "safe")]
    )]  # fmt: skip
    assert Twins(probes, np.array([False, True, True])).of(0) is None


def test_groups_have_wilsons_interval_and_fishers_test_over_independent_groups(run: Run) -> None:
    found = failures_of_run(run)
    table = group_rows(found)
    (fraud,) = [row for row in table if (row.name, row.side) == ("fraud", "missed")]
    assert (fraud.wrong, fraud.of, fraud.groups) == (10, 16, 16) and fraud.told
    assert fraud.rate == wilson_interval(10, 16) and fraud.rest == pytest.approx(1 / 48)
    assert fraud.p_value == pytest.approx(fisher_exact([[10, 6], [1, 47]]).pvalue)
    assert [row.name for row in table if row.told] == ["fraud"]
    assert "category fraud" in named_groups(found, table)
    rest = [row for row in table if not row.told]
    assert named_groups(found, rest) == "No category or length is told apart from the rest"
    assert {row.kind for row in table} == {"category", "length"}, "no language is recorded"
    assert sum(row.wrong for row in table if row.kind == "length") == 12


def test_prompts_of_one_template_count_once() -> None:
    wrong, groups = np.array([True, True, True, False, False]), np.array([0, 0, 0, 1, 1])
    assert independent(wrong, groups, np.ones(5, dtype=bool)) == (1, 2)
    assert independent(wrong, groups, np.array([False, False, True, True, False])) == (1, 2)
    assert independent(wrong, groups, np.zeros(5, dtype=bool)) == (0, 0)


def test_groups_of_judges_that_guess_are_not_named(tmp_path: Path) -> None:
    for seed in range(3):
        found = failures_of_run(run_of_scores(tmp_path / f"run{seed}", [guesses(seed)]))
        assert not [row for row in group_rows(found) if row.told]
        assert named_groups(found, group_rows(found)) == ""
        assert any("may be chance" in said for said in cautions(found))


def test_lengths_are_parts_of_about_equal_size() -> None:
    probes = [Probe(id=f"{n:016x}", text="x" * n, label="safe") for n in range(1, 101)]
    sizes = Counter(lengths(probes))
    assert sum(sizes.values()) == 100 and len(sizes) == 4 and max(sizes.values()) <= 26
    assert lengths([probes[4]] * 3) == ["5 characters"] * 3 and lengths([]) == []


def test_a_filter_lets_through_what_it_says(run: Run) -> None:
    found = failures_of_run(run)
    assert len(Filter(side="refused").rows(found)) == 1
    assert {each.probe.category for each in Filter(group="category:fraud").rows(found)} == {"fraud"}
    assert not Filter(group="language:en").rows(found) and not Filter(group="category:none").rows(found)
    assert [each.probe.text for each in Filter(text="NUMBER 60?").rows(found)] == [written()[unsafe(60)].text]
    texts = [each.probe.text for each in Filter(order="text").rows(found)]
    assert texts == sorted(texts, key=str.casefold)
    since = [each.course.since for each in Filter(order="longest").rows(found)]
    assert since == sorted(since)
    assert "category:fraud" in groups_to_choose(found)


def test_shown_and_for_programs_say_the_same(run: Run) -> None:
    found = failures_of_run(run)
    shown, told = rows(found, found.wrong), numbers(found, found.wrong)
    for row, value in zip(shown, told, strict=True):
        assert row.id == value["id"] and row.cells["score (nats)"] == round(value["score"], 2)
        assert row.cells["flips"] == value["flips"]
    assert {row["by"] for row in group_numbers_of(group_rows(found))} == {"category", "length"}
    assert sum(bool(value["top_words"]) for value in told) == 1, "of the one that is attributed"


def test_it_parts_where_it_leaves_the_rightly_judged_ones(run: Run) -> None:
    found, read_out = failures_of_run(run), lens(run)
    index, twin = index_of(found, unsafe(3)), index_of(found, safe(3))
    read = readout(found, index, twin, read_out)
    assert read is not None and read.alone.parts == 4 and read.alone.others == 64 - 11
    right = [index_of(found, place) for place in range(64, 128) if place not in LAST]
    assert read.alone.low == pytest.approx(read_out[right].min(0))
    assert point_name(4) == "layer 3" and point_name(0) == "the embeddings"
    assert "below all those of 53 rightly judged unsafe probes from layer 3 on" in alone_words(read, "unsafe")
    assert read.pair is not None and read.pair.others == PAIRS - 10
    gaps = [read_out[index_of(found, unsafe(n))] - read_out[index_of(found, safe(n))] for n in range(10, PAIRS)]
    assert read.pair.low == pytest.approx(np.min(gaps, axis=0))
    assert read.pair.value == pytest.approx(read_out[index] - read_out[twin])
    assert "14 pairs judged rightly" in pair_words(read)


def test_a_refused_one_parts_upwards_and_a_lone_one_has_no_pair(run: Run) -> None:
    found, read_out = failures_of_run(run), lens(run)
    read = readout(found, index_of(found, safe(40)), None, read_out)
    assert read is not None and read.pair is None and pair_words(read) == ""
    assert not read.alone.below and "is above all those of 63 rightly judged safe probes" in alone_words(
        read, "safe"
    )


def test_a_rightly_judged_prompt_parts_nowhere_and_too_few_say_nothing(run: Run, tmp_path: Path) -> None:
    found, read_out = failures_of_run(run), lens(run)
    right = [index_of(found, place) for place in range(64, 128) if place not in LAST]
    middle = sorted(right, key=lambda index: found.history.now[index])[len(right) // 2]
    read = readout(found, middle, None, read_out)
    assert read is not None and read.alone.parts is None and "parts from them at no layer" in alone_words(read, "")
    few = failures_of_run(failing_run(tmp_path / "few", [range(64, 124)]))
    read = readout(few, index_of(few, unsafe(0)), None, lens(failing_run(tmp_path / "few2", [range(64, 124)]), 1))
    assert read is not None and read.alone.parts is None and "only 4 " in alone_words(read, "unsafe")


def test_without_read_outs_there_is_no_figure(run: Run) -> None:
    found = failures_of_run(run)
    index = index_of(found, unsafe(3))
    assert readout_panel(found, one_prompt(found, index, None)) is None
    holes = lens(run)
    holes[index] = np.nan
    assert readout_panel(found, one_prompt(found, index, holes)) is None
    assert readout_panel(found, one_prompt(found, index, holes[:5])) is None


def test_figures_hold_what_they_say(run: Run) -> None:
    found = failures_of_run(run)
    one = one_prompt(found, index_of(found, unsafe(3)), lens(run))
    course, layers = course_panel(found, one), readout_panel(found, one)
    assert layers is not None and len(course.rows) == 2 and len(layers.rows) == LAYERS + 1
    assert [row["wrong"] for row in course.rows] == [False, True] and not course.claims
    assert course.figure.layout.yaxis.title.text == "score (nats)"
    assert "parts at layer 3" in layers.figure.layout.title.text and "n = 1 prompt" in layers.badge


def test_what_cannot_be_told_says_what_to_do(tmp_path: Path) -> None:
    run = failing_run(tmp_path / "run", [LAST])
    run.probes.unlink()
    with pytest.raises(RunError, match=r"probe set .* is not there any more"):
        failures_of_run(run)
    empty = Run.at(tmp_path / "run")
    store = ResultStore(run.results)
    record = store.newest(f"checkpoint-{STEPS}", "progress")
    assert record is not None
    store.remove(record.checkpoint, "progress", record.key)
    with pytest.raises(RunError, match="midwatch analyze"):
        failures_of_run(empty)
