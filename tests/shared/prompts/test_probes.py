from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shared.errors import UsageError
from shared.prompts.digest import MAX_PROMPT_CHARS, probe_set_digest, prompt_digest
from shared.prompts.display import display_samples
from shared.prompts.groups import held_out
from shared.prompts.leaks import count_leaks, write_train_digests
from shared.prompts.probes import choose_probes, further_pairs, read_probes, write_probes
from shared.records import Probe, Prompt
from shared.run import Run
from tests.making.made import many, prompt, twins

DISPLAY = ["safe", "safe", "unsafe", "unsafe"]


@pytest.fixture
def prompts() -> list[Prompt]:
    singles = [p for label in ("safe", "unsafe") for c in "abcd" for p in many(60, label, c)]
    return [*singles, *twins(60)]


def test_the_default_set_has_both_classes_pairs_and_spread(prompts: list[Prompt]) -> None:
    probes = choose_probes(prompts)
    assert Counter(p.label for p in probes) == {"safe": 64, "unsafe": 64}
    pairs = Counter(p.pair for p in probes if p.pair)
    assert (len(pairs), set(pairs.values())) == (32, {2})
    for label in ("safe", "unsafe"):
        singles = Counter(p.category for p in probes if p.label == label and not p.pair)
        assert max(singles.values()) - min(singles[c] for c in "abcd") <= 1
    assert all(p.id == prompt_digest(p.text) for p in probes)


def test_twins_of_equal_length_come_first(prompts: list[Prompt]) -> None:
    longer = {f"p{i}" for i in range(0, 60, 2)}
    uneven = [
        p.model_copy(update={"text": p.text + " Please do say."}) if p.pair in longer and p.label == "safe" else p
        for p in prompts
    ]
    assert not longer & {p.pair for p in choose_probes(uneven, per_class=60)}


def test_the_display_samples_lead_and_include_a_pair(prompts: list[Prompt]) -> None:
    probes = choose_probes(prompts)
    assert [p.label for p in probes if p.display] == DISPLAY == [p.label for p in probes[:4]]
    assert display_samples(probes) == probes[:4]
    assert max(Counter(p.pair for p in probes[:4] if p.pair).values()) == 2
    assert all(len(p.text) <= 110 for p in probes[:4])


def test_long_prompts_are_displayed_only_where_nothing_shorter_is() -> None:
    long = [prompt(f"{label} {i} " + "word " * 200, label) for label in ("safe", "unsafe") for i in range(20)]
    short = [*many(3, "safe"), *many(3, "unsafe")]
    shown = display_samples(choose_probes([*long, *short], max_share=1.0))
    assert {p.text for p in shown} <= {p.text for p in short}
    assert [p.label for p in display_samples(choose_probes(long))] == DISPLAY


def test_training_on_the_rest_shares_nothing_with_the_probes(prompts: list[Prompt]) -> None:
    grouped = [p.model_copy(update={"group": p.group or f"t{i // 3}"}) for i, p in enumerate(prompts)]
    probes = choose_probes(grouped)
    rest = held_out(grouped, probes)
    assert not {p.group for p in rest} & {p.group for p in probes}
    assert not {prompt_digest(p.text) for p in rest} & {p.id for p in probes}
    assert rest


def test_lone_prompts_are_taken_before_groups_are_broken() -> None:
    lone = [*many(20, "safe", "a"), *many(20, "unsafe", "a")]
    grouped = [p for label in ("safe", "unsafe") for p in many(60, label, "b", group=f"big-{label}")]
    probes = choose_probes([*lone, *[p.model_copy(update={"category": "a"}) for p in grouped]], per_class=20)
    assert {p.group for p in probes} == {""}


def test_the_choice_depends_on_the_seed_and_not_on_the_order(prompts: list[Prompt]) -> None:
    mixed = random.Random(1).sample(prompts, len(prompts))
    assert {p.id for p in choose_probes(prompts, seed=2)} == {p.id for p in choose_probes(mixed, seed=2)}
    assert {p.id for p in choose_probes(prompts, seed=2)} != {p.id for p in choose_probes(prompts, seed=3)}


def test_a_small_data_set_keeps_three_quarters(prompts: list[Prompt]) -> None:
    small = [*many(40, "safe"), *many(24, "unsafe")]
    assert Counter(p.label for p in choose_probes(small)) == {"safe": 10, "unsafe": 6}
    assert len(choose_probes(small, max_share=1.0)) == 64


def test_repeated_and_contradicting_texts_are_never_probes() -> None:
    pool = [*many(4, "safe"), *many(4, "safe"), *many(4, "unsafe"), prompt("same"), prompt("SAME", "unsafe")]
    probes = choose_probes(pool, max_share=1.0)
    assert len({p.id for p in probes}) == len(probes) == 8


@pytest.mark.parametrize("pool", [[], many(9, "safe"), [*many(9, "safe"), *many(7, "unsafe")]])
def test_too_few_prompts_are_refused(pool: list[Prompt]) -> None:
    with pytest.raises(UsageError, match="too few"):
        choose_probes(pool)


def test_a_written_set_reads_back_the_same(tmp_path: Path, prompts: list[Prompt]) -> None:
    hostile = prompt("<script>alert(1)</script> **bold** \u2028 \x00 é", "safe", category="<b>")
    probes = choose_probes([*prompts, hostile], per_class=500, max_share=1.0)
    write_probes(tmp_path / "probes.jsonl", probes)
    found, warnings, _ = read_probes(tmp_path / "probes.jsonl")
    assert (found, warnings) == (probes, [])
    assert hostile.text in {p.text for p in found}


