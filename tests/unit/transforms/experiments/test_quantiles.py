"""Quantiles against GrowthBook's published vectors, numpy's quantiles and a bootstrap of users."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from transforms.experiments.bayes import Normal, posterior
from transforms.experiments.effects import Undefined, contrast
from transforms.experiments.quantiles import (
    BELOW,
    EVENTS,
    QuantileSample,
    quantile_arm,
    sample_quantile,
)
from transforms.experiments.sums import Sums

CONTROL = QuantileSample(0.9, 11054, 7.157987489967789, 7.098780136176828, 7.217194843758751)
TREATMENT = QuantileSample(0.9, 10861, 7.694499927525767, 7.64180598628119, 7.747193868770344)


def summed(users: list[np.ndarray], value: float) -> Sums:
    return Sums.of(
        **{
            BELOW: [int((events <= value).sum()) for events in users],
            EVENTS: [len(events) for events in users],
        }
    )


class TestPublishedVectors:
    """growthbook/growthbook, packages/stats/tests/bayesian/test_tests.py."""

    @pytest.mark.parametrize(
        ("relative", "prior", "mean", "interval"),
        [
            (False, None, 0.5365124375579775, (0.4572559589115422, 0.6157689162044128)),
            (
                False,
                Normal(0, 1000 * CONTROL.value),
                0.536512437540855,
                (0.4572559588956844, 0.6157689161860256),
            ),
            (
                False,
                Normal(0, CONTROL.value),
                0.536495315442269,
                (0.4572401014910488, 0.6157505293934892),
            ),
            (
                True,
                Normal(0, 1000),
                0.07495297222736319,
                (0.06341005842481906, 0.08649588602990732),
            ),
            (True, Normal(0, 1), 0.07495037261804469, (0.06340765898986044, 0.08649308624622894)),
        ],
    )
    def test_posterior_of_a_quantile_effect(self, relative, prior, mean, interval):
        """Their prior of an absolute effect is given as a share of the control."""
        effect = contrast(quantile_arm(CONTROL), quantile_arm(TREATMENT), relative=relative)

        belief = posterior(effect, prior)

        assert belief.mean == pytest.approx(mean, rel=1e-14)
        assert belief.credible_interval(0.05) == pytest.approx(interval, rel=1e-14)

    def test_cluster_inflation(self):
        """test_statistics: a cluster variance of 0.5625 multiplies that of independent events."""
        clusters = Sums(
            2,
            {BELOW: 10, EVENTS: 4},
            {(BELOW, BELOW): 52, (EVENTS, EVENTS): 10, (BELOW, EVENTS): 22},
        )
        clustered = QuantileSample(
            CONTROL.level, CONTROL.count, CONTROL.value, CONTROL.lower, CONTROL.upper, clusters
        )
        independent = quantile_arm(CONTROL).var_raw

        assert quantile_arm(clustered).var_raw == pytest.approx(
            independent * 0.5625 / (0.9 * 0.1 / 11054), rel=1e-12
        )


@pytest.mark.parametrize("level", [0.05, 0.5, 0.9, 0.99])
def test_a_sample_quantile_is_numpys_inverted_distribution(level):
    values = np.random.default_rng(7).gamma(2, 300, 4001).astype(int)
    margin = 1.959963984540054 * (level * (1 - level) / 4001) ** 0.5

    sample = sample_quantile(Counter(values.tolist()), level)

    assert (sample.lower, sample.value, sample.upper) == tuple(
        np.quantile(values, [level - margin, level, level + margin], method="inverted_cdf")
    )


def test_histograms_merge_by_adding_counts():
    one, other = Counter({3: 40, 5: 60}), Counter({5: 1, 9: 300})

    assert sample_quantile(one + other, 0.5) == sample_quantile(
        Counter({3: 40, 5: 61, 9: 300}), 0.5
    )


def test_the_clustered_variance_is_that_of_a_bootstrap_over_users():
    """Within Monte-Carlo error: 1,000 resamples know a standard error to about 2.2 %."""
    rng = np.random.default_rng(11)
    users = [
        rng.gamma(3, 60 * taste, size=rng.integers(1, 12)).astype(int)
        for taste in rng.gamma(4, 0.25, 1500)
    ]
    events = np.concatenate(users)
    owner = np.repeat(np.arange(len(users)), [len(user) for user in users])
    order = np.argsort(events, kind="stable")
    resampled = []
    for _ in range(1000):
        weight = np.bincount(rng.integers(0, len(users), len(users)), minlength=len(users))
        reached = np.cumsum(weight[owner[order]])
        resampled.append(events[order][np.searchsorted(reached, 0.8 * reached[-1])])

    histogram = Counter(events.tolist())
    point = sample_quantile(histogram, 0.8)
    clustered = quantile_arm(sample_quantile(histogram, 0.8, summed(users, point.value)))
    independent = quantile_arm(point)

    assert clustered.var_raw**0.5 == pytest.approx(np.std(resampled), rel=0.1)
    assert independent.var_raw < 0.6 * clustered.var_raw


def test_too_few_for_a_tail_quantile_is_a_state():
    few = Counter(range(300))

    assert sample_quantile(few, 0.99) is Undefined.TOO_FEW_UNITS
    assert sample_quantile(Counter(), 0.5) is Undefined.TOO_FEW_UNITS
    assert quantile_arm(QuantileSample(0.99, 300, 1, 0, 2)) is Undefined.TOO_FEW_UNITS


def test_a_quantile_on_a_mass_of_equal_values_is_a_state():
    arm = quantile_arm(sample_quantile(Counter({0: 900, 7: 100}), 0.5))

    assert contrast(arm, arm, relative=False) is Undefined.ZERO_VARIANCE


def test_events_of_a_single_user_are_a_state():
    sample = sample_quantile(Counter(range(1000)), 0.5, Sums.of(below=[500], events=[1000]))

    assert quantile_arm(sample) is Undefined.TOO_FEW_UNITS
