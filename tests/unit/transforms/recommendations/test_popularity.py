from __future__ import annotations

import numpy as np
import pytest

from transforms.recommendations.fixed_point import SCORE_ONE, VIEW_ONE
from transforms.recommendations.popularity import BACKGROUND, decayed_views, log_prior

DAY_S = 86_400
NOW_S = 1_000 * DAY_S


def views(*rows: tuple[int, float, int]) -> list[float]:
    """Rows of (title, age in days, views), as views left now."""
    titles, ages, counts = (np.array(column) for column in zip(*rows, strict=True))
    times = (NOW_S - ages * DAY_S).astype(np.int64)
    decayed = decayed_views(titles.astype(np.int64), times, counts, count=3, as_of_s=NOW_S)
    return (decayed / VIEW_ONE).tolist()


def test_a_view_halves_every_five_days() -> None:
    assert views((0, 0, 1), (1, 5, 1), (2, 10, 1)) == [1, 1 / 2, 1 / 4]


def test_views_add_up_in_any_order() -> None:
    rows = [(0, 0, 3), (0, 5, 2), (1, 2.5, 1), (0, 7.7, 9), (1, 30, 1000)]
    assert views(*rows) == views(*rows[::-1])
    assert views((0, 5, 1), (0, 5, 1), (1, 5, 2)) == [1, 1, 0]


def test_an_ancient_view_is_forgotten() -> None:
    assert views((0, 5 * 22, 1)) == [0, 0, 0]


def test_the_future_is_refused() -> None:
    with pytest.raises(ValueError, match="later than the instant"):
        views((0, -1, 1))


def test_the_prior_is_the_logarithm_of_views_but_for_a_constant() -> None:
    seen = np.array([0, 1, 1000])
    prior = log_prior(seen * VIEW_ONE, weight=0.05) / SCORE_ONE
    expected = 0.05 * (np.log(seen + BACKGROUND) - np.log(BACKGROUND))
    np.testing.assert_allclose(prior, expected, atol=1 / SCORE_ONE)
    assert prior[0] == 0