def lines(path: Path, *extra: Any) -> Path:
    base = [{"text": f"prompt {i}", "label": label} for i, label in enumerate(DISPLAY)]
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in [*base, *extra]))
    return path


def test_display_samples_are_chosen_where_the_file_marks_none(tmp_path: Path) -> None:
    found, warnings, _ = read_probes(lines(tmp_path / "p.jsonl", {"prompt": "another one", "label": 1}))
    assert [p.label for p in found if p.display] == DISPLAY
    assert (len(found), warnings) == (5, [])


def test_wrongly_marked_display_samples_are_chosen_anew_with_a_warning(tmp_path: Path) -> None:
    found, (warning,), _ = read_probes(
        lines(tmp_path / "p.jsonl", {"text": "x y z", "label": "safe", "display": True})
    )
    assert [p.label for p in found if p.display] == DISPLAY
    assert "marks 1 safe and 0 unsafe" in warning


def test_duplicates_are_dropped_and_long_prompts_cut_with_a_warning(tmp_path: Path) -> None:
    endless = {"text": "x" * 100_000, "label": "unsafe"}
    found, warnings, _ = read_probes(lines(tmp_path / "p.jsonl", {"text": " PROMPT 0", "label": "safe"}, endless))
    assert len(found) == 5
    assert max(len(p.text) for p in found) == MAX_PROMPT_CHARS
    assert "Line 5 of p.jsonl repeats line 1" in warnings[0]
    assert "100,000 characters; the first 20,000 are read" in warnings[1]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["safe", "safe"], ["1 pair is not one safe and one unsafe prompt each in p.jsonl"]),
        (["unsafe", "safe", "unsafe"], ["1 pair is not one safe"]),
        (["unsafe", "safe"], []),
        (["safe"], []),
    ],
)
def test_pairs_of_no_twins_are_told(tmp_path: Path, labels: list[str], said: list[str]) -> None:
    rows = [{"text": f"twin {i}", "label": label, "pair": "p"} for i, label in enumerate(labels)]
    warnings = read_probes(lines(tmp_path / "p.jsonl", *rows)).warnings
    assert len(warnings) == len(said) and all(map(str.startswith, warnings, said))


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"text": " ", "label": "safe"}, "line 5 has no prompt"),
        ({"label": "safe"}, "line 5 has no prompt"),
        ({"text": 7, "label": "safe"}, "line 5 has no prompt"),
        ({"text": "x", "label": "dubious"}, "line 5 has the label 'dubious'"),
        ({"text": "x"}, "line 5 has the label None"),
        ({"text": "prompt 0", "label": "unsafe"}, "lines 1 and 5 give one prompt two labels"),
        ('{"text": "torn', "line 5 is not valid JSON"),
    ],
)
def test_bad_lines_are_refused_by_number(tmp_path: Path, extra: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_probes(lines(tmp_path / "p.jsonl", extra))


def test_one_class_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"text": "a", "label": "safe"}\n{"text": "b", "label": "safe"}\n')
    with pytest.raises(UsageError, match="0 unsafe prompts"):
        read_probes(tmp_path / "p.jsonl")


def test_a_missing_set_is_no_usage_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_probes(tmp_path / "p.jsonl")


def test_leaks_are_counted_by_hash(tmp_path: Path) -> None:
    run = Run.at(tmp_path)
    probes = [Probe(id=prompt_digest(t), text=t, label="safe") for t in ("seen  before", "never seen")]
    assert count_leaks(run, probes) is None
    write_train_digests(tmp_path, [prompt("Seen before"), prompt("seen before"), prompt("other")])
    assert (tmp_path / "train_digests.txt").read_text().split() == sorted(
        map(prompt_digest, ("seen before", "other"))
    )
    assert count_leaks(run, probes) == 1


def paired(count: int, start: int = 0) -> list[Prompt]:
    """`count` contrast pairs, each a group of its own."""
    return [
        Prompt(text=f"{word} thing {number}", label=label, category="a", pair=f"p{number}", group=f"g{number}")
        for number in range(start, start + count)
        for word, label in (("nice", "safe"), ("nasty", "unsafe"))
    ]


def test_further_pairs_are_whole_unseen_and_marked() -> None:
    probes = choose_probes(paired(8), per_class=4, max_share=1.0)
    held = {probe.pair for probe in probes}
    found = further_pairs(paired(12), probes)
    assert found and not held & {probe.pair for probe in found} and all(probe.further for probe in found)
    assert [probe.label for probe in found] == ["safe", "unsafe"] * (len(found) // 2)
    assert {probe.pair for probe in found} == {f"p{number}" for number in range(12)} - held
    assert not any(probe.display for probe in found)


def test_further_pairs_are_read_beside_the_set_and_count_in_the_digest(tmp_path: Path) -> None:
    probes = choose_probes(paired(8), per_class=4, max_share=1.0)
    path = tmp_path / "probes.jsonl"
    write_probes(path, probes)
    alone = read_probes(path)
    assert alone.digest == probe_set_digest(probes) and alone.pairs == []
    write_probes(path, [*probes, *further_pairs(paired(12), probes)])
    both = read_probes(path)
    assert both.probes == alone.probes and len(both.pairs) >= 8 and both.warnings == []
    assert both.digest != alone.digest and both.everything == [*both.probes, *both.pairs]


def test_the_mark_changes_no_digest_of_a_set_without_it() -> None:
    """A probe set of an older run keeps its results."""
    probe = Probe(id="1", text="a", label="safe")
    old = probe.model_dump_json(exclude={"further", "response", "language", "origin", "edition"})
    assert "further" not in old and probe_set_digest([probe]) == hashlib.sha256(old.encode()).hexdigest()
