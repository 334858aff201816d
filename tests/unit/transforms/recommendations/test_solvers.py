"""Closed forms against what they are the closed form of, solved another way."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from transforms.recommendations.solvers import Ease, Edlae, Solver, SquaredSpectrum, UnsolvableError

SOLVERS = [Ease(l2=0.5), Edlae(l2=0.2, dropout=0.6), SquaredSpectrum(), Ease(0.5, "title")]


@pytest.fixture
def preferences() -> NDArray[np.float64]:
    generator = np.random.default_rng(7)
    popularity = generator.random(12)
    return (generator.random((60, 12)) < popularity) * generator.integers(11, 20, (60, 12)) / 16


def regression(preferences: NDArray[np.float64], ridge: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each title predicted from all others by ridge regression, solved as least squares."""
    titles = preferences.shape[1]
    weights = np.zeros((titles, titles))
    for title in range(titles):
        others = np.arange(titles) != title
        penalty = np.diag(np.sqrt(ridge[others]))
        design = np.vstack([preferences[:, others], penalty])
        target = np.concatenate([preferences[:, title], np.zeros(titles - 1)])
        weights[others, title] = np.linalg.lstsq(design, target, rcond=None)[0]
    return weights


def typical(gram: NDArray[np.float64]) -> float:
    """The diagonal of the title of an average meeting, each title counted as often as it is met."""
    own = gram.diagonal()
    return float(np.average(own, weights=own))


def test_a_long_tail_does_not_change_what_the_ridge_weighs(
    preferences: NDArray[np.float64],
) -> None:
    """A hundred titles that one user met each leave the weights of the others as they were."""
    own = np.vstack([preferences, np.zeros((100, 12))])
    tail = np.vstack([np.zeros((60, 100)), np.eye(100) / 4])
    gram, wider = own.T @ own, np.hstack([own, tail]).T @ np.hstack([own, tail])
    before, after = Ease(2.0).solve(gram), Ease(2.0).solve(wider)[:12, :12]
    np.testing.assert_allclose(after, before, rtol=0.05, atol=1e-4)
    in_titles = Ease(2.0, "title").solve(wider)[:12, :12]
    assert abs(in_titles - Ease(2.0, "title").solve(gram)).max() > 0.02


def test_ease_is_the_regression_of_each_title_on_the_others(
    preferences: NDArray[np.float64],
) -> None:
    gram = preferences.T @ preferences
    for per, unit in (("meeting", typical(gram)), ("title", gram.diagonal().mean())):
        expected = regression(preferences, np.full(12, 0.5 * unit))
        np.testing.assert_allclose(Ease(0.5, per).solve(gram), expected, atol=1e-9)


def test_edlae_is_that_regression_with_the_penalty_of_dropout(
    preferences: NDArray[np.float64],
) -> None:
    gram = preferences.T @ preferences
    penalty = 0.2 * typical(gram) + 0.6 / 0.4 * gram.diagonal()
    expected = regression(preferences, penalty)
    np.testing.assert_allclose(Edlae(l2=0.2, dropout=0.6).solve(gram), expected, atol=1e-9)


def test_the_penalty_of_dropout_is_what_dropout_does_on_average(
    preferences: NDArray[np.float64],
) -> None:
    """One title from one other: least squares on many copies with dropout tends to EDLAE."""
    pair = preferences[:, :2]
    kept = np.random.default_rng(1).random((20_000, 60)) < 0.4
    inputs = kept * pair[:, 0] / 0.4
    slope = (inputs * pair[:, 1]).sum() / (inputs**2).sum()
    solved = Edlae(l2=1e-12, dropout=0.6).solve(pair.T @ pair)
    assert solved[0, 1] == pytest.approx(slope, rel=0.01)


def test_the_squared_spectrum_thresholds_each_eigenvalue(preferences: NDArray[np.float64]) -> None:
    gram = preferences.T @ preferences
    own = gram.diagonal()
    root = np.sqrt(3 * typical(gram) + 0.7 / 0.3 * own)
    values, vectors = np.linalg.eigh(gram / np.outer(root, root))
    passed = vectors @ np.diag(values**2 / (1 + values**2)) @ vectors.T
    expected = passed * root / root[:, None] * (own / typical(gram)) ** -0.1
    np.fill_diagonal(expected, 0)
    solved = SquaredSpectrum(l2=3.0, dropout=0.7, popularity_exponent=-0.1).solve(gram)
    np.testing.assert_allclose(solved, expected, atol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
def test_no_title_predicts_itself(solver: Solver, preferences: NDArray[np.float64]) -> None:
    assert not solver.solve(preferences.T @ preferences).diagonal().any()


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_size_of_the_service_does_not_change_the_weights(
    solver: Solver, preferences: NDArray[np.float64]
) -> None:
    gram = preferences.T @ preferences
    np.testing.assert_allclose(solver.solve(1024 * gram), solver.solve(gram), rtol=1e-10)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_title_that_nobody_met_gets_and_gives_nothing(
    solver: Solver, preferences: NDArray[np.float64]
) -> None:
    gram = preferences.T @ preferences
    wider = np.zeros((13, 13))
    wider[:12, :12] = gram
    solved = solver.solve(wider)
    assert not solved[12].any()
    assert not solved[:, 12].any()
    np.testing.assert_allclose(solved[:12, :12], solver.solve(gram), atol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
def test_solving_leaves_the_statistic_as_it_was(
    solver: Solver, preferences: NDArray[np.float64]
) -> None:
    gram = preferences.T @ preferences
    before = gram.copy()
    solver.solve(gram)
    assert np.array_equal(gram, before)


@pytest.mark.parametrize("solver", SOLVERS)
def test_one_title_is_solved_and_says_nothing(solver: Solver) -> None:
    assert solver.solve(np.array([[3.0]])).tolist() == [[0.0]]


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_service_without_interactions_is_refused(solver: Solver) -> None:
    with pytest.raises(UnsolvableError, match="nothing to learn from"):
        solver.solve(np.zeros((4, 4)))


def test_a_singular_statistic_is_refused() -> None:
    with pytest.raises(UnsolvableError, match="singular in float32: raise l2"):
        Ease(l2=1e-12).solve(np.ones((3, 3), np.float32))


@pytest.mark.parametrize(("l2", "dropout"), [(0.0, 0.5), (1.0, 1.0), (1.0, -0.1)])
def test_settings_without_a_solution_are_refused(l2: float, dropout: float) -> None:
    with pytest.raises(UnsolvableError, match="dropout"):
        Edlae(l2=l2, dropout=dropout).solve(np.eye(2))
