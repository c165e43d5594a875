from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from shared.figures.kit.text_layout import SPACE, place_words, reads_right_to_left, text_width


def test_words_wrap_and_keep_their_order():
    labels = ["alpha", "beta", "gamma", "delta"]
    boxes = place_words(labels, [15] * 4, [""] * 4, 150)
    assert [box.row for box in boxes] == sorted(box.row for box in boxes)
    for earlier, later in pairwise(boxes):
        assert later.row > earlier.row or later.left == pytest.approx(earlier.left + earlier.width + SPACE)


@pytest.mark.parametrize("seed", range(20))
def test_no_box_leaves_its_line_or_meets_another(seed):
    random = Random(seed)
    labels = ["".join(chr(random.randrange(32, 0x3000)) for _ in range(random.randrange(30))) for _ in range(40)]
    boxes = place_words(labels, [15] * len(labels), ["+0.12"] * len(labels), 300)
    assert all(box.left >= 0 and box.left + box.width <= 300 + 1e-6 for box in boxes)
    for row in {box.row for box in boxes}:
        line = sorted((box for box in boxes if box.row == row), key=lambda box: box.left)
        assert all(a.left + a.width < b.left for a, b in pairwise(line))


def test_right_to_left_scripts_start_at_the_right():
    boxes = place_words(["שלום", "עולם"], [15, 15], ["", ""], 400)
    assert boxes[0].left > boxes[1].left
    assert reads_right_to_left(["كيف"]) and not reads_right_to_left(["how", "كيف"[:1]])


def test_wide_and_combining_characters():
    assert text_width("日本", 10) > text_width("ab", 10)
    assert text_width("e\u0301", 10) == text_width("e", 10)
