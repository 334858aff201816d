"""Effects against GrowthBook's published vectors, and against scipy and tea-tasting to 1e-9."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
import tea_tasting
import tea_tasting.aggr
from hypothesis import given
from hypothesis import strategies as st

from tests.support.experiment_samples import RATIO_A, RATIO_B
from transforms.experiments.effects import (
    Effect,
    Ratio,
    Slope,
    Undefined,
    compare,
    cuped_coefficient,
    estimate_arms,
    mean,
    proportion,
    ratio,
)
from transforms.experiments.inference import FixedHorizon
from transforms.experiments.sums import Sums

FIXED = FixedHorizon(0.05)


MONEY_A = Sums(3407, {"x": Fraction("1396.87")}, {("x", "x"): Fraction("52377.9767")})


MONEY_B = Sums(3461, {"x": Fraction("2422.7")}, {("x", "x"): Fraction("134698.29")})


def printed(effect: Effect) -> tuple[float, ...]:
    """Estimate, interval and p-value to the five digits that GrowthBook's tests print."""
    numbers = effect.estimate, *FIXED.interval(effect), FIXED.p_value(effect)
    return tuple(round(number, 5) for number in numbers)


class TestPublishedVectors:
    """growthbook/growthbook, packages/stats/tests/frequentist/test_tests.py."""

    def test_relative_mean(self):
        assert printed(compare(MONEY_A, MONEY_B, mean("x"), relative=True)) == (
            0.70732, -0.03526, 1.44989, 0.06191,
        )  # fmt: skip

    def test_absolute_mean(self):
        assert printed(compare(MONEY_A, MONEY_B, mean("x"), relative=False)) == (
            0.29, 0.04538, 0.53462, 0.02016,
        )  # fmt: skip

    def test_the_same_sums_in_cents_are_integers(self):
        cents_a = Sums(3407, {"x": 139_687}, {("x", "x"): 523_779_767})
        cents_b = Sums(3461, {"x": 242_270}, {("x", "x"): 1_346_982_900})

        assert printed(compare(cents_a, cents_b, mean("x"), relative=True)) == printed(
            compare(MONEY_A, MONEY_B, mean("x"), relative=True)
        )

    def test_relative_proportion(self):
        a = Sums(28, {"x": 14}, {("x", "x"): 14})
        b = Sums(30, {"x": 16}, {("x", "x"): 16})

        assert printed(compare(a, b, proportion("x"), relative=True)) == (
            0.06667, -0.47767, 0.61101, 0.80707,
        )  # fmt: skip

    def test_relative_ratio_with_cuped(self):
        assert printed(compare(RATIO_A, RATIO_B, RATIO, relative=True)) == (
            -0.0007, -0.00841, 0.007, 0.85771,
        )  # fmt: skip

    def test_cuped_coefficient(self):
        """packages/stats/tests/models/test_statistics.py, TestComputeTheta."""
        arm = Sums.of(y=[2, 1, 5, 3], x=[0.3, 0.5, 0.9, 22])

        assert round(float(cuped_coefficient(arm, arm, mean("y", "x"))), 5) == 0.01864


RATIO = ratio("m", "d", ("m0", "d0"))


