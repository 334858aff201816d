"""Power and posteriors against GrowthBook's published vectors, tea-tasting and integration."""

from __future__ import annotations

import math

import pytest
import tea_tasting
import tea_tasting.aggr
from scipy.integrate import quad
from scipy.stats import norm

from transforms.experiments.bayes import Normal, posterior
from transforms.experiments.effects import Effect, compare, mean
from transforms.experiments.inference import AlwaysValid, FixedHorizon
from transforms.experiments.power import (
    days_to_decision,
    minimum_detectable_effect,
    power,
    required_growth,
)
from transforms.experiments.sums import Sums

FIXED = FixedHorizon(0.05)
NOW = Effect(estimate=0.01, std_error=0.02, df=1e6, count=10_000)


class TestPublishedVectors:
    """growthbook/growthbook, packages/stats/tests: test_midexperimentpower.py, bayesian."""

    @pytest.mark.parametrize(
        ("procedure", "additional"),
        [(FIXED, 25.45703125), (AlwaysValid(0.05, tuning_units=5000), 55.66796875)],
    )
    def test_additional_users_for_power(self, procedure, additional):
        """Theirs is a bisection that stops within 0.00001 of the power wanted."""
        a = Sums(500, {"x": 500}, {("x", "x"): 1500})
        b = Sums(500, {"x": 525}, {("x", "x"): 1551.25})
        effect = compare(a, b, mean("x"), relative=True)

        growth = required_growth(procedure, effect, true_effect=0.05)

        assert growth - 1 == pytest.approx(additional, rel=1e-4)

    def test_posterior_with_an_informative_prior(self):
        a = Sums(10, {"x": 100}, {("x", "x"): 1002.25})
        b = Sums(10, {"x": 105}, {("x", "x"): 1111.5})

        belief = posterior(compare(a, b, mean("x"), relative=True), Normal(0.1, 0.1**0.5))

        assert [round(end, 5) for end in belief.credible_interval(0.05)] == [-0.01893, 0.12019]
        assert (round(belief.mean, 5), round(belief.sd, 5)) == (0.05063, 0.03549)
        assert round(belief.chance_to_win, 5) == 0.92315
        assert round(belief.risk_of_staying, 5) == 0.05186
        assert round(belief.risk_of_shipping, 5) == 0.00123


class TestPower:
    @pytest.mark.parametrize("size", [0.001, 0.02, 0.05, 0.2])
    def test_at_a_fixed_horizon_it_is_tea_tastings(self, size):
        sample = tea_tasting.aggr.Aggregates(1000, {"x": 10.0}, {"x": 4.0}, {})
        (theirs,) = tea_tasting.Mean(
            "x", rel_effect_size=size, n_obs=4000, use_t=False, alpha=0.05, ratio=1
        ).solve_power_from_aggregates(sample, "power")
        effect = Effect(0, math.sqrt(4 / 2000 + 4 / 2000) / 10, math.inf, 4000)

        assert power(FixedHorizon(0.05), effect, size) == pytest.approx(theirs.power, rel=1e-9)

    def test_of_no_effect_it_is_alpha(self):
        assert power(FIXED, Effect(0, 1, math.inf, 100), 0) == pytest.approx(0.05, rel=1e-12)

    @pytest.mark.parametrize("procedure", [FIXED, AlwaysValid(0.01, tuning_units=3000)])
    def test_the_minimum_detectable_effect_is_found_with_the_power_wanted(self, procedure):
        size = minimum_detectable_effect(procedure, NOW, target=0.9)

        assert power(procedure, NOW, size) == pytest.approx(0.9, rel=1e-9)


class TestDaysToDecision:
    def test_it_is_the_missing_users_at_their_pace_rounded_up(self):
        missing = (required_growth(FIXED, NOW, 0.02) - 1) * NOW.count

        assert days_to_decision(FIXED, NOW, 0.02, users_per_day=1000) == math.ceil(missing / 1000)

    def test_it_is_now_when_there_are_enough(self):
        assert days_to_decision(FIXED, NOW, 0.5, users_per_day=0) == 0

    @pytest.mark.parametrize(("true_effect", "users_per_day"), [(0, 1000), (0.02, 0), (0.02, -1)])
    def test_it_is_never_without_an_effect_or_without_users(self, true_effect, users_per_day):
        assert days_to_decision(FIXED, NOW, true_effect, users_per_day) is None


class TestPosterior:
    @pytest.mark.parametrize("belief", [Normal(0.3, 0.2), Normal(-1.5, 0.4), Normal(0, 2)])
    def test_risks_are_expected_losses(self, belief):
        reach = 12 * belief.sd

        def expected(loss) -> float:
            ends = belief.mean - reach, belief.mean + reach
            return quad(lambda x: loss(x) * norm.pdf(x, *belief), *ends, points=[0], epsabs=1e-13)[
                0
            ]

        assert belief.risk_of_staying == pytest.approx(expected(lambda x: max(x, 0)), rel=1e-9)
        assert belief.risk_of_shipping == pytest.approx(expected(lambda x: max(-x, 0)), rel=1e-9)

    def test_it_lies_between_prior_and_data_and_is_narrower_than_either(self):
        belief = posterior(NOW, Normal(0.05, 0.03))

        assert NOW.estimate < belief.mean < 0.05
        assert belief.sd < NOW.std_error
