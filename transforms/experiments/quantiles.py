"""Quantiles: the estimate and its variance from order statistics, robust to clusters.

Deng, Knoblich and Lu 2018, "Applying the delta method in metric analytics", KDD, section 4: the
variance of a sample quantile follows from the distance between two order statistics around it, so
no density need be estimated. Where one user contributes several events, the events are not
independent; the variance is then multiplied by that of the share of events below the quantile, a
ratio over users, relative to what independent events would give.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from scipy.special import ndtri

from transforms.experiments.effects import Arm, Undefined, estimate_arms, ratio
from transforms.experiments.sums import Sums

Histogram = Mapping[int, int]
"""Value to number of observations: the exact sufficient statistic, merged by adding counts."""

BELOW, EVENTS = "below", "events"
_Z = float(ndtri(0.975))


@dataclass(frozen=True)
class QuantileSample:
    """A sample quantile of one arm, and the data behind its variance.

    Attributes:
        level: level of the quantile, in (0, 1).
        count: number of observations: users, or events.
        value: the quantile.
        lower: order statistic at level - 1.96 √(level (1 - level) / count).
        upper: order statistic at level + 1.96 √(level (1 - level) / count).
        clusters: for events: over the users, the Sums of BELOW, a user's events with a value not
            above the quantile, and EVENTS, all of a user's events. None: the observations are
            independent, one a user.
    """

    level: float
    count: int
    value: float
    lower: float
    upper: float
    clusters: Sums | None = None


def sample_quantile(
    histogram: Histogram, level: float, clusters: Sums | None = None
) -> QuantileSample | Undefined:
    """The quantile of a histogram: the least value that a share `level` does not exceed.

    Args:
        histogram: histogram of the arm's observations.
        level: level of the quantile, in (0, 1).
        clusters: Sums of BELOW and EVENTS; see QuantileSample.

    Returns:
        The sample quantile; TOO_FEW_UNITS if an order statistic would lie outside of the sample.
    """
    count = sum(histogram.values())
    if count < _least_count(level):
        return Undefined.TOO_FEW_UNITS
    margin = _Z * math.sqrt(level * (1 - level) / count)
    lower, value, upper = (
        _order_statistic(histogram, math.ceil(count * at))
        for at in (level - margin, level, level + margin)
    )
    return QuantileSample(level, count, value, lower, upper, clusters)


def quantile_arm(sample: QuantileSample) -> Arm | Undefined:
    """Convert a sample quantile to an estimate with a variance, to contrast it with another arm's.

    Zero variance means that the quantile sits on a value so common that its neighbours equal it;
    GrowthBook substitutes a small constant there, which claims a certainty that nobody has.

    Args:
        sample: the sample quantile.

    Returns:
        The estimate, or why there is none.
    """
    if sample.count < _least_count(sample.level):
        return Undefined.TOO_FEW_UNITS
    inflation = 1.0 if sample.clusters is None else _design_effect(sample, sample.clusters)
    if isinstance(inflation, Undefined):
        return inflation
    spread = (sample.upper - sample.lower) / (2 * _Z)
    variance = spread**2 * (sample.count - 1) / sample.count * inflation
    return Arm(sample.count, sample.value, sample.value, variance, variance, variance)


def _design_effect(sample: QuantileSample, clusters: Sums) -> float | Undefined:
    """Factor by which clusters inflate the variance, relative to independent events."""
    arms = estimate_arms(clusters, clusters, ratio(BELOW, EVENTS))
    if isinstance(arms, Undefined):
        return arms
    return arms[0].var_raw / (sample.level * (1 - sample.level) / sample.count)


def _order_statistic(histogram: Histogram, rank: int) -> int:
    """The value of a given rank, from 1, in ascending order."""
    values = sorted(histogram)
    reached = accumulate(histogram[value] for value in values)
    return next(value for value, seen in zip(values, reached, strict=True) if seen >= rank)


def _least_count(level: float) -> float:
    """Number of observations above which both order statistics' levels lie within (0, 1)."""
    return _Z**2 * max(level / (1 - level), (1 - level) / level)
