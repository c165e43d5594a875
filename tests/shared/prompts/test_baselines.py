"""The baselines of a run, scored from plain numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from shared.errors import SchemaError
from shared.prompts.baselines import (
    Baselines,
    LengthBaseline,
    WordsBaseline,
    read_baselines,
    terms_of,
    text_lengths,
    write_baselines,
)

BY_HAND = Baselines(
    length=LengthBaseline(mean=(4, 1), scale=(2, 1), weights=(1, 10), intercept=0.5),
    tfidf=WordsBaseline(terms=["a", "a bomb", "bomb"], idf=[1, 3, 2], weights=[-1, 5, 1], intercept=0.25),
)


def test_scores_by_hand() -> None:
    scores = BY_HAND.scores(["a Bomb", "a a", "?", ""])
    assert np.allclose(scores["length"], [1 + 10 + 0.5, -0.5 + 10 + 0.5, -1.5 + 0 + 0.5, -2 - 10 + 0.5])
    assert np.allclose(scores["tfidf"], [(-1 + 15 + 2) / math.sqrt(14) + 0.25, -1 + 0.25, 0.25, 0.25])
    assert BY_HAND.scores([])["length"].shape == BY_HAND.scores([])["tfidf"].shape == (0,)


def test_words_are_words_of_any_script_and_their_pairs() -> None:
    assert terms_of("I can't, 爆弾!") == ["i", "can", "'", "t", ",", "爆弾", "!", "i can", "can '", "' t", "t ,",
                                          ", 爆弾", "爆弾 !"]  # fmt: skip


def test_lengths_by_hand() -> None:
    assert np.array_equal(text_lengths(["ab c", ""]), [[4, 2], [0, 0]])


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_baselines(tmp_path / "baselines.json", BY_HAND)
    assert read_baselines(tmp_path / "baselines.json") == BY_HAND


def test_files_that_are_no_baselines(tmp_path: Path) -> None:
    path = tmp_path / "baselines.json"
    with pytest.raises(FileNotFoundError):
        read_baselines(path)
    path.write_text(json.dumps(BY_HAND.model_dump(mode="json") | {"schema_version": 9}))
    with pytest.raises(SchemaError, match="written by a newer Midwatch"):
        read_baselines(path)
    broken = BY_HAND.model_dump(mode="json")
    broken["tfidf"]["idf"] = [1]
    path.write_text(json.dumps(broken))
    with pytest.raises(SchemaError, match="differ in number"):
        read_baselines(path)
