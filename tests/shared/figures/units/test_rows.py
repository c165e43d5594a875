"""The parts that the neuron map and the heads share."""

from __future__ import annotations

import numpy as np
import pytest

from shared.figures.kit.layer_rows import layer_rows, map_height
from shared.figures.kit.sheet import Sheet
from shared.figures.kit.stack import stacked
from shared.figures.kit.text_layout import text_width
from shared.figures.units.neuron_map import rank_map
from shared.figures.units.rows import FROZEN, TUNED, draw_joint, round_range
from shared.figures.units.words import attended_lines, context_cell, context_hover, context_lines, nats
from shared.findings.heads import AttendedToken
from shared.findings.neurons import TokenInContext
from tests.making.fake_heads import fake_heads
from tests.making.fake_samples import SAMPLES


def test_rank_columns_keep_the_layers_mean_and_the_strongest_bin():
    values = -np.sort(-np.random.default_rng(0).exponential(size=(3, 256)), axis=1)
    means, edges = rank_map(values)
    widths = np.diff(edges)
    widths[0] = edges[1]  # drawn from half of it, because a log axis has no 0
    assert (means * widths).sum(axis=1) / 100 == pytest.approx(values.mean(axis=1))
    assert means[:, 0] == pytest.approx(values[:, 0])
    assert edges[-1] == 100 and (np.diff(edges) > 0).all() and means.shape == (3, len(edges) - 1)
    assert means.shape[1] <= 48 and (np.diff(means, axis=1) <= 0).all()


@pytest.mark.parametrize("bins", [1, 2, 3, 64])
def test_rank_columns_of_few_neurons(bins):
    means, edges = rank_map([np.arange(bins, 0, -1.0)])
    assert np.isfinite(means).all() and edges[0] > 0 and edges[-1] == 100


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.1, "2.10"), (0.0312, "0.031"), (-0.5, "−0.50"), (0, "0"), (0.000012, "0.000012"), (-1e-9, "0.000000")],
)
def test_nats_have_two_digits_that_mean_something(value, text):
    assert nats(value) == text


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([0.3, 0.05], (0, 0.3)),
        ([-0.02, 0.013], (-0.02, 0.02)),
        ([3.2, -1.1], (-2, 4)),
        ([-5.0], (-6, 0)),
        ([], (0, 1)),
        ([0.0], (0, 1)),
    ],
)
def test_ranges_are_round_and_hold_the_values_and_zero(values, ends):
    assert round_range(values) == pytest.approx(ends)


def test_rows_are_stacked_from_the_top_with_their_heights():
    total, spans = stacked([100, 300], [50])
    assert total == 450 and spans[0] == (pytest.approx(350 / 450), 1.0)
    assert spans[1] == (0.0, pytest.approx(300 / 450))


@pytest.mark.parametrize("layers", [1, 2, 6, 12, 32, 80, 126])
def test_layer_numbers_have_room_and_name_the_last(layers):
    axis = layer_rows(layers)
    shown = axis["tickvals"]
    assert shown == sorted(set(shown)) and shown[0] in (0, layers - 1) and shown[-1] == layers - 1
    assert len(shown) * 15 <= map_height(layers) + 15


def test_tuned_and_frozen_differ_in_colour_symbol_and_hatching():
    assert not set(TUNED) & set(FROZEN)


def token(text: str, before: str = "how do I ", after: str = " a process on my server?") -> TokenInContext:
    return TokenInContext(probe_id="p", label="safe", before=before, token=text, after=after, activation=1.5)


def test_a_token_in_context_fits_its_line_and_is_escaped():
    long = token("Donaudampfschifffahrt" * 9, "x" * 300, "<b>y</b>" * 99)
    first, second = context_lines([long, token("<i>", "", "")])
    plain = first.replace("&lt;", "<").replace("&gt;", ">")
    text = plain.split("</span> ")[1].replace("<b>Do", "Do").replace("…</b>", "…")
    assert text_width(text, 12.5) < 360 and "…" in text
    assert "<i>" not in second and "&lt;i&gt;" in second
    assert "&lt;b&gt;y" in context_hover([long]) and "<b>y" not in context_hover([long])


def test_a_short_context_is_whole():
    first, second = context_lines([token("kill")])
    assert "how do I <b>kill</b> a process on my server?" in first and second == "&#160;"
    assert context_cell([token("kill")]) == "how do I [kill] a process on my server? (safe, 1.5)"


def test_no_tokens_are_said_to_be_none():
    assert context_lines([])[0] == "–" and context_hover([]) == ""


def test_sinks_come_last_grey_and_named():
    result, _ = fake_heads(0.9, 2, 0, SAMPLES)
    special = "[CLS]"
    sink = AttendedToken(token=special, share=0.6, lift=9.0, prompts=9, sink=True)
    kill = AttendedToken(token="kill", share=0.3, lift=4.0, prompts=9, sink=False)  # noqa: S106 - a word
    head = result.top[0].model_copy(update={"attends": [sink, kill], "read_attends": [kill]})
    first, second = attended_lines(head)
    assert first.index("kill") < first.index("[CLS]") and first.endswith("sink</span>")
    assert "<b>kill</b> ×4.0 (30 %)" in first and second.startswith("from the verdict's position: <b>kill</b>")


@pytest.mark.parametrize(("flips", "said"), [([0, 0], "none flips"), ([0, 2], "at most 2 flip")])
def test_what_flips_without_random_units(flips, said):
    joint = fake_heads(1.0, 2, 0, SAMPLES)[0].joint
    assert joint is not None
    sheet = Sheet(200)
    draw_joint(
        sheet,
        sheet.pane(),
        joint.model_copy(update={"control_drops": [0.1, 0.2], "control_flips": flips}),
        "heads",
        "",
    )
    assert sheet.notes[-1]["text"] == f"<b>as many random ones</b>, 2 draws: {said}"
