from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from transforms.recommendations.bootstrap import Difference, paired_bootstrap


def compare(challenger: np.ndarray, champion: np.ndarray) -> Difference:
    return paired_bootstrap(challenger, champion, draws=2000, generator=np.random.default_rng(5))


def test_a_constant_difference_is_certain() -> None:
    champion = np.linspace(0, 1, 50)
    assert compare(champion + 0.25, champion) == Difference(0.25, 0.25, 0.25, 50)


def test_the_interval_is_that_of_scipy_up_to_the_draws() -> None:
    generator = np.random.default_rng(11)
    champion = generator.random(300)
    challenger = champion + generator.normal(0.02, 0.2, 300)
    reference = stats.bootstrap(
        (challenger - champion,), np.mean, n_resamples=2000, method="percentile", rng=generator
    )
    mine = compare(challenger, champion)
    ends = reference.confidence_interval
    assert (mine.lower, mine.upper) == pytest.approx(
        (ends.low, ends.high), abs=0.2 * reference.standard_error
    )


def test_pairing_sees_a_small_difference_between_noisy_users() -> None:
    champion = np.random.default_rng(2).normal(0, 10, 400)
    assert compare(champion + np.tile([0.0, 0.2], 200), champion).lower > 0


def test_the_same_generator_gives_the_same_interval() -> None:
    values = np.random.default_rng(3).random(40)
    assert compare(values, values[::-1]) == compare(values, values[::-1])


@pytest.mark.parametrize(("challengers", "champions"), [(0, 0), (3, 2)])
def test_values_that_are_not_pairs_are_refused(challengers: int, champions: int) -> None:
    with pytest.raises(ValueError, match="not pairs of users"):
        compare(np.ones(challengers), np.ones(champions))
