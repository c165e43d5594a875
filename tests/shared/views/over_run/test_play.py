"""The film of a run: a frame a checkpoint, and a gap where a checkpoint has no heads."""

from __future__ import annotations

from typing import Any

import numpy as np

from shared.views.over_run.play import Scene, play_panel


def scene(number: int, heads: np.ndarray | None = None, layers: int = 2) -> Scene:
    return Scene(f"checkpoint-{number}", f"epoch {number}", tuple([0.5, 0.6, 0.1 * number][: layers + 1]), heads)


def test_each_checkpoint_is_a_frame_and_missing_heads_are_a_gap() -> None:
    maps = {1: None, 7: np.full((2, 3), 0.1), 9: np.full((2, 3), -0.4)}
    panel = play_panel([scene(number, heads) for number, heads in maps.items()], 5)
    assert panel is not None
    assert panel.headline == "After the last layer a probe's AUROC goes from 0.10 at epoch 1 to 0.90 at epoch 9"
    figure: Any = panel.figure
    assert [float(frame.data[0].y[-1]) for frame in figure.frames] == [np.float32(each) for each in (0.1, 0.7, 0.9)]
    assert np.isnan(figure.frames[0].data[1].z).all() and figure.frames[2].data[1].z[0][0] == np.float32(-0.4)
    assert [step.label for step in figure.layout.sliders[0].steps] == ["epoch 1", "epoch 7", "epoch 9"]
    assert [step.args[0][0] for step in figure.layout.sliders[0].steps] == [frame.name for frame in figure.frames]
    assert figure.data[1].zmax == -figure.data[1].zmin == 0.5 and "3 checkpoints of 5" in str(figure.layout.title)


def test_one_checkpoint_or_judges_of_other_shapes_are_no_film() -> None:
    assert play_panel([scene(1)], 1) is None and play_panel([], 0) is None
    assert play_panel([scene(1, layers=1), scene(2)], 2) is None
