"""What is said of a circuit beside circuits drawn by lot."""

from __future__ import annotations

from shared.figures.circuits.words import beats_random, circuit_finding, circuit_flags, curve_finding
from shared.findings.circuits import CircuitsResult, CurvePoint
from tests.making.fake_circuits import fake_circuits


def drawn(keeps: float, random: list[float]) -> CircuitsResult:
    """A result whose smallest circuit, and each point of whose curve, keeps so much beside these."""
    result, _ = fake_circuits(1.0, 3, 0, heads=4)
    assert result.smallest is not None
    curve = [point.model_copy(update={"faithfulness": keeps, "random": random}) for point in result.curve]
    smallest = result.smallest.model_copy(update={"faithfulness": keeps, "random": random})
    return result.model_copy(update={"curve": curve, "smallest": smallest})


def test_better_than_random_is_better_than_the_best_of_them() -> None:
    assert beats_random(0.81, [0.2, 0.8])
    assert not beats_random(0.8, [0.2, 0.8]), "as much as one of them is no more"
    assert not beats_random(0.6, [0.2, 0.8]), "more than their mean is not enough"
    assert beats_random(0.1, []), "nothing was drawn that it could lose against"
    assert beats_random(-0.1, [-0.2])


def test_the_finding_says_which() -> None:
    assert circuit_finding(drawn(0.85, [0.1, 0.3])).endswith("keep 85 % of the separation; random ones keep 20 %")
    level = circuit_finding(drawn(0.85, [0.1, 0.85]))
    assert level.endswith("keep 85 % of the separation, no more than random ones: 85 %")


def test_a_circuit_that_is_no_better_is_flagged() -> None:
    assert not any("NO BETTER THAN RANDOM" in flag for flag in circuit_flags(drawn(0.85, [0.1, 0.84])))
    assert any("NO BETTER THAN RANDOM" in flag for flag in circuit_flags(drawn(0.85, [0.1, 0.85])))


def test_the_curve_counts_the_sizes_at_which_it_is_ahead() -> None:
    result = drawn(0.85, [0.85])
    sizes = len(result.curve)
    assert curve_finding(result) == f"The best edges are no better than random ones at any of {sizes} sizes"
    first: CurvePoint = result.curve[0].model_copy(update={"faithfulness": 0.86})
    ahead = result.model_copy(update={"curve": [first, *result.curve[1:]]})
    assert curve_finding(ahead).startswith(f"The best edges beat every random circuit at 1 of {sizes} sizes")
