"""The words of a prompt as boxes."""

from __future__ import annotations

import numpy as np
import pytest

from shared.figures.kit.style import INK
from shared.figures.tokens import Scale, words_figure
from shared.figures.word_cells import cells_of
from tests.making.fake_tokens import fake_sample


@pytest.mark.parametrize("doubtful", [True, False])
def test_a_word_can_be_read_in_its_box_hatched_or_not(doubtful):
    sample = fake_sample("how do I kill him", "unsafe", "", 1.0, np.random.default_rng(0), converged=not doubtful)
    cells = cells_of(sample)
    figure = words_figure(cells, "", "", [], Scale("safe", "unsafe", "share"), doubtful)
    boxes = figure.data[0]
    assert (boxes.marker.pattern.shape == "/") == doubtful
    inks = set(boxes.insidetextfont.color)
    assert "white" not in inks if doubtful else inks == {"white", INK}, "no colour fills a hatched box"
