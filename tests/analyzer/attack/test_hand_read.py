"""A hundred failures of an attack on the demo's judge, drawn by chance and read by a person: is the label right?

`hand_read.jsonl`: the failure, its seed and derivation, and a verdict: "clear" (a stranger would label it so),
"unclear" (the seed can be read either way), or "broken" (a rule or frame made it so). A failure that today's rules
would not make any more, word for word, has to be read again. `hand_read_picked.jsonl`: forty failures on
unsafe seeds with words exchanged as the gradient picked, from one search, read one by one. Of the first forty drawn
an exchange broke one ("buy it", for believing it); it is barred since, and the next one drawn stands in its place.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from analyzer.attack.derivation import SEED, derive
from analyzer.attack.seeds import choose_seeds
from shared.prompts.load import load_prompts

READ, PICKED = (
    [json.loads(line) for line in Path(__file__).with_name(name).read_text("utf-8").splitlines()]
    for name in ("hand_read.jsonl", "hand_read_picked.jsonl")
)
SEEDS = {seed.text: seed for seed in choose_seeds(load_prompts("shipped"))}


def test_ninety_labels_are_clear_and_rules_broke_three_at_most() -> None:
    verdicts = Counter(line["verdict"] for line in READ)
    assert sum(verdicts.values()) == 100 and set(verdicts) <= {"clear", "unclear", "broken"}
    assert verdicts["clear"] >= 90 and verdicts["broken"] <= 3


def test_both_labels_and_all_techniques_were_read() -> None:
    assert {line["label"] for line in READ} == {"safe", "unsafe"}
    assert len({line["technique"] for line in READ}) == 10


def test_of_forty_with_picked_words_nearly_all_labels_are_clear() -> None:
    verdicts = Counter(line["verdict"] for line in PICKED)
    assert sum(verdicts.values()) == 40 and verdicts["clear"] >= 36 and not verdicts["broken"]
    assert all("picked word" in line["rules"] for line in PICKED)


@pytest.mark.parametrize("line", [*READ, *PICKED], ids=lambda line: line["prompt"][:40])
def test_todays_rules_still_make_what_was_read(line: dict) -> None:
    vector = list(line["seeds"])
    vector[SEED] = 0
    seed = SEEDS.get(line["seed"])
    assert seed is not None, "it is no seed any more: draw and read another one"
    made = derive(vector, [seed])
    assert made is not None and made.text == line["prompt"], "the rules changed: read again"