def random_users(seed: int) -> dict[str, np.ndarray]:
    """Correlated counts of one arm's users: outcome m per d, the same before, and a success."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(40, 400))
    habit = rng.gamma(2, 1, size)
    d, d0 = rng.poisson(3 * habit) + 1, rng.poisson(2 * habit) + 1
    return {
        "m": rng.poisson(d * rng.gamma(4, 10, size)),
        "d": d,
        "m0": rng.poisson(d0 * 40),
        "d0": d0,
        "s": (rng.random(size) < 0.3).astype(int),
    }


def summed(users: dict[str, np.ndarray]) -> Sums:
    return Sums.of(**{name: values.tolist() for name, values in users.items()})


def tea(users: dict[str, np.ndarray]) -> tea_tasting.aggr.Aggregates:
    names = list(users)
    return tea_tasting.aggr.Aggregates(
        count_=len(users["m"]),
        mean_={name: users[name].mean() for name in names},
        var_={name: users[name].var(ddof=1) for name in names},
        cov_={(a, b): np.cov(users[a], users[b])[0, 1] for a in names for b in names if a < b},
    )


@pytest.fixture(params=range(8))
def arms(request) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    return random_users(2 * request.param), random_users(2 * request.param + 1)


class TestAgainstIndependentLibraries:
    def test_absolute_means_are_scipys_welch_test_on_rows(self, arms):
        effect = compare(*map(summed, arms), mean("m"), relative=False)
        theirs = scipy.stats.ttest_ind(arms[1]["m"], arms[0]["m"], equal_var=False)

        assert FIXED.p_value(effect) == pytest.approx(theirs.pvalue, rel=1e-9)
        assert FIXED.interval(effect) == pytest.approx(theirs.confidence_interval(), rel=1e-9)
        assert effect.df == pytest.approx(theirs.df, rel=1e-9)

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            (mean("m"), tea_tasting.Mean("m")),
            (mean("m", "m0"), tea_tasting.Mean("m", "m0")),
            (ratio("m", "d"), tea_tasting.RatioOfMeans("m", "d")),
            (
                ratio("m", "d", ("m0", "d0"), slope=Slope.POOLED),
                tea_tasting.RatioOfMeans("m", "d", "m0", "d0"),
            ),
        ],
    )
    def test_absolute_effects_are_tea_tastings(self, arms, ours, theirs):
        effect = compare(*map(summed, arms), ours, relative=False)
        result = theirs.analyze_aggregates(*map(tea, arms))

        assert effect.estimate == pytest.approx(result.effect_size, rel=1e-9)
        assert FIXED.p_value(effect) == pytest.approx(result.pvalue, rel=1e-9)
        assert FIXED.interval(effect) == pytest.approx(
            (result.effect_size_ci_lower, result.effect_size_ci_upper), rel=1e-9
        )

    @pytest.mark.parametrize("slope", Slope)
    def test_adjusted_ratios_are_scipys_welch_test_on_linearised_rows(self, arms, slope):
        estimator = ratio("m", "d", ("m0", "d0"), slope=slope)
        theta = float(cuped_coefficient(*map(summed, arms), estimator))

        def linearised(users: dict[str, np.ndarray]) -> np.ndarray:
            outcome, before = (
                users[m].mean() / users[d].mean()
                + (users[m] - users[m].mean() / users[d].mean() * users[d]) / users[d].mean()
                for m, d in (("m", "d"), ("m0", "d0"))
            )
            return outcome - theta * before

        effect = compare(*map(summed, arms), estimator, relative=False)
        theirs = scipy.stats.ttest_ind(linearised(arms[1]), linearised(arms[0]), equal_var=False)

        assert FIXED.p_value(effect) == pytest.approx(theirs.pvalue, rel=1e-9)
        assert FIXED.interval(effect) == pytest.approx(theirs.confidence_interval(), rel=1e-9)

    @pytest.mark.parametrize(
        "estimator", [mean("m"), ratio("m", "d"), ratio("m", "d", ("m0", "d0"))]
    )
    def test_relative_effects_are_the_delta_method_by_complex_steps(self, arms, estimator):
        """The gradient of the plug-in estimate, found numerically, times numpy's covariances."""
        control, treatment = map(summed, arms)
        theta = float(cuped_coefficient(control, treatment, estimator))
        names = estimator.variables

        def estimate(means: dict[str, complex], part: Ratio) -> complex:
            return means[part.numerator] / (means[part.denominator] if part.denominator else 1)

        def adjusted(means: dict[str, complex]) -> complex:
            shift = theta * estimate(means, estimator.covariate) if estimator.covariate else 0
            return estimate(means, estimator.outcome) - shift

        def lift(means: np.ndarray) -> complex:
            c, t = (dict(zip(names, half, strict=True)) for half in np.split(means, 2))
            return (adjusted(t) - adjusted(c)) / estimate(c, estimator.outcome)

        means = np.array([users[name].mean() for users in arms for name in names], dtype=complex)
        steps = 1e-30j * np.eye(len(means))
        gradient = np.array([lift(means + step).imag / 1e-30 for step in steps])
        variance = sum(
            part @ np.atleast_2d(np.cov([users[name] for name in names])) @ part / len(users["m"])
            for part, users in zip(np.split(gradient, 2), arms, strict=True)
        )

        effect = compare(control, treatment, estimator, relative=True)

        assert effect.estimate == pytest.approx(lift(means).real, rel=1e-9)
        assert effect.std_error == pytest.approx(variance**0.5, rel=1e-9)

    def test_a_proportion_has_the_variance_of_a_binomial(self, arms):
        control, treatment = map(summed, arms)
        shares = [users["s"].mean() for users in arms]
        expected = sum(
            scipy.stats.binom(len(users["s"]), share).var() / len(users["s"]) ** 2
            for users, share in zip(arms, shares, strict=True)
        )

        effect = compare(control, treatment, proportion("s"), relative=False)

        assert effect.std_error == pytest.approx(expected**0.5, rel=1e-9)


