"""CKA against a literal double loop over Song et al.'s estimator, and against what must hold of it."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from shared.findings.cka import cka, cka_by_point, gram, hsic


def vectors(n: int = 12, width: int = 7, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, width))


def literal_hsic(x: np.ndarray, y: np.ndarray) -> float:
    """Song et al. 2012, equation 4, as the U-statistic over distinct prompts that it stands for."""
    k, l = x @ x.T, y @ y.T  # noqa: E741 (the paper's letters)
    n = len(x)
    pairs = np.mean([k[i, j] * l[i, j] for i, j in permutations(range(n), 2)])
    fours = np.mean([k[i, j] * l[q, r] for i, j, q, r in permutations(range(n), 4)])
    threes = np.mean([k[i, j] * l[i, q] for i, j, q in permutations(range(n), 3)])
    return float(pairs + fours - 2 * threes)


def of(x: np.ndarray, y: np.ndarray) -> float:
    """CKA of two representations."""
    return cka(gram(x[None])[0], gram(y[None])[0])


def test_hsic_is_the_u_statistic() -> None:
    """Also without centring: the estimator does not see a shift of all vectors."""
    x, y = vectors(7, 3), vectors(7, 5, seed=1) + 4.0
    assert hsic(x @ x.T, y @ y.T) == pytest.approx(literal_hsic(x, y), rel=1e-9)
    centred = y - y.mean(0)
    assert hsic(x @ x.T, centred @ centred.T) == pytest.approx(literal_hsic(x, y), rel=1e-9)


def test_cka_is_the_normalised_u_statistic() -> None:
    x = vectors(8, 4)
    y = x[:, :2] @ vectors(2, 5, seed=2) + 0.3 * vectors(8, 5, seed=3)
    expected = literal_hsic(x, y) / (literal_hsic(x, x) * literal_hsic(y, y)) ** 0.5
    assert 0.1 < expected < 0.95
    assert of(x, y) == pytest.approx(expected, abs=1e-6)


def test_rotation_scale_and_shift_are_not_seen() -> None:
    x = vectors(40, 16)
    rotation = np.linalg.qr(vectors(16, 16, seed=4))[0]
    assert of(x, 3.0 * x @ rotation + 5.0) == pytest.approx(1.0, abs=1e-6)
    assert of(x, x * np.linspace(0.1, 3, 16)) < 0.98, "stretching is seen"


def test_unrelated_representations_have_no_cka_on_average() -> None:
    """The plain estimator would say 0.5 with as many dimensions as prompts; this one is unbiased."""
    found = [of(vectors(32, 32, seed=2 * i), vectors(32, 32, seed=2 * i + 1)) for i in range(60)]
    standard_error = np.std(found) / len(found) ** 0.5
    assert abs(np.mean(found)) < 3 * standard_error
    assert np.mean(found) < 0.02


def test_frozen_points_give_exactly_one() -> None:
    x = vectors(20, 9).astype(np.float32)[None]
    assert cka_by_point(gram(x), gram(x.copy())) == [1.0]


def test_large_means_and_small_precision_do_no_harm() -> None:
    x = vectors(64, 16)
    far = (x + 1000.0).astype(np.float32)
    assert of(x, far) == pytest.approx(1.0, abs=1e-4)
    assert of(1e-6 * x, 1e6 * x) == pytest.approx(1.0, abs=1e-6)


def test_what_every_prompt_shares_is_no_representation() -> None:
    """CLS at the embeddings, with the noise of other batch shapes."""
    same = np.tile(vectors(1, 16), (10, 1)) * (1 + 1e-7 * vectors(10, 16))
    constant = gram(same[None])
    assert not constant.any()
    other = gram(vectors(10, 16)[None])
    assert cka_by_point(constant, constant.copy()) == [1.0]
    assert cka_by_point(constant, other) == [0.0]


def test_what_cannot_be_compared() -> None:
    assert cka_by_point(gram(vectors(3)[None]), gram(vectors(3, seed=1)[None])) is None, "too few prompts"
    assert cka_by_point(gram(vectors(8)[None]), gram(vectors(9)[None])) is None


def test_four_prompts_are_enough() -> None:
    x, y = vectors(4, 3), vectors(4, 5, seed=1)
    expected = literal_hsic(x, y) / (literal_hsic(x, x) * literal_hsic(y, y)) ** 0.5
    assert cka_by_point(gram(x[None]), gram(y[None])) == [pytest.approx(min(1.0, expected), abs=1e-5)]


def test_gram_is_scaled_to_a_mean_diagonal_of_one() -> None:
    found = gram(np.stack([vectors(10), 50 * vectors(10, seed=1)]))
    assert found.shape == (2, 10, 10)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.trace(found, axis1=1, axis2=2) / 10, 1.0, rtol=1e-6)
    np.testing.assert_allclose(found.sum(1), 0.0, atol=1e-5)
