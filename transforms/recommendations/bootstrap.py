"""How sure one can be that one model is better than another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from transforms.recommendations.fixed_point import Floats


@dataclass(frozen=True)
class Difference:
    """A mean difference with its confidence interval.

    Args:
        mean: mean of challenger minus champion over users.
        lower: lower end of the interval.
        upper: upper end of the interval.
        users: number of users that it rests on.
    """

    mean: float
    lower: float
    upper: float
    users: int


def paired_bootstrap(
    challenger: Floats,
    champion: Floats,
    *,
    draws: int,
    generator: np.random.Generator,
    level: float = 0.95,
) -> Difference:
    """The percentile bootstrap interval of the mean difference, resampling users.

    Users are what varies between one evaluation and the next, and both models are measured on
    the same ones, so whole users are drawn, with their two values together.

    Args:
        challenger: values of a metric, one a user.
        champion: values of the same metric for the same users in the same order.
        draws: number of resamples; 10,000 settle the third digit of the ends.
        generator: source of randomness, the caller's.
        level: share of the resamples inside the interval.

    Raises:
        ValueError: no users, or not the same number of values.

    Reference: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13;
    for comparing rankings, T. Sakai, "Evaluating evaluation metrics based on the bootstrap",
    SIGIR 2006.
    """
    if len(challenger) != len(champion) or not len(challenger):
        raise ValueError(f"{len(challenger)} and {len(champion)} values are not pairs of users")
    differences = np.asarray(challenger, np.float64) - np.asarray(champion, np.float64)
    users = len(differences)
    means = [differences[generator.integers(users, size=users)].mean() for _ in range(draws)]
    lower, upper = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Difference(float(differences.mean()), float(lower), float(upper), users)