class TestCuped:
    def test_the_relative_effect_is_divided_by_the_unadjusted_control(self, arms):
        control, treatment = map(summed, arms)
        one, other = estimate_arms(control, treatment, mean("m", "m0"))

        effect = compare(control, treatment, mean("m", "m0"), relative=True)

        assert one.raw == arms[0]["m"].mean()
        assert effect.estimate == (other.adjusted - one.adjusted) / one.raw

    def test_it_narrows_the_interval_when_the_past_predicts(self, arms):
        control, treatment = map(summed, arms)

        plain = compare(control, treatment, mean("m"), relative=False)
        adjusted = compare(control, treatment, mean("m", "m0"), relative=False)

        assert adjusted.std_error < plain.std_error

    @pytest.mark.parametrize(
        ("estimator", "plain"),
        [(mean("y", "x"), mean("y")), (ratio("y", "d", ("x", "x")), ratio("y", "d"))],
    )
    def test_a_covariate_that_tells_nothing_adjusts_nothing(self, estimator, plain):
        control = Sums.of(y=[1, 2, 4], d=[1, 3, 2], x=[0, 0, 0])
        treatment = Sums.of(y=[3, 5, 4], d=[2, 2, 1], x=[0, 0, 0])

        assert compare(control, treatment, estimator, relative=True) == compare(
            control, treatment, plain, relative=True
        )


ESTIMATORS = [
    mean("x"),
    mean("x", "a"),
    proportion("x"),
    ratio("x", "d"),
    ratio("x", "d", ("a", "b")),
]


small_arms = st.lists(st.tuples(*[st.integers(0, 3)] * 4), max_size=5)


class TestNeverNaN:
    some = Sums.of(x=[1, 2, 4], d=[1, 1, 2])

    @pytest.mark.parametrize(
        ("arm", "estimator", "expected"),
        [
            (Sums(0, {}, {}), mean("x"), Undefined.TOO_FEW_UNITS),
            (Sums.of(x=[5]), mean("x"), Undefined.TOO_FEW_UNITS),
            (Sums.of(x=[5, 5, 5]), mean("x"), Undefined.ZERO_VARIANCE),
            (Sums.of(x=[0, 0, 0]), proportion("x"), Undefined.ZERO_VARIANCE),
            (Sums.of(x=[2, 4, 6], d=[1, 2, 3]), ratio("x", "d"), Undefined.ZERO_VARIANCE),
            (Sums.of(x=[1, 2, 3], d=[0, 0, 0]), ratio("x", "d"), Undefined.ZERO_DENOMINATOR),
        ],
    )
    @pytest.mark.parametrize("relative", [True, False])
    def test_an_arm_that_says_nothing_gives_a_state(self, arm, estimator, expected, relative):
        assert compare(arm, self.some, estimator, relative=relative) is expected
        assert compare(self.some, arm, estimator, relative=relative) is expected

    @given(small_arms, small_arms, st.sampled_from(ESTIMATORS), st.booleans())
    def test_every_pair_of_small_arms_gives_numbers_or_a_state(
        self, one, other, estimator, relative
    ):
        arms = [
            Sums.of(**{name: [user[i] for user in users] for i, name in enumerate("xdab")})
            for users in (one, other)
        ]
        effect = compare(*arms, estimator, relative=relative)

        if isinstance(effect, Effect):
            numbers = *dataclasses.astuple(effect), *FIXED.interval(effect), FIXED.p_value(effect)
            assert all(map(math.isfinite, numbers))
            assert effect.std_error > 0

    def test_relative_to_nothing_is_a_state_but_the_difference_is_a_number(self):
        nothing = Sums.of(x=[-1, 0, 1])

        assert compare(nothing, self.some, mean("x"), relative=True) is Undefined.ZERO_BASELINE
        assert isinstance(compare(nothing, self.some, mean("x"), relative=False), Effect)

    def test_an_outcome_that_its_covariate_predicts_exactly_has_no_variance_left(self):
        control, treatment = Sums.of(y=[2, 4, 6], x=[1, 2, 3]), Sums.of(y=[8, 2, 10], x=[4, 1, 5])

        assert compare(control, treatment, mean("y", "x"), relative=True) is Undefined.ZERO_VARIANCE
