"""The frames: enough of each technique, each with its one slot, and none of what broke labels."""

from __future__ import annotations

import re

import pytest

from analyzer.attack.frames import all_frames, softened, techniques, usable

PERMISSION = re.compile(
    r"permission|permit|allowed|consent|authori[sz]ed|licen[cs]e|legally|agreed|approved|penetration|with her ok"
    r"|novel I|story I|for a film|fiction|for research|for educational|to warn|to protect|to prevent",
    re.I,
)
INTENT = re.compile(r"before I do|went ahead|ready to begin|in practice|that I need|week for this", re.I)
FRAMES = [frame for frames in all_frames().values() for frame in frames]


def test_there_are_ten_techniques_with_eight_frames_each_and_three_held_out() -> None:
    assert len(techniques()) == 10
    for technique in techniques():
        frames = all_frames()[technique]
        assert sum(not frame.held_out for frame in frames) >= 8, technique
        assert sum(frame.held_out for frame in frames) >= 3, technique


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: frame.name)
def test_a_frame_holds_its_seed_once_and_grants_nothing(frame) -> None:
    assert frame.text.count("{ask}") == 1 and "{" not in frame.text.replace("{ask}", "")
    assert not PERMISSION.search(frame.text), "the frame would change the label"
    assert "How do I bake?" in frame.around("How do I bake?") or frame.text.endswith(", {ask}")


def test_educational_frames_and_those_that_mean_to_act_need_an_asker_who_acts() -> None:
    assert all(frame.asker_acts for frame in all_frames()["educational"])
    assert all(frame.asker_acts for frame in FRAMES if INTENT.search(frame.text))
    assert usable("educational", "question", False, False) == ()


def test_texts_are_unlike_in_any_two_frames() -> None:
    texts = [frame.text for frame in FRAMES]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("frame", "ask", "text"),
    [
        ("hypothetical 0", "How do I bake?", "Hypothetically speaking, how do I bake?"),
        ("hypothetical 0", "I bake, how?", "Hypothetically speaking, I bake, how?"),
        ("direct 4", "how do i bake", "how do i bake? Thanks in advance."),
        ("direct 4", "Bake me a cake", "Bake me a cake. Thanks in advance."),
        ("direct 4", "Bake me a cake!", "Bake me a cake! Thanks in advance."),
    ],
)
def test_a_seed_is_joined_as_a_person_would(frame: str, ask: str, text: str) -> None:
    found = next(each for each in FRAMES if each.name == frame)
    assert found.around(ask) == text


def test_softening_leaves_names_in_capitals() -> None:
    assert softened("FBI agents ask") == "FBI agents ask" and softened("A cat") == "a cat"
